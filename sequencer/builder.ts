/**
 * Chooses what goes into the next batch: L1 requests first, then deposits, accounts to be flagged or
 * released, holders of settled instruments, trades in stamp order, and cover.
 */
import { FEE_ACCOUNT_INDEX, type Shape } from '../circuits/params.ts'
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
import { isCall } from '../circuits/flag.ts'
import { entriesOf, livenessAt } from '../circuits/page.ts'
import type { Rejection, RuleName } from '../circuits/rules.ts'
import type { Table } from '../circuits/table.ts'
import type { Book } from './book.ts'
import { dueFlags, dueWithCredits, flagsThatFit, type DueFlag } from './flagging.ts'
import { withPage, type PendingPage } from './ledger.ts'
import { growing } from './reducing.ts'
import { chooseCover, holdersOfSettled, Room, type RandomBelow } from './room.ts'
import { unsweepable } from './sweepable.ts'
import type { Mode } from './tables.ts'

/** In reduce-only mode what opens or pays out waits, and what was signed behind it. */
type Context = BatchContext & { readonly mode?: Mode }
/** The cadence asks for a batch, or L1 does: without one anybody may freeze the house before long. */
export type Due = 'clock' | 'silence'

export type Waiting = {
  readonly requests: readonly L1Request[]
  readonly credits: readonly Credit[]
  /** While the sweep is late L1 takes no batch with a withdrawal: they wait, and the rest goes on. */
  readonly areWithdrawalsHeld?: boolean
  /** The table of a sweep whose state is not fixed yet: nobody may leave it by this batch. */
  readonly sweepTable?: Table
  /** Why a batch is made even if there is nothing in it but cover. */
  readonly due?: Due
}
/** A trade, withdrawal or rotation whose page is the next of an account and breaks a rule now. */
export type Unprovable = { readonly trade: string; readonly rejection: Rejection }
export type Chosen = {
  readonly plan: BatchPlan
  readonly trace: BatchTrace
}
export type Choice = {
  /** Null when there is nothing to do. */
  readonly chosen: Chosen | null
  readonly setAside: readonly Rejection[]
  /** What stands in the way of its account's later pages, and of everybody's who traded with it. */
  readonly unprovable: readonly Unprovable[]
}

/** What is taken together or not at all. */
type Unit = {
  readonly pages: readonly PendingPage[]
  readonly accounts: readonly number[]
  /** Expired: it is passed over, and moves nothing. */
  readonly isSkipped: boolean
}
/** What is there to choose from, whatever is excluded. */
type Found = {
  readonly due: readonly DueFlag[]
  /** Of settled instruments. */
  readonly holders: readonly number[]
  /** In stamp order. */
  readonly units: readonly Unit[]
}

/** What a first plan turned out not to carry. */
type Excluded = {
  readonly trades: Map<string, Rejection>
  /** Accounts whose journal was cut already in this search. */
  readonly cut: Set<number>
  /** Accounts that a deposit or a touch alone would break. */
  readonly accounts: Set<number>
  /** Accounts whose status stays: something else in the batch took away the ground for a change. */
  readonly flags: Set<number>
  /** How many of the L1 requests may be served: the first that breaks the batch ends them. */
  requestCount: number
}

/** Never throws for a page that cannot settle: it is named, and the rest settles. */
export function chooseBatch(
  ledger: Book,
  waiting: Waiting,
  shape: Shape,
  context: Context,
  random: RandomBelow,
): Choice {
  const setAside: Rejection[] = []
  const excluded: Excluded = {
    trades: new Map(),
    cut: new Set(),
    accounts: new Set(),
    flags: new Set(),
    requestCount: waiting.requests.length,
  }
  // A plan that breaks a rule is made again without what broke it, hundreds of times after a crash: what
  // does not change with it is looked up once.
  const found: Found = {
    due: dueFlags(ledger.accounts, context),
    holders: holdersOfSettled(ledger.accounts, context),
    units: unitsOf(ledger, context.time),
  }
  for (;;) {
    const room = new Room(shape, ledger.accounts, context)
    const plan = planOf(ledger, waiting, found, shape, context, excluded, room)
    const touches = plan.journals.size + (plan.flags?.size ?? 0) + plan.cover.length
    const work = plan.requests.length + plan.credits.length + touches
    const unprovable = (): readonly Unprovable[] => unprovableIn(ledger, plan, excluded)
    const nothing = { chosen: null, setAside, unprovable: unprovable() }
    if (work === 0 && waiting.due === undefined) return nothing
    const cover = chooseCover(room, ledger.accounts, context, excluded.accounts, random)
    // Before anybody has registered there is nobody to hide.
    if (work + cover.length === 0 && waiting.due !== 'silence') return nothing
    const covered = withViewKeys(ledger, { ...plan, cover: [...plan.cover, ...cover] })
    const outcome = executeBatch(ledger.accounts, covered)
    const held =
      outcome.ok && waiting.sweepTable !== undefined
        ? unsweepable(outcome.trace, waiting.sweepTable)
        : null
    const rejection = outcome.ok ? (held ?? excess(outcome.trace, shape)) : outcome.rejection
    if (outcome.ok && rejection === null)
      return { chosen: { plan: covered, trace: outcome.trace }, setAside, unprovable: unprovable() }
    if (rejection === null) throw new Error('builder: a refused plan names no rule')
    setAside.push(rejection)
    exclude(ledger, covered, rejection, excluded)
  }
}

