/** The ranges and the windows: no method looks ahead, and each is what its words say. */
import { describe, expect, it } from 'vitest'
import {
  backtest,
  BACKTEST_PARAMETERS,
  type BacktestReport,
  type Tail,
  type TailReport,
} from '../../oracle/backtest/backtest.ts'
import { rangesOf, windowsOf, type Method } from '../../oracle/backtest/methods.ts'
import { dailyVariances, DAY_SECONDS } from '../../oracle/scan-range.ts'
import { garch, seriesOf, uniform } from './backtest-synthetic.ts'

function tailOf(report: BacktestReport, method: Method, horizon: number, tail: Tail): TailReport {
  const found = report.methods.find((one) => one.method === method && one.horizon === horizon)!
  return found.tails.find((one) => one.tail === tail)!
}

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

  it('forgets a residual when its window ended as long ago as it looks back', () => {
    const prices = Array.from({ length: 160 }, (_, i) => (i % 2 === 0 ? 100 : 101))
    const { closes } = seriesOf(prices.map((price, i) => (i < 60 ? price : price * 2)))
    const variances = dailyVariances(closes)
    const parameters = { ...BACKTEST_PARAMETERS, historyDays: 50, tailRate: 0.001 }
    const ranges = rangesOf('history', closes, variances, 1, parameters)
    const residual = (at: number): number => ranges[at]! / Math.sqrt(variances[at]!)
    expect(residual(60)).toBeGreaterThan(50)
    expect(residual(60 + 49)).toBeCloseTo(residual(60), 8)
    expect(residual(60 + 50)).toBeLessThan(5)
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
