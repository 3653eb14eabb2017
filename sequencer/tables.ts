/**
 * Which table the house values by, and the mode that follows. A table is indicative until it is
 * confirmed; while the latest one is, the house goes on with the confirmed one before it, so that
 * nobody's margin moves, and only reduces risk: L1 would take no other batch (contracts/Batches.sol).
 */
import { MODE } from '../circuits/params.ts'
import type { Table } from '../circuits/table.ts'
import type { L1News } from './l1.ts'

export type Mode = keyof typeof MODE
export type NumberedTable = { readonly number: bigint; readonly table: Table }

/** L1 takes batches of the latest table and of the one before. */
export const KEPT = 2n

export class Tables {
  private readonly known = new Map<bigint, Table>()
  private latest = 0n
  private confirmed: NumberedTable | null = null
  private isHalted = false
  private swept: NumberedTable | null = null
  /** The table that L1's clock has left behind; another one that is worked by is young again. */
  private old: bigint | null = null

  /** `tables` are the posted ones that L1 still takes batches of, in the order of their numbers. */
  take({
    tables,
    confirmed,
    mode,
  }: Pick<L1News, 'confirmed' | 'mode'> & { readonly tables: readonly NumberedTable[] }): void {
    for (const { number, table } of tables) this.known.set(number, table)
    this.latest = tables.at(-1)?.number ?? this.latest
    for (const number of confirmed) {
      const table = this.known.get(number)
      if (table !== undefined) this.confirmed = { number, table }
    }
    for (const number of this.known.keys())
      if (number + KEPT <= this.latest) this.known.delete(number)
    if (mode !== null) this.isHalted = mode === BigInt(MODE.reduceOnly)
  }

  noteAge(number: bigint, isOld: boolean): void {
    if (isOld) this.old = number
    else if (this.old === number) this.old = null
  }

  get isOld(): boolean {
    return this.old !== null && this.working?.number === this.old
  }

  knows(number: bigint): boolean {
    return this.known.has(number) || this.swept?.number === number
  }

  /** The table of a sweep, kept when L1 takes no batch of it any more; `table` if it is not known. */
  keepForSweep(number: bigint, table?: Table): Table | undefined {
    const own = this.swept?.number === number ? this.swept.table : this.known.get(number)
    const kept = own ?? table
    if (kept !== undefined) this.swept = { number, table: kept }
    return kept
  }

  /** What accounts are worth by, and what the next batch names; null before the first table. */
  get working(): NumberedTable | null {
    if (this.confirmed !== null && this.confirmed.number + KEPT > this.latest) return this.confirmed
    const table = this.known.get(this.latest)
    return table === undefined ? null : { number: this.latest, table }
  }

  get mode(): Mode {
    return this.isServing && !this.isHalted ? 'normal' : 'reduceOnly'
  }

  /** Before the first confirmed table L1 takes no batch. */
  get hasConfirmed(): boolean {
    return this.confirmed !== null
  }

  /**
   * Whether the latest table is confirmed and young; until it is, L1 takes reductions alone and pays
   * nothing out, forced exits included.
   */
  get isServing(): boolean {
    return this.confirmed !== null && this.confirmed.number === this.latest && !this.isOld
  }

  /** The batch's own table if that is confirmed, else the last confirmed one, else its own again. */
  confirmedRoot({ root }: Table): bigint {
    return this.confirmed?.table.root ?? root
  }

  /** For comparing one replay with another. */
  get state() {
    return {
      known: [...this.known.keys()],
      working: this.working === null ? null : [this.working.number, this.working.table.root],
      confirmed: this.confirmed === null ? null : this.confirmed.number,
      latest: this.latest,
      isHalted: this.isHalted,
      swept: this.swept?.number ?? null,
      old: this.old,
    }
  }

  /** Whether L1 still takes a batch of this table. */
  isCurrent(number: bigint): boolean {
    return number + KEPT > this.latest
  }
}
