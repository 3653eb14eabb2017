/** Flags of an account: who may be called, liquidated, released, and who is spared by it in a sweep. */
import { describe, expect, test } from 'vitest'
import { leafHash, type Account } from '../../circuits/account.ts'
import type { FlagStep } from '../../circuits/flag.ts'
import { CASH_ID } from '../../circuits/params.ts'
import {
  SWEEP_SHAPES,
  sweepChunk,
  type SweepOutcome,
  type SweepShape,
} from '../../circuits/sweep.ts'
import { settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import { termsOf } from '../../sequencer/deploy.ts'
import {
  cured,
  DUE,
  flagDraft,
  flagPlan,
  FUTURE,
  metaAt,
  REDUCE_ONLY,
  stand,
  type Parts,
  type Status,
} from './flag-scenes.ts'
import { forgedDraft } from './forge.ts'
import { refusedAs, useMini } from './judge.ts'
import { MINI, type Scene } from './scenes.ts'

useMini()

/** By the law and by the circuit; the state is taken over. */
function settled(scene: Scene, step: FlagStep, parts: Parts = {}): Account {
  const { house, a } = scene
  const plan = flagPlan(scene, step, parts)
  const outcome = house.execute(plan)
  if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  expect(refusedAs(forgedDraft(MINI, house, plan))).toEqual(['accepted'])
  house.accept(outcome.trace)
  return house.accounts.get(a.index) as Account
}

describe('a flag step', () => {
  const fair: readonly (readonly [
    name: string,
    status: Status,
    step: FlagStep,
    make: () => Scene,
    parts?: Parts,
  ])[] = [
    ['calls who breaks maintenance by a fifth', 'called', 'call', stand],
    [
      'calls in the variation world, unscaled',
      'called',
      'call',
      () => stand({ cash: -1n, mark: 0n }),
    ],
    ['calls who is exiting', 'called', 'call', () => stand({ status: 'exiting' })],
    ['calls at a confirmed table while all may only reduce', 'called', 'call', stand, REDUCE_ONLY],
    [
      'liquidates CALL_SECONDS after the call',
      'liquidating',
      'liquidate',
      () => stand({ status: 'called', age: DUE }),
    ],
    ['releases who was called', 'active', 'release', () => cured({ status: 'called' })],
    [
      'releases who was in liquidation',
      'active',
      'release',
      () => cured({ status: 'liquidating' }),
    ],
    [
      'releases a liquidation with steps',
      'active',
      'release',
      () => cured({ status: 'liquidating', step: 2n }),
    ],
    [
      'releases who has left',
      'active',
      'release',
      () => stand({ status: 'exiting', cash: 0n, balances: [] }),
    ],
    [
      'releases who has left with tokens',
      'active',
      'release',
      () => stand({ status: 'exiting', cash: 9n, balances: [{ id: 2, quantity: 5n }] }),
    ],
    [
      'releases who has left with the last of the tokens',
      'active',
      'release',
      () => {
        const scene = stand({
          status: 'exiting',
          cash: 99n,
          balances: [{ id: 1023, quantity: 5n }],
        })
        scene.house.rows = [
          scene.house.rows[0] as Row,
          { ...FUTURE, id: 1023 },
          ...scene.house.rows.slice(1),
        ]
        return scene
      },
    ],
  ]
  test.each(fair.map(([name, ...rest]) => [name, rest] as const))(
    '%s',
    (_name, [status, step, make, parts = {}]) => {
      const scene = make()
      expect(settled(scene, step, parts).meta).toBe(metaAt(scene.house, status))
    },
  )

  test('calls somebody whose deposit is too small, and releases whose is enough', () => {
    const small = stand({ cash: 1n })
    const credit = (scene: Scene, amount: bigint): Parts => ({
      plan: { credits: [scene.house.credit(scene.a, CASH_ID, amount)] },
    })
    expect(settled(small, 'call', credit(small, 1n)).cash).toBe(2n)
    expect(settled(small, 'release', credit(small, 1n)).meta).toBe(metaAt(small.house, 'active'))
  })

  test('releases beside pages that reduce, which are bound by the status before', () => {
    const scene = cured({ status: 'called', cash: 5000n })
    scene.house.trade(scene.a, scene.b, [{ instrument: 1024, quantity: -1n, price: 1n }])
    expect(settled(scene, 'release').balances).toEqual([])
    const opening = cured({ status: 'called', cash: 5000n })
    opening.house.trade(opening.a, opening.b, [{ instrument: 1024, quantity: 1n, price: 1n }])
    expect(refusedAs(flagDraft(opening, 'release'))).toEqual(['ReduceOnlyMustReduce'])
  })

  test('two calls and, after two cures, two releases in one batch', () => {
    const scene = stand()
    const { house, a, b } = scene
    const other: Account = { ...(house.accounts.get(b.index) as Account), cash: -1n, balances: [] }
    house.accounts.set(b.index, other)
    house.tree.set(b.index, leafHash(other))
    settled(scene, 'call', {
      plan: {
        flags: new Map([
          [a.index, 'call'],
          [b.index, 'call'],
        ]),
      },
    })
    const credits = [house.credit(a, CASH_ID, 1n), house.credit(b, CASH_ID, 1n)]
    settled(scene, 'release', {
      plan: {
        credits,
        flags: new Map([
          [a.index, 'release'],
          [b.index, 'release'],
        ]),
      },
    })
    expect([a, b].map(({ index }) => house.accounts.get(index)?.meta)).toEqual([
      metaAt(house, 'active'),
      metaAt(house, 'active'),
    ])
  })

  test('a forced exit that pays ends a flag; one that pays nothing does not', () => {
    for (const status of ['called', 'liquidating'] as const) {
      const scene = cured({ status, cash: 4n })
      const { house, a } = scene
      const before = house.accounts.get(a.index)?.meta
      const nothing = house.plan({ requests: [house.exit(a, 77)] })
      const some = house.plan({ requests: [house.exit(a, CASH_ID)] })
      for (const [plan, meta] of [
        [nothing, before],
        [some, metaAt(house, 'exiting')],
      ] as const) {
        const outcome = house.execute(plan)
        expect(outcome.ok && outcome.trace.members[0]?.after.meta).toBe(meta)
        expect(refusedAs(forgedDraft(MINI, house, plan))).toEqual(['accepted'])
      }
    }
  })
})

describe('who is spared cannot be swept', () => {
  const mini = SWEEP_SHAPES.find(({ name }) => name === 'sweep-mini') as SweepShape
  const callDelay = termsOf(0n)['callDelay'] as bigint
  const sweep = ({ house }: Scene, time: bigint): SweepOutcome =>
    sweepChunk(mini, 16, {
      tree: house.tree,
      accounts: house.accounts,
      table: tableOf(house.rows),
      settlements: settlementsOf(house.settled),
      time,
      callDelay,
    })
  const ruleOf = (outcome: SweepOutcome): string => (outcome.ok ? 'swept' : outcome.rule)

  test('until it is called, in time, and liquidated in time', () => {
    const scene = stand()
    const { house } = scene
    expect(ruleOf(sweep(scene, house.time))).toBe('MaintenanceMustHold')
    settled(scene, 'call')
    const called = house.time
    expect(
      [0n, callDelay, callDelay + 1n].map((late) => ruleOf(sweep(scene, called + late))),
    ).toEqual(['swept', 'swept', 'FlagMustNotBeOverdue'])
    house.time = called + DUE
    settled(scene, 'liquidate')
    expect(ruleOf(sweep(scene, called + callDelay + 1n))).toBe('swept')
  })

  test('exiting is no excuse', () => {
    const scene = stand({ status: 'exiting' })
    expect(ruleOf(sweep(scene, scene.house.time))).toBe('MaintenanceMustHold')
    settled(scene, 'call')
    expect(ruleOf(sweep(scene, scene.house.time))).toBe('swept')
  })

  test('a house is deployed with time to liquidate before a call is overdue', () => {
    expect(callDelay).toBeGreaterThanOrEqual(DUE + (termsOf(0n)['flagDelay'] as bigint))
  })
})
