/**
 * The scan range: how far the price of an underlying is assumed to move before a default is closed
 * out. It follows the volatility of late, has a floor for quiet times, and gives a fixed weight to
 * a stressed move, so that it rises less when the storm comes.
 *
 * It enters the table of values, so it is computed from exp, ln, + - * / and the square root alone
 * (elementary.ts says why): the same closes give the same range, byte for byte.
 */

import { exp, ln } from './elementary.ts'

/** A price at which a bar closed. */
export type Close = {
  /** The end of the bar in seconds since 1970, UTC. */
  readonly time: number
  readonly price: number
}

export type ScanParameters = {
  /** What a day leaves of the weight of everything before it, a fraction: 0.94. */
  readonly lambda: number
  /** Days at the start whose mean squared return is the first variance. */
  readonly seedDays: number
  /** How many standard deviations the range holds. */
  readonly deviations: number
  /** Days from the last good margin to the end of the close-out. */
  readonly liquidationDays: number
  /** The least that the volatile part may be, a fraction of price. */
  readonly floor: number
  /** The share of the stressed move in the range, a fraction. */
  readonly stressedWeight: number
  /** The stressed move, a fraction of price. */
  readonly stressedMove: number
  /** The most that the range may be, below 1: no price falls by more than itself. */
  readonly ceiling: number
}

/**
 * Range = 0.75 * max(10 %, 3 sigma sqrt(2)) + 0.25 * 30 %, at most 90 %. Lambda is RiskMetrics' for daily data
 * (J. P. Morgan, "RiskMetrics Technical Document", 4th edition, 1996); two days and a quarter for
 * stress are what EMIR asks of clearing houses at least (Regulation (EU) 153/2013, articles 26 and
 * 28).
 */
export const SCAN_PARAMETERS: ScanParameters = {
  lambda: 0.94,
  seedDays: 30,
  deviations: 3,
  liquidationDays: 2,
  floor: 0.1,
  stressedWeight: 0.25,
  stressedMove: 0.3,
  ceiling: 0.9,
}

export const DAY_SECONDS = 86_400

/**
 * The EWMA variance of log returns, per day, as of each close; undefined while the seed is not
 * complete. Entry i uses closes 0 to i only.
 *
 * Time scaling: a return over d days leaves lambda^d of the old variance and brings its square
 * divided by d. Daily bars give the textbook's recursion; four-hour bars give the same memory in
 * days (lambda^(1/6) a bar); a bar after a gap counts for the time that it bridges. The mean return
 * is taken as zero, as RiskMetrics does.
 */
export function dailyVariances(
  closes: readonly Close[],
  parameters: ScanParameters = SCAN_PARAMETERS,
): readonly (number | undefined)[] {
  checkParameters(parameters)
  const { lambda, seedDays } = parameters
  const variances: (number | undefined)[] = []
  let squares = 0
  let variance: number | undefined
  closes.forEach((close, i) => {
    const last = closes[i - 1]
    const first = closes[0]
    checkClose(close, last)
    if (last !== undefined && first !== undefined) {
      const days = (close.time - last.time) / DAY_SECONDS
      const move = ln(close.price / last.price)
      if (variance !== undefined) {
        // The power is exactly lambda for one day, so that nobody's textbook loop is an ulp away.
        const kept = days === 1 ? lambda : exp(days * ln(lambda))
        variance = kept * variance + ((1 - kept) * move * move) / days
      } else {
        squares += move * move
        const span = (close.time - first.time) / DAY_SECONDS
        if (span >= seedDays) variance = squares / span
      }
    }
    variances.push(variance)
  })
  return variances
}

/** The range for a daily variance of log returns, a fraction of price. */
export function rangeOfVariance(
  dailyVariance: number,
  parameters: ScanParameters = SCAN_PARAMETERS,
): number {
  if (!(dailyVariance >= 0 && dailyVariance < Infinity))
    throw new RangeError(`a variance must be finite and not negative, not ${dailyVariance}`)
  const { deviations, liquidationDays, floor, stressedWeight, stressedMove, ceiling } = parameters
  const volatile = deviations * Math.sqrt(liquidationDays * dailyVariance)
  const range = (1 - stressedWeight) * Math.max(floor, volatile) + stressedWeight * stressedMove
  // Beyond it the worlds at the bottom of the range would have a price of zero or less.
  return Math.min(range, ceiling)
}

/**
 * The scan range after the last of the closes, a fraction of price. Throws a RangeError if the
 * closes are not in order, not positive, or span less than the seed.
 */
export function scanRange(
  closes: readonly Close[],
  parameters: ScanParameters = SCAN_PARAMETERS,
): number {
  const variance = dailyVariances(closes, parameters).at(-1)
  if (variance === undefined)
    throw new RangeError(`closes must span at least ${parameters.seedDays} days`)
  return rangeOfVariance(variance, parameters)
}

function checkClose(close: Close, last: Close | undefined): void {
  if (!(close.price > 0 && close.price < Infinity))
    throw new RangeError(`a close must be a positive number, not ${close.price}`)
  if (!Number.isFinite(close.time) || (last !== undefined && close.time <= last.time))
    throw new RangeError(`closes must be in the order of time: ${close.time} is not`)
}

function checkParameters(parameters: ScanParameters): void {
  const { lambda, seedDays, liquidationDays, stressedWeight, ceiling } = parameters
  if (!(ceiling > 0 && ceiling < 1))
    throw new RangeError(`ceiling must be in (0, 1), not ${ceiling}`)
  if (!(lambda > 0 && lambda < 1)) throw new RangeError(`lambda must be in (0, 1), not ${lambda}`)
  if (!(stressedWeight >= 0 && stressedWeight <= 1))
    throw new RangeError(`stressedWeight must be in [0, 1], not ${stressedWeight}`)
  for (const [name, value] of Object.entries({ seedDays, liquidationDays }))
    if (!(value > 0 && value < Infinity))
      throw new RangeError(`${name} must be positive, not ${value}`)
  for (const name of ['deviations', 'floor', 'stressedMove'] as const)
    if (!(parameters[name] >= 0 && parameters[name] < Infinity))
      throw new RangeError(`${name} must not be negative, not ${parameters[name]}`)
}
