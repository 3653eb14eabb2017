/** A member's own record of what it signed: the only thing that can tell it what it still owes. */
import { sign, type SigningKey } from '../circuits/eddsa.ts'
import { checkPage, headAfter, stampSeconds, type Page } from '../circuits/page.ts'
import {
  appendLine,
  readLines,
  sizeOf,
  withLock,
  type Line,
  type SignedPage,
} from './journal-file.ts'
import { JournalRecord, refuse, type JournalState } from './journal-record.ts'
import { verifyReceipt, type Receipt } from './receipt.ts'

export type { SignedPage } from './journal-file.ts'
export { JournalError, type JournalRefusal, type JournalState } from './journal-record.ts'

/** How far, in seconds, a stamp may lie off the member's own clock, either way. */
export const STAMP_BOUND_SECONDS = 120n

export type SignOptions = {
  readonly key: SigningKey
  readonly clientId: string
  /** Seconds, by the member's own clock. */
  readonly now: bigint
  /** The head that whoever asks believes to be the current one; refused if it is not. */
  readonly onHead?: bigint
  readonly stampBoundSeconds?: bigint
}

/** Everything that was ever signed for one account, in one append-only file. */
export class Journal {
  readonly path: string
  #size = 0
  #record: JournalRecord

  private constructor(path: string, record: JournalRecord) {
    this.path = path
    this.#record = record
  }

