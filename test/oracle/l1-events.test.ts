/** What a signer remembers of L1: asked once for what is deep, and never believed further than before. */
import { Interface } from 'ethers'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import { ORACLE_ABI } from '../../oracle/verify/abi.ts'
import { readHistory, referenceTableIn, type History } from '../../oracle/verify/chain.ts'
import { OracleEvents, REREAD_BLOCKS, UnreliableNode } from '../../oracle/signer/l1-events.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import { viewOfL1 } from '../../oracle/signer/l1-view.ts'
import { KEEP_SECONDS } from '../../oracle/signer/look.ts'
import { settlementReportOf } from '../../oracle/signer/settlement.ts'
import { now, provider, send, setTime } from '../contracts/l1.ts'
import {
  confirmFirst,
  createOracleWorld,
  createReport,
  post,
  signConfirmation,
  signSettlement,
  signVeto,
  SPECS,
  TIMING,
  type OracleWorld,
} from '../contracts/oracle-world.ts'
import { lyingNode, type Log } from './lying-node.ts'

const DEPTH = 5
const WINDOW = Number(TIMING.settlementWindow)
const EXPIRED = 1029
/** On the clock of this chain; the document keeps the market's. */
const EXPIRY = (await now()) + 100_000n
const MARKET_EXPIRY = Date.UTC(2020, 2, 13, 8) / 1000
const TOPICS = new Interface(ORACLE_ABI)
const topicOf = (name: string) => TOPICS.getEvent(name)!.topicHash

const node = lyingNode()
let world: OracleWorld
let start: string
let reader: OracleEvents
const head = () => provider.getBlockNumber()
const mine = (count: number) => provider.send('hardhat_mine', [`0x${count.toString(16)}`])
async function table(btc?: bigint): Promise<void> {
  await post(world, await createReport(world, btc === undefined ? {} : { btc }))
}
const truth = () => readHistory(provider, world.domain.contract)
const numbers = ({ tables }: History) => tables.map(({ number }) => Number(number))
/** All of L1 as it is, and what was asked for to know it. */
async function isTrue(): Promise<readonly (readonly [number, number])[]> {
  node.takeAsked()
  expect(await reader.read()).toEqual(await truth())
  return node.takeAsked()
}
/** Two looks, between which a block came: what lies deep is remembered. */
async function remember(): Promise<number> {
  await mine(DEPTH + 1)
  const deep = (await head()) - DEPTH
  await reader.read()
  await mine(1)
  await reader.read()
  return deep
}
async function back(point: string): Promise<void> {
  await provider.send('evm_revert', [point])
}
const snapshot = async () => (await provider.send('evm_snapshot', [])) as string

beforeAll(async () => {
  world = await createOracleWorld({
    settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    expiryOf: ({ id, kind }) => (id === EXPIRED ? EXPIRY : kind === 'token' ? 0n : 1n << 40n),
  })
  await confirmFirst(world)
  await table()
  start = await snapshot()
})
beforeEach(() => {
  node.takeAsked()
  node.tellTruth()
  reader = new OracleEvents(node.provider, world.domain.contract, DEPTH)
})
afterEach(async () => {
  await back(start)
  start = await snapshot()
})

