/** While the latest table is indicative, or the admin says so, the house only reduces risk. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { tableOf } from '../../circuits/table.ts'
import { HousePaused } from '../../sequencer/house.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { checkAge } from '../../sequencer/table-age.ts'
import { growing } from '../../sequencer/reducing.ts'
import { Floor, FEE, ticketOf } from './floor.ts'
import { row } from '../law/house.ts'
import { until } from '../until.ts'

const FUTURE = 1024
const PRICE = 50_000_000n
let floor: Floor
let a: Member, b: Member, c: Member
const lots = (quantity: bigint, price = PRICE) => [{ instrument: FUTURE, quantity, price }]
const held = () => [a, b, c].map((m) => floor.balance(m, FUTURE))
const moved = () => [row(FUTURE, 2n * PRICE), ...floor.rows.slice(1)]
/** What the house makes of it when the counterparty affirms. */
async function offer(buyer: Member, seller: Member, quantity: bigint): Promise<string> {
  const id = await floor.agree(buyer, seller, lots(quantity))
  const { state, refused } = await ticketOf(buyer, id)
  return refused ?? state
}
/** The rule that stops a trade, whichever side breaks it: the other side is not told. */
const rule = async (work: Promise<string>) => {
  const told = await work.catch((error: Error) => error.message.split(':')[0])
  if (told !== 'TradeMustBeAdmissible') return told
  return [...floor.house.desk.tickets.values()].at(-1)?.refusal?.rule
}
/** What L1 has said is seen without a batch. */
async function see(): Promise<void> {
  await floor.house.watch()
}

beforeEach(async () => {
  const opened = await Floor.open([1000, 1000, 1000])
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
  await floor.trade(a, b, lots(4n))
  await floor.batch()
  expect(held()).toEqual([4n, -4n, 0n])
})
afterEach(() => floor.close())

describe('an indicative table', () => {
  it('moves nobody: the house values by the confirmed one before it', async () => {
    const before = floor.house.table?.root
    const number = floor.l1.post(moved(), false)
    await see()
    expect([floor.house.mode, floor.house.tableNumber]).toEqual(['reduceOnly', number - 1n])
    expect(floor.house.table?.root).toBe(before)
    floor.l1.confirm(number)
    await see()
    expect([floor.house.mode, floor.house.tableNumber]).toEqual(['normal', number])
    expect(floor.house.table?.root).toBe(tableOf(moved()).root)
  })

  it('refuses what opens, by name, and takes what closes', async () => {
    const number = floor.l1.post(moved(), false)
    await see()
    // Opening for both; for one side; growing; through zero by one lot.
    expect(await rule(offer(c, a, 1n))).toBe('ReduceOnlyMustReduce')
    expect(await rule(offer(b, c, 1n))).toBe('ReduceOnlyMustReduce')
    expect(await rule(offer(a, b, 1n))).toBe('ReduceOnlyMustReduce')
    expect(await rule(offer(b, a, 5n))).toBe('ReduceOnlyMustReduce')
    // To zero and no further; and in steps, each against what is pending already.
    await floor.trade(b, a, lots(3n))
    expect(await rule(offer(b, a, 2n))).toBe('ReduceOnlyMustReduce')
    await floor.trade(b, a, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 2 })
    expect(held()).toEqual([0n, 0n, 0n])
    floor.l1.confirm(number)
    await see()
    await floor.trade(a, c, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(held()).toEqual([1n, 0n, -1n])
  })

  it('lets withdrawals and what was opened before wait, not fail', async () => {
    const opening = await floor.trade(c, a, lots(1n))
    expect(await b.withdraw(1, 1_000_000n, 7n)).toMatchObject({ state: 'accepted' })
    const number = floor.l1.post(moved(), false)
    const cash = floor.balance(b, 1)
    expect(await floor.batch()).toBeNull()
    expect(floor.house.ledger.pendingOf(b.account)).toHaveLength(1)
    expect((await ticketOf(c, opening)).state).toBe('accepted')
    // Asked for while it is indicative, a withdrawal waits as well, behind the other.
    expect(await b.withdraw(1, 2_000_000n, 7n)).toMatchObject({ state: 'accepted' })
    expect(await floor.batch()).toBeNull()
    floor.l1.confirm(number)
    expect(await floor.batch()).toMatchObject({ trades: 1, pages: 3 })
    expect(await floor.batch()).toMatchObject({ pages: 1 })
    expect(floor.balance(b, 1)).toBe(cash - 3_000_000n - 2n * FEE)
    expect(held()).toEqual([3n, -4n, 1n])
  })

  it('that another follows is named itself: L1 takes the latest two only', async () => {
    floor.l1.post(moved(), false)
    await see()
    const again = floor.l1.post([row(FUTURE, 3n * PRICE), ...floor.rows.slice(1)], false)
    await see()
    expect([floor.house.mode, floor.house.tableNumber]).toEqual(['reduceOnly', again])
    floor.l1.confirm(again)
    await see()
    expect([floor.house.mode, floor.house.tableNumber]).toEqual(['normal', again])
  })
})

