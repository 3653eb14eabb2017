/** The running house: where it is, and whether it speaks for the contract that L1 knows. */
import { existsSync, readFileSync } from 'node:fs'
import { HouseApi, HouseError, type HouseStatus } from '../api.ts'
import { domainOf } from '../l1/batch-words.ts'
import { connect, type L1 } from '../l1/rpc.ts'
import { Undone } from './failures.ts'
import { dayPath } from './root.ts'

export type Common = {
  readonly json: boolean
  readonly house?: string
  readonly rpc?: string
  readonly dir?: string
  readonly timeout: number
  /** Progress for people; nothing in it is needed. */
  readonly note: (line: string) => void
}
export type Result = {
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
  readonly code?: 0 | 1 | 2
  /** The text is the JSON, whatever was asked for: an answer that is no object. */
  readonly isJsonText?: true
}
/** What `npm start -- --stay` leaves in .cache/day.json. */
export type Day = { readonly url: string; readonly rpcUrl: string; readonly contract: string }
export type House = {
  readonly api: HouseApi
  readonly status: HouseStatus
  readonly rpcUrl: string
}

const START = 'start one with: npm start -- --stay'

export function findDay(): Day | null {
  if (!existsSync(dayPath())) return null
  try {
    const day = JSON.parse(readFileSync(dayPath(), 'utf8')) as Partial<Day>
    if (day.url === undefined || day.rpcUrl === undefined || day.contract === undefined) return null
    return { url: day.url, rpcUrl: day.rpcUrl, contract: day.contract }
  } catch {
    throw new Undone(`${dayPath()} cannot be read; ${START}`)
  }
}

/** The house of --house or of the running day; its contract is looked up on L1, not believed. */
export async function findHouse(options: Common): Promise<House> {
  const day = options.house === undefined ? findDay() : null
  const url = options.house ?? day?.url
  if (url === undefined) throw new Undone(`no day is running: ${START}`)
  if (!/^https?:\/\//.test(url)) throw new Undone('--house must be an http or https address')
  const api = new HouseApi(url)
  let status: HouseStatus
  try {
    status = await api.status()
  } catch (error) {
    if (!(error instanceof HouseError)) throw new Undone(`${url} does not answer like a house`)
    if (day === null) throw error
    throw new Undone(`no day is running: the last one, at ${url}, does not answer; ${START}`)
  }
  if (day !== null && BigInt(day.contract) !== BigInt(status.contract))
    throw new Undone(`the house at ${url} names another contract than the day that was started`)
  const rpcUrl = options.rpc ?? day?.rpcUrl ?? status.rpcUrl
  const l1 = await connect(rpcUrl, status.contract)
  if (BigInt(status.domain) !== domainOf(l1.chainId, l1.contract))
    throw new Undone(`the house at ${url} does not speak for ${status.contract} on this chain`)
  return { api, status, rpcUrl }
}

/** Looks again and again until there is an answer. */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | null>,
): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() >= end) throw new Undone(`${what}: not within ${seconds} s`)
    await new Promise((wake) => setTimeout(wake, 500))
  }
}

/** Looks at L1 once now and once after each further batch. */
export function untilBatch<T>(
  what: string,
  house: Pick<House, 'rpcUrl'> & { readonly status: { readonly contract: string } },
  seconds: number,
  look: (l1: L1) => Promise<T | null>,
): Promise<T> {
  let seen: unknown = null
  return until(what, seconds, async () => {
    const l1 = await connect(house.rpcUrl, house.status.contract)
    const [number] = await l1.view('batchNumber')
    if (number === seen) return null
    seen = number
    return look(l1)
  })
}
