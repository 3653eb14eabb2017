/** An account that stands as a test of flags wants it, and batches that take a flag step of it. */
import { leafHash, type Account, type Balance } from '../../circuits/account.ts'
import type { BatchContext, BatchPlan } from '../../circuits/batch.ts'
import type { FlagStep } from '../../circuits/flag.ts'
import { CALL_SECONDS, STATUS, STATUS_BITS, TIME_BITS } from '../../circuits/params.ts'
import type { Row } from '../../circuits/table.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import type { House } from './house.ts'
import type { Draft } from './reseal.ts'
import { funded, MINI, type Scene } from './scenes.ts'

export type Status = keyof typeof STATUS

/** Worth one in every world but 3; a long of one lot and two of cash is there one below zero. */
export const FUTURE: Row = {
  id: 1024,
  status: 'live',
  addOn: 2n,
  values: Array.from({ length: 15 }, (_, s) => (s === 3 ? -1n : 1n)),
}

const LOT: readonly Balance[] = [{ id: 1024, quantity: 1n }]

type Stand = {
  readonly status?: Status
  readonly age?: bigint
  readonly step?: bigint
  readonly cash?: bigint
  readonly balances?: readonly Balance[]
  readonly mark?: bigint
}

/** a as it is said to stand; maintenance is broken by a fifth of a micro-dollar, in world 3 alone. */
export function stand({
  status = 'active',
  age = 100n,
  step = 0n,
  cash = 2n,
  balances = LOT,
  mark = 1n,
}: Stand = {}): Scene {
  const scene = funded()
  const { house, a } = scene
  house.time += 2n * BigInt(CALL_SECONDS)
  const meta =
    BigInt(STATUS[status]) +
    ((house.time - age) << BigInt(STATUS_BITS)) +
    (step << BigInt(STATUS_BITS + TIME_BITS))
  const account: Account = { ...(house.accounts.get(a.index) as Account), cash, balances, meta }
  house.accounts.set(a.index, account)
  house.tree.set(a.index, leafHash(account))
  house.rows = house.rows.map((row) =>
    row.id === 1024 ? { ...FUTURE, values: [mark, ...FUTURE.values.slice(1)] } : row,
  )
  return scene
}

/** The mark one higher: 2 + 4 * -3 + 5 * 2 = 0 fifths, and maintenance just holds. */
export const holding = (over: Stand = {}): Scene => stand({ mark: 2n, ...over })

/** Nothing in world 3 below zero: -1 - 2 + 3 = 0. */
export const cured = (over: Stand = {}): Scene => stand({ cash: 3n, ...over })

export type Parts = { readonly context?: Partial<BatchContext>; readonly plan?: Partial<BatchPlan> }

export function flagPlan(
  { house, a }: Scene,
  step: FlagStep,
  { context, plan }: Parts = {},
): BatchPlan {
  const made = house.plan({ flags: new Map([[a.index, step]]), ...plan })
  return { ...made, context: { ...made.context, ...context } }
}

export const flagDraft = (
  scene: Scene,
  step: FlagStep,
  parts: Parts = {},
  forgery: Forgery = {},
): Draft => forgedDraft(MINI, scene.house, flagPlan(scene, step, parts), forgery)

export const REDUCE_ONLY: Parts = { context: { mode: 'reduceOnly' } }

export const UNCONFIRMED: Parts = { context: { isTableConfirmed: false } }

export const DUE = BigInt(CALL_SECONDS)

export const metaAt = (house: House, status: Status): bigint =>
  BigInt(STATUS[status]) + 8n * house.time
