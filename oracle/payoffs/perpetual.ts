/** A perpetual future: it never expires, and funding ties it to spot. */

import type { View } from '../market.ts'
import type { Payoff } from './payoff.ts'
import type { Exposure } from './terms.ts'

export type PerpetualSpec = Exposure & { readonly kind: 'perpetual' }

/**
 * Dollars per unit: the quoted price less the funding since the listing. It is traded at price less
 * funding, too, so that funding reaches every holder without an index per account. The value may be
 * negative; guards against bad prices look at the reference price instead.
 */
export function perpetualValue(spec: PerpetualSpec, view: View): number {
  const { basis, funding } = view.perpetual(spec.id)
  return view.spot * (1 + basis) - funding
}

export const perpetual: Payoff<PerpetualSpec> = {
  kinds: ['perpetual'],
  terms: {},
  value: perpetualValue,
  isLinear: true,
}
