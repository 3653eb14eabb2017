/** Terms that several payoffs share. Decimals are strings, so that a specification is exact. */

export type Exposure = {
  readonly id: number
  readonly name: string
  readonly underlying: string
  /** Units of the underlying per lot, an exact decimal such as "0.01". */
  readonly lot: string
  /** Dollars per dollar of payoff and unit, an exact decimal; "1" by default. */
  readonly multiplier?: string
}

/** Where the final price comes from: it is part of what was agreed. */
export type Settlement = {
  /** The index by name, as the oracle's signers configure it. */
  readonly source: string
  /** The time-weighted window before the expiry. */
  readonly windowSeconds: number
}

export type Dated = {
  /** Unix seconds. */
  readonly expiry: number
  readonly settlement?: Settlement
}

export type Struck = {
  /** Micro-dollars per unit of the underlying. */
  readonly strike: bigint
}

const MICRO = 1e6

/** Dollars per unit. */
export function strikeOf(spec: Struck): number {
  return Number(spec.strike) / MICRO
}
