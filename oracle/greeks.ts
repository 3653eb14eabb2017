/** The Greeks of Black-76, in closed form, and of an instrument in a market. */

import { black76, checkInput, type Black76Input } from './black76.ts'
import { exp, ln, normalCdf, normalPdf } from './elementary.ts'
import type { InstrumentSpec } from './instruments.ts'
import { settlingOf, unitsOf, valueInView } from './instruments.ts'
import {
  entryOf,
  NO_SHOCK,
  SECONDS_PER_YEAR,
  viewOf,
  type MarketState,
  type Shock,
  type View,
} from './market.ts'
import { strikeOf } from './payoffs/terms.ts'

export type Greeks = {
  /** Value for a move of the underlying (the forward, or spot) by one dollar. */
  readonly delta: number
  /** Delta for a move of the underlying by one dollar. */
  readonly gamma: number
  /** Value for a rise of the volatility by one, that is by 100 points. */
  readonly vega: number
  /** Value for the passing of a year, all else equal. */
  readonly theta: number
}

/**
 * Of a price that moves by less than this share of itself the value is a corner: what its Greeks are at
 * the strike is no number that lots could be multiplied with.
 */
const CORNER = 1e-12

/**
 * Of a call or put on a forward, which stays where it is as time passes. Source: J. Hull, "Options,
 * Futures and Other Derivatives", ch. 18-19. At years = 0 or vol = 0 (as good as: CORNER) the price has a corner at the
 * strike: there delta is the mean of both sides, and gamma and vega are 0 as everywhere.
 */
export function black76Greeks(input: Black76Input): Greeks {
  checkInput(input)
  const { side, forward, strike, vol, years, rate } = input
  const discount = exp(-rate * years)
  const carried = rate * black76(input)
  const deviation = vol * Math.sqrt(years)
  if (deviation < CORNER) {
    const callDelta = forward > strike ? 1 : forward < strike ? 0 : 0.5
    const delta = discount * (side === 'call' ? callDelta : callDelta - 1)
    return { delta, gamma: 0, vega: 0, theta: carried }
  }
  const d1 = ln(forward / strike) / deviation + 0.5 * deviation
  const density = discount * normalPdf(d1)
  const delta = discount * (side === 'call' ? normalCdf(d1) : -normalCdf(-d1))
  const decay = (forward * density * vol) / (2 * Math.sqrt(years))
  return {
    delta,
    gamma: finite(density / (forward * deviation)),
    vega: forward * density * Math.sqrt(years),
    theta: finite(carried - decay),
  }
}

/** Of a digital that pays one dollar; the same conventions. */
export function digital76Greeks(input: Black76Input): Greeks {
  checkInput(input)
  const { side, forward, strike, vol, years, rate } = input
  const discount = exp(-rate * years)
  const deviation = vol * Math.sqrt(years)
  const sign = side === 'call' ? 1 : -1
  if (deviation < CORNER) {
    const pays = (side === 'call') === forward >= strike
    return { delta: 0, gamma: 0, vega: 0, theta: pays ? rate * discount : 0 }
  }
  const d1 = ln(forward / strike) / deviation + 0.5 * deviation
  const d2 = d1 - deviation
  const density = sign * discount * normalPdf(d2)
  const value = discount * normalCdf(sign * d2)
  return {
    delta: finite(density / (forward * deviation)),
    gamma: finite((-density * d1) / (forward * forward * deviation * deviation)),
    vega: finite((-density * d1) / vol),
    theta: finite(rate * value + (density * d1) / (2 * years)),
  }
}

/**
 * At the smallest deviations the density is 0 and the divisor so small that a quotient overflows; the
 * limit is 0 away from the strike, and a corner at it.
 */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0
}

/** The chain rule over forward = spot * e^(carry * years): as time passes the forward comes down. */
export function toSpot(greeks: Greeks, spot: number, carry: number, years: number): Greeks {
  const growth = exp(carry * years)
  return {
    delta: greeks.delta * growth,
    gamma: greeks.gamma * growth * growth,
    vega: greeks.vega,
    theta: greeks.theta - greeks.delta * carry * spot * growth,
  }
}

