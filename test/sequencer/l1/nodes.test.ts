/** Nodes that lie, lag, cut their answers or fall silent: outvoted or waited for, and named. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NoAgreement } from '../../../sequencer/l1/pool.ts'
import type { SimNode } from './sim-nodes.ts'
import { batch, jobOf, watched, worldOf, type World } from './world.ts'

const nodeOf = (world: World, i: number): SimNode => world.nodes[i] as SimNode
const kinds = (world: World): readonly string[] => world.alarms.map(({ what }) => what)
const honest: SimNode['lie'] = (_method, _params, answer) => answer
/** Changes one field of the answers to a method. */
const liar =
  (method: string, change: (answer: never) => unknown): SimNode['lie'] =>
  (asked, _params, answer) =>
    asked === method ? change(answer as never) : answer
const otherHash = (block: { hash: string }) => ({ ...block, hash: `0x${'ab'.repeat(32)}` })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('one liar of three', () => {
  const lies: readonly (readonly [string, SimNode['lie']])[] = [
    ['eth_getLogs', liar('eth_getLogs', () => [])],
    ['eth_getLogs', liar('eth_getLogs', (logs: object[]) => [...logs, ...logs])],
    ['eth_getBlockByNumber', liar('eth_getBlockByNumber', otherHash)],
    ['eth_call', liar('eth_call', () => `0x${'00'.repeat(31)}09`)],
  ]
  it.each(lies)('about %s is outvoted and named once', async (method, lie) => {
    const world = worldOf({ count: 3 })
    nodeOf(world, 0).lie = lie
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(5)
    expect((await world.l1.news()).deposits).toHaveLength(1)
    expect(await world.l1.rootOf(1n)).toBeNull()
    expect(await world.l1.rootOf(1n)).toBeNull()
    await world.pass(1)
    expect(kinds(world)).toEqual(['l1Disagrees'])
    expect(world.alarms[0]?.detail).toBe(
      `node0:8545 contradicts node1:8545, node2:8545 in ${method}`,
    )
    // Keys stand in such addresses.
    expect(world.alarms[0]?.detail).not.toContain('secret')
  })

  it('that is honest again is named again when it lies again', async () => {
    const world = worldOf({ count: 3 })
    world.mine(5)
    for (const lie of [
      liar('eth_getBlockByNumber', otherHash),
      honest,
      liar('eth_getBlockByNumber', otherHash),
    ]) {
      nodeOf(world, 1).lie = lie
      await world.l1.news()
      await world.pass(1, false)
    }
    expect(kinds(world)).toEqual(['l1Disagrees', 'l1Disagrees'])
  })

  it('that claims a higher block or an old one does not move the head', async () => {
    for (const claim of ['0xffff', '0x1']) {
      const world = worldOf({ count: 3 })
      nodeOf(world, 2).lie = liar('eth_blockNumber', () => claim)
      world.chain.deposit(1n, 1, 100n, 9n)
      world.mine(40)
      expect((await world.l1.news()).deposits).toHaveLength(1)
      expect(world.l1.chain.pool.quorum).toBe(2)
      expect(await world.l1.chain.pool.height()).toBe(40)
      expect(kinds(world)).toEqual(claim === '0x1' ? ['l1Behind'] : [])
    }
  })
})

describe('two that must agree', () => {
  it('and do not: nothing is believed, an alarm is given, and it goes on by itself', async () => {
    const world = worldOf({ count: 2 })
    nodeOf(world, 1).lie = liar('eth_getLogs', () => [])
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(5)
    await expect(world.l1.news()).rejects.toThrow(NoAgreement)
    expect(world.alarms.at(-1)?.detail).toContain(
      'node0:8545, node1:8545 say different things in eth_getLogs',
    )
    nodeOf(world, 1).lie = honest
    expect((await world.l1.news()).deposits).toHaveLength(1)
  })
})

