/** A digital: a fixed payment if the settlement price is at or above its strike, or below it. */

import { digital76 } from '../black76.ts'
import type { View } from '../market.ts'
import { DATED_TERMS, type Payoff } from './payoff.ts'
import { strikeOf, type Dated, type Exposure, type Struck } from './terms.ts'

export type DigitalSpec = Exposure &
  Dated &
  Struck & {
    readonly kind: 'digital'
    /** A call pays at the strike or above, a put below it. */
    readonly side: 'call' | 'put'
  }

/** Dollars per unit of one dollar's payment: the multiplier says how much it pays. */
export function digitalValue(spec: DigitalSpec, view: View): number {
  const strike = strikeOf(spec)
  return digital76({
    side: spec.side,
    forward: view.forward(spec.expiry),
    strike,
    vol: view.vol(strike, spec.expiry),
    years: view.years(spec.expiry),
    rate: view.rate(spec.expiry),
  })
}

export const digital: Payoff<DigitalSpec> = {
  kinds: ['digital'],
  terms: { ...DATED_TERMS, strike: 'price', side: ['call', 'put'] },
  value: digitalValue,
  // The most it is worth is what it pays.
  notional: 1,
}
