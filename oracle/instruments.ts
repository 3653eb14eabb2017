/**
 * What can be held: the specification of each instrument, and its value in a world. A new payoff is
 * one file under payoffs/ with one function, and one line in each of the two lists below.
 */

import { CASH_ID, INSTRUMENT_BITS, TOKEN_UPPER_BOUND } from '../circuits/params.ts'
import { viewOf, type MarketState, type Shock, type View } from './market.ts'
import { digitalValue, type DigitalSpec } from './payoffs/digital.ts'
import { europeanValue, type OptionSpec } from './payoffs/european.ts'
import { futureValue, type FutureSpec } from './payoffs/future.ts'
import { perpetualValue, type PerpetualSpec } from './payoffs/perpetual.ts'
import { tokenValue, type TokenSpec } from './payoffs/token.ts'

export { UNDERLYINGS, yearsLeft } from './market.ts'
export type { Listed as Underlying, MarketState, PerUnderlying } from './market.ts'
export type { DigitalSpec, FutureSpec, OptionSpec, PerpetualSpec, TokenSpec }

export type CashSpec = { readonly kind: 'cash'; readonly id: number; readonly name: string }
export type ExposedSpec = TokenSpec | FutureSpec | PerpetualSpec | OptionSpec | DigitalSpec
export type InstrumentSpec = CashSpec | ExposedSpec

const MICRO = 1e6

/** An instrument with an expiry that the market's time has reached. */
export function isExpired(spec: InstrumentSpec, time: number): boolean {
  return 'expiry' in spec && spec.expiry <= time
}

/** Dollars per unit, before lot and multiplier. */
export function valueInView(spec: ExposedSpec, view: View): number {
  switch (spec.kind) {
    case 'token':
      return tokenValue(spec, view)
    case 'future':
      return futureValue(spec, view)
    case 'perpetual':
      return perpetualValue(spec, view)
    case 'call':
    case 'put':
      return europeanValue(spec, view)
    case 'digital':
      return digitalValue(spec, view)
  }
}

/** What a value per unit is multiplied by for a lot. */
export function unitsOf(spec: ExposedSpec): number {
  return Number(spec.lot) * Number(spec.multiplier ?? '1')
}

/** Dollars per lot, unrounded: at the mark, or under the shock of a world. Never NaN or infinite. */
export function valuePerLot(
  spec: InstrumentSpec,
  market: MarketState<string>,
  shock?: Shock,
): number {
  if (spec.kind === 'cash') return 1 / MICRO
  const value = unitsOf(spec) * valueInView(spec, viewOf(market, spec.underlying, shock))
  if (!Number.isFinite(value)) throw new RangeError(`instrument ${spec.id}: its value is ${value}`)
  return value
}

const LOT_FORM = /^\d{1,6}(\.\d{1,9})?$/

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
  if ((spec.kind === 'token') !== spec.id < TOKEN_UPPER_BOUND)
    fail(`tokens, and nothing else, have ids below ${TOKEN_UPPER_BOUND}`)
  checkTerms(spec, fail)
}

/** The terms without the id: what the registry's hash covers. */
export function checkTerms(spec: Omit<ExposedSpec, 'id'>, fail: (why: string) => never): void {
  const { kind, lot, multiplier = '1', underlying } = spec
  if (!/^[A-Z0-9]{1,12}$/.test(underlying)) fail(`bad underlying ${underlying}`)
  if (!LOT_FORM.test(lot) || Number(lot) === 0) fail(`bad lot ${lot}`)
  if (!LOT_FORM.test(multiplier) || Number(multiplier) === 0) fail(`bad multiplier ${multiplier}`)
  if (kind === 'token') {
    const { haircut = '0' } = spec as Omit<TokenSpec, 'id'>
    if (!/^(0|1|0\.\d{1,6})$/.test(haircut)) fail(`bad haircut ${haircut}`)
  }
  if (kind === 'token' || kind === 'perpetual') return
  const { expiry, settlement } = spec as Omit<FutureSpec, 'id'>
  if (!Number.isSafeInteger(expiry) || expiry <= 0) fail(`bad expiry ${expiry}`)
  if (settlement !== undefined) {
    const { source, windowSeconds } = settlement
    if (!/^[A-Za-z0-9 ._:/-]{1,64}$/.test(source)) fail(`bad settlement source ${source}`)
    if (!Number.isSafeInteger(windowSeconds) || windowSeconds < 0 || windowSeconds > 86_400)
      fail(`bad settlement window ${windowSeconds}`)
  }
  if (kind === 'future') return
  // Up to 2^53 the strike is exact as a number, too.
  const { strike } = spec as Omit<OptionSpec, 'id'>
  if (strike <= 0n || strike >= 1n << 53n) fail(`bad strike ${strike}`)
  if (kind !== 'digital') return
  const { side } = spec as Omit<DigitalSpec, 'id'>
  if (side !== 'call' && side !== 'put') fail(`bad side ${String(side)}`)
}
