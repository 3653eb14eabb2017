/** What a dishonest prover would do: a trace that follows a plan without asking whether it may. */
import {
  CASH_ID,
  FEE_ACCOUNT_INDEX,
  STATUS,
  WORLD_COUNT,
  type Shape,
} from '../../circuits/params.ts'
import {
  activeMeta,
  addBalance,
  batchKey,
  encryptAccount,
  genesisHead,
  ownerKeyHash,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import { instrumentsOf } from '../../circuits/batch-size.ts'
import type { BatchPlan, BatchTrace, MemberStep, PageUse } from '../../circuits/batch.ts'
import { timesEight } from '../../circuits/eddsa.ts'
import {
  exitingMeta,
  forcedPayment,
  reductionsOf,
  statusOf,
  type ForcedPayment,
} from '../../circuits/exit.ts'
import { brokenWorld, isCall, type FlagChange, type FlagStep } from '../../circuits/flag.ts'
import { entriesOf, headAfter, livenessAt, type Page } from '../../circuits/page.ts'
import { rowLookup, worthOf, type Row } from '../../circuits/table.ts'
import type { House } from './house.ts'
import { signalsOf } from './house.ts'
import { draftOf, type Draft } from './reseal.ts'

export type Forgery = {
  /** Which pages are called live; by default those whose stamp is. */
  readonly isLive?: (page: Page, number: number) => boolean
  /** The page slots as they are shown, from those that follow the journals. */
  readonly pages?: (pages: readonly PageUse[]) => readonly PageUse[]
  /** What a forced exit is said to pay, and why. */
  readonly payment?: (payment: ForcedPayment) => ForcedPayment
  /** The account after the batch, from what the pages make of it. */
  readonly after?: (account: Account, index: number) => Account
  /** The member's step when all is settled. */
  readonly step?: (step: MemberStep) => MemberStep
  /** What the fee account receives. */
  readonly fees?: (fees: bigint) => bigint
  /** Settled instruments that are converted; by default all. */
  readonly converts?: (id: number) => boolean
}

function followed(house: House, plan: BatchPlan, forgery: Forgery): PageUse[] {
  let number = 0
  const isLive =
    forgery.isLive ?? ((page: Page) => livenessAt(page.stamp, plan.context.time) === 'live')
  const uses = [...plan.journals].flatMap(([index, run]) => {
    let head = house.accounts.get(index)?.head ?? 0n
    return run.pages.map((page) => {
      const use = {
        page,
        previousHead: head,
        head: headAfter(head, page),
        isLive: isLive(page, number++),
      }
      head = use.head
      return use
    })
  })
  return [...(forgery.pages?.(uses) ?? uses)]
}

/** Solvency claims that are true of the accounts given; negative differences stay negative. */
export function claims(
  before: Account | null,
  after: Account,
  rowOf: (id: number) => Row | undefined,
  isRescue: boolean,
) {
  const known = (account: Account): readonly bigint[] => {
    const listed = {
      ...account,
      balances: account.balances.filter((b) => rowOf(b.id) !== undefined),
    }
    return worthOf(listed, rowOf) as readonly bigint[]
  }
  const oldWorth = before === null ? Array<bigint>(WORLD_COUNT).fill(0n) : known(before)
  const newWorth = known(after)
  const isWorse = newWorth.map((w) => isRescue && w < 0n)
  return {
    oldWorth,
    isWorse,
    difference: newWorth.map((w, s) => (isWorse[s] === true ? w - (oldWorth[s] as bigint) : w)),
    newWorth,
  }
}

/** The step as the plan names it, from whatever status and worth the account has. */
function forgedFlag(
  step: FlagStep,
  account: Account,
  worth: readonly bigint[],
  time: bigint,
): FlagChange {
  const to = { call: STATUS.called, liquidate: STATUS.liquidating, release: STATUS.active }[step]
  return {
    step,
    from: statusOf(account.meta),
    meta: BigInt(to) + 8n * time,
    world: isCall(step) ? (brokenWorld(worth) ?? 1) : null,
  }
}

export function forge(house: House, plan: BatchPlan, forgery: Forgery = {}): BatchTrace {
  const { context } = plan
  const pages = followed(house, plan, forgery)
  const rowOf = rowLookup(context.table, context.settlements)
  const settled = new Map(context.settlements.rows.map((row) => [row.id, row.values[0] as bigint]))
  const indices = [
    ...new Set([
      ...plan.requests.map((r) => r.account),
      ...plan.credits.map((c) => c.account),
      ...plan.journals.keys(),
      ...(plan.flags?.keys() ?? []),
      ...plan.cover,
    ]),
  ].sort((a, b) => a - b)
  const members = indices.map((index): MemberStep => {
    const before = house.accounts.get(index) ?? null
    const run = plan.journals.get(index) ?? null
    const request = plan.requests.find((r) => r.account === index) ?? null
    const keys = request?.kind === 'forcedExit' ? null : request
    const owner = keys === null ? 0n : ownerKeyHash(timesEight(keys.key))
    let account: Account = before ?? {
      ownerKeyHash: owner,
      viewKeyHash: keys?.viewKeyHash ?? 0n,
      head: genesisHead(context.domain, index, owner),
      meta: activeMeta(context.time),
      cash: 0n,
      balances: [],
      salt: 0n,
    }
    if (request?.kind === 'rotate') account = { ...account, ownerKeyHash: owner }
    let conversionCash = 0n
    const convertedIds = new Set<number>()
    for (const { id, quantity } of before?.balances ?? []) {
      const value = settled.get(id)
      if (value === undefined || forgery.converts?.(id) === false) continue
      convertedIds.add(id)
      conversionCash += quantity * value
      account = addBalance(account, id, -quantity)
    }
    account = addBalance(account, CASH_ID, conversionCash)
    const converted = account
    const fair = request?.kind === 'forcedExit' ? forcedPayment(account, request, rowOf) : null
    const forced =
      fair === null || typeof fair === 'number' ? null : (forgery.payment?.(fair) ?? fair)
    if (forced !== null) {
      account = addBalance(
        { ...account, meta: exitingMeta(account.meta, context.time, forced.amount !== 0n) },
        forced.token,
        -forced.amount,
      )
    }
    for (const c of plan.credits.filter((c) => c.account === index))
      account = addBalance(account, c.token, c.amount)
    const mine = pages.filter((u) => u.page.account === index)
    const live = mine.filter((u) => u.isLive)
    for (const { page } of live) {
      for (const e of entriesOf(page)) {
        if (e.instrument !== 0) account = addBalance(account, e.instrument, e.quantity)
        account = addBalance(account, CASH_ID, -e.quantity * e.price)
      }
    }
    if (run?.rotation !== undefined && live.some((u) => u.page.kind === 'rotation')) {
      account = {
        ...account,
        ownerKeyHash: ownerKeyHash(timesEight(run.rotation.key)),
        viewKeyHash: viewKeyHash(run.rotation.viewKey),
      }
    }
    account = { ...account, head: mine.at(-1)?.head ?? account.head }
    const paid = addBalance(account, CASH_ID, -context.fee * BigInt(live.length))
    const isRescue = claims(before, paid, rowOf, false).newWorth.some((w) => w < 0n)
    const named = plan.flags?.get(index)
    const flag =
      named === undefined
        ? null
        : forgedFlag(named, account, claims(before, account, rowOf, false).newWorth, context.time)
    if (flag !== null) account = { ...account, meta: flag.meta }
    const unsalted =
      forgery.after?.(isRescue ? account : { ...paid, meta: account.meta }, index) ??
      (isRescue ? account : { ...paid, meta: account.meta })
    const viewKey = plan.viewKeys.get(index) ?? 0n
    const key = batchKey(viewKey, index, context.batchNumber, context.batchNonce)
    const after = { ...unsalted, salt: saltOf(key) }
    const { newWorth: _newWorth, ...solvency } = claims(before, after, rowOf, isRescue)
    const isFree =
      before === null ||
      run === null ||
      (statusOf(before.meta) === STATUS.active && (context.mode ?? 'normal') === 'normal')
    const credited = plan.credits
      .filter((c) => c.account === index && c.token !== CASH_ID)
      .map((c) => ({ id: c.token, quantity: c.amount }))
    const reductions = isFree
      ? []
      : reductionsOf(index, converted.balances, after.balances, credited)
    const step = {
      index,
      before,
      after,
      forced,
      reductions,
      flag,
      cipher: encryptAccount(after, key),
      viewKey,
      run,
      request,
      conversionCash,
      convertedIds,
      liveCount: live.length,
      isRescue,
      ...solvency,
    }
    return forgery.step?.(step) ?? step
  })
  const charged = members.reduce(
    (sum, m) => sum + (m.isRescue ? 0n : context.fee * BigInt(m.liveCount)),
    0n,
  )
  const feeBefore = house.accounts.get(FEE_ACCOUNT_INDEX) as Account
  const feeKey = plan.viewKeys.get(FEE_ACCOUNT_INDEX) as bigint
  const key = batchKey(feeKey, FEE_ACCOUNT_INDEX, context.batchNumber, context.batchNonce)
  const after = {
    ...addBalance(feeBefore, CASH_ID, forgery.fees?.(charged) ?? charged),
    salt: saltOf(key),
  }
  const payouts = pages
    .filter((u) => u.isLive && u.page.kind === 'withdrawal')
    .map(({ page }) => {
      const [entry] = entriesOf(page)
      return {
        token: entry?.instrument ?? 0,
        amount: -(entry?.quantity ?? 0n),
        to: page.payload,
        account: page.account,
        stamp: page.stamp,
      }
    })
  const instruments = instrumentsOf(members).filter((id) => rowOf(id) !== undefined)
  return {
    plan,
    pages,
    members,
    payouts,
    instruments,
    feeAccount: { before: feeBefore, after, cipher: encryptAccount(after, key), viewKey: feeKey },
  }
}

/** The inputs of a forged batch, to be changed further. */
export function forgedDraft(
  shape: Shape,
  house: House,
  plan: BatchPlan,
  forgery: Forgery = {},
): Draft {
  return draftOf(signalsOf(house.build(shape, forge(house, plan, forgery))))
}
