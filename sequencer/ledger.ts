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

export class Ledger extends Book {
  readonly tree = new Tree(TREE_DEPTH)
  /** The way back to the accounts of earlier batches, for sweeps. */
  readonly history = new StateHistory()
  /**
   * Pages that stood behind one that cannot settle, in journal order, under the heads that they
   * were signed on: they are out of every batch until their owner has signed them anew.
   */
  readonly unsigned = new Map<number, PendingPage[]>()

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
    const account = this.accounts.get(index)
    if (account === undefined) return undefined
    return [...this.pendingOf(index), ...this.unsignedOf(index)]
      .filter(({ page }) => livenessAt(page.stamp, time) !== 'expired')
      .reduce((sum, { page }) => withPage(sum, page, fee), account)
  }

  append(index: number, page: PendingPage): void {
    const list = this.pending.get(index)
    if (list === undefined) this.pending.set(index, [page])
    else list.push(page)
  }

  /**
   * Takes a trade out of every journal that has it. Pages before it stay as they are signed; those
   * behind it are unsigned from now on. Returns the accounts that had it.
   */
  drop(trade: string): readonly number[] {
    const had: number[] = []
    for (const [index, pages] of this.pending) {
      const place = pages.findIndex((page) => page.trade === trade)
      if (place < 0) continue
      had.push(index)
      this.pending.set(index, pages.slice(0, place))
      this.unsigned.set(index, [...pages.slice(place + 1), ...this.unsignedOf(index)])
    }
    for (const [index, pages] of this.unsigned) {
      if (!pages.some((page) => page.trade === trade)) continue
      had.push(index)
      this.unsigned.set(
        index,
        pages.filter((page) => page.trade !== trade),
      )
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
