/**
 * A backtest of ranges: for each close, the range set at it against the move that followed. What is
 * set at a close uses that close and those before it, nothing later.
 */

import {
  dailyVariances,
  DAY_SECONDS,
  SCAN_PARAMETERS,
  type Close,
  type ScanParameters,
} from '../scan-range.ts'
import {
  conditionalCoverage,
  independence,
  kupiec,
  type IndependenceResult,
  type TestResult,
} from './coverage-tests.ts'
import { METHODS, rangesOf, windowsOf, type Method, type Window } from './methods.ts'
import type { Series } from './series.ts'

export const TAILS = ['down', 'up', 'both'] as const
export type Tail = (typeof TAILS)[number]

export type BacktestParameters = {
  readonly scan: ScanParameters
  readonly staticRange: number
  readonly historyDays: number
  /** Days of residuals before the first range is judged. */
  readonly warmUpDays: number
  readonly tailRate: number
  /** Days over which moves are measured: whole numbers, each once. */
  readonly horizons: readonly number[]
}

/** 99.5 % on each side is what EMIR asks for OTC derivatives (Regulation (EU) 153/2013, art. 24). */
export const BACKTEST_PARAMETERS: BacktestParameters = {
  scan: SCAN_PARAMETERS,
  staticRange: 0.3,
  historyDays: 500,
  warmUpDays: 100,
  tailRate: 0.005,
  horizons: [1, 2],
}

/** All times are closes in seconds since 1970; ranges, moves and excesses are fractions of price. */
export type Breach = {
  readonly start: number
  readonly end: number
  readonly move: number
  readonly range: number
  /** What the move was beyond the range. */
  readonly excess: number
}

export type TailReport = {
  readonly tail: Tail
  /** The breach rate that the tests hold the range to. */
  readonly expectedRate: number
  /** All windows, one per close; those longer than a bar overlap. */
  readonly windows: number
  readonly breaches: number
  readonly coverage: number
  readonly worst: Breach | null
  readonly meanExcess: number | null
  /** The windows that follow each other without overlap from the first close on: the tests' sample. */
  readonly tested: { readonly windows: number; readonly breaches: number }
  /** The fewest and the most breaches in such a sample if it begins at another close. */
  readonly otherStarts: { readonly least: number; readonly most: number }
  readonly kupiec: TestResult
  readonly independence: IndependenceResult
  readonly conditional: TestResult
}

export type RangeReport = {
  readonly mean: number
  readonly least: number
  readonly most: number
  readonly mostAt: number
  /** null if the least is zero. */
  readonly peakToTrough: number | null
  /** The largest rise within exactly five days, relative; null if there are no five days. */
  readonly fiveDayRise: { readonly rise: number; readonly at: number } | null
}

export type MethodReport = {
  readonly horizon: number
  readonly method: Method
  readonly range: RangeReport
  readonly tails: readonly TailReport[]
  /** Of both sides, for the chart. */
  readonly breaches: readonly Breach[]
  /** One for each close from `firstIndex` on. */
  readonly ranges: readonly number[]
}

export type BacktestReport = {
  readonly series: Series
  readonly parameters: BacktestParameters
  /** The first close whose range is judged. */
  readonly firstIndex: number
  readonly methods: readonly MethodReport[]
}

/** Throws an Error if the parameters make no sense or the series is too short to judge anything. */
export function backtest(
  series: Series,
  parameters: BacktestParameters = BACKTEST_PARAMETERS,
): BacktestReport {
  checkParameters(parameters)
  const { closes } = series
  const { horizons, scan } = parameters
  const variances = dailyVariances(closes, scan)
  const longest = Math.max(...horizons)
  const seeded = variances.findIndex((variance) => variance !== undefined)
  const days = parameters.warmUpDays + longest
  const firstTime = (closes[seeded]?.time ?? Infinity) + days * DAY_SECONDS
  const firstIndex = closes.findIndex(({ time }) => time >= firstTime)
  if (firstIndex < 0 || windowsOf(closes, longest, firstIndex).length === 0)
    throw new Error(
      `${series.name}: must span more than ${scan.seedDays + days + longest} days ` +
        `(${scan.seedDays} to seed the variance, ${parameters.warmUpDays} to warm up, twice the ` +
        `horizon of ${longest})`,
    )
  const methods = horizons.flatMap((horizon) => {
    const windows = windowsOf(closes, horizon, firstIndex)
    return METHODS.map((method) => {
      const all = rangesOf(method, closes, variances, horizon, parameters)
      const ranges = all.slice(firstIndex).map((range) => {
        if (range === undefined) throw new Error(`no ${method} range after the warm-up`)
        return range
      })
      const rangeAt = (index: number): number => ranges[index - firstIndex]!
      return {
        horizon,
        method,
        range: rangeReport(closes.slice(firstIndex), ranges),
        tails: TAILS.map((tail) =>
          tailReport(tail, closes, windows, rangeAt, horizon, parameters.tailRate),
        ),
        breaches: breachesOf('both', closes, windows, rangeAt),
        ranges,
      }
    })
  })
  return { series, parameters, firstIndex, methods }
}

