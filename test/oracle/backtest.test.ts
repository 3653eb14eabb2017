/** The backtest on series whose answer is known: breaches counted beforehand, jumps, flat lines. */
import { describe, expect, it } from 'vitest'
import {
  backtest,
  BACKTEST_PARAMETERS,
  type BacktestParameters,
  type BacktestReport,
  type MethodReport,
  type Tail,
  type TailReport,
} from '../../oracle/backtest/backtest.ts'
import { METHODS, type Method } from '../../oracle/backtest/methods.ts'
import { kupiec } from '../../oracle/backtest/coverage-tests.ts'
import { SCAN_PARAMETERS } from '../../oracle/scan-range.ts'
import { garch, knownBreaches, seriesOf } from './backtest-synthetic.ts'

/** The range is three deviations of one day and nothing else. */
const BARE: BacktestParameters = {
  ...BACKTEST_PARAMETERS,
  scan: { ...SCAN_PARAMETERS, liquidationDays: 1, floor: 0, stressedWeight: 0 },
  horizons: [1],
}

function of(report: BacktestReport, method: Method, horizon: number): MethodReport {
  return report.methods.find((one) => one.method === method && one.horizon === horizon)!
}

function tailOf(report: BacktestReport, method: Method, horizon: number, tail: Tail): TailReport {
  return of(report, method, horizon).tails.find((one) => one.tail === tail)!
}

function finite(value: unknown): void {
  if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true)
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(finite)
}

describe('breaches known beforehand', () => {
  it.each([
    [0.01, 11],
    [0.01, 12],
    [0.005, 13],
  ])('at a rate of %s (seed %s) are counted one by one', (rate, seed) => {
    const { series, isBreach } = knownBreaches(3000, seed, () => rate)
    const report = backtest(series, BARE)
    const expected = isBreach.slice(report.firstIndex + 1).filter(Boolean).length
    const both = tailOf(report, 'ewma', 1, 'both')
    expect(expected).toBeGreaterThan(5)
    expect(both.breaches).toBe(expected)
    expect(both.windows).toBe(series.closes.length - 1 - report.firstIndex)
    expect(both.tested).toEqual({ windows: both.windows, breaches: expected })
    expect(both.kupiec).toEqual(kupiec(expected, both.windows, 0.01))
    const sides = ['down', 'up'] as const
    const [down = 0, up = 0] = sides.map((tail) => tailOf(report, 'ewma', 1, tail).breaches)
    expect(down + up).toBe(expected)
    expect(down).toBeGreaterThan(0)
    expect(up).toBeGreaterThan(0)
  })

  it('pass both tests at the promised rate, and fail Kupiec at three times of it', () => {
    const good = tailOf(
      backtest(knownBreaches(3000, 11, () => 0.01).series, BARE),
      'ewma',
      1,
      'both',
    )
    expect(good.kupiec.pValue).toBeGreaterThan(0.05)
    expect(good.conditional.pValue).toBeGreaterThan(0.05)
    const bad = tailOf(
      backtest(knownBreaches(1500, 11, () => 0.03).series, BARE),
      'ewma',
      1,
      'both',
    )
    expect(bad.kupiec.pValue).toBeLessThan(0.001)
  })

  it('that come together fail independence at the promised rate', () => {
    const { series } = knownBreaches(3000, 5, (wasBreach) => (wasBreach ? 0.5 : 0.005))
    const both = tailOf(backtest(series, BARE), 'ewma', 1, 'both')
    expect(both.kupiec.pValue).toBeGreaterThan(0.01)
    expect(both.independence.pValue).toBeLessThan(1e-6)
    expect(both.conditional.pValue).toBeLessThan(1e-6)
  })
})

const FLOOR = 0.75 * 0.1 + 0.25 * 0.3

describe('a market that stands still', () => {
  const report = backtest(seriesOf(Array.from({ length: 200 }, () => 100)))

  it('has the floor as its range, no breach, and no figure that is not a number', () => {
    for (const horizon of [1, 2]) {
      expect(of(report, 'ewma', horizon).range).toMatchObject({ least: FLOOR, most: FLOOR })
      expect(of(report, 'history', horizon).range).toMatchObject({ mean: 0, peakToTrough: null })
      expect(of(report, 'history', horizon).range.fiveDayRise).toBeNull()
    }
    for (const { tails } of report.methods)
      for (const tail of tails) {
        expect(tail).toMatchObject({ breaches: 0, coverage: 1, worst: null, meanExcess: null })
        expect(tail.independence.isInformative).toBe(false)
      }
    finite(report)
  })
})

