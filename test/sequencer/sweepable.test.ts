/** Until the state of a sweep is fixed, no batch takes an account out of it that was in it. */
import { expect, test } from 'vitest'
import type { Member } from '../../client/member.ts'
import { STATUS } from '../../circuits/params.ts'
import type { BatchPlan } from '../../circuits/batch.ts'
import { metaOf } from '../../circuits/sweep.ts'
import { tableOf } from '../../circuits/table.ts'
import { chooseBatch, type Waiting } from '../../sequencer/builder.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { row } from '../law/house.ts'
import { Floor } from './floor.ts'
import { account, BROKEN, context, credit, FUTURE, ledgerOf, TIGHT } from './one-lot.ts'

/** A lot was worth a tenth less at the table of the sweep, and a token was not listed. */
const sweepTable = tableOf([row(FUTURE, 900_000n)])
const at = { ...context, table: tableOf([row(2, 1_000_000n), row(FUTURE, 1_000_000n)]) }
const planOf = (
  status: keyof typeof STATUS,
  cash: bigint,
  waiting: Partial<Waiting>,
): BatchPlan | undefined =>
  chooseBatch(
    ledgerOf(account(cash, status), account(0n)),
    { requests: [], credits: [], ...waiting },
    TIGHT,
    at,
    () => 0,
  ).chosen?.plan
/** Between initial margin now (-339,998) and maintenance then (-424,798), and below both. */
const THEN = -424_799n
const NOW_CURED = -339_998n
/** A table at which who is cured now was broken. */
const worthless = tableOf([row(FUTURE, -1_000_000n)])
const crashed = tableOf([row(FUTURE, 500_000n)])

test('who is cured at the table of the batch alone stays flagged, and is released afterwards', () => {
  expect(planOf('called', NOW_CURED, { sweepTable: crashed })?.flags?.size ?? 0).toBe(0)
  expect(planOf('called', NOW_CURED, { sweepTable })?.flags?.size).toBe(1)
  expect(planOf('called', NOW_CURED, {})?.flags?.size).toBe(1)
})

test('a forced exit that would end a flag waits; of who has none it is served', () => {
  const token = 1
  const exit = {
    kind: 'forcedExit',
    serial: 0n,
    account: 16,
    token,
    to: 7n,
    freeVault: 9n,
  } as const
  const served = (status: keyof typeof STATUS, table = worthless): number | undefined =>
    planOf(status, 9n, { requests: [exit], sweepTable: table })?.requests.length
  expect(served('called')).toBeUndefined()
  expect(served('active')).toBe(1)
  expect(served('called', sweepTable)).toBe(1)
})

test('a token that was listed later is not credited yet', () => {
  const credits = [{ ...credit(17), token: 2 }]
  expect(planOf('active', 0n, { credits, sweepTable })).toBeUndefined()
  expect(planOf('active', 0n, { credits })?.credits.length).toBe(1)
})

test('who was broken at that table before may be touched and called', () => {
  expect(THEN).toBeGreaterThan(BROKEN)
  const credits = [credit(16)]
  expect(planOf('active', THEN, { credits, sweepTable })?.credits.length).toBe(1)
  expect(planOf('active', BROKEN - 9n, { sweepTable })?.flags?.get(16)).toBe('call')
})

test('trades in what was listed later are dropped, so that nobody stalls behind them; a replay does the same', async () => {
  const { floor, members } = await Floor.open([1000, 1000, 1000, 1000])
  const [a, b, c, d] = members as [Member, Member, Member, Member]
  const [number, root] = [1n, floor.l1.tables.keys().next().value as bigint]
  floor.rows = [...floor.rows, row(1027, 1_000_000n)]
  // The house keeps two tables; that of the sweep is gone.
  for (let i = 0; i < 2; i++) floor.l1.post(floor.rows)
  await floor.house.watch()
  floor.l1.owed.sweep = { number, root }
  await floor.trade(a, b, [{ instrument: 1027, quantity: 1n, price: 1_000_000n }])
  await floor.trade(c, d, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
  expect(await floor.batch()).toMatchObject({ trades: 1 })
  expect([floor.balance(a, 1027), floor.balance(c, 1024)]).toEqual([0n, 1n])
  const { core } = await replay(
    floor.house.journal.entries(0),
    () => {},
    () => () => 0,
  )
  expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  delete floor.l1.owed.sweep
  expect(await floor.batch()).toBeNull()
  await floor.trade(a, b, [{ instrument: 1027, quantity: 1n, price: 1_000_000n }])
  expect(await floor.batch()).toMatchObject({ trades: 1 })
  expect(floor.balance(a, 1027)).toBe(1n)
  expect(metaOf(floor.house.ledger.accounts.get(a.account)?.meta ?? 0n).status).toBe(STATUS.active)
  await floor.close()
})
