/** The scan of L1: resumed, reorganised, damaged, limited and lied to. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { settledRow, settlementsOf } from '../../circuits/table.ts'
import { wordLayout } from '../../circuits/words.ts'
import type { BatchEvent, L1Event } from '../../client/l1/events.ts'
import { EventLog } from '../../client/l1/event-log.ts'
import type { Rebuilt } from '../../client/l1/ledger.ts'
import { compareWithViews, FaultError, rebuild } from '../../client/l1/rebuild.ts'
import { connect, ReadError, type L1 } from '../../client/l1/rpc.ts'
import { RefusedError } from '../../client/l1/transport.ts'
import { scan, type Scan } from '../../client/l1/scan.ts'
import { FakeNode } from './fake-node.ts'
import { HOME } from './seeded.ts'
import { SHAPE, SyntheticL1 } from './synthetic.ts'

let l1: SyntheticL1
/** Events after each batch: the chain at five moments. */
const moments: (readonly L1Event[])[] = []
/** The same up to the fourth batch, and another fifth. */
let fork: readonly L1Event[]
let node: FakeNode
let state: string

/** Five batches; two chains of one seed differ in the price of the last trade alone. */
function grown(lastPrice: bigint, onBatch: (events: readonly L1Event[]) => void): SyntheticL1 {
  const chain = new SyntheticL1(HOME, 'state')
  const [a, b] = [chain.join(), chain.join()]
  for (let i = 0; i < 5; i++) {
    const credits = [chain.deposit(a, 1_000_000_000n + BigInt(i)), chain.deposit(b, 2_000_000_000n)]
    const price = i === 4 ? lastPrice : 50_000_000n
    if (i > 0) chain.house.trade(a, b, [{ instrument: 1024, quantity: -1n, price }])
    chain.batch({ credits })
    onBatch([...chain.events])
  }
  return chain
}

beforeAll(() => {
  l1 = grown(50_000_000n, (events) => moments.push(events))
  fork = grown(50_000_001n, () => {}).events
})
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'cloister-state-'))
  node = new FakeNode(HOME, moments[4] ?? [])
})
afterEach(() => {
  node.stop()
  rmSync(state, { recursive: true, force: true })
})

const run = async (from: FakeNode | string = node, where: string | null = state): Promise<Scan> => {
  const l1 = await connect(typeof from === 'string' ? from : from.transport, HOME.contract)
  return scan(l1, where === null ? {} : { state: where })
}
const rootsOf = ({ rebuilt }: Scan): readonly bigint[] => rebuilt.summaries.map((b) => b.root)
const TRUE_ROOTS = (): readonly bigint[] =>
  l1.events.flatMap((e) => (e.kind === 'batch' ? [e.newRoot] : []))
const folder = (): string => join(state, `${HOME.chainId}-${HOME.contract.toLowerCase()}`)
const logsAsked = (): number => node.countOf('eth_getLogs')

describe('a second run', () => {
  it('reads only what is new and gives the same', async () => {
    node.grow(moments[1] ?? [])
    expect((await run()).replayedCount).toBe(2)
    node.grow(moments[4] ?? [])
    const first = node.calls.length
    const second = await run()
    expect(second).toMatchObject({ replayedCount: 3, resumedAt: 2n, mended: [] })
    const asked = node.calls.slice(first).filter(({ method }) => method === 'eth_getLogs')
    const from = asked.map(({ params }) => Number((params[0] as { fromBlock: string }).fromBlock))
    expect(Math.min(...from)).toBe((moments[1]?.at(-1)?.block ?? 0) + 1)
    expect(rootsOf(second)).toEqual(TRUE_ROOTS())
    const plain = await run(node, null)
    expect(second.rebuilt.tree.root).toBe(plain.rebuilt.tree.root)
    expect(second.rebuilt.deposits).toEqual(plain.rebuilt.deposits)
    expect(second.rebuilt.keyRequests).toEqual(plain.rebuilt.keyRequests)
    expect(second.rebuilt.totals).toEqual(plain.rebuilt.totals)
    expect([...second.log.events()]).toEqual([...plain.log.events()])
  })
  it('asks for no log and compares no batch again when nothing is new', async () => {
    await run()
    const [logs, views] = [logsAsked(), node.countOf('eth_call')]
    const again = await run()
    expect(again).toMatchObject({ replayedCount: 0, resumedAt: 5n })
    expect(logsAsked()).toBe(logs)
    // Counts, totals and batch 0 are looked up; each of the five batches is not.
    expect(node.countOf('eth_call') - views).toBeLessThan(views - 4)
  })
  it('after an interruption goes on from what was written', async () => {
    node.hinder = (method) =>
      method === 'eth_call' && node.countOf('eth_call') > 3 ? new ReadError('cut off') : null
    await expect(run()).rejects.toThrow('cut off')
    node.hinder = () => null
    const logs = logsAsked()
    expect(rootsOf(await run())).toEqual(TRUE_ROOTS())
    expect(logsAsked()).toBe(logs)
  })
})

