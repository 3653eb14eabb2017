/** The sequencer's copy of the state: settled accounts and tree, and what the journals will make of them. */
import { CASH_ID, FEE_ACCOUNT_INDEX, TREE_DEPTH } from '../circuits/params.ts'
import { addBalance, leafHash, type Account } from '../circuits/account.ts'
import type { BatchTrace } from '../circuits/batch.ts'
import type { Point, Signature } from '../circuits/eddsa.ts'
import { entriesOf, type Page } from '../circuits/page.ts'
import { Tree } from '../circuits/tree.ts'

/** An admitted page, waiting for a batch. `trade` ties the two sides together. */
export type PendingPage = {
  readonly page: Page
  readonly head: bigint
  readonly signature: Signature
  readonly trade: string
  readonly rotation?: { readonly key: Point; readonly viewKey: bigint }
}

export class Ledger {
  readonly tree = new Tree(TREE_DEPTH)
  readonly accounts = new Map<number, Account>()
  /** View keys by account: the operator reads every leaf, since it proves every leaf. */
  readonly viewKeys = new Map<number, bigint>()
  /** Owner keys by account, known from registration and rotations. */
  readonly ownerKeys = new Map<number, Point>()
  readonly pending = new Map<number, PendingPage[]>()

  constructor(feeAccount: Account, feeAccountViewKey: bigint) {
    this.accounts.set(FEE_ACCOUNT_INDEX, feeAccount)
    this.viewKeys.set(FEE_ACCOUNT_INDEX, feeAccountViewKey)
    this.tree.set(FEE_ACCOUNT_INDEX, leafHash(feeAccount))
  }

  pendingOf(index: number): readonly PendingPage[] {
    return this.pending.get(index) ?? []
  }

  /** The head that the next page of an account must continue. */
  headOf(index: number): bigint | undefined {
    return this.pendingOf(index).at(-1)?.head ?? this.accounts.get(index)?.head
  }

  /** The account as it will be when all its pending pages have settled, fees included. */
  projected(index: number, fee: bigint): Account | undefined {
    const account = this.accounts.get(index)
    if (account === undefined) return undefined
    return this.pendingOf(index).reduce((sum, { page }) => withPage(sum, page, fee), account)
  }

  append(index: number, page: PendingPage): void {
    const list = this.pending.get(index)
    if (list === undefined) this.pending.set(index, [page])
    else list.push(page)
  }

  /** Takes over a batch that L1 accepted. */
  settle(trace: BatchTrace): void {
    for (const member of trace.members) {
      this.accounts.set(member.index, member.after)
      this.viewKeys.set(member.index, member.viewKey)
      this.tree.set(member.index, leafHash(member.after))
      const settled = member.run?.pages.length ?? 0
      if (settled > 0) this.pending.set(member.index, this.pendingOf(member.index).slice(settled))
    }
    this.accounts.set(FEE_ACCOUNT_INDEX, trace.feeAccount.after)
    this.tree.set(FEE_ACCOUNT_INDEX, leafHash(trace.feeAccount.after))
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
