/** The desk: proposals, affirmations, order stamps and pages. A trade is admitted with both its sides or not at all. */
import { STAMP_RANDOM_BITS } from '../circuits/params.ts'
import { checkPage, counterPage, stampOf, type Entry, type Page } from '../circuits/page.ts'
import type { Rejection } from '../circuits/rules.ts'
import {
  checkEffect,
  checkPair,
  checkSignedPage,
  type Conditions,
  type SignedPage,
} from './admission.ts'
import type { Ledger } from './ledger.ts'
import { pageId, Resigning } from './resign.ts'
import { tell, type Admitted, type Refusal, type Ticket, type TradeState } from './ticket.ts'

export class Desk {
  readonly tickets = new Map<string, Ticket>()
  /** By proposer and its own name for the trade. */
  private readonly byClient = new Map<string, Ticket>()
  readonly resigning: Resigning
  refusedCount = 0
  private readonly ledger: Ledger
  private readonly conditions: () => Conditions
  private lastStamp = 0n
  private counter = 0

  constructor(ledger: Ledger, conditions: () => Conditions) {
    this.ledger = ledger
    this.conditions = conditions
    this.resigning = new Resigning(ledger)
  }

  /** Strictly rising stamps: seconds and random bits, so that the number of trades does not show. */
  private nextStamp(time: bigint, chance: bigint): bigint {
    const random = chance & ((1n << BigInt(STAMP_RANDOM_BITS)) - 1n)
    const stamp = stampOf(time, random)
    this.lastStamp = stamp > this.lastStamp ? stamp : this.lastStamp + 1n + (random & 15n)
    return this.lastStamp
  }

  private newId(chance: bigint): string {
    this.counter++
    return `t${this.counter}-${chance.toString(16).padStart(16, '0')}`
  }

  private refuse(ticket: Ticket | null, rejection: Rejection, asker: number): Refusal {
    this.refusedCount++
    if (ticket !== null) {
      ticket.state = 'refused'
      ticket.refusal = rejection
    }
    return tell(rejection, asker)
  }

  /** Records a proposal; the same client id again returns the same ticket. `chance`: 64 random bits. */
  propose(
    proposer: number,
    clientId: string,
    counterparty: number,
    entries: readonly Entry[],
    payload: bigint,
    chance: bigint,
  ): Ticket | Refusal {
    const own = `${proposer} ${clientId}`
    const known = this.byClient.get(own)
    if (known !== undefined) return known
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
      id: this.newId(chance),
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
    this.tickets.set(ticket.id, ticket)
    this.byClient.set(own, ticket)
    return ticket
  }

  /** The counterparty agrees: the trade gets its place in the one order that both journals follow. */
  affirm(account: number, id: string, chance: bigint): Ticket | Refusal {
    const ticket = this.tickets.get(id)
    if (ticket === undefined || ticket.counterparty !== account) {
      return tell({ rule: 'TradeMustMatch', detail: 'no such proposal for this account' }, account)
    }
    if (ticket.state !== 'proposed') return ticket
    const conditions = this.conditions()
    const stamp = this.nextStamp(conditions.time, chance)
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
    return ticket
  }

  reject(account: number, id: string): Ticket | Refusal {
    const ticket = this.tickets.get(id)
    if (
      ticket === undefined ||
      (ticket.counterparty !== account && ticket.proposer !== account) ||
      ticket.state !== 'proposed'
    ) {
      return tell(
        { rule: 'TradeMustMatch', detail: 'no such open proposal for this account' },
        account,
      )
    }
    ticket.state = 'refused'
    ticket.refusal = { rule: 'TradeMustMatch', detail: 'a side withdrew the proposal' }
    return ticket
  }

