/** A token held in the vault as collateral: spot, less a haircut in every world but the mark. */

import type { View } from '../market.ts'
import type { Payoff } from './payoff.ts'
import type { Exposure } from './terms.ts'

export type TokenSpec = Exposure & {
  readonly kind: 'token'
  /** The share of its price that does not count in a stress world: "0.1" is 10 %; none by default. */
  readonly haircut?: string
}

/** Dollars per unit. The variation world, in which tokens count nothing, is the law's own. */
export function tokenValue(spec: TokenSpec, view: View): number {
  return view.isStress ? view.spot * (1 - Number(spec.haircut ?? '0')) : view.spot
}

export const token: Payoff<TokenSpec> = {
  kinds: ['token'],
  terms: { haircut: 'share' },
  value: tokenValue,
  isLinear: true,
}
