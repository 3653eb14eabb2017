/**
 * Margin in words that a member understands: the same integers that the circuit checks, and what
 * they say. Amounts are micro-dollars; a requirement is a distance from the equity at the mark.
 */

import { addBalance, isInQuantityRange, type Account } from '../circuits/account.ts'
import { isReduction, reductionsOf } from '../circuits/exit.ts'
import { CASH_ID, MODE, SLOT_COUNT, TOKEN_UPPER_BOUND, WORLD_COUNT } from '../circuits/params.ts'
import { isStressWorld, valueInWorld, type RowOf } from '../circuits/table.ts'

/** What margin depends on. An isolated margin is a second account: everything else is cross. */
export type Holdings = Pick<Account, 'cash' | 'balances'>

/** Maintenance asks for this share of the distance from the mark to each stress world. */
export const MAINTENANCE = { numerator: 4n, denominator: 5n } as const

/** One position in all worlds. */
export type Position = {
  readonly id: number
  readonly quantity: bigint
  /** Quantity times value, less the add-on in the stress worlds. */
  readonly worth: readonly bigint[]
  /**
   * Its part of the initial requirement: what it loses from the mark to the worst world. A hedge's is
   * negative. The parts add up to the requirement.
   */
  readonly contribution: bigint
}

export type Margin = {
  /** What the account is worth at the mark. */
  readonly equity: bigint
  /** In each world, as the circuit sums it. Solvent is: none negative. */
  readonly worth: readonly bigint[]
  /** The world of the lowest worth; the first one of several. */
  readonly worst: number
  readonly initial: bigint
  readonly maintenance: bigint
  /** The lowest worth: equity less the initial requirement. Negative means: no new risk. */
  readonly excess: bigint
  /** Equity less the maintenance requirement. Negative means: liquidation. */
  readonly cushion: bigint
  readonly positions: readonly Position[]
}

export class UnlistedInstrument extends Error {
  readonly id: number
  constructor(id: number) {
    super(`InstrumentMustBeListed: instrument ${id} stands in no row of the table`)
    this.id = id
  }
}

/** Crashes with UnlistedInstrument if a holding has no row. */
export function marginOf(account: Holdings, rowOf: RowOf): Margin {
  const worths = account.balances.map(({ id, quantity }) => positionWorth(id, quantity, rowOf))
  const worth = worlds((s) =>
    worths.reduce((sum, position) => sum + (position[s] as bigint), account.cash),
  )
  const worst = lowest(worth)
  const equity = worth[0] as bigint
  const excess = worth[worst] as bigint
  const kept = maintenanceWorth(worth)
  const cushion = kept[lowest(kept)] as bigint
  return {
    equity,
    worth,
    worst,
    initial: equity - excess,
    maintenance: equity - cushion,
    excess,
    cushion,
    positions: account.balances.map(({ id, quantity }, i) => {
      const position = worths[i] as readonly bigint[]
      const contribution = (position[0] as bigint) - (position[worst] as bigint)
      return { id, quantity, worth: position, contribution }
    }),
  }
}

function positionWorth(id: number, quantity: bigint, rowOf: RowOf): readonly bigint[] {
  const row = rowOf(id)
  if (row === undefined) throw new UnlistedInstrument(id)
  const size = quantity < 0n ? -quantity : quantity
  return worlds((s) => quantity * valueInWorld(row, s) - (isStressWorld(s) ? size * row.addOn : 0n))
}

/**
 * Worth with the distance from the mark scaled by the maintenance share, rounded down, against the
 * holder. The variation world is not scaled: cash that is owed is owed at once.
 */
export function maintenanceWorth(worth: readonly bigint[]): readonly bigint[] {
  const { numerator, denominator } = MAINTENANCE
  const mark = worth[0] as bigint
  return worth.map((w, s) =>
    isStressWorld(s) ? mark + divDown(numerator * (w - mark), denominator) : w,
  )
}

function divDown(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient
}

