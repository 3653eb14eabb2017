/**
 * What becomes of later pages when one cannot settle: both of its sides are asked to sign theirs
 * anew without it, and whoever does not answer in time loses them, so that nobody waits for long.
 */
import { entriesOf, headAfter, termsWord, type Page } from '../circuits/page.ts'
import type { Rejection } from '../circuits/rules.ts'
import { isSigned, type SignedPage } from './admission.ts'
import type { Ledger } from './ledger.ts'

/** How long a member may take. Trades of others with it wait no longer than this. */
export const RESIGN_SECONDS = 60n
export const UNWANTED: Rejection = {
  rule: 'JournalMustContinue',
  detail: 'these are not the pages to be signed anew',
}

/** What a page is, whatever head it stands on: it stays the same when the page is signed anew. */
export function pageId(page: Page): bigint {
  return headAfter(0n, page)
}

/** Whether they have one pageId, without its hashes: a list has hundreds of pages, and may come often. */
export function isSamePage(one: Page, other: Page): boolean {
  const others = entriesOf(other)
  return (
    termsWord(one) === termsWord(other) &&
    one.payload === other.payload &&
    entriesOf(one).every(
      ({ instrument, quantity, price }, i) =>
        instrument === others[i]?.instrument &&
        quantity === others[i]?.quantity &&
        price === others[i]?.price,
    )
  )
}

export class Resigning {
  private readonly ledger: Ledger
  private readonly patience: bigint
  /** Seconds at which an account was last asked. */
  private readonly since = new Map<number, bigint>()
  /** Accounts whose journal was cut and who have not looked at it since. */
  private readonly unaware = new Set<number>()

  constructor(ledger: Ledger, patience = RESIGN_SECONDS) {
    this.ledger = ledger
    this.patience = patience
  }

  /** Takes trades out of all journals; returns the accounts that had any. */
  drop(trades: ReadonlySet<string>, time: bigint): ReadonlySet<number> {
    const accounts = this.ledger.drop(trades)
    for (const account of accounts) {
      this.unaware.add(account)
      if (this.ledger.unsignedOf(account).length > 0) this.since.set(account, time)
      else this.since.delete(account)
    }
    return accounts
  }

  /** The pages that an account is to sign anew, in order. */
  wanted(account: number): readonly bigint[] {
    return this.ledger.unsignedOf(account).map(({ page }) => pageId(page))
  }

  /** The owner has been told of its head and of what is wanted. */
  told(account: number): void {
    this.unaware.delete(account)
  }
  /** Whether a page of this account may rightly stand on a head that is no more. */
  isBehind(account: number): boolean {
    return this.unaware.has(account) || this.ledger.unsignedOf(account).length > 0
  }

  /** Whether a look at its journal would be news to the owner. */
  isUnaware(account: number): boolean {
    return this.unaware.has(account)
  }
  get state() {
    return { since: this.since, unaware: this.unaware }
  }

  /** Trades of accounts that were asked too long ago, and who was asked. */
  overdue(time: bigint): readonly { readonly trade: string; readonly account: number }[] {
    return [...this.since].flatMap(([account, asked]) =>
      time < asked + this.patience
        ? []
        : this.ledger.unsignedOf(account).map(({ trade }) => ({ trade, account })),
    )
  }

  /** Whether these are the last pages of the journal already: the answer may have been lost. */
  private isDone(account: number, given: readonly SignedPage[]): boolean {
    const last = this.ledger.pendingOf(account).slice(-given.length)
    return (
      given.length > 0 &&
      last.length === given.length &&
      last.every(
        ({ page, signature }, i) =>
          isSamePage(page, (given[i] as SignedPage).page) &&
          signature.s === given[i]?.signature.s &&
          signature.r.x === given[i]?.signature.r.x,
      )
    )
  }

  /** Said before anything is recorded: half a megabyte that nobody asked for is not worth a record. */
  isUnwanted(account: number, given: readonly SignedPage[]): boolean {
    if (given.length === 0) return true
    return !this.isWanted(account, given, true) && !this.isDone(account, given)
  }

  private isWanted(account: number, given: readonly SignedPage[], isPart: boolean): boolean {
    const wanted = this.ledger.unsignedOf(account)
    const isFit = isPart
      ? given.length > 0 && given.length <= wanted.length
      : given.length === wanted.length
    return (
      isFit && given.every(({ page }, i) => isSamePage(page, (wanted[i] as { page: Page }).page))
    )
  }

  /**
   * Takes the pages back into the journal: all that are wanted or, of a part, the first of them; in their
   * order, each head signed. Their margin is not looked at again: the batch will, and nothing is settled by
   * it. The time for the rest goes on.
   */
  accept(
    account: number,
    given: readonly SignedPage[],
    isPart: boolean,
  ): Rejection | { readonly head: bigint } {
    const wanted = this.ledger.unsignedOf(account)
    const owner = this.ledger.ownerKeys.get(account)
    const isWanted = this.isWanted(account, given, isPart)
    if ((isPart ? !isWanted : wanted.length === 0) && this.isDone(account, given))
      return { head: this.ledger.headOf(account) ?? 0n }
    let head = this.ledger.headOf(account)
    if (head === undefined || owner === undefined || !isWanted) return UNWANTED
    const heads: bigint[] = []
    for (const { page, signature, previousHead } of given) {
      if (previousHead !== head)
        return { rule: 'JournalMustContinue', detail: 'the pages continue another head' }
      head = headAfter(head, page)
      if (!isSigned(owner, head, signature))
        return { rule: 'SignatureMustMatch', detail: 'a page is not signed on its new head' }
      heads.push(head)
    }
    wanted.slice(0, given.length).forEach((page, i) =>
      this.ledger.append(account, {
        ...page,
        head: heads[i] as bigint,
        signature: (given[i] as SignedPage).signature,
      }),
    )
    if (given.length < wanted.length) {
      this.ledger.unsigned.set(account, wanted.slice(given.length))
      return { head }
    }
    this.ledger.unsigned.delete(account)
    this.since.delete(account)
    return { head }
  }
}
