/** The tests of breaches against published figures, and at the edges where a formula divides by 0. */
import { describe, expect, it } from 'vitest'
import {
  chiSquareTail1,
  chiSquareTail2,
  conditionalCoverage,
  independence,
  kupiec,
} from '../../oracle/backtest/coverage-tests.ts'

describe('chi-square tails', () => {
  // scipy.stats.chi2.sf, scipy 1.17.1.
  it.each([
    [0, 1, 1],
    [0.01, 0.920344325445942, 0.9950124791926823],
    [0.5, 0.47950012218695337, 0.7788007830714049],
    [1, 0.31731050786291115, 0.6065306597126334],
    [3.841458820694124, 0.05, 0.1465000644860843],
    [6.6348966010212145, 0.01, 0.03624520071516962],
    [9, 0.0026997960632601883, 0.011108996538242308],
    [9.1, 0.0025560949482294113, 0.01056720438385266],
    [30, 4.3204630578274955e-8, 3.0590232050182594e-7],
    [100, 1.5239706048320995e-23, 1.9287498479639183e-22],
    [700, 2.990226975124623e-154, 9.929590396265143e-153],
  ])('at %s', (x, one, two) => {
    expect(Math.abs(chiSquareTail1(x) / one - 1)).toBeLessThan(1e-11)
    expect(Math.abs(chiSquareTail2(x) / two - 1)).toBeLessThan(1e-12)
  })

  it.each([-1e-12, NaN, Infinity])('refuse %s', (x) => {
    expect(() => chiSquareTail1(x)).toThrow('must be finite')
    expect(() => chiSquareTail2(x)).toThrow('must be finite')
  })
})

describe('Kupiec', () => {
  // The table of non-rejection regions at 95 % of Kupiec (1995), as in P. Jorion, "Value at Risk",
  // chapter on backtesting: breaches N with low < N < high. The first has no lower bound in print,
  // although no breach at all among 255 has a ratio of 5.13.
  it.each([
    [0.01, 255, 0, 7],
    [0.01, 510, 1, 11],
    [0.01, 1000, 4, 17],
    [0.025, 255, 2, 12],
    [0.025, 510, 6, 21],
    [0.025, 1000, 15, 36],
    [0.05, 255, 6, 21],
    [0.05, 510, 16, 36],
    [0.05, 1000, 37, 65],
    [0.075, 255, 11, 28],
    [0.075, 510, 27, 51],
    [0.075, 1000, 59, 92],
    [0.1, 255, 16, 36],
    [0.1, 510, 38, 65],
    [0.1, 1000, 81, 120],
  ])('of rate %s among %s windows is kept between %s and %s', (rate, count, low, high) => {
    for (let breaches = 0; breaches <= count; breaches++)
      expect(kupiec(breaches, count, rate).pValue > 0.05).toBe(breaches > low && breaches < high)
  })

  it('agrees with the published example of MATLAB varbacktest', () => {
    // 57 failures of a 95 % value at risk among 1043: LRatioPOF 0.46147, PValuePOF 0.49694.
    const { statistic, pValue } = kupiec(57, 1043, 0.05)
    expect(statistic).toBeCloseTo(0.46147, 5)
    expect(pValue).toBeCloseTo(0.49694, 5)
  })

  it('is defined for none, all, and nothing at all', () => {
    expect(kupiec(0, 1000, 0.01).statistic).toBeCloseTo(-2000 * Math.log(0.99), 10)
    expect(kupiec(1000, 1000, 0.01).statistic).toBeCloseTo(-2000 * Math.log(0.01), 8)
    expect(kupiec(1000, 1000, 0.01).pValue).toBe(0)
    expect(kupiec(0, 0, 0.01)).toEqual({ statistic: 0, pValue: 1 })
    expect(kupiec(10, 1000, 0.01).statistic).toBeCloseTo(0, 12)
  })

  it.each([
    [-1, 10, 0.01],
    [11, 10, 0.01],
    [0.5, 10, 0.01],
    [NaN, 10, 0.01],
    [1, 10, 0],
    [1, 10, 1],
    [1, 10, NaN],
  ])('refuses %s of %s at %s', (breaches, count, rate) => {
    expect(() => kupiec(breaches, count, rate)).toThrow('must be')
  })
})

describe('Christoffersen', () => {
  const repeat = (count: number, ...days: readonly boolean[]): boolean[] =>
    Array.from({ length: count }, () => days).flat()

  it('agrees with the published example of MATLAB varbacktest', () => {
    // N00 932, N01 53, N10 53, N11 4: LRatioCCI 0.25866, PValueCCI 0.61104; with the 57 failures
    // of 1043 at 95 %, LRatioCC 0.72013, PValueCC 0.69763.
    const days = [...repeat(49, false, true), ...repeat(4, false, true, true)]
    const series = [...days, ...repeat(1043 - days.length, false)]
    const result = independence(series)
    expect(result.pairs).toEqual({ n00: 932, n01: 53, n10: 53, n11: 4 })
    expect(result.statistic).toBeCloseTo(0.25866, 5)
    expect(result.pValue).toBeCloseTo(0.61104, 5)
    const both = conditionalCoverage(kupiec(57, 1043, 0.05), result)
    expect(both.statistic).toBeCloseTo(0.72013, 5)
    expect(both.pValue).toBeCloseTo(0.69763, 5)
  })

  it('rejects breaches that come together, and those that take turns', () => {
    const together = [...repeat(480, false), ...repeat(20, true), ...repeat(500, false)]
    expect(independence(together).pValue).toBeLessThan(1e-10)
    expect(independence(repeat(100, false, true)).pValue).toBeLessThan(1e-10)
  })

  it('keeps breaches that are apart', () => {
    expect(independence(repeat(10, ...repeat(99, false), true)).pValue).toBeGreaterThan(0.5)
  })

  it.each([
    ['nothing', []],
    ['one window', [true]],
    ['no breach', [false, false, false]],
    ['breaches only', [true, true, true]],
    ['one breach, at the end', [false, false, true]],
  ])('of %s says that it has nothing to say', (_, days) => {
    const { statistic, pValue, isInformative } = independence(days)
    expect({ statistic, pValue, isInformative }).toEqual({
      statistic: 0,
      pValue: 1,
      isInformative: false,
    })
  })

  it('is informative as soon as both kinds of day are followed by something else', () => {
    expect(independence([true, false, false])).toMatchObject({ isInformative: false })
    expect(independence([false, true, true])).toMatchObject({ isInformative: false })
    expect(independence([true, false, true])).toMatchObject({ isInformative: true })
    expect(independence([true, false, true]).statistic).toBeGreaterThan(0)
  })

  it('is never negative or NaN on any short series', () => {
    for (let length = 0; length <= 10; length++)
      for (let bits = 0; bits < 2 ** length; bits++) {
        const days = Array.from({ length }, (_, i) => ((bits >> i) & 1) === 1)
        const result = independence(days)
        const both = conditionalCoverage(kupiec(days.filter(Boolean).length, length, 0.01), result)
        for (const one of [result, both]) {
          expect(one.statistic).toBeGreaterThanOrEqual(0)
          expect(one.pValue >= 0 && one.pValue <= 1).toBe(true)
        }
      }
  })
})
