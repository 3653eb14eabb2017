/**
 * What a batch is chosen from: accounts, their keys and their admitted pages. The ledger is one, at the
 * last batch that L1 accepted; a fork of it is another, one batch further.
 */
import type { Account } from '../circuits/account.ts'
import { leafHash, ownerKeyHash } from '../circuits/account.ts'
import type { BatchTrace } from '../circuits/batch.ts'
import { timesEight, type Point } from '../circuits/eddsa.ts'
import { FEE_ACCOUNT_INDEX } from '../circuits/params.ts'
import type { PendingPage } from './ledger.ts'

export class Book {
  readonly accounts = new Map<number, Account>()
  /** View keys by account: the operator reads every leaf, since it proves every leaf. */
  readonly viewKeys = new Map<number, bigint>()
  /** Owner keys by account, known from registration and rotations. */
  readonly ownerKeys = new Map<number, Point>()
  readonly pending = new Map<number, PendingPage[]>()

  pendingOf(index: number): readonly PendingPage[] {
    return this.pending.get(index) ?? []
  }

  /** Takes over what a batch makes of accounts, keys and pages. */
  take(trace: BatchTrace): void {
    for (const member of trace.members) {
      this.accounts.set(member.index, member.after)
      this.viewKeys.set(member.index, member.viewKey)
      const settled = member.run?.pages.length ?? 0
      if (settled > 0) this.pending.set(member.index, this.pendingOf(member.index).slice(settled))
    }
    this.accounts.set(FEE_ACCOUNT_INDEX, trace.feeAccount.after)
    for (const request of trace.plan.requests)
      if (request.kind !== 'forcedExit')
        this.ownerKeys.set(request.account, timesEight(request.key))
    for (const { index, run, after } of trace.members) {
      if (run?.rotation === undefined) continue
      // The page may have been skipped: the leaf says which key counts.
      const key = timesEight(run.rotation.key)
      if (ownerKeyHash(key) === after.ownerKeyHash) this.ownerKeys.set(index, key)
    }
  }

  /**
   * As this one, in the same order, for changes that this one does not see. The maps are copied: whoever
   * chooses a batch looks at every account anyway. What they hold is shared and must not be changed.
   */
  fork(): Book {
    const fork = new Book()
    const copy = <V>(to: Map<number, V>, from: ReadonlyMap<number, V>): void =>
      from.forEach((value, index) => to.set(index, value))
    copy(fork.accounts, this.accounts)
    copy(fork.viewKeys, this.viewKeys)
    copy(fork.ownerKeys, this.ownerKeys)
    copy(fork.pending, this.pending)
    return fork
  }
}

/** The leaves that a batch changes. */
export function leavesOf(trace: BatchTrace): readonly (readonly [number, bigint])[] {
  return [
    [FEE_ACCOUNT_INDEX, leafHash(trace.feeAccount.after)],
    ...trace.members.map(({ index, after }) => [index, leafHash(after)] as const),
  ]
}
