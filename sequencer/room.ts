/** What still fits into a batch: accounts, instruments and windows of the settlement register. */
import {
  CASH_ID,
  FIRST_MEMBER_INDEX,
  TREE_ARITY,
  WINDOW_COUNT,
  WINDOW_DEPTH,
  type Shape,
} from '../circuits/params.ts'
import type { Account } from '../circuits/account.ts'
import type { BatchContext } from '../circuits/batch.ts'
import { groupByNode, placesOf } from '../circuits/rows.ts'
import type { Settlements } from '../circuits/table.ts'
import { standingsAt } from './standing.ts'

const WINDOW_SIZE = TREE_ARITY ** WINDOW_DEPTH

/** Windows by the instruments in them: the register of one batch is looked at for every plan of it. */
const windowsOf = new WeakMap<Settlements, ReadonlyMap<number, number>>()

function windowsIn(settlements: Settlements): ReadonlyMap<number, number> {
  const known = windowsOf.get(settlements)
  if (known !== undefined) return known
  const made = new Map(
    settlements.rows.map((row, place) => [row.id, Math.floor(place / WINDOW_SIZE)]),
  )
  windowsOf.set(settlements, made)
  return made
}

/** A number from 0 below the bound, uniform; a house takes it from its system's generator. */
export type RandomBelow = (bound: number) => number

/** Filled as a batch is put together; nothing is ever taken out again. */
export class Room {
  readonly touched = new Set<number>()
  private readonly rows = new Set<number>()
  private readonly windows = new Set<number>()
  private readonly windowOf: ReadonlyMap<number, number>
  private readonly accounts: ReadonlyMap<number, Account>
  private readonly shape: Shape
  private readonly context: BatchContext

  constructor(shape: Shape, accounts: ReadonlyMap<number, Account>, context: BatchContext) {
    this.shape = shape
    this.context = context
    this.accounts = accounts
    this.windowOf = windowsIn(context.settlements)
  }

  /**
   * Takes the accounts in, with what they hold and `instruments` besides, or nothing at all. An
   * instrument that a batch trades away again is counted too: room is never overstated.
   */
  take(accounts: readonly number[], instruments: readonly number[] = []): boolean {
    const coming = new Set(accounts.filter((index) => !this.touched.has(index)))
    // Asked for whoever waits, in every plan of a batch: most are refused here.
    if (this.touched.size + coming.size > this.shape.members) return false
    const held = [...coming].flatMap((index) => this.accounts.get(index)?.balances ?? [])
    const ids = [...held.map(({ id }) => id), ...instruments.filter((id) => id > CASH_ID)]
    const added = ids.filter((id) => !this.rows.has(id))
    if (added.length > 0 && !this.takeRows(added)) return false
    coming.forEach((index) => this.touched.add(index))
    return true
  }

  private takeRows(ids: readonly number[]): boolean {
    const rows = new Set([...this.rows, ...ids])
    const windows = new Set([...this.windows, ...ids.flatMap((id) => this.windowOf.get(id) ?? [])])
    // No row takes less than a slot.
    if (rows.size > this.shape.rows || windows.size > WINDOW_COUNT) return false
    if (this.slotsFor(rows) > this.shape.rows) return false
    rows.forEach((id) => this.rows.add(id))
    windows.forEach((window) => this.windows.add(window))
    return true
  }

  /** Row slots that these instruments need: a node of the table that is read in part leaves some unused. */
  private slotsFor(ids: ReadonlySet<number>): number {
    const { table, settlements } = this.context
    const places = placesOf(
      [...ids].sort((a, b) => a - b),
      table,
      settlements,
    )
    const unlisted = ids.size - places.length
    return groupByNode(places, this.shape.rowsPerNode).length * this.shape.rowsPerNode + unlisted
  }

  get isFull(): boolean {
    return this.touched.size >= this.shape.members
  }
}

/**
 * Accounts that hold settled instruments, those first whose instrument settled first: touching them
 * turns what they hold of these into cash.
 */
export function holdersOfSettled(
  accounts: ReadonlyMap<number, Account>,
  context: Pick<BatchContext, 'settlements'>,
): readonly number[] {
  const place = new Map(context.settlements.rows.map((row, i) => [row.id, i]))
  return [...accounts]
    .map(([index, { balances }]) => ({
      index,
      first: Math.min(...balances.map(({ id }) => place.get(id) ?? Infinity), Infinity),
    }))
    .filter(({ index, first }) => index >= FIRST_MEMBER_INDEX && first < Infinity)
    .sort((a, b) => a.first - b.first || a.index - b.index)
    .map(({ index }) => index)
}

/**
 * Fills the slots that are left with other accounts, drawn uniformly: they get a new salt, and an
 * outsider cannot tell them from those that traded. Left out are accounts that do not fit, and those
 * negative in some world of this table: touching them would need a rescue.
 */
export function chooseCover(
  room: Room,
  accounts: ReadonlyMap<number, Account>,
  context: BatchContext,
  excluded: ReadonlySet<number>,
  random: RandomBelow,
): readonly number[] {
  if (room.isFull) return []
  const standingOf = standingsAt(context)
  const candidates = [...accounts.keys()]
    .filter((i) => i >= FIRST_MEMBER_INDEX && !room.touched.has(i) && !excluded.has(i))
    .sort((a, b) => a - b)
  const cover: number[] = []
  while (candidates.length > 0 && !room.isFull) {
    const at = random(candidates.length)
    if (!Number.isInteger(at) || at < 0 || at >= candidates.length)
      throw new Error(
        `cover: the generator gave ${at} where numbers below ${candidates.length} are`,
      )
    const index = candidates[at] as number
    candidates[at] = candidates.at(-1) as number
    candidates.pop()
    const standing = standingOf(accounts.get(index) as Account)
    if (standing === 'unlisted' || standing.isNegative) continue
    if (room.take([index])) cover.push(index)
  }
  return cover
}
