/** A running house calls who breaks maintenance at a new table, and lets go of who is cured. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { STATUS } from '../../circuits/params.ts'
import { statusOf } from '../../circuits/exit.ts'
import { Floor } from './floor.ts'
import { row } from '../law/house.ts'

const FUTURE = 1024
const PRICE = 50_000_000n
let floor: Floor
let a: Member, b: Member, c: Member
const lots = (quantity: bigint) => [{ instrument: FUTURE, quantity, price: PRICE }]
const status = (member: Member): number =>
  statusOf(floor.house.ledger.accounts.get(member.account)?.meta ?? 0n)
/** b is short of four: at eight times the price it owes more than it has. */
const crashed = () => [row(FUTURE, 8n * PRICE), ...floor.rows.slice(1)]

beforeEach(async () => {
  const opened = await Floor.open([1000, 1000, 1000])
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
  await floor.trade(a, b, lots(4n))
  await floor.batch()
})
afterEach(() => floor.close())

it('with the next batch after the table is confirmed, and not before', async () => {
  const number = floor.l1.post(crashed(), false)
  expect(await floor.batch()).toBeNull()
  floor.l1.confirm(number)
  expect(await floor.batch()).toMatchObject({ trades: 0 })
  expect([a, b, c].map(status)).toEqual([STATUS.active, STATUS.called, STATUS.active])
  // Nothing is left to do until the call is due.
  expect(await floor.batch()).toBeNull()
})

it('who is called may close and may not open, from its proposal on', async () => {
  floor.l1.post(crashed())
  await floor.batch()
  await expect(floor.agree(c, b, lots(1n))).rejects.toThrow(/ReduceOnlyMustReduce/)
  await floor.trade(b, a, lots(1n))
  expect(await floor.batch()).toMatchObject({ trades: 1 })
  expect([floor.balance(b, FUTURE), status(b)]).toEqual([-3n, STATUS.called])
})

it('who pays in enough is free with the deposit, and trades again', async () => {
  floor.l1.post(crashed())
  await floor.batch()
  await b.deposit(1, 100_000_000n)
  await floor.batch()
  expect([floor.balance(b, 1) > 1_200_000_000n, status(b)]).toEqual([true, STATUS.called])
  await b.deposit(1, 5_000_000_000n)
  expect(await floor.batch()).toMatchObject({ trades: 0 })
  expect(status(b)).toBe(STATUS.active)
  await floor.trade(c, b, lots(1n))
  expect(await floor.batch()).toMatchObject({ trades: 1 })
})

it('a page that cures settles, and nobody is called beside it', async () => {
  // Signed before the crash, at the price of then: it closes all that b is short of.
  await floor.trade(b, a, lots(4n))
  floor.l1.post(crashed())
  expect(await floor.batch()).toMatchObject({ trades: 1 })
  expect([a, b].map((m) => [floor.balance(m, FUTURE), status(m)])).toEqual([
    [0n, STATUS.active],
    [0n, STATUS.active],
  ])
})

it('a page by which a released account would open again waits until it is released', async () => {
  floor.l1.post(crashed())
  await floor.batch()
  expect(status(b)).toBe(STATUS.called)
  floor.l1.post(floor.rows)
  await floor.house.watch()
  await expect(floor.agree(c, b, lots(1n))).rejects.toThrow(/ReduceOnlyMustReduce/)
  await floor.batch()
  expect(status(b)).toBe(STATUS.active)
  await floor.trade(c, b, lots(1n))
})
