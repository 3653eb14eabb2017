/** What members showed the house of what L1 has under a hash only: view keys, and openings of deposits. */
import { depositCommitment, viewKeyHash } from '../circuits/account.ts'
import type { Credit } from '../circuits/batch.ts'
import type { L1Seen } from './journal/record.ts'
import type { L1Deposit } from './l1.ts'

export class Shown {
  private readonly deposits = new Map<bigint, L1Deposit>()
  private readonly openings = new Map<bigint, { account: number; secret: bigint }>()
  /** View keys that members showed before they registered, by hash. */
  private readonly viewKeys = new Map<bigint, bigint>()

  showViewKey(viewKey: bigint): void {
    this.viewKeys.set(viewKeyHash(viewKey), viewKey)
  }
  viewKeyOf(hash: bigint): bigint | undefined {
    return this.viewKeys.get(hash)
  }
  showOpening(account: number, secret: bigint): void {
    this.openings.set(depositCommitment(account, secret), { account, secret })
  }
  knowsOpening(commitment: bigint): boolean {
    return this.openings.has(commitment)
  }

  /** Deposits that L1 has, and those that it gives back. */
  take({ deposits, refundRequests }: Pick<L1Seen, 'deposits' | 'refundRequests'>): void {
    for (const deposit of deposits) this.deposits.set(deposit.id, deposit)
    for (const id of refundRequests) this.deposits.delete(id)
  }

  /** Deposits that a batch can credit: it is known whose they are. */
  get credits(): readonly Credit[] {
    return [...this.deposits.values()].flatMap((d) => {
      const opening = this.openings.get(d.commitment)
      return opening === undefined
        ? []
        : [{ id: d.id, commitment: d.commitment, token: d.token, amount: d.amount, ...opening }]
    })
  }

  /** A batch has credited them; an opening is used up with its first deposit. */
  credited(credits: readonly Credit[]): void {
    for (const credit of credits) {
      this.deposits.delete(credit.id)
      this.openings.delete(credit.commitment)
    }
  }

  /** For comparing one replay with another. */
  get state() {
    const { deposits, openings, viewKeys } = this
    return { deposits, openings, shownViewKeys: viewKeys }
  }
}
