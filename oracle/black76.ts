/** Black-76: the price of a European option, and of a digital, on a forward. */

import { exp, ln, normalCdf } from './elementary.ts'

export type OptionSide = 'call' | 'put'

export type Black76Input = {
  readonly side: OptionSide
  readonly forward: number
  readonly strike: number
  /** Of one year, as a fraction: 0.8 is 80 %. */
  readonly vol: number
  /** Time to expiry, at least 0. */
  readonly years: number
  /** Continuously compounded, per year. */
  readonly rate: number
}

/**
 * The option's present value in the currency of the forward (F. Black, "The pricing of commodity
 * contracts", 1976). It never returns a negative number or NaN; at years = 0 or vol = 0 it is the
 * discounted intrinsic value.
 */
export function black76(input: Black76Input): number {
  checkInput(input)
  const { side, forward, strike, vol, years, rate } = input
  const discount = exp(-rate * years)
  const intrinsic = Math.max(side === 'call' ? forward - strike : strike - forward, 0)
  const deviation = vol * Math.sqrt(years)
  if (deviation === 0) return discount * intrinsic
  // A quotient that overflows to an infinity is as good as any far value: normalCdf is 0 or 1
  // there.
  const d1 = ln(forward / strike) / deviation + 0.5 * deviation
  const d2 = d1 - deviation
  // What both sides share by put-call parity is the price of the out-of-the-money one. Computing
  // that one and adding the intrinsic value avoids the difference of two large numbers deep in the
  // money.
  const outOfTheMoney =
    forward <= strike
      ? forward * normalCdf(d1) - strike * normalCdf(d2)
      : strike * normalCdf(-d2) - forward * normalCdf(-d1)
  return discount * (intrinsic + Math.max(outOfTheMoney, 0))
}

/**
 * The present value of one dollar paid if the settlement price is at or above the strike (a call), or
 * below it (a put); call and put add up to the discount factor. At years = 0 or vol = 0 it is the
 * discounted payment or nothing.
 */
export function digital76(input: Black76Input): number {
  checkInput(input)
  const { side, forward, strike, vol, years, rate } = input
  const discount = exp(-rate * years)
  const deviation = vol * Math.sqrt(years)
  if (deviation === 0) return (side === 'call') === forward >= strike ? discount : 0
  const d2 = ln(forward / strike) / deviation - 0.5 * deviation
  return discount * normalCdf(side === 'call' ? d2 : -d2)
}

/** The bound keeps quotients and products of two inputs finite; no market comes near it. */
const INPUT_UPPER_BOUND = 1e100

export function checkInput(input: Black76Input): void {
  const { forward, strike, vol, years, rate } = input
  const isPositive = (x: number): boolean => x > 1 / INPUT_UPPER_BOUND && x < INPUT_UPPER_BOUND
  const isSize = (x: number): boolean => x >= 0 && x < INPUT_UPPER_BOUND
  if (!isPositive(forward)) throw new RangeError(`black76: forward ${forward} is not positive`)
  if (!isPositive(strike)) throw new RangeError(`black76: strike ${strike} is not positive`)
  if (!isSize(vol)) throw new RangeError(`black76: vol ${vol} is out of range`)
  if (!isSize(years)) throw new RangeError(`black76: years ${years} is out of range`)
  if (!Number.isFinite(rate)) throw new RangeError(`black76: rate ${rate} is not finite`)
}
