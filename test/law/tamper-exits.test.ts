/** Forced exits and unwinding: what is paid to the lot, and for each attack the rule that refuses it. */
import { beforeAll, describe, expect, test } from 'vitest'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import { leafHash } from '../../circuits/account.ts'
import type { BatchPlan } from '../../circuits/batch.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { CAPS, statusOf, type Cap, type ForcedPayment } from '../../circuits/exit.ts'
import { mod } from '../../circuits/field.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import { inputOf, reseal, type Draft } from './reseal.ts'
import type { House, Member } from './house.ts'
import {
  coverDraft,
  expired,
  funded,
  FUNDS,
  MINI,
  ONE_FUTURE,
  paddingOf,
  settle,
  slotOf,
  sunk,
  traded,
  type Scene,
} from './scenes.ts'

let circuit: Circuit
beforeAll(async () => {
  circuit = await circuitNamed('mini')
}, 120_000)

const changed = (draft: Draft, change: (draft: Draft) => void): Draft => {
  change(draft)
  return reseal(draft)
}
const set = (list: bigint[] | undefined, i: number, value: bigint): void => {
  ;(list as bigint[])[i] = mod(value)
}
const refusedAs = (draft: Draft): readonly string[] =>
  circuit.failedRule(inputOf(draft))?.split('/') ?? ['accepted']
const TOKEN = 2

type Exit = {
  readonly scene: Scene
  readonly who: Member
  readonly token: number
  readonly freeVault?: bigint
}
const planOf = (
  { scene, who, token, freeVault }: Exit,
  parts: Partial<BatchPlan> = {},
): BatchPlan => scene.house.plan({ requests: [scene.house.exit(who, token, freeVault)], ...parts })
const exitDraft = (exit: Exit, forgery: Forgery = {}): Draft =>
  forgedDraft(MINI, exit.scene.house, planOf(exit), forgery)
const paying = (over: Partial<ForcedPayment>): Forgery => ({
  payment: (fair) => ({ ...fair, ...over }),
})

/** b is short of five futures, so its cash is not all free. */
const short = (): Exit => {
  const scene = traded()
  return { scene, who: scene.b, token: CASH_ID }
}
const plain = (): Exit => {
  const scene = funded()
  return { scene, who: scene.b, token: CASH_ID }
}
const tokens = (freeVault?: bigint): Exit => {
  const scene = funded()
  return { scene, who: scene.a, token: TOKEN, ...(freeVault === undefined ? {} : { freeVault }) }
}
/** a owes cash against futures and token lots: some of the token must stay. */
function pledged(): Exit {
  const scene = traded()
  const cash = scene.house.accounts.get(scene.a.index)?.cash ?? 0n
  scene.house.withdraw(scene.a, CASH_ID, cash + 249_000_000n - scene.house.fee)
  settle(scene.house, scene.house.plan())
  return { scene, who: scene.a, token: TOKEN }
}
/** As pledged, and without the token's value the account would be below zero: a rescue that loses nothing by paying. */
function underwater(): Exit {
  const exit = pledged()
  exit.scene.house.rows = exit.scene.house.rows.map((row) =>
    row.id === 1024 ? { ...row, values: row.values.map((v) => v - 1_000_000n) } : row,
  )
  return exit
}
const drowned = (): Exit => {
  const scene = sunk()
  return { scene, who: scene.a, token: TOKEN }
}
/** a owes cash and is worth something in every world. */
function indebted(): Exit {
  const scene = funded()
  scene.house.trade(scene.a, scene.b, [{ instrument: 1024, quantity: 250n, price: 45_000_000n }])
  const { house } = scene
  settle(house, house.plan())
  return { scene, who: scene.a, token: CASH_ID }
}

/** The payment by the law, after the circuit agreed and the state was taken over. */
function paid(exit: Exit): ForcedPayment {
  const { house } = exit.scene
  const outcome = house.execute(planOf(exit))
  if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  expect(circuit.failedRule(inputOf(forgedDraft(MINI, house, outcome.trace.plan)))).toBe(null)
  const before = house.accounts.get(exit.who.index)
  const member = outcome.trace.members.find((m) => m.index === exit.who.index)
  house.accept(outcome.trace)
  const forced = member?.forced as ForcedPayment
  const held = (account: typeof before): bigint =>
    exit.token === CASH_ID
      ? (account?.cash ?? 0n)
      : (account?.balances.find((b) => b.id === exit.token)?.quantity ?? 0n)
  expect(held(member?.after)).toBe(held(before) - forced.amount + (member?.conversionCash ?? 0n))
  expect(statusOf(member?.after.meta ?? 0n)).toBe(STATUS.exiting)
  return forced
}

