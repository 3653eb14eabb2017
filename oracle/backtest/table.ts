/** A backtest as a table for people, and as plain values for a program. */

import type { BacktestReport, MethodReport, TailReport } from './backtest.ts'
import type { TestResult } from './coverage-tests.ts'

const HEADER = [
  'days',
  'range',
  'mean',
  'peak/trough',
  '5d rise',
  'tail',
  'breaches',
  'windows',
  'coverage',
  'max excess',
  'on',
  'avg excess',
  'tested',
  'Kupiec p',
  'indep. p',
  'cond. p',
] as const
/** Words stand left, figures right. */
const LEFT: ReadonlySet<string> = new Set(['range', 'tail', 'on', 'Kupiec p'])

export const METHOD_NAMES = { ewma: 'EWMA', static: 'static', history: 'FHS' } as const

/** Below it a p-value is marked. */
const SIGNIFICANCE = 0.05

export const LEGEND = [
  'range: EWMA is the scan range of the house; static never moves; FHS is filtered historical',
  'simulation for that horizon. Mean (of the range) and excess (what a move was beyond it) are per',
  'cent of price; peak/trough and 5d rise, the largest one, say how much the range swings. Windows',
  'begin at every close and may overlap; tested are those that follow each other without overlap',
  '(breaches/windows; in brackets the fewest and the most breaches, had they begun at another',
  "close). From them come the p-values: Kupiec for the rate, indep. for Christoffersen's",
  'independence, cond. for both. Below 0.05 Kupiec says whether breaches were too few or too many;',
  'n/a: too few breaches to compare.',
].join('\n')

export function renderTable(report: BacktestReport): string {
  const rows = report.methods.flatMap((method) =>
    method.tails.map((tail, i) => rowOf(method, tail, i === 0)),
  )
  const { tailRate } = report.parameters
  return [
    titleOf(report),
    `expected: ${percent(tailRate, 1)} breaches on each side, ${percent(2 * tailRate, 1)} on both`,
    '',
    ...aligned([HEADER, ...rows]),
  ].join('\n')
}

/** The file, the judged dates and the length of a bar. */
export function titleOf({ series, firstIndex }: BacktestReport): string {
  const { closes, barSeconds, name } = series
  const bar = barSeconds % 3600 === 0 ? `${barSeconds / 3600}-hour` : `${barSeconds}-second`
  return `${name}, ${dateOf(closes[firstIndex]!.time)} to ${dateOf(closes.at(-1)!.time)}, ${bar} bars`
}

function rowOf(method: MethodReport, tail: TailReport, isFirst: boolean): readonly string[] {
  const { range } = method
  const rise = range.fiveDayRise
  const ratio = range.peakToTrough
  const head = isFirst
    ? [
        `${method.horizon}`,
        METHOD_NAMES[method.method],
        percent(range.mean, 1),
        ratio === null ? '-' : ratio.toFixed(2),
        rise === null ? '-' : `${rise.rise > 0 ? '+' : ''}${percent(rise.rise, 0)}`,
      ]
    : ['', '', '', '', '']
  const { worst, tested, independence } = tail
  return [
    ...head,
    tail.tail,
    `${tail.breaches}`,
    `${tail.windows}`,
    percent(tail.coverage, 2),
    worst === null ? '-' : percent(worst.excess, 1),
    worst === null ? '-' : dateOf(worst.end),
    tail.meanExcess === null ? '-' : percent(tail.meanExcess, 1),
    `${tested.breaches}/${tested.windows}${others(tail)}`,
    `${pValue(tail.kupiec)}${sideOf(tail)}`,
    independence.isInformative ? pValue(independence) : 'n/a',
    pValue(tail.conditional),
  ]
}

/** How the count would differ had the sample begun at another close. */
function others({ otherStarts: { least, most } }: TailReport): string {
  return least === most ? '' : ` (${least}-${most})`
}

function sideOf({ kupiec, tested, expectedRate }: TailReport): string {
  if (kupiec.pValue >= SIGNIFICANCE) return ''
  return tested.breaches < tested.windows * expectedRate ? ' few' : ' many'
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADER.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return LEFT.has(HEADER[column] ?? '') ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
}

/** Ranges of every close are left out: they are in the chart and follow from the file. */
export function reportJson(report: BacktestReport): Readonly<Record<string, unknown>> {
  const { series, parameters, firstIndex, methods } = report
  return {
    file: series.name,
    barSeconds: series.barSeconds,
    rows: series.closes.length,
    from: isoOf(series.closes[firstIndex]!.time),
    to: isoOf(series.closes.at(-1)!.time),
    unit: 'fraction of price',
    parameters,
    methods: methods.map(({ horizon, method, range, tails, breaches }) => ({
      horizonDays: horizon,
      method,
      range: {
        ...range,
        mostAt: isoOf(range.mostAt),
        fiveDayRise:
          range.fiveDayRise === null
            ? null
            : { ...range.fiveDayRise, at: isoOf(range.fiveDayRise.at) },
      },
      tails: tails.map((tail) => ({
        ...tail,
        worst:
          tail.worst === null
            ? null
            : { ...tail.worst, start: isoOf(tail.worst.start), end: isoOf(tail.worst.end) },
      })),
      breaches: breaches.map((breach) => ({
        ...breach,
        start: isoOf(breach.start),
        end: isoOf(breach.end),
      })),
    })),
  }
}

export function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

/**
 * The day of the bar that closed then: a close at midnight belongs to the day that it ended, as on
 * every chart.
 */
export function dateOf(seconds: number): string {
  return isoOf(seconds - 1).slice(0, 10)
}

function percent(fraction: number, digits: number): string {
  return `${(100 * fraction).toFixed(digits)}%`
}

function pValue({ pValue: p }: TestResult): string {
  return p < 0.001 ? '<0.001' : p.toFixed(3)
}
