/** Chooses what goes into the next batch: L1 requests first, then deposits, then trades in stamp order. */
import type { Shape } from '../circuits/params.ts'
import { excessOf } from '../circuits/batch-size.ts'
import {
  executeBatch,
  type BatchContext,
  type BatchPlan,
  type BatchTrace,
  type Credit,
  type JournalRun,
  type L1Request,
  type MemberStep,
} from '../circuits/batch.ts'
import type { Rejection } from '../circuits/rules.ts'
import type { Ledger, PendingPage } from './ledger.ts'

export type Waiting = {
  readonly requests: readonly L1Request[]
  readonly credits: readonly Credit[]
}
export type Chosen = {
  readonly plan: BatchPlan
  readonly trace: BatchTrace
  readonly setAside: readonly Rejection[]
}

/** What is left out of a batch because it would break it; it waits for the next. */
type LeftOut = {
  readonly trades: Set<string>
  readonly credits: Set<bigint>
  requestCount: number
}

/** Null when there is nothing to do. Never throws for a page that cannot settle: it waits. */
export function chooseBatch(
  ledger: Ledger,
  waiting: Waiting,
  shape: Shape,
  context: BatchContext,
): Chosen | null {
  const setAside: Rejection[] = []
  const leftOut: LeftOut = {
    trades: new Set(),
    credits: new Set(),
    requestCount: waiting.requests.length,
  }
  for (;;) {
    const plan = planOf(ledger, waiting, shape, context, leftOut)
    if (plan.requests.length + plan.credits.length + plan.journals.size === 0) return null
    const outcome = executeBatch(ledger.accounts, plan)
    const rejection = outcome.ok ? excess(ledger, outcome.trace, shape) : outcome.rejection
    if (outcome.ok && rejection === null) return { plan, trace: outcome.trace, setAside }
    if (rejection === null) throw new Error('builder: a refused plan names no rule')
    setAside.push(rejection)
    if (!leaveOut(leftOut, plan, ledger, rejection.account))
      throw new Error(`no batch can be built: ${rejection.rule}: ${rejection.detail}`)
  }
}

/** What a fair batch has too much of for the shape, and an account to leave out for it. */
function excess(ledger: Ledger, trace: BatchTrace, shape: Shape): Rejection | null {
  const part = excessOf(trace, shape)
  if (part === null) return null
  if (part === 'rescues') {
    const rescued = trace.members.filter((m) => m.isRescue)
    // Whoever only trades waits before deposits and requests do.
    const last = rescued.findLast((m) => trace.plan.journals.has(m.index)) ?? rescued.at(-1)
    const detail = `more than ${shape.rescues} accounts below zero in some world`
    return { rule: 'AccountMustBeSolvent', detail, account: (last as MemberStep).index }
  }
  if (part === 'reductions') {
    const unwinding = trace.members.filter((m) => m.reductions.length > 0)
    const detail = `more than ${shape.reductions} balances of reduce-only accounts change`
    return {
      rule: 'ReduceOnlyMustReduce',
      detail,
      account: (unwinding.at(-1) as MemberStep).index,
    }
  }
  return { rule: 'InstrumentMustBeListed', detail: `more ${part} than the shape has` }
}

/** Leaves out the latest of an account: a trade, else a deposit, else the end of the L1 requests. */
function leaveOut(
  leftOut: LeftOut,
  plan: BatchPlan,
  ledger: Ledger,
  account: number | undefined,
): boolean {
  const credit = plan.credits.findLast((c) => c.account === account)
  const request = plan.requests.findIndex((r) => r.account === account)
  const isOther = account === undefined || plan.journals.has(account)
  const trade = isOther || (!credit && request < 0) ? lastTradeOf(plan, ledger, account) : undefined
  if (trade !== undefined) leftOut.trades.add(trade)
  else if (credit !== undefined) leftOut.credits.add(credit.id)
  else if (request >= 0) leftOut.requestCount = request
  else return false
  return true
}

/** The latest trade of an account in the plan, or of anyone if the account has none. */
function lastTradeOf(
  plan: BatchPlan,
  ledger: Ledger,
  account: number | undefined,
): string | undefined {
  const run = account === undefined ? undefined : plan.journals.get(account)
  const runs = run === undefined ? [...plan.journals.values()] : [run]
  const pages = runs.flatMap((r) => r.pages).sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
  const last = pages.at(-1)
  return last && ledger.pendingOf(last.account).find((p) => p.page === last)?.trade
}

