/** Accounts as they were after an earlier batch: a sweep is proven in a state that L1 fixed, not the latest. */
import type { Account } from '../circuits/account.ts'
import type { BatchTrace } from '../circuits/batch.ts'
import { FEE_ACCOUNT_INDEX } from '../circuits/params.ts'

/** What a batch changed, so that the state before it can be had back; null for an account that was none. */
type Undo = { readonly batch: bigint; readonly before: ReadonlyMap<number, Account | null> }

/** A sweep's state is hours old, and a batch takes minutes: far more than are needed. */
const BATCHES_KEPT = 4_096

export class StateHistory {
  private undos: Undo[] = []

  /** After each batch that L1 accepted, in their order. */
  record({ plan, members, feeAccount }: BatchTrace): void {
    const before = new Map<number, Account | null>(members.map((m) => [m.index, m.before]))
    before.set(FEE_ACCOUNT_INDEX, feeAccount.before)
    this.undos.push({ batch: plan.context.batchNumber, before })
    if (this.undos.length > BATCHES_KEPT) this.undos.shift()
  }

  /** Forgets how to go back beyond the state after `batch`. */
  keepFrom(batch: bigint): void {
    this.undos = this.undos.filter((undo) => undo.batch > batch)
  }

  /** `now` are the accounts after the latest batch. Whoever needs it compares the root with L1's. */
  at(batch: bigint, now: ReadonlyMap<number, Account>): ReadonlyMap<number, Account> {
    const accounts = new Map(now)
    for (const undo of [...this.undos].reverse()) {
      if (undo.batch <= batch) break
      for (const [index, account] of undo.before) {
        if (account === null) accounts.delete(index)
        else accounts.set(index, account)
      }
    }
    return accounts
  }
}
