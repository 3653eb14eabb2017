/** The table's promises: order, bounds, and rounding that never favours the holder. */

import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { INSTRUMENTS, marketAt, marketAtExpiry } from '../../oracle/day-2020-03-12.ts'
import { valuePerLot } from '../../oracle/instruments.ts'
import type { ExposedSpec, FutureSpec, InstrumentSpec } from '../../oracle/instruments.ts'
import { buildTable, ROUNDING_ADD_ON, worldValue } from '../../oracle/table.ts'
import { shockOf, WORLDS } from '../../oracle/worlds.ts'
import type { Market } from '../../oracle/worlds.ts'

const market = marketAt(2)
const specOf = new Map(INSTRUMENTS.map((spec) => [spec.id, spec]))

const anyFuture: FutureSpec = {
  kind: 'future',
  id: 2000,
  name: 'BTC-X',
  underlying: 'BTC',
  lot: '0.01',
  expiry: 1_600_000_000,
}

/** The payoffs that the day does not trade. */
const MORE: readonly ExposedSpec[] = [
  { kind: 'perpetual', id: 2100, name: 'P', underlying: 'BTC', lot: '0.01' },
  {
    kind: 'digital',
    id: 2101,
    name: 'D',
    underlying: 'ETH',
    lot: '1',
    multiplier: '250',
    side: 'put',
    strike: 150_000_000n,
    expiry: market.time + 40 * 86_400,
  },
]
// The day's perpetual has its funding of the day alone.
const DATED = INSTRUMENTS.filter(({ kind }) => kind !== 'perpetual')
const ALL: readonly InstrumentSpec[] = [...DATED, ...MORE]

const specById = new Map(ALL.map((spec) => [spec.id, spec]))

const anyMarket: fc.Arbitrary<Market> = fc
  .record({
    btc: fc.double({ min: 0.5, max: 1e6, noNaN: true }),
    eth: fc.double({ min: 0.5, max: 1e5, noNaN: true }),
    vol: fc.double({ min: 0, max: 5, noNaN: true }),
    scan: fc.double({ min: 0.01, max: 0.9, noNaN: true }),
    rate: fc.double({ min: -0.2, max: 0.2, noNaN: true }),
    hours: fc.integer({ min: 0, max: 24 * 120 }),
  })
  .map(({ btc, eth, vol, scan, rate, hours }) => ({
    time: market.time + hours * 3600,
    rate,
    spot: { BTC: btc, ETH: eth },
    vol: { BTC: vol, ETH: vol * 1.2 },
    scanRange: { BTC: scan, ETH: scan },
    liquidity: { BTC: 0, ETH: 0 },
    perpetuals: { 2100: { basis: 0.002, funding: rate * 5000 } },
  }))

describe('worlds', () => {
  test('there are fifteen, the mark first, and their names differ', () => {
    expect(WORLDS).toHaveLength(15)
    expect(WORLDS[0]?.kind).toBe('mark')
    expect(new Set(WORLDS.map((world) => world.name)).size).toBe(15)
  })

  test('the scan range bounds every scan world, and the extremes use all of it', () => {
    const moves = WORLDS.filter((world) => world.kind === 'scan').map(
      (world) => shockOf(world, market, 'BTC').price - 1,
    )
    expect(Math.max(...moves)).toBeCloseTo(market.scanRange.BTC, 12)
    expect(Math.min(...moves)).toBeCloseTo(-market.scanRange.BTC, 12)
  })
})

describe('rows', () => {
  test('ascending ids, no cash, fifteen values, whatever the order given', () => {
    const rows = buildTable(market, INSTRUMENTS, WORLDS)
    const ids = INSTRUMENTS.filter((spec) => spec.kind !== 'cash').map((spec) => spec.id)
    expect(rows.map((row) => row.id)).toEqual([...ids].sort((a, b) => a - b))
    for (const row of rows) expect(row.values).toHaveLength(15)
    expect(buildTable(market, [...INSTRUMENTS].reverse(), WORLDS)).toEqual(rows)
  })

  test('one row, pinned: whoever changes a number of the market or the model sees it here', () => {
    const row = buildTable(market, INSTRUMENTS, WORLDS).find(({ id }) => id === 1033)
    expect(row?.values.join(' ')).toBe(
      '8124741 12072093 5480237 2092835 9002547 4897766 19745084 3797817 150312 26026250 ' +
        '19946317 6279777 17874625 2631836 16535002',
    )
  })

  test('the mark is the value of the market as quoted, to half a micro-dollar', () => {
    for (const row of buildTable(market, INSTRUMENTS, WORLDS)) {
      const spec = specOf.get(row.id) as InstrumentSpec
      const error = Number(row.values[0]) - valuePerLot(spec, market) * 1e6
      expect(Math.abs(error)).toBeLessThanOrEqual(0.5 + 1e-6)
    }
  })

  test('the add-on covers the stated cost of closing out, rounded up, and the rounding', () => {
    const row = buildTable(market, [anyFuture], WORLDS)[0]
    // 6067.01 * 0.01 * 0.0005 dollars = 30335.05 micro-dollars.
    expect(row?.addOn).toBe(30_336n + BigInt(ROUNDING_ADD_ON))
  })

  test('what has expired is worth its payoff at spot', () => {
    const rows = buildTable(marketAtExpiry(), INSTRUMENTS, WORLDS)
    const expired = rows.filter((row) => row.status === 'EXPIRED')
    expect(expired.map((row) => row.id)).toEqual([1024, 1029])
    expect(expired[0]?.values[0]).toBe(53_858_700n)
    // (7000 - 5385.87) * 0.01
    expect(expired[1]?.values[0]).toBe(16_141_300n)
    expect(expired.map((row) => row.addOn)).toEqual([2n, 2n])
  })
})

