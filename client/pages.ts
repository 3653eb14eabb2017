/** The pages that a member signs, as plain values. */
import { rotationPayload } from '../circuits/account.ts'
import type { Page } from '../circuits/page.ts'
import type { TicketView } from './api.ts'
import type { MemberKeys } from './keys.ts'

/** What a page without a counterparty needs besides its sense; maxFee in micro-dollars. */
export type OwnTerms = Pick<Page, 'account' | 'stamp' | 'maxFee'>

/** This member's side of a stamped trade, as the house shows it. */
export function pageOf(account: number, ticket: TicketView, maxFee: bigint): Page {
  return {
    kind: 'trade',
    account,
    counterparty: ticket.counterparty,
    stamp: BigInt(ticket.stamp),
    maxFee,
    payload: BigInt(ticket.payload),
    entries: ticket.entries.map((e) => ({
      instrument: e.instrument,
      quantity: BigInt(e.quantity),
      price: BigInt(e.price),
    })),
  }
}

/** `amount` lots of a token to an L1 address below 2^160. */
export function withdrawalPage(terms: OwnTerms, token: number, amount: bigint, to: bigint): Page {
  const entries = [{ instrument: token, quantity: -amount, price: 0n }]
  return { kind: 'withdrawal', counterparty: 0, payload: to, entries, ...terms }
}

export function rotationPage(terms: OwnTerms, next: MemberKeys): Page {
  const payload = rotationPayload(next.ownerKeyHash, next.viewKeyHash)
  return { kind: 'rotation', counterparty: 0, payload, entries: [], ...terms }
}
