/** The market at one moment, and what a payoff sees of it in one world. */

import { exp, ln, pow } from './elementary.ts'
import { checkVolGrid, volOnGrid, type VolGrid } from './vol-grid.ts'

/** What this house lists today. The engine takes any names; this type only spares the day checks. */
export type Listed = 'BTC' | 'ETH'
export const UNDERLYINGS: readonly Listed[] = ['BTC', 'ETH']
export type PerUnderlying<T, U extends string = Listed> = Readonly<Record<U, T>>

/** The financing rate up to an expiry, continuously compounded per year. */
export type RatePoint = { readonly expiry: number; readonly rate: number }
export type Perpetual = {
  /** The quoted price over spot, less one. */
  readonly basis: number
  /** Cumulative funding in dollars per unit: what a long has paid since the listing. */
  readonly funding: number
}

/** What is known of the price that instruments of one expiry, window and source settle at. */
export type Settling = {
  readonly underlying: string
  /** Unix seconds: the end of the window. */
  readonly expiry: number
  readonly windowSeconds: number
  readonly source: string
  /** Dollars per unit: the average over what has passed of the window. */
  readonly price: number
  /** The part of the window that has passed: above 0, and 1 when it is over. */
  readonly share: number
}

/** All that a price depends on, at one moment. */
export type MarketState<U extends string = Listed> = {
  /** Unix seconds. */
  readonly time: number
  /**
   * The financing rate of the dollar, continuously compounded per year: it carries forwards and
   * discounts premiums, where no curve says otherwise.
   */
  readonly rate: number
  /** Dollars per unit. */
  readonly spot: PerUnderlying<number, U>
  /** Of one year; for all strikes and expiries where no grid says otherwise. */
  readonly vol: PerUnderlying<number, U>
  readonly volGrid?: Readonly<Partial<Record<U, VolGrid>>>
  /** Rates that carry spot to a forward, by ascending expiry, linear between, flat beyond. */
  readonly carry?: Readonly<Partial<Record<U, readonly RatePoint[]>>>
  /** Rates that discount premiums, in the same form. */
  readonly discount?: Readonly<Partial<Record<U, readonly RatePoint[]>>>
  /** By instrument id. */
  readonly perpetuals?: Readonly<Record<number, Perpetual>>
  /** Of windows that have begun, where a quorum knows the average; each once. */
  readonly settling?: readonly Settling[]
}

/** The market as quoted, and how far it is assumed to move before a default is closed out. */
export type Market<U extends string = Listed> = MarketState<U> & {
  /** The largest price move of the scan worlds, as a fraction of spot. */
  readonly scanRange: PerUnderlying<number, U>
  /** What closing out costs besides, as a fraction of the underlying's spot value in a lot. */
  readonly liquidity: PerUnderlying<number, U>
}

/** What a world does to one underlying. */
export type Shock = {
  /** Spot is multiplied by it; positive. */
  readonly price: number
  /** Volatility at 30 days: 0.5 is half as much again, -0.5 is its mirror, divided by 1.5. */
  readonly vol: number
  /** The share by which out-of-the-money calls gain volatility and puts lose it; negative mirrors. */
  readonly skew: number
  /** The share by which the shortest expiries gain volatility and the longest lose it. */
  readonly twist: number
  /** Added to all rates. */
  readonly rate: number
  /** Only the mark is not: collateral takes its haircut in every stress world. */
  readonly isStress: boolean
}
export const NO_SHOCK: Shock = { price: 1, vol: 0, skew: 0, twist: 0, rate: 0, isStress: false }

/** One underlying in one state of the market: all that a payoff may look at. */
export type View = {
  /** Unix seconds. */
  readonly time: number
  /** Dollars per unit. */
  readonly spot: number
  readonly isStress: boolean
  /** At least 0: what has expired has no time left, never a negative one. */
  readonly years: (expiry: number) => number
  readonly forward: (expiry: number) => number
  /** The rate that discounts a payment at the expiry. */
  readonly rate: (expiry: number) => number
  readonly vol: (strike: number, expiry: number) => number
  readonly perpetual: (id: number) => Perpetual
}

export const SECONDS_PER_DAY = 86_400
export const SECONDS_PER_YEAR = 365 * SECONDS_PER_DAY

export function yearsLeft(expiry: number, time: number): number {
  return Math.max(expiry - time, 0) / SECONDS_PER_YEAR
}

/** The entry of an underlying; a market that lacks one must not price anything. */
export function entryOf<T>(values: Readonly<Record<string, T>>, name: string, what: string): T {
  const value = Object.hasOwn(values, name) ? values[name] : undefined
  if (value === undefined) throw new RangeError(`market: no ${what} of ${name}`)
  return value
}

/**
 * What an instrument sees whose window has begun is the average that it would settle at if the price
 * stood still: what has passed of it stays where it is in every world, and what is to come moves.
 */