/** Rescue slots that neither deposits nor requests on L1 take from calls that are due. */
function keptForCalls({ rescues }: Shape): number {
  return Math.ceil(rescues / 2)
}

/** What a fair batch has too much of for the shape, and an account to leave out for it. */
function excess(trace: BatchTrace, shape: Shape): Rejection | null {
  const part = excessOf(trace, shape)
  if (part === null) return null
  if (part === 'rescues') {
    const rescued = trace.members.filter((m) => m.isRescue)
    // Whoever only trades waits before deposits do, and these before calls, which are made once only.
    const { journals, requests, credits } = trace.plan
    // Who was there first: of deposits the older, and before them what is only converted.
    const creditOf = ({ index }: MemberStep): number =>
      credits.findIndex((c) => c.account === index)
    const placeOf = ({ index }: MemberStep): number =>
      requests.findIndex((r) => r.account === index)
    const isAsked = (m: MemberStep): boolean => placeOf(m) >= 0
    const unflagged = rescued
      .filter((m) => m.flag === null)
      .sort((a, b) => creditOf(a) - creditOf(b))
    // Requests cost their owner gas alone: half of the slots are for calls all the same. The last in the
    // queue waits, as none behind it can be served before it.
    const calls = rescued.filter((m) => m.flag !== null && !isAsked(m))
    const asked = rescued.filter(isAsked).sort((a, b) => placeOf(a) - placeOf(b))
    const last =
      unflagged.findLast((m) => journals.has(m.index)) ??
      unflagged.findLast((m) => !isAsked(m)) ??
      (calls.length > keptForCalls(shape) ? calls.at(-1) : undefined) ??
      asked.at(-1) ??
      calls.at(-1)
    const detail = `more than ${shape.rescues} accounts below zero in some world`
    return { rule: 'AccountMustBeSolvent', detail, account: (last as MemberStep).index }
  }
  if (part === 'reductions') {
    const last = trace.members.findLast((m) => m.reductions.length > 0) as MemberStep
    const detail = `more than ${shape.reductions} balances of reduce-only accounts change`
    return { rule: 'ReduceOnlyMustReduce', detail, account: last.index }
  }
  return { rule: 'InstrumentMustBeListed', detail: `more ${part} than the shape has` }
}

/** What a page of the batch may take the ground from. */
const FLAG_RULES: ReadonlySet<RuleName> = new Set(['CallMustBeProven', 'ReleaseMustBeProven'])

/**
 * Leaves the status of an account as it is if that is what broke a rule. Otherwise shortens the journal
 * of the account that broke it: by its last page, then by halves, so that a long one is not tried page
 * by page; so nobody keeps a flag off by pages that cannot settle. Without a journal the touch of the
 * account goes, or the L1 requests end before its own. What nobody in particular is too much for costs
 * the latest page.
 */
function exclude(ledger: Book, plan: BatchPlan, rejection: Rejection, excluded: Excluded): void {
  const account = rejection.account ?? latestTrader(plan)
  const isFlagged = account !== undefined && plan.flags?.has(account) === true
  const isOfFlag = FLAG_RULES.has(rejection.rule)
  const pages = (account === undefined ? undefined : plan.journals.get(account)?.pages) ?? []
  if (account !== undefined && pages.length > 0 && !(isFlagged && isOfFlag)) {
    const place = excluded.cut.has(account) ? Math.floor(pages.length / 2) : pages.length - 1
    excluded.cut.add(account)
    const first = ledger.pendingOf(account).find(({ page }) => page === pages[place])
    excluded.trades.set((first as PendingPage).trade, rejection)
    return
  }
  if (isFlagged) {
    excluded.flags.add(account)
    return
  }
  const isTouched =
    account !== undefined &&
    !excluded.accounts.has(account) &&
    (plan.cover.includes(account) || plan.credits.some((c) => c.account === account))
  const request = plan.requests.findIndex((r) => r.account === account)
  if (isTouched) excluded.accounts.add(account)
  // A view key that the operator said it holds and does not: no later batch could serve it either.
  else if (request >= 0 && rejection.rule !== 'ViewKeyMustBeHeld') excluded.requestCount = request
  else throw new Error(`no batch can be built: ${rejection.rule}: ${rejection.detail}`)
}

