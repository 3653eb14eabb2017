/** A dated future. */

import type { View } from '../market.ts'
import { DATED_TERMS, type Payoff } from './payoff.ts'
import type { Dated, Exposure } from './terms.ts'

export type FutureSpec = Exposure & Dated & { readonly kind: 'future' }

/**
 * Dollars per unit. A future counts at its whole forward price, because its buyer has paid the whole
 * price in cash: there are no entry prices in this house, so profit is the sum of the two balances.
 */
export function futureValue(spec: FutureSpec, view: View): number {
  return view.forward(spec.expiry)
}

export const future: Payoff<FutureSpec> = {
  kinds: ['future'],
  terms: DATED_TERMS,
  value: futureValue,
  isLinear: true,
}
