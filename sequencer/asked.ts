/**
 * What accounts asked for under names of their own. The same name with the same body is the same
 * request and has the same answer, also after a restart; with another body it is refused.
 */
import { createHash } from 'node:crypto'
import type { PageKind } from '../circuits/params.ts'
import type { SignedPage } from './admission.ts'
import type { Admitted, Refusal, Ticket, TradeState } from './ticket.ts'

/** A page under its client id, with what became of it. */
export type AskedPage = {
  readonly clientId: string
  readonly account: number
  readonly kind: PageKind
  /** Null for a withdrawal or a rotation: those have their state here. */
  readonly ticket: string | null
  /** The same, as long as it is asked for by this name: the book may have forgotten it. */
  readonly trade: Ticket | null
  readonly print: string
  readonly answer: Admitted | Refusal
  state: TradeState
  batch: bigint | null
}
type AskedTrade = { readonly print: string; readonly answer: Ticket | Refusal }

const TAKEN: Refusal = {
  refused: 'ClientIdMustBeNew',
  detail: 'the client id was used for another request',
}

/** Equal for equal requests: SHA-256 over their values in order. */
export function printOf(request: unknown): string {
  const text = JSON.stringify(request, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  )
  return createHash('sha256').update(text).digest('hex')
}

/** Of each account, the latest: each holds its trade in memory, and who repeats a request does so within seconds. */
export const NAMES_KEPT = 1_000

/** Values by account and name; of an account the oldest go when there are too many. */
export class Recent<Name, Value> {
  private readonly accounts = new Map<number, Map<Name, Value>>()

  get(account: number, name: Name): Value | undefined {
    return this.accounts.get(account)?.get(name)
  }
  set(account: number, name: Name, value: Value): void {
    const own = this.accounts.get(account) ?? new Map<Name, Value>()
    this.accounts.set(account, own.set(name, value))
    if (own.size <= NAMES_KEPT) return
    const [oldest] = own.keys()
    own.delete(oldest as Name)
  }
  get all(): ReadonlyMap<number, ReadonlyMap<Name, Value>> {
    return this.accounts
  }
}

export class Asked {
  private readonly trades = new Recent<string, AskedTrade>()
  private readonly pages = new Recent<string, AskedPage>()
  /** Withdrawals and rotations by what the journal calls them. */
  private readonly singles = new Map<string, AskedPage[]>()

  /** The answer that a proposal has had, or a refusal if its name stands for another; null if it is new. */
  trade(account: number, clientId: string, print: string): Ticket | Refusal | null {
    const known = this.trades.get(account, clientId)
    if (known === undefined) return null
    return known.print === print ? known.answer : TAKEN
  }
  keepTrade(account: number, clientId: string, print: string, answer: Ticket | Refusal): void {
    this.trades.set(account, clientId, { print, answer })
  }

  page(account: number, clientId: string): AskedPage | undefined {
    return this.pages.get(account, clientId)
  }
  /** As `trade`. What was waiting for its second side may have been admitted since. */
  pageAnswer(account: number, clientId: string, print: string): AskedPage | Refusal | null {
    const known = this.page(account, clientId)
    if (known === undefined) return null
    return known.print === print ? known : TAKEN
  }
  keepPage(
    clientId: string,
    ticket: string | null,
    trade: Ticket | null,
    { page }: SignedPage,
    print: string,
    answer: Admitted | Refusal,
  ): void {
    const { account, kind } = page
    const state = 'refused' in answer ? 'refused' : 'accepted'
    const asked: AskedPage = {
      clientId,
      account,
      kind,
      ticket,
      trade,
      print,
      answer,
      state,
      batch: null,
    }
    this.pages.set(account, clientId, asked)
    if (ticket !== null || 'refused' in answer) return
    const name = singleName(account, answer.head)
    const names = this.singles.get(name) ?? []
    this.singles.set(name, names)
    names.push(asked)
    // One page under names without end: of those that are forgotten nothing is told.
    if (names.length > NAMES_KEPT) names.shift()
  }

  /** Withdrawals and rotations go on as trades do. Returns those that changed. */
  advance(name: string, state: TradeState, batch: bigint | null): readonly AskedPage[] {
    const asked = this.singles.get(name) ?? []
    for (const page of asked) {
      page.state = state
      page.batch = batch
    }
    if (state === 'final' || state === 'refused') this.singles.delete(name)
    return asked
  }

  get state() {
    const asked = [...this.trades.all].map(([account, names]) => [
      account,
      // Tickets are compared where they are kept.
      [...names].map(([name, { print, answer }]) => [
        name,
        print,
        'refused' in answer ? answer : answer.id,
      ]),
    ])
    const pages = [...this.pages.all].map(([account, names]) => [
      account,
      [...names.values()].map(({ trade: _trade, ...page }) => page),
    ])
    return { asked, pages }
  }
}

/** What the journal calls a page without a second side: by the head after it when it was admitted. */
export function singleName(account: number, head: bigint): string {
  return `s-${account}-${head}`
}