it('before the first table is confirmed no batch is even begun: L1 takes none', async () => {
  const fresh = new Floor()
  const number = fresh.l1.post(fresh.rows, false)
  await fresh.house.watch()
  const { sequence } = fresh.house.journal.head
  expect(await fresh.batch()).toBeNull()
  expect(fresh.house.journal.head.sequence).toBe(sequence)
  fresh.l1.confirm(number)
  await fresh.batch()
  // What L1 said; a batch that had nothing to do is no record.
  expect(fresh.house.journal.head.sequence).toBe(sequence + 1)
  await fresh.close()
})

it('while the sweep is late withdrawals wait, and what was signed behind them; all else goes on', async () => {
  floor.l1.owed.areWithdrawalsHeld = true
  const cash = floor.balance(b, 1)
  expect(await b.withdraw(1, 1_000_000n, 7n)).toMatchObject({ state: 'accepted' })
  await floor.trade(c, a, lots(1n))
  await floor.trade(b, c, lots(1n))
  expect(await floor.batch()).toMatchObject({ trades: 1, pages: 2 })
  expect(floor.l1.submitted.at(-1)?.withdrawals).toEqual([])
  expect(held()).toEqual([3n, -4n, 1n])
  // A restart makes the same of the same records.
  const { core } = await replay(
    floor.house.journal.entries(0),
    () => {},
    () => () => 0,
  )
  expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  floor.l1.owed.areWithdrawalsHeld = false
  expect(await floor.batch()).toMatchObject({ trades: 1, pages: 3 })
  expect(floor.l1.submitted.at(-1)?.withdrawals).toHaveLength(1)
  expect(floor.balance(b, 1)).toBe(cash - PRICE - 1_000_000n - 2n * FEE)
})

it('a house with nothing to do settles cover alone before its silence is a ground to freeze', async () => {
  expect(await floor.batch()).toBeNull()
  floor.l1.owed.isBatchDue = true
  const root = floor.house.ledger.tree.root
  expect(await floor.batch()).toMatchObject({ trades: 0, pages: 0 })
  expect(floor.house.ledger.tree.root).not.toBe(root)
  floor.l1.owed.isBatchDue = false
  expect(await floor.batch()).toBeNull()
  // After a freeze it is silent for ever.
  floor.l1.owed.isBatchDue = true
  floor.l1.owed.isFrozen = true
  await floor.trade(a, b, lots(1n))
  expect(await floor.batch()).toBeNull()
  // Also one without a single member.
  const empty = new Floor()
  empty.l1.post(empty.rows)
  empty.l1.owed.isBatchDue = true
  expect(await empty.batch()).toMatchObject({ trades: 0, accounts: 0 })
  await empty.close()
})

