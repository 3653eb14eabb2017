/** The scan range: the formula at its edges, the seed, the scaling of time. */
import { describe, expect, it } from 'vitest'
import { marketAt } from '../../oracle/day-2020-03-12.ts'
import {
  DAY_SECONDS,
  dailyVariances,
  rangeOfVariance,
  SCAN_PARAMETERS,
  scanRange,
  type Close,
  type ScanParameters,
} from '../../oracle/scan-range.ts'
import { garch, seriesOf, START } from './backtest-synthetic.ts'

const closesOf = (prices: readonly number[], bar = DAY_SECONDS): readonly Close[] =>
  seriesOf(prices, bar).closes

/** A market that moves by the same size every day, up and down in turn. */
const zigzag = (size: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 100 : 100 * Math.exp(size)))

/** 0.75 * 10 % + 0.25 * 30 %. */
const FLOOR_RANGE = 0.75 * 0.1 + 0.25 * 0.3

describe('the range of a variance', () => {
  it('is the floor and the stressed part in a quiet market', () => {
    expect(rangeOfVariance(0)).toBe(FLOOR_RANGE)
  })

  it('leaves the floor exactly where three deviations over two days pass it', () => {
    const edge = (0.1 / 3) ** 2 / 2
    expect(rangeOfVariance(edge * 0.999)).toBe(FLOOR_RANGE)
    expect(rangeOfVariance(edge * 1.001)).toBeGreaterThan(FLOOR_RANGE)
  })

  it('is 0.75 * 3 * sigma * sqrt(2) + 0.075 above it', () => {
    expect(rangeOfVariance(0.05 ** 2)).toBeCloseTo(0.75 * 3 * 0.05 * Math.SQRT2 + 0.075, 15)
  })

  it('stays below the price itself, whatever happens', () => {
    const edge = ((0.9 - 0.075) / (0.75 * 3)) ** 2 / 2
    expect(rangeOfVariance(edge * 0.999)).toBeLessThan(0.9)
    expect(rangeOfVariance(edge * 1.001)).toBe(0.9)
    expect(rangeOfVariance(1e300)).toBe(0.9)
    const tenfold = [...zigzag(0.03, 60), 1000]
    expect(scanRange(closesOf(tenfold))).toBe(0.9)
  })

  it('moves with each parameter by itself', () => {
    const base = rangeOfVariance(0.05 ** 2)
    const change = (part: Partial<ScanParameters>): number =>
      rangeOfVariance(0.05 ** 2, { ...SCAN_PARAMETERS, ...part })
    expect(change({ deviations: 4 })).toBeGreaterThan(base)
    expect(change({ liquidationDays: 1 })).toBeLessThan(base)
    expect(change({ floor: 0.5 })).toBeCloseTo(0.75 * 0.5 + 0.075, 15)
    expect(change({ stressedMove: 0.4 })).toBeCloseTo(base + 0.025, 15)
    expect(change({ stressedWeight: 1 })).toBe(0.3)
    expect(change({ ceiling: 0.2 })).toBe(0.2)
  })

  it.each([-1e-9, NaN, Infinity])('refuses the variance %s', (variance) => {
    expect(() => rangeOfVariance(variance)).toThrow('must be finite')
  })

  it('is the one that the tables of 12 March 2020 were built with', () => {
    const move = Math.log(4800.0 / 7934.52)
    const variance = 0.94 * 0.03301 ** 2 + 0.06 * move * move
    expect(marketAt(5).scanRange.BTC).toBeCloseTo(rangeOfVariance(variance), 13)
  })
})