/**
 * Dollars per lot: delta and gamma by the spot of the underlying, vega by the volatility at the
 * strike, theta by the year. A payoff that has no closed form here is differentiated numerically, so
 * that a new one needs nothing but its value.
 */
export function greeksPerLot(spec: InstrumentSpec, market: MarketState<string>): Greeks {
  if (spec.kind === 'cash') return { delta: 0, gamma: 0, vega: 0, theta: 0 }
  const view = viewOf(market, spec.underlying)
  const greeks = greeksPerUnit(spec, view, market)
  const units = unitsOf(spec)
  return {
    delta: units * greeks.delta,
    gamma: units * greeks.gamma,
    vega: units * greeks.vega,
    theta: units * greeks.theta,
  }
}

type Exposed = Exclude<InstrumentSpec, { kind: 'cash' }>

function greeksPerUnit(spec: Exposed, view: View, market: MarketState<string>): Greeks {
  const isStruck = spec.kind === 'call' || spec.kind === 'put' || spec.kind === 'digital'
  // In its window the price of now is a part of what an instrument settles at.
  if (!isStruck || settlingOf(spec, market) !== undefined) return greeksByDifference(spec, market)
  const { expiry } = spec
  const strike = strikeOf(spec)
  const years = view.years(expiry)
  const input = {
    side: spec.kind === 'digital' ? spec.side : spec.kind,
    forward: view.forward(expiry),
    strike,
    vol: view.vol(strike, expiry),
    years,
    rate: view.rate(expiry),
  }
  const greeks = spec.kind === 'digital' ? digital76Greeks(input) : black76Greeks(input)
  const carry = years === 0 ? 0 : ln(input.forward / view.spot) / years
  return toSpot(greeks, view.spot, carry, years)
}

const PRICE_STEP = 1e-4
const VOL_STEP = 1e-4
const MINUTE = 60

/** Central differences in price, one-sided ones in volatility and, by a minute, in time. */
export function greeksByDifference(spec: Exposed, market: MarketState<string>): Greeks {
  const spot = entryOf(market.spot, spec.underlying, 'spot')
  const settling = settlingOf(spec, market)
  const under = (shock: Partial<Shock>, time = market.time): number =>
    valueInView(
      spec,
      viewOf({ ...market, time }, spec.underlying, { ...NO_SHOCK, ...shock }, settling),
    )
  const [down, mid, up] = [1 - PRICE_STEP, 1, 1 + PRICE_STEP].map((price) => under({ price }))
  const step = PRICE_STEP * spot
  const bumped = (size: number): number =>
    valueInView(
      spec,
      viewOf(withVolShift(market, spec.underlying, size), spec.underlying, NO_SHOCK, settling),
    )
  return {
    delta: ((up as number) - (down as number)) / (2 * step),
    gamma: ((up as number) - 2 * (mid as number) + (down as number)) / (step * step),
    vega: (bumped(VOL_STEP) - bumped(0)) / VOL_STEP,
    theta: (under({}, market.time + MINUTE) - (mid as number)) * (SECONDS_PER_YEAR / MINUTE),
  }
}

/** The market with every volatility of one underlying, quoted or on its grid, higher by `size`. */
function withVolShift(
  market: MarketState<string>,
  name: string,
  size: number,
): MarketState<string> {
  const grid = market.volGrid?.[name]
  const shifted = grid?.map(({ expiry, smile }) => ({
    expiry,
    smile: smile.map(({ strike, vol }) => ({ strike, vol: vol + size })),
  }))
  return {
    ...market,
    vol: { ...market.vol, [name]: entryOf(market.vol, name, 'vol') + size },
    ...(shifted === undefined ? {} : { volGrid: { ...market.volGrid, [name]: shifted } }),
  }
}