  /** One side's signed page of a stamped trade. With the second one both are admitted together. */
  signTrade(id: string, signed: SignedPage): Admitted | Refusal {
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
      const detail = 'the journal was cut: GET /account names its head and what to sign anew'
      return tell({ rule: 'JournalMustContinue', detail }, account)
    }
    const mismatch =
      form ??
      checkPair(signed.page, account === ticket.proposer ? counterPage(expected, 0n) : expected)
    if (mismatch) return this.refuse(ticket, mismatch, account)
    const checked = checkSignedPage(this.ledger, signed, this.conditions())
    if ('rule' in checked) return this.refuse(ticket, checked, account)
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
      if ('rule' in checked) return this.refuse(ticket, checked, asker)
      heads.push(checked.head)
    }
    ;[one, other].forEach((side, i) => {
      ticket.heads.set(side.page.account, heads[i] as bigint)
      this.ledger.append(side.page.account, {
        page: side.page,
        head: heads[i] as bigint,
        signature: side.signature,
        trade: ticket.id,
      })
    })
    ticket.state = 'accepted'
    ticket.admittedAt = conditions.time
    return {
      head: heads[one.page.account === asker ? 0 : 1] as bigint,
      complete: true,
      time: conditions.time,
    }
  }

  /** A withdrawal or a rotation: a page that needs no second side. */
  signSingle(signed: SignedPage): Admitted | Refusal {
    const { page } = signed
    if (page.kind === 'trade')
      return this.refuse(
        null,
        { rule: 'TradeMustMatch', detail: 'a trade needs its second side: propose it' },
        page.account,
      )
    const known = this.ledger
      .pendingOf(page.account)
      .find((p) => pageId(p.page) === pageId(page) && p.signature.s === signed.signature.s)
    const conditions = this.conditions()
    const { time } = conditions
    if (known !== undefined) return { head: known.head, complete: true, time }
    const checked = checkSignedPage(this.ledger, signed, conditions)
    if ('rule' in checked) return this.refuse(null, checked, page.account)
    const pending = {
      page,
      head: checked.head,
      signature: signed.signature,
      trade: `s-${page.account}-${checked.head}`,
    }
    this.ledger.append(
      page.account,
      signed.rotation === undefined ? pending : { ...pending, rotation: signed.rotation },
    )
    return { head: checked.head, complete: true, time }
  }

  /**
   * A trade, withdrawal or rotation that cannot settle leaves the journals; its sides are asked to
   * sign their later pages anew.
   */
  drop(trade: string, rejection: Rejection, time: bigint): void {
    const accounts = this.resigning.drop(trade, time)
    const ticket = this.tickets.get(trade)
    if (ticket !== undefined) {
      ticket.state = 'refused'
      ticket.refusal = rejection
    }
    this.refusedCount++
    // One side of a trade may be signed on a head that is gone now.
    for (const open of this.tickets.values())
      if (open.state === 'stamped') accounts.forEach((account) => open.sides.delete(account))
  }

  /** Whoever was asked to sign anew and did not loses those pages; nobody waits for them longer. */
  dropOverdue(time: bigint): void {
    for (;;) {
      const [trade] = this.resigning.overdue(time)
      if (trade === undefined) return
      this.drop(trade, { rule: 'SignatureMustMatch', detail: 'a side did not sign anew' }, time)
    }
  }

  ticketsOf(account: number): readonly Ticket[] {
    return [...this.tickets.values()].filter(
      (t) => t.proposer === account || t.counterparty === account,
    )
  }

  /** The trades of a batch go on to their next state. */
  advance(trades: ReadonlySet<string>, state: TradeState, batch: bigint | null): void {
    for (const id of trades) {
      const ticket = this.tickets.get(id)
      if (ticket !== undefined) {
        ticket.state = state
        ticket.batch = batch
      }
    }
  }

  /** Trades whose pages an accepted batch has skipped: they can never settle any more. */
  expire(trades: ReadonlySet<string>): void {
    for (const id of trades) {
      const ticket = this.tickets.get(id)
      if (ticket === undefined) continue
      ticket.state = 'refused'
      ticket.refusal = { rule: 'StampMustBeLive', detail: 'no batch took the trade in its time' }
    }
  }

  /** For comparing one replay with another; what is made on demand is left out. */
  get state() {
    return {
      tickets: [...this.tickets.values()].map(({ receipts: _made, ...ticket }) => ticket),
      lastStamp: this.lastStamp,
      counter: this.counter,
      refusedCount: this.refusedCount,
      ...this.resigning.state,
    }
  }
}
