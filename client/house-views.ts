/** What the house answers a member about itself, as JSON has it: amounts are decimal strings. */
import type { RuleName } from '../circuits/rules.ts'

/** Words of the house beside the rules of the law. */
export const HOUSE_WORDS = {
  TradeMustBeAdmissible:
    'both sides must be able to take the trade; what is wrong with the other is not told',
  ClientIdMustBeNew: 'a client id stands for one request',
  PagesMustBeFew:
    'too many pages of the account wait: sign this one again when a batch has settled some of them',
} as const

export type HouseWord = keyof typeof HOUSE_WORDS

export type TradeState =
  'proposed' | 'stamped' | 'accepted' | 'batched' | 'proven' | 'final' | 'refused'
/** The operator's signature under a head that it has admitted; `time` in seconds. */
export type ReceiptView = {
  readonly head: string
  readonly time: number
  readonly signature: string
}
export type Holdings = {
  readonly cash: string
  readonly balances: readonly { readonly id: number; readonly quantity: string }[]
}
/** Worth per world in micro-dollars; null where a holding has no value. */
export type MarginView = {
  readonly admissible: boolean
  readonly refused: RuleName | null
  readonly before: readonly string[] | null
  readonly after: readonly string[] | null
}
export type ProofView = {
  readonly account: number
  readonly batch: string
  readonly root: string
  readonly leaf: string
  readonly path: readonly (readonly string[])[]
}
export type PageView = {
  readonly clientId: string
  readonly kind: 'trade' | 'withdrawal' | 'rotation'
  readonly ticket: string | null
  readonly state: TradeState
  readonly batch: string | null
  readonly head: string | null
  readonly receipt: ReceiptView | null
  readonly refused: RuleName | HouseWord | null
}
/** A receipt with all that is needed to check it. */
export type ReceiptFile = ReceiptView & { readonly account: number; readonly domain: string }
export type Told = {
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly event: { readonly kind: string } & Readonly<Record<string, unknown>>
}
export type Events = { readonly events: readonly Told[]; readonly last: number }