describe('what is deep is asked for once', () => {
  test('after two looks, the third asks for the blocks since', async () => {
    const deep = await remember()
    expect(node.takeAsked().map(([from]) => from)).toEqual([0, 0])
    await table()
    expect(await isTrue()).toEqual([[deep + 1, await head()]])
    await mine(3)
    await table()
    const looks = await isTrue()
    expect(looks).toHaveLength(1)
    expect(looks[0]![0]).toBeGreaterThan(deep)
    expect(numbers(await reader.read())).toEqual([1, 2, 3, 4])
  })

  test('one look alone, however often in one block, remembers nothing', async () => {
    await mine(DEPTH + 1)
    for (let i = 0; i < 3; i++) expect(await isTrue()).toEqual([[0, await head()]])
    await mine(1)
    expect((await isTrue())[0]![0]).toBe(0)
    expect((await isTrue())[0]![0]).toBeGreaterThan(0)
  })

  test('nothing is deep on a chain of few blocks', async () => {
    reader = new OracleEvents(node.provider, world.domain.contract, 10_000)
    for (let i = 0; i < 3; i++) {
      await mine(1)
      expect((await isTrue())[0]![0]).toBe(0)
    }
  })

  test('one reader for everything that a signer asks', async () => {
    const deep = await remember()
    const { settlingView, fundingBase, bindings, tableBefore } = viewOfL1(
      node.provider,
      world.domain.contract,
      SPECS,
      reader,
    )
    node.takeAsked()
    expect((await settlingView()).pins).toEqual(new Map())
    expect((await fundingBase())?.number).toBe(2)
    expect((await bindings())?.isFinal).toBe(true)
    expect((await tableBefore(Number(await now())))?.number).toBe(2)
    expect(node.takeAsked().map(([from]) => from)).toEqual(Array(4).fill(deep + 1))
  })

  test('all of it again after a day of blocks', async () => {
    await remember()
    await mine(REREAD_BLOCKS - 1)
    expect((await isTrue())[0]![0]).toBeGreaterThan(0)
    await mine(1)
    expect((await isTrue())[0]![0]).toBe(0)
  })

  test('tables that nobody asks for any more are left out, and found where somebody does', async () => {
    await remember()
    const old = Number(await now())
    await setTime((await now()) + BigInt(KEEP_SECONDS) + 1000n)
    await table()
    await table()
    await remember()
    await mine(1)
    const { tables } = await reader.read()
    expect(tables.map(({ number }) => Number(number))).toEqual([3, 4])
    expect((await truth()).tables).toHaveLength(4)
    const { tableBefore, fundingBase } = viewOfL1(
      node.provider,
      world.domain.contract,
      SPECS,
      reader,
    )
    expect((await fundingBase())?.number).toBe(4)
    expect(await tableBefore(old)).toEqual(referenceTableIn(await truth(), old))
    expect((await tableBefore(old))?.number).toBe(2)
    expect(await tableBefore(1)).toBeNull()
  })
})

describe('a reorganisation', () => {
  test('of what is not deep: read anew, nothing else', async () => {
    const deep = await remember()
    const point = await snapshot()
    await table(6_100_000_000n)
    await isTrue()
    const before = (await reader.read()).tables.at(-1)!.digest
    await back(point)
    await mine(1)
    await table(6_050_000_000n)
    const looks = await isTrue()
    expect(looks).toHaveLength(1)
    expect(looks[0]![0]).toBeGreaterThan(deep)
    expect((await reader.read()).tables.at(-1)!.digest).not.toBe(before)
  })

  test('below what is remembered: all is read anew', async () => {
    const point = await snapshot()
    await table(6_100_000_000n)
    await remember()
    const before = await reader.read()
    const height = await head()
    await back(point)
    await mine(1)
    await table(6_050_000_000n)
    await mine(height)
    // The contract itself knows the last table: only the one before tells the chains apart.
    await table()
    const looks = await isTrue()
    expect(looks.at(-1)![0]).toBe(0)
    expect((await reader.read()).tables[2]!.digest).not.toBe(before.tables[2]!.digest)
  })

  test('between two looks, before anything is remembered: nothing of the first is kept', async () => {
    const point = await snapshot()
    await table(6_100_000_000n)
    await mine(DEPTH + 1)
    await reader.read()
    const height = await head()
    await back(point)
    await table(6_050_000_000n)
    await mine(height)
    for (let i = 0; i < 4; i++) {
      await isTrue()
      await mine(1)
    }
  })
})

