/** Closing prices from a file of candles, as text: what a backtest may take for granted. */

import { DAY_SECONDS, type Close } from '../scan-range.ts'

export type Series = {
  /** The file's name, for people. */
  readonly name: string
  /** In the order of time; time is that of the close, the open's plus one bar. */
  readonly closes: readonly Close[]
  /** The length of a bar: the most frequent distance between two rows. */
  readonly barSeconds: number
}

/** Which rows count, as dates of the bar's open: from is included, until is not. */
export type Span = { readonly from?: number; readonly until?: number }

/**
 * Reads CSV with a header that names `timestamp` (the bar's open, UTC: 2024-05-31 or 2024-05-31
 * 16:00:00) and `close`; other columns are ignored. Throws an Error that names the line.
 */
export function parseSeries(name: string, text: string, span: Span = {}): Series {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const header = (lines[0] ?? '').split(',').map((word) => word.trim().toLowerCase())
  const timeColumn = columnOf(name, header, 'timestamp')
  const closeColumn = columnOf(name, header, 'close')
  const opens: Close[] = []
  let last = -Infinity
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === '') return
    const where = `${name}: line ${i + 2}`
    const cells = line.split(',')
    const time = parseTime(cells[timeColumn]?.trim() ?? '', where)
    const price = parsePrice(cells[closeColumn]?.trim() ?? '', where)
    if (time <= last) throw new Error(`${where}: rows must be in the order of time, each once`)
    last = time
    if (time >= (span.from ?? -Infinity) && time < (span.until ?? Infinity))
      opens.push({ time, price })
  })
  if (opens.length < 2)
    throw new Error(`${name}: must have at least two rows of prices, not ${opens.length}`)
  const barSeconds = mostFrequent(opens.slice(1).map((open, i) => open.time - opens[i]!.time))
  if (barSeconds > DAY_SECONDS)
    throw new Error(`${name}: bars must be a day or shorter, not ${barSeconds / DAY_SECONDS} days`)
  const closes = opens.map(({ time, price }) => ({ time: time + barSeconds, price }))
  return { name, closes, barSeconds }
}

/** Seconds since 1970 of a UTC date or date and time; a day that no calendar has is refused. */
export function parseTime(text: string, where: string): number {
  const found = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}:\d{2})(?:\.000)?Z?)?$/.exec(text)
  const iso = found === null ? '' : `${found[1]}T${found[2] ?? '00:00:00'}.000Z`
  const time = Date.parse(iso)
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso)
    throw new Error(
      `${where}: must be a date such as 2024-05-31 or 2024-05-31 16:00:00, ` +
        `not ${JSON.stringify(text)}`,
    )
  return time / 1000
}

function parsePrice(text: string, where: string): number {
  const price = /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN
  // Between the bounds the quotient of two of them is a number as well.
  if (!(price >= 1e-15 && price < 1e15))
    throw new Error(
      `${where}: close must be a positive number, not ${JSON.stringify(text)}` +
        (price > 0 ? ': it must be from 10^-15 to 10^15' : ''),
    )
  return price
}

function columnOf(name: string, header: readonly string[], column: string): number {
  const index = header.indexOf(column)
  if (index < 0)
    throw new Error(
      `${name}: the first line must name the columns timestamp and close; ` +
        `${column} is missing`,
    )
  return index
}

/** The smaller one of two that are as frequent. */
function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const [best] = [...counts].sort(([a, n], [b, m]) => m - n || a - b)
  return best?.[0] ?? 0
}
