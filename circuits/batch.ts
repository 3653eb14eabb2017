/**
 * A batch in numbers: from pages, requests and deposits to the accounts after it, or the name of the
 * rule that it breaks. Pure: the sequencer decides what goes in, the witness follows from the result.
 */
import { CASH_ID, FEE_ACCOUNT_INDEX, FIRST_MEMBER_INDEX, type MODE } from './params.ts'
import {
  addBalance,
  batchKey,
  encryptAccount,
  ownerKeyHash,
  saltOf,
  type Account,
} from './account.ts'
import { instrumentsOf } from './batch-size.ts'
import { verify, type Point, type Signature } from './eddsa.ts'
import type { ExitRequest, ForcedPayment, Reduction } from './exit.ts'
import type { FlagChange, FlagStep } from './flag.ts'
import { stepMember } from './member-step.ts'
import { checkPage, entriesOf, headAfter, livenessAt, type Page } from './page.ts'
import { Broken, type Rejection } from './rules.ts'
import { rowLookup, type Settlements, type Table } from './table.ts'

/** A request for keys; `key` is the point Q, 8 Q gets installed. */
export type KeyRequest = {
  readonly kind: 'register' | 'rotate'
  readonly serial: bigint
  readonly account: number
  readonly key: Point
  readonly viewKeyHash: bigint
}
/** A request of the L1 queue. */
export type L1Request = KeyRequest | ExitRequest
export type Credit = {
  readonly id: bigint
  readonly commitment: bigint
  readonly token: number
  readonly amount: bigint
  readonly account: number
  readonly secret: bigint
}
/** Pages of one account in journal order and the signature on the head after the last of them. */
export type JournalRun = {
  readonly pages: readonly Page[]
  readonly signature: Signature
  readonly signer: Point
  /** For a run that ends in a rotation: the point Q of the new owner key, and the new view key. */
  readonly rotation?: { readonly key: Point; readonly viewKey: bigint }
}
export type BatchContext = {
  readonly domain: bigint
  readonly batchNumber: bigint
  readonly time: bigint
  readonly fee: bigint
  readonly batchNonce: bigint
  /** Set by L1; reduce-only while the table of this batch is not confirmed. Normal if left out. */
  readonly mode?: keyof typeof MODE
  readonly table: Table
  /** Whether L1 has it confirmed. True if left out. */
  readonly isTableConfirmed?: boolean
  readonly settlements: Settlements
}
export type BatchPlan = {
  readonly context: BatchContext
  readonly requests: readonly L1Request[]
  readonly credits: readonly Credit[]
  readonly journals: ReadonlyMap<number, JournalRun>
  /** Steps of status; each touches its account. None if left out. */
  readonly flags?: ReadonlyMap<number, FlagStep>
  /** Accounts touched only to be re-randomised. */
  readonly cover: readonly number[]
  /** The view key of every touched account after the batch, the fee account's included. */
  readonly viewKeys: ReadonlyMap<number, bigint>
}
export type PageUse = {
  readonly page: Page
  readonly previousHead: bigint
  readonly head: bigint
  readonly isLive: boolean
}
export type Payout = {
  readonly token: number
  readonly amount: bigint
  readonly to: bigint
  readonly account: number
  readonly stamp: bigint
}
export type MemberStep = {
  readonly index: number
  readonly before: Account | null
  readonly after: Account
  readonly cipher: readonly bigint[]
  readonly viewKey: bigint
  readonly run: JournalRun | null
  readonly request: L1Request | null
  readonly isRescue: boolean
  readonly isWorse: readonly boolean[]
  readonly difference: readonly bigint[]
  /** Worth before, at this batch's table; zeros unless rescued. */
  readonly oldWorth: readonly bigint[]
  readonly conversionCash: bigint
  readonly convertedIds: ReadonlySet<number>
  readonly liveCount: number
  /** What a served forced exit paid. */
  readonly forced: ForcedPayment | null
  /** Changed balances, if the account is reduce-only and has pages. */
  readonly reductions: readonly Reduction[]
  /** The step of status that the plan names. */
  readonly flag: FlagChange | null
}
export type FeeStep = {
  readonly before: Account
  readonly after: Account
  readonly cipher: readonly bigint[]
  readonly viewKey: bigint
}
export type BatchTrace = {
  readonly plan: BatchPlan
  readonly pages: readonly PageUse[]
  readonly members: readonly MemberStep[]
  readonly feeAccount: FeeStep
  readonly payouts: readonly Payout[]
  /** Instruments that are looked up, ascending: the rows the circuit opens. */
  readonly instruments: readonly number[]
}
export type Outcome =
  | { readonly ok: true; readonly trace: BatchTrace }
  | { readonly ok: false; readonly rejection: Rejection }

/** Applies a plan to the accounts; nothing is changed in place. */
export function executeBatch(accounts: ReadonlyMap<number, Account>, plan: BatchPlan): Outcome {
  try {
    return { ok: true, trace: traceOf(accounts, plan) }
  } catch (error) {
    if (error instanceof Broken) return { ok: false, rejection: error.rejection }
    throw error
  }
}