describe('rounding', () => {
  // Liquidity is zero in these markets: the add-on is the rounding's alone.
  test('no stress world values a long above, or a short above, the unrounded value', () => {
    fc.assert(
      fc.property(anyMarket, (some) => {
        for (const row of buildTable(some, ALL, WORLDS)) {
          const spec = specById.get(row.id) as ExposedSpec
          WORLDS.forEach((world, i) => {
            if (i === 0) return
            const exact = worldValue(spec, some, world) * 1e6
            const long = Number(row.values[i] as bigint) - Number(row.addOn)
            const short = -Number(row.values[i] as bigint) - Number(row.addOn)
            expect(long).toBeLessThanOrEqual(exact)
            expect(short).toBeLessThanOrEqual(-exact)
          })
        }
      }),
    )
  })

  test('nor any book of random lots, and never by more than add-on and one micro-dollar a lot', () => {
    const anyLots = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
      minLength: 17,
      maxLength: 17,
    })
    fc.assert(
      fc.property(anyMarket, anyLots, (some, lots) => {
        const rows = buildTable(some, ALL, WORLDS)
        const book = rows.map((row, i) => ({
          row,
          q: row.id === 2 ? Math.abs(lots[i] ?? 0) : (lots[i] ?? 0),
        }))
        const size = book.reduce((sum, { q }) => sum + Math.abs(q), 0)
        const charged = book.reduce((sum, { row, q }) => sum + Math.abs(q) * Number(row.addOn), 0)
        WORLDS.forEach((world, s) => {
          if (s === 0) return
          const exact = book.reduce(
            (sum, { row, q }) =>
              sum + q * worldValue(specById.get(row.id) as ExposedSpec, some, world) * 1e6,
            0,
          )
          const counted = book.reduce(
            (sum, { row, q }) =>
              sum + BigInt(q) * (row.values[s] as bigint) - BigInt(Math.abs(q)) * row.addOn,
            0n,
          )
          expect(Number(counted)).toBeLessThanOrEqual(exact)
          expect(Number(counted)).toBeGreaterThanOrEqual(exact - charged - 2 * size)
        })
      }),
      { numRuns: 50 },
    )
  })

  test('so it is against rational arithmetic, where floating point has no say', () => {
    // An expired future is worth lot * spot; a scan range of 30 % makes the worlds whole tenths.
    const anyPrice = fc.integer({ min: 1, max: 10 ** 12 })
    const anyLot = fc.integer({ min: 1, max: 999 })
    const tenths = [10, 10, 10, 9, 11, 8, 12, 7, 7, 13, 13]
    fc.assert(
      fc.property(anyPrice, anyLot, (p, l) => {
        const lot = `0.${String(l).padStart(3, '0')}`
        const spot = p / 1e5
        const some: Market = {
          ...market,
          spot: { BTC: spot, ETH: spot },
          scanRange: { BTC: 0.3, ETH: 0.3 },
        }
        const row = buildTable(some, [{ ...anyFuture, lot, expiry: some.time }], WORLDS)[0]
        tenths.forEach((tenth, i) => {
          if (i === 0) return
          // In units of 1e-3 micro-dollars: 1e-5 * 1e-3 * 1e-1 dollars.
          const exact = BigInt(p) * BigInt(l) * BigInt(tenth)
          const value = (row?.values[i] as bigint) * 1000n
          expect(value - 2000n <= exact && -value - 2000n <= -exact).toBe(true)
        })
      }),
    )
  })
})

