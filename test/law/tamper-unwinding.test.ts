/** Accounts that may only reduce: what they may still do, and for each attack the rule that refuses it. */
import { describe, expect, test } from 'vitest'
import { leafHash } from '../../circuits/account.ts'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import { unwindings, unwound } from './attacks/unwinding.ts'
import { exiting, legs, planOf, reduceOnly, TOKEN, tradeOf } from './exit-scenes.ts'
import { forgedDraft } from './forge.ts'
import { refusedAs, refuseEach, useMini } from './judge.ts'
import type { Draft } from './reseal.ts'
import { expired, funded, MINI, ONE_FUTURE, settle, traded, type Scene } from './scenes.ts'

useMini()

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
    })

    test('may only reduce', () => {
      const [opening, closing] = [tradeOf(flagged(status), 1n), tradeOf(flagged(status), -5n)]
      expect(refusedAs(forgedDraft(MINI, opening, opening.plan()))).toEqual([
        'ReduceOnlyMustReduce',
      ])
      expect(refusedAs(forgedDraft(MINI, closing, closing.plan()))).toEqual(['accepted'])
    })
  },
)

describe('attacks on unwinding', () => {
  refuseEach(unwindings)
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
        house.trade(b, a, legs(3n))
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
  test.each(fair)('%s', (_name, make) => {
    expect(refusedAs(make())).toEqual(['accepted'])
  })

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
