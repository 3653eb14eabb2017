/** Margin in words: the same integers as the law, as TypeScript has them, and what they say. */

import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import type { Balance } from '../../circuits/account.ts'
import { SLOT_COUNT, WORLD_COUNT } from '../../circuits/params.ts'
import {
  rowLookup,
  settledRow,
  settlementsOf,
  tableOf,
  worthOf,
  type Row,
} from '../../circuits/table.ts'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import type { FutureSpec } from '../../oracle/instruments.ts'
import { liquidationDistance, marginAfter, rowsOf, type Model } from '../../oracle/liquidation.ts'
import {
  maintenanceWorth,
  marginOf,
  UnlistedInstrument,
  whatIf,
  type Holdings,
} from '../../oracle/margin.ts'
import { WORLDS } from '../../oracle/worlds.ts'

const tables = [0, 2, 5].map((step) => rowsOf(marketAt(step), INSTRUMENTS, WORLDS))
const lookup = (rows: readonly Row[], settled: readonly Row[] = []) =>
  rowLookup(tableOf(rows), settlementsOf(settled))
const ids = INSTRUMENTS.map(({ id }) => id).filter((id) => id !== 1)

const anyLots = fc.oneof(
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: -(1n << 55n), max: (1n << 55n) - 1n }),
)
const anyBalances: fc.Arbitrary<readonly Balance[]> = fc
  .tuple(fc.subarray(ids), fc.array(anyLots, { minLength: 17, maxLength: 17 }))
  .map(([held, lots]) =>
    [...held]
      .sort((a, b) => a - b)
      .map((id, i) => ({ id, quantity: id === 2 ? abs(lots[i] as bigint) : (lots[i] as bigint) }))
      .filter(({ quantity }) => quantity !== 0n),
  )
const anyHoldings: fc.Arbitrary<Holdings> = fc.record({
  cash: fc.oneof(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 12n }), anyLots),
  balances: anyBalances,
})
const anyTable = fc.constantFrom(...tables)
const abs = (value: bigint): bigint => (value < 0n ? -value : value)
const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
const min = (values: readonly bigint[]): bigint => values.reduce((a, b) => (b < a ? b : a))

describe('margin', () => {
  test("worth per world is the law's, on random books", () => {
    fc.assert(
      fc.property(anyHoldings, anyTable, (account, rows) => {
        const rowOf = lookup(rows, [settledRow(1024, 123n)])
        expect(marginOf(account, rowOf).worth).toEqual(worthOf(account, rowOf))
      }),
    )
  })

  test('equity less requirement is the lowest worth; the parts of the positions add up', () => {
    fc.assert(
      fc.property(anyHoldings, anyTable, (account, rows) => {
        const margin = marginOf(account, lookup(rows))
        expect(margin.equity).toBe(margin.worth[0])
        expect(margin.excess).toBe(min(margin.worth))
        expect(margin.worth[margin.worst]).toBe(margin.excess)
        expect(margin.equity - margin.initial).toBe(margin.excess)
        expect(sum(margin.positions.map((p) => p.contribution))).toBe(margin.initial)
        for (let s = 0; s < WORLD_COUNT; s++)
          expect(account.cash + sum(margin.positions.map((p) => p.worth[s] as bigint))).toBe(
            margin.worth[s],
          )
        expect(margin.initial).toBeGreaterThanOrEqual(margin.maintenance)
        expect(margin.maintenance).toBeGreaterThanOrEqual(0n)
      }),
    )
  })

  test('maintenance is four fifths of the distance, rounded against the holder, not of the last world', () => {
    const worth = Array.from({ length: WORLD_COUNT }, () => 100n)
    worth[3] = 99n
    worth[4] = 107n
    worth[5] = -400n
    worth[WORLD_COUNT - 1] = 20n
    const kept = maintenanceWorth(worth)
    expect(kept[0]).toBe(100n)
    // 100 - 0.8, 100 + 5.6, 100 - 400, and the variation world as it is.
    expect([kept[3], kept[4], kept[5], kept[WORLD_COUNT - 1]]).toEqual([99n, 105n, -300n, 20n])
    fc.assert(
      fc.property(fc.array(anyLots, { minLength: 16, maxLength: 16 }), (some) => {
        const scaled = maintenanceWorth(some)
        const [mark] = some as [bigint]
        some.slice(1, -1).forEach((w, i) => {
          const fifths = 4n * w + mark
          const error = fifths - 5n * (scaled[i + 1] as bigint)
          expect(error >= 0n && error < 5n).toBe(true)
        })
      }),
    )
  })

  test("of a future in numbers: 6067.01 * e^(rt) a bitcoin, the whole range, a tenth of a lot's cost", () => {
    const [, rows] = tables as [unknown, readonly Row[]]
    const row = rows.find(({ id }) => id === 1025) as Row
    const account = { cash: 1_000_000_000n, balances: [{ id: 1025, quantity: 10n }] }
    const { equity, initial, worst, positions } = marginOf(account, lookup(rows))
    expect(equity).toBe(1_000_000_000n + 10n * (row.values[0] as bigint))
    expect(WORLDS[worst]?.name).toBe('down 3/3, vol up')
    expect(initial).toBe(
      10n * ((row.values[0] as bigint) - (row.values[worst] as bigint) + row.addOn),
    )
    expect(positions[0]?.contribution).toBe(initial)
  })

  test('a hedge contributes less than nothing', () => {
    const rows = tables[1] as readonly Row[]
    const account = {
      cash: 0n,
      balances: [
        { id: 1025, quantity: 100n },
        { id: 1026, quantity: -60n },
      ],
    }
    const [long, short] = marginOf(account, lookup(rows)).positions
    expect(long?.contribution).toBeGreaterThan(0n)
    expect(short?.contribution).toBeLessThan(0n)
  })

  test('collateral in tokens bears its haircut in the stress worlds and counts nothing in the last', () => {
    const rows = tables[0] as readonly Row[]
    const account = { cash: 0n, balances: [{ id: 2, quantity: 1000n }] }
    const { worth } = marginOf(account, lookup(rows))
    const spot = marketAt(0).spot.ETH
    expect(Number(worth[0])).toBeCloseTo(spot * 1e6, -3)
    // Worlds 1 and 2 leave prices where they are.
    expect(Number(worth[1]) / Number(worth[0])).toBeCloseTo(0.95 - 0.001, 3)
    expect(worth[WORLD_COUNT - 1]).toBe(0n)
  })

  test('what stands in no row has no margin', () => {
    const account = { cash: 0n, balances: [{ id: 4321, quantity: 1n }] }
    expect(() => marginOf(account, lookup(tables[0] as readonly Row[]))).toThrow(UnlistedInstrument)
  })
})

