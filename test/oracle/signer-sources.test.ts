/** Sources that fail in every way a source can, and what a signer makes of the rest. */
import { createServer, type Server } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { fc } from '../property.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { priceFrom, Refusal } from '../../oracle/signer/observe.ts'
import {
  checkUrl,
  readSource,
  recordedAt,
  readRecording,
  type Sample,
} from '../../oracle/signer/sources.ts'
import { RECORDING } from '../../oracle/signer/main.ts'
import { SampleLog, timeWeighted } from '../../oracle/signer/window.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-sources-'))
const NOW = 1_584_000_000
let server: Server
let base: string

beforeAll(async () => {
  server = createServer((request, response) => {
    const ok = (body: string) => response.writeHead(200, { 'content-type': 'text/plain' }).end(body)
    switch (request.url) {
      case '/good':
        return ok(`{"data":{"price":"6067.01","time":${NOW}}}`)
      case '/number':
        return ok(`{"data":{"price":6067.01,"time":${NOW}}}`)
      case '/tiny':
        return ok('{"data":{"price":1e-9,"time":1}}')
      case '/huge-number':
        return ok('{"data":{"price":1e400,"time":1}}')
      case '/html':
        return ok('<html>')
      case '/500':
        return response.writeHead(500).end('{}')
      case '/redirect':
        return response.writeHead(302, { location: '/good' }).end()
      case '/slow':
        return undefined
      case '/drip': {
        response.writeHead(200)
        const timer = setInterval(() => response.write(' '), 20)
        return response.on('close', () => clearInterval(timer))
      }
      case '/endless': {
        response.writeHead(200)
        return response.write(' '.repeat(200_000))
      }
      default:
        return response.writeHead(404).end()
    }
  })
  // A connection that is ended while it is asked is a source that does not answer.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

describe('an HTTP source', () => {
  /** Whoever is late is late soon; the others have the time that a crowded machine needs. */
  const patienceFor = (path: string) => (['/slow', '/drip'].includes(path) ? 300 : 120_000)
  const read = (path: string, price = 'data.price', time: string | null = 'data.time') =>
    readSource({ kind: 'http', url: `${base}${path}`, price, time }, NOW, {
      timeoutMs: patienceFor(path),
      bytes: 65_536,
    })

  test('is read by its path, as a string or a plain number', async () => {
    expect(await read('/good')).toEqual({ price: 6_067_010_000n, time: NOW })
    expect(await read('/number')).toEqual({ price: 6_067_010_000n, time: NOW })
    expect(await read('/good', 'data.price', null)).toEqual({ price: 6_067_010_000n, time: NOW })
  })
  test.each([
    ['/tiny', /plain decimal/],
    ['/huge-number', /plain decimal/],
    ['/html', /JSON/],
    ['/500', /answered 500/],
    ['/none', /answered 404/],
    ['/redirect', /./],
    ['/slow', /timeout|aborted/],
    ['/drip', /timeout|aborted/],
    ['/endless', /at most 65536 bytes/],
  ])('%s is no price', (path, error) => expect(read(path)).rejects.toThrow(error))
  test("a path that is not there, also one of the language's own, is no price", async () => {
    for (const path of [
      'data',
      'data.none',
      'price',
      'constructor',
      'data.__proto__',
      'data.time.x',
    ]) {
      await expect(read('/good', path), path).rejects.toThrow(/must (be a plain decimal|have)/)
    }
  })
  test('comes over HTTPS, except on this machine', () => {
    for (const good of [
      'https://example.org/p',
      'http://127.0.0.1:1/',
      'http://localhost/',
      'http://[::1]/',
    ]) {
      expect(checkUrl(good).href).toContain('://')
    }
    for (const bad of [
      'http://example.org/',
      'ftp://example.org/',
      'file:///etc/passwd',
      'http://127.0.0.1.example.org/',
      'x',
      '',
    ])
      expect(() => checkUrl(bad), bad).toThrow(/https/)
  })
})

describe('a file source', () => {
  const file = (text: string) => {
    const path = join(folder, 'price.json')
    writeFileSync(path, text)
    return { kind: 'file', path, price: 'p', time: 't', timeUnit: 'iso' } as const
  }
  test('is read like an answer, with its own unit of time', async () => {
    expect(await readSource(file('{"p":"1.5","t":"2020-03-12T08:00:00Z"}'), NOW)).toEqual({
      price: 1_500_000n,
      time: NOW,
    })
    const millis = { ...file(`{"p":"1.5","t":${NOW}999}`), timeUnit: 'milliseconds' } as const
    expect(await readSource(millis, NOW)).toEqual({ price: 1_500_000n, time: NOW })
  })
  test('too large, absent, or without a time is none', async () => {
    await expect(readSource(file(' '.repeat(70_000)), NOW)).rejects.toThrow(/at most/)
    await expect(readSource({ ...file('{}'), path: join(folder, 'none') }, NOW)).rejects.toThrow(
      /ENOENT/,
    )
    await expect(readSource(file('{"p":"1.5","t":"soon"}'), NOW)).rejects.toThrow(/time/)
    await expect(readSource(file('{"p":"1.5","t":"1969-01-01"}'), NOW)).rejects.toThrow(/time/)
  })
})

describe('the recorded day', () => {
  const source = (series: string) => ({ kind: 'recorded', path: RECORDING, series }) as const
  const noon = Date.UTC(2020, 2, 12, 12) / 1000
  test('says the close of the last candle that is over', async () => {
    expect(await readSource(source('BTC'), noon)).toEqual({ price: 6_067_010_000n, time: noon })
    expect(await readSource(source('BTC'), noon - 1)).toEqual({
      price: 7_392_130_000n,
      time: noon - 14_400,
    })
    expect(await readSource(source('ETH'), noon + 14_399)).toEqual({
      price: 136_590_000n,
      time: noon,
    })
  })
  test('knows nothing before its first, and its last for ever', async () => {
    const recording = readRecording(
      '{"description":"","start":1000,"interval":10,"series":{"A":["1","2"]}}',
    )
    expect(() => recordedAt(recording, 'A', 1009)).toThrow(/begin before/)
    expect(recordedAt(recording, 'A', 1010).price).toBe(1_000_000n)
    expect(recordedAt(recording, 'A', 9999)).toEqual({ price: 2_000_000n, time: 1020 })
    expect(() => recordedAt(recording, 'B', 1010)).toThrow(/must have B/)
    expect(() => readRecording('{"description":"","start":1,"interval":0,"series":{}}')).toThrow(
      /interval .* must not be zero/,
    )
  })
})

describe('one price of several', () => {
  const policy = { maxAge: 60, maxSpread: 100, minSources: 3 }
  const at = (price: bigint, age = 0): Sample => ({ price, time: NOW - age })
  const from = (...samples: (Sample | Error)[]) => priceFrom(samples, NOW, policy, 'BTC')
  test('is the median of the fresh ones', () => {
    expect(from(at(1000n), at(1002n), at(1001n))).toEqual({
      price: 1001n,
      sources: 3,
      spread: 9,
      problems: [],
    })
    expect(from(at(1000n), at(1003n), at(1001n), at(1002n)).price).toBe(1001n)
  })
  test('fresh up to the limit, stale a second later, never from the future', () => {
    expect(from(at(1000n, 60), at(1000n), at(1000n)).sources).toBe(3)
    expect(() => from(at(1000n, 61), at(1000n), at(1000n))).toThrow(/SourcesMustSuffice.*61 s old/)
    expect(() => from(at(1000n, -6), at(1000n), at(1000n))).toThrow(/ahead/)
    expect(from(at(1000n, -5), at(1000n), at(1000n)).sources).toBe(3)
  })
  test('one that lies is left out, and told of', () => {
    const seen = from(at(1000n), at(10_000n), at(1001n), at(1002n))
    expect([seen.price, seen.sources, seen.problems.length]).toEqual([1001n, 3, 1])
  })
  test('too few, failed, or too far apart: nothing is said', () => {
    expect(() => from()).toThrow(Refusal)
    expect(() => from(at(1000n), at(1000n))).toThrow(/2 good sources of at least 3/)
    expect(() => from(at(1000n), at(1000n), new Error('down'))).toThrow(/down/)
    expect(() => from(at(1000n), at(1200n), at(1400n))).toThrow(/more than 100 bp/)
    expect(() => from(at(1000n), at(1200n), at(1400n), at(1600n))).toThrow(Refusal)
  })
  test('fewer than half of the sources can never move it beyond the honest ones', () => {
    const honest = fc.array(fc.bigInt({ min: 1000n, max: 1005n }), { minLength: 3, maxLength: 5 })
    const lies = fc.array(fc.bigInt({ min: 1n, max: 1n << 60n }), { maxLength: 2 })
    fc.assert(
      fc.property(honest, lies, (good, bad) => {
        const { price } = from(...[...bad, ...good].map((one) => at(one)))
        expect(price >= 1000n - 10n && price <= 1005n + 10n).toBe(true)
      }),
    )
  })
})

describe('a window', () => {
  const log = (...samples: [number, bigint][]) => samples.map(([time, price]) => ({ time, price }))
  test('is averaged by time, rounded down', () => {
    expect(timeWeighted(log([0, 10n], [50, 20n]), 0, 100, 100)).toBe(15n)
    expect(timeWeighted(log([0, 10n], [75, 20n]), 0, 100, 100)).toBe(12n)
    // Before the start only the last counts; at and after the end none.
    expect(timeWeighted(log([-90, 999n], [-10, 10n], [100, 999n], [150, 999n]), 0, 100, 110)).toBe(
      10n,
    )
    expect(timeWeighted(log([50, 20n], [0, 10n]), 0, 100, 100)).toBe(15n)
  })
  test('with a hole is none', () => {
    const refuse = (samples: Sample[], gap: number) =>
      expect(() => timeWeighted(samples, 0, 100, gap)).toThrow(/WindowMustBeCovered/)
    refuse([], 100)
    refuse(log([1, 10n]), 100)
    refuse(log([-11, 10n], [0, 10n]).slice(0, 1), 10)
    refuse(log([0, 10n], [50, 10n]), 49)
    expect(timeWeighted(log([0, 10n], [50, 10n]), 0, 100, 50)).toBe(10n)
    expect(() => timeWeighted(log([0, 10n]), 100, 100, 10)).toThrow(RangeError)
  })
  test('lies between the least and the most, and one price averages to itself', () => {
    const samples = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 99 }), fc.bigInt({ min: 1n, max: 1n << 62n })),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(samples, fc.bigInt({ min: 1n, max: 1n << 62n }), (rest, first) => {
        const all = log([0, first], ...rest)
        const average = timeWeighted(all, 0, 100, 100)
        const prices = all.map(({ price }) => price)
        const least = prices.reduce((a, b) => (a < b ? a : b))
        const most = prices.reduce((a, b) => (a > b ? a : b))
        expect(average >= least && average <= most).toBe(true)
        expect(timeWeighted(log([0, first]), 0, 100, 100)).toBe(first)
      }),
    )
  })
  test('the log keeps the first word on a second and forgets what is old', () => {
    const kept = new SampleLog(100)
    kept.add('BTC', { time: 10, price: 1n })
    kept.add('BTC', { time: 10, price: 2n })
    kept.add('BTC', { time: 5, price: 3n })
    kept.add('BTC', { time: 111, price: 4n })
    expect(kept.of('BTC')).toEqual([{ time: 111, price: 4n }])
    expect(kept.of('ETH')).toEqual([])
  })
})
