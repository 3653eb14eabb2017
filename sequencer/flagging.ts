/** Whose status the next batch should change: who breaks maintenance, who is cured, who has left. */
import { FIRST_MEMBER_INDEX, STATUS, type Shape } from '../circuits/params.ts'
import { addBalance, type Account } from '../circuits/account.ts'
import type { BatchContext, BatchPlan, Credit } from '../circuits/batch.ts'
import { statusOf } from '../circuits/exit.ts'
import {
  brokenWorld,
  holdsDerivatives,
  isCall,
  isCallDue,
  type FlagStep,
} from '../circuits/flag.ts'
import { lackOf, marginsOfWorth } from '../circuits/sweep.ts'
import { rowLookup, worthOf, type RowOf, type Settlements, type Table } from '../circuits/table.ts'
import type { Room } from './room.ts'

export type DueFlag = { readonly index: number; readonly step: FlagStep; readonly lack: bigint }
type Scene = Pick<BatchContext, 'time' | 'mode' | 'isTableConfirmed'>

/** What a table says of an account that no clock changes; of most: not broken, not negative. */
type Standing = {
  /** Maintenance breaks in some world. */
  readonly isBroken: boolean
  /** Worth less than zero in some world. */
  readonly isNegative: boolean
  readonly lack: bigint
}
const SOUND: Standing = { isBroken: false, isNegative: false, lack: 0n }
/** It holds what stands in no row: that is listed by the next table, or settled. */
const UNLISTED = 'unlisted'

/**
 * Standings by table, register and account. All three are values that nobody changes in place, so an
 * account that a batch has replaced is another one, and what is not looked at any more is forgotten.
 */
const known = new WeakMap<
  Table,
  { readonly settlements: Settlements; readonly of: WeakMap<Account, Standing | typeof UNLISTED> }
>()

function standingsAt({ table, settlements }: Pick<BatchContext, 'table' | 'settlements'>) {
  const found = known.get(table)
  if (found?.settlements === settlements) return found.of
  const made = { settlements, of: new WeakMap<Account, Standing | typeof UNLISTED>() }
  known.set(table, made)
  return made.of
}

function standingOf(account: Account, rowOf: RowOf): Standing | typeof UNLISTED {
  const worth = worthOf(account, rowOf)
  if (typeof worth === 'number') return UNLISTED
  const isBroken = brokenWorld(worth) !== null
  const isNegative = worth.some((w) => w < 0n)
  if (!isBroken && !isNegative) return SOUND
  return { isBroken, isNegative, lack: lackOf(marginsOfWorth(worth)) }
}

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
  const standings = standingsAt(context)
  const rowOf = lazily(() => rowLookup(context.table, context.settlements))
  const due: DueFlag[] = []
  for (const [index, account] of accounts) {
    if (index < FIRST_MEMBER_INDEX) continue
    let standing = standings.get(account)
    if (standing === undefined) {
      standing = standingOf(account, rowOf())
      standings.set(account, standing)
    }
    if (standing === UNLISTED) continue
    const step = dueStep(account, standing, context)
    if (step !== null) due.push({ index, step, lack: standing.lack })
  }
  const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
  return due.sort((a, b) => order(b.lack, a.lack) || a.index - b.index)
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
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