function lowest(worth: readonly bigint[]): number {
  return worth.reduce((at, w, s) => (w < (worth[at] as bigint) ? s : at), 0)
}

function worlds<T>(of: (world: number) => T): readonly T[] {
  return Array.from({ length: WORLD_COUNT }, (_, s) => of(s))
}

/** One leg of a trade that might be made: signed lots at micro-dollars per lot. */
export type Leg = {
  readonly instrument: number
  readonly quantity: bigint
  readonly price: bigint
}

type Refusal =
  | 'AccountMustBeSolvent'
  | 'TokenMustNotBeNegative'
  | 'BalancesMustBeWellFormed'
  | 'SettledBalanceMustBeConverted'
  | 'InstrumentMustBeListed'
  | 'ReduceOnlyMustReduce'
export type WhatIf = {
  readonly before: Margin
  /** After the trade and its fee, if it is accepted with one. */
  readonly after: Margin
  readonly account: Holdings
  /** The rule that refuses it, or null. */
  readonly refusedBy: Refusal | null
  /** Accepted without fee, because no negative world got worse. */
  readonly isRescue: boolean
  /** Per world the number that the circuit checks to be at least zero. */
  readonly difference: readonly bigint[]
}

/**
 * What the house would say to one more page with these legs, and the integers that the circuit would
 * look at. While it is reduce-only no balance besides cash may grow or change its sign.
 */
export function whatIf(
  account: Holdings,
  legs: readonly Leg[],
  fee: bigint,
  rowOf: RowOf,
  mode: keyof typeof MODE = 'normal',
): WhatIf {
  const before = marginOf(account, rowOf)
  const unpaid = legs.reduce<Holdings>((held, { instrument, quantity, price }) => {
    const moved = addBalance(held, instrument, quantity)
    return addBalance(moved, CASH_ID, -quantity * price)
  }, account)
  const paid = addBalance(unpaid, CASH_ID, -fee)
  const paidMargin = marginOf(paid, rowOf)
  const base = { before, after: paidMargin, account: paid, isRescue: false }
  const refuse = (refusedBy: Refusal): WhatIf => ({
    ...base,
    refusedBy,
    difference: paidMargin.worth,
  })
  const quantities = [paid.cash, ...unpaid.balances.map(({ quantity }) => quantity)]
  if (unpaid.balances.length > SLOT_COUNT - 1 || !quantities.every(isInQuantityRange))
    return refuse('BalancesMustBeWellFormed')
  if (unpaid.balances.some(({ id, quantity }) => id < TOKEN_UPPER_BOUND && quantity < 0n))
    return refuse('TokenMustNotBeNegative')
  const halted = haltOf(account, unpaid, legs, rowOf, mode)
  if (halted !== null) return refuse(halted)
  if (paidMargin.excess >= 0n) return { ...base, refusedBy: null, difference: paidMargin.worth }
  const after = marginOf(unpaid, rowOf)
  const difference = after.worth.map((w, s) => (w < 0n ? w - (before.worth[s] as bigint) : w))
  const isRescue = difference.every((d) => d >= 0n)
  const refusedBy = isRescue ? null : 'AccountMustBeSolvent'
  return { before, after, account: unpaid, refusedBy, isRescue, difference }
}

/** What has settled, expired or is halted is not traded; in reduce-only mode nothing is opened. */
function haltOf(
  before: Holdings,
  after: Holdings,
  legs: readonly Leg[],
  rowOf: RowOf,
  mode: keyof typeof MODE,
): Refusal | null {
  for (const { instrument, quantity } of legs) {
    const status = quantity === 0n ? undefined : rowOf(instrument)?.status
    if (status === 'settled') return 'SettledBalanceMustBeConverted'
    if (status === 'expired') return 'InstrumentMustBeListed'
  }
  if (mode === 'normal') return null
  const grows = reductionsOf(0, before.balances, after.balances, []).some(
    (change) => change.id !== CASH_ID && !isReduction(change),
  )
  return grows ? 'ReduceOnlyMustReduce' : null
}
