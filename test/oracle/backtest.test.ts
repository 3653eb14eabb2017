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
import { METHODS, rangesOf, windowsOf, type Method } from '../../oracle/backtest/methods.ts'
import { kupiec } from '../../oracle/backtest/coverage-tests.ts'
import { dailyVariances, DAY_SECONDS, SCAN_PARAMETERS } from '../../oracle/scan-range.ts'
import { garch, knownBreaches, seriesOf, uniform } from './backtest-synthetic.ts'

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

describe('nothing looks ahead', () => {
  const whole = garch(700, 21)
  const random = uniform(3)
  const cuts = [300, 431, 650]

  it.each(cuts)('the ranges up to close %s stay when the future is cut off or changed', (cut) => {
    const report = backtest(whole)
    const short = backtest({ ...whole, closes: whole.closes.slice(0, cut + 1) })
    const changed = backtest({
      ...whole,
      closes: whole.closes.map((close, i) =>
        i <= cut ? close : { ...close, price: close.price * (0.2 + 3 * random()) },
      ),
    })
    const count = cut + 1 - report.firstIndex
    report.methods.forEach((method, i) => {
      const expected = method.ranges.slice(0, count)
      expect(short.methods[i]!.ranges).toEqual(expected)
      expect(changed.methods[i]!.ranges.slice(0, count)).toEqual(expected)
      // The change is one that a method which looks ahead would see.
      if (method.method !== 'static')
        expect(changed.methods[i]!.ranges[count + 3]).not.toBe(method.ranges[count + 3])
    })
  })
})

describe('filtered historical simulation', () => {
  it.each([
    [1, 1],
    [2, 1],
    [1, 6],
    [2, 6],
  ])('over %s days with %s bars a day is what the words say', (days, barsPerDay) => {
    const { closes } = garch(150 * barsPerDay, 9, barsPerDay)
    const variances = dailyVariances(closes)
    const parameters = { ...BACKTEST_PARAMETERS, historyDays: 60, tailRate: 0.02 }
    const ranges = rangesOf('history', closes, variances, days, parameters)
    const bars = days * barsPerDay
    for (const t of [31 * barsPerDay + bars, 80 * barsPerDay, closes.length - 1]) {
      const residuals: number[] = []
      for (let s = 0; s + bars <= t; s++) {
        const isRecent = closes[s + bars]!.time > closes[t]!.time - 60 * DAY_SECONDS
        const variance = variances[s]
        if (variance === undefined || !isRecent) continue
        const move = closes[s + bars]!.price / closes[s]!.price - 1
        residuals.push(Math.abs(move) / (Math.sqrt(variance) * Math.sqrt(days)))
      }
      residuals.sort((a, b) => a - b)
      const quantile = residuals[Math.ceil(residuals.length * 0.96 - 1e-9) - 1]!
      expect(ranges[t]).toBe(Math.sqrt(variances[t]!) * Math.sqrt(days) * quantile)
    }
  })

  it('covers a GARCH market at the promised rate within four deviations of the count', () => {
    const both = tailOf(backtest(garch(4000, 77)), 'history', 1, 'both')
    const mean = both.windows * 0.01
    expect(Math.abs(both.breaches - mean)).toBeLessThan(4 * Math.sqrt(mean))
    expect(both.kupiec.pValue).toBeGreaterThan(0.001)
  })

  it('ranks 99 of 100 residuals as the 99th, not the 100th', () => {
    const prices = Array.from({ length: 132 }, (_, i) => (i % 2 === 0 ? 100 : 102))
    const { closes } = seriesOf([...prices, 150])
    const variances = dailyVariances(closes)
    const parameters = { ...BACKTEST_PARAMETERS, historyDays: 100, tailRate: 0.005 }
    const last = rangesOf('history', closes, variances, 1, parameters).at(-1)!
    // One jump among a hundred residuals is the one that 99 % leave out.
    expect(last / Math.sqrt(variances.at(-1)!)).toBeLessThan(1.1)
    const all = rangesOf('history', closes, variances, 1, { ...parameters, tailRate: 0.0049 })
    expect(all.at(-1)! / Math.sqrt(variances.at(-1)!)).toBeGreaterThan(20)
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

  it('leaves the static range where it was', () => {
    const { range } = of(report, 'static', 1)
    expect(range).toMatchObject({ peakToTrough: 1, fiveDayRise: { rise: 0 } })
    expect(range.mean).toBeCloseTo(0.3, 12)
  })
})

describe('a move of just the range', () => {
  const flat = Array.from({ length: 180 }, () => 128)
  const parameters = { ...BACKTEST_PARAMETERS, staticRange: 0.25, horizons: [1] }
  const breachesAfter = (...prices: number[]): number =>
    tailOf(backtest(seriesOf([...flat, ...prices]), parameters), 'static', 1, 'both').breaches

  it('is covered, and one beyond it is not', () => {
    expect(breachesAfter(160)).toBe(0)
    expect(breachesAfter(160.001)).toBe(1)
    expect(breachesAfter(96)).toBe(0)
    expect(breachesAfter(95.999)).toBe(1)
  })
})

describe('windows', () => {
  it('end at the first close at or after the horizon, also in a gap', () => {
    const { closes } = seriesOf([1, 2, 4, 8, 16, 32, 64])
    const gap = closes.filter((_, i) => i !== 3)
    expect(windowsOf(gap, 2).map(({ start, end }) => [start, end])).toEqual([
      [0, 2],
      [1, 3],
      [2, 3],
      [3, 5],
    ])
    expect(windowsOf(gap, 2)[1]!.move).toBe(7)
    expect(windowsOf(closes, 6)).toHaveLength(1)
    expect(windowsOf(closes, 7)).toEqual([])
  })

  it('of four-hour bars overlap six and twelve times; the tests take them end to end', () => {
    const series = garch(6 * 200, 4, 6)
    const report = backtest(series)
    const after = series.closes.length - 1 - report.firstIndex
    for (const [horizon, bars] of [
      [1, 6],
      [2, 12],
    ] as const) {
      const both = tailOf(report, 'ewma', horizon, 'both')
      expect(both.windows).toBe(after - bars + 1)
      expect(both.tested.windows).toBe(Math.floor(after / bars))
    }
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