function traceOf(accounts: ReadonlyMap<number, Account>, plan: BatchPlan): BatchTrace {
  const { context } = plan
  const indices = touchedIndices(plan)
  const pages = [...plan.journals].flatMap(([index, run]) =>
    usePages(index, accounts.get(index), run, context),
  )
  const payouts = payoutsOf(pages)
  assertNetting(pages)
  const rowOf = rowLookup(context.table, context.settlements)
  const settled = new Map(context.settlements.rows.map((row) => [row.id, row.values[0] as bigint]))
  const members = indices.map((index) =>
    stepMember(index, accounts.get(index) ?? null, plan, pages, rowOf, settled),
  )
  const fees = members.reduce((sum, m) => sum + feePaid(m, context.fee), 0n)
  const instruments = instrumentsOf(members)
  return {
    plan,
    pages,
    members,
    feeAccount: stepFeeAccount(accounts, plan, fees),
    payouts,
    instruments,
  }
}

export function feePaid(member: Pick<MemberStep, 'isRescue' | 'liveCount'>, fee: bigint): bigint {
  return member.isRescue ? 0n : fee * BigInt(member.liveCount)
}

function touchedIndices(plan: BatchPlan): readonly number[] {
  const all = [
    ...plan.requests.map((r) => r.account),
    ...plan.credits.map((c) => c.account),
    ...plan.journals.keys(),
    ...(plan.flags?.keys() ?? []),
    ...plan.cover,
  ]
  const indices = [...new Set(all)].sort((a, b) => a - b)
  for (const index of indices) {
    if (index < FIRST_MEMBER_INDEX)
      throw new Broken('CounterpartyMustBeMember', 'a house account is touched by rule only', index)
  }
  return indices
}

/** Follows one journal from the account's head: which pages live, which are skipped. */
function usePages(
  index: number,
  account: Account | undefined,
  run: JournalRun,
  context: BatchContext,
): PageUse[] {
  if (account === undefined)
    throw new Broken('JournalMustContinue', 'the account is not registered', index)
  const uses: PageUse[] = []
  let head = account.head
  for (const page of run.pages) {
    if (page.account !== index)
      throw new Broken('JournalMustContinue', 'a page of another account', index)
    const isLive = livenessAt(page.stamp, context.time) === 'live'
    const wrong =
      isLive || livenessAt(page.stamp, context.time) === 'early'
        ? checkPage(page, context.time, context.fee)
        : null
    if (wrong) throw new Broken(wrong.rule, wrong.detail, index)
    const next = headAfter(head, page)
    uses.push({ page, previousHead: head, head: next, isLive })
    head = next
    if (page.kind === 'rotation' && isLive && page !== run.pages.at(-1)) {
      throw new Broken('RotationMustEndItsJournal', 'pages follow a rotation', index)
    }
  }
  if (
    ownerKeyHash(run.signer) !== account.ownerKeyHash ||
    !isSignedBy(run.signer, head, run.signature)
  ) {
    throw new Broken('SignatureMustMatch', 'the last head is not signed by the owner key', index)
  }
  return uses
}

/**
 * What was found right here, and nowhere else: a batch is executed again for each page that it cannot
 * have, and to verify all other signatures anew would take most of that.
 */
const foundRight = new WeakMap<Signature, { readonly signer: Point; readonly head: bigint }>()

function isSignedBy(signer: Point, head: bigint, signature: Signature): boolean {
  const known = foundRight.get(signature)
  if (known?.head === head && known.signer.x === signer.x && known.signer.y === signer.y)
    return true
  const isRight = verify(signer, head, signature)
  if (isRight) foundRight.set(signature, { signer, head })
  return isRight
}

function payoutsOf(pages: readonly PageUse[]): readonly Payout[] {
  return pages
    .filter(({ page, isLive }) => isLive && page.kind === 'withdrawal')
    .map(({ page }) => {
      const entry = entriesOf(page)[0]
      if (entry === undefined)
        throw new Error('batch: a withdrawal without an entry passed checkPage')
      return {
        token: entry.instrument,
        amount: -entry.quantity,
        to: page.payload,
        account: page.account,
        stamp: page.stamp,
      }
    })
}

/** Per unordered pair, stamp, payload and instrument the live pages sum to zero, one of each side. */
function assertNetting(pages: readonly PageUse[]): void {
  const sums = new Map<string, bigint>()
  const add = (key: string, value: bigint): void => {
    sums.set(key, (sums.get(key) ?? 0n) + value)
  }
  for (const { page, isLive } of pages) {
    if (!isLive || page.kind !== 'trade') continue
    const low = Math.min(page.account, page.counterparty)
    const key = `${low}/${page.account + page.counterparty - low}/${page.stamp}/${page.payload}`
    add(`${key}/presence`, BigInt(page.account - page.counterparty))
    for (const entry of entriesOf(page)) {
      add(`${key}/${entry.instrument}`, entry.quantity)
      add(`${key}/${CASH_ID}`, -entry.quantity * entry.price)
    }
  }
  for (const [key, sum] of sums) {
    if (sum !== 0n)
      throw new Broken(
        'TradeMustMatch',
        'one side of a trade is missing or differs',
        Number(key.split('/')[0]),
      )
  }
}

function stepFeeAccount(
  accounts: ReadonlyMap<number, Account>,
  plan: BatchPlan,
  fees: bigint,
): FeeStep {
  const before = accounts.get(FEE_ACCOUNT_INDEX)
  const viewKey = plan.viewKeys.get(FEE_ACCOUNT_INDEX)
  if (before === undefined || viewKey === undefined)
    throw new Error('batch: the fee account or its view key is missing')
  const key = batchKey(
    viewKey,
    FEE_ACCOUNT_INDEX,
    plan.context.batchNumber,
    plan.context.batchNonce,
  )
  const after = { ...addBalance(before, CASH_ID, fees), salt: saltOf(key) }
  return { before, after, cipher: encryptAccount(after, key), viewKey }
}