it('a house that is paused proves nothing in vain, and goes on where it was', async () => {
  let proofs = 0
  floor.whileProving = async () => void proofs++
  await floor.trade(a, b, lots(1n))
  floor.l1.owed.isPaused = true
  const { sequence } = floor.house.journal.head
  for (let i = 0; i < 3; i++) await expect(floor.batch()).rejects.toThrow(HousePaused)
  expect([proofs, floor.house.journal.head.sequence]).toEqual([0, sequence])
  floor.l1.owed.isPaused = false
  expect(await floor.batch()).toMatchObject({ trades: 1 })
})

describe('the mode that the admin sets', () => {
  it('halts the house at a confirmed table, until it is taken back', async () => {
    floor.l1.setMode(1n)
    await see()
    expect(await rule(offer(c, a, 1n))).toBe('ReduceOnlyMustReduce')
    expect(await rule(offer(b, a, 4n))).toBe('stamped')
    floor.l1.post(moved())
    await see()
    expect(floor.house.mode).toBe('reduceOnly')
    floor.l1.setMode(0n)
    await see()
    expect(await rule(offer(c, a, 1n))).toBe('stamped')
  })
})

describe('one instrument', () => {
  const expired = () =>
    floor.rows.map((r) => (r.id === FUTURE ? { ...r, status: 'expired' as const } : r))

  it('that has expired is halted for opening and closing, the others trade on', async () => {
    floor.l1.post(expired())
    await see()
    expect(await rule(offer(b, a, 1n))).toBe('InstrumentMustBeListed')
    const other = [{ instrument: 1025, quantity: 1n, price: 2_000_000n }]
    await floor.trade(a, b, other)
    expect(await floor.batch()).toMatchObject({ trades: 1 })
  })

  it('that has settled is traded no more, by the rule of the law', async () => {
    floor.l1.settle(FUTURE, PRICE)
    await see()
    expect(await rule(offer(b, a, 1n))).toBe('SettledBalanceMustBeConverted')
  })
})

it('a batch that was proven while a table is indicative waits for its confirmation', async () => {
  await floor.trade(a, c, lots(1n))
  let number = 0n
  floor.whileProving = async () => {
    number = floor.l1.post(moved(), false)
  }
  let looks = 0
  const tableAge = floor.l1.tableAge.bind(floor.l1)
  floor.l1.tableAge = (of) => {
    if (number > 0n) looks++
    return tableAge(of)
  }
  const batch = floor.batch()
  // It is proven, and has looked for the confirmation more than once.
  await until(() => looks > 2)
  expect(floor.l1.submitted).toHaveLength(2)
  floor.l1.confirm(number)
  expect(await batch).toMatchObject({ trades: 1 })
  expect(floor.l1.submitted.map((s) => s.tableNumber)).toEqual([1n, 1n, 1n])
})

it('one that L1 would take no more is built again from the same pages', async () => {
  await floor.trade(a, c, lots(1n))
  floor.whileProving = async () => {
    floor.l1.post(moved(), false)
    floor.l1.post(moved().slice(0, 2), false)
  }
  await expect(floor.batch()).rejects.toThrow('must be built again')
  floor.whileProving = async () => {}
  floor.l1.confirm(3n)
  expect(await floor.batch()).toMatchObject({ trades: 1 })
  expect(floor.l1.submitted.at(-1)?.tableNumber).toBe(3n)
})

