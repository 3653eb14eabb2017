/**
 * Likelihood-ratio tests of a series of breaches: as many as promised (Kupiec), independent of each
 * other (Christoffersen), and both together. No input within the stated bounds gives NaN.
 *
 * Sources: P. Kupiec, "Techniques for Verifying the Accuracy of Risk Measurement Models", Journal of
 * Derivatives 3(2), 1995; P. Christoffersen, "Evaluating Interval Forecasts", International Economic
 * Review 39(4), 1998.
 */

import { exp, ln, normalCdf } from '../elementary.ts'

export type TestResult = {
  /** The likelihood ratio, at least 0. */
  readonly statistic: number
  /** The chance of a ratio at least as large if the hypothesis is true. */
  readonly pValue: number
}

export type IndependenceResult = TestResult & {
  /** Pairs of neighbours: n01 is a breach after a day without one. */
  readonly pairs: {
    readonly n00: number
    readonly n01: number
    readonly n10: number
    readonly n11: number
  }
  /**
   * Whether some pair begins with a breach and some without, and some pair ends with one and some
   * without: else there is nothing to compare, the statistic is 0 and the p-value 1, which is no
   * evidence of independence.
   */
  readonly isInformative: boolean
}

/** P(X >= x) for a chi-square of one degree of freedom: erfc(sqrt(x / 2)). */
export function chiSquareTail1(x: number): number {
  checkStatistic(x)
  return Math.min(1, 2 * normalCdf(-Math.sqrt(x)))
}

/** P(X >= x) for a chi-square of two degrees of freedom. */
export function chiSquareTail2(x: number): number {
  checkStatistic(x)
  return exp(-x / 2)
}

/**
 * Kupiec's test of unconditional coverage: are `breaches` among `count` windows compatible with the
 * probability `expected` (in (0, 1)) of each? It rejects too few as well as too many.
 */
export function kupiec(breaches: number, count: number, expected: number): TestResult {
  if (!(expected > 0 && expected < 1))
    throw new RangeError(`the expected breach rate must be in (0, 1), not ${expected}`)
  if (!isCount(breaches) || !isCount(count) || breaches > count)
    throw new RangeError(`breaches must be some of the windows, not ${breaches} of ${count}`)
  const free = logLikelihood(breaches, count - breaches, share(breaches, count))
  const bound = logLikelihood(breaches, count - breaches, expected)
  const statistic = ratio(bound, free)
  return { statistic, pValue: chiSquareTail1(statistic) }
}

/**
 * Christoffersen's test of independence against a first-order Markov chain: is a breach as likely
 * after a breach as after none?
 */
export function independence(isBreach: readonly boolean[]): IndependenceResult {
  let [n00, n01, n10, n11] = [0, 0, 0, 0]
  for (let i = 1; i < isBreach.length; i++) {
    if (isBreach[i - 1]) isBreach[i] ? n11++ : n10++
    else isBreach[i] ? n01++ : n00++
  }
  const free =
    logLikelihood(n01, n00, share(n01, n00 + n01)) + logLikelihood(n11, n10, share(n11, n10 + n11))
  const breaches = n01 + n11
  const others = n00 + n10
  const bound = logLikelihood(breaches, others, share(breaches, breaches + others))
  const statistic = ratio(bound, free)
  return {
    statistic,
    pValue: chiSquareTail1(statistic),
    pairs: { n00, n01, n10, n11 },
    isInformative: n00 + n01 > 0 && n10 + n11 > 0 && breaches > 0 && others > 0,
  }
}

/** Conditional coverage: the sum of both ratios, chi-square of two degrees of freedom. */
export function conditionalCoverage(coverage: TestResult, independent: TestResult): TestResult {
  const statistic = coverage.statistic + independent.statistic
  return { statistic, pValue: chiSquareTail2(statistic) }
}

/** ln(p^hits * (1 - p)^misses), with 0 * ln 0 = 0: an event that never happened costs nothing. */
function logLikelihood(hits: number, misses: number, p: number): number {
  return (hits === 0 ? 0 : hits * ln(p)) + (misses === 0 ? 0 : misses * ln(1 - p))
}

/** Of an empty set it is 0: both counts are 0 then, and the likelihood does not ask for it. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

/** The free model is never less likely; rounding may say so by an ulp. */
function ratio(bound: number, free: number): number {
  return Math.max(0, -2 * (bound - free))
}

function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function checkStatistic(x: number): void {
  if (!(x >= 0 && x < Infinity))
    throw new RangeError(`a statistic must be finite and not negative, not ${x}`)
}
