/** A page of a member's journal: its words, its head, and the rules that need nothing but the page and the time. */
import {
  ACCOUNT_UPPER_BOUND,
  ENTRY_COUNT,
  FEE_BITS,
  FIRST_MEMBER_INDEX,
  MAX_FEE_SHIFT,
  PAGE_KIND,
  PAGE_LIFE_BITS,
  STAMP_AGE_BITS,
  STAMP_RANDOM_BITS,
  type PageKind,
} from './params.ts'
import { mod } from './field.ts'
import { hash } from './poseidon.ts'
import type { Rejection } from './rules.ts'

/** quantity lots of the instrument to this account, against quantity * price of its cash. */
export type Entry = {
  readonly instrument: number
  readonly quantity: bigint
  readonly price: bigint
}

export type Page = {
  readonly kind: PageKind
  readonly account: number
  readonly counterparty: number
  readonly stamp: bigint
  /** Micro-dollars that this page may cost at most. */
  readonly maxFee: bigint
  readonly payload: bigint
  readonly entries: readonly Entry[]
}

export const EMPTY_ENTRY: Entry = { instrument: 0, quantity: 0n, price: 0n }
export const PADDING: Page = {
  kind: 'padding',
  account: 0,
  counterparty: 0,
  stamp: 0n,
  maxFee: 0n,
  payload: 0n,
  entries: [],
}

/** Always ENTRY_COUNT entries, the unused ones zero. */
export function entriesOf(page: Page): readonly Entry[] {
  return Array.from({ length: ENTRY_COUNT }, (_, i) => page.entries[i] ?? EMPTY_ENTRY)
}

export function termsWord(page: Page): bigint {
  return (
    BigInt(PAGE_KIND[page.kind]) +
    (BigInt(page.account) << 2n) +
    (BigInt(page.counterparty) << 20n) +
    (page.stamp << 38n) +
    (page.maxFee << BigInt(MAX_FEE_SHIFT))
  )
}

/** Admission, the ledger and the batch ask for the head of the same page, which never changes. */
const knownHeads = new WeakMap<Page, { readonly previousHead: bigint; readonly head: bigint }>()

/** The journal head after this page. */
export function headAfter(previousHead: bigint, page: Page): bigint {
  const known = knownHeads.get(page)
  if (known?.previousHead === previousHead) return known.head
  const head = hash('PAGE', [
    previousHead,
    termsWord(page),
    page.payload,
    ...entriesOf(page).flatMap((e) => [BigInt(e.instrument), mod(e.quantity), mod(e.price)]),
  ])
  knownHeads.set(page, { previousHead, head })
  return head
}

export function paddingHead(): bigint {
  return headAfter(0n, PADDING)
}

export function stampOf(seconds: bigint, random: bigint): bigint {
  return (seconds << BigInt(STAMP_RANDOM_BITS)) + random
}
export function stampSeconds(stamp: bigint): bigint {
  return stamp >> BigInt(STAMP_RANDOM_BITS)
}

/**
 * Seconds after its stamp in which a trade is signed by both sides. A page lives for eighteen hours, and who
 * has signed first would give the other side that long to see where prices go. Clients sign within two
 * minutes; the house takes a page for twice that, since clocks differ and a journal that was cut is
 * signed anew.
 */
export const SIGNING_SECONDS = 240n

/** Whether a stamped trade that a side has not signed yet is not to be signed any more. */
export function isPastSigning(stamp: bigint, time: bigint): boolean {
  return time > stampSeconds(stamp) + SIGNING_SECONDS
}

export type Liveness = 'early' | 'live' | 'expired'

/** live: 0 <= batch time - stamp < life, both in stamp units, batch time counted to the end of its second. */
export function livenessAt(stamp: bigint, time: bigint): Liveness {
  const age = ((time + 1n) << BigInt(STAMP_RANDOM_BITS)) - 1n - stamp
  if (age < 0n) return 'early'
  return age < 1n << BigInt(PAGE_LIFE_BITS) ? 'live' : 'expired'
}

/** What the opposite side signs: the same document, stamp and prices, quantities reversed. */
export function counterPage(page: Page, maxFee: bigint): Page {
  return {
    ...page,
    account: page.counterparty,
    counterparty: page.account,
    maxFee,
    entries: page.entries.map((e) => ({ ...e, quantity: -e.quantity })),
  }
}

/** The rules a page must keep by itself, whatever the state; null if it keeps them. */
export function checkPage(page: Page, time: bigint, fee: bigint): Rejection | null {
  const inIndexRange = (i: number): boolean =>
    Number.isInteger(i) && i >= 0 && i < ACCOUNT_UPPER_BOUND
  if (
    !inIndexRange(page.account) ||
    !inIndexRange(page.counterparty) ||
    page.entries.length > ENTRY_COUNT ||
    page.kind === 'padding' ||
    page.account < FIRST_MEMBER_INDEX
  ) {
    return {
      rule: 'PageMustBeWellFormed',
      detail: 'kind, account, counterparty or entries out of range',
    }
  }
  const age = ((time + 1n) << BigInt(STAMP_RANDOM_BITS)) - 1n - page.stamp
  const liveness = livenessAt(page.stamp, time)
  if (liveness === 'early' || age >= 1n << BigInt(STAMP_AGE_BITS)) {
    return { rule: 'StampMustBeLive', detail: 'the stamp lies after the batch' }
  }
  if (page.maxFee < 0n || page.maxFee >= 1n << BigInt(FEE_BITS)) {
    return { rule: 'PageMustBeWellFormed', detail: 'maxFee is out of range' }
  }
  if (liveness === 'expired') return { rule: 'StampMustBeLive', detail: 'the page has expired' }
  if (page.maxFee < fee) {
    return {
      rule: 'FeeMustBeWithinMaxFee',
      detail: `the fee is ${fee}, the page allows ${page.maxFee} micro-dollars`,
    }
  }
  if (page.kind === 'rotation') {
    return page.entries.some((e) => e.quantity !== 0n)
      ? { rule: 'RotationMustMoveNothing', detail: 'a rotation has no entries' }
      : null
  }
  if (page.account === page.counterparty) {
    return { rule: 'CounterpartyMustDiffer', detail: 'an account cannot trade with itself' }
  }
  if (page.kind === 'trade' && page.counterparty < FIRST_MEMBER_INDEX) {
    return { rule: 'CounterpartyMustBeMember', detail: 'house accounts do not trade' }
  }
  if (page.kind === 'withdrawal') return checkWithdrawalShape(page)
  return null
}

function checkWithdrawalShape(page: Page): Rejection | null {
  const [entry, ...rest] = entriesOf(page)
  const isSimple =
    entry !== undefined &&
    entry.quantity < 0n &&
    entry.price === 0n &&
    entry.instrument > 0 &&
    entry.instrument < 1024 &&
    rest.every((e) => e.quantity === 0n && e.instrument === 0)
  return page.counterparty === 0 && isSimple && page.payload > 0n && page.payload < 1n << 160n
    ? null
    : { rule: 'WithdrawalMustMatchPage', detail: 'a withdrawal takes one token to one L1 address' }
}
