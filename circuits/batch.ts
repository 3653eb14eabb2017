/**
 * A batch in numbers: from pages, requests and deposits to the accounts after it, or the name of the
 * rule that it breaks. Pure: the sequencer decides what goes in, the witness follows from the result.
 */
import {
  CASH_ID,
  FEE_ACCOUNT_INDEX,
  FIRST_MEMBER_INDEX,
  MODE,
  SLOT_COUNT,
  STATUS,
  WORLD_COUNT,
  TOKEN_UPPER_BOUND,
  type Shape,
} from './params.ts'
import {
  activeMeta,
  addBalance,
  batchKey,
  depositCommitment,
  encryptAccount,
  genesisHead,
  isInQuantityRange,
  ownerKeyHash,
  rotationPayload,
  saltOf,
  viewKeyHash,
  type Account,
} from './account.ts'
import {
  exitingMeta,
  forcedPayment,
  isReduction,
  reductionsOf,
  statusOf,
  type ExitRequest,
  type ForcedPayment,
  type Reduction,
} from './exit.ts'
import { timesEight, isOnCurve, verify, type Point, type Signature } from './eddsa.ts'
import { checkPage, entriesOf, headAfter, livenessAt, type Page } from './page.ts'
import { groupByNode, placesOf } from './rows.ts'
import type { Rejection, RuleName } from './rules.ts'
import { rowLookup, worthOf, type RowOf, type Settlements, type Table } from './table.ts'

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
  readonly settlements: Settlements
}
export type BatchPlan = {
  readonly context: BatchContext
  readonly requests: readonly L1Request[]
  readonly credits: readonly Credit[]
  readonly journals: ReadonlyMap<number, JournalRun>
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

class Broken extends Error {
  readonly rejection: Rejection
  constructor(rule: RuleName, detail: string, account?: number) {
    super(`${rule}: ${detail}`)
    this.rejection = account === undefined ? { rule, detail } : { rule, detail, account }
  }
}

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

/** Instruments that need a row: held after, converted, or held before by a rescued account. */
export function instrumentsOf(
  members: readonly Pick<MemberStep, 'before' | 'after' | 'convertedIds' | 'isRescue'>[],
): readonly number[] {
  const ids = members.flatMap((m) => [
    ...m.after.balances.map((b) => b.id),
    ...m.convertedIds,
    ...(m.isRescue ? (m.before?.balances ?? []) : []).map((b) => b.id),
  ])
  return [...new Set(ids)].sort((a, b) => a - b)
}

export function feePaid(member: Pick<MemberStep, 'isRescue' | 'liveCount'>, fee: bigint): bigint {
  return member.isRescue ? 0n : fee * BigInt(member.liveCount)
}

function touchedIndices(plan: BatchPlan): readonly number[] {
  const all = [
    ...plan.requests.map((r) => r.account),
    ...plan.credits.map((c) => c.account),
    ...plan.journals.keys(),
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
    !verify(run.signer, head, run.signature)
  ) {
    throw new Broken('SignatureMustMatch', 'the last head is not signed by the owner key', index)
  }
  return uses
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

function startOf(
  index: number,
  before: Account | null,
  request: L1Request | null,
  plan: BatchPlan,
): Account {
  const { domain, time } = plan.context
  if (request?.kind === 'forcedExit') {
    if (before === null)
      throw new Broken('RequestMustBeServed', 'the account is not registered', index)
    return { ...before, meta: exitingMeta(before.meta, time) }
  }
  if (request !== null && (!isOnCurve(request.key) || timesEight(request.key).x === 0n)) {
    throw new Broken('KeyMustBeInSubgroup', 'the posted point is of no use as a key', index)
  }
  if (request?.kind === 'register') {
    if (before !== null)
      throw new Broken('LeafMustBeEmptyBeforeRegistration', 'the account exists', index)
    const owner = ownerKeyHash(timesEight(request.key))
    return {
      ownerKeyHash: owner,
      viewKeyHash: request.viewKeyHash,
      head: genesisHead(domain, index, owner),
      meta: activeMeta(time),
      cash: 0n,
      balances: [],
      salt: 0n,
    }
  }
  if (before === null)
    throw new Broken('LeafMustBeEmptyBeforeRegistration', 'the account is not registered', index)
  return request === null
    ? before
    : { ...before, ownerKeyHash: ownerKeyHash(timesEight(request.key)) }
}

function stepMember(
  index: number,
  before: Account | null,
  plan: BatchPlan,
  allPages: readonly PageUse[],
  rowOf: RowOf,
  settled: ReadonlyMap<number, bigint>,
): MemberStep {
  const { context } = plan
  const run = plan.journals.get(index) ?? null
  const request = plan.requests.find((r) => r.account === index) ?? null
  if (plan.requests.filter((r) => r.account === index).length > 1) {
    throw new Broken(
      'OwnerKeyMustChangeByRule',
      'two L1 requests of one account in one batch',
      index,
    )
  }
  if (request?.kind === 'forcedExit') assertStandsAlone(index, plan, run)
  else if (request !== null && run !== null)
    throw new Broken('OwnerKeyMustChangeByRule', 'an L1 request and pages in one batch', index)
  let account = startOf(index, before, request, plan)

  // Settled balances become cash, the whole of each.
  let conversionCash = 0n
  const convertedIds = new Set<number>()
  for (const { id, quantity } of before?.balances ?? []) {
    const value = settled.get(id)
    if (value === undefined) continue
    convertedIds.add(id)
    conversionCash += quantity * value
    account = addBalance(account, id, -quantity)
  }
  account = addBalance(account, CASH_ID, conversionCash)
  const converted = account
  const forced = request?.kind === 'forcedExit' ? payOut(account, request, rowOf, index) : null
  if (forced !== null) account = addBalance(account, forced.token, -forced.amount)
  for (const credit of plan.credits.filter((c) => c.account === index)) {
    if (depositCommitment(index, credit.secret) !== credit.commitment) {
      throw new Broken(
        'DepositMustOpen',
        `deposit ${credit.id} does not open to this account`,
        index,
      )
    }
    account = addBalance(account, credit.token, credit.amount)
  }
  const pages = allPages.filter(({ page }) => page.account === index)
  const live = pages.filter((use) => use.isLive)
  for (const { page } of live) {
    for (const entry of entriesOf(page)) {
      account = addBalance(account, entry.instrument, entry.quantity)
      account = addBalance(account, CASH_ID, -entry.quantity * entry.price)
    }
  }
  const isFree = before === null || isFreeToTrade(before, context)
  const reductions =
    run === null || isFree ? [] : reduce(index, converted.balances, account.balances, plan)
  const last = live.at(-1)?.page
  if (run?.rotation !== undefined && last?.kind === 'rotation')
    account = rotate(account, last, run.rotation, index)
  account = { ...account, head: pages.at(-1)?.head ?? account.head }

  const solvency = settleFee(before, account, live, context.fee, rowOf, index)
  account = { ...solvency.account }
  for (const { id } of account.balances) {
    if (settled.has(id))
      throw new Broken('SettledBalanceMustBeConverted', `instrument ${id} has settled`, index)
  }
  if (
    account.balances.length > SLOT_COUNT - 1 ||
    [account.cash, ...account.balances.map((b) => b.quantity)].some((q) => !isInQuantityRange(q))
  ) {
    throw new Broken(
      'BalancesMustBeWellFormed',
      'too many holdings or a quantity out of range',
      index,
    )
  }
  const viewKey = plan.viewKeys.get(index)
  if (viewKey === undefined || viewKeyHash(viewKey) !== account.viewKeyHash) {
    throw new Broken('ViewKeyMustBeHeld', 'the operator does not hold the view key', index)
  }
  const key = batchKey(viewKey, index, context.batchNumber, context.batchNonce)
  const after = { ...account, salt: saltOf(key) }
  return {
    index,
    before,
    after,
    cipher: encryptAccount(after, key),
    viewKey,
    run,
    request,
    conversionCash,
    convertedIds,
    liveCount: live.length,
    forced,
    reductions,
    isRescue: solvency.isRescue,
    isWorse: solvency.isWorse,
    difference: solvency.difference,
    oldWorth: solvency.oldWorth,
  }
}

function assertStandsAlone(index: number, plan: BatchPlan, run: JournalRun | null): void {
  if (run !== null || plan.credits.some((c) => c.account === index))
    throw new Broken('ForcedExitMustStandAlone', 'pages or a deposit beside a forced exit', index)
}

function payOut(held: Account, request: ExitRequest, rowOf: RowOf, index: number): ForcedPayment {
  const { token, freeVault } = request
  if (token < CASH_ID || token >= TOKEN_UPPER_BOUND || freeVault < 0n || freeVault >= 1n << 64n)
    throw new Broken('ForcedExitMustBeExact', 'no token, or a vault out of range', index)
  const payment = forcedPayment(held, request, rowOf)
  if (typeof payment === 'number')
    throw new Broken('InstrumentMustBeListed', `instrument ${payment} has no value`, index)
  return payment
}

function isFreeToTrade(account: Account, context: BatchContext): boolean {
  return statusOf(account.meta) === STATUS.active && (context.mode ?? 'normal') === 'normal'
}

function reduce(
  index: number,
  before: Account['balances'],
  after: Account['balances'],
  plan: BatchPlan,
): readonly Reduction[] {
  const credits = plan.credits
    .filter((c) => c.account === index && c.token !== CASH_ID)
    .map((c) => ({ id: c.token, quantity: c.amount }))
  const reductions = reductionsOf(index, before, after, credits)
  const wrong = reductions.find((r) => !isReduction(r))
  if (wrong !== undefined)
    throw new Broken('ReduceOnlyMustReduce', `instrument ${wrong.id} does not unwind`, index)
  return reductions
}

function rotate(
  account: Account,
  page: Page,
  rotation: NonNullable<JournalRun['rotation']>,
  index: number,
): Account {
  if (!isOnCurve(rotation.key) || timesEight(rotation.key).x === 0n) {
    throw new Broken('KeyMustBeInSubgroup', 'the new owner key is of no use', index)
  }
  const [owner, view] = [ownerKeyHash(timesEight(rotation.key)), viewKeyHash(rotation.viewKey)]
  if (rotationPayload(owner, view) !== page.payload) {
    throw new Broken('RotationMustEndItsJournal', 'the page names other keys', index)
  }
  return { ...account, ownerKeyHash: owner, viewKeyHash: view }
}

type SolvencyResult = {
  readonly account: Account
  readonly isRescue: boolean
  readonly isWorse: readonly boolean[]
  readonly difference: readonly bigint[]
  readonly oldWorth: readonly bigint[]
}

/** Every world worth at least zero after the fee; else, without fee, none that is negative got worse. */
function settleFee(
  before: Account | null,
  unpaid: Account,
  live: readonly PageUse[],
  fee: bigint,
  rowOf: RowOf,
  index: number,
): SolvencyResult {
  const worth = (account: Pick<Account, 'cash' | 'balances'>): readonly bigint[] => {
    const result = worthOf(account, rowOf)
    if (typeof result === 'number')
      throw new Broken('InstrumentMustBeListed', `instrument ${result} has no value`, index)
    return result
  }
  for (const { id, quantity } of unpaid.balances) {
    if (id < TOKEN_UPPER_BOUND && quantity < 0n)
      throw new Broken('TokenMustNotBeNegative', `token ${id} would be owed`, index)
  }
  const zeros = Array<bigint>(WORLD_COUNT).fill(0n)
  const paid = addBalance(unpaid, CASH_ID, -fee * BigInt(live.length))
  const paidWorth = worth(paid)
  const none = Array<boolean>(WORLD_COUNT).fill(false)
  if (paidWorth.every((w) => w >= 0n)) {
    return { account: paid, isRescue: false, isWorse: none, difference: paidWorth, oldWorth: zeros }
  }
  if (live.some(({ page }) => page.kind === 'withdrawal')) {
    throw new Broken('WithdrawalMustLeaveSolvent', 'a world would be worth less than zero', index)
  }
  const oldWorth = before === null ? zeros : worth(before)
  const newWorth = worth(unpaid)
  const isWorse = newWorth.map((w) => w < 0n)
  const difference = newWorth.map((w, s) => (w < 0n ? w - (oldWorth[s] as bigint) : w))
  if (difference.some((d) => d < 0n)) {
    throw new Broken(
      'AccountMustBeSolvent',
      'a world would be worth less than zero and less than before',
      index,
    )
  }
  return { account: unpaid, isRescue: true, isWorse, difference, oldWorth }
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

/** What a batch needs of a shape that reads this many rows from a node. */
export function sizeOf(
  trace: BatchTrace,
  rowsPerNode: number,
): Omit<Shape, 'name' | 'rowsPerNode'> {
  const { plan } = trace
  const { table, settlements } = plan.context
  const nodes = groupByNode(placesOf(trace.instruments, table, settlements), rowsPerNode)
  return {
    pages: trace.pages.length,
    members: trace.members.length,
    rows: nodes.length * rowsPerNode,
    deposits: plan.credits.length,
    withdrawals: trace.payouts.length,
    requests: plan.requests.length,
    rotations: trace.pages.filter((u) => u.isLive && u.page.kind === 'rotation').length,
    rescues: trace.members.filter((m) => m.isRescue).length,
    forcedExits: plan.requests.filter((r) => r.kind === 'forcedExit').length,
    reductions: trace.members.reduce((sum, m) => sum + m.reductions.length, 0),
  }
}

/** The first number of a shape that the batch exceeds, or null if it fits. */
export function excessOf(trace: BatchTrace, shape: Shape): keyof ReturnType<typeof sizeOf> | null {
  const size = sizeOf(trace, shape.rowsPerNode)
  const parts = Object.keys(size) as (keyof typeof size)[]
  return parts.find((part) => size[part] > shape[part]) ?? null
}
