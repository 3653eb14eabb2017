/** A proposal on its way to a settled trade, and what is said of it. */
import { livenessAt, type Entry } from '../circuits/page.ts'
import type { Rejection, RuleName } from '../circuits/rules.ts'
import type { SignedPage } from './admission.ts'

export type TradeState =
  'proposed' | 'stamped' | 'accepted' | 'batched' | 'proven' | 'final' | 'refused'
/**
 * Words of the house beside the rules of the law. TradeMustBeAdmissible is all that a side hears
 * when the reason is another account's.
 */
export type HouseWord = 'TradeMustBeAdmissible' | 'ClientIdMustBeNew' | 'OpenTradesMustBeFew'
/** A trade as its two parties see it. Nobody else does. */
export type Ticket = {
  readonly id: string
  readonly clientId: string
  readonly proposer: number
  readonly counterparty: number
  /** From the proposer's side. */
  readonly entries: readonly Entry[]
  readonly payload: bigint
  state: TradeState
  stamp: bigint
  refusal: Rejection | null
  /** Who has signed; what, as long as the other side is waited for: then the journals have it. */
  readonly sides: Map<number, SignedPage | null>
  /** The head of each side after its page, once both are admitted. */
  readonly heads: Map<number, bigint>
  /** Made when they are asked for, from head and time: the same each time. */
  readonly receipts: Map<number, Receipt>
  /** Seconds at which both pages were admitted. */
  admittedAt: bigint
  batch: bigint | null
}
/** The operator's signature under an admitted head; `time` in seconds. */
export type Receipt = { readonly head: bigint; readonly time: number; readonly signature: string }
export type Refusal = { readonly refused: RuleName | HouseWord; readonly detail: string }
/** `time`: seconds of the admission, as the receipt has it. */
export type Admitted = { readonly head: bigint; readonly complete: boolean; readonly time: bigint }

/**
 * What an account hears of a rejection. Its own margin is its own matter: of another account's it
 * hears neither the numbers nor the rule, since the rule alone says whose margin failed.
 */
export function tell(rejection: Rejection, asker: number): Refusal {
  return rejection.account === undefined || rejection.account === asker
    ? { refused: rejection.rule, detail: rejection.detail }
    : { refused: 'TradeMustBeAdmissible', detail: 'the trade cannot be admitted' }
}

/** Agreed, and nobody can sign it any more: it ends when its proposer needs the place, which may be never. */
export function isOver({ state, stamp }: Ticket, time: bigint): boolean {
  return state === 'stamped' && livenessAt(stamp, time) === 'expired'
}

/** The entries from one side: the counterparty's are the reverse of the proposer's. */
export function entriesFor(ticket: Ticket, account: number): readonly Entry[] {
  return account === ticket.proposer
    ? ticket.entries
    : ticket.entries.map((e) => ({ ...e, quantity: -e.quantity }))
}