describe('a jump in a market that stands still', () => {
  const AT = 180
  const prices = Array.from({ length: 220 }, (_, i) => (i < AT ? 100 : 50))
  const series = seriesOf(prices)
  const report = backtest(series)

  it('breaches once at one day, and both windows that hold it at two days', () => {
    for (const [horizon, count] of [
      [1, 1],
      [2, 2],
    ] as const) {
      const down = tailOf(report, 'ewma', horizon, 'down')
      expect(down.breaches).toBe(count)
      expect(down.tested.breaches).toBe(1)
      expect(down.otherStarts).toEqual({ least: 1, most: 1 })
      expect(down.worst).toMatchObject({ move: -0.5, range: expect.closeTo(0.15, 12) })
      expect(down.worst!.excess).toBeCloseTo(0.35, 12)
      expect(down.meanExcess).toBeCloseTo(0.35, 12)
      expect(tailOf(report, 'ewma', horizon, 'up').breaches).toBe(0)
      expect(tailOf(report, 'ewma', horizon, 'both').breaches).toBe(count)
    }
    finite(report)
  })

  it('raises the range at its own close and not before', () => {
    const { ranges, range } = of(report, 'ewma', 1)
    const at = AT - report.firstIndex
    const after = 0.75 * 3 * Math.sqrt(2 * 0.06) * Math.LN2 + 0.075
    expect(ranges[at - 1]).toBeCloseTo(0.15, 12)
    expect(ranges[at]).toBeCloseTo(after, 12)
    expect(range.peakToTrough).toBeCloseTo(after / 0.15, 12)
    expect(range.mostAt).toBe(series.closes[AT]!.time)
    expect(range.fiveDayRise!.rise).toBeCloseTo(after / 0.15 - 1, 12)
    expect(range.fiveDayRise!.at).toBe(series.closes[AT]!.time)
  })

  it('is the worst only if it is the largest', () => {
    for (const sizes of [
      [0.5, 0.7, 0.6],
      [0.7, 0.6, 0.5],
      [0.5, 0.6, 0.7],
    ]) {
      const three = Array.from({ length: 220 }, (_, i) =>
        sizes.reduce((price, size, k) => (i < AT + 10 * k ? price : price * (1 - size)), 100),
      )
      const static30 = tailOf(backtest(seriesOf(three)), 'static', 1, 'down')
      expect(static30.breaches).toBe(3)
      expect(static30.worst!.move).toBeCloseTo(-0.7, 12)
      expect(static30.meanExcess).toBeCloseTo(0.3, 12)
    }
  })

  it('leaves the static range where it was', () => {
    const { range } = of(report, 'static', 1)
    expect(range).toMatchObject({ peakToTrough: 1, fiveDayRise: { rise: 0 } })
    expect(range.mean).toBeCloseTo(0.3, 12)
  })
})

describe('a move of just the range', () => {
  const flat = Array.from({ length: 180 }, () => 128)
  const parameters = { ...BACKTEST_PARAMETERS, staticRange: 0.25, horizons: [1] }
  const breachesAfter = (...prices: number[]): number => {
    const report = backtest(seriesOf([...flat, ...prices]), parameters)
    const { breaches, tested } = tailOf(report, 'static', 1, 'both')
    expect(tested.breaches).toBe(breaches)
    return breaches
  }

  it('is covered, and one beyond it is not', () => {
    expect(breachesAfter(160)).toBe(0)
    expect(breachesAfter(160.001)).toBe(1)
    expect(breachesAfter(96)).toBe(0)
    expect(breachesAfter(95.999)).toBe(1)
  })
})

describe('counted again by hand', () => {
  const series = garch(900, 55)
  const parameters = { ...BACKTEST_PARAMETERS, staticRange: 0.05, horizons: [2, 3] }
  const report = backtest(series, parameters)

  it('the largest five-day rise is that of closes five days apart', () => {
    const { ranges, range } = of(report, 'ewma', 2)
    const rises = ranges.slice(5).map((value, i) => value / ranges[i]! - 1)
    const rise = Math.max(...rises)
    expect(range.fiveDayRise!.rise).toBe(rise)
    const at = report.firstIndex + 5 + rises.indexOf(rise)
    expect(range.fiveDayRise!.at).toBe(series.closes[at]!.time)
  })

  it.each([2, 3])('the samples of %s days begin at each close of the first window', (horizon) => {
    const moves = series.closes
      .slice(report.firstIndex, -horizon)
      .map(({ price }, i) => series.closes[report.firstIndex + i + horizon]!.price / price - 1)
    const counts = Array.from(
      { length: horizon },
      (_, offset) =>
        moves.filter((move, i) => i % horizon === offset && Math.abs(move) > 0.05).length,
    )
    const both = tailOf(report, 'static', horizon, 'both')
    expect(new Set(counts).size).toBeGreaterThan(1)
    expect(both.otherStarts).toEqual({ least: Math.min(...counts), most: Math.max(...counts) })
    expect(both.tested.breaches).toBe(counts[0])
  })
})

describe('a backtest refuses', () => {
  it('a series that is too short to judge one window, and takes one that is just long enough', () => {
    // 1 close, 30 days of seed, 100 of warm-up, 2 of horizon, 2 for the one window.
    expect(() => backtest(garch(134, 1))).toThrow('must span more than 134 days')
    const report = backtest(garch(135, 1))
    expect(tailOf(report, 'ewma', 2, 'both').windows).toBe(1)
    finite(report)
    expect(() => backtest(seriesOf([]))).toThrow('must span more than')
  })

  it.each<[Partial<BacktestParameters>, string]>([
    [{ horizons: [] }, 'horizons'],
    [{ horizons: [1, 1] }, 'horizons'],
    [{ horizons: [0] }, 'a horizon'],
    [{ horizons: [1.5] }, 'a horizon'],
    [{ tailRate: 0 }, 'tailRate'],
    [{ tailRate: 0.5 }, 'tailRate'],
    [{ staticRange: -0.1 }, 'staticRange'],
    [{ warmUpDays: 0 }, 'warmUpDays'],
    [{ historyDays: 99 }, 'warmUpDays'],
  ])('%o', (part, name) => {
    expect(() => backtest(garch(200, 1), { ...BACKTEST_PARAMETERS, ...part })).toThrow(name)
  })
})

it('a backtest reports every method at every horizon', () => {
  const report = backtest(garch(300, 2))
  expect(report.methods.map(({ horizon, method }) => [horizon, method])).toEqual(
    [1, 2].flatMap((horizon) => METHODS.map((method) => [horizon, method])),
  )
})
