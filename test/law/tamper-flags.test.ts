/** Flags of an account: who may be called, liquidated, released, and for each attack the rule that refuses it. */
import { beforeAll, describe, expect, test } from 'vitest'
import { CALL_SECONDS, CASH_ID, STATUS, STATUS_BITS, TIME_BITS } from '../../circuits/params.ts'
import { leafHash, type Account, type Balance } from '../../circuits/account.ts'
import type { BatchContext, BatchPlan } from '../../circuits/batch.ts'
import { CALL_FROM, RELEASE_FROM, type FlagStep } from '../../circuits/flag.ts'
import { mod } from '../../circuits/field.ts'
import {
  sweepChunk,
  SWEEP_SHAPES,
  type SweepOutcome,
  type SweepShape,
} from '../../circuits/sweep.ts'
import { settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import { termsOf } from '../../sequencer/deploy.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import { inputOf, reseal, resum, type Draft } from './reseal.ts'
import type { House } from './house.ts'
import { funded, MINI, slotOf, type Scene } from './scenes.ts'

let circuit: Circuit
beforeAll(async () => {
  circuit = await circuitNamed('mini')
}, 120_000)

type Status = keyof typeof STATUS
const changed = (draft: Draft, change: (draft: Draft) => void): Draft => {
  change(draft)
  return reseal(draft)
}
const set = (list: bigint[] | undefined, i: number, value: bigint): void => {
  ;(list as bigint[])[i] = mod(value)
}
const refusedAs = (draft: Draft): readonly string[] =>
  circuit.failedRule(inputOf(draft))?.split('/') ?? ['accepted']

/** Worth one in every world but 3; a long of one lot and two of cash is there one below zero. */
const FUTURE: Row = {
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
function stand({
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
const holding = (over: Stand = {}): Scene => stand({ mark: 2n, ...over })
/** Nothing in world 3 below zero: -1 - 2 + 3 = 0. */
const cured = (over: Stand = {}): Scene => stand({ cash: 3n, ...over })

type Parts = { readonly context?: Partial<BatchContext>; readonly plan?: Partial<BatchPlan> }
function flagPlan({ house, a }: Scene, step: FlagStep, { context, plan }: Parts = {}): BatchPlan {
  const made = house.plan({ flags: new Map([[a.index, step]]), ...plan })
  return { ...made, context: { ...made.context, ...context } }
}
const flagDraft = (scene: Scene, step: FlagStep, parts: Parts = {}, forgery: Forgery = {}): Draft =>
  forgedDraft(MINI, scene.house, flagPlan(scene, step, parts), forgery)
const REDUCE_ONLY: Parts = { context: { mode: 'reduceOnly' } }
const UNCONFIRMED: Parts = { context: { isTableConfirmed: false } }
const DUE = BigInt(CALL_SECONDS)

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
const metaAt = (house: House, status: Status): bigint => BigInt(STATUS[status]) + 8n * house.time

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
    20_000,
  )

  test('calls somebody whose deposit is too small, and releases whose is enough', () => {
    const small = stand({ cash: 1n })
    const credit = (scene: Scene, amount: bigint): Parts => ({
      plan: { credits: [scene.house.credit(scene.a, CASH_ID, amount)] },
    })
    expect(settled(small, 'call', credit(small, 1n)).cash).toBe(2n)
    expect(settled(small, 'release', credit(small, 1n)).meta).toBe(metaAt(small.house, 'active'))
  }, 20_000)

  test('releases beside pages that reduce, which are bound by the status before', () => {
    const scene = cured({ status: 'called', cash: 5000n })
    scene.house.trade(scene.a, scene.b, [{ instrument: 1024, quantity: -1n, price: 1n }])
    expect(settled(scene, 'release').balances).toEqual([])
    const opening = cured({ status: 'called', cash: 5000n })
    opening.house.trade(opening.a, opening.b, [{ instrument: 1024, quantity: 1n, price: 1n }])
    expect(refusedAs(flagDraft(opening, 'release'))).toEqual(['ReduceOnlyMustReduce'])
  }, 20_000)

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
  }, 20_000)

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
  }, 20_000)
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
  }, 20_000)

  test('exiting is no excuse', () => {
    const scene = stand({ status: 'exiting' })
    expect(ruleOf(sweep(scene, scene.house.time))).toBe('MaintenanceMustHold')
    settled(scene, 'call')
    expect(ruleOf(sweep(scene, scene.house.time))).toBe('swept')
  }, 20_000)

  test('a house is deployed with time to liquidate before a call is overdue', () => {
    expect(callDelay).toBeGreaterThanOrEqual(DUE + (termsOf(0n)['flagDelay'] as bigint))
  })
})

