/** The arithmetic of funding from quotes: clamps at their edges, averages with holes, the base. */
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { INSTRUMENTS, PERPETUAL_ID } from '../../oracle/day-2020-03-12.ts'
import { FUNDING_TERMS, tickOf } from '../../oracle/funding.ts'
import {
  accruedStates,
  coveredAverage,
  givenOf,
  intervalEnd,
  premiumOf,
  withFunding,
  type FundingBase,
} from '../../oracle/signer/accrual.ts'
import { decimalOf, scaledOf } from '../../oracle/signer/decimal.ts'
import type { MarketDocument, PerpetualState } from '../../oracle/signer/market-document.ts'
import { marketDocument } from '../contracts/oracle-market.ts'

const INTERVAL = Number(FUNDING_TERMS.interval)
const END = 1_584_000_000 - (1_584_000_000 % INTERVAL)
const SPOT = 8_000_000_000n
/** Three quarters of a percent, where the clamp of an interval lies. */
const CAP = 7_500_000n
const state = (premium: string | null, base = 7): PerpetualState => ({
  id: PERPETUAL_ID,
  basis: '0',
  funding: '0',
  accrual: { base, premium },
})
const marketAt = (time: number, perpetuals: readonly PerpetualState[] = []): MarketDocument => ({
  ...marketDocument(time, SPOT),
  perpetuals,
})
const baseAt = (time: number, funding = '0'): FundingBase => ({
  number: 7,
  market: marketAt(time, [{ ...state(null), funding }]),
})

describe('the premium of a quote', () => {
  test.each([
    [100n, 100n, 0n],
    [101n, 100n, 10_000_000n],
    [105n, 100n, 50_000_000n],
    [10_500_001n, 10_000_000n, 50_000_000n],
    [10_499_999n, 10_000_000n, 49_999_900n],
    [95n, 100n, -50_000_000n],
    [9_499_999n, 10_000_000n, -50_000_000n],
    [1n, 10n ** 12n, -50_000_000n],
  ])('of %s over %s is %s billionths, five percent at most', (price, index, premium) =>
    expect(premiumOf(price, index, 500)).toBe(premium),
  )
})

describe('the average of an interval', () => {
  const at = (time: number, price: bigint) => ({ time, price })
  test('is that of the step function, rounded towards zero', () => {
    const steps = [at(0, 10n), at(50, 20n)]
    expect(coveredAverage(steps, 0, 100, 100)).toBe(15n)
    expect(coveredAverage([at(-30, 10n), at(25, 21n)], 0, 100, 100)).toBe(18n)
    expect(coveredAverage([at(-30, -10n), at(25, -21n)], 0, 100, 100)).toBe(-18n)
  })
  test('leaves out what nobody saw, while three quarters are known', () => {
    // Each sample lasts for 25 s.
    expect(coveredAverage([at(0, 8n), at(25, 8n), at(50, 8n)], 0, 100, 25)).toBe(8n)
    expect(coveredAverage([at(0, 8n), at(25, 8n), at(51, 8n)], 0, 100, 24)).toBe(null)
    expect(coveredAverage([at(0, 8n), at(25, 8n)], 0, 100, 25)).toBe(null)
    expect(coveredAverage([], 0, 100, 25)).toBe(null)
    expect(coveredAverage([at(-26, 8n)], 0, 100, 25)).toBe(null)
    expect(coveredAverage([at(100, 8n), at(130, 8n)], 0, 100, 25)).toBe(null)
  })
  test('never leaves the range of what was seen', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: 99 }),
            fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }),
          ),
          { minLength: 1, maxLength: 20 },
        ),
        (given) => {
          const samples = [...new Map(given)]
            .sort((a, b) => a[0] - b[0])
            .map(([time, price]) => ({ time, price }))
          const average = coveredAverage(samples, 0, 100, 100)
          if (average === null) return
          const prices = samples.map(({ price }) => price)
          expect(
            prices.some((price) => price <= average) && prices.some((price) => price >= average),
          ).toBe(true)
        },
      ),
    )
  })
})

describe('the funding that follows', () => {
  const after = (premium: string | null, time = END, base: FundingBase | null = baseAt(END - 60)) =>
    withFunding(state(premium), givenOf(marketAt(time), base, INSTRUMENTS)).funding
  test.each([
    ['0', '0'],
    ['0.001', '8'],
    ['-0.001', '-8'],
    ['0.007499999', '59.9999'],
    ['0.0075', '60'],
    ['0.007500001', '60'],
    ['-0.0075', '-60'],
    ['-0.007500001', '-60'],
    ['0.05', '60'],
    // Less than a tick of a hundredth of a cent is nothing.
    ['0.000000012', '0'],
    ['0.000000013', '0.0001'],
  ])('a premium of %s costs %s dollars', (premium, funding) => expect(after(premium)).toBe(funding))
  test('begins at the first table of an interval, not a second earlier', () => {
    expect(() => after('0.001', END - 1)).toThrow(/no funding in this table/)
    expect(after('0.001', END)).toBe('8')
    expect(after('0.001', END + INTERVAL - 1)).toBe('8')
    expect(() => after('0.001', END + 5, baseAt(END))).toThrow(/no funding in this table/)
    expect(intervalEnd(END)).toBe(END)
    expect(intervalEnd(END - 1)).toBe(END - INTERVAL)
  })
  test('is nothing for what was not listed, or is halted, or without a base', () => {
    expect(() => after('0.001', END, null)).toThrow(/no funding/)
    expect(() => after('0.001', END, { number: 7, market: marketAt(END - 60) })).toThrow(
      /no funding/,
    )
    const halted = { ...marketAt(END), halted: [PERPETUAL_ID] }
    expect(() =>
      withFunding(state('0.001'), givenOf(halted, baseAt(END - 60), INSTRUMENTS)),
    ).toThrow(/no funding/)
    expect(after(null, END, null)).toBe('0')
    expect(after(null, END, baseAt(END - 60, '-12.5'))).toBe('-12.5')
    expect(after('0.001', END, baseAt(END - 60, '-12.5'))).toBe('-4.5')
  })
  test('a signer that knows no quotes says so, and charges nothing', () => {
    const given = { ...givenOf(marketAt(END), baseAt(END - 60, '3'), INSTRUMENTS), maxGap: 120 }
    const [one] = accruedStates([{ id: PERPETUAL_ID, premium: CAP, samples: [] }], given)
    expect(one).toEqual({
      id: PERPETUAL_ID,
      basis: '0.0075',
      funding: '3',
      accrual: { base: 7, premium: null },
    })
  })
})

test.each([
  ['0.01', '1', 100n],
  ['1', '1', 1n],
  ['0.5', '1', 2n],
  ['0.001', '10', 100n],
  ['0.02', '1', 50n],
  ['100', '0.01', 1n],
])('lots of %s times %s pay whole micro-dollars at ticks of %s', (lot, multiplier, tick) =>
  expect(tickOf({ lot, multiplier })).toBe(tick),
)

test('decimals of any number of digits read back', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 13n) + 1n, max: 10n ** 13n - 1n }),
      fc.integer({ min: 0, max: 9 }),
      (value, digits) => scaledOf(decimalOf(value, digits), digits, 'd') === value,
    ),
  )
  expect(() => scaledOf('0.001', 2, 'd')).toThrow(/at most 2/)
})