describe('what a forced exit pays', () => {
  const cases: readonly (readonly [string, () => Exit, bigint, Cap])[] = [
    ['all cash of an account without positions', plain, FUNDS, 'balance'],
    ['all lots of a token', tokens, 1000n, 'balance'],
    ['what the vault has', () => tokens(7n), 7n, 'vault'],
    ['the vault at the balance exactly', () => tokens(1000n), 1000n, 'balance'],
    ['the vault one lot under the balance', () => tokens(999n), 999n, 'vault'],
    ['nothing from an empty vault', () => tokens(0n), 0n, 'vault'],
    ['nothing of a token that is not held', () => ({ ...plain(), token: TOKEN }), 0n, 'balance'],
    ['nothing of a token without a row', () => ({ ...plain(), token: 77 }), 0n, 'balance'],
    ['nothing of cash that is owed', indebted, 0n, 'balance'],
    ['nothing if a world is below zero', drowned, 0n, 'loss'],
    [
      'nothing of cash if a world is below zero',
      () => ({ ...drowned(), token: CASH_ID }),
      0n,
      'loss',
    ],
    ['nothing if only the world without tokens is below zero', underwater, 0n, 'loss'],
    // 10,250.5 less the fee of 0.0001, less five lots at 83 and their add-on of 2 each.
    ['cash that the open positions do not need', short, 9_835_499_890n, 'world'],
    // (-249 + 5 * 17 + 1000 * 0.34) less add-ons, over 0.34 less 2.
    ['a token down to what is pledged', pledged, 517n, 'world'],
    [
      'cash that a settled future has become',
      () => {
        const scene = expired()
        return { scene, who: scene.a, token: CASH_ID }
      },
      10_049_499_900n,
      'balance',
    ],
  ]
  test.each(cases)(
    '%s',
    (_name, make, amount, cap) => {
      const forced = paid(make())
      expect([forced.amount, forced.cap]).toEqual([amount, cap])
    },
    20_000,
  )

  test('two of one token in one batch: the second sees what the first left', () => {
    const { house, b, c } = funded()
    const first = house.exit(b, CASH_ID, FUNDS + 5n)
    const plan = house.plan({ requests: [first, house.exit(c, CASH_ID, 5n)] })
    expect(refusedAs(forgedDraft(MINI, house, plan))).toEqual(['accepted'])
    settle(house, plan)
    expect([b, c].map((m) => house.accounts.get(m.index)?.cash)).toEqual([0n, FUNDS - 5n])
  }, 20_000)

  test('a second exit pays again and keeps the clock', () => {
    const exit = tokens(400n)
    const { house } = exit.scene
    paid(exit)
    const meta = house.accounts.get(exit.who.index)?.meta
    house.time += 1000n
    expect(paid({ ...exit, freeVault: 1_000_000n }).amount).toBe(600n)
    expect(house.accounts.get(exit.who.index)?.meta).toBe(meta)
  }, 20_000)
})

const oneMore = (exit: Exit): Draft =>
  exitDraft(exit, { payment: (p) => ({ ...p, amount: p.amount + 1n }) })
const oneLess = (exit: Exit, over: Partial<ForcedPayment> = {}): Draft =>
  exitDraft(exit, { payment: (p) => ({ ...p, amount: p.amount - 1n, ...over }) })
const capped = (draft: Draft, cap: Cap): Draft =>
  changed(draft, (d) => {
    d.forcedCap[0] = CAPS.map((c) => (c === cap ? 1n : 0n))
  })
const slot = (draft: Draft, { who }: Exit): number => slotOf(draft, who.index)

