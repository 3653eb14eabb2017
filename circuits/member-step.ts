/** One account in a batch: its state after, and why it may be so. The twin of account.circom and exit.circom. */
import { CASH_ID, SLOT_COUNT, STATUS, TOKEN_UPPER_BOUND, WORLD_COUNT } from './params.ts'
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
import type {
  BatchContext,
  BatchPlan,
  JournalRun,
  L1Request,
  MemberStep,
  PageUse,
} from './batch.ts'
import { isOnCurve, timesEight } from './eddsa.ts'
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
import { changeFlag, type FlagChange } from './flag.ts'
import { entriesOf, type Page } from './page.ts'
import { Broken } from './rules.ts'
import { worthOf, type RowOf } from './table.ts'

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
    return before
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

/** The one request of an account, which may stand beside neither pages nor, if forced, deposits. */
function requestOf(index: number, plan: BatchPlan): L1Request | null {
  const [request, second] = plan.requests.filter((r) => r.account === index)
  if (second !== undefined)
    throw new Broken('OwnerKeyMustChangeByRule', 'two L1 requests of one account', index)
  const hasPages = plan.journals.has(index)
  if (request?.kind === 'forcedExit') {
    if (hasPages || plan.credits.some((c) => c.account === index))
      throw new Broken('ForcedExitMustStandAlone', 'pages or a deposit beside it', index)
  } else if (request !== undefined && hasPages)
    throw new Broken('OwnerKeyMustChangeByRule', 'an L1 request and pages in one batch', index)
  return request ?? null
}

type Converted = {
  readonly account: Account
  readonly conversionCash: bigint
  readonly convertedIds: ReadonlySet<number>
}

/** Settled balances become cash, the whole of each. */
function convert(
  account: Account,
  before: Account | null,
  settled: ReadonlyMap<number, bigint>,
): Converted {
  const held = (before?.balances ?? []).filter(({ id }) => settled.has(id))
  const conversionCash = held.reduce(
    (sum, { id, quantity }) => sum + quantity * (settled.get(id) as bigint),
    0n,
  )
  const left = held.reduce((sum, { id, quantity }) => addBalance(sum, id, -quantity), account)
  return {
    account: addBalance(left, CASH_ID, conversionCash),
    conversionCash,
    convertedIds: new Set(held.map((b) => b.id)),
  }
}

function deposit(account: Account, index: number, plan: BatchPlan): Account {
  return plan.credits
    .filter((c) => c.account === index)
    .reduce((sum, credit) => {
      if (depositCommitment(index, credit.secret) !== credit.commitment)
        throw new Broken('DepositMustOpen', `deposit ${credit.id} opens to another account`, index)
      return addBalance(sum, credit.token, credit.amount)
    }, account)
}

function trade(account: Account, live: readonly PageUse[]): Account {
  return live
    .flatMap(({ page }) => entriesOf(page))
    .reduce(
      (sum, { instrument, quantity, price }) =>
        addBalance(addBalance(sum, instrument, quantity), CASH_ID, -quantity * price),
      account,
    )
}

/** One touched account, through all that may happen to it in a batch. Throws Broken. */
export function stepMember(
  index: number,
  before: Account | null,
  plan: BatchPlan,
  allPages: readonly PageUse[],
  rowOf: RowOf,
  settled: ReadonlyMap<number, bigint>,
): MemberStep {
  const { context } = plan
  const run = plan.journals.get(index) ?? null
  const request = requestOf(index, plan)
  const start = startOf(index, before, request, plan)
  const { account: held, ...conversion } = convert(start, before, settled)
  const forced = request?.kind === 'forcedExit' ? payOut(held, request, rowOf, index) : null
  const paid = forced === null ? held : leave(held, forced, context.time)
  const pages = allPages.filter(({ page }) => page.account === index)
  const live = pages.filter((use) => use.isLive)
  const traded = trade(deposit(paid, index, plan), live)
  const mayOpen = run === null || before === null || isFreeToTrade(before, context)
  const reductions = mayOpen ? [] : reduce(index, held.balances, traded.balances, plan)
  const last = live.at(-1)?.page
  const keyed =
    run?.rotation !== undefined && last?.kind === 'rotation'
      ? rotate(traded, last, run.rotation, index)
      : traded
  const unpaid = { ...keyed, head: pages.at(-1)?.head ?? keyed.head }
  const { account: settledUp, ...solvency } = settleFee(
    before,
    unpaid,
    live,
    context.fee,
    rowOf,
    index,
  )
  assertWellFormed(settledUp, index, settled)
  const flag = flagOf(index, before, settledUp, solvency, plan, request)
  const account = flag === null ? settledUp : { ...settledUp, meta: flag.meta }
  const viewKey = plan.viewKeys.get(index)
  if (viewKey === undefined || viewKeyHash(viewKey) !== account.viewKeyHash)
    throw new Broken('ViewKeyMustBeHeld', 'the operator does not hold the view key', index)
  const key = batchKey(viewKey, index, context.batchNumber, context.batchNonce)
  const after = { ...account, salt: saltOf(key) }
  const cipher = encryptAccount(after, key)
  const moved = { ...conversion, forced, reductions, flag, liveCount: live.length }
  return { index, before, after, cipher, viewKey, run, request, ...moved, ...solvency }
}

function assertWellFormed(
  account: Account,
  index: number,
  settled: ReadonlyMap<number, bigint>,
): void {
  const kept = account.balances.find(({ id }) => settled.has(id))
  if (kept !== undefined)
    throw new Broken('SettledBalanceMustBeConverted', `instrument ${kept.id} has settled`, index)
  const quantities = [account.cash, ...account.balances.map((b) => b.quantity)]
  if (account.balances.length > SLOT_COUNT - 1 || quantities.some((q) => !isInQuantityRange(q)))
    throw new Broken('BalancesMustBeWellFormed', 'too many holdings, or one out of range', index)
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

function leave(held: Account, { token, amount }: ForcedPayment, time: bigint): Account {
  return addBalance({ ...held, meta: exitingMeta(held.meta, time, amount > 0n) }, token, -amount)
}

/** The step of status that the plan names, proven of the account as the batch leaves it. */
function flagOf(
  index: number,
  before: Account | null,
  account: Account,
  { difference, isWorse, oldWorth }: Omit<SolvencyResult, 'account'>,
  { context, flags }: BatchPlan,
  request: L1Request | null,
): FlagChange | null {
  const step = flags?.get(index)
  if (step === undefined) return null
  if (before === null || request?.kind === 'forcedExit')
    throw new Broken('MetaMustChangeByRule', 'a flag step stands alone', index)
  const worth = difference.map((d, s) => (isWorse[s] === true ? d + (oldWorth[s] as bigint) : d))
  const { time, mode = 'normal', isTableConfirmed = true } = context
  const scene = { time, isNormal: mode === 'normal', isTableConfirmed, worth }
  return changeFlag(step, account, scene, index)
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