describe('a node', () => {
  const without = (isGone: (log: Log) => boolean) => {
    node.lie.logs = (logs) => logs.filter((log) => !isGone(log))
  }
  const isOf = (name: string) => (log: Log) => log.topics[0] === topicOf(name)

  test('that is behind what it has shown is not believed, until it is there again', async () => {
    await remember()
    const deep = (await head()) - DEPTH - 1
    node.lie.head = () => deep
    await expect(reader.read()).resolves.toBeDefined()
    node.lie.head = () => deep - 1
    await expect(reader.read()).rejects.toThrow(UnreliableNode)
    node.tellTruth()
    await isTrue()
  })

  test('that leaves out the last table, or its confirmation, or all, is not believed', async () => {
    const last = (await truth()).events.findLast(({ name }) => name === 'Reported')!.block
    const isLast = (log: Log) => isOf('Reported')(log) && Number(log.blockNumber) === last
    for (const isGone of [isLast, isOf('Reported'), () => true]) {
      without(isGone)
      await expect(reader.read()).rejects.toThrow('must show every event')
    }
    // One that is far off, so that the large quorum must confirm it.
    node.tellTruth()
    const far = await createReport(world, { btc: 9_000_000_000n })
    await post(world, far)
    const confirmation = signConfirmation(world, far)
    await send(world.anyone, world.oracle, 'confirm', far.number, confirmation)
    without(isOf('Confirmed'))
    await expect(reader.read()).rejects.toThrow('must show every event')
    node.tellTruth()
    await isTrue()
  })

  test('that leaves out a settlement, or that it was struck, is not believed', async () => {
    await setTime(EXPIRY + 60n)
    const report = settlementReportOf(INSTRUMENTS, {
      ...{ serial: 1n, ids: [EXPIRED], settled: [] },
      window: [Number(EXPIRY) - WINDOW, Number(EXPIRY)],
      document: {
        ...{ version: 1, windowStart: MARKET_EXPIRY - WINDOW, windowEnd: MARKET_EXPIRY },
        underlyings: [{ id: 1, name: 'BTC', price: '5385.87' }],
      },
    })
    await send(world.anyone, world.oracle, 'settle', report, signSettlement(world, report))
    without(isOf('SettlementProposed'))
    await expect(reader.read()).rejects.toThrow('must show every event')
    node.tellTruth()
    expect((await reader.read()).proposals.map(({ state }) => state)).toEqual(['pending'])
    await send(world.anyone, world.oracle, 'vetoSettlement', 1n, signVeto(world, report))
    without(isOf('SettlementVetoed'))
    await expect(reader.read()).rejects.toThrow('must show every event')
    node.tellTruth()
    await isTrue()
  })

  test('nor is it after what it said was remembered', async () => {
    await remember()
    await table()
    without(isOf('Reported'))
    await expect(reader.read()).rejects.toThrow(UnreliableNode)
    node.tellTruth()
    await isTrue()
  })

  test('that leaves out an older table once: it is not remembered so', async () => {
    await table()
    await mine(DEPTH + 1)
    let count = 0
    const second = isOf('Reported')
    without((log) => second(log) && ++count === 2)
    expect(numbers(await reader.read())).toEqual([1, 3])
    node.tellTruth()
    for (let i = 0; i < 4; i++) {
      await mine(1)
      await isTrue()
    }
  })

  test('nor if it is left out each time: as long as a number is missing, all is asked for', async () => {
    await table()
    const second = (await truth()).events.filter(({ name }) => name === 'Reported')[1]!
    without((log) => isOf('Reported')(log) && Number(log.blockNumber) === second.block)
    await mine(DEPTH + 1)
    for (let i = 0; i < 3; i++) {
      await mine(1)
      expect(numbers(await reader.read())).toEqual([1, 3])
    }
    node.tellTruth()
    expect((await isTrue())[0]![0]).toBe(0)
  })

  test('that leaves out something else once: nor is that remembered so', async () => {
    await mine(DEPTH + 1)
    without(isOf('UnderlyingAdded'))
    expect((await reader.read()).underlyings.size).toBe(0)
    node.tellTruth()
    for (let i = 0; i < 4; i++) {
      await mine(1)
      await isTrue()
    }
  })

  test('that left out something else twice, the same way: so for a day of blocks', async () => {
    await mine(DEPTH + 1)
    without(isOf('UnderlyingAdded'))
    await reader.read()
    await mine(1)
    await reader.read()
    node.tellTruth()
    expect((await reader.read()).underlyings.size).toBe(0)
    await mine(REREAD_BLOCKS)
    await isTrue()
  })

  test('where there is no contract is an error', async () => {
    const nowhere = new OracleEvents(node.provider, world.anyone, DEPTH)
    await expect(nowhere.read()).rejects.toThrow('there must be a contract')
  })
})