export const payments: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  ['ForcedExitMustBeExact', 'one lot more than the balance', () => oneMore(tokens())],
  [
    'TokenMustNotBeNegative',
    'one lot more than the balance, as the vault has it',
    () => exitDraft(tokens(1001n), paying({ amount: 1001n, cap: 'vault' })),
  ],
  ['AccountMustBeSolvent', 'one lot more than all cash', () => oneMore(plain())],
  [
    'ForcedExitMustBeExact',
    'more cash than is held, against what positions are worth',
    () => exitDraft({ ...indebted(), freeVault: 1n }, paying({ amount: 1n, cap: 'vault' })),
  ],
  ['ForcedExitMustBeExact', 'one lot less than the balance', () => oneLess(tokens())],
  ['ForcedExitMustBeExact', 'one unit of cash less than the balance', () => oneLess(plain())],
  ['ForcedExitMustBeExact', 'one lot more than the vault', () => oneMore(tokens(7n))],
  ['ForcedExitMustBeExact', 'one lot less than the vault', () => oneLess(tokens(7n))],
  ['AccountMustBeSolvent', 'one unit of cash more than a world allows', () => oneMore(short())],
  ['ForcedExitMustBeExact', 'one unit of cash less than a world allows', () => oneLess(short())],
  ['AccountMustBeSolvent', 'one lot more than a world allows', () => oneMore(pledged())],
  ['ForcedExitMustBeExact', 'one lot less than a world allows', () => oneLess(pledged())],
  [
    'ForcedExitMustBeExact',
    'another world named',
    () => changed(exitDraft(short()), (d) => d.forcedWorld[0]?.reverse()),
  ],
  [
    'ForcedExitMustBeExact',
    'no world named',
    () => changed(exitDraft(short()), (d) => d.forcedWorld[0]?.fill(0n)),
  ],
  [
    'ForcedExitMustBeExact',
    'two worlds and minus one',
    () =>
      changed(exitDraft(short()), (d) => {
        const world = d.forcedWorld[0]?.indexOf(1n) as number
        set(d.forcedWorld[0], world, 2n)
        set(d.forcedWorld[0], (world + 1) % 16, -1n)
      }),
  ],
  [
    'ForcedExitMustBeExact',
    'a lot of another row',
    () => changed(exitDraft(pledged()), (d) => d.forcedRow[0]?.splice(0, 2, 0n, 1n)),
  ],
  [
    'ForcedExitMustBeExact',
    'no row',
    () => changed(exitDraft(pledged()), (d) => d.forcedRow[0]?.fill(0n)),
  ],
  [
    'ForcedExitMustBeExact',
    'the balance named for what a world keeps',
    () => capped(exitDraft(short()), 'balance'),
  ],
  [
    'ForcedExitMustBeExact',
    'the vault named for what a world keeps',
    () => capped(exitDraft(short()), 'vault'),
  ],
  [
    'ForcedExitMustBeExact',
    'a loss named for what a world keeps',
    () => capped(exitDraft(short()), 'loss'),
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid, the balance named',
    () => exitDraft(plain(), paying({ amount: 0n, cap: 'balance' })),
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid, the vault named',
    () => exitDraft(plain(), paying({ amount: 0n, cap: 'vault' })),
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid, a world named',
    () => exitDraft(plain(), paying({ amount: 0n, cap: 'world', world: 3 })),
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid, a loss named',
    () => exitDraft(plain(), paying({ amount: 0n, cap: 'loss', world: 3 })),
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid for a loss that is none, in a rescue slot',
    () => {
      const exit = plain()
      const draft = exitDraft(exit, paying({ amount: 0n, cap: 'loss', world: 3 }))
      return changed(draft, (d) => {
        set(d.rescueChoice[0], slot(d, exit), 1n)
        d.oldWorth[0] = [...(d.difference[slot(d, exit)] as bigint[])]
      })
    },
  ],
  [
    'ForcedExitMustBeExact',
    'nothing paid by a rescue whose difference is zero',
    () => {
      const exit = plain()
      const draft = exitDraft(exit, paying({ amount: 0n, cap: 'world', world: 3 }))
      return changed(draft, (d) => {
        set(d.rescueChoice[0], slot(d, exit), 1n)
        d.oldWorth[0] = [...(d.difference[slot(d, exit)] as bigint[])]
        set(d.isWorse[0], 3, 1n)
        set(d.difference[slot(d, exit)], 3, 0n)
      })
    },
  ],
  [
    'ForcedExitMustBeExact',
    'a lot paid that makes no world worse, one being below zero',
    () => exitDraft(underwater(), paying({ amount: 7n, cap: 'vault' })),
  ],
  [
    'ForcedExitMustBeExact',
    'the same, one lot of an exact vault',
    () => exitDraft({ ...underwater(), freeVault: 1n }, paying({ amount: 1n, cap: 'vault' })),
  ],
  [
    'ForcedExitMustBeExact',
    'a world that is not the one below zero',
    () =>
      changed(exitDraft(underwater()), (d) => {
        d.forcedWorld[0] = d.forcedWorld[0]?.map((_, s) => (s === 0 ? 1n : 0n)) as bigint[]
      }),
  ],
  [
    'ForcedExitMustBeExact',
    'no cap',
    () => changed(exitDraft(plain()), (d) => d.forcedCap[0]?.fill(0n)),
  ],
  [
    'ForcedExitMustBeExact',
    'two caps',
    () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        d.forcedCap[0] = [1n, 1n, 0n, 0n]
      }),
  ],
  [
    'ForcedExitMustBeExact',
    'a cap of 2 and -1',
    () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        d.forcedCap[0] = [2n, mod(-1n), 0n, 0n]
      }),
  ],
  [
    'ForcedExitMustBeExact',
    'p - 100 lots',
    () => exitDraft(tokens(), paying({ amount: -100n, cap: 'vault' })),
  ],
  [
    'ForcedExitMustBeExact',
    'a derivative',
    () => {
      const scene = traded()
      return exitDraft({ scene, who: scene.a, token: 1024 })
    },
  ],
  [
    'ForcedExitMustBeExact',
    'no token',
    () => exitDraft({ ...plain(), token: 0 }, paying({ amount: 0n, cap: 'vault' })),
  ],
  [
    'BalanceMustFollowPages',
    'an amount on L1 that the account did not pay',
    () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        set(d.requestWord[0], 5, 999n)
        set(d.requestWord[0], 4, 999n)
        d.forcedCap[0] = [0n, 1n, 0n, 0n]
      }),
  ],
  [
    'BalanceMustFollowPages',
    'paid by another account',
    () => {
      const { house, b, c } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, CASH_ID)], cover: [c.index] }),
        { after: (x, i) => (i === b.index ? x : { ...x, cash: x.cash + 1n }) },
      )
    },
  ],
]

