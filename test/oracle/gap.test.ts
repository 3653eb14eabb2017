/** Books made to gain in every world and lose between them, and the charge that answers them. */

import { describe, expect, test } from 'vitest'
import { gapCharge, GAP_SHARE } from '../../oracle/gap.ts'
import type { ExposedSpec } from '../../oracle/instruments.ts'
import { valuesOf, type Holding } from '../../oracle/published/our-worlds.ts'
import { WORLDS, worldSet, type World, type WorldSet } from '../../oracle/worlds.ts'
import { MARKET, TIME } from '../bench/random-books.ts'

const DAY = 86_400
const base = { underlying: 'BTC', lot: '1' } as const
type Leg = readonly [lots: number, kind: 'call' | 'put' | 'future', strike: number, days: number]

function bookOf(legs: readonly Leg[]): readonly Holding[] {
  return legs.map(([quantity, kind, strike, days], i) => {
    const dated = { ...base, id: 1024 + i, name: `L${i}`, expiry: TIME + days * DAY }
    const spec: ExposedSpec =
      kind === 'future'
        ? { ...dated, kind }
        : { ...dated, kind, strike: BigInt(strike) * 1_000_000n }
    return { quantity, spec }
  })
}

/** Found by linear programming at a cost of closing out of 5 basis points and no charge for gaps. */
const CRAFTED: readonly Leg[] = [
  [100, 'put', 57_000, 1],
  [100, 'call', 60_000, 1],
  [-100, 'call', 63_000, 1],
  [100, 'call', 66_000, 1],
  [100, 'call', 69_000, 1],
  [17, 'put', 54_000, 3],
  [-98, 'call', 60_000, 3],
  [-60.5, 'call', 63_000, 3],
  [100, 'call', 66_000, 3],
  [100, 'call', 69_000, 3],
  [100, 'call', 72_000, 3],
  [22.6, 'future', 0, 30],
]
/** The worst that linear programming finds with the charge: it loses a fifth more than it pays for. */
const SHARPEST: readonly Leg[] = [
  [100, 'call', 63_000, 1],
  [-19.8, 'future', 0, 30],
]

const dense: WorldSet = {
  ...worldSet('standard-32'),
  worlds: [
    { kind: 'mark', name: 'mark' },
    ...Array.from({ length: 49 }, (_, i) =>
      [-0.5, 0, 0.5].map((vol): World => ({
        kind: 'scan',
        name: `${i} ${vol}`,
        scan: i / 8 - 3,
        move: 0,
        vol,
        skew: 0,
        twist: 0,
        rate: 0,
        weight: 1,
      })),
    ).flat(),
  ],
}
const lossOf = (holdings: readonly Holding[], set: WorldSet): number => {
  const values = valuesOf({ market: MARKET, holdings }, set)
  return (values[0] as number) - Math.min(...values)
}
const closeOut = (holdings: readonly Holding[]): number =>
  holdings.reduce((sum, { quantity }) => sum + Math.abs(quantity) * 60_000 * 0.0005, 0)
const gaps = (holdings: readonly Holding[], set: WorldSet): number =>
  holdings.reduce(
    (sum, { quantity, spec }) => sum + Math.abs(quantity) * gapCharge(spec, MARKET, set.worlds),
    0,
  )

describe.each([
  ['standard-16', 1.35],
  ['standard-32', 1.35],
] as const)('%s', (name, bound) => {
  const set = worldSet(name)
  const initial = (holdings: readonly Holding[]): number =>
    lossOf(holdings, set) + closeOut(holdings) + gaps(holdings, set)

  test.each([
    ['crafted', CRAFTED],
    ['sharpest', SHARPEST],
  ] as const)(
    'the %s book loses no more than its bound times its requirement at any price and volatility',
    (_what, legs) => {
      const holdings = bookOf(legs)
      expect(lossOf(holdings, dense)).toBeLessThan(bound * initial(holdings))
    },
  )

  test('single options and futures are covered whole', () => {
    for (const legs of [
      [[1, 'call', 60_000, 7]],
      [[-1, 'put', 54_000, 7]],
      [[-1, 'future', 0, 7]],
    ] as const) {
      const holdings = bookOf(legs as readonly Leg[])
      expect(initial(holdings)).toBeGreaterThanOrEqual(lossOf(holdings, dense))
    }
  })
})

test('without the charge the crafted book gains in each of sixteen worlds, and loses 163,000 between', () => {
  const holdings = bookOf(CRAFTED)
  expect(lossOf(holdings, worldSet('standard-16'))).toBe(0)
  expect(lossOf(holdings, dense)).toBeGreaterThan(160_000)
  // The charge alone is more than that.
  expect(gaps(holdings, worldSet('standard-16'))).toBeGreaterThan(lossOf(holdings, dense))
})

describe('the charge', () => {
  const charge = (
    kind: Leg[1],
    strike: number,
    days: number,
    worlds: readonly World[] = WORLDS,
  ): number =>
    gapCharge((bookOf([[1, kind, strike, days]])[0] as Holding).spec, MARKET, worlds) / 60_000

  test('is nothing for straight lines', () => {
    expect(charge('future', 0, 30)).toBe(0)
    const token: ExposedSpec = { ...base, id: 5, name: 'T', kind: 'token', haircut: '0.2' }
    const perpetual: ExposedSpec = { ...base, id: 1024, name: 'P', kind: 'perpetual' }
    expect(gapCharge(token, MARKET, WORLDS)).toBe(0)
    expect(gapCharge(perpetual, MARKET, WORLDS)).toBe(0)
  })

  test('is largest where the payoff bends within the range, and small far from it', () => {
    expect(charge('call', 55_000, 1)).toBeGreaterThan(0.005)
    expect(charge('call', 60_000, 30)).toBeGreaterThan(0.002)
    expect(charge('call', 60_000, 30)).toBeLessThan(0.006)
    expect(charge('call', 200_000, 1)).toBeLessThan(1e-6)
    expect(charge('put', 10_000, 1)).toBeLessThan(1e-6)
  })

  test('is the same for a call and a put of one strike: they differ by a straight line', () => {
    for (const strike of [50_000, 60_000, 66_000])
      expect(charge('call', strike, 14)).toBeCloseTo(charge('put', strike, 14), 10)
  })

  test('of thirty-two worlds is less than of sixteen', () => {
    for (const [strike, days] of [
      [54_000, 3],
      [60_000, 30],
      [66_000, 180],
    ] as const)
      expect(charge('call', strike, days, worldSet('standard-32').worlds)).toBeLessThan(
        charge('call', strike, days) * 0.9,
      )
  })

  test('is a share of the distance, and none where a set has no two volatilities', () => {
    expect(GAP_SHARE).toBe(0.5)
    expect(charge('call', 60_000, 30, WORLDS.slice(0, 2))).toBe(0)
  })
})