describe('what if', () => {
  const rows = tables[1] as readonly Row[]
  const rowOf = lookup(rows)
  const mark = (id: number): bigint => rowOf(id)?.values[0] as bigint

  test('an affordable trade: the account after it, the fee paid, the integers of the law', () => {
    const account = { cash: 500_000_000n, balances: [] }
    const leg = { instrument: 1025, quantity: 10n, price: mark(1025) }
    const result = whatIf(account, [leg], 100n, rowOf)
    expect(result.refusedBy).toBeNull()
    expect(result.account).toEqual({
      cash: 500_000_000n - 10n * leg.price - 100n,
      balances: [{ id: 1025, quantity: 10n }],
    })
    expect(result.difference).toEqual(worthOf(result.account, rowOf))
    expect(result.after.equity).toBe(500_000_000n - 100n)
    expect(result.before.initial).toBe(0n)
  })

  test('the last lot that fits fits, and the next does not', () => {
    const account = { cash: 500_000_000n, balances: [] }
    const refused = (lots: bigint) =>
      whatIf(account, [{ instrument: 1025, quantity: lots, price: mark(1025) }], 100n, rowOf)
        .refusedBy
    let lots = 1n
    while (refused(lots) === null) lots++
    expect(lots).toBeGreaterThan(5n)
    expect(refused(lots)).toBe('AccountMustBeSolvent')
    expect(refused(lots - 1n)).toBeNull()
  })

  test('under water, less risk is a rescue without fee, more is refused', () => {
    const account = { cash: -10n * mark(1025), balances: [{ id: 1025, quantity: 10n }] }
    const step = (quantity: bigint) =>
      whatIf(account, [{ instrument: 1025, quantity, price: mark(1025) }], 100n, rowOf)
    expect(step(-10n)).toMatchObject({ refusedBy: null, isRescue: true, account: { cash: 0n } })
    expect(step(-3n)).toMatchObject({ refusedBy: null, isRescue: true })
    expect(step(1n)).toMatchObject({ refusedBy: 'AccountMustBeSolvent', isRescue: false })
  })

  test('a token that is not held, and one holding too many', () => {
    const sell = [{ instrument: 2, quantity: -1n, price: 0n }]
    expect(whatIf({ cash: 10n ** 9n, balances: [] }, sell, 0n, rowOf).refusedBy).toBe(
      'TokenMustNotBeNegative',
    )
    const many: Row[] = Array.from({ length: SLOT_COUNT }, (_, i) => ({
      ...(rows[5] as Row),
      id: 3000 + i,
    }))
    const balances = many.slice(1).map(({ id }) => ({ id, quantity: 1n }))
    const full = whatIf({ cash: 10n ** 12n, balances }, [], 0n, lookup(many))
    expect(full.refusedBy).toBeNull()
    const more = whatIf(
      { cash: 10n ** 12n, balances },
      [{ instrument: 3000, quantity: 1n, price: 1n }],
      0n,
      lookup(many),
    )
    expect(more.refusedBy).toBe('BalancesMustBeWellFormed')
    const most = (1n << 55n) - 1n
    const rich = { cash: 0n, balances: [{ id: 1025, quantity: most }] }
    const one = [{ instrument: 1025, quantity: 1n, price: 0n }]
    expect(whatIf(rich, one, 0n, rowOf).refusedBy).toBe('BalancesMustBeWellFormed')
    expect(whatIf(rich, [], 0n, rowOf).refusedBy).toBeNull()
  })
})