describe('what cannot be a table crashes', () => {
  const build = (change: Partial<Market>) => () =>
    buildTable({ ...market, ...change }, INSTRUMENTS, WORLDS)

  test('markets', () => {
    for (const bad of [0, -1, NaN, Infinity]) {
      expect(build({ spot: { BTC: bad, ETH: 100 } })).toThrow(/BTC spot/)
    }
    for (const bad of [-0.1, NaN, 100]) {
      expect(build({ vol: { BTC: 1, ETH: bad } })).toThrow(/ETH vol/)
    }
    for (const bad of [0, 1, NaN]) {
      expect(build({ scanRange: { BTC: bad, ETH: 0.3 } })).toThrow(/BTC scan range/)
    }
    expect(build({ liquidity: { BTC: NaN, ETH: 0 } })).toThrow(/BTC liquidity/)
    expect(build({ rate: NaN })).toThrow(/rate/)
    expect(build({ time: 0.5 })).toThrow(/time/)
  })

  test('values of 2^48 and more', () => {
    // The tail of +300 %, of which an 18th counts, is the highest world: 7/6 of the mark here.
    const top = (2 ** 48 / 1e6) * 100 * 0.85
    const some = (spot: number): Market => ({
      ...market,
      rate: 0,
      spot: { BTC: spot, ETH: 100 },
      scanRange: { BTC: 0.1, ETH: 0.1 },
    })
    expect(buildTable(some(top), [anyFuture], WORLDS)[0]?.values[12]).toBeLessThan(1n << 48n)
    expect(() => buildTable(some(top * 1.02), [anyFuture], WORLDS)).toThrow(/out of range/)
  })

  test('perpetuals whose funding is out of range or absent', () => {
    const perpetual = MORE[0] as InstrumentSpec
    const some = (funding: number): Market<string> => ({
      ...market,
      perpetuals: { 2100: { basis: 0, funding } },
    })
    const limit = (2 ** 48 / 1e6) * 100
    expect(() => buildTable(some(limit * 1.01), [perpetual], WORLDS)).toThrow(/out of range/)
    expect(buildTable(some(limit * 0.9), [perpetual], WORLDS)[0]?.values[0]).toBeLessThan(0n)
    expect(() => buildTable(some(NaN), [perpetual], WORLDS)).toThrow(/funding/)
    expect(() => buildTable(market, [perpetual], WORLDS)).toThrow(/no funding of perpetual 2100/)
  })

  test('instruments', () => {
    const build = (spec: InstrumentSpec) => () => buildTable(market, [spec], WORLDS)
    const call: InstrumentSpec = { ...anyFuture, kind: 'call', strike: 1n }
    for (const id of [0, 1, 2, 1023, 1024.5, 2 ** 28]) {
      expect(build({ ...anyFuture, id })).toThrow(/instrument/)
    }
    expect(build({ kind: 'token', id: 1024, name: 'T', underlying: 'ETH', lot: '1' })).toThrow(
      /below 1024/,
    )
    expect(build({ kind: 'cash', id: 3, name: 'C' })).toThrow(/cash/)
    for (const lot of ['', '0', '0.0', '-1', '1e3', '.5', 'x']) {
      expect(build({ ...anyFuture, lot })).toThrow(/lot/)
    }
    for (const expiry of [0, NaN, 1.5]) expect(build({ ...anyFuture, expiry })).toThrow(/expiry/)
    for (const strike of [0n, -1n, 1n << 53n]) expect(build({ ...call, strike })).toThrow(/strike/)
    expect(() => buildTable(market, [anyFuture, call], WORLDS)).toThrow(/twice/)
  })

  test('world lists', () => {
    expect(() => buildTable(market, INSTRUMENTS, WORLDS.slice(1))).toThrow(/worlds/)
    const swapped = [...WORLDS.slice(1), ...WORLDS.slice(0, 1)]
    expect(() => buildTable(market, INSTRUMENTS, swapped)).toThrow(/mark/)
  })
})

describe('what has expired and is not settled', () => {
  const expiry = 1_600_000_000
  const call: ExposedSpec = {
    ...{ kind: 'call', id: 2200, name: 'C', underlying: 'BTC', lot: '1' },
    strike: 10_000_000_000n,
    expiry,
  }
  const rowAt = (days: number, spot: number, scanRange = 0.18) => {
    const [row] = buildTable(
      {
        ...{ time: expiry + days * 86_400, rate: 0, spot: { BTC: spot }, vol: { BTC: 0.8 } },
        ...{ scanRange: { BTC: scanRange }, liquidity: { BTC: 0 } },
      },
      [call],
      WORLDS,
    )
    return row!.values.map(Number).map((micro) => micro / 1e6)
  }

  test('widens with the days since, from the third on', () => {
    // Worthless at its expiry; the market has risen by a half since.
    for (const days of [0, 1, 2]) expect(Math.min(...rowAt(days, 15_000))).toBeCloseTo(2_300, 5)
    for (const days of [8, 30, 1000]) expect(Math.min(...rowAt(days, 15_000))).toBe(0)
    // The mark does not move, nor does what nobody waits for.
    expect(rowAt(30, 15_000)[0]).toBe(5_000)
    expect(Math.max(...rowAt(8, 9_000))).toBeCloseTo(9_000 * 1.36 - 10_000, 5)
  })

  test('and is finite however wide and long', () => {
    for (const days of [3, 1e3, 1e5])
      for (const range of [0.01, 0.9, 0.99]) {
        const values = rowAt(days, 15_000, range)
        expect(values.every((value) => Number.isFinite(value) && value >= 0)).toBe(true)
        expect(Math.min(...values)).toBeLessThanOrEqual(Math.min(...rowAt(0, 15_000, range)))
      }
  })
})
