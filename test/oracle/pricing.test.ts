/** Greeks against finite differences and textbooks, Black-Scholes, digitals, the volatility grid. */

import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { blackScholes, blackScholesGreeks } from '../../oracle/black-scholes.ts'
import { black76, digital76, type Black76Input } from '../../oracle/black76.ts'
import {
  black76Greeks,
  digital76Greeks,
  greeksByDifference,
  greeksPerLot,
  type Greeks,
} from '../../oracle/greeks.ts'
import { normalPdf, pow } from '../../oracle/elementary.ts'
import { unitsOf, type ExposedSpec } from '../../oracle/instruments.ts'
import { marketAt } from '../../oracle/day-2020-03-12.ts'
import { checkVolGrid, volOnGrid, type VolGrid } from '../../oracle/vol-grid.ts'

const side = fc.constantFrom('call' as const, 'put' as const)

describe('textbooks', () => {
  test('Hull, "Options, Futures and Other Derivatives", the stock at 42: 4.76 and 0.81', () => {
    const input = { spot: 42, strike: 40, vol: 0.2, years: 0.5, rate: 0.1, dividend: 0 }
    expect(blackScholes({ ...input, side: 'call' })).toBeCloseTo(4.76, 2)
    expect(blackScholes({ ...input, side: 'put' })).toBeCloseTo(0.81, 2)
  })

  test('Hull, the Greek letters of a call at 49: 2.40, 0.522, 0.066, 12.1, -4.31', () => {
    const input = {
      side: 'call',
      spot: 49,
      strike: 50,
      vol: 0.2,
      years: 20 / 52,
      rate: 0.05,
      dividend: 0,
    } as const
    expect(blackScholes(input)).toBeCloseTo(2.4, 2)
    const { delta, gamma, vega, theta } = blackScholesGreeks(input)
    expect(delta).toBeCloseTo(0.522, 3)
    expect(gamma).toBeCloseTo(0.066, 3)
    expect(vega).toBeCloseTo(12.1, 1)
    expect(theta).toBeCloseTo(-4.31, 2)
  })

  test('Haug, "Option Pricing Formulas", 1.1.2, a put on an index with a yield: 2.4648', () => {
    const price = blackScholes({
      side: 'put',
      spot: 100,
      strike: 95,
      vol: 0.2,
      years: 0.5,
      rate: 0.1,
      dividend: 0.05,
    })
    expect(price).toBeCloseTo(2.4648, 4)
  })

  test('Haug, 2.1.1, the deltas of options on a future at 105: 0.5946 and -0.3566', () => {
    const input = { forward: 105, strike: 100, vol: 0.36, years: 0.5, rate: 0.1 }
    expect(black76Greeks({ ...input, side: 'call' }).delta).toBeCloseTo(0.5946, 4)
    expect(black76Greeks({ ...input, side: 'put' }).delta).toBeCloseTo(-0.3566, 4)
  })

  test('Haug, 4.19.2, a put that pays 10 in cash: 2.6710', () => {
    const price = digital76({
      side: 'put',
      forward: 100,
      strike: 80,
      vol: 0.35,
      years: 0.75,
      rate: 0.06,
    })
    expect(10 * price).toBeCloseTo(2.671, 4)
  })
})

/** Where the price has curvature that a difference of doubles can see. */
const smooth = fc
  .record({
    side,
    strike: fc.double({ min: 50, max: 200, noNaN: true }),
    ratio: fc.double({ min: -2.5, max: 2.5, noNaN: true }),
    vol: fc.double({ min: 0.1, max: 2, noNaN: true }),
    years: fc.double({ min: 0.02, max: 3, noNaN: true }),
    rate: fc.double({ min: -0.3, max: 0.3, noNaN: true }),
  })
  .map(({ ratio, ...input }): Black76Input => ({
    ...input,
    forward: input.strike * Math.exp(ratio * input.vol * Math.sqrt(input.years)),
  }))

function differences(price: (input: Black76Input) => number, input: Black76Input): Greeks {
  const { forward, vol, years } = input
  const step = 1e-3 * forward * vol * Math.sqrt(years)
  const at = (change: Partial<Black76Input>): number => price({ ...input, ...change })
  const wide = 10 * step
  return {
    delta: (at({ forward: forward + step }) - at({ forward: forward - step })) / (2 * step),
    gamma:
      (at({ forward: forward + wide }) - 2 * at({}) + at({ forward: forward - wide })) /
      (wide * wide),
    vega: (at({ vol: vol * 1.0001 }) - at({ vol: vol * 0.9999 })) / (0.0002 * vol),
    theta: -(at({ years: years * 1.0001 }) - at({ years: years * 0.9999 })) / (0.0002 * years),
  }
}

