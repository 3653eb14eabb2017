/**
 * The sweep: every account of a stretch of indices is solvent at maintenance, or flagged in time.
 *
 *  1. CommitmentMustMatch
 *  2. WordsMustMatchChallenge
 *  3. LeafMustBeInTree
 *  4. BalancesMustBeWellFormed
 *  5. RowMustBeInTable
 *  6. MaintenanceMustHold
 *  7. FlagMustNotBeOverdue
 *  8. InstrumentMustBeListed
 *  9. WorthMustFollowTable
 */
import { ROW_VALUE_COUNT, STATUS, TIME_BITS, TREE_ARITY, WORLD_COUNT } from './params.ts'
import { leafHash, type Account } from './account.ts'
import { rowLookup, worthOf, type RowOf, type Settlements, type Table } from './table.ts'
import type { Tree } from './tree.ts'

/** What one compiled circuit of the sweep covers: parts * 8^levels indices. */
export type SweepShape = {
  readonly name: string
  readonly levels: number
  readonly parts: 1 | 2 | 4
  /** Instruments that the accounts may hold together. */
  readonly rows: number
  /** Accounts that may be flagged. */
  readonly flags: number
}

export const SWEEP_SHAPES: readonly SweepShape[] = [
  { name: 'sweep-mini', levels: 1, parts: 1, rows: 4, flags: 2 },
  { name: 'sweep-pair', levels: 1, parts: 2, rows: 4, flags: 2 },
  { name: 'sweep', levels: 2, parts: 2, rows: 16, flags: 8 },
]

/** The words of the statement: all but the last two are L1's own. */
export const SWEEP_WORDS = [
  'root',
  'tableRoot',
  'settlementRoot',
  'first',
  'time',
  'callDelay',
  'flagged',
  'shortfall',
] as const

/** Margins are in fifths of a micro-dollar: maintenance is four fifths of the way to a world. */
export const MARGIN_FACTOR = 5n
const WORLD_PART = 4n
export const MARGIN_BITS = 112
/** Worlds 1 .. WORLD_COUNT - 1: the variation world is never above the mark, so world 0 needs none. */
export const MARGIN_COUNT = WORLD_COUNT - 1

export function accountsOf({ levels, parts }: SweepShape): number {
  return parts * TREE_ARITY ** levels
}

/** Margins at maintenance in fifths of a micro-dollar, or the id of a balance that stands in no row. */
export function marginsOf(
  account: Pick<Account, 'cash' | 'balances'>,
  rowOf: RowOf,
): readonly bigint[] | number {
  const worth = worthOf(account, rowOf)
  return typeof worth === 'number' ? worth : marginsOfWorth(worth)
}

/** Margins in fifths of a micro-dollar from the worth per world. */
export function marginsOfWorth(worth: readonly bigint[]): readonly bigint[] {
  const mark = worth[0] as bigint
  // The variation world is not scaled: nobody owes variation by four fifths.
  return worth
    .slice(1)
    .map((w, s) => (s === ROW_VALUE_COUNT - 1 ? MARGIN_FACTOR * w : mark + WORLD_PART * w))
}

/** Micro-dollars, rounded up, that lift the lowest margin to zero; 0 for a solvent account. */
export function lackOf(margins: readonly bigint[]): bigint {
  const lowest = margins.reduce((least, margin) => (margin < least ? margin : least), 0n)
  return (-lowest + MARGIN_FACTOR - 1n) / MARGIN_FACTOR
}

export type Meta = { readonly status: number; readonly since: bigint; readonly step: number }

export function metaOf(word: bigint): Meta {
  return {
    status: Number(word & 7n),
    since: (word >> 3n) & ((1n << BigInt(TIME_BITS)) - 1n),
    step: Number(word >> BigInt(3 + TIME_BITS)),
  }
}

export type SweptAccount = {
  readonly index: number
  readonly account: Account
  /** What lacks is added already. */
  readonly margins: readonly bigint[]
}
export type SweptFlag = {
  readonly index: number
  /** Micro-dollars. */
  readonly lack: bigint
  readonly meta: Meta
}
export type SweepState = {
  readonly tree: Tree
  readonly accounts: ReadonlyMap<number, Account>
  readonly table: Table
  readonly settlements: Settlements
  /** Seconds: the table's time plus the flag delay. */
  readonly time: bigint
  /** Seconds for which a flag CALLED counts. */
  readonly callDelay: bigint
}
export type SweepTrace = {
  readonly shape: SweepShape
  readonly first: number
  readonly state: SweepState
  readonly swept: readonly SweptAccount[]
  readonly flags: readonly SweptFlag[]
  /** Instruments that the accounts hold, ascending. */
  readonly instruments: readonly number[]
}
export type SweepRule =
  'LeafMustBeInTree' | 'InstrumentMustBeListed' | 'MaintenanceMustHold' | 'FlagMustNotBeOverdue'
export type SweepOutcome =
  | { readonly ok: true; readonly trace: SweepTrace }
  | {
      readonly ok: false
      readonly rule: SweepRule
      readonly detail: string
      readonly account: number
    }

/** Whether the account's own status lets it fail, at this time. */
export function isFlagValid({ status, since }: Meta, time: bigint, callDelay: bigint): boolean {
  return status === STATUS.liquidating || (status === STATUS.called && since + callDelay >= time)
}

/** Indices from `first` on, a multiple of the shape's size. Throws when the shape has no room. */
export function sweepChunk(shape: SweepShape, first: number, state: SweepState): SweepOutcome {
  const size = accountsOf(shape)
  if (first % size !== 0) throw new Error(`sweep: ${first} is not a multiple of ${size}`)
  const rowOf = rowLookup(state.table, state.settlements)
  const swept: SweptAccount[] = []
  const flags: SweptFlag[] = []
  const held = new Set<number>()
  for (let index = first; index < first + size; index++) {
    const account = state.accounts.get(index)
    const refuse = (rule: SweepRule, detail: string): SweepOutcome => ({
      ok: false,
      rule,
      detail,
      account: index,
    })
    // 3. LeafMustBeInTree: all leaves, none left out
    if (state.tree.leaf(index) !== (account === undefined ? 0n : leafHash(account)))
      return refuse('LeafMustBeInTree', `the leaf of account ${index} is another one`)
    if (account === undefined) continue
    // 8. InstrumentMustBeListed: every balance stands in a row
    const margins = marginsOf(account, rowOf)
    if (typeof margins === 'number')
      return refuse('InstrumentMustBeListed', `instrument ${margins} stands in no row`)
    account.balances.forEach(({ id }) => held.add(id))
    const lack = lackOf(margins)
    swept.push({ index, account, margins: margins.map((m) => m + MARGIN_FACTOR * lack) })
    if (lack === 0n) continue
    const meta = metaOf(account.meta)
    // 6. MaintenanceMustHold: or the account is flagged
    if (meta.status !== STATUS.called && meta.status !== STATUS.liquidating)
      return refuse('MaintenanceMustHold', `account ${index} lacks ${lack} and is not flagged`)
    // 7. FlagMustNotBeOverdue: CALLED counts for the call delay, LIQUIDATING until it is taken over
    if (!isFlagValid(meta, state.time, state.callDelay))
      return refuse('FlagMustNotBeOverdue', `account ${index} was called at ${meta.since}`)
    flags.push({ index, lack, meta })
  }
  if (flags.length > shape.flags || held.size > shape.rows)
    throw new Error(`sweep: ${flags.length} flags, ${held.size} rows do not fit ${shape.name}`)
  const instruments = [...held].sort((a, b) => a - b)
  return { ok: true, trace: { shape, first, state, swept, flags, instruments } }
}
