/** A fee that changes on L1: which batch takes it, what members must allow, what the journal keeps. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Member } from '../../client/member.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { decodeRecord, encodeRecord } from '../../sequencer/journal/record.ts'
import { replay, stateText } from '../../sequencer/journal/replay.ts'
import { newsOf, NO_NEWS } from '../../sequencer/l1/news.ts'
import { createBatch, submit } from '../contracts/batch-data.ts'
import { createWorld, send } from '../contracts/l1.ts'
import { FEE, Floor, ticketOf } from './floor.ts'

const FUTURE = 1024
const RISEN = 3n * FEE
const lots = (quantity: bigint) => [{ instrument: FUTURE, quantity, price: 50_000_000n }]
let floor: Floor
let a: Member
let b: Member
let c: Member
const paid = () => floor.house.ledger.accounts.get(0)?.cash ?? 0n
const status = async () => BigInt((await a.api.status()).fee)
const stateOf = async (member: Member, id: string) => {
  const { state, refused } = await ticketOf(member, id)
  return refused === null ? state : refused
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const opened = await Floor.open([1000, 1000, 1000])
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
})
afterEach(async () => {
  await floor.close()
  vi.useRealTimers()
})

describe('a fee that rises', () => {
  it('is paid from the batch after the one that L1 took it with, and not before', async () => {
    const before = await floor.trade(a, b, lots(1n))
    floor.l1.setFee(RISEN)
    await floor.house.watch()
    // Signed while the change waits: it allows either fee, since nobody knows its batch.
    expect(await status()).toBe(RISEN)
    const between = await floor.trade(a, c, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 2 })
    expect([await stateOf(a, before), await stateOf(a, between)]).toEqual(['final', 'final'])
    expect(paid()).toBe(4n * FEE)
    const after = await floor.trade(b, c, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(await stateOf(b, after)).toBe('final')
    expect(paid()).toBe(4n * FEE + 2n * RISEN)
    expect(await status()).toBe(RISEN)
  })

  it('strands what was signed under the old one and came too late; what is behind it goes on', async () => {
    const ids: string[] = []
    floor.whileProving = async () => {
      floor.whileProving = async () => {}
      // The change comes while the proof is made: the house has not looked, nor can its members know.
      floor.l1.setFee(RISEN)
      ids.push(await floor.trade(a, b, lots(1n)))
    }
    await floor.trade(a, c, lots(1n))
    expect(await floor.batch()).toMatchObject({ trades: 1 })
    expect(paid()).toBe(2n * FEE)
    await floor.house.watch()
    const behind = await floor.trade(b, c, lots(1n))
    // The stranded one is dropped; who stood behind it signs anew, without it.
    await floor.batch()
    expect(await stateOf(a, ids[0]!)).toBe('FeeMustBeWithinMaxFee')
    for (const member of [a, b, c]) await member.realign()
    await floor.batch()
    expect(await stateOf(b, behind)).toBe('final')
    expect(paid()).toBe(2n * FEE + 2n * RISEN)
    for (const member of [a, b, c])
      expect(floor.house.ledger.headOf(member.account)).toBe(member.journal.state.head)
  })

  it('refuses a page that allows the old one alone, as soon as the change is known', async () => {
    const id = await floor.agree(a, b, lots(1n))
    floor.l1.setFee(RISEN)
    await floor.house.watch()
    for (const allowed of [RISEN - 1n, FEE]) {
      vi.spyOn(a.api, 'status').mockResolvedValue({ ...(await b.api.status()), fee: `${allowed}` })
      const [made] = await floor.sign(await floor.agree(a, c, lots(1n)), a)
      expect(made).toMatchObject({ state: 'refused', rule: 'FeeMustBeWithinMaxFee' })
      vi.restoreAllMocks()
    }
    const [one, other] = await floor.sign(id, a, b)
    expect([one?.state, other?.state]).toEqual(['accepted', 'accepted'])
  })

  it('counts at once in what an account can afford', async () => {
    const dear = 990_000_000n
    const cash = async () => BigInt((await a.api.account()).projected?.cash ?? 0)
    await floor.trade(a, b, lots(1n))
    const before = await cash()
    await floor.agree(a, c, lots(1n))
    floor.l1.setFee(dear)
    await floor.house.watch()
    await expect(floor.agree(a, c, lots(1n))).rejects.toThrow('TradeMustBeAdmissible')
    expect(await cash()).toBe(before + FEE - dear)
  })
})

describe('a fee that falls', () => {
  it('is paid by pages that allow more, and while it waits the old one must be allowed', async () => {
    floor.l1.setFee(FEE - 1n)
    await floor.house.watch()
    expect(await status()).toBe(FEE)
    await floor.trade(a, b, lots(1n))
    await floor.batch()
    expect(paid()).toBe(2n * FEE)
    await floor.trade(a, b, lots(1n))
    await floor.batch()
    expect(paid()).toBe(2n * FEE + 2n * (FEE - 1n))
    await floor.house.watch()
    expect(await status()).toBe(FEE - 1n)
  })

  it('to nothing is a fee as well', async () => {
    floor.l1.setFee(0n)
    await floor.batch()
    await floor.trade(a, b, lots(1n))
    await floor.batch()
    await floor.trade(a, b, lots(1n))
    await floor.batch()
    expect(paid()).toBe(2n * FEE)
  })
})

describe('the journal', () => {
  it('keeps the fee: a restart goes on under it, and the replay is the same', async () => {
    const journal = new MemoryJournal()
    const { floor: own, members } = await Floor.open([1000, 1000], () => 0, journal)
    const [one, two] = members as [Member, Member]
    own.l1.setFee(RISEN)
    await own.trade(one, two, lots(1n))
    await own.batch()
    own.l1.setFee(7n)
    await own.house.watch()
    const { core } = await replay(journal.entries(), undefined, () => () => 0)
    expect([core.fee, core.nextFee, core.feeToAllow]).toEqual([RISEN, 7n, RISEN])
    expect(stateText(core)).toBe(stateText(own.house.core))
    const again = new Floor(() => 0, journal, own.l1)
    await again.house.open()
    expect(again.house.core.feeToAllow).toBe(RISEN)
    // What the house began with stays as it was: a restart is asked for no other.
    expect(again.house.core.genesis.fee).toBe(FEE)
    await again.close()
    await own.close()
  })

  it('names a fee, and reads the records of the version before, that name none', async () => {
    const seen = { ...NO_NEWS, tables: [], nextBlock: 5 }
    const text = Buffer.from(encodeRecord({ at: 1, input: { kind: 'l1', seen } })).toString('utf8')
    const old = Buffer.from(text.replace('"v":5', '"v":2'))
    const fresh = encodeRecord({
      at: 1,
      input: { kind: 'l1', seen: { ...seen, fees: { fee: 1n, next: null } } },
    })
    expect(decodeRecord(old).input).toEqual({ kind: 'l1', seen })
    expect(decodeRecord(fresh).input).toMatchObject({ seen: { fees: { fee: 1n, next: null } } })
    const later = Buffer.from(fresh).toString('utf8').replace('"v":5', '"v":6')
    expect(() => decodeRecord(Buffer.from(later))).toThrow('knows 2, 3, 4, 5')
  })

  it('is not written for what is known: the first event of a house is the fee that it began with', async () => {
    const length = () => floor.house.journal.head.sequence
    const before = length()
    const say = async (fee: bigint | null, next: bigint | null) => {
      vi.spyOn(floor.l1, 'news').mockResolvedValueOnce({ ...NO_NEWS, fees: { fee, next } })
      await floor.house.watch()
      return length() - before
    }
    expect(await say(FEE, null)).toBe(0)
    expect(await say(FEE, 7n)).toBe(1)
    expect(await say(null, 7n)).toBe(1)
    expect(await say(7n, null)).toBe(2)
    expect(floor.house.core.feeToAllow).toBe(7n)
  })
})

describe('what the contract says', () => {
  const set = (fee: bigint) => ({ name: 'FeeSet', args: { fee } }) as never
  const changing = (fee: bigint) => ({ name: 'FeeChanging', args: { fee } }) as never
  it.each([
    ['nothing', [], undefined],
    ['the fee of the deployment', [set(5n)], { fee: 5n, next: null }],
    ['a change that waits', [changing(7n)], { fee: null, next: 7n }],
    ['the last word of two', [changing(7n), changing(8n)], { fee: null, next: 8n }],
    ['a change and the batch that took it', [changing(7n), set(7n)], { fee: 7n, next: null }],
    ['one behind that', [set(7n), changing(0n)], { fee: 7n, next: 0n }],
    [
      'two that were taken',
      [changing(7n), set(7n), changing(8n), set(8n)],
      { fee: 8n, next: null },
    ],
  ])('%s', (_what, events, fees) => {
    expect(newsOf(events).fees).toEqual(fees)
  })

  it('is read in the order in which batches took it', async () => {
    const world = await createWorld()
    const { cloister, admin, verifier } = world
    await send(admin, verifier, 'acceptAll')
    const eventsIn = (mined: { logs: readonly { topics: readonly string[]; data: string }[] }) =>
      mined.logs.map((log) => cloister.interface.parseLog(log)!) as never
    const told = await send(admin, cloister, 'setFee', 7n)
    expect(newsOf(eventsIn(told)).fees).toEqual({ fee: null, next: 7n })
    const taken = await submit(world, await createBatch(world))
    expect(newsOf(eventsIn(taken)).fees).toEqual({ fee: 7n, next: null })
    expect(await cloister.getFunction('fee')()).toBe(7n)
    expect(newsOf(eventsIn(await submit(world, await createBatch(world)))).fees).toBeUndefined()
  })
})