function tailReport(
  tail: Tail,
  closes: readonly Close[],
  windows: readonly Window[],
  rangeAt: (index: number) => number,
  horizon: number,
  tailRate: number,
): TailReport {
  const breaches = breachesOf(tail, closes, windows, rangeAt)
  const expectedRate = tail === 'both' ? 2 * tailRate : tailRate
  const isBreach = (window: Window): boolean => excessOf(tail, window, rangeAt) > 0
  const sample = withoutOverlap(windows, 0).map(isBreach)
  const first = closes[windows[0]!.start]!.time
  const counts = windows
    .filter(({ start }) => closes[start]!.time < first + horizon * DAY_SECONDS)
    .map((_, offset) => withoutOverlap(windows, offset).filter(isBreach).length)
  const hits = sample.filter(Boolean).length
  const coverage = kupiec(hits, sample.length, expectedRate)
  const independent = independence(sample)
  return {
    tail,
    expectedRate,
    windows: windows.length,
    breaches: breaches.length,
    coverage: 1 - breaches.length / windows.length,
    worst: breaches.reduce<Breach | null>(
      (worst, breach) => (worst === null || breach.excess > worst.excess ? breach : worst),
      null,
    ),
    meanExcess: breaches.length === 0 ? null : mean(breaches.map(({ excess }) => excess)),
    tested: { windows: sample.length, breaches: hits },
    otherStarts: { least: Math.min(...counts), most: Math.max(...counts) },
    kupiec: coverage,
    independence: independent,
    conditional: conditionalCoverage(coverage, independent),
  }
}

/** Each window begins where the one before it ended. Of all windows one begins at every close. */
function withoutOverlap(windows: readonly Window[], offset: number): readonly Window[] {
  const kept: Window[] = []
  const first = windows[0]!.start
  for (let i = offset; i < windows.length; i = kept.at(-1)!.end - first) kept.push(windows[i]!)
  return kept
}

/** Positive if the move went beyond the range; a move of just the range is covered. */
function excessOf(tail: Tail, { start, move }: Window, rangeAt: (index: number) => number): number {
  const size = tail === 'both' ? Math.abs(move) : tail === 'up' ? move : -move
  return size - rangeAt(start)
}

function breachesOf(
  tail: Tail,
  closes: readonly Close[],
  windows: readonly Window[],
  rangeAt: (index: number) => number,
): readonly Breach[] {
  return windows.flatMap((window) => {
    const excess = excessOf(tail, window, rangeAt)
    if (!(excess > 0)) return []
    const start = closes[window.start]!.time
    const end = closes[window.end]!.time
    return [{ start, end, move: window.move, range: rangeAt(window.start), excess }]
  })
}

const RISE_DAYS = 5

/**
 * Peak to trough and the n-day rise are the measures of D. Murphy, M. Vasios and N. Vause, "An
 * investigation into the procyclicality of risk-based initial margin models", Bank of England
 * Financial Stability Paper 29, 2014; here the rise is relative to where it began.
 */
function rangeReport(closes: readonly Close[], ranges: readonly number[]): RangeReport {
  const least = ranges.reduce((a, b) => Math.min(a, b))
  const most = ranges.reduce((a, b) => Math.max(a, b))
  let fiveDayRise: { rise: number; at: number } | null = null
  let before = -1
  closes.forEach(({ time }, i) => {
    while (closes[before + 1]!.time <= time - RISE_DAYS * DAY_SECONDS) before++
    const from = ranges[before]
    if (from === undefined || from === 0) return
    const rise = ranges[i]! / from - 1
    if (fiveDayRise === null || rise > fiveDayRise.rise) fiveDayRise = { rise, at: time }
  })
  return {
    mean: mean(ranges),
    least,
    most,
    mostAt: closes[ranges.indexOf(most)]!.time,
    peakToTrough: least === 0 ? null : most / least,
    fiveDayRise,
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function checkParameters(parameters: BacktestParameters): void {
  const { horizons, tailRate, staticRange, historyDays, warmUpDays } = parameters
  if (horizons.length === 0 || new Set(horizons).size !== horizons.length)
    throw new RangeError('horizons must be named, each once')
  for (const horizon of horizons)
    if (!Number.isInteger(horizon) || horizon < 1)
      throw new RangeError(`a horizon must be a whole number of days, not ${horizon}`)
  if (!(tailRate > 0 && tailRate < 0.5))
    throw new RangeError(`tailRate must be in (0, 0.5), not ${tailRate}`)
  if (!(staticRange >= 0 && staticRange < Infinity))
    throw new RangeError(`staticRange must not be negative, not ${staticRange}`)
  if (!(warmUpDays > 0 && historyDays >= warmUpDays && historyDays < Infinity))
    throw new RangeError('warmUpDays must be positive and at most historyDays')
}
