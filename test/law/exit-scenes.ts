/** Accounts from which a forced exit is asked for, by what limits the payment, and accounts that unwind. */
import type { BatchPlan } from '../../circuits/batch.ts'
import { CASH_ID } from '../../circuits/params.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import type { House, Member } from './house.ts'
import type { Draft } from './reseal.ts'
import { funded, MINI, settle, sunk, traded, type Scene } from './scenes.ts'

export const TOKEN = 2

export type Exit = {
  readonly scene: Scene
  readonly who: Member
  readonly token: number
  readonly freeVault?: bigint
}

export const planOf = (
  { scene, who, token, freeVault }: Exit,
  parts: Partial<BatchPlan> = {},
): BatchPlan => scene.house.plan({ requests: [scene.house.exit(who, token, freeVault)], ...parts })

export const exitDraft = (exit: Exit, forgery: Forgery = {}): Draft =>
  forgedDraft(MINI, exit.scene.house, planOf(exit), forgery)

/** b is short of five futures, so its cash is not all free. */
export const short = (): Exit => {
  const scene = traded()
  return { scene, who: scene.b, token: CASH_ID }
}

export const plain = (): Exit => {
  const scene = funded()
  return { scene, who: scene.b, token: CASH_ID }
}

export const tokens = (freeVault?: bigint): Exit => {
  const scene = funded()
  return { scene, who: scene.a, token: TOKEN, ...(freeVault === undefined ? {} : { freeVault }) }
}

/** a owes cash against futures and token lots: some of the token must stay. */
export function pledged(): Exit {
  const scene = traded()
  const cash = scene.house.accounts.get(scene.a.index)?.cash ?? 0n
  scene.house.withdraw(scene.a, CASH_ID, cash + 249_000_000n - scene.house.fee)
  settle(scene.house, scene.house.plan())
  return { scene, who: scene.a, token: TOKEN }
}

/** As pledged, and without the token's value the account would be below zero: a rescue that loses nothing by paying. */
export function underwater(): Exit {
  const exit = pledged()
  exit.scene.house.rows = exit.scene.house.rows.map((row) =>
    row.id === 1024 ? { ...row, values: row.values.map((v) => v - 1_000_000n) } : row,
  )
  return exit
}

export const drowned = (): Exit => {
  const scene = sunk()
  return { scene, who: scene.a, token: TOKEN }
}

/** a owes cash and is worth something in every world. */
export function indebted(): Exit {
  const scene = funded()
  scene.house.trade(scene.a, scene.b, [{ instrument: 1024, quantity: 250n, price: 45_000_000n }])
  const { house } = scene
  settle(house, house.plan())
  return { scene, who: scene.a, token: CASH_ID }
}

/** a holds five futures and is exiting; b is not. */
export function exiting(): Scene {
  const scene = traded()
  settle(scene.house, planOf({ scene, who: scene.a, token: 77 }))
  return scene
}

export const legs = (quantity: bigint, instrument = 1024) => [
  { instrument, quantity, price: instrument === TOKEN ? 1_000_000n : 50_000_000n },
]

export const tradeOf = (scene: Scene, quantity: bigint, instrument?: number): House => {
  scene.house.trade(scene.a, scene.b, legs(quantity, instrument))
  return scene.house
}

export const reduceOnly = (quantity: bigint, instrument?: number): Draft => {
  const house = tradeOf(traded(), quantity, instrument)
  const plan = house.plan()
  return forgedDraft(MINI, house, { ...plan, context: { ...plan.context, mode: 'reduceOnly' } })
}
