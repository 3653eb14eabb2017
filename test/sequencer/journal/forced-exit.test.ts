/** What L1 can pay is a fact from outside: it is in the record of the batch, and nothing asks twice. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Member } from '../../../client/member.ts'
import { servable } from '../../../sequencer/choose.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import { replay, stateText } from '../../../sequencer/journal/replay.ts'
import { BatchRefused, type QueuedRequest } from '../../../sequencer/l1.ts'
import { Floor } from '../floor.ts'

const CASH = 1
const floors: Floor[] = []
afterEach(async () => {
  for (const floor of floors.splice(0)) await floor.close()
})

async function opened(journal: MemoryJournal) {
  const { floor, members } = await Floor.open([1000, 1000], null, journal)
  floors.push(floor)
  const [a, b] = members as [Member, Member]
  return { floor, members: [a, b] as const }
}
const exit = (serial: bigint, token: number): QueuedRequest => ({
  kind: 'forcedExit',
  serial,
  account: Number(16n + serial),
  token,
  to: 7n,
})

describe('a forced exit', () => {
  it('is paid from the free vault of its record, in every replay too', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await opened(journal)
    floor.l1.free = 5_000_000n
    floor.l1.forceExit(members[0].account, CASH)
    await floor.batch()
    expect(floor.l1.submitted.at(-1)?.forcedPayments).toEqual([5_000_000n])
    expect(floor.balance(members[0], CASH)).toBe(995_000_000n)
    floor.l1.free = 1n
    const { core } = await replay(journal.entries())
    expect(stateText(core)).toBe(stateText(floor.house.core))
    expect(core.ledger.tree.root).toBe(floor.l1.roots.at(-1))
  })

  it('leaves the owner key of its account as it is', async () => {
    const { floor, members } = await opened(new MemoryJournal())
    const before = floor.house.ledger.ownerKeys.get(members[0].account)
    floor.l1.forceExit(members[0].account, CASH)
    await floor.batch()
    expect(before).toBeDefined()
    expect(floor.house.ledger.ownerKeys.get(members[0].account)).toEqual(before)
    expect(floor.house.core.requests).toEqual([])
  })

  it('of a batch that L1 refused is counted anew', async () => {
    const { floor, members } = await opened(new MemoryJournal())
    const submit = floor.l1.submit.bind(floor.l1)
    floor.l1.submit = async () => {
      throw new BatchRefused('L1 refused the batch: Late()')
    }
    floor.l1.free = 5_000_000n
    floor.l1.forceExit(members[0].account, CASH)
    await expect(floor.batch()).rejects.toThrow('Late()')
    floor.l1.submit = submit
    floor.l1.free = 7_000_000n
    await floor.batch()
    expect(floor.l1.submitted.at(-1)?.forcedPayments).toEqual([7_000_000n])
  })

  it('of a batch that was on its way when the process ended is the same afterwards', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await opened(journal)
    const submit = floor.l1.submit.bind(floor.l1)
    floor.l1.submit = async () => {
      throw new Error('no answer')
    }
    floor.l1.free = 5_000_000n
    floor.l1.forceExit(members[0].account, CASH)
    await expect(floor.batch()).rejects.toThrow('no answer')
    floor.l1.submit = submit
    floor.l1.free = 7_000_000n
    const next = new Floor(null, journal, floor.l1)
    floors.push(next)
    await next.house.open()
    await next.batch()
    expect(next.l1.submitted.at(-1)?.forcedPayments).toEqual([5_000_000n])
  })

  it('waits while the latest table is indicative, and is served when the admin halts', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await opened(journal)
    const number = floor.l1.post(floor.rows.slice(1), false)
    floor.l1.forceExit(members[0].account, CASH)
    expect(await floor.batch()).toBeNull()
    expect(floor.house.core.requests).toHaveLength(1)
    floor.l1.setMode(1n)
    floor.l1.confirm(number)
    floor.l1.free = 5_000_000n
    await floor.batch()
    expect(floor.house.mode).toBe('reduceOnly')
    expect(floor.l1.submitted.at(-1)?.forcedPayments).toEqual([5_000_000n])
    const { core } = await replay(journal.entries())
    expect(stateText(core)).toBe(stateText(floor.house.core))
    expect(core.mode).toBe('reduceOnly')
  })

  it('that arrives while L1 is asked waits for the next batch', async () => {
    const { floor, members } = await opened(new MemoryJournal())
    floor.l1.forceExit(members[0].account, CASH)
    floor.l1.onFreeVault = async () => {
      floor.l1.onFreeVault = async () => {}
      floor.l1.forceExit(members[1].account, 2)
      await floor.house.watch()
    }
    await floor.batch()
    expect(floor.l1.submitted.at(-1)?.requestCount).toBe(1)
    expect(floor.house.core.requests.map(({ account }) => account)).toEqual([members[1].account])
  })
})

describe('the queue as it can be served', () => {
  it('ends before the first token that nobody looked up, and takes zero for an answer', () => {
    const queue = [exit(0n, 1), exit(1n, 2), exit(2n, 1)]
    const tokens = (vaults: ReadonlyMap<number, bigint>) =>
      servable(queue, vaults).map((r) => (r.kind === 'forcedExit' ? r.freeVault : null))
    expect(tokens(new Map())).toEqual([])
    expect(tokens(new Map([[2, 9n]]))).toEqual([])
    expect(tokens(new Map([[1, 0n]]))).toEqual([0n])
    expect(
      tokens(
        new Map([
          [1, 0n],
          [2, 9n],
        ]),
      ),
    ).toEqual([0n, 9n, 0n])
  })
})
