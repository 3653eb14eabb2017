/** `cloister risk backtest`: would the scan range have held, on prices that were. */
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { backtest, BACKTEST_PARAMETERS } from '../../oracle/backtest/backtest.ts'
import { CHART_MARK, renderChart } from '../../oracle/backtest/chart.ts'
import { parseSeries, parseTime, type Series, type Span } from '../../oracle/backtest/series.ts'
import { LEGEND, renderTable, reportJson } from '../../oracle/backtest/table.ts'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'

export type BacktestOptions = {
  readonly horizon: string
  /** A file name, or false for --no-chart. */
  readonly chart: string | false
  readonly from?: string
  readonly until?: string
}

const DEFAULT_CHART = 'cloister-backtest.svg'
const HORIZON_UPPER_BOUND = 31

const HELP = `
FILE is CSV with a header that names timestamp (the open of the bar, UTC: 2024-05-31 or 2024-05-31
16:00:00) and close, in the order of time, bars of a day or shorter: what an exchange exports as
klines. Other columns are not read. Examples:
  cloister risk backtest BTCUSDT_1d.csv
  cloister risk backtest BTCUSDT_1d.csv ETHUSDT_4h.csv --chart ranges.svg
  cloister risk backtest BTCUSDT_1d.csv --horizon 1,2,5 --until 2026-03-01 --no-chart --json
At every close the range of that close is held against the move over the next days, beside a range
of 30 % that never moves and filtered historical simulation. A breach is a move beyond the range:
margin taken by it alone would not have paid for it. How to read the columns stands below the
table; the method, its parameters and its limits are in docs/backtest.md.
The chart shows the longest horizon, one panel for each file. An older chart is drawn over; any
other file of that name is left alone.
Exit codes: 0 the table stands, whatever it says; 2 it could not be made.`

export function addBacktest(
  risk: Command,
  commonOf: (command: Command) => Common,
  run: (work: Promise<Result>) => Promise<void>,
): void {
  risk
    .command('backtest <file...>')
    .description('hold the scan range against past prices; print a table and draw a chart')
    .option('--horizon <days>', 'days until close-out, whole numbers with commas between', '1,2')
    .option('--chart <file>', 'where to draw the chart, a name that ends in .svg', DEFAULT_CHART)
    .option('--no-chart', 'draw none')
    .option('--from <date>', 'leave out bars that open before this date (UTC)')
    .option('--until <date>', 'leave out bars that open on this date or later (UTC)')
    .addHelpText('after', HELP)
    .action((files: string[], options: BacktestOptions, command: Command) =>
      run(backtestFiles(files, { ...commonOf(command), ...options })),
    )
}

export async function backtestFiles(
  files: readonly string[],
  options: BacktestOptions & Pick<Common, 'note'>,
): Promise<Result> {
  const parameters = { ...BACKTEST_PARAMETERS, horizons: parseHorizons(options.horizon) }
  const span = parseSpan(options)
  // Before the work, which takes seconds: a name that cannot be used is said at once.
  const chart = options.chart === false ? null : chartPath(options.chart)
  const reports = files.map((file) => {
    options.note(`reading ${file}`)
    return backtest(readSeries(file, span), parameters)
  })
  if (chart !== null) writeChart(chart, renderChart(reports))
  return {
    text: [
      ...reports.flatMap((report) => [renderTable(report), '']),
      LEGEND,
      ...(chart === null ? [] : ['', `chart: ${chart}`]),
    ].join('\n'),
    json: { chart, files: reports.map(reportJson) },
  }
}

function readSeries(file: string, span: Span): Series {
  const path = fromHere(file)
  if (!existsSync(path)) throw new Undone(`${file}: there is no such file`)
  if (!statSync(path).isFile()) throw new Undone(`${file}: must be a file`)
  return parseSeries(basename(file), readFileSync(path, 'utf8'), span)
}

function parseHorizons(text: string): readonly number[] {
  const horizons = text.split(',').map((word) => (/^\d{1,3}$/.test(word) ? Number(word) : NaN))
  const isGood = (days: number): boolean => days >= 1 && days < HORIZON_UPPER_BOUND
  if (!horizons.every(isGood) || new Set(horizons).size !== horizons.length)
    throw new Undone(
      `--horizon must be whole days from 1 to ${HORIZON_UPPER_BOUND - 1}, each once, such as 1,2`,
    )
  return horizons
}

function parseSpan({ from, until }: BacktestOptions): Span {
  const span: Span = {
    ...(from === undefined ? {} : { from: parseTime(from, '--from') }),
    ...(until === undefined ? {} : { until: parseTime(until, '--until') }),
  }
  if ((span.from ?? -Infinity) >= (span.until ?? Infinity))
    throw new Undone('--from must be before --until')
  return span
}

/** Only a new name or an older chart: a slip of the fingers must not cost anybody a file. */
function chartPath(name: string): string {
  if (!/\.svg$/i.test(name)) throw new Undone(`--chart must end in .svg, not be ${name}`)
  const path = fromHere(name)
  if (!existsSync(path)) return path
  if (!statSync(path).isFile() || !readFileSync(path, 'utf8').slice(0, 200).includes(CHART_MARK))
    throw new Undone(
      `${name} exists and is not a chart of this command: ` + 'choose another name with --chart',
    )
  return path
}

/** Whole or not at all. */
function writeChart(path: string, svg: string): void {
  const part = `${path}.${process.pid}.part`
  try {
    writeFileSync(part, svg)
    renameSync(part, path)
  } catch (error) {
    rmSync(part, { force: true })
    throw new Undone(`the chart cannot be written: ${(error as Error).message}`)
  }
}