function expectClose(exact: Greeks, numeric: Greeks, scale: Greeks): void {
  for (const name of ['delta', 'gamma', 'vega', 'theta'] as const)
    expect(Math.abs(exact[name] - numeric[name]), name).toBeLessThan(1e-4 * scale[name])
}

describe('greeks', () => {
  test('of options are the differences of the price', () => {
    fc.assert(
      fc.property(smooth, (input) => {
        const { forward, vol, years, rate } = input
        const spread = forward * vol * Math.sqrt(years)
        const scale = {
          delta: 1.5,
          gamma: 3 / spread,
          vega: 2 * forward * Math.sqrt(years),
          theta: 2 * (spread / years + Math.abs(rate) * (forward + input.strike)),
        }
        const grown = Math.exp(Math.abs(rate) * years)
        const scaled = Object.fromEntries(Object.entries(scale).map(([k, v]) => [k, v * grown]))
        expectClose(black76Greeks(input), differences(black76, input), scaled as Greeks)
      }),
    )
  })

  test('of digitals are, too', () => {
    fc.assert(
      fc.property(smooth, (input) => {
        const { forward, vol, years, rate } = input
        const spread = forward * vol * Math.sqrt(years)
        const grown = 4 * Math.exp(Math.abs(rate) * years)
        const scale = {
          delta: grown / spread,
          gamma: (grown / (spread * spread)) * (1 + vol),
          vega: grown * (1 / vol + Math.sqrt(years)) * 2,
          theta: grown * (2 + vol) * (1 / years + 1),
        }
        expectClose(digital76Greeks(input), differences(digital76, input), scale)
      }),
    )
  })

  test('are numbers that lots can be multiplied with and summed, however small the deviation', () => {
    const market = marketAt(2)
    const at = (kind: 'call' | 'put' | 'digital', vol: number) => {
      const expiry = market.time + 60
      const common = { id: 2000, name: 'X', underlying: 'BTC', lot: '999999', expiry } as const
      const strike = BigInt(Math.round(market.spot.BTC * 1e6))
      const spec = { ...common, kind, side: 'call', strike } as ExposedSpec
      return greeksPerLot(spec, { ...market, rate: 0, vol: { BTC: vol, ETH: 0 } })
    }
    for (const kind of ['call', 'put', 'digital'] as const)
      for (const vol of [0, 5e-324, 1e-305, 1e-300, 1e-30, 1e-9, 1e-8, 1e-3])
        for (const greek of Object.values(at(kind, vol)))
          // A short of most lots beside a long of them is nothing, and not NaN.
          expect(2 ** 55 * greek - 2 ** 55 * greek).toBe(0)
    expect(at('call', 1e-300)).toEqual(at('call', 0))
    // Just above it the closed form counts as ever.
    expect(at('call', 1e-3).gamma).toBeGreaterThan(0)
  })

  test('of instruments, in closed form and by difference, agree', () => {
    const market = marketAt(2)
    const expiry = market.time + 30 * 86_400
    const base = { id: 2000, name: 'X', underlying: 'BTC', lot: '0.01', expiry } as const
    const specs: readonly ExposedSpec[] = [
      { ...base, kind: 'call', strike: 6_000_000_000n },
      { ...base, kind: 'put', strike: 7_000_000_000n },
      { ...base, kind: 'digital', side: 'put', strike: 5_500_000_000n, multiplier: '100' },
      { ...base, kind: 'future' },
    ]
    const smile = [
      { strike: 1000, vol: 1 },
      { strike: 9000, vol: 2 },
    ]
    const volGrid = { BTC: [{ expiry: expiry + 1, smile }] }
    for (const [spec, at] of specs.flatMap((s) =>
      [market, { ...market, volGrid }].map((m) => [s, m] as const),
    )) {
      const exact = greeksPerLot(spec, at)
      const numeric = greeksByDifference(spec, at)
      const units = unitsOf(spec)
      expect(numeric.delta * units).toBeCloseTo(exact.delta, 6)
      expect(numeric.gamma * units * 1e4).toBeCloseTo(exact.gamma * 1e4, 3)
      expect(numeric.vega * units).toBeCloseTo(exact.vega, 2)
      // A day is a long step for theta: within five per cent.
      const gap = Math.abs(numeric.theta * units - exact.theta)
      expect(gap).toBeLessThan(0.05 * Math.abs(exact.theta) + 0.01)
    }
  })

  test('at the extremes they are limits, never NaN', () => {
    const base: Black76Input = {
      side: 'call',
      forward: 120,
      strike: 100,
      vol: 0.5,
      years: 1,
      rate: 0.1,
    }
    const discount = Math.exp(-0.1)
    expect(black76Greeks({ ...base, vol: 0 })).toEqual({
      delta: expect.closeTo(discount, 12),
      gamma: 0,
      vega: 0,
      theta: expect.closeTo(2 * discount, 12),
    })
    expect(black76Greeks({ ...base, years: 0 }).delta).toBe(1)
    expect(black76Greeks({ ...base, years: 0, side: 'put' }).delta).toBe(0)
    expect(black76Greeks({ ...base, years: 0, strike: 120 }).delta).toBe(0.5)
    expect(black76Greeks({ ...base, years: 0, strike: 120, side: 'put' }).delta).toBe(-0.5)
    expect(digital76({ ...base, years: 0, strike: 120 })).toBe(1)
    expect(digital76({ ...base, years: 0, strike: 120, side: 'put' })).toBe(0)
  })

  test('no NaN and no infinity for any input that is priced', () => {
    const wild = fc.record({
      side,
      forward: fc.double({ min: 1e-30, max: 1e30, noNaN: true }),
      strike: fc.double({ min: 1e-30, max: 1e30, noNaN: true }),
      vol: fc.oneof(
        fc.constant(0),
        fc.double({ min: 0, max: 1e-300, noNaN: true }),
        fc.double({ min: 0, max: 50, noNaN: true }),
      ),
      years: fc.oneof(
        fc.constant(0),
        fc.double({ min: 0, max: 1e-300, noNaN: true }),
        fc.double({ min: 0, max: 30, noNaN: true }),
      ),
      rate: fc.double({ min: -2, max: 2, noNaN: true }),
    })
    fc.assert(
      fc.property(wild, (input) => {
        const values = [
          black76(input),
          digital76(input),
          ...Object.values(black76Greeks(input)),
          ...Object.values(digital76Greeks(input)),
        ]
        expect(values.every(Number.isFinite), values.join(' ')).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('digital call and put add up to the discount factor', () => {
    fc.assert(
      fc.property(smooth, (input) => {
        const sum = digital76({ ...input, side: 'call' }) + digital76({ ...input, side: 'put' })
        expect(sum).toBeCloseTo(Math.exp(-input.rate * input.years), 12)
      }),
    )
  })
})

test('pow and the density agree with the engine', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      fc.double({ min: -2, max: 2, noNaN: true }),
      (x, y) => {
        expect(Math.abs(pow(x, y) / x ** y - 1)).toBeLessThan(1e-14)
      },
    ),
  )
  expect(normalPdf(0)).toBeCloseTo(0.3989422804014327, 15)
  expect(normalPdf(1e200)).toBeLessThan(1e-300)
})

describe('the volatility grid', () => {
  const time = 1_000_000
  const day = 86_400
  const smile = (vols: readonly number[]) => vols.map((vol, i) => ({ strike: 100 * (i + 1), vol }))
  const grid: VolGrid = [
    { expiry: time + 10 * day, smile: smile([0.9, 0.6, 0.8]) },
    { expiry: time + 40 * day, smile: smile([0.7, 0.5, 0.6]) },
  ]
  const vol = (strike: number, days: number): number =>
    volOnGrid(grid, strike, time + days * day, time)

  test('passes through its points, is linear between strikes and flat beyond', () => {
    expect(vol(100, 10)).toBe(0.9)
    expect(vol(300, 40)).toBe(0.6)
    expect(vol(150, 10)).toBeCloseTo(0.75, 15)
    expect(vol(1, 10)).toBe(0.9)
    expect(vol(1e9, 40)).toBe(0.6)
  })

  test('is linear in total variance between expiries, and flat before and after', () => {
    const variance = (0.6 ** 2 * 10 + 0.5 ** 2 * 40) / 2
    expect(vol(200, 25)).toBeCloseTo(Math.sqrt(variance / 25), 12)
    expect(vol(200, 3)).toBe(0.6)
    expect(vol(200, 400)).toBe(0.5)
    expect(vol(200, 0)).toBe(0.6)
    // The first slice has expired: it says nothing any more.
    expect(volOnGrid(grid, 200, time + 25 * day, time + 10 * day)).toBe(0.5)
  })

  test.each<[string, VolGrid]>([
    ['no expiry', []],
    ['no strike', [{ expiry: time, smile: [] }]],
    ['does not ascend', [grid[1] as VolGrid[0], grid[0] as VolGrid[0]]],
    [
      'does not ascend',
      [
        {
          expiry: time,
          smile: [
            { strike: 2, vol: 1 },
            { strike: 2, vol: 1 },
          ],
        },
      ],
    ],
    ['out of range', [{ expiry: time, smile: [{ strike: 2, vol: NaN }] }]],
    ['out of range', [{ expiry: time, smile: [{ strike: 2, vol: -0.1 }] }]],
  ])('refuses one with %s', (why, bad) => {
    expect(() => checkVolGrid(bad, 'BTC')).toThrow(why)
  })
})
