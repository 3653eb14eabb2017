/** What goes into a batch besides trades: expired pages, holders of settled instruments, cover. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownerKeyHash } from '../../circuits/account.ts'
import { PAGE_LIFE_SECONDS_BITS } from '../../circuits/params.ts'
import type { BatchReport } from '../../client/api.ts'
import { memberKeys } from '../../client/keys.ts'
import type { Member } from '../../client/member.ts'
import { stringify } from '../../sequencer/wire.ts'
import { FEE, Floor, SHAPE, ticketOf, wideRow } from './floor.ts'

const FUTURE = 1024
const OTHER = 1025
const LIFE_MS = (1 << PAGE_LIFE_SECONDS_BITS) * 1000
let floor: Floor
const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]
/** Salts change with every touch and by nothing else. */
const salts = (members: readonly Member[]) =>
  members.map((m) => floor.house.ledger.accounts.get(m.account)?.salt)
const touchedSince = (before: readonly unknown[], members: readonly Member[]) =>
  members.flatMap((m, i) => (salts(members)[i] === before[i] ? [] : [m.account - 16]))

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
})
afterEach(async () => {
  await floor.close()
  vi.useRealTimers()
})

describe('expired pages', () => {
  it('are skipped by the next batch, and the journals behind them go on', async () => {
    const opened = await Floor.open([1000, 1000, 1000])
    floor = opened.floor
    const [a, b, c] = opened.members as [Member, Member, Member]
    const dead = [
      await floor.trade(a, b, lots(FUTURE, 1n, 50_000_000n)),
      await floor.trade(b, c, lots(FUTURE, 1n, 50_000_000n)),
    ]
    vi.setSystemTime(Date.now() + LIFE_MS + 1000)
    const fresh = await floor.trade(a, c, lots(OTHER, 2n, 2_000_000n))
    expect(await floor.batch()).toMatchObject({ trades: 1, pages: 2 })
    for (const id of dead)
      expect(await ticketOf(b, id)).toMatchObject({ state: 'refused', refused: 'StampMustBeLive' })
    expect((await ticketOf(a, fresh)).state).toBe('final')
    for (const member of [a, b, c]) {
      expect(floor.house.ledger.pendingOf(member.account)).toEqual([])
      expect(floor.house.ledger.headOf(member.account)).toBe(member.journal.state.head)
      expect(floor.balance(member, FUTURE)).toBe(0n)
    }
    // A skipped page pays no fee.
    expect(floor.house.ledger.accounts.get(0)?.cash).toBe(2n * FEE)
  })

  it('live to the last second of their life', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [Member, Member]
    const id = await floor.trade(a, b, lots(FUTURE, 1n, 50_000_000n))
    const stamp = BigInt((await ticketOf(a, id)).stamp)
    vi.setSystemTime((Number(stamp >> 20n) - 1) * 1000 + LIFE_MS)
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(floor.balance(a, FUTURE)).toBe(1n)
  })

  it('of a rotation change no key: the old one signs on', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [Member, Member]
    const before = floor.house.ledger.ownerKeys.get(a.account)
    const next = memberKeys(new Uint8Array(32).fill(99), 'next')
    expect((await a.rotate(next)).state).toBe('accepted')
    vi.setSystemTime(Date.now() + LIFE_MS + 1000)
    await floor.batch()
    expect(floor.house.ledger.pendingOf(a.account)).toEqual([])
    expect(floor.house.ledger.ownerKeys.get(a.account)).toEqual(before)
    await floor.trade(a, b, lots(FUTURE, 1n, 50_000_000n))
    expect(await floor.batch()).toMatchObject({ trades: 1 })
  })
})

