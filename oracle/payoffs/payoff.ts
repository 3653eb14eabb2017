/**
 * What a payoff is: its kinds, the terms of a specification besides those that all have, and one
 * function, the value of a unit under a state of the market. Whatever else the house needs of it
 * (worlds, add-on, gap, Greeks, margin, settlement, registry, documents) follows from these.
 */

import type { View } from '../market.ts'
import type { Exposure } from './terms.ts'

/**
 * The form of a term: `time` Unix seconds; `price` micro-dollars, a bigint; `share` a decimal from 0
 * to 1, which may be left out; `settlement` source and window; a list: one of these words.
 */
export type TermForm = 'time' | 'price' | 'share' | 'settlement' | readonly string[]

export type Payoff<S extends Exposure & { readonly kind: string }> = {
  readonly kinds: readonly S['kind'][]
  readonly terms: Readonly<Record<string, TermForm>>
  /** Dollars per unit, before lot and multiplier. */
  readonly value: (spec: S, view: View) => number
  /** A straight line in the price has no gap between two worlds. */
  readonly isLinear?: true
  /** Dollars of a unit that closing out is a fraction of; its spot if it is not said. */
  readonly notional?: number
}
/** Of any specification: how the list of all payoffs holds them. */
export type AnyPayoff = Omit<Payoff<never>, 'kinds'> & { readonly kinds: readonly string[] }

/** The terms of what expires. */
export const DATED_TERMS = { expiry: 'time', settlement: 'settlement' } as const
