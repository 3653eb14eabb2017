/**
 * What anybody may show before L1 knows of it: view keys before their registration, secrets before
 * their deposit. What L1 has matched stays as long as it is needed; of all else so many are kept, the
 * oldest go first, and whoever is gone may show again. Which ones go follows from the records alone.
 */
import { depositCommitment, viewKeyHash } from '../circuits/account.ts'
import type { Credit } from '../circuits/batch.ts'
import type { L1Seen } from './journal/record.ts'
import type { L1Deposit } from './l1.ts'

/** Of each kind, of those that L1 has not matched: about 20 MB. */
export const SHOWN_KEPT = 65_536

/** Takes away what is too many, the oldest first. */
function keepLatest<Key>(waiting: Map<Key, unknown> | Set<Key>, most: number): void {
  for (const key of waiting.keys()) {
    if (waiting.size <= most) return
    waiting.delete(key)
  }
}

export class ShownViewKeys {
  private readonly most: number
  /** By hash, the oldest first. */
  private readonly waiting = new Map<bigint, bigint>()
  /** Of accounts on L1: as many as those have paid for. */
  private readonly registered = new Map<bigint, bigint>()
  /** Accounts whose key was forgotten before they registered, by its hash. */
  private readonly missed = new Map<bigint, readonly number[]>()

  constructor(most = SHOWN_KEPT) {
    this.most = most
  }

  knows(hash: bigint): boolean {
    return this.waiting.has(hash) || this.registered.has(hash)
  }
  /** Hashes of keys that the house countersigned once and needs again: the journal has them. */
  get missing(): readonly bigint[] {
    return [...this.missed.keys()]
  }

  /** The accounts that have waited for it. */
  show(viewKey: bigint): readonly number[] {
    const hash = viewKeyHash(viewKey)
    const accounts = this.missed.get(hash) ?? []
    if (accounts.length > 0) {
      this.missed.delete(hash)
      this.registered.set(hash, viewKey)
    }
    if (this.registered.has(hash)) return accounts
    // Shown again it is the newest.
    this.waiting.delete(hash)
    this.waiting.set(hash, viewKey)
    keepLatest(this.waiting, this.most)
    return accounts
  }

  /** The key of a registration; undefined if it was forgotten, and then it is missing until shown. */
  register(account: number, hash: bigint): bigint | undefined {
    const viewKey = this.registered.get(hash) ?? this.waiting.get(hash)
    if (viewKey === undefined) {
      this.missed.set(hash, [...(this.missed.get(hash) ?? []), account])
      return undefined
    }
    this.waiting.delete(hash)
    this.registered.set(hash, viewKey)
    return viewKey
  }

  get state() {
    const { waiting, registered, missed } = this
    return { waiting, registered, missed }
  }
}

export type DepositOpening = { readonly account: number; readonly secret: bigint }

export class ShownOpenings {
  private readonly most: number
  /** Without a deposit on L1, by commitment, the oldest first. */
  private readonly waiting = new Map<bigint, DepositOpening>()
  /** With one: nobody needs to show it again. */
  private readonly matched = new Map<bigint, DepositOpening>()

  constructor(most = SHOWN_KEPT) {
    this.most = most
  }

  get(commitment: bigint): DepositOpening | undefined {
    return this.matched.get(commitment) ?? this.waiting.get(commitment)
  }

  /** `isDeposited`: L1 has such a deposit already, and it is open. */
  show(opening: DepositOpening, isDeposited: (commitment: bigint) => boolean): void {
    const commitment = depositCommitment(opening.account, opening.secret)
    if (this.matched.has(commitment)) return
    this.waiting.delete(commitment)
    if (isDeposited(commitment)) return void this.matched.set(commitment, opening)
    this.waiting.set(commitment, opening)
    keepLatest(this.waiting, this.most)
  }

  deposited(commitment: bigint): void {
    const opening = this.waiting.get(commitment)
    if (opening === undefined) return
    this.waiting.delete(commitment)
    this.matched.set(commitment, opening)
  }

  /** The deposit was credited, or goes back: another one of the same commitment is shown again. */
  forget(commitment: bigint): void {
    this.matched.delete(commitment)
    this.waiting.delete(commitment)
  }

  get state() {
    const { waiting, matched } = this
    return { waiting, matched }
  }
}

/** Both, beside the deposits that L1 has and no batch has credited. */
export class Shown {
  readonly viewKeys: ShownViewKeys
  private readonly openings: ShownOpenings
  private readonly deposits = new Map<bigint, L1Deposit>()

  constructor(most = SHOWN_KEPT) {
    this.viewKeys = new ShownViewKeys(most)
    this.openings = new ShownOpenings(most)
  }

  showOpening(opening: DepositOpening): void {
    this.openings.show(opening, (commitment) =>
      [...this.deposits.values()].some((deposit) => deposit.commitment === commitment),
    )
  }
  knowsOpening(commitment: bigint): boolean {
    return this.openings.get(commitment) !== undefined
  }

  /** Deposits that L1 has, and those that it gives back. */
  take({ deposits, refundRequests }: Pick<L1Seen, 'deposits' | 'refundRequests'>): void {
    for (const deposit of deposits) {
      this.deposits.set(deposit.id, deposit)
      this.openings.deposited(deposit.commitment)
    }
    for (const id of refundRequests) {
      const deposit = this.deposits.get(id)
      this.deposits.delete(id)
      if (deposit !== undefined) this.openings.forget(deposit.commitment)
    }
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
      this.openings.forget(credit.commitment)
    }
  }

  /** For comparing one replay with another. */
  get state() {
    const { deposits, openings, viewKeys } = this
    return { deposits, openings: openings.state, shownViewKeys: viewKeys.state }
  }
}