export const services: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  [
    'RequestMustBeServed',
    'skipped',
    () => changed(exitDraft(plain()), (d) => d.requestChoice[0]?.fill(0n)),
  ],
  [
    'RequestMustBeServed',
    'served by another account',
    () => {
      const { house, b, c } = funded()
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77)], cover: [c.index] }),
      )
      return changed(draft, (d) => {
        d.requestChoice[0] = d.requestChoice[0]?.map((_, i) =>
          i === slotOf(d, c.index) ? 1n : 0n,
        ) as bigint[]
      })
    },
  ],
  [
    'RequestMustBeServed',
    'without a slot',
    () => changed(exitDraft(plain()), (d) => d.forcedChoice[0]?.fill(0n)),
  ],
  [
    'RequestMustBeServed',
    'in two slots',
    () =>
      changed(exitDraft(plain()), (d) => {
        d.forcedChoice[1] = [...(d.forcedChoice[0] as bigint[])]
        d.forcedCap[1] = [...(d.forcedCap[0] as bigint[])]
      }),
  ],
  [
    'RequestMustBeServed',
    'two in one slot',
    () => {
      const { house, b, c } = funded()
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77), house.exit(c, 77)] }),
      )
      return changed(draft, (d) => {
        d.forcedChoice = [
          [1n, 1n],
          [0n, 0n],
        ]
      })
    },
  ],
  [
    'RequestMustBeServed',
    'a request of nothing in a slot',
    () =>
      changed(exitDraft(plain()), (d) => {
        d.forcedChoice[1] = [0n, 1n]
      }),
  ],
  [
    'RequestMustBeServed',
    'EXITING without a request',
    () =>
      changed(exitDraft(plain()), (d) => {
        d.requestWord[0] = Array<bigint>(6).fill(0n)
        d.requestSerial[0] = 0n
        for (const list of [d.requestChoice[0], d.forcedChoice[0], d.forcedCap[0]]) list?.fill(0n)
      }),
  ],
  [
    'ForcedExitMustStandAlone',
    'twice in one batch',
    () => {
      const { house, b } = funded()
      const plan = house.plan({ requests: [house.exit(b, 77)] })
      return changed(forgedDraft(MINI, house, plan), (d) => {
        d.requestWord[1] = [...(d.requestWord[0] as bigint[])]
        d.requestSerial[1] = d.requestSerial[0] as bigint
        d.requestChoice[1] = [...(d.requestChoice[0] as bigint[])]
        d.forcedChoice[1] = [0n, 1n]
        d.forcedCap[1] = [...(d.forcedCap[0] as bigint[])]
        set(d.isForced, slotOf(d, b.index), 2n)
      })
    },
  ],
  [
    'ForcedExitMustStandAlone',
    'beside a trade',
    () => {
      const { house, b, c } = funded()
      house.trade(b, c, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan({ requests: [house.exit(b, 77)] }))
    },
  ],
  [
    'ForcedExitMustStandAlone',
    'beside a withdrawal',
    () => {
      const { house, b } = funded()
      house.withdraw(b, CASH_ID, 5n)
      return forgedDraft(MINI, house, house.plan({ requests: [house.exit(b, 77)] }))
    },
  ],
  [
    'ForcedExitMustStandAlone',
    'beside a deposit',
    () => {
      const { house, b } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77)], credits: [house.credit(b, 1, 5n)] }),
      )
    },
  ],
  [
    'ForcedExitMustStandAlone',
    'beside a rotation by L1',
    () => {
      const { house, b } = funded()
      const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
      const rotation = {
        kind: 'rotate',
        serial: house.serial++,
        account: b.index,
        key,
        viewKeyHash: 0n,
      } as const
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [rotation, house.exit(b, 77)] }),
      )
      return changed(draft, (d) => set(d.isForced, slotOf(d, b.index), 1n))
    },
  ],
  [
    'ForcedExitMustStandAlone',
    'of an empty leaf',
    () =>
      changed(coverDraft(), (d) => {
        const padding = paddingOf(d)
        d.requestWord[0] = [3n, d.accountWord[padding + 1]?.[0] as bigint, 77n, 5n, 9n, 0n]
        for (const list of [d.requestChoice[0], d.isForced]) set(list, padding, 1n)
        for (const list of [d.forcedChoice[0], d.forcedCap[0]]) set(list, 0, 1n)
      }),
  ],
  [
    'CipherMustMatchLeaf',
    'a status that stays',
    () => exitDraft(plain(), { after: (x) => ({ ...x, meta: x.meta - 3n }) }),
  ],
  [
    'CipherMustMatchLeaf',
    'a clock that starts earlier',
    () => exitDraft(plain(), { after: (x) => ({ ...x, meta: x.meta - 8n }) }),
  ],
  [
    'CipherMustMatchLeaf',
    'a clock that starts again',
    () => {
      const exit = plain()
      settle(exit.scene.house, planOf({ ...exit, token: 77 }))
      exit.scene.house.time += 5n
      return exitDraft({ ...exit, token: 77 }, { after: (x) => ({ ...x, meta: x.meta + 40n }) })
    },
  ],
  [
    'MetaMustChangeByRule',
    'a meta of 2^44',
    () => {
      const exit = plain()
      const account = exit.scene.house.accounts.get(17)
      if (account !== undefined) exit.scene.house.accounts.set(17, { ...account, meta: 1n << 44n })
      return exitDraft(exit)
    },
  ],
]

