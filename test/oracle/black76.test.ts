/** Black-76 against textbooks, against parity, and at the ends of its domain. */

import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { black76 } from '../../oracle/black76.ts'
import type { Black76Input } from '../../oracle/black76.ts'
import { exp, ln, normalCdf } from '../../oracle/elementary.ts'

function relativeError(actual: number, expected: number): number {
  return Math.abs(actual - expected) / Math.abs(expected)
}

describe('elementary functions', () => {
  test('exp and ln agree with the engine', () => {
    fc.assert(
      fc.property(fc.double({ min: -690, max: 690, noNaN: true }), (x) => {
        expect(relativeError(exp(x), Math.exp(x))).toBeLessThan(1e-15)
      }),
    )
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
        expect(Math.abs(ln(x) - Math.log(x))).toBeLessThan(1e-15 * (1 + Math.abs(Math.log(x))))
      }),
    )
    expect(exp(0)).toBe(1)
    expect(ln(1)).toBe(0)
    expect(exp(-Infinity)).toBe(0)
  })

  test('out of their domains they crash', () => {
    for (const x of [NaN, 701, Infinity]) expect(() => exp(x)).toThrow(RangeError)
    for (const x of [NaN, 0, -1, Infinity]) expect(() => ln(x)).toThrow(RangeError)
    expect(() => normalCdf(NaN)).toThrow(RangeError)
  })

  // erfc(-x / sqrt 2) / 2 to 16 digits; the first four stand in Abramowitz and Stegun, table 26.1.
  test.each([
    [-0.5, 0.3085375387259869],
    [-1, 0.15865525393145705],
    [-2, 0.02275013194817921],
    [-3, 0.0013498980316300946],
    [-5, 2.866515718791939e-7],
    [-10, 7.619853024160527e-24],
    [-20, 2.7536241186062337e-89],
  ])('normalCdf(%d)', (x, expected) => {
    expect(relativeError(normalCdf(x), expected)).toBeLessThan(1e-12)
    expect(Math.abs(normalCdf(-x) - (1 - expected))).toBeLessThan(1e-15)
  })

  test('normalCdf is continuous where its two formulas meet, and closes at the ends', () => {
    const below = normalCdf(-3 + 1e-12)
    const above = normalCdf(-3)
    // The density at 3 is 0.00443: what the step itself explains.
    expect(Math.abs(below - above - 0.00443 * 1e-12)).toBeLessThan(1e-15)
    expect(normalCdf(0)).toBe(0.5)
    expect(normalCdf(Infinity)).toBe(1)
    expect(normalCdf(-Infinity)).toBe(0)
  })
})

describe('black76', () => {
  test('Haug, "The Complete Guide to Option Pricing Formulas", 2nd ed., 1.1.4: 1.7011', () => {
    const input = { forward: 19, strike: 19, years: 0.75, rate: 0.1, vol: 0.28 }
    expect(black76({ ...input, side: 'call' })).toBeCloseTo(1.7011, 4)
    expect(black76({ ...input, side: 'put' })).toBeCloseTo(1.7011, 4)
  })

  test('Hull, "Options, Futures and Other Derivatives", put on a crude oil future: 1.12', () => {
    const input = { forward: 20, strike: 20, years: 4 / 12, rate: 0.09, vol: 0.25 }
    expect(black76({ ...input, side: 'put' })).toBeCloseTo(1.12, 2)
  })

  const market = fc.record({
    forward: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    strike: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    years: fc.double({ min: 0, max: 10, noNaN: true }),
    rate: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
    vol: fc.double({ min: 0, max: 20, noNaN: true }),
  })

  test('put-call parity, and each price within its bounds', () => {
    fc.assert(
      fc.property(market, (input) => {
        const { forward, strike, years, rate } = input
        const call = black76({ ...input, side: 'call' })
        const put = black76({ ...input, side: 'put' })
        const discount = Math.exp(-rate * years)
        const slack = 1e-12 * discount * (forward + strike)
        expect(Math.abs(call - put - discount * (forward - strike))).toBeLessThan(slack)
        expect(call).toBeGreaterThanOrEqual(0)
        expect(call).toBeLessThanOrEqual(discount * forward + slack)
        expect(put).toBeGreaterThanOrEqual(0)
        expect(put).toBeLessThanOrEqual(discount * strike + slack)
      }),
    )
  })

  test('a higher volatility never makes an option cheaper', () => {
    const step = fc.double({ min: 0, max: 5, noNaN: true })
    fc.assert(
      fc.property(market, step, (input, more) => {
        const low = black76({ ...input, side: 'call' })
        const high = black76({ ...input, side: 'call', vol: input.vol + more })
        const slack = 1e-12 * Math.exp(-input.rate * input.years) * (input.forward + input.strike)
        expect(high).toBeGreaterThanOrEqual(low - slack)
      }),
    )
  })

  test('the extremes are the intrinsic value or its limit, never NaN', () => {
    const base: Black76Input = {
      side: 'call',
      forward: 120,
      strike: 100,
      vol: 0.8,
      years: 1,
      rate: 0,
    }
    expect(black76({ ...base, years: 0 })).toBe(20)
    expect(black76({ ...base, vol: 0 })).toBe(20)
    expect(black76({ ...base, vol: 5e-324, years: 5e-324 })).toBe(20)
    expect(black76({ ...base, vol: 5e-324 })).toBe(20)
    expect(black76({ ...base, vol: 5e-324, side: 'put' })).toBe(0)
    expect(black76({ ...base, vol: 5e-324, strike: 120 })).toBe(0)
    expect(black76({ ...base, years: 0, strike: 120 })).toBe(0)
    expect(black76({ ...base, vol: 1e50 })).toBe(120)
    expect(black76({ ...base, vol: 1e50, side: 'put' })).toBe(100)
    expect(black76({ ...base, forward: 1e-90, strike: 1e90 })).toBe(0)
    expect(black76({ ...base, forward: 1e90, strike: 1e-90 })).toBe(1e90)
  })

  test('bad inputs crash', () => {
    const base: Black76Input = {
      side: 'put',
      forward: 100,
      strike: 100,
      vol: 0.8,
      years: 1,
      rate: 0,
    }
    for (const bad of [NaN, 0, -1, Infinity]) {
      expect(() => black76({ ...base, forward: bad })).toThrow(/forward/)
      expect(() => black76({ ...base, strike: bad })).toThrow(/strike/)
    }
    for (const bad of [NaN, -0.1, Infinity]) {
      expect(() => black76({ ...base, vol: bad })).toThrow(/vol/)
      expect(() => black76({ ...base, years: bad })).toThrow(/years/)
    }
    expect(() => black76({ ...base, rate: NaN })).toThrow(/rate/)
  })
})