describe('silence', () => {
  it('of one of three slows nobody down, and is named', async () => {
    const world = worldOf({ count: 3 })
    nodeOf(world, 0).isSilent = true
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(5)
    const news = watched(world.l1.news())
    await world.pass(2, false)
    expect(news.value?.deposits).toHaveLength(1)
    await world.pass(5, false)
    expect(world.alarms).toEqual([{ what: 'l1Silent', detail: 'node0:8545: silent for 5000 ms' }])
  })

  it('of all: the root is waited for, no crash, and L1 comes back', async () => {
    const world = worldOf({ count: 3 })
    world.mine(5)
    for (const node of world.nodes) node.isSilent = true
    const root = watched(world.l1.rootOf(1n))
    const news = watched(world.l1.news())
    await world.pass(60)
    expect(root.state).toBe('open')
    expect(news.error).toBeInstanceOf(NoAgreement)
    expect(kinds(world)).toContain('l1Silent')
    for (const node of world.nodes) node.isSilent = false
    await world.pass(10)
    expect(root).toEqual({ state: 'done', value: null })
    expect((await world.l1.news()).nextBlock).toBeGreaterThan(0)
  })

  it('of all in the middle of a batch: it settles once when they are back', async () => {
    const world = worldOf({ count: 3 })
    world.mine(5)
    const { job, recorded } = jobOf(1n)
    const sent = watched(world.l1.submit(batch(1n, 1000n, 1001n), job))
    await world.pass(2, false)
    expect(recorded).toHaveLength(1)
    for (const node of world.nodes) node.isSilent = true
    await world.pass(120)
    expect(sent.state).toBe('open')
    for (const node of world.nodes) node.isSilent = false
    await world.pass(60)
    expect(sent.state).toBe('done')
    expect(world.chain.roots).toEqual([1001n])
    expect(world.chain.handed.get(1n)?.size).toBe(1)
  })
})

describe('answers that are none', () => {
  const cuts: readonly (readonly [string, (text: string) => string])[] = [
    ['half a text', (text) => text.slice(0, text.length >> 1)],
    ['nothing', () => ''],
    ['the answer to something else', (text) => text.replace(/"id":\d+/, '"id":999999')],
    ['neither result nor error', () => '{"jsonrpc":"2.0","id":1}'],
    ['a list', () => '[]'],
    ['a page of a proxy', () => '<html>502 Bad Gateway</html>'],
    ['a result of another type', (text) => text.replace(/"result":.*/, '"result":{"a":1}}')],
    ['a huge number', (text) => text.replace(/"result":"[^"]*"/, '"result":"0xzz"')],
  ]
  it.each(cuts)('%s counts as silence: the others decide', async (_name, cut) => {
    const world = worldOf({ count: 3 })
    nodeOf(world, 1).cut = cut
    world.chain.deposit(1n, 1, 100n, 9n)
    world.mine(5)
    expect((await world.l1.news()).deposits).toHaveLength(1)
    expect(await world.l1.rootOf(1n)).toBeNull()
  })

  it.each(cuts.slice(0, 6))(
    '%s from the only node is an error, and no news',
    async (_name, cut) => {
      const world = worldOf()
      nodeOf(world, 0).cut = cut
      world.chain.deposit(1n, 1, 100n, 9n)
      world.mine(5)
      await expect(world.l1.news()).rejects.toThrow(NoAgreement)
      nodeOf(world, 0).cut = (text) => text
      expect((await world.l1.news()).deposits).toHaveLength(1)
    },
  )
})

describe('the quorum', () => {
  it.each([0, 4, 1.5, NaN])('of three nodes cannot be %d', (quorum) => {
    expect(() => worldOf({ count: 3, quorum })).toThrow('the L1 quorum must be 1 to 3')
  })
  it('is more than half by default', () => {
    for (const [count, quorum] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
      [5, 3],
    ] as const)
      expect(worldOf({ count }).l1.chain.pool.quorum).toBe(quorum)
  })
  it('needs an address', () => {
    expect(() => worldOf({ count: 0 })).toThrow('at least one address')
  })
})
