/** Reading candles, and the table and the chart that come of them. */
import { describe, expect, it } from 'vitest'
import { backtest, BACKTEST_PARAMETERS } from '../../oracle/backtest/backtest.ts'
import { CHART_MARK, renderChart } from '../../oracle/backtest/chart.ts'
import { parseSeries, parseTime } from '../../oracle/backtest/series.ts'
import { dateOf, renderTable, reportJson } from '../../oracle/backtest/table.ts'
import { DAY_SECONDS } from '../../oracle/scan-range.ts'
import { garch, seriesOf } from './backtest-synthetic.ts'

const HEADER = 'timestamp,open,high,low,close,volume'
const row = (time: string, close: string): string => `${time},1,1,1,${close},1`
const file = (...rows: readonly string[]): string => [HEADER, ...rows].join('\n')

describe('candles', () => {
  it('close one bar after they open', () => {
    const series = parseSeries('a', file(row('2024-02-28', '10'), row('2024-02-29', '11.5')))
    expect(series.barSeconds).toBe(DAY_SECONDS)
    expect(series.closes).toEqual([
      { time: Date.UTC(2024, 1, 29) / 1000, price: 10 },
      { time: Date.UTC(2024, 2, 1) / 1000, price: 11.5 },
    ])
  })

  it('of four hours are told by the most frequent distance, gaps or not', () => {
    const series = parseSeries(
      'a',
      file(
        row('2024-01-01 00:00:00', '1'),
        row('2024-01-01 12:00:00', '2'),
        row('2024-01-01 16:00:00', '3'),
        row('2024-01-01T20:00:00Z', '4'),
      ),
    )
    expect(series.barSeconds).toBe(4 * 3600)
    expect(series.closes.at(-1)!.time).toBe(Date.UTC(2024, 0, 2) / 1000)
  })

  it('may come with other columns, CRLF, a byte order mark and empty lines', () => {
    const text = '\uFEFFclose,Timestamp\r\n7,2024-01-01\r\n\r\n8,2024-01-02\r\n'
    expect(parseSeries('a', text).closes.map(({ price }) => price)).toEqual([7, 8])
  })

  it('can be cut at both ends; the order of the rest is checked all the same', () => {
    const text = file(...['01', '02', '03', '04'].map((day) => row(`2024-01-${day}`, day)))
    const span = { from: parseTime('2024-01-02', ''), until: parseTime('2024-01-04', '') }
    expect(parseSeries('a', text, span).closes.map(({ price }) => price)).toEqual([2, 3])
    expect(() => parseSeries('a', `${text}\n${row('2024-01-04', '5')}`, span)).toThrow('line 6')
  })

  it.each([
    ['', 'must name the columns'],
    ['date,price\n2024-01-01,1', 'timestamp is missing'],
    ['timestamp,price\n2024-01-01,1', 'close is missing'],
    [HEADER, 'at least two rows of prices, not 0'],
    [file(row('2024-01-01', '1')), 'at least two rows of prices, not 1'],
    [file(row('2024-01-02', '1'), row('2024-01-01', '1')), 'line 3: rows must be in the order'],
    [file(row('2024-01-01', '1'), row('2024-01-01', '1')), 'line 3: rows must be in the order'],
    [file(row('2024-01-01', '0'), row('2024-01-02', '1')), 'line 2: close must be a positive'],
    [file(row('2024-01-01', '-3'), row('2024-01-02', '1')), 'line 2: close must be a positive'],
    [file(row('2024-01-01', '1'), row('2024-01-02', '')), 'line 3: close must be a positive'],
    [file(row('2024-01-01', '1'), row('2024-01-02', 'abc')), 'not "abc"'],
    [file(row('2024-01-01', '1'), row('2024-01-02', 'NaN')), 'not "NaN"'],
    [file(row('2024-01-01', '1'), row('2024-01-02', '0x10')), 'not "0x10"'],
    [file(row('2024-01-01', '1'), row('2024-01-02', '1e999')), 'not "1e999"'],
    [file(row('2024-01-01', '1'), '2024-01-02'), 'line 3: close must be a positive'],
    [file(row('2024-02-30', '1')), 'must be a date'],
    [file(row('1704067200000', '1')), 'must be a date'],
    [file(row('2024-01-01 25:00:00', '1')), 'must be a date'],
    [file(row('2024-01-01', '1'), row('2024-01-08', '1')), 'a day or shorter, not 7 days'],
  ])('are refused: %j', (text, words) => {
    expect(() => parseSeries('prices.csv', text)).toThrow(words)
    expect(() => parseSeries('prices.csv', text)).toThrow(/^prices\.csv: /)
  })
})

