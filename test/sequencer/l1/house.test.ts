/** The house behind this door: what stops it, and what it does again after a restart. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tableOf } from '../../../circuits/table.ts'
import type { ShapeKey } from '../../../prover/artifacts.ts'
import { Diverged } from '../../../sequencer/core.ts'
import { House } from '../../../sequencer/house.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import { decodeRecord, type Kind } from '../../../sequencer/journal/record.ts'
import { SequencerL1 } from '../../../sequencer/l1.ts'
import { row } from '../../law/house.ts'
import { prepare } from '../simulation/service.ts'
import {
  FEE,
  FEE_VIEW_KEY,
  FUTURE,
  genesisRoot,
  SHAPE,
  simDeployment,
} from '../simulation/settings.ts'
import { ADDRESS, proofOf, SimChain } from './sim-chain.ts'
import { nodesOf } from './sim-nodes.ts'
import { KEY, watched } from './world.ts'

const table = tableOf([row(FUTURE, 50_000_000n)])
const houses: House[] = []

/** More than the house takes for anything that it does between two timers: a batch built, and its records. */
const TURNS = 32
const STEP_MILLISECONDS = 50
/**
 * Time passes, and none of it before the house has done what there is to do: how many turns of the loop a
 * machine finds time for beside one that fires is by chance.
 */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += STEP_MILLISECONDS) {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(STEP_MILLISECONDS)
  }
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(async () => {
  for (const house of houses.splice(0)) await house.close()
  vi.useRealTimers()
})

function worldOf(proofSeconds = 0) {
  const operator = new SequencerL1('http://nowhere', ADDRESS, KEY).operator
  const chain = new SimChain(operator, genesisRoot)
  const { nodes, urls, transport } = nodesOf(chain, 1)
  const journal = new MemoryJournal()
  const fatal: Error[] = []
  const proofs = { made: 0 }
  const open = (): House => {
    const house = new House({
      rpcUrl: '',
      deployment: simDeployment(),
      domain: 12345n,
      l1: new SequencerL1(urls, ADDRESS, KEY, {
        transport,
        confirmations: 3,
        pollMilliseconds: 500,
      }),
      prove: async (_key, input) => {
        proofs.made++
        if (proofSeconds > 0)
          await new Promise((resolve) => setTimeout(resolve, 1_000 * proofSeconds))
        return proofOf(input)
      },
      feeAccountViewKey: FEE_VIEW_KEY,
      keys: [
        { shape: SHAPE, keyHash: '22'.repeat(32), zkeyPath: 'x.development.zkey' } as ShapeKey,
      ],
      fee: FEE,
      tableByRoot: () => table,
      log: () => {},
      journal,
      onFatal: (error) => void fatal.push(error),
    })
    houses.push(house)
    return house
  }
  const kinds = (): readonly Kind[] => journal.payloads.map((p) => decodeRecord(p).input.kind)
  const mine = (blocks: number): void => {
    for (let i = 0; i < blocks; i++) chain.mine(Math.floor(Date.now() / 1000) + 1)
  }
  return { chain, open, fatal, proofs, kinds, mine, nodes }
}

