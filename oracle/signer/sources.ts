/** Where prices come from: files, HTTP(S) answers, and a recorded day for the embedded default. */
import { open } from 'node:fs/promises'
import { InputError, listOf, objectOf, textOf, wholeOf } from './canonical.ts'
import { priceOf } from './decimal.ts'

type Field = {
  /** Path to the price inside the JSON, such as "data.0.price". */
  readonly price: string
  /** Path to the time of the price, or null: then it counts as fresh whenever it arrives. */
  readonly time: string | null
  readonly timeUnit?: 'seconds' | 'milliseconds' | 'iso'
}
export type SourceConfig =
  | ({ readonly kind: 'file'; readonly path: string } & Field)
  | ({ readonly kind: 'http'; readonly url: string } & Field)
  | { readonly kind: 'recorded'; readonly path: string; readonly series: string }

/** Micros, and the unix second at which it was true. */
export type Sample = { readonly price: bigint; readonly time: number }
export type SourceLimits = { readonly timeoutMs: number; readonly bytes: number }
export const SOURCE_LIMITS: SourceLimits = { timeoutMs: 5_000, bytes: 65_536 }

/** One price at `now` (unix seconds); throws whatever is wrong with the source. */
export async function readSource(
  source: SourceConfig,
  now: number,
  limits: SourceLimits = SOURCE_LIMITS,
): Promise<Sample> {
  switch (source.kind) {
    case 'file':
      return sampleIn(await readText(source.path, limits.bytes), source, now)
    case 'http':
      return sampleIn(await fetchText(source.url, limits), source, now)
    case 'recorded': {
      const day = readRecording(await readText(source.path, RECORDING_BYTES))
      return recordedAt(day, source.series, now)
    }
  }
}

/** Anything but loopback must be HTTPS: a price that anybody on the way can change is no price. */
export function checkUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const isLoopback = url !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback))) {
    throw new InputError('the address of a source must be https, or http on this machine')
  }
  return url
}

async function fetchText(address: string, limits: SourceLimits): Promise<string> {
  const url = checkUrl(address)
  const response = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(limits.timeoutMs),
  })
  if (response.status !== 200) throw new InputError(`${url.host} answered ${response.status}`)
  return boundedText(response, limits.bytes, url.host)
}

/** Reads a body and stops at the limit, whatever the header says of its length. */
export async function boundedText(response: Response, bytes: number, who: string): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  const body = response.body
  if (body === null) throw new InputError(`${who} answered nothing`)
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > bytes) {
      await reader.cancel()
      throw new InputError(`an answer of ${who} must be at most ${bytes} bytes`)
    }
    parts.push(value)
  }
  return Buffer.concat(parts).toString('utf8')
}

export async function readText(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size > bytes) throw new InputError(`${path} must be at most ${bytes} bytes`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function at(value: unknown, path: string): unknown {
  let found = value
  for (const key of path.split('.')) {
    const isOwn = typeof found === 'object' && found !== null && Object.hasOwn(found, key)
    if (!isOwn) throw new InputError(`the answer must have ${path}`)
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function sampleIn(text: string, field: Field, now: number): Sample {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InputError('the answer must be JSON')
  }
  const found = at(value, field.price)
  // A JSON number is read by its shortest text: one that needs an exponent is refused there.
  const price = priceOf(typeof found === 'number' ? String(found) : found, field.price)
  const time = field.time === null ? now : timeOf(at(value, field.time), field.timeUnit)
  return { price, time }
}

function timeOf(value: unknown, unit: Field['timeUnit'] = 'seconds'): number {
  const number = unit === 'iso' ? Date.parse(textOf(value, 'time')) : Number(value)
  const seconds = Math.floor(unit === 'seconds' ? number : number / 1000)
  if (!Number.isSafeInteger(seconds) || seconds <= 0) throw new InputError('time must be a time')
  return seconds
}

// ------------------------------------------------------------------------------------ recorded

/** Prices at the end of each interval; the first is at start + interval. */
export type Recording = {
  readonly start: number
  readonly interval: number
  readonly series: Readonly<Record<string, readonly string[]>>
}
const RECORDING_BYTES = 1 << 20

export function readRecording(text: string): Recording {
  const keys = ['description', 'start', 'interval', 'series']
  const given = objectOf(JSON.parse(text), keys, 'recording')
  const [start, interval] = [
    wholeOf(given['start'], 'start'),
    wholeOf(given['interval'], 'interval'),
  ]
  if (interval === 0) throw new InputError('the interval of a recording must not be zero')
  const names = Object.keys(given['series'] as object)
  const lists = objectOf(given['series'], names, 'series')
  const series = Object.fromEntries(
    names.map((name) => [name, listOf(lists[name], name).map((item) => textOf(item, name))]),
  )
  return { start, interval, series }
}

/** The last price that was known at `now`; before the first there is none. */
export function recordedAt(recording: Recording, name: string, now: number): Sample {
  const prices = recording.series[name]
  if (prices === undefined) throw new InputError(`the recording must have ${name}`)
  const passed = Math.floor((now - recording.start) / recording.interval)
  const index = Math.min(passed, prices.length) - 1
  const price = prices[index]
  if (price === undefined) throw new InputError(`the recording must begin before ${now}`)
  return {
    price: priceOf(price, name),
    time: recording.start + recording.interval * (index + 1),
  }
}
