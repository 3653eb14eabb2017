/** Batches in which as much as possible moves at once: what a witness must use for its constraints to bite. */
import { eighthOf, signingKey } from '../../../circuits/eddsa.ts'
import type { BatchPlan, L1Request } from '../../../circuits/batch.ts'
import type { Entry } from '../../../circuits/page.ts'
import { settledRow } from '../../../circuits/table.ts'
import { CALL_SECONDS, PAGE_LIFE_SECONDS_BITS, type Shape } from '../../../circuits/params.ts'
import { forgedDraft } from '../forge.ts'
import { funded, settle, type Scene } from '../scenes.ts'
import type { Draft } from '../reseal.ts'
import { House, row } from '../house.ts'

const LEGS: readonly Entry[] = [
  { instrument: 2, quantity: -30n, price: 1_000_000n },
  { instrument: 1024, quantity: 7n, price: 50_100_000n },
  { instrument: 1025, quantity: -3n, price: 2_000_000n },
]

/** As funded; a, b and c hold every row of the table. */
function full(): Scene {
  const scene = funded()
  const { house, a, b, c } = scene
  house.trade(a, b, LEGS)
  house.trade(a, c, LEGS)
  settle(house, house.plan())
  house.trade(a, b, [{ instrument: 1026, quantity: 4n, price: -500_000n }])
  house.trade(a, c, [{ instrument: 1026, quantity: 4n, price: -500_000n }])
  settle(house, house.plan())
  return scene
}

const draft = (shape: Shape, { house }: Scene, parts: Partial<BatchPlan> = {}): Draft =>
  forgedDraft(shape, house, house.plan(parts))

function trading(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  house.trade(a, b, LEGS)
  house.trade(b, c, [{ instrument: 1024, quantity: 2n, price: 49_000_000n }, LEGS[0]!])
  return draft(shape, scene, { credits: [house.credit(a, 2, 70n), house.credit(b, 1, 5_000_000n)] })
}

function withdrawing(shape: Shape): Draft {
  const scene = full()
  const { house, a, b } = scene
  house.trade(a, b, LEGS)
  house.withdraw(a, 2, 11n)
  return draft(shape, scene, { credits: [house.credit(b, 2, 70n)] })
}

function rotating(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  house.trade(a, b, LEGS)
  house.rotate(b)
  const request: L1Request = {
    kind: 'rotate',
    serial: house.serial++,
    account: c.index,
    key: eighthOf(signingKey(new Uint8Array(32).fill(7))),
    viewKeyHash: 0n,
  }
  return draft(shape, scene, { requests: [request], credits: [house.credit(a, 2, 70n)] })
}

function skipping(shape: Shape): Draft {
  const scene = full()
  const { house, a, b } = scene
  house.trade(a, b, LEGS)
  house.time += (1n << BigInt(PAGE_LIFE_SECONDS_BITS)) + 5n
  house.trade(a, b, LEGS)
  return draft(shape, scene)
}

function rescuing(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  // Dearer than b and c, who are short, can bear in any world; b buys one back far below that.
  house.rows = house.rows.map((each) => (each.id === 1024 ? row(1024, 200_000_000_000n) : each))
  house.trade(a, b, [{ instrument: 1024, quantity: -1n, price: 50_000_000n }])
  return draft(shape, scene, { cover: [c.index] })
}

/** b, c and a are below zero and called, or liquidated; or a is worth something again. */
function flagging(shape: Shape): Draft {
  const scene = full()
  const { house, b, c } = scene
  house.rows = house.rows.map((each) => (each.id === 1024 ? row(1024, 200_000_000_000n) : each))
  settle(house, house.plan({ flags: new Map([[b.index, 'call']]) }))
  house.time += BigInt(CALL_SECONDS) + 77n
  return draft(shape, scene, {
    flags: new Map([
      [b.index, 'liquidate'],
      [c.index, 'call'],
    ]),
    cover: [scene.a.index],
  })
}

/** b was called and is cured by the price; a was leaving and has left. */
function releasing(shape: Shape): Draft {
  const scene = full()
  const { house, a, b } = scene
  const { rows } = house
  house.rows = rows.map((each) => (each.id === 1024 ? row(1024, 200_000_000_000n) : each))
  settle(house, house.plan({ flags: new Map([[b.index, 'call']]) }))
  house.rows = rows
  settle(house, house.plan({ requests: [house.exit(a, 77)] }))
  const held = (house.accounts.get(a.index)?.balances ?? []).filter(({ id }) => id >= 1024)
  house.settled = held.map(({ id }) => settledRow(id, 1_000_000n))
  house.rows = rows.filter(({ id }) => id < 1024)
  house.time += 99n
  return draft(shape, scene, {
    flags: new Map([
      [a.index, 'release'],
      [b.index, 'release'],
    ]),
  })
}

function converting(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  house.rows = house.rows.filter((r) => r.id !== 1024)
  house.settled = [settledRow(1024, 60_000_000n)]
  house.trade(a, b, [LEGS[0]!, LEGS[2]!])
  return draft(shape, scene, { cover: [c.index], credits: [house.credit(a, 2, 70n)] })
}

function exiting(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  house.trade(a, c, LEGS)
  const credits = [house.credit(a, 2, 70n)]
  return draft(shape, scene, { requests: [house.exit(b, 1, 1_000_000n)], credits })
}

/** b is reduce-only from the batch before. */
function unwinding(shape: Shape): Draft {
  const scene = full()
  const { house, a, b, c } = scene
  settle(house, house.plan({ requests: [house.exit(b, 77)] }))
  house.trade(a, b, [{ instrument: 1024, quantity: -2n, price: 50_100_000n }])
  house.trade(a, c, [LEGS[0]!, LEGS[2]!])
  return draft(shape, scene)
}

function registering(shape: Shape): Draft {
  const scene = full()
  const { house, a, b } = scene
  const d = house.join()
  house.trade(a, b, LEGS)
  return draft(shape, scene, {
    requests: [d.request],
    credits: [house.credit(d.member, 2, 40n), house.credit(a, 2, 70n)],
  })
}

function beginning(shape: Shape): Draft {
  const house = new House()
  const [one, other] = [house.join(), house.join()]
  return forgedDraft(
    shape,
    house,
    house.plan({
      requests: [one.request, other.request],
      credits: [house.credit(one.member, 1, 7n), house.credit(other.member, 1, 8n)],
    }),
  )
}

function covering(shape: Shape): Draft {
  const scene = full()
  return draft(shape, scene, { cover: [scene.a.index, scene.c.index] })
}

export const CROWDS: readonly (readonly [name: string, make: (shape: Shape) => Draft])[] = [
  ['trades with deposits', trading],
  ['a withdrawal', withdrawing],
  ['both rotations', rotating],
  ['expired pages', skipping],
  ['a rescue', rescuing],
  ['a forced exit', exiting],
  ['an account that unwinds', unwinding],
  ['calls and a liquidation', flagging],
  ['releases', releasing],
  ['a conversion', converting],
  ['a registration', registering],
  ['first registrations', beginning],
  ['cover and padding', covering],
]
