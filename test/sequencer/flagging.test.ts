/** Whom the house calls, liquidates and releases, and in which batch. */
import { expect, test } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import type { BatchContext } from '../../circuits/batch.ts'
import { executeBatch } from '../../circuits/batch.ts'
import { metaOf } from '../../circuits/sweep.ts'
import { CALL_SECONDS, CASH_ID, STATUS } from '../../circuits/params.ts'
import { chooseBatch, type Choice, type Waiting } from '../../sequencer/builder.ts'
import { dueFlags } from '../../sequencer/flagging.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { account, context as oneLot, credit, ledgerOf, NOW, TIGHT } from './one-lot.ts'

const QUIET: Waiting = { requests: [], credits: [] }

const context = (over: Partial<BatchContext> = {}): BatchContext => ({ ...oneLot, ...over })
/** 1,000,000 + 4 * (340,000 - 2) = 2,359,992 fifths: maintenance holds down to -471,998 of cash. */
const LEAST = -471_998n
/** 340,000 - 2: initial margin. */
const ENOUGH = -339_998n

const choose = (ledger: Ledger, at = context(), waiting = QUIET): Choice =>
  chooseBatch(ledger, waiting, TIGHT, at, () => 0)
const flagsIn = ({ chosen }: Choice) => [...(chosen?.plan.flags ?? [])]
const dueIn = (ledger: Ledger, at = context()) =>
  dueFlags(ledger.accounts, at).map(({ index, step }) => [index, step])
const exitOf = (index: number, token = CASH_ID) =>
  ({ kind: 'forcedExit', serial: 0n, account: index, token, to: 7n, freeVault: 9n }) as const

test('calls begin where maintenance breaks, releases where every world is worth something', () => {
  expect(dueIn(ledgerOf(account(LEAST), account(LEAST - 1n)))).toEqual([[17, 'call']])
  const called = ledgerOf(account(ENOUGH - 1n, 'called'), account(ENOUGH, 'called'))
  expect(dueIn(called)).toEqual([[17, 'release']])
})

test('a call ripens for CALL_SECONDS, a liquidation has no next step', () => {
  const age = BigInt(CALL_SECONDS)
  const ripe = account(LEAST - 1n, 'called', NOW - age)
  const young = account(LEAST - 1n, 'called', NOW - age + 1n)
  expect(dueIn(ledgerOf(ripe, young, account(LEAST - 1n, 'liquidating')))).toEqual([
    [16, 'liquidate'],
  ])
})

test('nothing is called at a table that is not confirmed, and only called while all reduce', () => {
  const ledger = ledgerOf(
    account(LEAST - 1n),
    account(LEAST - 1n, 'called', 0n),
    account(ENOUGH, 'called'),
    account(LEAST - 1n, 'exiting'),
  )
  const halted = { mode: 'reduceOnly' } as const
  expect(dueIn(ledger, context(halted))).toEqual([
    [16, 'call'],
    [19, 'call'],
  ])
  expect(dueIn(ledger, context({ ...halted, isTableConfirmed: false }))).toEqual([])
})

test('in a crash those that lack most come first, and the rest in the next batch', () => {
  const ledger = ledgerOf(...[1n, 9n, 5n].map((lack) => account(LEAST - lack)))
  const first = choose(ledger)
  expect(flagsIn(first)).toEqual([
    [17, 'call'],
    [18, 'call'],
  ])
  for (const { index, after } of first.chosen?.trace.members ?? [])
    ledger.accounts.set(index, after)
  expect(flagsIn(choose(ledger))).toEqual([[16, 'call']])
  expect(metaOf((ledger.accounts.get(17) as Account).meta)).toEqual({
    status: STATUS.called,
    since: NOW,
    step: 0,
  })
})

test('a deposit that cures comes before the call, one that does not beside it', () => {
  const credits = [credit(16, 1n)]
  const saved = choose(ledgerOf(account(LEAST - 1n)), context(), { requests: [], credits })
  expect(flagsIn(saved)).toEqual([])
  expect(saved.setAside).toEqual([])
  expect(saved.chosen?.plan.credits).toHaveLength(1)
  const lost = choose(ledgerOf(account(LEAST - 2n)), context(), { requests: [], credits })
  expect([flagsIn(lost), lost.chosen?.plan.credits.length]).toEqual([[[16, 'call']], 1])
})

test('a forced exit is served first; the account is called in the next batch', () => {
  const ledger = ledgerOf(account(LEAST - 1n))
  const served = choose(ledger, context(), { requests: [exitOf(16)], credits: [] })
  expect([flagsIn(served), served.chosen?.plan.requests.length]).toEqual([[], 1])
  for (const { index, after } of served.chosen?.trace.members ?? [])
    ledger.accounts.set(index, after)
  expect(metaOf((ledger.accounts.get(16) as Account).meta).status).toBe(STATUS.exiting)
  expect(flagsIn(choose(ledger))).toEqual([[16, 'call']])
})

test('who is far back in the queue is called all the same', () => {
  const ledger = ledgerOf(account(0n), account(LEAST - 1n))
  const requests = [exitOf(16), exitOf(17, 2)]
  const { chosen } = choose(ledger, context(), { requests, credits: [] })
  expect([chosen?.plan.requests.length, [...(chosen?.plan.flags ?? [])]]).toEqual([
    1,
    [[17, 'call']],
  ])
})

test('who has left is released, unless it asks for more', () => {
  const left = { ...account(0n, 'exiting'), balances: [] }
  const ledger = ledgerOf(left, account(0n), account(0n, 'exiting'))
  expect(flagsIn(choose(ledger))).toEqual([[16, 'release']])
  // The request before its own takes the one slot for forced exits.
  const requests = [exitOf(17), exitOf(16, 2)]
  expect(flagsIn(choose(ledger, context(), { requests, credits: [] }))).toEqual([])
})

test('the law agrees with every step that is due', () => {
  const age = NOW - BigInt(CALL_SECONDS)
  const states: readonly Account[] = [LEAST - 1n, LEAST, ENOUGH - 1n, ENOUGH].flatMap((cash) =>
    (['active', 'called', 'liquidating', 'exiting', 'closed'] as const).map((s) =>
      account(cash, s, age),
    ),
  )
  const steps = ['call', 'liquidate', 'release'] as const
  for (const mode of ['normal', 'reduceOnly'] as const)
    for (const state of states) {
      const { accounts, viewKeys } = ledgerOf(state)
      const at = context({ mode })
      const plan = { context: at, requests: [], credits: [], journals: new Map(), cover: [] }
      const lawful = steps.filter(
        (step) => executeBatch(accounts, { ...plan, viewKeys, flags: new Map([[16, step]]) }).ok,
      )
      expect(dueFlags(accounts, at).map(({ step }) => step)).toEqual(lawful)
    }
})