function planOf(
  ledger: Ledger,
  waiting: Waiting,
  shape: Shape,
  context: BatchContext,
  leftOut: LeftOut,
): BatchPlan {
  const members = new Set<number>()
  const fits = (...accounts: readonly number[]): boolean => {
    const more = new Set([...members, ...accounts])
    if (more.size > shape.members) return false
    accounts.forEach((a) => members.add(a))
    return true
  }
  // A prefix of the L1 queue: the first request that does not fit ends it. A second one of an account
  // waits for the next batch.
  const requests: L1Request[] = []
  const exiting = new Set<number>()
  for (const request of waiting.requests.slice(0, leftOut.requestCount)) {
    const again = requests.some((r) => r.account === request.account)
    const isExit = request.kind === 'forcedExit'
    const hasSlot = !isExit || exiting.size < shape.forcedExits
    const isReady = isExit ? ledger.accounts.has(request.account) : true
    if (requests.length === shape.requests || again || !hasSlot || !isReady) break
    if (!fits(request.account)) break
    requests.push(request)
    if (isExit) exiting.add(request.account)
  }
  const busy = new Set(requests.map((r) => r.account))
  const credits: Credit[] = []
  for (const credit of waiting.credits) {
    const exists = ledger.accounts.has(credit.account) || busy.has(credit.account)
    // A forced exit is counted from the account as it stands: deposits come in a later batch.
    if (
      !exists ||
      exiting.has(credit.account) ||
      leftOut.credits.has(credit.id) ||
      credits.length === shape.deposits
    )
      continue
    if (fits(credit.account)) credits.push(credit)
  }
  const journals = new Map<number, JournalRun>()
  const taken = tradesThatFit(ledger, shape, fits, busy, leftOut.trades)
  for (const [index, pages] of taken) {
    const last = pages.at(-1) as PendingPage
    const signer = ledger.ownerKeys.get(index)
    if (signer === undefined)
      throw new Error(`builder: account ${index} has pages and no owner key`)
    const run = { pages: pages.map((p) => p.page), signature: last.signature, signer }
    journals.set(index, last.rotation === undefined ? run : { ...run, rotation: last.rotation })
  }
  const viewKeys = new Map(ledger.viewKeys)
  for (const pages of taken.values()) {
    const { page, rotation } = pages.at(-1) as PendingPage
    if (rotation !== undefined) viewKeys.set(page.account, rotation.viewKey)
  }
  return {
    context,
    requests,
    credits: credits.sort((a, b) => (a.id < b.id ? -1 : 1)),
    journals,
    cover: [],
    viewKeys,
  }
}

/** Trades in stamp order, each only if all earlier pages of both sides are taken too. */
function tradesThatFit(
  ledger: Ledger,
  shape: Shape,
  fits: (...accounts: readonly number[]) => boolean,
  busy: ReadonlySet<number>,
  excluded: ReadonlySet<string>,
): Map<number, PendingPage[]> {
  const trades = new Map<string, PendingPage[]>()
  for (const pages of ledger.pending.values()) {
    for (const page of pages) trades.set(page.trade, [...(trades.get(page.trade) ?? []), page])
  }
  const ordered = [...trades.entries()].sort(([, a], [, b]) =>
    (a[0] as PendingPage).page.stamp < (b[0] as PendingPage).page.stamp ? -1 : 1,
  )
  const stopped = new Set(busy)
  const taken = new Map<number, PendingPage[]>()
  let count = 0
  let withdrawals = 0
  let rotations = 0
  for (const [trade, pages] of ordered) {
    const accounts = pages.map((p) => p.page.account)
    const kind = (pages[0] as PendingPage).page.kind
    const hasRoom =
      count + pages.length <= shape.pages &&
      (kind !== 'withdrawal' || withdrawals < shape.withdrawals) &&
      (kind !== 'rotation' || rotations < shape.rotations)
    if (
      excluded.has(trade) ||
      !hasRoom ||
      accounts.some((a) => stopped.has(a)) ||
      !fits(...accounts)
    ) {
      accounts.forEach((a) => stopped.add(a))
      continue
    }
    count += pages.length
    if (kind === 'withdrawal') withdrawals++
    if (kind === 'rotation') rotations++
    for (const page of pages)
      taken.set(page.page.account, [...(taken.get(page.page.account) ?? []), page])
  }
  return taken
}