describe('a reorganisation', () => {
  it('of the last batch is noticed, and the new last batch is the one shown', async () => {
    const old = await run()
    const last = l1.events.at(-1) as L1Event
    expect(fork.slice(0, -1)).toEqual(l1.events.slice(0, -1))
    node.reorganise(last.block, fork)
    const after = await run()
    expect(after.mended.join()).toContain(`block ${last.block} is another one now`)
    expect(rootsOf(after).slice(0, 4)).toEqual(rootsOf(old).slice(0, 4))
    expect(rootsOf(after)[4]).toBe((fork.at(-1) as BatchEvent).newRoot)
    expect(rootsOf(after)[4]).not.toBe(rootsOf(old)[4])
    // Back again, and with the block that held it not there yet.
    node.reorganise(last.block - 1, moments[3] ?? [], last.block - 1)
    expect(rootsOf(await run())).toEqual(rootsOf(old).slice(0, 4))
    node.grow(moments[4] ?? [])
    expect(rootsOf(await run())).toEqual(rootsOf(old))
  })
  it('deep under several segments goes back to the last good one', async () => {
    for (const events of moments) {
      node.grow(events)
      await run()
    }
    node.reorganise(0, moments[2] ?? [], 200)
    const after = await run()
    expect(rootsOf(after)).toEqual(TRUE_ROOTS().slice(0, 3))
    expect(after.resumedAt).toBe(0n)
  })
  it('during the reading is an error that says so, and leaves nothing behind', async () => {
    let asked = 0
    node.hinder = (method) => {
      if (method === 'eth_getLogs' && asked++ === 0) node.reorganise(0, moments[4] ?? [])
      return null
    }
    await expect(run()).rejects.toThrow('was replaced while it was read')
    expect(readdirSync(folder())).toEqual([])
  })
})

