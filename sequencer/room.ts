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
import { rowLookup, worthOf } from '../circuits/table.ts'

const WINDOW_SIZE = TREE_ARITY ** WINDOW_DEPTH

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
    this.windowOf = new Map(
      context.settlements.rows.map((row, place) => [row.id, Math.floor(place / WINDOW_SIZE)]),
    )
  }

  /**
   * Takes the accounts in, with what they hold and `instruments` besides, or nothing at all. An
   * instrument that a batch trades away again is counted too: room is never overstated.
   */
  take(accounts: readonly number[], instruments: readonly number[] = []): boolean {
    const touched = new Set([...this.touched, ...accounts])
    const held = accounts
      .filter((index) => !this.touched.has(index))
      .flatMap((index) => this.accounts.get(index)?.balances ?? [])
      .map(({ id }) => id)
    const ids = [...held, ...instruments.filter((id) => id > CASH_ID)]
    const rows = new Set([...this.rows, ...ids])
    const windows = new Set([...this.windows, ...ids.flatMap((id) => this.windowOf.get(id) ?? [])])
    if (
      touched.size > this.shape.members ||
      this.slotsFor(rows) > this.shape.rows ||
      windows.size > WINDOW_COUNT
    )
      return false
    touched.forEach((index) => this.touched.add(index))
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
  const rowOf = rowLookup(context.table, context.settlements)
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
    const worth = worthOf(accounts.get(index) as Account, rowOf)
    if (typeof worth === 'number' || worth.some((w) => w < 0n)) continue
    if (room.take([index])) cover.push(index)
  }
  return cover
}
