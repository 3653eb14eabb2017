/** Forced exits: what is paid to the lot, and for each attack the rule that refuses it. */
import { describe, expect, test } from 'vitest'
import { statusOf, type Cap, type ForcedPayment } from '../../circuits/exit.ts'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import { payments, services } from './attacks/exits.ts'
import {
  drowned,
  indebted,
  plain,
  planOf,
  pledged,
  short,
  TOKEN,
  tokens,
  underwater,
  type Exit,
} from './exit-scenes.ts'
import { forgedDraft } from './forge.ts'
import { refusedAs, refuseEach, useMini } from './judge.ts'
import { expired, funded, FUNDS, MINI, settle } from './scenes.ts'

useMini()

/** The payment by the law, after the circuit agreed and the state was taken over. */
function paid(exit: Exit): ForcedPayment {
  const { house } = exit.scene
  const outcome = house.execute(planOf(exit))
  if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
  expect(refusedAs(forgedDraft(MINI, house, outcome.trace.plan))).toEqual(['accepted'])
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
  test.each(cases)('%s', (_name, make, amount, cap) => {
    const forced = paid(make())
    expect([forced.amount, forced.cap]).toEqual([amount, cap])
  })

  test('two of one token in one batch: the second sees what the first left', () => {
    const { house, b, c } = funded()
    const first = house.exit(b, CASH_ID, FUNDS + 5n)
    const plan = house.plan({ requests: [first, house.exit(c, CASH_ID, 5n)] })
    expect(refusedAs(forgedDraft(MINI, house, plan))).toEqual(['accepted'])
    settle(house, plan)
    expect([b, c].map((m) => house.accounts.get(m.index)?.cash)).toEqual([0n, FUNDS - 5n])
  })

  test('a second exit pays again and keeps the clock', () => {
    const exit = tokens(400n)
    const { house } = exit.scene
    paid(exit)
    const meta = house.accounts.get(exit.who.index)?.meta
    house.time += 1000n
    expect(paid({ ...exit, freeVault: 1_000_000n }).amount).toBe(600n)
    expect(house.accounts.get(exit.who.index)?.meta).toBe(meta)
  })
})

describe('attacks on forced exits', () => {
  refuseEach([...payments, ...services])
})