it('a live rotation makes the house expect the new key', async () => {
  const opened = await Floor.open([1000, 1000])
  floor = opened.floor
  const [a] = opened.members as [Member]
  const next = memberKeys(new Uint8Array(32).fill(99), 'next')
  await a.rotate(next)
  await floor.batch()
  const key = floor.house.ledger.ownerKeys.get(a.account)
  expect(key).toEqual(next.signing.publicKey)
  expect(floor.house.ledger.accounts.get(a.account)?.ownerKeyHash).toBe(
    ownerKeyHash(next.signing.publicKey),
  )
  // The old key does not speak for the account any more.
  await expect(a.api.account()).rejects.toThrow("signed by the account's owner key")
})

describe('a page with an earlier stamp than the one before it', () => {
  it('is not admitted: journals that follow different orders would block each other', async () => {
    const opened = await Floor.open([1000, 1000, 1000])
    floor = opened.floor
    const [a, b, c] = opened.members as [Member, Member, Member]
    const first = await floor.agree(a, b, lots(OTHER, 1n, 2_000_000n))
    await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
    const outcome = await a.settleTicket(await ticketOf(a, first))
    expect(outcome).toMatchObject({ state: 'refused', rule: 'JournalMustContinue' })
    expect(a.journal.state.head).toBe(floor.house.ledger.headOf(a.account))
  })
})

describe('after settlement values are posted', () => {
  it('every holder is converted within a few batches, trades going on', async () => {
    const opened = await Floor.open([1000, 1000, 1000, 1000, 1000, 1000])
    floor = opened.floor
    const more = opened.members
    const [a, ...rest] = more as [Member, ...Member[]]
    for (const member of rest) await floor.trade(a, member, lots(FUTURE, 1n, 50_000_000n))
    await floor.batch()
    expect(floor.balance(a, FUTURE)).toBe(5n)
    const cash = floor.cash
    floor.l1.settle(FUTURE, 60_000_000n)
    await floor.house.watch()
    // Nothing else is waiting, and still there is a batch.
    expect(await floor.batch()).toMatchObject({ trades: 0, accounts: 6 })
    for (const member of more) expect(floor.balance(member, FUTURE)).toBe(0n)
    expect(floor.balance(a, 1)).toBe(1_000_000_000n + 5n * 10_000_000n - 5n * FEE)
    expect(floor.cash).toBe(cash)
    expect(await floor.batch()).toBeNull()
  })

  it('leaves at least half of the slots to trades', async () => {
    const opened = await Floor.open(Array<number>(SHAPE.members).fill(1000))
    floor = opened.floor
    const { members } = opened
    for (let i = 0; i < 4; i += 2)
      await floor.trade(
        members[i] as Member,
        members[i + 1] as Member,
        lots(FUTURE, 1n, 50_000_000n),
      )
    await floor.batch()
    floor.l1.settle(FUTURE, 60_000_000n)
    await floor.house.watch()
    const [e, f] = members.slice(4) as [Member, Member]
    await floor.trade(e, f, lots(OTHER, 1n, 2_000_000n))
    // Three of four holders first, then the trade, then the fourth.
    expect(await floor.batch()).toMatchObject({ trades: 1, accounts: 6 })
    for (const member of members) expect(floor.balance(member, FUTURE)).toBe(0n)
  })

  it('opens two windows of the register a batch at most', async () => {
    const opened = await Floor.open([1000, 1000, 1000, 1000, 1000, 1000])
    floor = opened.floor
    const { members } = opened
    const ids = [1024, 1025, 1026]
    for (const [i, id] of ids.entries())
      await floor.trade(
        members[2 * i] as Member,
        members[2 * i + 1] as Member,
        lots(id, 1n, 500_000n),
      )
    await floor.batch()
    // Positions 0, 64 and 128 of the register.
    ids.forEach((id, i) => {
      floor.l1.settle(id, 500_000n)
      for (let n = 1; n < 64; n++) floor.l1.settle(2000 + 64 * i + n, 1n)
    })
    await floor.house.watch()
    const open = () => ids.filter((id) => members.some((m) => floor.balance(m, id) !== 0n))
    expect(await floor.batch()).not.toBeNull()
    expect(open()).toEqual([1026])
    expect(await floor.batch()).not.toBeNull()
    expect(open()).toEqual([])
  })
})