/** a holds five futures and is exiting; b is not. */
function exiting(): Scene {
  const scene = traded()
  settle(scene.house, planOf({ scene, who: scene.a, token: 77 }))
  return scene
}
const FUTURE = (quantity: bigint, instrument = 1024) => [
  { instrument, quantity, price: instrument === TOKEN ? 1_000_000n : 50_000_000n },
]
const tradeOf = (scene: Scene, quantity: bigint, instrument?: number): House => {
  scene.house.trade(scene.a, scene.b, FUTURE(quantity, instrument))
  return scene.house
}
const unwound = (
  quantity: bigint,
  instrument?: number,
  change: (d: Draft) => void = () => {},
): Draft => {
  const house = tradeOf(exiting(), quantity, instrument)
  return changed(forgedDraft(MINI, house, house.plan()), change)
}
const reduceOnly = (quantity: bigint, instrument?: number): Draft => {
  const house = tradeOf(traded(), quantity, instrument)
  const plan = house.plan()
  return forgedDraft(MINI, house, { ...plan, context: { ...plan.context, mode: 'reduceOnly' } })
}

export const unwindings: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  ['ReduceOnlyMustReduce', 'one lot more', () => unwound(1n)],
  ['ReduceOnlyMustReduce', 'one lot through zero', () => unwound(-6n)],
  ['ReduceOnlyMustReduce', 'another instrument', () => unwound(1n, 1025)],
  ['ReduceOnlyMustReduce', 'another instrument sold', () => unwound(-1n, 1025)],
  ['ReduceOnlyMustReduce', 'a token bought', () => unwound(5n, TOKEN)],
  ['ReduceOnlyMustReduce', 'one lot more while all may only reduce', () => reduceOnly(1n)],
  [
    'ReduceOnlyMustReduce',
    'a change that is not named',
    () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[0]?.fill(0n)
        for (const list of [d.reductionId, d.reductionKept, d.reductionClosed, d.reductionIsShort])
          set(list, 0, 0n)
        for (const list of d.isReduced) list.fill(0n)
      }),
  ],
  [
    'ReduceOnlyMustReduce',
    'more kept than is held',
    () => unwound(-2n, undefined, (d) => set(d.reductionKept, 0, 4n)),
  ],
  [
    'ReduceOnlyMustReduce',
    'a reduction of another instrument',
    () => unwound(-2n, undefined, (d) => set(d.reductionId, 0, 1025n)),
  ],
  [
    'ReduceOnlyMustReduce',
    "a reduction of another's balance",
    () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[0] = d.reductionChoice[0]?.map((_, i) =>
          i === slotOf(d, 17) ? 1n : 0n,
        ) as bigint[]
      }),
  ],
  [
    'ReduceOnlyMustReduce',
    'a reduction of two accounts',
    () =>
      unwound(-2n, undefined, (d) => {
        for (const i of [16, 17]) set(d.reductionChoice[0], slotOf(d, i), 1n)
      }),
  ],
  [
    'ReduceOnlyMustReduce',
    'a sign of 2',
    () => unwound(-2n, undefined, (d) => set(d.reductionIsShort, 0, 2n)),
  ],
  [
    'ReduceOnlyMustReduce',
    'a reduction nobody needs',
    () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[1] = [...(d.reductionChoice[0] as bigint[])]
      }),
  ],
  [
    'ReduceOnlyMustReduce',
    'numbers in an unused slot',
    () => unwound(-2n, undefined, (d) => set(d.reductionKept, 1, 5n)),
  ],
  // Two reductions of one balance with opposite signs: +10 kept, and 3 kept of 5 short: 5 before, 7 after.
  [
    'ReduceOnlyMustReduce',
    'a balance split into a long and a short part',
    () =>
      unwound(2n, undefined, (d) => {
        d.reductionChoice[1] = [...(d.reductionChoice[0] as bigint[])]
        ;[d.reductionId[0], d.reductionId[1]] = [1024n, 1024n]
        ;[d.reductionKept[0], d.reductionKept[1]] = [10n, 3n]
        ;[d.reductionClosed[0], d.reductionClosed[1]] = [0n, 2n]
        ;[d.reductionIsShort[0], d.reductionIsShort[1]] = [0n, 1n]
      }),
  ],
  [
    'CommitmentMustMatch',
    'a reduction chosen after C',
    () => {
      const draft = unwound(-2n)
      set(draft.reductionKept, 1, 5n)
      d1(draft)
      return draft
    },
  ],
]
/** A second slot of the same account: fair in itself, so that only C speaks against it. */
function d1(draft: Draft): void {
  draft.reductionChoice[1] = [...(draft.reductionChoice[0] as bigint[])]
}

