/** What the measurements chew on: full batches of a shape, and members that trade. */
import type { BatchPlan } from '../../circuits/batch.ts'
import type { Shape } from '../../circuits/params.ts'
import type { Entry } from '../../circuits/page.ts'
import type { WitnessInput } from '../../circuits/witness.ts'
import { House, finish, type Member } from '../law/house.ts'

/** Whether every account trades once: then an account is the unit of cost, not a trade. */
export function isSparse({ pages, members }: Shape): boolean {
  return members >= pages
}

/**
 * A trade is one leg seen from both sides. Of the three legs that a page has room for two are
 * filled on average and a package takes two pages, so n page slots carry n trades. In a sparse
 * batch every account trades one leg, and two pages carry one trade.
 */
export function tradesOf(shape: Shape): number {
  return isSparse(shape) ? shape.pages / 2 : shape.pages
}

const FUNDS = 1_000_000_000_000n
const TWO_LEGS: readonly Entry[] = [
  { instrument: 1024, quantity: 5n, price: 50_100_000n },
  { instrument: 1025, quantity: -7n, price: 2_000_000n },
]
const ONE_LEG: readonly Entry[] = TWO_LEGS.slice(0, 1)

function settle(house: House, plan: BatchPlan): void {
  const outcome = house.execute(plan)
  if (!outcome.ok) throw new Error(`load: ${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  house.accept(outcome.trace)
}

/** A house whose members are registered and hold cash, however many batches that would take. */
export function houseOf(memberCount: number): House {
  const house = new House()
  const joined = Array.from({ length: memberCount }, () => house.join())
  const credits = joined.map(({ member }) => house.credit(member, 1, FUNDS))
  settle(house, house.plan({ requests: joined.map(({ request }) => request), credits }))
  return house
}

export type Package = {
  readonly buyer: Member
  readonly seller: Member
  readonly entries: readonly Entry[]
}

/** Packages that fill the shape's pages: everyone with everyone, or in pairs when sparse. */
export function packagesOf(shape: Shape, members: readonly Member[]): readonly Package[] {
  return Array.from({ length: Math.floor(shape.pages / 2) }, (_, i) => {
    const n = members.length
    const round = Math.floor(i / n)
    const [buyer, seller] = isSparse(shape)
      ? [2 * i, 2 * i + 1]
      : [i % n, (i + 1 + (round % (n - 1))) % n]
    return {
      buyer: members[buyer] as Member,
      seller: members[seller] as Member,
      entries: isSparse(shape) ? ONE_LEG : TWO_LEGS,
    }
  })
}

/** The whole input of the circuit for a batch with every page and every account in use. */
export function fullBatch(shape: Shape): WitnessInput {
  const house = houseOf(shape.members)
  for (const { buyer, seller, entries } of packagesOf(shape, house.members)) {
    house.trade(buyer, seller, entries)
  }
  const outcome = house.execute(house.plan())
  if (!outcome.ok) throw new Error(`load: ${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  return finish(house.build(shape, outcome.trace))
}
