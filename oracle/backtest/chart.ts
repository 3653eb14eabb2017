/**
 * A backtest as a drawing (SVG): for each file the price with the range's band and the breaches, and
 * below it the ranges of the three methods. Colours are of the palette of M. Okabe and K. Ito, which
 * is told apart with any colour vision; shapes and dashes say the same again.
 */

import { ln } from '../elementary.ts'
import type { BacktestReport, Breach, MethodReport } from './backtest.ts'
import { METHODS, windowsOf } from './methods.ts'
import { METHOD_NAMES, titleOf } from './table.ts'

/** In the first lines of every chart, so that a chart may be drawn again over an older one. */
export const CHART_MARK = '<!-- chart of cloister risk backtest -->'

const WIDTH = 1200
const [LEFT, RIGHT] = [80, 1170]
const PANEL = { height: 640, priceTop: 90, priceBottom: 420, rangeTop: 475, rangeBottom: 590 }
/** More points than pixels change nothing to the eye. */
const POINT_COUNT = 3200

const BLUE = '#0072B2'
const ORANGE = '#D55E00'
const GREEN = '#009E73'
const BAND = '#56B4E9'
const GREY = '#555555'
const RANGE_STYLES = {
  ewma: `stroke="${BLUE}"`,
  static: `stroke="${GREY}" stroke-dasharray="7 4"`,
  history: `stroke="${GREEN}" stroke-dasharray="2 2"`,
} as const

type Scale = (value: number) => number
type Point = { readonly time: number; readonly value: number }
/** The close of a window and the band that was set for it when it began. */
type BandPoint = {
  readonly time: number
  readonly price: number
  readonly low: number
  readonly high: number
}

/** One panel for each report, at the longest of its horizons. The result is well-formed XML. */
export function renderChart(reports: readonly BacktestReport[]): string {
  const height = reports.length * PANEL.height
  const names = reports.map(({ series }) => series.name).join(', ')
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    CHART_MARK,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
      `width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="13">`,
    `<title>Price, scan range and breaches: ${escape(names)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...reports.flatMap((report, i) => [
      `<g transform="translate(0 ${i * PANEL.height})">`,
      ...panel(report),
      '</g>',
    ]),
    '</svg>',
    '',
  ].join('\n')
}

function panel(report: BacktestReport): readonly string[] {
  const horizon = Math.max(...report.parameters.horizons)
  const methods = METHODS.map((name) =>
    report.methods.find((one) => one.method === name && one.horizon === horizon)!,
  )
  const house = methods[0]!
  const band = thinned(bandOf(report, house, horizon), house.breaches)
  const start = band[0]!.time
  // A single window still needs an axis of some length.
  const end = Math.max(band.at(-1)!.time, start + 1)
  const x: Scale = (time) => LEFT + ((time - start) / (end - start)) * (RIGHT - LEFT)
  const title = `${titleOf(report)}: price and ${horizon}-day scan range`
  return [
    `<text x="${LEFT}" y="28" font-size="18" font-weight="bold">${escape(title)}</text>`,
    ...legend(house, horizon),
    ...timeAxis(start, end, x),
    ...pricePlot(band, house.breaches, x),
    ...rangePlot(report, methods, x, start, end),
  ]
}

function bandOf(
  { series, firstIndex }: BacktestReport,
  house: MethodReport,
  horizon: number,
): readonly BandPoint[] {
  return windowsOf(series.closes, horizon, firstIndex).map(({ start, end }) => {
    const from = series.closes[start]!.price
    const range = house.ranges[start - firstIndex]!
    const { time, price } = series.closes[end]!
    return { time, price, low: from * (1 - range), high: from * (1 + range) }
  })
}

/** Every n-th point and every breach, so that no mark hangs in the air. */
function thinned(points: readonly BandPoint[], breaches: readonly Breach[]): readonly BandPoint[] {
  const step = Math.ceil(points.length / POINT_COUNT)
  const marked = new Set(breaches.map(({ end }) => end))
  return points.filter(
    ({ time }, i) => i % step === 0 || i === points.length - 1 || marked.has(time),
  )
}

function pricePlot(
  band: readonly BandPoint[],
  breaches: readonly Breach[],
  x: Scale,
): readonly string[] {
  const prices = band.flatMap(({ price, high }) => [price, high])
  const lows = band.flatMap(({ price, low }) => [price, low])
  const [low, high] = [least(lows) / 1.03, most(prices) * 1.03]
  const { priceTop: top, priceBottom: bottom } = PANEL
  const y: Scale = (price) => bottom - (ln(price / low) / ln(high / low)) * (bottom - top)
  const edge = (side: 'low' | 'high') => band.map((p) => ({ time: p.time, value: p[side] }))
  const priceAt = new Map(band.map(({ time, price }) => [time, price]))
  return [
    ...valueAxis(priceTicks(low, high), y, top, bottom, 'price, quote currency, log scale', plain),
    `<path fill="${BAND}" fill-opacity="0.35" d="${path(edge('high'), x, y)}` +
      `${path([...edge('low')].reverse(), x, y).replace('M', 'L')}Z"/>`,
    line(
      band.map(({ time, price }) => ({ time, value: price })),
      x,
      y,
      'stroke="black"',
    ),
    ...breaches.map(({ end, move, range }) =>
      mark(
        x(end),
        y(priceAt.get(end)!),
        move > 0,
        `${new Date(end * 1000).toISOString().slice(0, 16)}Z: ${percent(move)} against a range ` +
          `of ${percent(range)}`,
      ),
    ),
  ]
}