describe('cover', () => {
  it('fills the slots that are left with accounts that the generator draws', async () => {
    // Draws the last of those that are left, each time.
    const opened = await Floor.open([1000, 1000, 1000, 1000, 1000, 1000], (bound) => bound - 1)
    floor = opened.floor
    const more: Member[] = [...opened.members]
    for (let i = 6; i < 9; i++) more.push(await floor.join(i, 1000))
    await floor.batch()
    const [a, b] = more as [Member, Member]
    const before = salts(more)
    const holdings = more.map((m) => floor.balance(m, 1))
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    expect(await floor.batch()).toMatchObject({ trades: 1, accounts: SHAPE.members })
    expect(touchedSince(before, more)).toEqual([0, 1, 5, 6, 7, 8])
    expect(more.slice(2).map((m) => floor.balance(m, 1))).toEqual(holdings.slice(2))
  })

  it('passes over who is negative at this table, and who does not fit', async () => {
    // The first will be below zero in a world, and its maintenance holds: else it would be called.
    const opened = await Floor.open([210, 10_000, 1000, 1000, 1000])
    floor = opened.floor
    const [a, b, c, d, e] = opened.members as [Member, Member, Member, Member, Member]
    await floor.trade(a, b, lots(FUTURE, 5n, 50_000_000n))
    await floor.batch()
    floor.l1.post([wideRow(FUTURE, 50_000_000n), ...floor.rows.slice(1)])
    await floor.house.watch()
    const before = salts(opened.members)
    await floor.trade(c, d, lots(OTHER, 1n, 2_000_000n))
    expect(await floor.batch()).toMatchObject({ accounts: 4 })
    expect(touchedSince(before, opened.members)).toEqual([b, c, d, e].map((m) => m.account - 16))
  })

  it('is no reason for a batch by itself', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    expect(await floor.batch()).toBeNull()
  })

  it('crashes on a generator that is out of its range', async () => {
    const opened = await Floor.open([1000, 1000, 1000], (bound) => bound)
    floor = opened.floor
    const [a, b] = opened.members as [Member, Member]
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    await expect(floor.batch()).rejects.toThrow('the generator gave 1 where numbers below 1 are')
  })
})

describe('the entry shape', () => {
  it('serves registrations and deposits, and nothing with a page', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [Member, Member]
    expect(floor.house.reports[0]).toMatchObject({ shape: 'entry', accounts: 2 })
    await floor.join(2, 1000)
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    expect(await floor.batch()).toMatchObject({ shape: 'floor', trades: 1, accounts: 3 })
    await a.deposit(1, 5n)
    expect(await floor.batch()).toMatchObject({ shape: 'floor', trades: 0 })
  })

  it('is not taken if something of the batch would have to wait', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [Member, Member]
    await floor.trade(a, b, [
      { instrument: FUTURE, quantity: 1n, price: 50_000_000n },
      { instrument: OTHER, quantity: 1n, price: 2_000_000n },
    ])
    await floor.batch()
    await a.deposit(1, 5n)
    await floor.join(2, 1000)
    // Its one row does not hold what a has.
    expect(await floor.batch()).toMatchObject({ shape: 'floor', accounts: 3 })
  })
})

it('a batch report is, as JSON, what clients read', async () => {
  const fields: Record<keyof BatchReport, 'string' | 'number'> = {
    number: 'string',
    shape: 'string',
    trades: 'number',
    proveSeconds: 'number',
    gas: 'string',
    root: 'string',
    legs: 'number',
    pages: 'number',
    pageSlots: 'number',
    accounts: 'number',
    publicBytes: 'number',
  }
  const opened = await Floor.open([1000, 1000])
  floor = opened.floor
  const report = JSON.parse(stringify(floor.house.reports[0])) as Record<string, unknown>
  const types = Object.entries(report).map(([name, value]) => [name, typeof value])
  expect(Object.fromEntries(types)).toEqual(fields)
})
