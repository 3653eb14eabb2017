/** A European call or put, settled in cash. */

import { black76 } from '../black76.ts'
import type { View } from '../market.ts'
import { DATED_TERMS, type Payoff } from './payoff.ts'
import { strikeOf, type Dated, type Exposure, type Struck } from './terms.ts'

export type OptionSpec = Exposure & Dated & Struck & { readonly kind: 'call' | 'put' }

/** Dollars per unit: Black-76 on the forward of its expiry; at the expiry what it pays at spot. */
export function europeanValue(spec: OptionSpec, view: View): number {
  const strike = strikeOf(spec)
  return black76({
    side: spec.kind,
    forward: view.forward(spec.expiry),
    strike,
    vol: view.vol(strike, spec.expiry),
    years: view.years(spec.expiry),
    rate: view.rate(spec.expiry),
  })
}

export const european: Payoff<OptionSpec> = {
  kinds: ['call', 'put'],
  terms: { ...DATED_TERMS, strike: 'price' },
  value: europeanValue,
}
