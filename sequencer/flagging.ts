/** Whose status the next batch should change: who breaks maintenance, who is cured, who has left. */
import { FIRST_MEMBER_INDEX, STATUS, type Shape } from '../circuits/params.ts'
import { addBalance, type Account } from '../circuits/account.ts'
import type { BatchContext, BatchPlan, Credit } from '../circuits/batch.ts'
import { statusOf } from '../circuits/exit.ts'
import { holdsDerivatives, isCall, isCallDue, type FlagStep } from '../circuits/flag.ts'
import type { Room } from './room.ts'
import { standingsAt, type Standing } from './standing.ts'

export type DueFlag = { readonly index: number; readonly step: FlagStep; readonly lack: bigint }
type Scene = Pick<BatchContext, 'time' | 'mode' | 'isTableConfirmed'>

/**
 * The step that the law allows an account as it stands; null for most. Nobody whom it may flag is
 * spared, and nobody stays flagged who is cured: this is the operator's rule, the law's is may.
 */
function dueStep(
  { meta, balances }: Pick<Account, 'meta' | 'balances'>,
  { isBroken, isNegative }: Standing,
  { time, mode = 'normal', isTableConfirmed = true }: Scene,
): FlagStep | null {
  const [status, isNormal] = [statusOf(meta), mode === 'normal']
  if (isBroken) {
    if (status === STATUS.active || status === STATUS.exiting)
      return isTableConfirmed ? 'call' : null
    return isTableConfirmed && isNormal && isCallDue(meta, time) ? 'liquidate' : null
  }
  if (!isNormal || isNegative) return null
  const isFlagged = status === STATUS.called || status === STATUS.liquidating
  const hasLeft = status === STATUS.exiting && !holdsDerivatives({ balances })
  return isFlagged || hasLeft ? 'release' : null
}

/**
 * All that are due: calls and liquidations first, those that lack most before others. Accounts are valued
 * once a table and register; later looks at them cost a look at what was found.
 */
export function dueFlags(
  accounts: ReadonlyMap<number, Account>,
  context: BatchContext,
): readonly DueFlag[] {
  const standingOf = standingsAt(context)
  const due: DueFlag[] = []
  for (const [index, account] of accounts) {
    if (index < FIRST_MEMBER_INDEX) continue
    const standing = standingOf(account)
    if (standing === 'unlisted') continue
    const step = dueStep(account, standing, context)
    if (step !== null) due.push({ index, step, lack: standing.lack })
  }
  const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
  return due.sort((a, b) => order(b.lack, a.lack) || a.index - b.index)
}

/** As `due`, but of accounts that this batch credits what they show with the deposit. */
export function dueWithCredits(
  due: readonly DueFlag[],
  accounts: ReadonlyMap<number, Account>,
  credits: readonly Credit[],
  context: BatchContext,
): readonly DueFlag[] {
  const credited = new Map<number, Account>()
  for (const { account, token, amount } of credits) {
    const before = credited.get(account) ?? accounts.get(account)
    if (before !== undefined) credited.set(account, addBalance(before, token, amount))
  }
  return [...due.filter(({ index }) => !credited.has(index)), ...dueFlags(credited, context)]
}

/**
 * The due steps that find a slot and room in this batch; the rest waits for the next. Who is `touched`
 * anyway comes first and shares its rescue slot, so that calls and deposits do not wait for each other. A
 * page beside a step may undo its ground: then the law refuses it, and the builder leaves it out.
 */
export function flagsThatFit(
  due: readonly DueFlag[],
  shape: Shape,
  room: Room,
  touched: ReadonlySet<number>,
  isOut: (flag: DueFlag) => boolean,
): NonNullable<BatchPlan['flags']> {
  const rank = ({ index }: DueFlag): number => (touched.has(index) ? 0 : 1)
  const flags = new Map<number, FlagStep>()
  const left = { calls: shape.rescues, releases: shape.releases }
  for (const flag of due.filter((f) => !isOut(f)).sort((a, b) => rank(a) - rank(b))) {
    const slots = isCall(flag.step) ? 'calls' : 'releases'
    if (left[slots] === 0 || !room.take([flag.index])) continue
    flags.set(flag.index, flag.step)
    left[slots]--
  }
  return flags
}
