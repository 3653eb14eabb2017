/** The trades that are known, by id and by side. Of what has ended each side keeps so many. */
import type { Ticket } from './ticket.ts'

/**
 * Trades that an account can still look at after their end, of those that were agreed and of those that
 * never were: whoever proposes and takes back without end pushes none of the former out.
 */
export const DONE_KEPT = 1_000
/** Proposals of one account that have not ended. */
export const OPEN_TRADES = 2_000

export class TicketBook {
  readonly all = new Map<string, Ticket>()
  /** In the order in which they were proposed. */
  private readonly bySide = new Map<number, Set<Ticket>>()
  /** Of each side those that change no more, the oldest first: with a stamp, and without one. */
  private readonly agreed = new Map<number, Set<Ticket>>()
  private readonly proposed = new Map<number, Set<Ticket>>()
  private readonly open = new Map<number, Set<Ticket>>()
  private readonly towards = new Map<number, Set<Ticket>>()

  /** What an account has proposed and what has not ended. */
  openOf(proposer: number): ReadonlySet<Ticket> {
    return this.open.get(proposer) ?? new Set()
  }

  /** What was proposed to an account and has not ended. */
  openTowards(counterparty: number): ReadonlySet<Ticket> {
    return this.towards.get(counterparty) ?? new Set()
  }

  add(ticket: Ticket): void {
    this.all.set(ticket.id, ticket)
    const { proposer, counterparty } = ticket
    this.open.set(proposer, (this.open.get(proposer) ?? new Set()).add(ticket))
    this.towards.set(counterparty, (this.towards.get(counterparty) ?? new Set()).add(ticket))
    for (const side of [ticket.proposer, ticket.counterparty])
      this.bySide.set(side, (this.bySide.get(side) ?? new Set()).add(ticket))
  }

  of(account: number): readonly Ticket[] {
    return [...(this.bySide.get(account) ?? [])]
  }

  /** It changes no more. It is forgotten when each side has had so many others end since. */
  finish(ticket: Ticket): void {
    this.open.get(ticket.proposer)?.delete(ticket)
    this.towards.get(ticket.counterparty)?.delete(ticket)
    const all = ticket.stamp === 0n ? this.proposed : this.agreed
    for (const side of [ticket.proposer, ticket.counterparty]) {
      const done = all.get(side) ?? new Set<Ticket>()
      all.set(side, done.add(ticket))
      const [oldest] = done
      if (done.size <= DONE_KEPT || oldest === undefined) continue
      done.delete(oldest)
      this.forget(oldest, side)
    }
  }

  private forget(ticket: Ticket, side: number): void {
    this.bySide.get(side)?.delete(ticket)
    const other = ticket.proposer === side ? ticket.counterparty : ticket.proposer
    if (this.bySide.get(other)?.has(ticket) !== true) this.all.delete(ticket.id)
  }
}