/** Refused by TypeScript as well, under the same name. */
type Attack = readonly [rule: string, name: string, make: () => Draft]
type Wrong = readonly [
  rule: string,
  name: string,
  scene: () => Scene,
  step: FlagStep,
  parts?: Parts,
]
const steps: readonly Wrong[] = [
  ['CallMustBeProven', 'called while maintenance just holds', holding, 'call'],
  ['CallMustBeProven', 'called at a table that is not confirmed', stand, 'call', UNCONFIRMED],
  [
    'CallMustBeProven',
    'called again, to start its clock anew',
    () => stand({ status: 'called' }),
    'call',
  ],
  [
    'CallMustBeProven',
    'called back from liquidation',
    () => stand({ status: 'liquidating' }),
    'call',
  ],
  ['CallMustBeProven', 'a closed account called', () => stand({ status: 'closed' }), 'call'],
  [
    'CallMustBeProven',
    'liquidated a second early',
    () => stand({ status: 'called', age: DUE - 1n }),
    'liquidate',
  ],
  [
    'CallMustBeProven',
    'liquidated while maintenance holds',
    () => holding({ status: 'called', age: DUE }),
    'liquidate',
  ],
  [
    'CallMustBeProven',
    'liquidated while all may only reduce',
    () => stand({ status: 'called', age: DUE }),
    'liquidate',
    REDUCE_ONLY,
  ],
  [
    'CallMustBeProven',
    'liquidated at a table that is not confirmed',
    () => stand({ status: 'called', age: DUE }),
    'liquidate',
    UNCONFIRMED,
  ],
  [
    'CallMustBeProven',
    'liquidated again, to start its clock anew',
    () => stand({ status: 'liquidating', age: DUE }),
    'liquidate',
  ],
  [
    'CallMustBeProven',
    'liquidated after a call with a step that no rule sets',
    () => stand({ status: 'called', age: DUE, step: 1n }),
    'liquidate',
  ],
  [
    'ReleaseMustBeProven',
    'released between maintenance and cure',
    () => holding({ status: 'called' }),
    'release',
  ],
  [
    'ReleaseMustBeProven',
    'released while maintenance is broken',
    () => stand({ status: 'liquidating' }),
    'release',
  ],
  [
    'ReleaseMustBeProven',
    'released while all may only reduce',
    () => cured({ status: 'called' }),
    'release',
    REDUCE_ONLY,
  ],
  ['ReleaseMustBeProven', 'released while active, to start its clock anew', cured, 'release'],
  [
    'ReleaseMustBeProven',
    'a closed account released',
    () => cured({ status: 'closed' }),
    'release',
  ],
  [
    'ReleaseMustBeProven',
    'released from leaving with a derivative',
    () => cured({ status: 'exiting' }),
    'release',
  ],
  [
    'ReleaseMustBeProven',
    'released from leaving with debts',
    () => stand({ status: 'exiting', cash: -1n, balances: [] }),
    'release',
  ],
]
/** In the circuit no slot makes these changes. */
const unslotted: readonly Wrong[] = [
  ['CallMustBeProven', 'called while solvent', cured, 'call'],
  ['CallMustBeProven', 'liquidated without a call', () => stand({ age: DUE }), 'liquidate'],
  [
    'CallMustBeProven',
    'liquidated while exiting',
    () => stand({ status: 'exiting', age: DUE }),
    'liquidate',
  ],
]
/** The step of the first slot as if the account had this status. */
const asFrom = (scene: Scene, step: FlagStep, from: Status): Draft =>
  changed(flagDraft(scene, step), (d) => {
    const names = step === 'release' ? RELEASE_FROM : CALL_FROM
    const slots = step === 'release' ? d.releaseStep : d.callStep
    slots[0] = names.map((status) => (status === STATUS[from] ? 1n : 0n))
  })
const calledDraft = (change: (d: Draft) => void, scene = stand()): Draft =>
  changed(flagDraft(scene, 'call'), change)
const releasedDraft = (change: (d: Draft) => void, scene = cured({ status: 'called' })): Draft =>
  changed(flagDraft(scene, 'release'), change)
/** A solvent account called in world 3 by a rescue slot that holds it for nothing: its worth there is zero. */
const rescuedDraft = (change: (d: Draft) => void): Draft =>
  resum(
    changed(flagDraft(cured(), 'call'), (d) => {
      const slot = slotOf(d, 16)
      set(d.rescueChoice[0], slot, 1n)
      d.callStep[0] = [1n, 0n, 0n]
      set(d.callWorld[0], 2, 1n)
      d.oldWorth[0] = [...(d.difference[slot] as bigint[])]
      change(d)
    }),
  )

