/** The desk: proposals, affirmations, order stamps and pages. A trade is admitted with both its sides or not at all. */
import { STAMP_RANDOM_BITS } from '../circuits/params.ts'
import {
  checkPage,
  counterPage,
  livenessAt,
  stampOf,
  type Entry,
  type Page,
} from '../circuits/page.ts'
import type { Rejection } from '../circuits/rules.ts'
import {
  checkEffect,
  checkPair,
  checkSignedPage,
  type Conditions,
  type SignedPage,
} from './admission.ts'
import { Asked, printOf, Recent, singleName, type AskedPage } from './asked.ts'
import type { Ledger } from './ledger.ts'
import { isSamePage, Resigning } from './resign.ts'
import { OPEN_TRADES, TicketBook } from './ticket-book.ts'
import {
  isOver,
  tell,
  type Admitted,
  type Refusal,
  type Ticket,
  type TradeState,
} from './ticket.ts'

/** What leaves the journals, and why. */
export type Dropped = { readonly trade: string; readonly rejection: Rejection }
export type Proposal = {
  readonly clientId: string
  readonly counterparty: number
  /** From the proposer's side. */
  readonly entries: readonly Entry[]
  readonly payload: bigint
}
const bodyPrint = ({ counterparty, entries, payload }: Omit<Proposal, 'clientId'>): string =>
  printOf([counterparty, entries.map((e) => [e.instrument, e.quantity, e.price]), payload])
const FULL: Refusal = {
  refused: 'OpenTradesMustBeFew',
  detail: `${OPEN_TRADES} proposals of the account are open`,
}
const WITHDRAWN: Rejection = { rule: 'TradeMustMatch', detail: 'a side withdrew the proposal' }

export class Desk {
  readonly asked = new Asked()
  readonly resigning: Resigning
  refusedCount = 0
  private readonly book = new TicketBook()
  /** Seconds of the admission of each head: what a receipt says. */
  private readonly admissions = new Recent<bigint, bigint>()
  /** Since somebody looked last: for whoever tells the parties. */
  private readonly changed = new Set<Ticket | AskedPage>()
  private readonly ledger: Ledger
  private readonly conditions: () => Conditions
  private lastStamp = 0n

  get tickets(): ReadonlyMap<string, Ticket> {
    return this.book.all
  }

  constructor(ledger: Ledger, conditions: () => Conditions) {
    this.ledger = ledger
    this.conditions = conditions
    this.resigning = new Resigning(ledger)
  }

  /**
   * Rising stamps: seconds and random bits, so that the number of trades does not show. Behind one of a
   * clock that was ahead, and was put back, they would be of seconds to come, in which nobody can sign:
   * `isOfNow` begins again. Each journal's own stamps rise all the same, or its page is refused.
   */
  private nextStamp(time: bigint, chance: bigint, isOfNow: boolean): bigint {
    const random = chance & ((1n << BigInt(STAMP_RANDOM_BITS)) - 1n)
    const stamp = stampOf(time, random)
    if (isOfNow && livenessAt(this.lastStamp, time) === 'early') this.lastStamp = 0n
    this.lastStamp = stamp > this.lastStamp ? stamp : this.lastStamp + 1n + (random & 15n)
    return this.lastStamp
  }

  /** Not counted: from two of its own a member would know how many others proposed in between. */
  private newId(time: bigint, chance: bigint): string {
    return `t${time}-${chance.toString(16).padStart(16, '0')}`
  }

  private refuse(ticket: Ticket | null, rejection: Rejection, asker: number): Refusal {
    this.refusedCount++
    if (ticket !== null) this.end(ticket, rejection)
    return tell(rejection, asker)
  }

  private end(ticket: Ticket, rejection: Rejection): void {
    ticket.state = 'refused'
    ticket.refusal = rejection
    forgetPages(ticket)
    this.changed.add(ticket)
    this.book.finish(ticket)
  }

  /** What has changed since the last call. */
  takeChanged(): readonly (Ticket | AskedPage)[] {
    const changed = [...this.changed]
    this.changed.clear()
    return changed
  }

  /** Seconds at which a head was admitted; undefined for a head that never was. */
  admittedAt(account: number, head: bigint): bigint | undefined {
    return this.admissions.get(account, head)
  }
  /** The first admission of a head counts: asked again, the receipt is the same. */
  keepAdmission(account: number, head: bigint, time: bigint): bigint {
    const known = this.admittedAt(account, head)
    if (known === undefined) this.admissions.set(account, head, time)
    return known ?? time
  }

