/** What happened on L1 counts at a depth, once, and never from a block that vanished. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Diverged } from '../../../sequencer/core.ts'
import { worldOf, type World } from './world.ts'

const ids = async (world: World): Promise<readonly bigint[]> =>
  (await world.l1.news()).deposits.map(({ id }) => id)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('confirmations', () => {
  it.each([0, 1, 2, 5])(
    '%i: an event counts when its block has so many, no block earlier',
    async (confirmations) => {
      const world = worldOf({ confirmations })
      world.mine(8)
      expect(await ids(world)).toEqual([])
      world.chain.deposit(1n, 1, 100n, 9n)
      for (let blocks = 1; blocks < Math.max(confirmations, 1); blocks++) {
        world.mine()
        expect(await ids(world)).toEqual([])
      }
      world.mine()
      expect(await ids(world)).toEqual([1n])
      world.mine(3)
      expect(await ids(world)).toEqual([])
    },
  )

  it.each([-1, 1.5, NaN])('cannot be %d', (confirmations) => {
    expect(() => worldOf({ confirmations })).toThrow('confirmations must be a whole number')
  })

  it('on a chain that is shorter than the depth nothing counts yet', async () => {
    const world = worldOf({ confirmations: 5 })
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(3)
    expect(await ids(world)).toEqual([])
    expect(await world.l1.rootOf(1n)).toBeNull()
    world.mine(2)
    expect(await ids(world)).toEqual([1n])
  })
})

describe('a reorganisation', () => {
  it('within the depth takes a deposit away before anybody knew of it', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(2)
    expect(await ids(world)).toEqual([])
    world.chain.reorg(2, () => false)
    world.mine(6)
    expect(await ids(world)).toEqual([])
  })

  it('within the depth that puts it into another block gives it once', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(2)
    expect(await ids(world)).toEqual([])
    world.chain.reorg(2)
    world.mine(3)
    expect(await ids(world)).toEqual([1n])
    world.mine(3)
    expect(await ids(world)).toEqual([])
    expect(world.alarms).toEqual([])
  })

  it('below what the journal stands on stops the house, by name', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(3)
    expect(await ids(world)).toEqual([1n])
    world.chain.reorg(3, () => false)
    world.mine(4)
    const error = await world.l1.news().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Diverged)
    expect((error as Error).message).toContain('reorganised below block 1')
    expect((error as Error).message).toContain('deeper than 3 confirmations')
    expect(world.alarms.map(({ what }) => what)).toEqual(['l1Reorg'])
  })

  it('below blocks of which nothing was recorded reads them again, with an alarm', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(8)
    expect(await ids(world)).toEqual([1n])
    // Seven blocks on, without news: the journal still stands on block 6.
    world.mine(7)
    expect(await ids(world)).toEqual([])
    world.chain.reorg(6, () => false)
    world.chain.deposit(2n, 1, 100n, 9n)
    world.mine(7)
    expect(await ids(world)).toEqual([2n])
    expect(world.alarms.map(({ what }) => what)).toEqual(['l1Reorg'])
  })

  it('between two runs is found by the hash that the journal has', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(3)
    const { nextBlock, blockHash } = await world.l1.news()
    const next = world.open()
    next.resumeAt(nextBlock as number, blockHash)
    world.mine(2)
    expect((await next.news()).deposits).toEqual([])
    world.chain.reorg(5, () => false)
    world.mine(6)
    const again = world.open()
    again.resumeAt(nextBlock as number, blockHash)
    await expect(again.news()).rejects.toThrow(Diverged)
  })

  it('that makes the chain shorter for a while says nothing yet', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(3)
    expect(await ids(world)).toEqual([1n])
    const gone = world.chain.blocks.splice(2)
    expect(await ids(world)).toEqual([])
    world.chain.blocks.push(...gone)
    world.mine(2)
    expect(await ids(world)).toEqual([])
    expect(world.alarms).toEqual([])
  })

  it('while the events are read gives none of them', async () => {
    const world = worldOf()
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(3)
    const [node] = world.nodes
    if (node === undefined) throw new Error('no node')
    node.lie = (method, _params, answer) => {
      if (method !== 'eth_getLogs') return answer
      node.lie = (_method, _given, honest) => honest
      world.chain.reorg(3)
      world.mine(4)
      return answer
    }
    await expect(world.l1.news()).rejects.toThrow('changed while its events were read')
    expect(await ids(world)).toEqual([1n])
  })
})

it('what was not recorded is news again', async () => {
  const world = worldOf()
  world.chain.deposit(1n, 1, 100n, 9n)
  world.mine(3)
  expect(await ids(world)).toEqual([1n])
  world.l1.resumeAt(0)
  expect(await ids(world)).toEqual([1n])
})

it('nothing before the block of the deployment is looked at', async () => {
  const world = worldOf({ firstBlock: 3 })
  world.chain.deposit(1n, 1, 100n, 9n)
  world.mine(2)
  world.chain.deposit(2n, 1, 100n, 9n)
  world.mine(5)
  world.l1.resumeAt(0)
  expect(await ids(world)).toEqual([2n])
})