function rangePlot(
  { series, firstIndex }: BacktestReport,
  methods: readonly MethodReport[],
  x: Scale,
  start: number,
  end: number,
): readonly string[] {
  const { rangeTop: top, rangeBottom: bottom } = PANEL
  const highest = most(methods.map(({ range }) => range.most)) * 1.05
  const y: Scale = (range) => bottom - (highest === 0 ? 0 : range / highest) * (bottom - top)
  const step = Math.ceil((series.closes.length - firstIndex) / POINT_COUNT)
  const ticks = stepsUpTo(highest, 4)
  return [
    ...valueAxis(ticks, y, top, bottom, 'range', percent),
    ...methods.map(({ method, ranges }) => {
      const points = ranges
        .map((value, i) => ({ time: series.closes[firstIndex + i]!.time, value }))
        .filter(({ time }, i) => time >= start && time <= end && i % step === 0)
      return line(points, x, y, RANGE_STYLES[method])
    }),
  ]
}

/** Upwards and downwards breaches differ in shape as well as in colour. */
function mark(x: number, y: number, isUp: boolean, words: string): string {
  const [tip, base] = isUp ? [y - 12, y - 3] : [y + 12, y + 3]
  return (
    `<path d="M${at(x)} ${at(tip)}L${at(x - 5)} ${at(base)}L${at(x + 5)} ${at(base)}Z" ` +
    `${isUp ? `fill="white" stroke="${ORANGE}" stroke-width="1.8"` : `fill="${ORANGE}"`}>` +
    `<title>${escape(words)}</title></path>`
  )
}

function legend(house: MethodReport, horizon: number): readonly string[] {
  const ups = house.breaches.filter(({ move }) => move > 0).length
  const downs = house.breaches.length - ups
  const y = 58
  const word = (x: number, text: string) => `<text x="${x}" y="${y + 4}">${escape(text)}</text>`
  const stroke = (x: number, style: string) =>
    `<path d="M${x} ${y}h28" fill="none" stroke-width="1.8" ${style}/>`
  return [
    stroke(LEFT, 'stroke="black"'),
    word(LEFT + 34, 'close'),
    `<rect x="${LEFT + 90}" y="${y - 7}" width="28" height="14" fill="${BAND}" fill-opacity="0.35"/>`,
    word(LEFT + 124, `EWMA range set ${horizon} ${horizon === 1 ? 'day' : 'days'} before`),
    mark(LEFT + 350, y - 7, false, 'below the range'),
    word(LEFT + 362, `breach below (${downs})`),
    mark(LEFT + 500, y + 7, true, 'above the range'),
    word(LEFT + 512, `breach above (${ups})`),
    word(LEFT + 650, 'lower plot:'),
    ...METHODS.flatMap((method, i) => [
      stroke(LEFT + 740 + 110 * i, RANGE_STYLES[method]),
      word(LEFT + 774 + 110 * i, METHOD_NAMES[method]),
    ]),
  ]
}

