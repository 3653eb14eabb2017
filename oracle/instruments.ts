/**
 * What can be held: the specification of each instrument, and its value in a world. A new payoff is
 * one file under payoffs/ with one function, and its name in the list below.
 */

import { CASH_ID, INSTRUMENT_BITS, TOKEN_UPPER_BOUND } from '../circuits/params.ts'
import { viewOf, type MarketState, type Settling, type Shock, type View } from './market.ts'
import { digital, type DigitalSpec } from './payoffs/digital.ts'
import { european, type OptionSpec } from './payoffs/european.ts'
import { future, type FutureSpec } from './payoffs/future.ts'
import type { AnyPayoff, Payoff, TermForm } from './payoffs/payoff.ts'
import { perpetual, type PerpetualSpec } from './payoffs/perpetual.ts'
import type { Exposure, Settlement } from './payoffs/terms.ts'
import { token, type TokenSpec } from './payoffs/token.ts'

export { UNDERLYINGS, yearsLeft } from './market.ts'
export type { Listed as Underlying, MarketState, PerUnderlying } from './market.ts'
export type { DigitalSpec, FutureSpec, OptionSpec, PerpetualSpec, TokenSpec }

export type CashSpec = { readonly kind: 'cash'; readonly id: number; readonly name: string }
const LISTED = [token, future, perpetual, european, digital] as const
type SpecOf<P> = P extends Payoff<infer S> ? S : never
export type ExposedSpec = SpecOf<(typeof LISTED)[number]>
export type InstrumentSpec = CashSpec | ExposedSpec

const MICRO = 1e6

/** An instrument with an expiry that the market's time has reached. */
export function isExpired(spec: InstrumentSpec, time: number): boolean {
  return 'expiry' in spec && spec.expiry <= time
}

const payoffs = new Map<string, AnyPayoff>()

/** Makes a payoff known; a kind means one thing for good. */
export function addPayoff(payoff: AnyPayoff): void {
  const { kinds, terms } = payoff
  for (const kind of kinds)
    if (kind === 'cash' || payoffs.has(kind)) throw new RangeError(`payoffs: ${kind} is taken`)
  const shared = Object.keys(terms).find((term) => COMMON_TERMS.includes(term) || term === 'id')
  if (shared !== undefined) throw new RangeError(`payoffs: all have the term ${shared}`)
  for (const kind of kinds) payoffs.set(kind, payoff)
}

/** The terms that every specification has besides those of its payoff. */
export const COMMON_TERMS: readonly string[] = ['kind', 'name', 'underlying', 'lot', 'multiplier']

LISTED.forEach((payoff) => addPayoff(payoff))

/** Crashes on a kind that no payoff has. */
export function payoffOf(kind: string): Payoff<ExposedSpec> {
  const found = payoffs.get(kind)
  if (found === undefined) throw new RangeError(`specification: unknown kind ${kind}`)
  // A specification of this kind has the terms of this payoff: checkTerms sees to it.
  return found as unknown as Payoff<ExposedSpec>
}

/** Dollars per unit, before lot and multiplier. */
export function valueInView(spec: ExposedSpec, view: View): number {
  return payoffOf(spec.kind).value(spec, view)
}

/** What is known of the price that an instrument settles at: by the terms that it was listed with. */
export function settlingOf(
  spec: ExposedSpec,
  { settling = [] }: MarketState<string>,
): Settling | undefined {
  const terms = 'settlement' in spec ? spec.settlement : undefined
  if (terms === undefined || !('expiry' in spec)) return undefined
  return settling.find(
    (one) =>
      one.underlying === spec.underlying &&
      one.expiry === spec.expiry &&
      one.windowSeconds === terms.windowSeconds &&
      one.source === terms.source,
  )
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
  const view = viewOf(market, spec.underlying, shock, settlingOf(spec, market))
  const value = unitsOf(spec) * valueInView(spec, view)
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
export function checkTerms(spec: Omit<Exposure, 'id'> & { readonly kind: string }, fail: Fail) {
  const { kind, lot, multiplier = '1', underlying } = spec
  if (!/^[A-Z0-9]{1,12}$/.test(underlying)) fail(`bad underlying ${underlying}`)
  if (!LOT_FORM.test(lot) || Number(lot) === 0) fail(`bad lot ${lot}`)
  if (!LOT_FORM.test(multiplier) || Number(multiplier) === 0) fail(`bad multiplier ${multiplier}`)
  const fields = spec as unknown as Readonly<Record<string, unknown>>
  for (const [term, form] of Object.entries(payoffOf(kind).terms))
    checkTerm(term, form, fields[term], fail)
}

type Fail = (why: string) => never
const DAY = 86_400

function checkTerm(term: string, form: TermForm, value: unknown, fail: Fail): void {
  const bad = (): never => fail(`bad ${term} ${String(value)}`)
  if (form === 'time') return void ((Number.isSafeInteger(value) && Number(value) > 0) || bad())
  // Up to 2^53 a price is exact as a number, too.
  if (form === 'price')
    return void ((typeof value === 'bigint' && value > 0n && value < 1n << 53n) || bad())
  if (form === 'share')
    return void (value === undefined || /^(0|1|0\.\d{1,6})$/.test(String(value)) || bad())
  if (form !== 'settlement') return void (form.includes(String(value)) || bad())
  if (value === undefined) return
  const { source, windowSeconds } = value as Settlement
  if (!/^[A-Za-z0-9 ._:/-]{1,64}$/.test(source)) fail(`bad settlement source ${source}`)
  if (!Number.isSafeInteger(windowSeconds) || windowSeconds < 0 || windowSeconds > DAY)
    fail(`bad settlement window ${windowSeconds}`)
}