describe('a house', () => {
  it('stops when a block that its journal stands on vanishes, and records nothing of the other fork', async () => {
    const { chain, open, fatal, kinds, mine } = worldOf()
    const house = open()
    prepare(chain)
    mine(3)
    await house.watch()
    expect(kinds()).toEqual(['genesis', 'l1'])
    chain.reorg(3, () => false)
    chain.deposit(9n, 1, 5n, 5n)
    mine(5)
    await expect(house.watch()).rejects.toThrow(Diverged)
    expect(fatal.map(({ message }) => message)).toEqual([
      expect.stringContaining('reorganised below block 1'),
    ])
    expect(kinds()).toEqual(['genesis', 'l1'])
    // Nor does the next run go on.
    await expect(open().watch()).rejects.toThrow(Diverged)
  })

  it('that ends between sending and the depth follows the same transaction, without a new proof', async () => {
    const { chain, open, proofs, kinds, mine } = worldOf()
    const first = open()
    prepare(chain)
    mine(3)
    await first.countersign(ADDRESS, { x: 0n, y: 1n }, 16n)
    await first.countersign(ADDRESS, { x: 0n, y: 1n }, 17n)
    const before = watched(first.runBatch())
    await pass(3_000)
    expect(kinds().slice(-2)).toEqual(['proven', 'sent'])
    mine(1)
    first.l1.close()
    await pass(1_000)
    expect(before.state).toBe('failed')
    expect(chain.roots).toHaveLength(1)
    const next = open()
    const after = watched(next.runBatch())
    await pass(3_000)
    // In a block, and not deep enough to count.
    expect(after.state).toBe('open')
    mine(2)
    await pass(3_000)
    expect(after.state).toBe('done')
    expect(after.value).toMatchObject({ number: 1n, gas: 100_000n })
    expect(proofs.made).toBe(1)
    expect(kinds().filter((kind) => kind === 'sent')).toHaveLength(1)
    expect(kinds().at(-1)).toBe('accepted')
    expect(next.core.sent.size).toBe(0)
    expect(next.ledger.tree.root).toBe(chain.roots[0])
  })

  it('sends a batch again that a fork has thrown out, and the one proven behind it after that', async () => {
    const { chain, open, proofs, kinds, mine } = worldOf()
    const house = open()
    prepare(chain)
    mine(3)
    for (const viewKey of [16n, 17n]) await house.countersign(ADDRESS, { x: 0n, y: 1n }, viewKey)
    const one = watched(house.runBatch())
    await pass(3_000)
    mine(2)
    const other = watched(house.runBatch({ isDue: true }))
    await pass(3_000)
    expect(chain.roots).toHaveLength(1)
    expect(house.core.next?.isProven).toBe(true)
    const [root] = chain.roots
    chain.reorg(2)
    mine(2)
    await pass(3_000)
    // In a block again, and not deep enough: neither is anything sent of the second.
    expect([one.state, other.state]).toEqual(['open', 'open'])
    expect(kinds().slice(-4)).toEqual(['proven', 'sent', 'batch', 'proven'])
    mine(1)
    await pass(3_000)
    expect(one.value).toMatchObject({ number: 1n, root })
    expect(kinds().slice(-2)).toEqual(['accepted', 'sent'])
    mine(3)
    await pass(3_000)
    expect(other.value).toMatchObject({ number: 2n, pages: 0 })
    expect(proofs.made).toBe(2)
    expect([...chain.handed.values()].map(({ size }) => size)).toEqual([1, 1])
    expect(house.ledger.tree.root).toBe(chain.roots.at(-1))
  })

  it('proves the next batch while L1 buries the last: more of them in the same time', async () => {
    const isLong = process.env['CLOISTER_LONG'] !== undefined
    const MINUTES = isLong ? 20 : 5
    /** Batches of cover on an L1 at depth 3, each asked for as soon as that is allowed. */
    const count = async (
      block: number,
      proofSeconds: number,
      isOverlapping: boolean,
    ): Promise<number> => {
      const { chain, open, mine } = worldOf(proofSeconds)
      const house = open()
      prepare(chain)
      mine(3)
      for (const viewKey of [16n, 17n]) await house.countersign(ADDRESS, { x: 0n, y: 1n }, viewKey)
      let isOver = false
      const ask = (): void => {
        if (isOver) return
        const wish = isOverlapping ? { isDue: true, onHanded: () => ask() } : { isDue: true }
        const made = house.runBatch(wish).catch(() => {})
        if (!isOverlapping) void made.then(ask)
      }
      ask()
      for (let second = 1; second <= MINUTES * 60; second++) {
        await pass(1_000)
        if (second % block === 0) mine(1)
      }
      isOver = true
      return house.core.batches.length
    }
    const figures: string[] = []
    const all = [
      [12, 10],
      [12, 30],
      [12, 60],
      [2, 10],
    ] as const
    for (const [block, proof] of isLong ? all : all.slice(0, 2)) {
      const [alone, both] = [await count(block, proof, false), await count(block, proof, true)]
      const [a, b] = [alone, both].map((n) => (n / MINUTES).toFixed(2))
      const ratio = both / alone
      figures.push(
        `blocks of ${block} s, proof ${proof} s: ${a} and ${b} a minute, ${ratio.toFixed(2)}`,
      )
      // A proof that is ready within the block that the last one was accepted in gains nothing.
      expect(ratio).toBeGreaterThan(proof > block ? 1.3 : 0.99)
    }
    console.log(figures.join('\n'))
  })

  it('meets nodes that are behind those it asked before, and goes on; a chain that was put back stops it', async () => {
    const { chain, open, mine, nodes } = worldOf()
    const first = open()
    prepare(chain)
    mine(3)
    for (const viewKey of [16n, 17n]) await first.countersign(ADDRESS, { x: 0n, y: 1n }, viewKey)
    const batch = watched(first.runBatch())
    await pass(3_000)
    mine(3)
    await pass(3_000)
    expect(batch.state).toBe('done')
    for (const node of nodes) node.lag = 2
    expect(await first.l1.rootOf(1n)).toBeNull()
    await open().meetL1()
    for (const node of nodes) node.lag = 3
    await expect(open().meetL1()).rejects.toThrow('L1 does not have it')
  })
})