function latestTrader(plan: BatchPlan): number | undefined {
  const latest = [...plan.journals].map(([index, run]) => ({
    index,
    stamp: run.pages.at(-1)!.stamp,
  }))
  return latest.reduce<(typeof latest)[number] | undefined>(
    (last, next) => (last === undefined || next.stamp > last.stamp ? next : last),
    undefined,
  )?.index
}

/**
 * Accounts that no page of theirs can leave: the first page was tried alone and broke a rule. The
 * account at fault is the one that the rejection names; its counterparty only waits.
 */
function unprovableIn(
  ledger: Book,
  plan: Pick<BatchPlan, 'journals'>,
  { trades }: Excluded,
): readonly Unprovable[] {
  return [...ledger.pending].flatMap(([index, pages]) => {
    const first = pages[0]
    const rejection = first === undefined ? undefined : trades.get(first.trade)
    const isStuck = rejection?.account === index && !plan.journals.has(index)
    return isStuck ? [{ trade: (first as PendingPage).trade, rejection }] : []
  })
}

function planOf(
  ledger: Book,
  waiting: Waiting,
  { due, units, ...found }: Found,
  shape: Shape,
  context: Context,
  excluded: Excluded,
  room: Room,
): Omit<BatchPlan, 'viewKeys'> {
  const fits = (...accounts: readonly number[]): boolean => room.take(accounts)
  // Who is to be called has room before anybody who comes in from L1: a call that is late stops the sweep.
  const kept = due
    .filter(({ index, step }) => isCall(step) && !excluded.flags.has(index))
    .slice(0, keptForCalls(shape))
    .map(({ index }) => index)
    .filter((index) => fits(index))
  // A prefix of the L1 queue: the first request that does not fit ends it. A second one of an account
  // waits for the next batch.
  const requests: L1Request[] = []
  const exiting = new Set<number>()
  const tokens = new Set<number>()
  for (const request of waiting.requests.slice(0, excluded.requestCount)) {
    const again = requests.some((r) => r.account === request.account)
    const isExit = request.kind === 'forcedExit'
    // A second one of a token would find less in the vault than L1 says now.
    const hasSlot = !isExit || (exiting.size < shape.forcedExits && !tokens.has(request.token))
    const isReady = !isExit || ledger.accounts.has(request.account)
    if (requests.length === shape.requests || again || !hasSlot || !isReady) break
    if (!fits(request.account)) break
    requests.push(request)
    if (!isExit) continue
    exiting.add(request.account)
    tokens.add(request.token)
  }
  const busy = new Set(requests.map((r) => r.account))
  const credits: Credit[] = []
  for (const credit of waiting.credits) {
    const exists = ledger.accounts.has(credit.account) || busy.has(credit.account)
    // A forced exit is counted from the account as it stands: deposits come in a later batch.
    const isOut =
      exiting.has(credit.account) ||
      excluded.accounts.has(credit.account) ||
      credits.length === shape.deposits
    if (exists && !isOut && room.take([credit.account], [credit.token])) credits.push(credit)
  }
  // A forced exit stands alone, and who asks for more has not left.
  const asks = new Set(waiting.requests.map((r) => r.account))
  const shown = dueWithCredits(due, ledger.accounts, credits, context)
  const comes = new Set([...busy, ...credits.map((c) => c.account)])
  const touched = new Set([...room.touched].filter((i) => comes.has(i) || !kept.includes(i)))
  const flags = flagsThatFit(shown, shape, room, touched, ({ index, step }) => {
    const isLeaving = exiting.has(index) || (step === 'release' && asks.has(index))
    return isLeaving || excluded.flags.has(index)
  })
  const holders = found.holders.filter((index) => !excluded.accounts.has(index))
  // Half of the slots at most before trades: neither may keep the other waiting.
  const swept: number[] = []
  const sweep = (limit: number): void => {
    for (const index of holders) {
      if (swept.length >= limit) return
      if (!room.touched.has(index) && fits(index)) swept.push(index)
    }
  }
  sweep(Math.max(1, Math.floor(shape.members / 2)))
  const { areWithdrawalsHeld = false } = waiting
  const held = { ...context, areWithdrawalsHeld }
  const taken = pagesThatFit(ledger, units, shape, held, room, busy, excluded.trades)
  sweep(shape.members)
  return {
    context,
    requests,
    credits: credits.sort((a, b) => (a.id < b.id ? -1 : 1)),
    journals: journalsOf(ledger, taken, context.time),
    flags,
    cover: swept.filter((index) => !taken.has(index)),
  }
}

