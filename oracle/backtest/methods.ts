/** Three ways to set a range, each from what was known at the close that it is set at. */

import { DAY_SECONDS, rangeOfVariance, type Close, type ScanParameters } from '../scan-range.ts'

export const METHODS = ['ewma', 'static', 'history'] as const
export type Method = (typeof METHODS)[number]

/** From the close of `start` to the first close at or after start's time plus the horizon. */
export type Window = {
  readonly start: number
  readonly end: number
  /** Price at the end over price at the start, less one. */
  readonly move: number
}

export type MethodParameters = {
  readonly scan: ScanParameters
  /** The range that never changes, a fraction of price. */
  readonly staticRange: number
  /** Days of residuals that filtered historical simulation looks back on. */
  readonly historyDays: number
  /** The chance of a breach on each side that a range is measured against. */
  readonly tailRate: number
}

/**
 * The windows of `days` days that begin at close `from` or later and end within the series. A
 * window that would end in a gap of the data ends at the first close after it, the first price at
 * which anybody could have traded.
 */
export function windowsOf(closes: readonly Close[], days: number, from = 0): readonly Window[] {
  const windows: Window[] = []
  let end = from
  for (let start = from; start < closes.length; start++) {
    const { time, price } = closes[start]!
    while (end < closes.length && closes[end]!.time < time + days * DAY_SECONDS) end++
    if (end === closes.length) break
    windows.push({ start, end, move: closes[end]!.price / price - 1 })
  }
  return windows
}

/**
 * The range of one method at each close, as a fraction of price; undefined while there is no
 * variance, and for `history` while there is no residual.
 */
export function rangesOf(
  method: Method,
  closes: readonly Close[],
  variances: readonly (number | undefined)[],
  days: number,
  parameters: MethodParameters,
): readonly (number | undefined)[] {
  switch (method) {
    case 'ewma':
      return variances.map((variance) =>
        variance === undefined ? undefined : rangeOfVariance(variance, parameters.scan),
      )
    case 'static':
      return variances.map((variance) =>
        variance === undefined ? undefined : parameters.staticRange,
      )
    case 'history':
      return historyRanges(closes, variances, days, parameters)
  }
}

/** Per day; below it a market does not move, and a residual would be a quotient of two zeros. */
const LEAST_DEVIATION = 1e-8

/**
 * Filtered historical simulation (J. Hull and A. White, "Incorporating volatility updating into the
 * historical simulation method for value at risk", Journal of Risk 1(1), 1998), for a range that is
 * the same on both sides. The residual of a past window is its absolute move over the EWMA
 * deviation of its first close, scaled by the root of the horizon. At close t the range is the
 * deviation at t, scaled alike, times the 1 - 2 * tailRate quantile of the residuals whose windows
 * ended within the last historyDays up to t; of n residuals that is the ceil(n (1 - 2 tailRate))th
 * in ascending order, never an interpolation.
 */
function historyRanges(
  closes: readonly Close[],
  variances: readonly (number | undefined)[],
  days: number,
  { historyDays, tailRate }: MethodParameters,
): readonly (number | undefined)[] {
  const deviations = variances.map((variance) =>
    variance === undefined
      ? undefined
      : Math.max(LEAST_DEVIATION, Math.sqrt(variance)) * Math.sqrt(days),
  )
  const residuals = windowsOf(closes, days).flatMap(({ start, end, move }) => {
    const deviation = deviations[start]
    return deviation === undefined
      ? []
      : [{ time: closes[end]!.time, size: Math.abs(move) / deviation }]
  })
  const known = sortedBag(residuals.length)
  let entered = 0
  let left = 0
  return closes.map(({ time }, i) => {
    for (; entered < residuals.length && residuals[entered]!.time <= time; entered++)
      known.insert(residuals[entered]!.size)
    for (; left < entered && residuals[left]!.time <= time - historyDays * DAY_SECONDS; left++)
      known.remove(residuals[left]!.size)
    const deviation = deviations[i]
    const quantile = known.quantile(1 - 2 * tailRate)
    return deviation === undefined || quantile === undefined ? undefined : deviation * quantile
  })
}

/** Numbers kept in order, so that a quantile of a sliding window needs no sort. */
function sortedBag(capacity: number): {
  readonly insert: (value: number) => void
  readonly remove: (value: number) => void
  readonly quantile: (share: number) => number | undefined
} {
  const values = new Float64Array(capacity)
  let size = 0
  const placeOf = (value: number): number => {
    let [low, high] = [0, size]
    while (low < high) {
      const middle = (low + high) >> 1
      if (values[middle]! < value) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    insert: (value) => {
      const place = placeOf(value)
      values.copyWithin(place + 1, place, size)
      values[place] = value
      size++
    },
    remove: (value) => {
      const place = placeOf(value)
      values.copyWithin(place, place + 1, size)
      size--
    },
    // The tolerance keeps 0.99 * 100 from being the hundredth of a hundred.
    quantile: (share) =>
      size === 0 ? undefined : values[Math.max(0, Math.ceil(size * share - 1e-9) - 1)],
  }
}