  /** The answer to a proposal that was made before under this name; null if there was none. */
  proposed(proposer: number, { clientId, ...body }: Proposal): Ticket | Refusal | null {
    return this.asked.trade(proposer, clientId, bodyPrint(body))
  }

  /** Records a proposal; the same client id again has the same answer. `chance`: 64 random bits. */
  propose(proposer: number, proposal: Proposal, chance: bigint): Ticket | Refusal {
    const known = this.proposed(proposer, proposal)
    if (known !== null) return known
    const { clientId, ...body } = proposal
    // Nothing is remembered of it: the same proposal is taken once there is room.
    if (this.isFull(proposer)) return FULL
    const made = this.newTicket(proposer, proposal, chance)
    this.asked.keepTrade(proposer, clientId, bodyPrint(body), made)
    return made
  }

  /** Whether an account has too many open proposals, those aside that nobody can sign any more. */
  private isFull(proposer: number): boolean {
    const open = this.book.openOf(proposer)
    if (open.size < OPEN_TRADES) return false
    const { time } = this.conditions()
    for (const ticket of [...open])
      if (isOver(ticket, time))
        this.end(ticket, { rule: 'StampMustBeLive', detail: 'it was not signed in its time' })
    return open.size >= OPEN_TRADES
  }

  private newTicket(
    proposer: number,
    { clientId, counterparty, entries, payload }: Proposal,
    chance: bigint,
  ): Ticket | Refusal {
    const { time, fee } = this.conditions()
    const page: Page = {
      kind: 'trade',
      account: proposer,
      counterparty,
      stamp: stampOf(time, 0n),
      maxFee: fee,
      payload,
      entries,
    }
    const wrong = checkPage(page, time, fee)
    if (wrong) return this.refuse(null, wrong, proposer)
    if (!this.ledger.accounts.has(counterparty)) {
      return this.refuse(
        null,
        { rule: 'JournalMustContinue', detail: 'the counterparty is not registered' },
        proposer,
      )
    }
    const ticket: Ticket = {
      id: this.newId(time, chance),
      clientId,
      proposer,
      counterparty,
      entries,
      payload,
      state: 'proposed',
      stamp: 0n,
      refusal: null,
      sides: new Map(),
      heads: new Map(),
      receipts: new Map(),
      admittedAt: 0n,
      batch: null,
    }
    this.book.add(ticket)
    this.changed.add(ticket)
    return ticket
  }

  /** The counterparty agrees: the trade gets its place in the one order that both journals follow. */
  affirm(account: number, id: string, chance: bigint, isOfNow = false): Ticket | Refusal {
    const ticket = this.tickets.get(id)
    if (ticket === undefined || ticket.counterparty !== account) {
      return tell({ rule: 'TradeMustMatch', detail: 'no such proposal for this account' }, account)
    }
    if (ticket.state !== 'proposed') return ticket
    const conditions = this.conditions()
    const stamp = this.nextStamp(conditions.time, chance, isOfNow)
    const page: Page = {
      kind: 'trade',
      account: ticket.proposer,
      counterparty: account,
      stamp,
      maxFee: conditions.fee,
      payload: ticket.payload,
      entries: ticket.entries,
    }
    // A first look, so that nobody signs in vain; admission looks again.
    const wrong =
      checkEffect(this.ledger, page, conditions) ??
      checkEffect(this.ledger, counterPage(page, conditions.fee), conditions)
    if (wrong) return this.refuse(ticket, wrong, account)
    ticket.stamp = stamp
    ticket.state = 'stamped'
    this.changed.add(ticket)
    return ticket
  }

  reject(account: number, id: string): Ticket | Refusal {
    const ticket = this.tickets.get(id)
    const isSide = ticket?.counterparty === account || ticket?.proposer === account
    // Twice rejected is once rejected.
    if (ticket !== undefined && isSide && ticket.refusal?.detail === WITHDRAWN.detail) return ticket
    if (ticket === undefined || !isSide || ticket.state !== 'proposed') {
      return tell(
        { rule: 'TradeMustMatch', detail: 'no such open proposal for this account' },
        account,
      )
    }
    this.end(ticket, WITHDRAWN)
    return ticket
  }