describe('the table', () => {
  const report = backtest(garch(600, 31))
  const lines = renderTable(report).split('\n')

  it('has a row for each horizon, method and tail, within 160 columns', () => {
    expect(lines[0]).toBe('synthetic, 2020-05-12 to 2021-08-22, 24-hour bars')
    expect(lines.slice(4)).toHaveLength(2 * 3 * 3)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(160)
  })

  it('says what is not there instead of a number that is none', () => {
    const flat = renderTable(backtest(seriesOf(Array.from({ length: 200 }, () => 5))))
    expect(flat).not.toMatch(/NaN|Infinity|undefined|null/)
    expect(flat).toContain('n/a')
  })

  it('names the side on which Kupiec rejects', () => {
    const rejected = { ...BACKTEST_PARAMETERS, tailRate: 0.1 }
    expect(renderTable(backtest(garch(600, 31), rejected))).toMatch(/<0\.001 few/)
    const many = { ...BACKTEST_PARAMETERS, staticRange: 0.01 }
    expect(renderTable(backtest(garch(600, 31), many))).toMatch(/<0\.001 many/)
  })

  it('as JSON carries the same breaches and survives a round trip', () => {
    const json = reportJson(report)
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
    expect(JSON.stringify(json)).not.toContain('"ranges"')
  })

  it('dates a close at midnight by the day that it ended', () => {
    expect(dateOf(Date.UTC(2020, 2, 13) / 1000)).toBe('2020-03-12')
    expect(dateOf(Date.UTC(2020, 2, 13, 4) / 1000)).toBe('2020-03-13')
  })
})

/** Every element closed in its order, attributes quoted and named once, no bare & or <. */
function wellFormed(xml: string): number {
  const body = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '')
  expect(body).not.toBe(xml)
  const open: string[] = []
  let count = 0
  let rest = body.replace(/<!--(?:(?!--)[^])*-->/g, '')
  const tag = /^<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)(\/?)>/
  while (rest.trim() !== '') {
    const text = /^[^<]*/.exec(rest)![0]
    expect(text).not.toMatch(/&(?!(amp|lt|gt|quot);)/)
    expect(text).not.toMatch(/[\u0000-\u0008]/)
    rest = rest.slice(text.length)
    const found = tag.exec(rest)
    if (found === null) {
      expect(rest.trim()).toBe('')
      break
    }
    const [all, isEnd, name, attributes, isEmpty] = found
    expect(attributes).not.toMatch(/&(?!(amp|lt|gt|quot);)/)
    const names = [...attributes!.matchAll(/ ([a-zA-Z-]+)=/g)].map(([, key]) => key)
    expect(new Set(names).size).toBe(names.length)
    if (isEnd === '/') expect(open.pop()).toBe(name)
    else if (isEmpty === '') open.push(name!)
    if (isEnd === '') count++
    rest = rest.slice(all.length)
  }
  expect(open).toEqual([])
  return count
}

describe('the chart', () => {
  // Two jumps, so that there are breaches on both sides.
  const jumps = (i: number): number => (i < 300 ? 1 : i < 400 ? 0.6 : 1.2)
  const wild = seriesOf(garch(600, 31).closes.map(({ price }, i) => price * jumps(i)))
  const report = backtest(wild)
  const svg = renderChart([report])

  it('is well-formed, marked as ours, and has no number that is none', () => {
    expect(wellFormed(svg)).toBeGreaterThan(30)
    expect(svg.slice(0, 200)).toContain(CHART_MARK)
    expect(/NaN|Infinity|undefined/.test(svg)).toBe(false)
  })

  it('names the file, the dates, the axes with their units, and every line', () => {
    for (const words of [
      'synthetic, 2020-05-12 to 2021-08-22',
      'log scale',
      'end of window, UTC',
      'range',
      '%',
      'close',
      'EWMA',
      'static',
      'FHS',
      'breach below',
      'breach above',
    ])
      expect(svg.includes(words), words).toBe(true)
  })

  it('marks each breach of the longest horizon once, of each side in its shape', () => {
    const house = report.methods.find((one) => one.method === 'ewma' && one.horizon === 2)!
    const marks = [...svg.matchAll(/<title>[^<]* against a range of/g)]
    expect(marks).toHaveLength(house.breaches.length)
    const ups = house.breaches.filter(({ move }) => move > 0).length
    expect(ups).toBeGreaterThan(0)
    expect(house.breaches.length - ups).toBeGreaterThan(0)
    expect(svg.includes(`breach above (${ups})`)).toBe(true)
    expect(svg.includes(`breach below (${house.breaches.length - ups})`)).toBe(true)
  })

  it('stays well-formed with any file name, a flat price, one window, wild prices', () => {
    const named = { ...report, series: { ...wild, name: 'a<b>&"c"\u0001\'.csv' } }
    wellFormed(renderChart([named, report]))
    const flat = backtest(seriesOf(Array.from({ length: 200 }, () => 5)))
    const one = backtest(garch(135, 1))
    const wide = backtest(seriesOf(garch(300, 8).closes.map(({ price }) => price ** 12)))
    expect(wide.methods.some(({ range }) => range.most > 1)).toBe(true)
    for (const each of [flat, one, wide]) {
      const text = renderChart([each])
      wellFormed(text)
      expect(/NaN|Infinity/.test(text)).toBe(false)
    }
  })

  it('of many bars is thinned, but loses no breach', () => {
    const fine = backtest(garch(6 * 2000, 17, 6))
    const text = renderChart([fine])
    expect(text.length).toBeLessThan(400_000)
    const house = fine.methods.find((one) => one.method === 'ewma' && one.horizon === 2)!
    expect([...text.matchAll(/against a range of/g)]).toHaveLength(house.breaches.length)
  })
})