describe('a damaged state directory', () => {
  const SEGMENT = 'segment-00000000.jsonl'
  const damage: readonly (readonly [string, (path: string) => void, string])[] = [
    ['cut short', (p) => truncateSync(p, readFileSync(p).length - 1), 'damaged or cut short'],
    [
      'cut in half',
      (p) => truncateSync(p, Math.floor(readFileSync(p).length / 2)),
      'damaged or cut short',
    ],
    ['empty', (p) => truncateSync(p, 0), 'cannot be read'],
    ['one digit changed', (p) => flip(p, 0.7), 'damaged or cut short'],
    ['another format', (p) => edit(p, '"format":1', '"format":2'), 'of another format'],
    ['of another chain', (p) => edit(p, '"4242"', '"4243"'), 'about another contract'],
    ['another range', (p) => edit(p, '"fromBlock":0', '"fromBlock":1'), 'damaged or cut short'],
  ]
  it.each(damage)('segment %s is read again', async (_name, harm, why) => {
    await run()
    harm(join(folder(), SEGMENT))
    const again = await run()
    expect(rootsOf(again)).toEqual(TRUE_ROOTS())
    expect(again.mended.join()).toContain(why)
    expect(again.resumedAt).toBe(0n)
    expect((await run()).mended).toEqual([])
  })
  it('a later segment is dropped, earlier ones are kept', async () => {
    // The tail is full when a great many events come at once.
    const filler = Array.from({ length: 300 }, (_, i): L1Event => ({
      ...(moments[0]?.[0] as L1Event),
      kind: 'fee',
      fee: l1.house.fee,
      block: moments[0]?.at(-1)?.block ?? 0,
      index: 1 + i,
    }))
    node.grow([...(moments[0] ?? []), ...filler])
    await run()
    node.grow(
      [...(moments[0] ?? []), ...filler, ...(moments[4] ?? []).slice(moments[0]?.length)],
      300,
    )
    await run()
    expect(readdirSync(folder()).filter((f) => f.startsWith('segment')).length).toBe(2)
    flip(join(folder(), 'segment-00000001.jsonl'), 0.9)
    const logs = logsAsked()
    const again = await run()
    expect(again.mended.join()).toContain('segment-00000001.jsonl is damaged')
    expect(rootsOf(again)).toEqual(TRUE_ROOTS())
    expect(logsAsked() - logs).toBe(1)
    rmSync(join(folder(), SEGMENT))
    expect((await run()).mended.join()).toContain('is missing')
  })
  it('a damaged checkpoint costs a replay, no reading', async () => {
    await run()
    flip(join(folder(), 'checkpoint.json'), 0.5)
    const logs = logsAsked()
    const again = await run()
    expect(again).toMatchObject({ replayedCount: 5, resumedAt: 0n })
    expect(again.mended.join()).toContain('checkpoint.json is damaged')
    expect(logsAsked()).toBe(logs)
    rmSync(join(folder(), 'checkpoint.json'))
    expect(rootsOf(await run())).toEqual(TRUE_ROOTS())
  })
  it('a half written file of a run that died is cleared away', async () => {
    await run()
    writeFileSync(join(folder(), `${SEGMENT}.123.abcd.part`), 'half')
    expect(rootsOf(await run())).toEqual(TRUE_ROOTS())
    expect(readdirSync(folder()).some((f) => f.endsWith('.part'))).toBe(false)
  })
  it('that an untrue node filled is thrown away once L1 is asked honestly', async () => {
    // The liar tells of a batch less, and its views agree with it.
    node.grow(moments[3] ?? [], 200)
    await run()
    node.grow(moments[4] ?? [], 200)
    const again = await run()
    expect(rootsOf(again)).toEqual(TRUE_ROOTS())
    expect(again.mended.join()).toContain('everything was read again')
  })
  it('holds two contracts side by side', async () => {
    await run()
    const home = { chainId: HOME.chainId, contract: `0x${'C2'.repeat(20)}` }
    const second = new FakeNode(home, new SyntheticL1(home).events)
    const there = await connect(second.transport, home.contract)
    expect((await scan(there, { state })).rebuilt.batchNumber).toBe(0n)
    expect(readdirSync(state).length).toBe(2)
    expect((await run()).mended).toEqual([])
  })
})

describe('a register whose root the oracle made up', () => {
  const settlement = (root: bigint): L1Event => {
    const place = { block: node.head + 1, index: 0, transaction: `0x${'00'.repeat(32)}` }
    return { ...place, kind: 'settlement', ids: [1024], values: [7n], root }
  }
  it('keeps nobody from reading leaves, in this run and the next; what rests on it says so', async () => {
    node.grow([...(moments[4] ?? []), settlement(5n)])
    for (const resumedAt of [0n, 5n]) {
      const found = await run()
      expect(found.resumedAt).toBe(resumedAt)
      expect(rootsOf(found)).toEqual(TRUE_ROOTS())
      expect(found.rebuilt.registerRoot).toBe(5n)
      expect(found.rebuilt.faults.map(({ must }) => must)).toEqual([
        'SettlementRootMustFollowValues',
      ])
    }
    await expect(rebuild(node.transport, HOME.contract)).rejects.toThrow(
      'SettlementRootMustFollowValues',
    )
  })
  it('of which the node and the contract say different things is a lie of the node', async () => {
    node.grow([...(moments[4] ?? []), settlement(5n)])
    node.told = (events) => events.map((e) => (e.kind === 'settlement' ? { ...e, root: 6n } : e))
    await expect(run()).rejects.toThrow('ViewMustMatchEvents')
  })
})