  /** Opens the file or begins it at `genesis`: the head of the account when it was registered. */
  static open(
    path: string,
    genesis: { readonly domain: bigint; readonly account: number; readonly head: bigint },
  ): Journal {
    const { domain, account, head } = genesis
    const journal = new Journal(path, new JournalRecord(domain, account, head))
    journal.#locked(() => {
      if (journal.#size === 0) journal.#append({ type: 'open', domain, account, head })
    })
    return journal
  }

  /** Takes over what another process of this member has written since. */
  refresh(): void {
    this.#locked(() => {})
  }

  get state(): JournalState {
    return this.#record.state
  }
  page(clientId: string): SignedPage | undefined {
    return this.#record.page(clientId)
  }
  isPending(clientId: string): boolean {
    return this.#record.isPending(clientId)
  }

  /**
   * Signs the next page. The record is on the disk before the signature is returned. Asked again
   * it answers the same, unless the page was left out meanwhile: then it is signed where the
   * journal stands now.
   */
  signPage(page: Page, options: SignOptions): SignedPage {
    return this.#locked(() => {
      const known = this.#record.page(options.clientId)
      if (known !== undefined) {
        sameOrRefuse(known, page)
        if (this.#record.isPending(known.clientId) || this.#record.isSettled(known.clientId))
          return known
      }
      const previousHead = this.state.head
      this.#check(page, options, previousHead)
      const head = headAfter(previousHead, page)
      const signed = {
        clientId: options.clientId,
        page,
        previousHead,
        head,
        signature: sign(options.key, head),
      }
      this.#append({ type: 'page', signedAt: options.now, ...signed })
      return signed
    })
  }

  /** Takes over what a batch on L1 has made the account's head. */
  settle(head: bigint, batchNumber: bigint): void {
    this.#locked(() => {
      const { settledHead, pending } = this.state
      // A node may be behind another one that was asked before.
      if (batchNumber < this.state.settledBatch) return
      if (head === settledHead && batchNumber === this.state.settledBatch) return
      const isKnown = head === settledHead || pending.some((p) => p.head === head)
      if (!isKnown && this.#record.runTo(head) === null) {
        refuse(
          'SettledHeadMustBeKnown',
          `batch ${batchNumber} moved account ${this.state.account} to a head ` +
            'that this journal has not signed: another device has signed with this key, or this ' +
            'file is not complete',
        )
      }
      this.#append({ type: 'settled', head, batchNumber })
    })
  }

  /**
   * Signs the pending pages anew on the settled head, without some: what a member is asked for
   * when a page cannot settle. Stamps stay, so that the counter-pages still match. Of the old and
   * the new pages at most one run can ever settle, since both begin at the same head.
   */
  rebase(without: readonly string[], key: SigningKey): readonly SignedPage[] {
    return this.#locked(() => {
      const { settledHead, pending } = this.state
      const unknown = without.find((id) => !pending.some((p) => p.clientId === id))
      if (unknown !== undefined)
        refuse('ClientIdMustBeNew', `there is no pending page ${unknown} to leave out`)
      let previousHead = settledHead
      const pages = pending
        .filter((p) => !without.includes(p.clientId))
        .map(({ clientId, page }): SignedPage => {
          const head = headAfter(previousHead, page)
          const signed = { clientId, page, previousHead, head, signature: sign(key, head) }
          previousHead = head
          return signed
        })
      this.#append({ type: 'rebase', head: settledHead, without, pages })
      return pages
    })
  }

  /**
   * Goes on from a head that was signed here: what a member does when it does not know which of
   * its pages have arrived. Pages signed after that head are left out; none is signed.
   */
  follow(head: bigint): void {
    this.#locked(() => {
      if (head === this.state.head) return
      const pages = this.#record.runTo(head)
      if (pages === null)
        refuse(
          'HeadMustBeCurrent',
          'the account is said to be at a head that this journal has not signed',
        )
      const without = this.state.pending
        .filter((p) => !pages.some((other) => other.clientId === p.clientId))
        .map((p) => p.clientId)
      this.#append({ type: 'rebase', head: this.state.settledHead, without, pages })
    })
  }

  /** Keeps the operator's receipt if it is one, and for a head that was signed here. */
  keepReceipt(receipt: Receipt, operator: string): void {
    this.#locked(() => {
      const { domain, account, receipts, pending, settledHead } = this.state
      const isOwn =
        receipt.account === account &&
        (receipt.head === settledHead || pending.some((p) => p.head === receipt.head))
      if (!isOwn) refuse('ReceiptMustVerify', 'the receipt is for another account or head')
      if (!verifyReceipt(domain, receipt, operator)) {
        refuse('ReceiptMustVerify', `the receipt is not signed by the operator ${operator}`)
      }
      if (!receipts.has(receipt.head)) this.#append({ type: 'receipt', ...receipt })
    })
  }

  #check(
    page: Page,
    { now, onHead, stampBoundSeconds = STAMP_BOUND_SECONDS }: SignOptions,
    head: bigint,
  ): void {
    const { account } = this.state
    if (page.account !== account)
      refuse('PageMustBeOwn', `a page of account ${page.account} in the journal of ${account}`)
    if (page.counterparty === account)
      refuse('CounterpartyMustDiffer', 'an account cannot trade with itself')
    const distance = stampSeconds(page.stamp) - now
    if (distance > stampBoundSeconds || -distance > stampBoundSeconds) {
      refuse(
        'StampMustBeOnClock',
        `the stamp is ${distance < 0n ? -distance : distance} s ` +
          `${distance < 0n ? 'behind' : 'ahead of'} the clock, ${stampBoundSeconds} s are allowed`,
      )
    }
    if (onHead !== undefined && onHead !== head) {
      const other = this.#record.signedOn(onHead)
      refuse(
        'HeadMustBeCurrent',
        other === undefined
          ? 'the page is to go on a head that is not the current one'
          : `page ${other.clientId} is signed on that head already`,
      )
    }
    // A stamp slightly ahead of the clock is allowed, so the page is judged at its own time.
    const wrong = checkPage(page, stampSeconds(page.stamp), 0n)
    if (wrong !== null) refuse('PageMustBeWellFormed', `${wrong.rule}: ${wrong.detail}`)
  }

  #locked<T>(work: () => T): T {
    return withLock(this.path, () => {
      this.#refresh()
      return work()
    })
  }

  /** Reads the file again if another process has written to it. */
  #refresh(): void {
    if (this.#size > 0 && sizeOf(this.path) === this.#size) return
    const { lines, size } = readLines(this.path)
    if (size === this.#size) return
    const [first] = lines
    const { domain, account } = this.state
    if (first?.type !== 'open' || first.domain !== domain || first.account !== account) {
      refuse(
        'JournalMustMatch',
        `${this.path} is not the journal of account ${account} in this clearing house`,
      )
    }
    const record = new JournalRecord(domain, account, first.head)
    for (const line of lines) record.apply(line)
    this.#record = record
    this.#size = size
  }

  #append(line: Line): void {
    this.#size = appendLine(this.path, this.#size, line)
    this.#record.apply(line)
  }
}

/** Asked twice for one thing, a member gives one answer; asked for two things by one name, none. */
function sameOrRefuse(known: SignedPage, page: Page): void {
  if (headAfter(0n, known.page) === headAfter(0n, page)) return
  refuse('ClientIdMustBeNew', `${known.clientId} names another page, signed before`)
}
