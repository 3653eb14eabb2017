/** Funding of a perpetual: the clamp at its edge, symmetry, and that it moves worth and makes none. */
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { tableOf, worthOf } from '../../circuits/table.ts'
import {
  INSTRUMENTS,
  marketAt,
  PERPETUAL_ID,
  perpetualOf,
  perpetualQuoteAt,
} from '../../oracle/day-2020-03-12.ts'
import { cumulativeFunding, FUNDING_TERMS, fundingOf } from '../../oracle/funding.ts'
import { rowsOf } from '../../oracle/liquidation.ts'
import { WORLDS } from '../../oracle/worlds.ts'

const { interval, tick } = FUNDING_TERMS
/** A price at which the cap of 75 basis points is a whole number of dollars. */
const INDEX = 8_000_000_000n
const CAP = 60_000_000n
const over = (premium: bigint, seconds = interval) =>
  fundingOf({ price: INDEX + premium, index: INDEX, seconds }, FUNDING_TERMS)

describe('the clamp', () => {
  test.each([
    [0n, 0n],
    [tick, tick],
    [CAP - tick, CAP - tick],
    [CAP, CAP],
    [CAP + tick, CAP],
    [CAP * 20n, CAP],
  ])('a premium of %s costs %s an interval, and the opposite its opposite', (premium, funding) => {
    expect(over(premium)).toBe(funding)
    expect(over(-premium)).toBe(-funding)
  })

  test.each([
    [0n, 0n],
    [1n, 2_000n],
    [interval / 2n, CAP / 2n],
    [interval, CAP],
    [interval + 1n, CAP],
    [interval * 100n, CAP],
  ])(
    '%s seconds at the cap cost %s: a late table no more than one interval',
    (seconds, funding) => {
      expect(over(2n * CAP, seconds)).toBe(funding)
      expect(over(-2n * CAP, seconds)).toBe(-funding)
    },
  )

  test('rounds towards zero to whole ticks: less than a tick is nothing, either way', () => {
    expect([over(tick - 1n), over(1n - tick), over(tick), over(2n * tick - 1n)]).toEqual([
      0n,
      0n,
      tick,
      tick,
    ])
  })

  test('refuses what is no price, and time that goes back', () => {
    const terms = FUNDING_TERMS
    expect(() => fundingOf({ price: 0n, index: INDEX, seconds: 1n }, terms)).toThrow(/price/)
    expect(() => fundingOf({ price: 1n, index: 0n, seconds: 1n }, terms)).toThrow(/price/)
    expect(() => fundingOf({ price: 1n, index: 1n, seconds: -1n }, terms)).toThrow(/time/)
  })

  test('is of each interval: one that was clamped does not catch up later', () => {
    const wild = { price: INDEX + 10n * CAP, index: INDEX, seconds: interval }
    const calm = { ...wild, price: INDEX }
    expect(cumulativeFunding([wild, calm, calm], FUNDING_TERMS)).toBe(CAP)
  })

  test('never passes the cap, whatever the prices', () => {
    const amount = fc.bigInt({ min: 1n, max: 10n ** 13n })
    fc.assert(
      fc.property(
        amount,
        amount,
        fc.bigInt({ min: 0n, max: 10n ** 6n }),
        (price, index, seconds) => {
          const funding = fundingOf({ price, index, seconds }, FUNDING_TERMS)
          const size = funding < 0n ? -funding : funding
          expect(size * 10_000n).toBeLessThanOrEqual(index * 75n)
          expect(funding % tick).toBe(0n)
          // Never against the side of the premium.
          expect(funding * (price - index)).toBeGreaterThanOrEqual(0n)
        },
      ),
    )
  })
})

describe('the recorded day', () => {
  const quoteAt = (step: number) => perpetualQuoteAt(marketAt(step).time)

  test('begins without funding; longs pay over the first candle, shorts through the crash', () => {
    const funding = [0, 1, 2, 3, 4, 5].map((step) => quoteAt(step).funding)
    expect(funding[0]).toBe(0n)
    expect(funding[1]).toBeGreaterThan(0n)
    for (const step of [2, 3, 4, 5]) expect(funding[step]).toBeLessThan(funding[step - 1]!)
    // The premium of -1.5 % at noon is clamped: half an interval costs half of 75 basis points.
    const spot = BigInt(Math.round(marketAt(2).spot.BTC * 1e6))
    const capped = (spot * 75n) / 10_000n / 2n
    expect(funding[1]! - funding[2]!).toBe(capped - (capped % tick))
    expect(() => perpetualQuoteAt(marketAt(0).time - 1)).toThrow(/not listed/)
  })

  test('moves the mark and nothing else: -q dF for a long, +q dF for a short, zero in sum', () => {
    const market = marketAt(1)
    const { basis, funding } = quoteAt(1)
    const rowsAt = (shift: bigint) => {
      const perpetuals = {
        [PERPETUAL_ID]: perpetualOf({ basis, funding: funding + shift }),
      }
      const table = tableOf(rowsOf({ ...market, perpetuals }, INSTRUMENTS, WORLDS))
      return new Map(table.rows.map((row) => [row.id, row]))
    }
    const worth = (q: bigint, rows: ReturnType<typeof rowsAt>) => {
      const balances = [{ id: PERPETUAL_ID, quantity: q }]
      const found = worthOf({ cash: 0n, balances }, (id) => rows.get(id))
      return (found as readonly bigint[])[0]!
    }
    // 0.01 a lot: ten ticks a unit are ten micro-dollars a lot.
    const dF = 10n
    const [before, after] = [rowsAt(0n), rowsAt(10n * tick)]
    for (const q of [1n, 7n, 600n, 10n ** 9n]) {
      const long = worth(q, after) - worth(q, before)
      const short = worth(-q, after) - worth(-q, before)
      expect([long, short, long + short]).toEqual([-q * dF, q * dF, 0n])
    }
    // No other row moved.
    for (const [id, row] of before) if (id !== PERPETUAL_ID) expect(after.get(id)).toEqual(row)
  })

  test('trading at price less funding is trading at the mark: nobody pays what was before', () => {
    for (const step of [0, 1, 2, 5]) {
      const market = marketAt(step)
      const { basis, funding } = quoteAt(step)
      const quoted = BigInt(Math.round(market.spot.BTC * (1 + basis) * 0.01 * 1e6))
      const rows = rowsOf(market, INSTRUMENTS, WORLDS)
      expect(rows.find(({ id }) => id === PERPETUAL_ID)?.values[0]).toBe(quoted - funding / 100n)
    }
  })
})
