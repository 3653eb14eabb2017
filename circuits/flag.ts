/**
 * Flags: who is called or liquidated since its maintenance is broken, and who is released again.
 *
 * 1. CallMustBeProven
 * 2. ReleaseMustBeProven
 */
import { CALL_SECONDS, STATUS, TOKEN_UPPER_BOUND } from './params.ts'
import { activeMeta, type Account } from './account.ts'
import { statusOf } from './exit.ts'
import { Broken, type RuleName } from './rules.ts'
import { marginsOfWorth, metaOf } from './sweep.ts'

/** What a batch may do to the status of an account that it touches. */
export type FlagStep = 'call' | 'liquidate' | 'release'

/** The statuses that steps start at, by place in the circuit: two calls and a liquidation; releases. */
export const CALL_FROM: readonly number[] = [STATUS.active, STATUS.exiting, STATUS.called]
export const RELEASE_FROM: readonly number[] = [STATUS.called, STATUS.liquidating, STATUS.exiting]

export type FlagChange = {
  readonly step: FlagStep
  readonly from: number
  readonly meta: bigint
  /** The world in which maintenance is broken, the worst of them; null for a release. */
  readonly world: number | null
}
/** Where and when a step is proven. */
export type FlagScene = {
  readonly time: bigint
  readonly isNormal: boolean
  readonly isTableConfirmed: boolean
  /** Worth after the batch, at its table. */
  readonly worth: readonly bigint[]
}

export function isCall(step: FlagStep): boolean {
  return step !== 'release'
}

/** The world of 1 .. WORLD_COUNT - 1 with the lowest margin at maintenance if that is negative. */
export function brokenWorld(worth: readonly bigint[]): number | null {
  const margins = marginsOfWorth(worth)
  const lowest = margins.reduce((least, margin) => (margin < least ? margin : least))
  return lowest < 0n ? margins.indexOf(lowest) + 1 : null
}

/** Whether a call is old enough for a liquidation. */
export function isCallDue(meta: bigint, time: bigint): boolean {
  const { status, since, step } = metaOf(meta)
  return status === STATUS.called && step === 0 && time - since >= BigInt(CALL_SECONDS)
}

export function holdsDerivatives({ balances }: Pick<Account, 'balances'>): boolean {
  return balances.some(({ id }) => id >= TOKEN_UPPER_BOUND)
}

/** One flag step of `account`, as the batch leaves it but for its meta. Throws Broken. */
export function changeFlag(
  step: FlagStep,
  account: Account,
  scene: FlagScene,
  index: number,
): FlagChange {
  const from = statusOf(account.meta)
  return isCall(step)
    ? callOf(step, from, account, scene, index)
    : releaseOf(from, account, scene, index)
}

const ruled =
  (rule: RuleName, index: number) =>
  (holds: boolean, detail: string): void => {
    if (!holds) throw new Broken(rule, detail, index)
  }

function callOf(
  step: FlagStep,
  from: number,
  { meta }: Account,
  { time, isNormal, isTableConfirmed, worth }: FlagScene,
  index: number,
): FlagChange {
  const must = ruled('CallMustBeProven', index)
  const isLiquidation = step === 'liquidate'
  must(CALL_FROM.includes(from), `nobody of status ${from} is called`)
  must(isLiquidation === (from === STATUS.called), `status ${from} is not where this step starts`)
  must(isTableConfirmed, 'the table is not confirmed')
  must(!isLiquidation || isNormal, 'nobody is liquidated while the house only reduces')
  must(!isLiquidation || isCallDue(meta, time), `called for less than ${CALL_SECONDS} seconds`)
  const world = brokenWorld(worth)
  must(world !== null, 'maintenance holds in every world')
  const status = isLiquidation ? STATUS.liquidating : STATUS.called
  return { step, from, meta: BigInt(status) + time * 8n, world }
}

function releaseOf(
  from: number,
  account: Account,
  { time, isNormal, worth }: FlagScene,
  index: number,
): FlagChange {
  const must = ruled('ReleaseMustBeProven', index)
  must(RELEASE_FROM.includes(from), `nobody of status ${from} is released`)
  must(isNormal, 'nobody is released while the house only reduces')
  must(
    worth.every((w) => w >= 0n),
    'a world is worth less than zero',
  )
  must(from !== STATUS.exiting || !holdsDerivatives(account), 'derivatives are left to unwind')
  return { step: 'release', from, meta: activeMeta(time), world: null }
}