describe('the variance', () => {
  it('is undefined until the seed spans its days, and the mean square at that close', () => {
    const variances = dailyVariances(closesOf(zigzag(0.02, 32)))
    expect(variances.slice(0, 30).every((variance) => variance === undefined)).toBe(true)
    expect(variances[30]).toBeCloseTo(0.02 ** 2, 15)
  })

  it('follows the textbook recursion on daily bars', () => {
    const { closes } = garch(200, 1)
    const moves = closes.slice(1).map(({ price }, i) => Math.log(price / closes[i]!.price))
    let variance = moves.slice(0, 30).reduce((sum, move) => sum + move * move, 0) / 30
    for (const move of moves.slice(30)) variance = 0.94 * variance + 0.06 * move * move
    expect(dailyVariances(closes).at(-1)).toBeCloseTo(variance, 15)
  })

  it('is the same for four-hour bars of the same volatility', () => {
    const daily = dailyVariances(closesOf(zigzag(0.03, 200))).at(-1)!
    const fine = zigzag(0.03 / Math.sqrt(6), 1200)
    expect(dailyVariances(closesOf(fine, DAY_SECONDS / 6)).at(-1)).toBeCloseTo(daily, 12)
  })

  it('remembers six four-hour bars as long as one day', () => {
    const flat = Array.from({ length: 181 + 6 }, (_, i) => (i % 2 === 0 || i > 180 ? 100 : 101))
    const variances = dailyVariances(closesOf(flat, DAY_SECONDS / 6))
    expect(variances[186]! / variances[180]!).toBeCloseTo(0.94, 14)
  })

  it('counts a bar after a gap for the days that it bridges', () => {
    const closes = closesOf(zigzag(0.02, 40))
    const last = closes.at(-1)!
    const move = 0.06
    const after = { time: last.time + 4 * DAY_SECONDS, price: last.price * Math.exp(move) }
    const before = dailyVariances(closes).at(-1)!
    const kept = 0.94 ** 4
    expect(dailyVariances([...closes, after]).at(-1)).toBeCloseTo(
      kept * before + ((1 - kept) * move * move) / 4,
      15,
    )
  })

  it('of each close does not know what came after it', () => {
    const { closes } = garch(120, 7)
    const whole = dailyVariances(closes)
    for (let count = 0; count <= closes.length; count += 9)
      expect(dailyVariances(closes.slice(0, count))).toEqual(whole.slice(0, count))
  })
})

describe('scanRange', () => {
  it('is that of the last close', () => {
    const { closes } = garch(100, 3)
    expect(scanRange(closes)).toBe(rangeOfVariance(dailyVariances(closes).at(-1)!))
  })

  it('needs closes that span the seed', () => {
    expect(() => scanRange(closesOf(zigzag(0.01, 30)))).toThrow('must span at least 30 days')
    expect(scanRange(closesOf(zigzag(0.01, 31)))).toBe(FLOOR_RANGE)
    expect(() => scanRange([])).toThrow('must span at least 30 days')
  })

  it.each([0, -1, NaN, Infinity])('refuses the price %s', (price) => {
    expect(() => scanRange(closesOf([...zigzag(0.01, 40), price]))).toThrow('must be a positive')
  })

  it('refuses closes out of order, and two of one time', () => {
    const closes = closesOf(zigzag(0.01, 40))
    expect(() => scanRange([...closes].reverse())).toThrow('in the order of time')
    expect(() => scanRange([...closes, closes.at(-1)!])).toThrow('in the order of time')
    expect(() => scanRange([{ time: NaN, price: 1 }])).toThrow('in the order of time')
  })

  it.each<[Partial<ScanParameters>, string]>([
    [{ lambda: 0 }, 'lambda'],
    [{ lambda: 1 }, 'lambda'],
    [{ seedDays: 0 }, 'seedDays'],
    [{ liquidationDays: 0 }, 'liquidationDays'],
    [{ deviations: -1 }, 'deviations'],
    [{ floor: NaN }, 'floor'],
    [{ stressedWeight: 1.01 }, 'stressedWeight'],
    [{ stressedMove: Infinity }, 'stressedMove'],
    [{ ceiling: 0 }, 'ceiling'],
    [{ ceiling: 1 }, 'ceiling'],
  ])('refuses parameters without sense: %o', (part, name) => {
    const closes = [{ time: START, price: 1 }]
    expect(() => scanRange(closes, { ...SCAN_PARAMETERS, ...part })).toThrow(name)
  })
})