describe('final values that a node made up, under the root on L1', () => {
  const settled = (value: bigint): readonly L1Event[] => {
    const { root } = settlementsOf([settledRow(1024, 7n)]).tree
    const place = { block: node.head + 1, index: 0, transaction: `0x${'00'.repeat(32)}` }
    return [
      ...(moments[4] ?? []),
      { ...place, kind: 'settlement', ids: [1024], values: [value], root },
    ]
  }
  it('are found by the next run that asks another node, in what the first has left', async () => {
    const untrue = new FakeNode(HOME, settled(8n))
    const misled = await run(untrue)
    expect(misled.rebuilt.faults).toMatchObject([{ isOfOracle: true }])
    expect(misled.rebuilt.settlements.get(1024)).toBe(8n)
    node.grow(settled(7n))
    const { rebuilt, mended } = await run()
    expect(rebuilt.faults).toEqual([])
    expect(rebuilt.settlements.get(1024)).toBe(7n)
    expect(mended.join()).toContain('settlement value of instrument 1024')
    expect((await run()).mended).toEqual([])
  })
})

describe('a node with limits', () => {
  it('is asked for fewer blocks, and not refused again and again', async () => {
    node.maxBlocks = 7
    const url = await node.listen()
    expect(rootsOf(await run(url))).toEqual(TRUE_ROOTS())
    const blocks = node.head + 1
    expect(logsAsked()).toBeLessThan(blocks / 3.5 + 10)
  })
  it('that fails now and then is asked again', async () => {
    const honest = await node.listen()
    let count = 0
    const real = globalThis.fetch
    globalThis.fetch = async (...given) =>
      count++ % 3 === 1 ? new Response('busy', { status: 503 }) : real(...given)
    try {
      expect(rootsOf(await run(honest))).toEqual(TRUE_ROOTS())
    } finally {
      globalThis.fetch = real
    }
    expect(count).toBeGreaterThan(5)
  })
  it('that drops the state of the head while old batches are compared is asked for what stays', async () => {
    let pinned = 0
    node.hinder = (method, params) => {
      const isOld = method === 'eth_call' && params[1] !== 'latest'
      // Counts and totals are asked for first; then the node forgets.
      return isOld && ++pinned > 12 ? new RefusedError('missing trie node') : null
    }
    expect(rootsOf(await run())).toEqual(TRUE_ROOTS())
    expect(pinned).toBeLessThan(12 + 10)
    // What is refused for another reason still is.
    node.hinder = (method) => (method === 'eth_call' ? new RefusedError('no') : null)
    await expect(run()).rejects.toThrow('no')
  })
  it('finds the first block of the contract on a long chain by itself', async () => {
    node.grow(moments[4] ?? [], 3_000_000)
    const logs = logsAsked()
    await scan(await connect(node.transport, HOME.contract), { fromBlock: 2_990_000 }).catch(
      () => null,
    )
    expect(logsAsked() - logs).toBeLessThan(5)
    expect(rootsOf(await run())).toEqual(TRUE_ROOTS())
    const first = node.calls
      .filter(({ method }) => method === 'eth_getLogs')
      .map(({ params }) => Number((params[0] as { fromBlock: string }).fromBlock))
    expect(first).toContain(100)
    expect(first).not.toContain(0)
  })
})

describe('a long life', () => {
  it('has tables compared once, and settlement values by their root', async () => {
    const asked: string[] = []
    let confirmed = 5n
    const none = { root: 1n, time: 1n, isClaimed: false }
    const tables = [1n, 2n, 3n, 4n, 5n].map((number) => ({ ...none, number }))
    const summaries = [1n, 2n].map((number) => ({ ...none, number, tableNumber: 2n * number }))
    const record = (name: string, [first]: readonly unknown[]) => {
      asked.push(`${name} ${String(first)}`)
      return Promise.resolve([])
    }
    const house = {
      ...{ tables, summaries, settlements: new Map([[1024, 7n]]), deposits: new Map() },
      ...{ withdrawals: new Map(), tokens: new Map(), keyRequests: [], genesis: null },
    }
    const compared = async (after: bigint, registerRoot: bigint): Promise<readonly string[]> => {
      asked.length = 0
      const view = (name: string) =>
        Promise.resolve(name === 'confirmedTableNumber' ? [confirmed] : [])
      const reader = { ...HOME, head: { number: 9 }, view, record } as unknown as L1
      const rebuilt = { ...house, settlementTree: { root: 3n }, registerRoot }
      await compareWithViews(reader, rebuilt as unknown as Rebuilt, () => {}, after)
      return asked.filter((what) => what !== 'batches 0')
    }
    expect(await compared(2n, 3n)).toEqual(['tables 4', 'tables 5'])
    expect(await compared(2n, 4n)).toEqual(['tables 4', 'tables 5', 'settlement 1024'])
    expect(await compared(0n, 3n)).toHaveLength(2 + 5)
    confirmed = 2n
    expect(await compared(2n, 3n)).toEqual(['tables 2', 'tables 4', 'tables 5'])
  })
  it('that does not fit into memory is said to want a directory', () => {
    const range = { fromBlock: 0, toBlock: 7, blockHash: '0x' }
    const events = moments[0] ?? []
    const small = EventLog.open(null, HOME, 1_000)
    expect(() => small.append(range, events)).toThrow('--state DIR')
    EventLog.open(null, HOME).append(range, events)
    EventLog.open(state, HOME, 1_000).append(range, events)
  })
})