  /** A page under the name that its account gave it; without a name nothing is remembered of it. */
  takePage(clientId: string | null, ticket: string | null, signed: SignedPage): Admitted | Refusal {
    const known = clientId === null ? null : this.knownPage(clientId, ticket, signed)
    if (known !== null) return known
    const print = printOf([ticket, signed])
    const trade = ticket === null ? null : (this.tickets.get(ticket) ?? null)
    const answer = ticket === null ? this.signSingle(signed) : this.signTrade(ticket, signed)
    if (clientId !== null) this.asked.keepPage(clientId, ticket, trade, signed, print, answer)
    return answer
  }

  /** The answer to a page that came before under this name; null if none did. */
  knownPage(
    clientId: string,
    ticket: string | null,
    signed: SignedPage,
  ): Admitted | Refusal | null {
    const print = printOf([ticket, signed])
    const known = this.asked.pageAnswer(signed.page.account, clientId, print)
    return known === null || 'refused' in known ? known : this.answerOf(known)
  }

  /** What stands of a page that was taken: a trade may have got its second side since. */
  answerOf({ account, trade: ticket, answer }: AskedPage): Admitted | Refusal {
    if (ticket === null || 'refused' in answer) return answer
    if (ticket.state === 'refused') return tell(ticket.refusal as Rejection, account)
    if (ticket.state === 'stamped') return answer
    return { head: ticket.heads.get(account) ?? 0n, complete: true, time: ticket.admittedAt }
  }

  /** One side's signed page of a stamped trade. With the second one both are admitted together. */
  private signTrade(id: string, signed: SignedPage): Admitted | Refusal {
    const { account } = signed.page
    const ticket = this.tickets.get(id)
    if (ticket === undefined || (ticket.proposer !== account && ticket.counterparty !== account)) {
      return tell({ rule: 'TradeMustMatch', detail: 'no such trade for this account' }, account)
    }
    if (ticket.state === 'refused') return tell(ticket.refusal as Rejection, account)
    if (ticket.state !== 'stamped')
      return { head: ticket.heads.get(account) ?? 0n, complete: true, time: ticket.admittedAt }
    const expected: Page = {
      kind: 'trade',
      account: ticket.proposer,
      counterparty: ticket.counterparty,
      stamp: ticket.stamp,
      maxFee: 0n,
      payload: ticket.payload,
      entries: ticket.entries,
    }
    const form = checkPage(signed.page, this.conditions().time, this.conditions().fee)
    if (this.resigning.isBehind(account)) {
      // The trade is as good as it was: its side comes again, on the new head.
      const detail = 'the journal was cut: GET /v1/account names its head and what to sign anew'
      return tell({ rule: 'JournalMustContinue', detail }, account)
    }
    const mismatch =
      form ??
      checkPair(signed.page, account === ticket.proposer ? counterPage(expected, 0n) : expected)
    // What is wrong with the page of one side is not told to the other.
    if (mismatch) return this.refuse(ticket, { account, ...mismatch }, account)
    const checked = checkSignedPage(this.ledger, signed, this.conditions())
    if ('rule' in checked) return this.refuse(ticket, { account, ...checked }, account)
    ticket.sides.set(account, signed)
    if (ticket.sides.size < 2) return { head: checked.head, complete: false, time: 0n }
    return this.admitPair(ticket, account)
  }

  private admitPair(ticket: Ticket, asker: number): Admitted | Refusal {
    const [one, other] = [...ticket.sides.values()] as [SignedPage, SignedPage]
    const conditions = this.conditions()
    const heads: bigint[] = []
    for (const side of [one, other]) {
      const checked = checkSignedPage(this.ledger, side, conditions)
      if ('rule' in checked)
        return this.refuse(ticket, { account: side.page.account, ...checked }, asker)
      heads.push(checked.head)
    }
    ;[one, other].forEach((side, i) => {
      ticket.heads.set(side.page.account, heads[i] as bigint)
      this.keepAdmission(side.page.account, heads[i] as bigint, conditions.time)
      this.ledger.append(side.page.account, {
        page: side.page,
        head: heads[i] as bigint,
        signature: side.signature,
        trade: ticket.id,
      })
    })
    forgetPages(ticket)
    ticket.state = 'accepted'
    ticket.admittedAt = conditions.time
    this.changed.add(ticket)
    return {
      head: heads[one.page.account === asker ? 0 : 1] as bigint,
      complete: true,
      time: conditions.time,
    }
  }