/** An account of another status than trading or exits lead to. */
function flagged(status: keyof typeof STATUS): Scene {
  const scene = traded()
  const { house, a } = scene
  const account = house.accounts.get(a.index)
  if (account === undefined) throw new Error('no account')
  const next = { ...account, meta: BigInt(STATUS[status]) + 8n * (house.time - 100n) + (2n << 41n) }
  house.accounts.set(a.index, next)
  house.tree.set(a.index, leafHash(next))
  return scene
}

describe.each(['called', 'liquidating', 'exiting', 'closed'] as const)(
  'an account that is %s',
  (status) => {
    // Of CALLED and LIQUIDATING a payment proves the cure (tamper-flags).
    const token = status === 'exiting' || status === 'closed' ? TOKEN : 77
    test('keeps its status and its clock in a forced exit', () => {
      const scene = flagged(status)
      const { house, a } = scene
      const plan = planOf({ scene, who: a, token })
      expect(refusedAs(forgedDraft(MINI, house, plan))).toEqual(['accepted'])
      expect(
        refusedAs(
          forgedDraft(MINI, house, plan, {
            after: (x) => ({ ...x, meta: BigInt(STATUS.exiting) + 8n * house.time }),
          }),
        ),
      ).toEqual(['CipherMustMatchLeaf'])
      const meta = house.accounts.get(a.index)?.meta
      settle(house, plan)
      expect(house.accounts.get(a.index)?.meta).toBe(meta)
    }, 20_000)

    test('may only reduce', () => {
      const [opening, closing] = [tradeOf(flagged(status), 1n), tradeOf(flagged(status), -5n)]
      expect(refusedAs(forgedDraft(MINI, opening, opening.plan()))).toEqual([
        'ReduceOnlyMustReduce',
      ])
      expect(refusedAs(forgedDraft(MINI, closing, closing.plan()))).toEqual(['accepted'])
    }, 20_000)
  },
)

