/** Whether a page may be appended: the rules of the law, applied before anything is accepted. */
import { SLOT_COUNT, STATUS, TOKEN_UPPER_BOUND } from '../circuits/params.ts'
import {
  isInQuantityRange,
  rotationPayload,
  ownerKeyHash,
  viewKeyHash,
  type Account,
} from '../circuits/account.ts'
import { isOnCurve, timesEight, verify, type Point, type Signature } from '../circuits/eddsa.ts'
import { statusOf } from '../circuits/exit.ts'
import { checkPage, entriesOf, headAfter, type Page } from '../circuits/page.ts'
import type { Rejection } from '../circuits/rules.ts'
import { worthOf, type RowOf } from '../circuits/table.ts'
import { withPage, type Ledger } from './ledger.ts'
import { growing } from './reducing.ts'
import type { Mode } from './tables.ts'

export type Conditions = {
  readonly time: bigint
  readonly fee: bigint
  readonly rowOf: RowOf
  /** Normal if left out. */
  readonly mode?: Mode
}
export type SignedPage = {
  readonly page: Page
  readonly signature: Signature
  /** The head that the member says it continues; a stale one is told by name. */
  readonly previousHead?: bigint
  readonly rotation?: { readonly key: Point; readonly viewKey: bigint }
}

/** The rules that an account must keep after a page, against its state with all pending pages. */
export function checkEffect(
  ledger: Ledger,
  page: Page,
  { time, fee, rowOf, mode = 'normal' }: Conditions,
): Rejection | null {
  const { account: index } = page
  const before = ledger.projected(index, fee, time)
  if (before === undefined)
    return { rule: 'JournalMustContinue', detail: 'the account is not registered', account: index }
  const after = withPage(before, page, fee)
  const owed = after.balances.find((b) => b.id < TOKEN_UPPER_BOUND && b.quantity < 0n)
  if (owed)
    return {
      rule: 'TokenMustNotBeNegative',
      detail: `token ${owed.id} would be owed`,
      account: index,
    }
  if (
    after.balances.length > SLOT_COUNT - 1 ||
    [after.cash, ...after.balances.map((b) => b.quantity)].some((q) => !isInQuantityRange(q))
  ) {
    return {
      rule: 'BalancesMustBeWellFormed',
      detail: 'too many holdings or a quantity out of range',
      account: index,
    }
  }
  for (const { instrument } of entriesOf(page)) {
    if (instrument > 1 && rowOf(instrument) === undefined) {
      // Of no account: what the table lists is known to everybody.
      return { rule: 'InstrumentMustBeListed', detail: `instrument ${instrument} has no value` }
    }
  }
  if (page.kind === 'trade') {
    const halted = haltOf(page, before, after, rowOf, mode)
    if (halted) return halted
  }
  return checkSolvency(before, withPage(before, page, 0n), after, page, rowOf)
}

/** What has expired is traded no more; in reduce-only mode, or by an account that is flagged or leaving, nothing is opened. */
function haltOf(
  page: Page,
  before: Account,
  after: Account,
  rowOf: RowOf,
  mode: Mode,
): Rejection | null {
  const { account } = page
  for (const { instrument, quantity } of entriesOf(page)) {
    const status = quantity === 0n ? undefined : rowOf(instrument)?.status
    if (status === 'settled') {
      const detail = `instrument ${instrument} has settled`
      return { rule: 'SettledBalanceMustBeConverted', detail }
    }
    if (status === 'expired') {
      const detail = `instrument ${instrument} is not traded: it has expired, or is halted`
      return { rule: 'InstrumentMustBeListed', detail }
    }
  }
  const isActive = statusOf(before.meta) === STATUS.active
  const grown = mode === 'normal' && isActive ? null : growing(before, after)
  if (grown === null) return null
  const who = isActive ? 'the house takes no new risk' : 'the account may only reduce'
  const detail = `${who}: instrument ${grown} would grow or change its sign`
  return { rule: 'ReduceOnlyMustReduce', detail, account }
}

function checkSolvency(
  before: Account,
  unpaid: Account,
  paid: Account,
  page: Page,
  rowOf: RowOf,
): Rejection | null {
  const [old, next, full] = [worthOf(before, rowOf), worthOf(unpaid, rowOf), worthOf(paid, rowOf)]
  if (typeof old === 'number' || typeof next === 'number' || typeof full === 'number') {
    return {
      rule: 'InstrumentMustBeListed',
      detail: 'a holding has no value',
      account: page.account,
    }
  }
  if (full.every((w) => w >= 0n)) return null
  if (page.kind === 'withdrawal') {
    return {
      rule: 'WithdrawalMustLeaveSolvent',
      detail: 'a world would be worth less than zero',
      account: page.account,
    }
  }
  return next.every((w, s) => w >= 0n || w >= (old[s] as bigint))
    ? null
    : {
        rule: 'AccountMustBeSolvent',
        detail: 'a world would be worth less than zero and less than before',
        account: page.account,
      }
}

