/** More on L1 than one record holds, or one answer of a node: it is taken in parts, and nothing twice. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ROW_VALUE_COUNT, TABLE_ROW_COUNT } from '../../../circuits/params.ts'
import { tableOf, type Table } from '../../../circuits/table.ts'
import { Diverged } from '../../../sequencer/core.ts'
import { House } from '../../../sequencer/house.ts'
import { encode, type Plain } from '../../../sequencer/journal/codec.ts'
import {
  JournalError,
  MemoryJournal,
  RECORD_BYTES_UPPER_BOUND,
  type Journal,
} from '../../../sequencer/journal/journal.ts'
import { decodeRecord, encodeRecord, type L1Seen } from '../../../sequencer/journal/record.ts'
import { replay, stateText } from '../../../sequencer/journal/replay.ts'
import { SequencerL1 } from '../../../sequencer/l1.ts'
import { coderOf } from '../../../sequencer/l1/ethers.ts'
import { LOOK_BYTES } from '../../../sequencer/l1/follower.ts'
import { newsOf, NO_NEWS } from '../../../sequencer/l1/news.ts'
import { NoAgreement } from '../../../sequencer/l1/pool.ts'
import { contractsOf } from '../../../sequencer/solidity.ts'
import { row } from '../../law/house.ts'
import { FEE, FEE_VIEW_KEY, FUTURE, simDeployment } from '../simulation/settings.ts'
import { ADDRESS, SimChain } from './sim-chain.ts'
import { nodesOf } from './sim-nodes.ts'
import { KEY, worldOf, type World } from './world.ts'

/** Of the largest words that an event may have. */
const WORD = (1n << 254n) - 1n
const LARGEST = {
  RequestQueued: [(1n << 40n) - 1n, (1n << 18n) - 1n, 1, WORD, WORD, WORD],
  Deposited: [(1n << 40n) - 1n, ADDRESS, 1023, (1n << 55n) - 1n, WORD],
  RefundRequested: [(1n << 40n) - 1n, 1n << 40n],
} as const
/**
 * What each costs at the least in new words of storage, at 22,100 gas a word, or in one that is changed, at
 * 5,000: who calls through a contract of its own shares the 21,000 of a transaction among thousands.
 */
const LEAST_GAS = { RequestQueued: 66_300n, Deposited: 44_200n, RefundRequested: 5_000n }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

function eventOf(name: keyof typeof LARGEST) {
  const coder = coderOf(contractsOf()['Cloister'] ?? { abi: [] })
  const chain = new SimChain(ADDRESS)
  chain.emit(name, ...LARGEST[name])
  const [log] = chain.mine(1).logs
  if (log === undefined) throw new Error('no event')
  const event = coder.event({ ...log, blockNumber: 1, index: 0 })
  if (event === null) throw new Error(`${name} is no event of the contract`)
  return event
}
const bytesOf = (names: readonly (keyof typeof LARGEST)[]): number =>
  encode(newsOf(names.map(eventOf)) as unknown as Plain).length

describe('what fits a record', () => {
  it.each(Object.keys(LARGEST) as (keyof typeof LARGEST)[])(
    'a block full of %s does, whatever it holds, up to a billion gas',
    (name) => {
      const one = bytesOf([name, name]) - bytesOf([name])
      const most = (1_000_000_000n / LEAST_GAS[name]) * BigInt(one)
      expect(Number(most)).toBeLessThan(RECORD_BYTES_UPPER_BOUND - LOOK_BYTES)
    },
  )

  it('two of the largest tables beside a full look do', () => {
    const values = Array.from({ length: ROW_VALUE_COUNT }, () => -(1n << 62n))
    const rows = Array.from({ length: TABLE_ROW_COUNT }, (_, i) => ({
      id: (1 << 27) + i,
      status: 'live' as const,
      addOn: (1n << 62n) - 1n,
      values,
    }))
    const posted = { number: 1n << 60n, root: WORD, flags: WORD, rows }
    const seen: L1Seen = { ...NO_NEWS, tables: [posted, posted], nextBlock: 1 }
    const { length } = encodeRecord({ at: 1e12, input: { kind: 'l1', seen } })
    expect(length + LOOK_BYTES).toBeLessThan(RECORD_BYTES_UPPER_BOUND)
  })
})

/** Takes all there is; the ids of each part. */
async function parts(world: World): Promise<readonly (readonly bigint[])[]> {
  const taken: (readonly bigint[])[] = []
  for (;;) {
    const { deposits, isPart = false } = await world.l1.news()
    taken.push(deposits.map(({ id }) => id))
    if (!isPart) return taken
  }
}
/** One deposit a block, or as many as the list says. */
function deposited(world: World, counts: readonly number[]): void {
  let id = 0n
  for (const count of counts) {
    for (let i = 0; i < count; i++) world.chain.deposit(++id, 1, 100n, 9n)
    world.mine()
  }
  world.mine(2)
}
/** Of a block with one such deposit. */
const deposit = { id: 1n, token: 1, amount: 100n, commitment: 9n }
const ONE = encode({ ...NO_NEWS, deposits: [deposit] } as unknown as Plain).length

