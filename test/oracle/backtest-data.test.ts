/** The four files of daily and four-hour candles: the figures that docs/backtest.md states. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { backtest, type BacktestReport } from '../../oracle/backtest/backtest.ts'
import { dailyVariances } from '../../oracle/scan-range.ts'
import { parseSeries, type Series } from '../../oracle/backtest/series.ts'

const FOLDER = fileURLToPath(new URL('../../../shared/data/', import.meta.url))
const FILES = ['BTCUSDT_1d', 'ETHUSDT_1d', 'BTCUSDT_4h', 'ETHUSDT_4h'] as const
const isThere = FILES.every((name) => existsSync(`${FOLDER}${name}.csv`))
if (!isThere) console.warn(`skipped: the candles of the backtest are not in ${FOLDER}`)

function read(name: string): Series {
  return parseSeries(`${name}.csv`, readFileSync(`${FOLDER}${name}.csv`, 'utf8'))
}

function breachesOf(report: BacktestReport, method: string, horizon: number): readonly number[] {
  const found = report.methods.find((one) => one.method === method && one.horizon === horizon)!
  return found.tails.map(({ breaches }) => breaches)
}

describe.skipIf(!isThere)('the candles of BTC and ETH', () => {
  // Breaches down, up and both, counted a second time by a program of another language that shares
  // nothing with this one but the words of docs/backtest.md (daily files), or as first measured.
  it.each([
    ['BTCUSDT_1d', 1, 2989, [1, 1, 2], [21, 17, 38]],
    ['BTCUSDT_1d', 2, 2988, [7, 6, 13], [23, 15, 38]],
    ['ETHUSDT_1d', 1, 2989, [3, 3, 6], [16, 15, 31]],
    ['ETHUSDT_1d', 2, 2988, [7, 11, 18], [18, 17, 35]],
    ['BTCUSDT_4h', 1, 17912, [10, 9, 19], [107, 104, 211]],
    ['BTCUSDT_4h', 2, 17906, [41, 48, 89], [115, 95, 210]],
    ['ETHUSDT_4h', 1, 17912, [12, 12, 24], [111, 84, 195]],
    ['ETHUSDT_4h', 2, 17906, [61, 76, 137], [112, 101, 213]],
  ])('%s at %s days', (name, horizon, windows, ewma, history) => {
    const report = backtest(read(name))
    expect(report.methods.find((one) => one.horizon === horizon)!.tails[0]!.windows).toBe(windows)
    expect(breachesOf(report, 'ewma', horizon)).toEqual(ewma)
    expect(breachesOf(report, 'history', horizon)).toEqual(history)
  })

  it.each(['BTCUSDT_1d', 'ETHUSDT_1d'])(
    '%s: the range rises less than half as much as FHS',
    (name) => {
      const { methods } = backtest(read(name))
      for (const horizon of [1, 2]) {
        const [ewma, , history] = methods.filter((one) => one.horizon === horizon)
        expect(ewma!.range.peakToTrough! * 2).toBeLessThan(history!.range.peakToTrough!)
      }
    },
  )

  it.each([
    ['BTCUSDT_1d', 0.03301],
    ['ETHUSDT_1d', 0.05705],
  ] as const)(
    '%s: the deviation before 12 March 2020 is the one that the day was built with',
    (name, deviation) => {
      const { closes } = read(name)
      const end = Date.UTC(2020, 2, 12) / 1000
      const at = closes.findIndex(({ time }) => time === end)
      expect(Math.sqrt(dailyVariances(closes)[at]!)).toBeCloseTo(deviation, 5)
    },
  )
})
