/** `cloister risk backtest` as a user meets it: the table, the chart, and every way to ask wrongly. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cloister } from './command.ts'
import { garch } from '../oracle/backtest-synthetic.ts'

let folder: string
let prices: string
let chart: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-backtest-'))
  prices = join(folder, 'prices.csv')
  chart = join(folder, 'chart.svg')
  writeFileSync(prices, csv(400))
})
beforeEach(() => rmSync(chart, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function csv(count: number): string {
  const rows = garch(count, 42).closes.map(
    ({ time, price }) => `${new Date((time - 86_400) * 1000).toISOString().slice(0, 10)},${price}`,
  )
  return ['timestamp,close', ...rows].join('\n')
}

const backtest = (...argv: string[]) => cloister('risk', 'backtest', ...argv)

describe('cloister risk backtest', () => {
  it('teaches with examples, options, exit codes', async () => {
    const { code, out } = await backtest('--help')
    expect(code).toBe(0)
    for (const word of [
      '--horizon',
      '--chart',
      '--no-chart',
      '--until',
      'timestamp',
      'close',
      'cloister risk backtest BTCUSDT_1d.csv',
      'Exit codes',
      'docs/backtest.md',
      '--json',
    ])
      expect(out).toContain(word)
  })

  it('prints the table, explains it, and draws the chart that it names', async () => {
    const { code, out } = await backtest(prices, '--chart', chart)
    expect(code).toBe(0)
    for (const word of ['prices.csv, ', 'Kupiec p', 'EWMA', 'static', 'FHS', 'overlap', 'chart: '])
      expect(out).toContain(word)
    expect(readFileSync(chart, 'utf8')).toContain('</svg>')
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  it('answers --json with one line: figures, parameters, dates', async () => {
    const { code, out, err } = await backtest(prices, prices, '--no-chart', '--json')
    expect(code).toBe(0)
    expect(err).toBe('')
    expect(out.trim().split('\n')).toHaveLength(1)
    const answer = JSON.parse(out)
    expect(answer).toMatchObject({ ok: true, chart: null })
    expect(answer.files).toHaveLength(2)
    expect(answer.files[0]).toMatchObject({
      file: 'prices.csv',
      rows: 400,
      parameters: { scan: { lambda: 0.94 } },
    })
    expect(answer.files[0].methods).toHaveLength(6)
  })

  it('takes other horizons and a part of the file', async () => {
    const { out } = await backtest(
      prices,
      '--no-chart',
      '--json',
      '--horizon',
      '5',
      '--until',
      '2020-12-01',
    )
    const [file] = JSON.parse(out).files
    expect(file.methods.map((one: { horizonDays: number }) => one.horizonDays)).toEqual([5, 5, 5])
    expect(file.to).toBe('2020-12-01T00:00:00Z')
  })

  it('draws over an older chart, and leaves any other file alone', async () => {
    expect((await backtest(prices, '--chart', chart)).code).toBe(0)
    const first = readFileSync(chart, 'utf8')
    expect((await backtest(prices, '--chart', chart, '--horizon', '1')).code).toBe(0)
    expect(readFileSync(chart, 'utf8')).not.toBe(first)
    writeFileSync(chart, '<svg>my drawing</svg>')
    const { code, err } = await backtest(prices, '--chart', chart)
    expect(code).toBe(2)
    expect(err).toContain('is not a chart of this command')
    expect(readFileSync(chart, 'utf8')).toBe('<svg>my drawing</svg>')
  })

  it('never takes the file of prices for the chart', async () => {
    const { code, err } = await backtest(prices, '--chart', prices)
    expect(code).toBe(2)
    expect(err).toContain('--chart must end in .svg')
    expect(readFileSync(prices, 'utf8')).toBe(csv(400))
  })

  it('leaves no chart behind if a file cannot be read', async () => {
    const { code, err } = await backtest(prices, join(folder, 'none.csv'), '--chart', chart)
    expect(code).toBe(2)
    expect(err).toContain('none.csv: there is no such file')
    expect(existsSync(chart)).toBe(false)
  })
})

describe('a wrong question', () => {
  it.each([
    [['--horizon', '0'], '--horizon must be whole days from 1 to 30'],
    [['--horizon', '31'], '--horizon must be'],
    [['--horizon', '1,1'], 'each once'],
    [['--horizon', '1,'], '--horizon must be'],
    [['--horizon', '1.5'], '--horizon must be'],
    [['--horizon', 'two'], '--horizon must be'],
    [['--from', 'yesterday'], '--from: must be a date'],
    [['--from', '2020-06-01', '--until', '2020-06-01'], '--from must be before --until'],
    [['--until', '2020-03-01'], 'must span more than 134 days'],
    [['--until', '2019-01-01'], 'at least two rows of prices, not 0'],
    [['--colour', 'red'], 'unknown option'],
  ])('%j is answered with what must be, and exit code 2', async (argv, words) => {
    const { code, out, err } = await backtest(prices, '--no-chart', ...argv)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toContain(words)
    expect(err.trim().split('\n').at(-1)).toMatch(/^cloister: /)
  })

  it('without a file, with a folder, with a broken row', async () => {
    expect((await backtest()).code).toBe(2)
    mkdirSync(join(folder, 'sub.csv'), { recursive: true })
    expect((await backtest(join(folder, 'sub.csv'), '--no-chart')).err).toContain('must be a file')
    const broken = join(folder, 'broken.csv')
    writeFileSync(broken, 'timestamp,close\n2024-01-01,1\n2024-01-02,zero\n')
    const { code, err } = await backtest(broken, '--no-chart')
    expect(code).toBe(2)
    expect(err).toContain('broken.csv: line 3: close must be a positive number, not "zero"')
    // Two such closes have a quotient that is no number.
    writeFileSync(broken, 'timestamp,close\n2024-01-01,1e-300\n2024-01-02,1e300\n')
    expect((await backtest(broken, '--no-chart')).err).toContain(
      'broken.csv: line 2: close must be',
    )
  })

  it('about a folder for the chart that does not exist', async () => {
    const { code, err } = await backtest(prices, '--chart', join(folder, 'no', 'chart.svg'))
    expect(code).toBe(2)
    expect(err).toContain('the chart cannot be written')
  })
})