function timeAxis(start: number, end: number, x: Scale): readonly string[] {
  const { priceTop, priceBottom, rangeTop, rangeBottom } = PANEL
  const grid = timeTicks(start, end).flatMap(({ time, label }) => [
    `<path d="M${at(x(time))} ${priceTop}V${priceBottom}M${at(x(time))} ${rangeTop}V${rangeBottom}" ` +
      'stroke="#DDDDDD"/>',
    `<text x="${at(x(time))}" y="${priceBottom + 18}" text-anchor="middle">${label}</text>`,
    `<text x="${at(x(time))}" y="${rangeBottom + 18}" text-anchor="middle">${label}</text>`,
  ])
  const middle = (LEFT + RIGHT) / 2
  return [
    ...grid,
    `<text x="${middle}" y="${rangeBottom + 38}" text-anchor="middle">end of window, UTC</text>`,
  ]
}

function valueAxis(
  ticks: readonly number[],
  y: Scale,
  top: number,
  bottom: number,
  name: string,
  word: (value: number) => string,
): readonly string[] {
  const middle = (top + bottom) / 2
  return [
    ...ticks.flatMap((tick) => [
      `<path d="M${LEFT} ${at(y(tick))}H${RIGHT}" stroke="#DDDDDD"/>`,
      `<text x="${LEFT - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${word(tick)}</text>`,
    ]),
    `<rect x="${LEFT}" y="${top}" width="${RIGHT - LEFT}" height="${bottom - top}" fill="none" ` +
      'stroke="#888888"/>',
    `<text transform="translate(20 ${middle}) rotate(-90)" text-anchor="middle">${name}</text>`,
  ]
}

/** 1, 2 and 5 times powers of ten; none of them may lie within, then the ends are named. */
function priceTicks(low: number, high: number): readonly number[] {
  const ticks: number[] = []
  for (let power = -12; power <= 15; power++)
    for (const digit of [1, 2, 5]) {
      const tick = Number(`${digit}e${power}`)
      if (tick >= low && tick <= high) ticks.push(tick)
    }
  return ticks.length > 1 ? ticks : [low * 1.03, high / 1.03]
}

function stepsUpTo(highest: number, count: number): readonly number[] {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10]
  const step = steps.find((one) => highest / one <= count) ?? highest / count
  const ticks: number[] = []
  for (let i = 0; i * step <= highest; i++) ticks.push(i * step)
  return ticks
}

/** Years if there are at least three, else months, else the two ends. */
function timeTicks(
  start: number,
  end: number,
): readonly { readonly time: number; readonly label: string }[] {
  const first = new Date(start * 1000)
  const tick = (month: number, length: number) => {
    const time = Date.UTC(first.getUTCFullYear(), month) / 1000
    return { time, label: new Date(time * 1000).toISOString().slice(0, length) }
  }
  const within = ({ time }: { readonly time: number }) => time >= start && time <= end
  const years = Array.from({ length: 60 }, (_, i) => tick(12 * i, 4)).filter(within)
  if (years.length >= 3) return years
  const months = Array.from({ length: 60 }, (_, i) => tick(i, 7)).filter(within)
  if (months.length >= 2) return months.filter((_, i) => i % Math.ceil(months.length / 12) === 0)
  return [start, end].map((time) => ({
    time,
    label: new Date(time * 1000).toISOString().slice(0, 10),
  }))
}

function line(points: readonly Point[], x: Scale, y: Scale, style: string): string {
  return `<path fill="none" stroke-width="1.2" ${style} d="${path(points, x, y)}"/>`
}

function path(points: readonly Point[], x: Scale, y: Scale): string {
  return points
    .map(({ time, value }, i) => `${i === 0 ? 'M' : 'L'}${at(x(time))} ${at(y(value))}`)
    .join('')
}

const at = (coordinate: number): string => `${Number(coordinate.toFixed(1))}`
const plain = (value: number): string => `${Number(value.toPrecision(4))}`
const percent = (fraction: number): string => `${Number((100 * fraction).toFixed(1))} %`
const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b))
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b))

/** For text and attributes; control characters, which XML 1.0 has not, become question marks. */
function escape(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
}