describe('a look', () => {
  it.each([
    [3 * ONE, [[1n, 2n, 3n]]],
    [3 * ONE - 1, [[1n, 2n], [3n]]],
    [2 * ONE, [[1n, 2n], [3n]]],
    [2 * ONE - 1, [[1n], [2n], [3n]]],
    [ONE, [[1n], [2n], [3n]]],
    [1, [[1n], [2n], [3n]]],
  ])('of %d bytes ends before the block that is too much', async (lookBytes, expected) => {
    const world = worldOf({ lookBytes })
    deposited(world, [1, 1, 1])
    expect(await parts(world)).toEqual(expected)
    expect(await parts(world)).toEqual([[]])
  })

  it('never ends within a block, and not at one without events', async () => {
    const world = worldOf({ lookBytes: ONE })
    deposited(world, [0, 3, 0, 0, 1, 1])
    expect(await parts(world)).toEqual([[1n, 2n, 3n], [4n], [5n]])
  })

  it('that was not recorded is taken again, from the part that was', async () => {
    const world = worldOf({ lookBytes: ONE })
    deposited(world, [1, 1, 1])
    const first = await world.l1.news()
    expect(first).toMatchObject({ nextBlock: 2, blockHash: world.chain.blocks[1]?.hash })
    expect((await world.l1.news()).deposits).toEqual([{ ...deposit, id: 2n }])
    world.l1.resumeAt(first.nextBlock as number, first.blockHash)
    expect(await parts(world)).toEqual([[2n], [3n]])
    const again = world.open()
    again.resumeAt(first.nextBlock as number, first.blockHash)
    expect((await again.news()).deposits).toEqual([{ ...deposit, id: 2n }])
  })

  it.each([
    ['what stands behind a part, it is read on the new fork', 3, [[2n]]],
    ['a part, that stops the house', 4, null],
  ])('when a fork changes %s', async (_what, depth, expected) => {
    const world = worldOf({ lookBytes: ONE })
    deposited(world, [1, 1])
    expect((await world.l1.news()).deposits).toHaveLength(1)
    world.chain.reorg(depth)
    world.mine(5)
    if (expected === null) await expect(world.l1.news()).rejects.toThrow(Diverged)
    else expect(await parts(world)).toEqual(expected)
  })

  it('whose end vanishes while it is read gives nothing of it', async () => {
    const world = worldOf({ lookBytes: ONE })
    deposited(world, [1, 1])
    const [node] = world.nodes
    if (node === undefined) throw new Error('no node')
    node.lie = (method, _params, answer) => {
      if (method !== 'eth_getLogs') return answer
      node.lie = (_method, _given, honest) => honest
      world.chain.reorg(4)
      world.mine(5)
      return answer
    }
    await expect(world.l1.news()).rejects.toThrow('changed while its events were read')
    expect((await parts(world)).flat()).toEqual([1n, 2n])
  })
})

describe('nodes that give', () => {
  /** Looks until all is taken, as the house does twice a second. */
  const all = async (world: World, most = 100): Promise<readonly bigint[]> => {
    const ids: bigint[] = []
    for (let look = 0; look < most; look++) {
      const found = await world.l1.news().catch((error: unknown) => {
        if (error instanceof NoAgreement) return null
        throw error
      })
      if (found === null) continue
      ids.push(...found.deposits.map(({ id }) => id))
      if (found.isPart !== true) return ids
    }
    throw new Error(`not taken in ${most} looks: ${ids.length}`)
  }
  const counts = Array.from({ length: 60 }, (_, i) => (i % 7 === 3 ? 5 : i % 2))
  const total = counts.reduce((a, b) => a + b)
  const expected = Array.from({ length: total }, (_, i) => BigInt(i + 1))

  it.each([5, 6, 9, 20])(
    'at most %d events an answer are asked about fewer blocks',
    async (most) => {
      const world = worldOf()
      deposited(world, counts)
      for (const node of world.nodes)
        node.lie = (method, _params, answer) => {
          if (method !== 'eth_getLogs' || (answer as object[]).length <= most) return answer
          throw new Error('query returned more results than allowed')
        }
      expect(await all(world)).toEqual(expected)
      expect(await all(world)).toEqual([])
    },
  )

  it('nothing at all where there is much are asked about fewer blocks, too', async () => {
    const world = worldOf({ count: 3, timeoutMilliseconds: 50 })
    deposited(world, counts)
    for (const node of world.nodes)
      node.cut = (text) => (text.length > 4_000 ? text.slice(0, 4_000) : text)
    expect(await all(world)).toEqual(expected)
  })

  it('nothing for a while are asked about all of it soon again', async () => {
    const world = worldOf()
    deposited(world, counts)
    const [node] = world.nodes
    if (node === undefined) throw new Error('no node')
    node.lie = (method, _params, answer) => {
      if (method !== 'eth_getLogs') return answer
      throw new Error('busy')
    }
    for (let i = 0; i < 20; i++) await expect(world.l1.news()).rejects.toThrow(NoAgreement)
    node.lie = (_method, _params, answer) => answer
    // 1, 2, 4, ... blocks: six questions for 63, in one look.
    expect(await parts(world)).toEqual([expected])
  })

  it('events in another order are understood', async () => {
    const world = worldOf()
    deposited(world, [2, 1])
    for (const node of world.nodes)
      node.lie = (method, _params, answer) =>
        method === 'eth_getLogs' ? [...(answer as object[])].reverse() : answer
    expect(await parts(world)).toEqual([[1n, 2n, 3n]])
  })
})

