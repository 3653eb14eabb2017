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
  feeAccount,
  FEE_VIEW_KEY,
  FUTURE,
  genesisRoot,
  SHAPE,
} from '../simulation/settings.ts'
import { ADDRESS, nodesOf, proofOf, SimChain } from './sim-chain.ts'
import { KEY, watched } from './world.ts'

const table = tableOf([row(FUTURE, 50_000_000n)])
const houses: House[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(async () => {
  for (const house of houses.splice(0)) await house.close()
  vi.useRealTimers()
})

function worldOf() {
  const operator = new SequencerL1('http://nowhere', ADDRESS, KEY).operator
  const chain = new SimChain(operator, genesisRoot)
  const { nodes, urls, transport } = nodesOf(chain, 1)
  const journal = new MemoryJournal()
  const fatal: Error[] = []
  const proofs = { made: 0 }
  const open = (): House => {
    const house = new House({
      rpcUrl: '',
      deployment: {
        contract: ADDRESS,
        token: ADDRESS,
        chainId: 31337n,
        feeAccount: feeAccount(),
        shapeIds: new Map([[SHAPE.name, 1n]]),
      },
      domain: 12345n,
      l1: new SequencerL1(urls, ADDRESS, KEY, {
        transport,
        confirmations: 3,
        pollMilliseconds: 500,
      }),
      prove: async (_key, input) => {
        proofs.made++
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
    await vi.advanceTimersByTimeAsync(3_000)
    expect(kinds().slice(-2)).toEqual(['proven', 'sent'])
    mine(1)
    first.l1.close()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(before.state).toBe('failed')
    expect(chain.roots).toHaveLength(1)
    const next = open()
    const after = watched(next.runBatch())
    await vi.advanceTimersByTimeAsync(3_000)
    // In a block, and not deep enough to count.
    expect(after.state).toBe('open')
    mine(2)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(after.state).toBe('done')
    expect(after.value).toMatchObject({ number: 1n, gas: 100_000n })
    expect(proofs.made).toBe(1)
    expect(kinds().filter((kind) => kind === 'sent')).toHaveLength(1)
    expect(kinds().at(-1)).toBe('accepted')
    expect(next.core.sent.size).toBe(0)
    expect(next.ledger.tree.root).toBe(chain.roots[0])
  })

  it('meets nodes that are behind those it asked before, and goes on; a chain that was put back stops it', async () => {
    const { chain, open, mine, nodes } = worldOf()
    const first = open()
    prepare(chain)
    mine(3)
    for (const viewKey of [16n, 17n]) await first.countersign(ADDRESS, { x: 0n, y: 1n }, viewKey)
    const batch = watched(first.runBatch())
    await vi.advanceTimersByTimeAsync(3_000)
    mine(3)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(batch.state).toBe('done')
    for (const node of nodes) node.lag = 2
    expect(await first.l1.rootOf(1n)).toBeNull()
    await open().meetL1()
    for (const node of nodes) node.lag = 3
    await expect(open().meetL1()).rejects.toThrow('L1 does not have it')
  })
})