describe('a chain without the house', () => {
  it('says so: empty chain, another contract', async () => {
    const empty = new FakeNode(HOME, [])
    await expect(run(empty)).rejects.toThrow('has emitted nothing on chain 4242 up to block 3')
    const wrong = await connect(node.transport, `0x${'C9'.repeat(20)}`)
    await expect(scan(wrong, { state })).rejects.toThrow('is it a Cloister contract')
    expect(readdirSync(join(state, `4242-0x${'c9'.repeat(20)}`))).toEqual([])
  })
})

const batchAt = (n: bigint, change: (e: BatchEvent) => Partial<BatchEvent>) => {
  return (events: readonly L1Event[]): readonly L1Event[] =>
    events.map((e) => (e.kind === 'batch' && e.number === n ? { ...e, ...change(e) } : e))
}
const wordAt = (i: number) =>
  batchAt(3n, (e) => ({ words: e.words.map((w, k) => (k === i ? w + 1n : w)) }))

describe('a node that lies', () => {
  const accounts = wordLayout(SHAPE).find((part) => part.name === 'accounts')?.first ?? 0
  it.each([
    ['a ciphertext', wordAt(accounts + 12)],
    ['a batch nonce', wordAt(13)],
    ['a leaf', wordAt(accounts + 11)],
    ['an index', wordAt(accounts + 10)],
    ['a root', batchAt(3n, () => ({ newRoot: 1n }))],
    ['a commitment', batchAt(3n, () => ({ commitment: 1n }))],
    ['a challenge', batchAt(3n, () => ({ x: 6n }))],
    ['a missing batch', (e: readonly L1Event[]) => e.filter((b) => !isBatch(b, 3n))],
    ['the last batch', (e: readonly L1Event[]) => e.filter((b) => !isBatch(b, 5n))],
    ['a missing deposit', (e: readonly L1Event[]) => e.filter((d) => d.kind !== 'deposit')],
    ['a batch told twice', (e: readonly L1Event[]) => [...e, ...e.filter((b) => isBatch(b, 5n))]],
  ])('about %s is found out, and leaves nothing behind', async (_name, told) => {
    node.told = told
    await expect(run()).rejects.toThrow(FaultError)
    node.told = (events) => events
    const honest = await run()
    expect(rootsOf(honest)).toEqual(TRUE_ROOTS())
    expect(honest.resumedAt).toBe(0n)
  })
  it('does not cost what an honest one had told before', async () => {
    node.grow(moments[1] ?? [])
    await run()
    node.grow(moments[4] ?? [])
    node.told = wordAt(accounts + 11)
    await expect(run()).rejects.toThrow(FaultError)
    node.told = (events) => events
    expect(await run()).toMatchObject({ resumedAt: 2n, replayedCount: 3, mended: [] })
  })
  it('with logs of blocks that were not asked for is not believed', async () => {
    const honest = node.transport
    const lying: typeof honest = async (method, params) => {
      const answer = await honest(method, params)
      if (method !== 'eth_getLogs') return answer
      return (answer as Record<string, unknown>[]).map((log) => ({ ...log, blockNumber: '0xffff' }))
    }
    await expect(scan(await connect(lying, HOME.contract), { state })).rejects.toThrow(
      /was asked for logs of .* and gave one/,
    )
  })
})

function isBatch(event: L1Event, number: bigint): boolean {
  return event.kind === 'batch' && event.number === number
}
function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  const place = Math.floor(bytes.length * at)
  bytes[place] = (bytes[place] ?? 0) ^ 1
  writeFileSync(path, bytes)
}
function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8')
  expect(text).toContain(from)
  writeFileSync(path, text.replace(from, to))
}
