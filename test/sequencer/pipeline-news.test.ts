/** What L1 says while one batch is on its way and another waits, proven, behind it. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { tableOf } from '../../circuits/table.ts'
import type { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { row } from '../law/house.ts'
import { FEE, Floor, ticketOf } from './floor.ts'
import { until } from '../until.ts'
import { stalledFloor, type Stalled } from './stalled.ts'

const FUTURE = 1024
const RISEN = 3n * FEE
const lots = (quantity: bigint) => [{ instrument: FUTURE, quantity, price: 50_000_000n }]
let floor: Floor
let journal: MemoryJournal
let a: Member, b: Member, c: Member
let l1: Stalled

beforeEach(async () => {
  const opened = await stalledFloor()
  ;({ floor, journal, l1 } = opened)
  ;[a, b, c] = opened.members
})
afterEach(async () => {
  const { core } = await replay(journal.entries(), undefined, () => () => 0)
  expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  await floor.close()
})

const stateOf = async (member: Member, id: string) => {
  const { state, batch } = await ticketOf(member, id)
  return `${state} ${batch}`
}
const provenBehind = () => until(() => floor.house.core.next?.isProven === true)
/** A batch with L1 and one behind it, each with one trade. */
async function two() {
  await floor.trade(a, b, lots(1n))
  const one = floor.batch()
  const stalled = await l1.handed(0)
  const second = await floor.trade(b, c, lots(2n))
  const other = floor.batch()
  for (const batch of [one, other]) batch.catch(() => {})
  await provenBehind()
  return { one, other, second, stalled }
}
async function isBuiltAgain(other: Promise<unknown>): Promise<void> {
  await expect(other).rejects.toThrow('must be built again')
  expect(l1.waiting).toHaveLength(1)
  expect(floor.house.core.open).toBeNull()
}

it('a fee that the batch on its way brought about, and nobody knew of: the next is not sent with the old one', async () => {
  const { one, other, stalled } = await two()
  floor.l1.setFee(FEE - 1n)
  await stalled.accept()
  await one
  await isBuiltAgain(other)
  const again = floor.batch()
  await (await l1.handed(1)).accept()
  expect(await again).toMatchObject({ number: 3n, trades: 1 })
  expect(floor.house.ledger.accounts.get(0)?.cash).toBe(2n * FEE + 2n * (FEE - 1n))
})

it('a fee that is set behind the batch on its way strands nobody who allowed the one that is due', async () => {
  await floor.trade(a, b, lots(1n))
  const one = floor.batch()
  const stalled = await l1.handed(0)
  const second = await floor.trade(b, c, lots(2n))
  await stalled.mine()
  floor.l1.setFee(RISEN)
  await floor.house.watch()
  await a.deposit(1, 5_000_000n)
  const other = floor.batch()
  for (const batch of [one, other]) batch.catch(() => {})
  await provenBehind()
  stalled.fail(new Error('the connection is gone'))
  await expect(other).rejects.toThrow('L1 has not spoken')
  expect(await floor.batch()).toMatchObject({ number: 2n })
  // The batch before it took the old one, and so must this: with it the trade can settle.
  expect(await stateOf(b, second)).toBe('accepted null')
  await isBuiltAgain(floor.batch())
  const again = floor.batch()
  await (await l1.handed(1)).accept()
  expect(await again).toMatchObject({ number: 3n, trades: 1 })
  expect(floor.house.ledger.accounts.get(0)?.cash).toBe(4n * FEE)
})

it('a table that grew old while another came: a batch of it would be one of reductions on L1', async () => {
  const { other, stalled } = await two()
  const { tableNumber } = floor.house
  floor.l1.post(floor.rows)
  Object.assign(floor.l1, { age: 'old', agedUpTo: tableNumber })
  await stalled.accept()
  await isBuiltAgain(other)
  const again = floor.batch()
  await (await l1.handed(1)).accept()
  expect(await again).toMatchObject({ number: 3n, trades: 1 })
})

it('a sweep that began: a batch that would take an account out of it is not sent', async () => {
  const { other, stalled } = await two()
  const swept = tableOf([row(1025, 2_000_000n)])
  floor.l1.tables.set(swept.root, swept)
  floor.l1.owed.sweep = { number: 1n, root: swept.root }
  await stalled.accept()
  await isBuiltAgain(other)
})

it('a sweep that began: a batch that harms nobody goes its way', async () => {
  const { other, stalled } = await two()
  const swept = tableOf(floor.rows)
  floor.l1.tables.set(swept.root, swept)
  floor.l1.owed.sweep = { number: 1n, root: swept.root }
  await stalled.accept()
  await (await l1.handed(1)).accept()
  expect(await other).toMatchObject({ number: 3n, trades: 1 })
})

it('a table that nobody confirms: the batch behind waits, and no longer than its house', async () => {
  const { one, other, stalled } = await two()
  floor.l1.post(floor.rows, false)
  await stalled.accept()
  await one
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(l1.waiting).toHaveLength(1)
  await floor.house.close()
  await expect(other).rejects.toThrow('the house is closed')
})

it('an end while two are in flight leaves both to the next start, and no rejection unheard', async () => {
  const { one, other, stalled } = await two()
  await floor.house.close()
  stalled.fail(new Error('the door to L1 is closed'))
  await expect(one).rejects.toThrow('the door to L1 is closed')
  await expect(other).rejects.toThrow('L1 has not spoken')
  expect([floor.house.core.open, floor.house.core.next]).not.toContain(null)
})

it('a refund that is asked for while a batch behind credits the deposit: L1 takes it, and it counts once', async () => {
  await floor.trade(a, b, lots(1n))
  const one = floor.batch()
  const stalled = await l1.handed(0)
  await a.deposit(1, 5_000_000n)
  const other = floor.batch()
  await provenBehind()
  const credited = floor.house.core.next?.plan.credits.map(({ id }) => id) ?? []
  expect(credited).toHaveLength(1)
  const { nextBlock } = floor.house.core
  const nothing = { requests: [], deposits: [], settled: [], tables: [], confirmed: [], mode: null }
  await floor.house.submit({
    kind: 'l1',
    seen: { ...nothing, refundRequests: credited, nextBlock },
  })
  const before = floor.cash
  await stalled.accept()
  await (await l1.handed(1)).accept()
  await Promise.all([one, other])
  expect(floor.cash).toBe(before + 5_000_000n)
  expect(floor.house.core.hasWork(Date.now())).toBe(false)
})