/** A house on the chain; `tables` are those whose rows are still served. */
function houseOn(chain: SimChain, lookBytes: number, tables: readonly Table[], journal: Journal) {
  const { urls, transport } = nodesOf(chain, 1)
  return new House({
    rpcUrl: '',
    deployment: simDeployment(),
    domain: 12345n,
    l1: new SequencerL1(urls, ADDRESS, KEY, { transport, confirmations: 1, lookBytes }),
    prove: () => Promise.reject(new Error('no prover')),
    feeAccountViewKey: FEE_VIEW_KEY,
    keys: [],
    fee: FEE,
    tableByRoot: (root) => tables.find((table) => table.root === root),
    log: () => {},
    journal,
  })
}

describe('a house that was away while much happened', () => {
  const tables = [1n, 2n, 3n, 4n].map((i) => tableOf([row(FUTURE, 50_000_000n * i)]))
  const served = tables.slice(2)

  function crowded(): SimChain {
    const chain = new SimChain(ADDRESS)
    const mine = (): void => void chain.mine(1_600_000_000)
    chain.emit('FeeSet', FEE)
    mine()
    for (const [i, table] of tables.entries()) {
      const id = BigInt(3 * i)
      chain.deposit(id + 1n, 1, 100n, 9n)
      chain.post(BigInt(i + 1), table.root)
      mine()
      chain.register(16 + i, i, { x: 0n, y: 1n }, 5n)
      chain.deposit(id + 2n, 1, 100n, 9n)
      mine()
      chain.deposit(id + 3n, 1, 100n, 9n)
      chain.emit('RefundRequested', id + 1n, 0)
      chain.emit(i % 2 === 0 ? 'FeeChanging' : 'FeeSet', 200n + id)
      mine()
      chain.emit('ModeSet', i % 2)
      if (i === 2) chain.emit('SettlementPosted', [1025, 1026], [7n, 8n], 0n)
      mine()
    }
    return chain
  }
  const records = ({ payloads }: MemoryJournal) =>
    payloads.map((payload) => decodeRecord(payload).input)

  it.each([1, 300, 600, 1_000, 2_000])(
    'knows after looks of %d bytes what it knows after one of all',
    async (lookBytes) => {
      const chain = crowded()
      const [whole, cut] = [new MemoryJournal(), new MemoryJournal()]
      const [one, other] = [
        houseOn(chain, LOOK_BYTES, served, whole),
        houseOn(chain, lookBytes, served, cut),
      ]
      await one.watch()
      await other.watch()
      expect(records(whole).map(({ kind }) => kind)).toEqual(['genesis', 'l1'])
      expect(records(cut).length).toBeGreaterThan(2)
      expect(stateText(other.core)).toBe(stateText(one.core))
      expect(stateText((await replay(cut.entries())).core)).toBe(stateText(one.core))
      // No word of how it was cut: such records are what they always were.
      for (const input of records(cut))
        if (input.kind === 'l1')
          expect(Object.keys(input.seen)).toEqual(
            expect.not.arrayContaining(['isPart', 'latestTable']),
          )
      await one.close()
      await other.close()
    },
  )

  it('is asked for the rows of no table that L1 takes no batch of, in whichever part that is', async () => {
    const house = houseOn(crowded(), 1, tables.slice(3), new MemoryJournal())
    await expect(house.watch()).rejects.toThrow('table 3 is posted but its rows are not known here')
    await house.close()
  })

  it('goes on behind the parts that were recorded when the disk is full, and after a restart', async () => {
    const chain = crowded()
    const whole = houseOn(chain, LOOK_BYTES, served, new MemoryJournal())
    await whole.watch()
    const journal = new MemoryJournal()
    let room = 4
    const full: Journal = {
      identity: journal.identity,
      get head() {
        return journal.head
      },
      append: async (payload) => {
        if (room-- > 0) return journal.append(payload)
        throw new JournalError('JournalMustHaveRoom', 'the disk is full')
      },
      entries: (after) => journal.entries(after),
      close: () => journal.close(),
    }
    const house = houseOn(chain, 1, served, full)
    await expect(house.watch()).rejects.toThrow('JournalMustHaveRoom')
    expect(journal.payloads).toHaveLength(4)
    room = 3
    await expect(house.watch()).rejects.toThrow('JournalMustHaveRoom')
    expect(journal.payloads).toHaveLength(7)
    const next = houseOn(chain, 1, served, journal)
    await next.watch()
    expect(stateText(next.core)).toBe(stateText(whole.core))
    await whole.close()
    await next.close()
  })
})
