/** The sequencer's copy of the state: settled accounts and tree, and what the journals will make of them. */
import { CASH_ID, FEE_ACCOUNT_INDEX, TREE_DEPTH } from '../circuits/params.ts'
import { addBalance, leafHash, type Account } from '../circuits/account.ts'
import type { BatchTrace } from '../circuits/batch.ts'
import type { Point, Signature } from '../circuits/eddsa.ts'
import { entriesOf, livenessAt, type Page } from '../circuits/page.ts'
import { Tree } from '../circuits/tree.ts'
import { Book, leavesOf } from './book.ts'
import { StateHistory } from './history.ts'

/** An admitted page, waiting for a batch. `trade` ties the two sides together. */
export type PendingPage = {
  readonly page: Page
  readonly head: bigint
  readonly signature: Signature
  readonly trade: string
  readonly rotation?: { readonly key: Point; readonly viewKey: bigint }
}

/** An account with its pages, and what that was made of. */
type Projection = {
  readonly settled: Account
  readonly pending: readonly PendingPage[] | undefined
  readonly unsigned: readonly PendingPage[] | undefined
  /** How many of `pending` are in it: more are only ever added behind them. */
  readonly count: number
  readonly fee: bigint
  /** Stamps: as long as the first is live and the last of the expired is not, the same pages count. */
  readonly firstLive: bigint | null
  readonly lastExpired: bigint | null
  readonly account: Account
}

export class Ledger extends Book {
  readonly tree = new Tree(TREE_DEPTH)
  /** The way back to the accounts of earlier batches, for sweeps. */
  readonly history = new StateHistory()
  /**
   * Pages that stood behind one that cannot settle, in journal order, under the heads that they
   * were signed on: they are out of every batch until their owner has signed them anew.
   */
  readonly unsigned = new Map<number, PendingPage[]>()
  /** What was summed up once: a journal may have thousands of pages, and each new one asks for the sum. */
  private readonly projections = new Map<number, Projection>()

  constructor(feeAccount: Account, feeAccountViewKey: bigint) {
    super()
    this.accounts.set(FEE_ACCOUNT_INDEX, feeAccount)
    this.viewKeys.set(FEE_ACCOUNT_INDEX, feeAccountViewKey)
    this.tree.set(FEE_ACCOUNT_INDEX, leafHash(feeAccount))
  }

  unsignedOf(index: number): readonly PendingPage[] {
    return this.unsigned.get(index) ?? []
  }

  /** The head that the next page of an account must continue. */
  headOf(index: number): bigint | undefined {
    return this.pendingOf(index).at(-1)?.head ?? this.accounts.get(index)?.head
  }

  /** The account as it will be when all its pages that still live have settled, fees included. */
  projected(index: number, fee: bigint, time: bigint): Account | undefined {
    const settled = this.accounts.get(index)
    if (settled === undefined) return undefined
    const pending = this.pending.get(index)
    const unsigned = this.unsigned.get(index)
    const count = pending?.length ?? 0
    const known = this.projections.get(index)
    const isOfThese =
      known?.settled === settled &&
      known.fee === fee &&
      known.pending === pending &&
      known.unsigned === unsigned &&
      isOfTime(known, time)
    const from = isOfThese
      ? known
      : { count: 0, firstLive: null, lastExpired: null, account: settled }
    if (isOfThese && from.count === count) return from.account
    const more = isOfThese
      ? (pending ?? []).slice(from.count)
      : [...(pending ?? []), ...(unsigned ?? [])]
    const isLive = ({ page }: PendingPage): boolean => livenessAt(page.stamp, time) !== 'expired'
    const stamps = (pages: readonly PendingPage[]): readonly bigint[] =>
      pages.map((p) => p.page.stamp)
    const live = more.filter(isLive)
    const made: Projection = {
      settled,
      pending,
      unsigned,
      count,
      fee,
      firstLive: extreme([from.firstLive, ...stamps(live)], (a, b) => a < b),
      lastExpired: extreme(
        [from.lastExpired, ...stamps(more.filter((page) => !isLive(page)))],
        (a, b) => a > b,
      ),
      account: withPages(from.account, live, fee),
    }
    this.projections.set(index, made)
    return made.account
  }

  append(index: number, page: PendingPage): void {
    const list = this.pending.get(index)
    if (list === undefined) this.pending.set(index, [page])
    else list.push(page)
  }

  /**
   * Takes trades out of every journal that has them. Pages before the first of them stay as they are
   * signed; those behind it are unsigned from now on. Returns the accounts that had any.
   */
  drop(trades: ReadonlySet<string>): ReadonlySet<number> {
    const had = new Set<number>()
    const isOut = ({ trade }: PendingPage): boolean => trades.has(trade)
    for (const [index, pages] of this.pending) {
      const place = pages.findIndex(isOut)
      if (place < 0) continue
      had.add(index)
      this.pending.set(index, pages.slice(0, place))
      this.unsigned.set(index, [...pages.slice(place), ...this.unsignedOf(index)])
    }
    for (const [index, pages] of this.unsigned) {
      const left = pages.filter((page) => !isOut(page))
      if (left.length === pages.length) continue
      had.add(index)
      this.unsigned.set(index, left)
    }
    return had
  }

  /** Takes over a batch that L1 accepted. */
  settle(trace: BatchTrace): void {
    this.history.record(trace)
    this.take(trace)
    this.tree.setAll(leavesOf(trace))
  }
}

function isOfTime({ firstLive, lastExpired }: Projection, time: bigint): boolean {
  const isExpired = (stamp: bigint): boolean => livenessAt(stamp, time) === 'expired'
  return (
    (firstLive === null || !isExpired(firstLive)) &&
    (lastExpired === null || isExpired(lastExpired))
  )
}

function extreme(
  values: readonly (bigint | null)[],
  isBefore: (a: bigint, b: bigint) => boolean,
): bigint | null {
  return values.reduce((a, b) => (a === null || (b !== null && isBefore(b, a)) ? b : a), null)
}

/** As `withPage` one after the other: each instrument is added up first, and its balance changed once. */
function withPages(account: Account, pages: readonly PendingPage[], fee: bigint): Account {
  const changes = new Map<number, bigint>([[CASH_ID, -fee * BigInt(pages.length)]])
  const change = (id: number, by: bigint): void =>
    void changes.set(id, (changes.get(id) ?? 0n) + by)
  for (const { page } of pages)
    for (const { instrument, quantity, price } of entriesOf(page)) {
      change(instrument, quantity)
      change(CASH_ID, -quantity * price)
    }
  return [...changes].reduce((sum, [id, by]) => addBalance(sum, id, by), account)
}

/** An account after one page. */
export function withPage(account: Account, page: Page, fee: bigint): Account {
  return entriesOf(page).reduce(
    (sum, entry) =>
      addBalance(
        addBalance(sum, entry.instrument, entry.quantity),
        CASH_ID,
        -entry.quantity * entry.price,
      ),
    addBalance(account, CASH_ID, -fee),
  )
}