/** Everything about one signed page but its counter-page. Returns the head after it. */
export function checkSignedPage(
  ledger: Ledger,
  signed: SignedPage,
  conditions: Conditions,
): Rejection | { readonly head: bigint } {
  const { page, signature } = signed
  const form = checkPage(page, conditions.time, conditions.fee)
  if (form) return form
  const previous = ledger.headOf(page.account)
  const owner = ledger.ownerKeys.get(page.account)
  if (previous === undefined || owner === undefined)
    return { rule: 'JournalMustContinue', detail: 'the account is not registered' }
  if (ledger.unsignedOf(page.account).length > 0)
    return { rule: 'JournalMustContinue', detail: 'earlier pages wait to be signed anew' }
  const last = ledger.pendingOf(page.account).at(-1)
  if (last?.page.kind === 'rotation')
    return { rule: 'RotationMustEndItsJournal', detail: 'a rotation waits for its batch' }
  if (signed.previousHead !== undefined && signed.previousHead !== previous) {
    return {
      rule: 'JournalMustContinue',
      detail: 'the page continues another head: fetch yours and sign again',
    }
  }
  // Journals that follow different orders would block each other for good.
  if (last !== undefined && page.stamp <= last.page.stamp) {
    return {
      rule: 'JournalMustContinue',
      detail: 'the journal has a page with a later stamp already',
    }
  }
  const head = headAfter(previous, page)
  if (!isSigned(owner, head, signature)) {
    return {
      rule: 'SignatureMustMatch',
      detail: 'not a signature of this account on the head after this page',
    }
  }
  if (page.kind === 'rotation') {
    const wrong = checkRotation(signed)
    if (wrong) return wrong
  }
  return checkEffect(ledger, page, conditions) ?? { head }
}

export type Verified = { readonly owner: Point; readonly head: bigint; readonly isRight: boolean }
/**
 * What was computed once is not computed again: the first side of a trade is looked at twice, and
 * a helper may have looked before the page was recorded. A replay finds nothing here and computes.
 */
const verified = new WeakMap<Signature, Verified>()

/** Another process has verified it: the same question has the same answer here. */
export function keepVerified(signature: Signature, answer: Verified): void {
  verified.set(signature, answer)
}

export function verifiedOf(signature: Signature): Verified | undefined {
  return verified.get(signature)
}

export function isSigned(owner: Point, head: bigint, signature: Signature): boolean {
  const known = verified.get(signature)
  if (known?.head === head && known.owner.x === owner.x && known.owner.y === owner.y)
    return known.isRight
  const isRight = verify(owner, head, signature)
  verified.set(signature, { owner, head, isRight })
  return isRight
}

function checkRotation({ page, rotation }: SignedPage): Rejection | null {
  if (rotation === undefined)
    return { rule: 'ViewKeyMustBeHeld', detail: 'a rotation shows its new keys to the operator' }
  if (!isOnCurve(rotation.key) || timesEight(rotation.key).x === 0n) {
    return { rule: 'KeyMustBeInSubgroup', detail: 'the new owner key is of no use' }
  }
  const payload = rotationPayload(
    ownerKeyHash(timesEight(rotation.key)),
    viewKeyHash(rotation.viewKey),
  )
  return payload === page.payload
    ? null
    : { rule: 'RotationMustEndItsJournal', detail: 'the page names other keys' }
}

/** Both sides of a trade: the same document, stamp and prices, quantities reversed. */
export function checkPair(one: Page, other: Page): Rejection | null {
  const [a, b] = [entriesOf(one), entriesOf(other)]
  const matches =
    one.kind === 'trade' &&
    other.kind === 'trade' &&
    one.account === other.counterparty &&
    other.account === one.counterparty &&
    one.stamp === other.stamp &&
    one.payload === other.payload &&
    a.every(
      (e, i) =>
        e.instrument === b[i]?.instrument &&
        e.price === b[i]?.price &&
        e.quantity === -(b[i]?.quantity ?? 0n),
    )
  return matches
    ? null
    : { rule: 'TradeMustMatch', detail: 'the two sides have signed different trades' }
}
