/**
 * What can be held: the specification of each instrument, and its value under a state of the
 * market.
 */

import { CASH_ID, INSTRUMENT_BITS, TOKEN_UPPER_BOUND } from '../circuits/params.ts'
import { black76 } from './black76.ts'
import { exp } from './elementary.ts'

export type Underlying = 'BTC' | 'ETH'
export const UNDERLYINGS: readonly Underlying[] = ['BTC', 'ETH']
export type PerUnderlying<T> = Readonly<Record<Underlying, T>>

export type CashSpec = { readonly kind: 'cash'; readonly id: number; readonly name: string }

type Exposure = {
  readonly id: number
  readonly name: string
  readonly underlying: Underlying
  /** Units of the underlying per lot, an exact decimal such as "0.01". */
  readonly lot: string
}
type Dated = { /** Unix seconds. */ readonly expiry: number }
type Struck = { /** Micro-dollars per unit of the underlying. */ readonly strike: bigint }

export type TokenSpec = Exposure & { readonly kind: 'token' }
export type FutureSpec = Exposure & Dated & { readonly kind: 'future' }
export type OptionSpec = Exposure & Dated & Struck & { readonly kind: 'call' | 'put' }
export type InstrumentSpec = CashSpec | TokenSpec | FutureSpec | OptionSpec

/** All that a price depends on, at one moment, real or imagined. */
export type MarketState = {
  /** Unix seconds. */
  readonly time: number
  /**
   * The financing rate of the dollar, continuously compounded per year: it carries forwards and
   * discounts premiums.
   */
  readonly rate: number
  /** Dollars per unit. */
  readonly spot: PerUnderlying<number>
  /** Of one year, flat over strikes and expiries. */
  readonly vol: PerUnderlying<number>
}

const SECONDS_PER_YEAR = 365 * 86_400
const MICRO = 1e6

/**
 * An expired instrument has no time left, never a negative one: its value is what it pays at the
 * state's spot.
 */
export function yearsLeft(expiry: number, time: number): number {
  return Math.max(expiry - time, 0) / SECONDS_PER_YEAR
}

export function isExpired(spec: InstrumentSpec, time: number): boolean {
  switch (spec.kind) {
    case 'cash':
    case 'token':
      return false
    case 'future':
    case 'call':
    case 'put':
      return spec.expiry <= time
  }
}

/**
 * Dollars per lot, unrounded. A future counts at its whole forward price, because its buyer has
 * paid the whole price in cash: there are no entry prices in this house, so profit is the sum of
 * the two balances.
 */
export function valuePerLot(spec: InstrumentSpec, state: MarketState): number {
  switch (spec.kind) {
    case 'cash':
      return 1 / MICRO
    case 'token':
      return Number(spec.lot) * state.spot[spec.underlying]
    case 'future': {
      const years = yearsLeft(spec.expiry, state.time)
      return Number(spec.lot) * state.spot[spec.underlying] * exp(state.rate * years)
    }
    case 'call':
    case 'put': {
      const years = yearsLeft(spec.expiry, state.time)
      const price = black76({
        side: spec.kind,
        forward: state.spot[spec.underlying] * exp(state.rate * years),
        strike: Number(spec.strike) / MICRO,
        vol: state.vol[spec.underlying],
        years,
        rate: state.rate,
      })
      return Number(spec.lot) * price
    }
  }
}

/** Crashes on a specification that no table could carry. */
export function checkInstrument(spec: InstrumentSpec): void {
  const fail = (why: string): never => {
    throw new RangeError(`instrument ${spec.id} ${spec.name}: ${why}`)
  }
  if (!Number.isInteger(spec.id) || spec.id < 1 || spec.id >= 2 ** INSTRUMENT_BITS) fail('bad id')
  if (spec.kind === 'cash') {
    if (spec.id !== CASH_ID) fail(`cash has id ${CASH_ID}`)
    return
  }
  if (spec.id === CASH_ID) fail('the id of cash')
  if ((spec.kind === 'token') !== spec.id < TOKEN_UPPER_BOUND) {
    fail(`tokens, and nothing else, have ids below ${TOKEN_UPPER_BOUND}`)
  }
  if (!/^\d{1,6}(\.\d{1,9})?$/.test(spec.lot) || Number(spec.lot) === 0) fail(`bad lot ${spec.lot}`)
  if (spec.kind === 'token') return
  if (!Number.isSafeInteger(spec.expiry) || spec.expiry <= 0) fail(`bad expiry ${spec.expiry}`)
  if (spec.kind === 'future') return
  // Up to 2^53 the strike is exact as a number, too.
  if (spec.strike <= 0n || spec.strike >= 1n << 53n) fail(`bad strike ${spec.strike}`)
}