export function viewOf(
  market: MarketState<string>,
  underlying: string,
  shock: Shock = NO_SHOCK,
  settling?: Settling,
): View {
  const { time, rate } = market
  const moving =
    entryOf(market.spot, underlying, 'spot') * shock.price * (1 - (settling?.share ?? 0))
  const spot = settling === undefined ? moving : settling.share * settling.price + moving
  // A volatility is of the part that moves; that an average moves less than its end is left uncounted.
  const part = settling === undefined ? 1 : moving / spot
  const flatVol = entryOf(market.vol, underlying, 'vol')
  const grid = market.volGrid?.[underlying]
  const carry = market.carry?.[underlying]
  const discount = market.discount?.[underlying]
  const years = (expiry: number): number => yearsLeft(expiry, time)
  const rateTo = (curve: readonly RatePoint[] | undefined, expiry: number): number =>
    (curve === undefined ? rate : rateOnCurve(curve, expiry)) + shock.rate
  const forward = (expiry: number): number => spot * exp(rateTo(carry, expiry) * years(expiry))
  return {
    time,
    spot,
    isStress: shock.isStress,
    years,
    forward,
    rate: (expiry) => rateTo(discount, expiry),
    vol: (strike, expiry) => {
      const vol = grid === undefined ? flatVol : volOnGrid(grid, strike, expiry, time)
      if (shock.vol === 0 && shock.skew === 0 && shock.twist === 0) return vol * part
      return vol * part * volFactor(shock, years(expiry), strike, forward(expiry))
    },
    perpetual: (id) => {
      const found = market.perpetuals?.[id]
      if (found === undefined) throw new RangeError(`market: no funding of perpetual ${id}`)
      return found
    },
  }
}

function rateOnCurve(curve: readonly RatePoint[], expiry: number): number {
  const after = curve.findIndex((point) => point.expiry >= expiry)
  const far = curve[after === -1 ? curve.length - 1 : after]
  if (far === undefined) throw new RangeError('market: a rate curve has no point')
  const near = after === -1 ? undefined : curve[after - 1]
  if (near === undefined) return far.rate
  const share = (expiry - near.expiry) / (far.expiry - near.expiry)
  return near.rate + share * (far.rate - near.rate)
}

/** A shock is quoted at 30 days; short expiries move more, long ones less, and none below a day. */
const QUOTED_DAYS = 30
const SHORT_POWER = 0.3
const LONG_POWER = 0.13
const YEARS_PER_DAY = 1 / 365
/** Where the skew shock is full: this many times the root of the years, in log moneyness. */
const SKEW_WIDTH = 1.2
/** The expiry that a twist leaves where it is. */
const TWIST_YEARS = 60 / 365

/** What a shock multiplies a volatility by: positive for |skew| and |twist| below 1. */
function volFactor(shock: Shock, years: number, strike: number, forward: number): number {
  const floored = Math.max(years, YEARS_PER_DAY)
  const ratio = (QUOTED_DAYS * YEARS_PER_DAY) / floored
  const size = Math.abs(shock.vol) * pow(ratio, ratio >= 1 ? SHORT_POWER : LONG_POWER)
  const parallel = shock.vol >= 0 ? 1 + size : 1 / (1 + size)
  const moneyness = ln(strike / forward) / (SKEW_WIDTH * Math.sqrt(floored))
  const skew = 1 + shock.skew * Math.min(Math.max(moneyness, -1), 1)
  const twist = 1 + shock.twist * ((TWIST_YEARS - years) / (TWIST_YEARS + years))
  return parallel * skew * twist
}

/** A feed that fails shows itself as zero or NaN; such a market must not become a table. */
export function checkMarket(market: Market<string>): void {
  const fail = (why: string): never => {
    throw new RangeError(`market: ${why}`)
  }
  if (!Number.isSafeInteger(market.time) || market.time <= 0) fail(`bad time ${market.time}`)
  if (!(Math.abs(market.rate) < 1)) fail(`bad rate ${market.rate}`)
  for (const name of Object.keys(market.spot)) {
    const spot = entryOf(market.spot, name, 'spot')
    const vol = entryOf(market.vol, name, 'vol')
    const scanRange = entryOf(market.scanRange, name, 'scan range')
    const liquidity = entryOf(market.liquidity, name, 'liquidity')
    if (!(spot > 0 && spot < Infinity)) fail(`${name} spot ${spot} is not a price`)
    if (!(vol >= 0 && vol < 100)) fail(`${name} vol ${vol} is out of range`)
    if (!(scanRange > 0 && scanRange < 1)) fail(`${name} scan range ${scanRange} is out of (0, 1)`)
    if (!(liquidity >= 0 && liquidity < 1)) fail(`${name} liquidity ${liquidity} is out of [0, 1)`)
    const grid = market.volGrid?.[name]
    if (grid !== undefined) checkVolGrid(grid, name)
    for (const curve of [market.carry?.[name], market.discount?.[name]])
      if (curve !== undefined) checkCurve(curve, name, fail)
  }
  for (const [id, { basis, funding }] of Object.entries(market.perpetuals ?? {})) {
    if (!(basis > -1 && basis < 1)) fail(`perpetual ${id} basis ${basis} is out of (-1, 1)`)
    if (!Number.isFinite(funding)) fail(`perpetual ${id} funding ${funding} is not finite`)
  }
  for (const { underlying, price, share } of market.settling ?? []) {
    if (!(price > 0 && price < Infinity)) fail(`${underlying} average ${price} is not a price`)
    if (!(share > 0 && share <= 1)) fail(`${underlying} window share ${share} is out of (0, 1]`)
  }
}

function checkCurve(curve: readonly RatePoint[], name: string, fail: (why: string) => never): void {
  if (curve.length === 0) fail(`${name} rate curve has no point`)
  curve.forEach(({ expiry, rate }, i) => {
    if (!Number.isSafeInteger(expiry) || expiry <= (curve[i - 1]?.expiry ?? 0))
      fail(`${name} rate curve: expiry ${expiry} does not ascend`)
    if (!(Math.abs(rate) < 2)) fail(`${name} rate curve: bad rate ${rate}`)
  })
}
