/** Small states from which the attacks start. */
import type { BatchPlan } from '../../circuits/batch.ts'
import { SHAPES, STAMP_RANDOM_BITS, type Shape } from '../../circuits/params.ts'
import { encryptAccount, batchKey, leafHash, saltOf, type Account } from '../../circuits/account.ts'
import type { Entry, Page } from '../../circuits/page.ts'
import { settledRow } from '../../circuits/table.ts'
import { House, finish, type Member } from './house.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import { draftOf, type Draft } from './reseal.ts'

export const MINI = SHAPES.find((shape) => shape.name === 'mini') as Shape
export const FUNDS = 10_000_000_000n
export const ONE_FUTURE: readonly Entry[] = [{ instrument: 1024, quantity: 5n, price: 50_100_000n }]

export type Scene = {
  readonly house: House
  readonly a: Member
  readonly b: Member
  readonly c: Member
}

/** Applies a plan that is fair. */
export function settle(house: House, plan: BatchPlan): void {
  const outcome = house.execute(plan)
  if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  house.accept(outcome.trace)
}

/** Three members; a holds cash and a token, b cash, c some cash. */
export function funded(): Scene {
  const house = new House()
  const [a, b] = [house.join(), house.join()]
  settle(
    house,
    house.plan({
      requests: [a.request, b.request],
      credits: [house.credit(a.member, 1, FUNDS), house.credit(b.member, 1, FUNDS)],
    }),
  )
  const c = house.join()
  settle(
    house,
    house.plan({
      requests: [c.request],
      credits: [house.credit(c.member, 1, FUNDS), house.credit(a.member, 2, 1000n)],
    }),
  )
  return { house, a: a.member, b: b.member, c: c.member }
}

/** As funded, and a has bought five futures from b. */
export function traded(): Scene {
  const scene = funded()
  scene.house.trade(scene.a, scene.b, ONE_FUTURE)
  settle(scene.house, scene.house.plan())
  return scene
}

/** As traded, and the future has settled at 60 dollars. */
export function expired(): Scene {
  const scene = traded()
  scene.house.rows = scene.house.rows.filter((row) => row.id !== 1024)
  scene.house.settled = [settledRow(1024, 60_000_000n)]
  return scene
}

/** As traded, and the future has lost so much that a is below zero in some worlds. */
export function sunk(): Scene {
  const scene = traded()
  const { house } = scene
  house.rows = house.rows.map((row) =>
    row.id === 1024 ? { ...row, values: row.values.map((v) => v - 2_180_000_000n) } : row,
  )
  return scene
}

export function registrationDraft(): Draft {
  const house = new House()
  const [a, b] = [house.join(), house.join()]
  const plan = house.plan({
    requests: [a.request, b.request],
    credits: [house.credit(a.member, 1, FUNDS), house.credit(b.member, 1, FUNDS)],
  })
  return forgedDraft(MINI, house, plan)
}
export function tradeDraft(over: Partial<Page> = {}, forgery: Forgery = {}): Draft {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE, over)
  return forgedDraft(MINI, house, house.plan(), forgery)
}
export function coverDraft(scene: Scene = funded(), forgery: Forgery = {}): Draft {
  const { house, a, b } = scene
  return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), forgery)
}
export function withdrawalDraft(amount = 1_000_000n, forgery: Forgery = {}): Draft {
  const { house, a } = funded()
  house.withdraw(a, 1, amount)
  return forgedDraft(MINI, house, house.plan(), forgery)
}
export function rotationDraft(forgery: Forgery = {}): Draft {
  const { house, b } = funded()
  house.rotate(b)
  return forgedDraft(MINI, house, house.plan(), forgery)
}

/** The last stamp that is not after the batch: the end of its second. */
export function latestStamp(house: House): bigint {
  return ((house.time + 1n) << BigInt(STAMP_RANDOM_BITS)) - 1n
}

/** A batch with the account of slot `slot` replaced in state and in what is published of it. */
export function afterDraft(
  scene: Scene,
  change: (account: Account, index: number) => Account,
  parts: Partial<BatchPlan> = {},
): Draft {
  const { house, a, b } = scene
  return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index], ...parts }), {
    after: change,
  })
}

/** Slot of an account among the members of a draft. */
export function slotOf(draft: Draft, index: number | bigint): number {
  return draft.accountWord.findIndex((word) => word[0] === BigInt(index)) - 1
}

/** The first padding slot. */
export function paddingOf(draft: Draft): number {
  return draft.isEmpty.findIndex((empty, i) => empty === 1n && draft.isRegistered[i] === 0n)
}
export { batchKey, draftOf, encryptAccount, finish, leafHash, saltOf }