export const attacks: readonly Attack[] = [
  ...steps.map(([rule, name, scene, step, parts]): Attack => [
    rule,
    name,
    () => flagDraft(scene(), step, parts),
  ]),
  ...unslotted.map(([, name, scene, step]): Attack => [
    'MetaMustChangeByRule',
    name,
    () => flagDraft(scene(), step),
  ]),
  [
    'CallMustBeProven',
    'called while solvent, in a rescue that it does not need',
    () => rescuedDraft(() => {}),
  ],
  [
    'CallMustBeProven',
    'liquidated as if it had been called',
    () => asFrom(stand({ age: DUE }), 'liquidate', 'called'),
  ],
  [
    'CallMustBeProven',
    'called again as if it were active',
    () => asFrom(stand({ status: 'called' }), 'call', 'active'),
  ],
  [
    'CallMustBeProven',
    'called again as if it were exiting',
    () => asFrom(stand({ status: 'called' }), 'call', 'exiting'),
  ],
  [
    'CallMustBeProven',
    'in the name of a world that holds',
    () =>
      calledDraft((d) => {
        d.callWorld[0] = d.callWorld[0]?.map((_, s) => (s === 3 ? 1n : 0n)) as bigint[]
      }),
  ],
  [
    'CallMustBeProven',
    'in the name of two worlds',
    () => calledDraft((d) => set(d.callWorld[0], 3, 1n), stand({ cash: -9n })),
  ],
  [
    'CallMustBeProven',
    'in the name of no world',
    () => calledDraft((d) => d.callWorld[0]?.fill(0n)),
  ],
  [
    'CallMustBeProven',
    'a world of 2 and one of -1',
    () =>
      calledDraft((d) => {
        set(d.callWorld[0], 2, 2n)
        set(d.callWorld[0], 3, -1n)
      }),
  ],
  ['CallMustBeProven', 'two steps', () => calledDraft((d) => set(d.callStep[0], 1, 1n))],
  [
    'CallMustBeProven',
    'steps of 2 and -1',
    () =>
      calledDraft((d) => {
        d.callStep[0] = [2n, mod(-1n), 0n]
      }),
  ],
  [
    'CallMustBeProven',
    'of nobody',
    () =>
      calledDraft((d) => {
        d.callStep[1] = [1n, 0n, 0n]
        d.callWorld[1] = [...(d.callWorld[0] as bigint[])]
      }),
  ],
  [
    'CallMustBeProven',
    'a world named without a step',
    () => calledDraft((d) => set(d.callWorld[1], 0, 1n)),
  ],
  [
    'WorthMustFollowTable',
    'with an old worth that is invented',
    () =>
      rescuedDraft((d) => {
        set(d.isWorse[0], 3, 1n)
        set(d.oldWorth[0], 3, -1000n)
      }),
  ],
  [
    'MetaMustChangeByRule',
    'a change that no slot makes',
    () =>
      releasedDraft((d) => {
        d.releaseChoice[0]?.fill(0n)
        d.releaseStep[0]?.fill(0n)
      }),
  ],
  [
    'MetaMustChangeByRule',
    'a call from an hour ago',
    () =>
      changed(
        flagDraft(stand(), 'call', {}, { after: (x) => ({ ...x, meta: x.meta - 8n * 3600n }) }),
        (d) =>
          set(d.flagChange, slotOf(d, 16), (d.flagChange[slotOf(d, 16)] as bigint) - 8n * 3600n),
      ),
  ],
  [
    'CipherMustMatchLeaf',
    'a status that does not follow its step',
    () => flagDraft(stand(), 'call', {}, { after: (x) => ({ ...x, meta: x.meta + 1n }) }),
  ],
  [
    'MetaMustChangeByRule',
    'beside a forced exit',
    () => {
      const s = stand()
      return flagDraft(s, 'call', { plan: { requests: [s.house.exit(s.a, 77)] } })
    },
  ],
  [
    'MetaMustChangeByRule',
    'a release beside a forced exit',
    () => {
      const s = cured({ status: 'called' })
      return flagDraft(s, 'release', { plan: { requests: [s.house.exit(s.a, 77)] } })
    },
  ],
  [
    'MetaMustChangeByRule',
    'beside a registration',
    () => {
      const { house } = cured()
      const { member, request } = house.join()
      const plan = house.plan({ requests: [request], flags: new Map([[member.index, 'release']]) })
      return changed(forgedDraft(MINI, house, plan), (d) => {
        const slot = slotOf(d, member.index)
        set(d.oldMeta, slot, BigInt(STATUS.called))
        d.releaseStep[0] = [1n, 0n, 0n]
        set(d.flagChange, slot, metaAt(house, 'active') - BigInt(STATUS.called))
      })
    },
  ],
  [
    'MetaMustChangeByRule',
    'released twice',
    () =>
      releasedDraft((d) => {
        d.releaseChoice[1] = [...(d.releaseChoice[0] as bigint[])]
        d.releaseStep[1] = [...(d.releaseStep[0] as bigint[])]
      }),
  ],
  [
    'ReleaseMustBeProven',
    'two accounts in one slot',
    () => releasedDraft((d) => set(d.releaseChoice[0], 1, 1n)),
  ],
  [
    'ReleaseMustBeProven',
    'a choice of 2',
    () => releasedDraft((d) => set(d.releaseChoice[0], slotOf(d, 16), 2n)),
  ],
  ['ReleaseMustBeProven', 'no step', () => releasedDraft((d) => d.releaseStep[0]?.fill(0n))],
  [
    'ReleaseMustBeProven',
    'steps of 2 and -1',
    () =>
      releasedDraft((d) => {
        d.releaseStep[0] = [2n, mod(-1n), 0n]
      }),
  ],
  [
    'ReleaseMustBeProven',
    'a step of nobody',
    () =>
      releasedDraft((d) => {
        d.releaseStep[1] = [1n, 0n, 0n]
      }),
  ],
  [
    'ReleaseMustBeProven',
    'left with a derivative, as if called',
    () => asFrom(cured({ status: 'exiting' }), 'release', 'called'),
  ],
  [
    'ReleaseMustBeProven',
    'released and liquidated in one batch',
    () =>
      changed(flagDraft(stand({ status: 'called', age: DUE }), 'release'), (d) => {
        d.callStep[0] = [0n, 0n, 1n]
        set(d.callWorld[0], 2, 1n)
      }),
  ],
  [
    'RequestMustBeServed',
    'said to be paid and was not',
    () => {
      const s = cured({ status: 'called' })
      const plan = s.house.plan({ requests: [s.house.exit(s.a, 77)] })
      return changed(
        forgedDraft(MINI, s.house, plan, {
          after: (x) => ({ ...x, meta: metaAt(s.house, 'exiting') }),
        }),
        (d) => set(d.isPaid, slotOf(d, 16), 1n),
      )
    },
  ],
  [
    'RequestMustBeServed',
    'paid and kept flagged',
    () => {
      const s = cured({ status: 'called', cash: 4n })
      const { meta } = s.house.accounts.get(s.a.index) as Account
      const plan = s.house.plan({ requests: [s.house.exit(s.a, CASH_ID)] })
      return changed(forgedDraft(MINI, s.house, plan, { after: (x) => ({ ...x, meta }) }), (d) =>
        set(d.isPaid, slotOf(d, 16), 0n),
      )
    },
  ],
  [
    'CipherMustMatchLeaf',
    'paid and called in the leaf',
    () => {
      const s = cured({ status: 'called', cash: 4n })
      const { meta } = s.house.accounts.get(s.a.index) as Account
      return forgedDraft(MINI, s.house, s.house.plan({ requests: [s.house.exit(s.a, CASH_ID)] }), {
        after: (x) => ({ ...x, meta }),
      })
    },
  ],
]

describe('attacks on flags', () => {
  test.each(attacks)(
    '%s: %s',
    (rule, _name, make) => {
      expect(refusedAs(make())).toContain(rule)
    },
    20_000,
  )

  const named = [...steps, ...unslotted].map(([rule, name, ...rest]) => [rule, name, rest] as const)
  test.each(named)('TypeScript, %s: %s', (rule, _name, [scene, step, parts]) => {
    const made = scene()
    const outcome = made.house.execute(flagPlan(made, step, parts))
    expect(outcome.ok || outcome.rejection.rule).toBe(rule)
  })

  test('TypeScript refuses a step beside a forced exit and of nobody', () => {
    const scene = stand()
    const { house, a } = scene
    const { member, request } = house.join()
    const plans = [
      house.plan({ requests: [house.exit(a, 77)], flags: new Map([[a.index, 'call']]) }),
      house.plan({ requests: [request], flags: new Map([[member.index, 'release']]) }),
    ]
    const rules = plans.map((plan) => {
      const outcome = house.execute(plan)
      return outcome.ok || outcome.rejection.rule
    })
    expect(rules).toEqual(['MetaMustChangeByRule', 'MetaMustChangeByRule'])
  })
})
