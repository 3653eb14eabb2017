/** Black-Scholes with a dividend yield: the price of a European option on a spot, and its Greeks. */

import { black76, type Black76Input, type OptionSide } from './black76.ts'
import { exp } from './elementary.ts'
import { black76Greeks, toSpot, type Greeks } from './greeks.ts'

export type SpotInput = {
  readonly side: OptionSide
  readonly spot: number
  readonly strike: number
  readonly vol: number
  readonly years: number
  /** The dollar's rate, continuously compounded per year. */
  readonly rate: number
  /** What holding the underlying yields, in the same form. */
  readonly dividend: number
}

/** Black-Scholes with a dividend yield (R. Merton, 1973): Black-76 on the forward of the spot. */
export function blackScholes(input: SpotInput): number {
  return black76(onForward(input))
}

/** By spot; theta lets time pass at a constant spot. */
export function blackScholesGreeks(input: SpotInput): Greeks {
  const { spot, rate, dividend, years } = input
  return toSpot(black76Greeks(onForward(input)), spot, rate - dividend, years)
}

function onForward({ spot, dividend, ...input }: SpotInput): Black76Input {
  return { ...input, forward: spot * exp((input.rate - dividend) * input.years) }
}