describe('attacks on forced exits', () => {
  test.each([...payments, ...services, ...unwindings])(
    '%s: %s',
    (rule, _name, make) => {
      expect(refusedAs(make())).toContain(rule)
    },
    20_000,
  )
})

describe('an exiting account', () => {
  const fair: readonly (readonly [string, () => Draft])[] = [
    ['closes a position', () => unwound(-5n)],
    ['closes a part of it', () => unwound(-1n)],
    [
      'closes nothing and signs nothing moved',
      () => {
        const house = tradeOf(exiting(), 0n)
        return forgedDraft(MINI, house, house.plan())
      },
    ],
    [
      'withdraws a part of a token',
      () => {
        const { house, a } = exiting()
        house.withdraw(a, TOKEN, 5n)
        return forgedDraft(MINI, house, house.plan())
      },
    ],
    [
      'withdraws cash',
      () => {
        const { house, a } = exiting()
        house.withdraw(a, CASH_ID, 5n)
        return forgedDraft(MINI, house, house.plan())
      },
    ],
    [
      'receives a deposit of cash and of a token beside a close',
      () => {
        const scene = exiting()
        const house = tradeOf(scene, -2n)
        return forgedDraft(
          MINI,
          house,
          house.plan({ credits: [house.credit(scene.a, 1, 5n), house.credit(scene.a, TOKEN, 7n)] }),
        )
      },
    ],
    [
      'closes a short position',
      () => {
        const scene = traded()
        const { house, a, b } = scene
        settle(house, planOf({ scene, who: b, token: 77 }))
        house.trade(b, a, FUTURE(3n))
        return forgedDraft(MINI, house, house.plan())
      },
    ],
    [
      'is converted',
      () => {
        const scene = exiting()
        const { house, a, b } = scene
        house.rows = house.rows.filter((row) => row.id !== 1024)
        house.settled = expired().house.settled
        house.trade(a, b, [])
        return forgedDraft(MINI, house, house.plan())
      },
    ],
    ['like everybody closes while all may only reduce', () => reduceOnly(-3n)],
  ]
  test.each(fair)(
    '%s',
    (_name, make) => {
      expect(refusedAs(make())).toEqual(['accepted'])
    },
    20_000,
  )

  test.each([
    [1n, 1024],
    [-6n, 1024],
    [1n, 1025],
    [5n, TOKEN],
  ])('TypeScript refuses %s of %s', (quantity, instrument) => {
    const house = tradeOf(exiting(), quantity, instrument)
    const outcome = house.execute(house.plan())
    expect(outcome.ok || outcome.rejection.rule).toBe('ReduceOnlyMustReduce')
  })

  test('TypeScript refuses a forced exit beside pages or deposits, and of nobody', () => {
    const { house, b, c } = funded()
    house.trade(b, c, ONE_FUTURE)
    const rules = [
      house.plan({ requests: [house.exit(b, 1)] }),
      house.plan({
        requests: [house.exit(b, 1)],
        journals: new Map(),
        credits: [house.credit(b, 1, 5n)],
      }),
      house.plan({ requests: [{ ...house.exit(b, 1), account: 99 }], journals: new Map() }),
    ].map((plan) => {
      const outcome = house.execute(plan)
      return outcome.ok || outcome.rejection.rule
    })
    expect(rules).toEqual([
      'ForcedExitMustStandAlone',
      'ForcedExitMustStandAlone',
      'RequestMustBeServed',
    ])
  })
})