function journalsOf(
  ledger: Book,
  taken: ReadonlyMap<number, readonly PendingPage[]>,
  time: bigint,
): BatchPlan['journals'] {
  const journals = new Map<number, JournalRun>()
  for (const [index, pages] of taken) {
    const last = pages.at(-1) as PendingPage
    const signer = ledger.ownerKeys.get(index)
    if (signer === undefined)
      throw new Error(`builder: account ${index} has pages and no owner key`)
    const run = { pages: pages.map((p) => p.page), signature: last.signature, signer }
    // A rotation that has expired is skipped like any page, and changes no key.
    const isRotated = last.rotation !== undefined && !isExpired(last, time)
    journals.set(index, isRotated ? { ...run, rotation: last.rotation } : run)
  }
  return journals
}

/** With the keys of those that it touches: of all others it would be a copy of them for every plan. */
function withViewKeys(ledger: Book, plan: Omit<BatchPlan, 'viewKeys'>): BatchPlan {
  const { requests, credits, journals, flags, cover } = plan
  const touched = [
    FEE_ACCOUNT_INDEX,
    ...[...requests, ...credits].map(({ account }) => account),
    ...[...journals.keys(), ...(flags?.keys() ?? []), ...cover],
  ]
  const viewKeys = new Map<number, bigint>()
  for (const index of touched) {
    const viewKey = journals.get(index)?.rotation?.viewKey ?? ledger.viewKeys.get(index)
    if (viewKey !== undefined) viewKeys.set(index, viewKey)
  }
  return { ...plan, viewKeys }
}

function isExpired({ page }: PendingPage, time: bigint): boolean {
  return livenessAt(page.stamp, time) === 'expired'
}

/**
 * Pages in stamp order, each only if all earlier pages of its account are taken too: of a live trade
 * both sides or neither; an expired page for itself, to be skipped, so that its journal moves on.
 */
function pagesThatFit(
  ledger: Book,
  units: readonly Unit[],
  shape: Shape,
  { mode = 'normal', areWithdrawalsHeld }: Context & { readonly areWithdrawalsHeld: boolean },
  room: Room,
  busy: ReadonlySet<number>,
  excluded: ReadonlyMap<string, Rejection>,
): Map<number, PendingPage[]> {
  const stopped = new Set(busy)
  const taken = new Map<number, PendingPage[]>()
  const count = { pages: 0, withdrawals: 0, rotations: 0 }
  const isHeld = ({ page }: PendingPage): boolean => {
    const account = ledger.accounts.get(page.account)
    if (areWithdrawalsHeld && page.kind === 'withdrawal') return true
    if (mode === 'normal' || page.kind === 'rotation' || account === undefined) return false
    if (page.kind === 'withdrawal') return true
    const before = (taken.get(page.account) ?? []).reduce(
      (a, p) => withPage(a, p.page, 0n),
      account,
    )
    return growing(before, withPage(before, page, 0n)) !== null
  }
  for (const { pages, accounts, isSkipped } of units) {
    const [first] = pages as [PendingPage]
    const { kind } = first.page
    const hasRoom =
      count.pages + pages.length <= shape.pages &&
      (isSkipped || kind !== 'withdrawal' || count.withdrawals < shape.withdrawals) &&
      (isSkipped || kind !== 'rotation' || count.rotations < shape.rotations)
    const isWhole = isSkipped || kind !== 'trade' || pages.length === 2
    const isOut =
      excluded.has(first.trade) ||
      accounts.some((a) => stopped.has(a)) ||
      (!isSkipped && pages.some(isHeld))
    // What a skipped page would have moved needs no row.
    const instruments = isSkipped
      ? []
      : pages.flatMap((p) => entriesOf(p.page).map((e) => e.instrument))
    if (!hasRoom || !isWhole || isOut || !room.take(accounts, instruments)) {
      accounts.forEach((a) => stopped.add(a))
      continue
    }
    count.pages += pages.length
    if (!isSkipped && kind === 'withdrawal') count.withdrawals++
    if (!isSkipped && kind === 'rotation') count.rotations++
    for (const page of pages)
      taken.set(page.page.account, [...(taken.get(page.page.account) ?? []), page])
  }
  return taken
}

/** In stamp order. */
function unitsOf(ledger: Book, time: bigint): readonly Unit[] {
  const named = new Map<string, { readonly isSkipped: boolean; readonly pages: PendingPage[] }>()
  for (const [index, pages] of ledger.pending) {
    for (const page of pages) {
      const isSkipped = isExpired(page, time)
      const name = isSkipped ? `${page.trade}/${index}` : page.trade
      const known = named.get(name)
      if (known === undefined) named.set(name, { isSkipped, pages: [page] })
      else known.pages.push(page)
    }
  }
  return [...named.values()]
    .map((unit) => ({
      ...unit,
      accounts: unit.pages.map(({ page }) => page.account),
      stamp: (unit.pages[0] as PendingPage).page.stamp,
    }))
    .sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
}
