/** What the lines of a journal add up to: pages signed, settled and left behind, and the heads. */
import { headAfter } from '../circuits/page.ts'
import type { Line, SignedPage } from './journal-file.ts'
import type { Receipt } from './receipt.ts'

export type JournalRefusal =
  | 'StampMustBeOnClock'
  | 'HeadMustBeCurrent'
  | 'ClientIdMustBeNew'
  | 'CounterpartyMustDiffer'
  | 'PageMustBeOwn'
  | 'PageMustBeWellFormed'
  | 'SettledHeadMustBeKnown'
  | 'ReceiptMustVerify'
  | 'JournalMustMatch'

/** Why nothing was signed or recorded. */
export class JournalError extends Error {
  readonly refusal: JournalRefusal
  constructor(refusal: JournalRefusal, detail: string) {
    super(`${refusal}: ${detail}`)
    this.refusal = refusal
  }
}

export function refuse(refusal: JournalRefusal, detail: string): never {
  throw new JournalError(refusal, detail)
}

export type JournalState = {
  readonly domain: bigint
  readonly account: number
  /** The head that L1 carries, as far as this journal has been told. */
  readonly settledHead: bigint
  readonly settledBatch: bigint
  /** Signed and not yet settled, in order. */
  readonly pending: readonly SignedPage[]
  /** settledHead, or the head after the last pending page. */
  readonly head: bigint
  readonly receipts: ReadonlyMap<bigint, Receipt>
}

export class JournalRecord {
  state: JournalState
  readonly #byClientId = new Map<string, SignedPage>()
  readonly #signedOn = new Map<bigint, SignedPage>()
  /** Whatever was ever signed, by the head after it: runs that a rebase has left behind, too. */
  readonly #byHead = new Map<bigint, SignedPage>()
  readonly #settledIds = new Set<string>()

  constructor(domain: bigint, account: number, head: bigint) {
    this.state = {
      domain,
      account,
      settledHead: head,
      settledBatch: 0n,
      pending: [],
      head,
      receipts: new Map(),
    }
  }

  page(clientId: string): SignedPage | undefined {
    return this.#byClientId.get(clientId)
  }
  signedOn(head: bigint): SignedPage | undefined {
    return this.#signedOn.get(head)
  }
  isPending(clientId: string): boolean {
    return this.state.pending.some((p) => p.clientId === clientId)
  }
  isSettled(clientId: string): boolean {
    return this.#settledIds.has(clientId)
  }

  /** The signed pages that lead from the settled head to `head`; null if there are none such. */
  runTo(head: bigint): readonly SignedPage[] | null {
    const pages: SignedPage[] = []
    for (let at = head; at !== this.state.settledHead;) {
      const page = this.#byHead.get(at)
      if (page === undefined) return null
      pages.unshift(page)
      at = page.previousHead
    }
    return pages
  }

  #runFrom(head: bigint): readonly SignedPage[] {
    const pages: SignedPage[] = []
    for (let page = this.#signedOn.get(head); page !== undefined;) {
      pages.push(page)
      page = this.#signedOn.get(page.head)
    }
    return pages
  }

  /** Throws JournalMustMatch for a page that does not continue those before it. */
  apply(line: Line): void {
    const { state } = this
    if (line.type === 'page') {
      if (
        line.previousHead !== state.head ||
        headAfter(line.previousHead, line.page) !== line.head
      ) {
        refuse('JournalMustMatch', `page ${line.clientId} does not continue the pages before it`)
      }
      this.#remember(line)
      this.state = { ...state, pending: [...state.pending, signedPage(line)], head: line.head }
    } else if (line.type === 'settled') {
      this.#settle(line.head, line.batchNumber)
    } else if (line.type === 'rebase') {
      line.pages.forEach((page) => this.#remember(page))
      this.state = { ...state, pending: line.pages, head: line.pages.at(-1)?.head ?? line.head }
    } else if (line.type === 'receipt') {
      const { type: _type, ...receipt } = line
      this.state = { ...state, receipts: new Map(state.receipts).set(receipt.head, receipt) }
    }
  }

  /**
   * A batch may have settled a run that a rebase had left behind: both were signed. Then the newer
   * run is dead, and what follows the settled head in the older one still counts.
   */
  #settle(head: bigint, batchNumber: bigint): void {
    const { state } = this
    const settled = this.runTo(head) ?? []
    settled.forEach((p) => this.#settledIds.add(p.clientId))
    const place = state.pending.findIndex((p) => p.head === head)
    const isOnRun = place >= 0 || state.settledHead === head
    const pending = isOnRun ? state.pending.slice(place + 1) : this.#runFrom(head)
    this.state = {
      ...state,
      settledHead: head,
      settledBatch: batchNumber,
      pending,
      head: pending.at(-1)?.head ?? head,
    }
  }

  #remember(page: SignedPage): void {
    const kept = signedPage(page)
    this.#byClientId.set(page.clientId, kept)
    this.#signedOn.set(page.previousHead, kept)
    this.#byHead.set(page.head, kept)
  }
}

function signedPage({ clientId, page, previousHead, head, signature }: SignedPage): SignedPage {
  return { clientId, page, previousHead, head, signature }
}