  /** A withdrawal or a rotation: a page that needs no second side. */
  private signSingle(signed: SignedPage): Admitted | Refusal {
    const { page } = signed
    const { account } = page
    if (page.kind === 'trade')
      return this.refuse(
        null,
        { rule: 'TradeMustMatch', detail: 'a trade needs its second side: propose it' },
        account,
      )
    const known = this.ledger
      .pendingOf(account)
      .find((p) => p.signature.s === signed.signature.s && isSamePage(p.page, page))
    const conditions = this.conditions()
    const { time } = conditions
    if (known !== undefined) {
      const { head } = known
      return { head, complete: true, time: this.keepAdmission(account, head, time) }
    }
    const checked = checkSignedPage(this.ledger, signed, conditions)
    if ('rule' in checked) return this.refuse(null, checked, account)
    const pending = {
      page,
      head: checked.head,
      signature: signed.signature,
      trade: singleName(account, checked.head),
    }
    this.ledger.append(
      account,
      signed.rotation === undefined ? pending : { ...pending, rotation: signed.rotation },
    )
    this.keepAdmission(account, checked.head, time)
    return { head: checked.head, complete: true, time }
  }

  /**
   * Trades, withdrawals and rotations that cannot settle leave the journals, in one go however many they
   * are; their sides are asked to sign their later pages anew.
   */
  drop(all: readonly Dropped[], time: bigint): void {
    if (all.length === 0) return
    const accounts = this.resigning.drop(new Set(all.map(({ trade }) => trade)), time)
    for (const { trade, rejection } of all) {
      const ticket = this.tickets.get(trade)
      if (ticket !== undefined) this.end(ticket, rejection)
      this.advanceSingle(trade, 'refused', null)
      this.refusedCount++
    }
    // One side of a trade may be signed on a head that is gone now.
    for (const open of this.tickets.values())
      if (open.state === 'stamped')
        for (const side of [...open.sides.keys()]) if (accounts.has(side)) open.sides.delete(side)
  }

  /**
   * Whoever was asked to sign anew and did not loses those pages; nobody waits for them longer. What is
   * `kept` is in a batch on its way to L1, and stays where it is until L1 has spoken. Not `isAll`, of
   * records before version 4: each account the first of its pages, and a minute more for the others.
   */
  dropOverdue(time: bigint, isAll: boolean, kept: (trade: string) => boolean = () => false): void {
    const rule = 'SignatureMustMatch'
    for (;;) {
      const late = new Map<string, number>()
      for (const { trade, account } of this.resigning.overdue(time))
        // Of a trade that both sides are late with the first is told that it was its own.
        if (!kept(trade) && !late.has(trade)) late.set(trade, account)
      const all = [...late].map(([trade, account]) => ({
        trade,
        rejection: { rule, detail: 'it was not signed anew in time', account } as const,
      }))
      if (all.length === 0) return
      this.drop(isAll ? all : all.slice(0, 1), time)
    }
  }

  ticketsOf(account: number): readonly Ticket[] {
    return this.book.of(account)
  }
  /** What others have proposed to an account and has not ended. */
  openTowards(account: number): ReadonlySet<Ticket> {
    return this.book.openTowards(account)
  }

  private advanceSingle(name: string, state: TradeState, batch: bigint | null): void {
    for (const page of this.asked.advance(name, state, batch)) this.changed.add(page)
  }

  /** The trades of a batch go on to their next state. */
  advance(trades: ReadonlySet<string>, state: TradeState, batch: bigint | null): void {
    for (const id of trades) {
      this.advanceSingle(id, state, batch)
      const ticket = this.tickets.get(id)
      if (ticket === undefined) continue
      ticket.state = state
      ticket.batch = batch
      this.changed.add(ticket)
      if (state === 'final') this.book.finish(ticket)
    }
  }

  /** Trades whose pages an accepted batch has skipped: they can never settle any more. */
  expire(trades: ReadonlySet<string>): void {
    for (const id of trades) {
      this.advanceSingle(id, 'refused', null)
      const ticket = this.tickets.get(id)
      if (ticket !== undefined)
        this.end(ticket, { rule: 'StampMustBeLive', detail: 'no batch took the trade in its time' })
    }
  }

  /** For comparing one replay with another; what is made on demand is left out. */
  get state() {
    return {
      tickets: [...this.tickets.values()].map(({ receipts: _made, ...ticket }) => ticket),
      lastStamp: this.lastStamp,
      refusedCount: this.refusedCount,
      admissions: this.admissions.all,
      ...this.asked.state,
      ...this.resigning.state,
    }
  }
}

/** A trade is remembered for much longer than its pages are needed, which are most of it. */
function forgetPages({ sides }: Ticket): void {
  for (const account of sides.keys()) sides.set(account, null)
}