describe('a table that is too old for L1', () => {
  const grow = () => {
    floor.l1.agedUpTo = floor.house.tableNumber
    floor.l1.age = 'old'
  }
  const modes = () => floor.house.core.open?.plan.context.mode

  it('admits what reduces alone, and settles it in the mode of L1, until the next table', async () => {
    grow()
    await checkAge(floor.house)
    expect([floor.house.mode, floor.house.core.isTableOld]).toEqual(['reduceOnly', true])
    expect(await rule(offer(c, a, 1n))).toBe('ReduceOnlyMustReduce')
    await floor.trade(b, a, lots(1n))
    let mode: unknown = null
    floor.whileProving = async () => void (mode = modes())
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(mode).toBe('reduceOnly')
    floor.l1.post(floor.rows)
    await see()
    expect([floor.house.mode, floor.house.core.isTableOld]).toEqual(['normal', false])
    await floor.trade(c, a, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(mode).toBe('normal')
  })

  it('pays nothing: withdrawals wait in their journals, forced exits in the queue', async () => {
    expect(await b.withdraw(1, 1_000_000n, 7n)).toMatchObject({ state: 'accepted' })
    floor.l1.forceExit(c.account, 1)
    grow()
    expect(await floor.batch()).toBeNull()
    expect(floor.house.ledger.pendingOf(b.account)).toHaveLength(1)
    floor.l1.post(floor.rows)
    expect(await floor.batch()).toMatchObject({ pages: 1 })
    expect(floor.l1.submitted.at(-1)?.forcedPayments).toHaveLength(1)
  })

  it('is recorded once, and a replay admits the same', async () => {
    grow()
    const { sequence } = floor.house.journal.head
    for (let i = 0; i < 3; i++) await checkAge(floor.house)
    expect(floor.house.journal.head.sequence).toBe(sequence + 1)
    expect(floor.notes.filter((line) => line.includes('too old'))).toHaveLength(1)
    const { core } = await replay(
      floor.house.journal.entries(0),
      () => {},
      () => () => 0,
    )
    expect([core.isTableOld, core.mode]).toEqual([true, 'reduceOnly'])
    expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
    // A clock of L1 that goes back, or terms read wrongly, are no trap.
    floor.l1.age = 'young'
    await checkAge(floor.house)
    expect(floor.house.mode).toBe('normal')
  })

  it('and in its last minutes prepares no batch, in whose time it would become so', async () => {
    let proofs = 0
    floor.whileProving = async () => void proofs++
    await floor.trade(a, c, lots(1n))
    floor.l1.age = 'ending'
    expect(await floor.batch()).toBeNull()
    expect([proofs, floor.house.mode]).toEqual([0, 'normal'])
    // What only reduces is of the other mode already: the admin's.
    floor.l1.setMode(1n)
    await floor.trade(b, a, lots(1n)).catch(() => {})
    await see()
    floor.l1.setMode(0n)
    floor.l1.age = 'young'
    expect(await floor.batch()).toMatchObject({ trades: 2 })
  })

  it('that became so while a batch of it was proven: it is built again, not waited for', async () => {
    await floor.trade(a, c, lots(1n))
    await floor.trade(b, a, lots(2n))
    floor.whileProving = async () => grow()
    const before = floor.l1.submitted.length
    await expect(floor.batch()).rejects.toThrow('must be built again')
    expect(floor.l1.submitted).toHaveLength(before)
    floor.whileProving = async () => {}
    floor.l1.post(floor.rows)
    expect(await floor.batch()).toMatchObject({ trades: 2 })
  })
})

describe('what reduces', () => {
  const of = (quantity: bigint) => ({
    balances: quantity === 0n ? [] : [{ id: FUTURE, quantity }],
  })
  it.each([
    [4n, 4n],
    [4n, 3n],
    [4n, 0n],
    [-4n, -4n],
    [-4n, -3n],
    [-4n, 0n],
    [0n, 0n],
  ])('%s to %s does', (before, after) => {
    expect(growing(of(before), of(after))).toBeNull()
  })
  it.each([
    [4n, 5n],
    [4n, -1n],
    [4n, -4n],
    [-4n, -5n],
    [-4n, 1n],
    [-4n, 4n],
    [0n, 1n],
    [0n, -1n],
  ])('%s to %s does not', (before, after) => {
    expect(growing(of(before), of(after))).toBe(FUTURE)
  })
  it('is asked of every instrument besides cash', () => {
    const [one, other] = [
      { id: FUTURE, quantity: 1n },
      { id: 1025, quantity: 1n },
    ]
    expect(growing({ balances: [one] }, { balances: [one, other] })).toBe(1025)
    expect(growing({ balances: [one, other] }, { balances: [other] })).toBeNull()
    expect(growing({ balances: [] }, { balances: [{ id: 1, quantity: 5n }] })).toBeNull()
  })
})