describe('liquidation distance', () => {
  const market = { ...marketAt(0), liquidity: { BTC: 0, ETH: 0 } }
  const spec: FutureSpec = {
    kind: 'future',
    id: 1025,
    name: 'F',
    underlying: 'BTC',
    lot: '0.01',
    expiry: market.time,
  }
  const model: Model = { market, instruments: [spec], worlds: WORLDS }
  const spot = market.spot.BTC
  const range = market.scanRange.BTC

  test('of a long and a short future is where equity meets four fifths of the range', () => {
    // cash + q S (1 + x) = q S (1 + x) 0.8 range, for 100 lots of a hundredth.
    const debt = 0.5 * spot
    const long = { cash: -BigInt(Math.round(debt * 1e6)), balances: [{ id: 1025, quantity: 100n }] }
    const { down, up } = liquidationDistance(long, model, 'BTC')
    expect(down).toBeCloseTo(0.5 / (1 - 0.8 * range) - 1, 5)
    expect(up).toBeNull()
    const short = {
      cash: BigInt(Math.round(1.5 * spot * 1e6)),
      balances: [{ id: 1025, quantity: -100n }],
    }
    const other = liquidationDistance(short, model, 'BTC')
    expect(other.up).toBeCloseTo(1.5 / (1 + 0.8 * range) - 1, 5)
    expect(other.down).toBeNull()
    expect(marginAfter(short, model, 'BTC', other.up as number)).toBeLessThan(0n)
    expect(marginAfter(short, model, 'BTC', (other.up as number) - 1e-6)).toBeGreaterThanOrEqual(0n)
  })

  test('is none for cash, and none left for an account that is below already', () => {
    expect(liquidationDistance({ cash: 1n, balances: [] }, model, 'BTC')).toEqual({
      down: null,
      up: null,
    })
    const broke = { cash: 0n, balances: [{ id: 1025, quantity: -1n }] }
    expect(liquidationDistance(broke, model, 'BTC')).toEqual({ down: 0, up: 0 })
  })

  test('ends where a lot is worth more than a row can carry, and names no distance there', () => {
    // 2^48 micro-dollars are 281 million: 20,000 bitcoin a lot come to that at a rise to threefold.
    const wide = { ...spec, lot: '20000' }
    const large: Model = { ...model, instruments: [wide] }
    const account = { cash: 10n ** 15n, balances: [{ id: 1025, quantity: 1n }] }
    expect(() => marginAfter(account, large, 'BTC', 8)).toThrow(/out of range/)
    expect(liquidationDistance(account, large, 'BTC')).toEqual({ down: null, up: null })
    // What breaks before is found as ever; and where there is no table now, that is said.
    const cash = BigInt(Math.round(1.5 * 20_000 * spot)) * 1_000_000n
    const short = { cash, balances: [{ id: 1025, quantity: -1n }] }
    expect(liquidationDistance(short, large, 'BTC').up).toBeCloseTo(1.5 / (1 + 0.8 * range) - 1, 4)
    const immense: Model = { ...model, instruments: [{ ...spec, lot: '200000' }] }
    expect(() => liquidationDistance(account, immense, 'BTC')).toThrow(/out of range/)
  })

  test('of a book that breaks and recovers is the nearer of the two roots, on both sides', () => {
    // Sold: what pays within 20 to 30 % below, and above, of spot, and nowhere else.
    const digitals = [0.7, 0.8, 1.2, 1.3].map((ratio, i) => ({
      ...spec,
      ...({ kind: 'digital', side: 'call', id: 2000 + i, multiplier: '100' } as const),
      strike: BigInt(Math.round(spot * ratio * 1e6)),
    }))
    const narrow = { ...market, scanRange: { BTC: 0.01, ETH: 0.01 } }
    const banded: Model = { market: narrow, instruments: digitals, worlds: WORLDS }
    const signs = [-1n, 1n, -1n, 1n]
    const balances = digitals.map(({ id }, i) => ({ id, quantity: signs[i]! * 100n }))
    // The tails count a part of what they would pay: there is room for that, and not for the band.
    const cash = 60_000_000n
    const at = (move: number) => marginAfter({ cash, balances }, banded, 'BTC', move)
    const { down, up } = liquidationDistance({ cash, balances }, banded, 'BTC')
    expect(at(0)).toBeGreaterThanOrEqual(0n)
    for (const root of [down!, up!]) {
      expect(at(root)).toBeLessThan(0n)
      expect(at(root * (1 - 1e-9))).toBeGreaterThanOrEqual(0n)
      expect(Math.abs(root)).toBeLessThan(0.21)
      // Beyond the band it holds again: that is the other root.
      expect(at(root * 1.8)).toBeGreaterThanOrEqual(0n)
    }
  })

  test('another underlying moves nothing', () => {
    const long = { cash: 10n ** 9n, balances: [{ id: 1025, quantity: 1n }] }
    expect(liquidationDistance(long, model, 'ETH')).toEqual({ down: null, up: null })
    expect(() => liquidationDistance(long, model, 'XRP')).toThrow(/no spot of XRP/)
  })
})
