/** Two readers of one format: byte for byte the same, on random batches and on a real chain. */
import { fc } from '../property.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Interface, id } from 'ethers'
import {
  batchKey,
  encryptAccount,
  leafHash,
  ownerKeyHash,
  saltOf,
  viewKeyHash,
} from '../../circuits/account.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { encodingsPage } from '../../circuits/gen-params.ts'
import { CLOISTER_ABI } from '../../client/l1/abi.ts'
import { rebuild } from '../../client/l1/rebuild.ts'
import { httpTransport } from '../../client/l1/rpc.ts'
import { TestChain } from '../client/chain.ts'
import { FakeNode } from '../client/fake-node.ts'
import { HOME } from '../client/seeded.ts'
import { SyntheticL1 } from '../client/synthetic.ts'
import type { Member } from '../law/house.ts'
import { bytesOfRead, bytesOfRebuilt } from './agreement.ts'
import { Reader, wordsOf, type RawLog, type Read } from './reader.ts'

const reader = new Reader()

async function logsOf(node: FakeNode): Promise<readonly RawLog[]> {
  const asked = { address: node.home.contract, fromBlock: '0x0', toBlock: '0xffffffff' }
  return (await node.transport('eth_getLogs', [asked])) as RawLog[]
}

type Keys = ReadonlyMap<number, readonly bigint[]>

/** Opens every leaf that the house holds keys for, with the second reader. */
function openAll(read: Read, keys: Keys): number {
  let opened = 0
  for (const batch of read.batches) {
    for (const row of batch.accounts) {
      const index = row['index'] as bigint
      const owners = index === 0n ? [0n] : (read.installed.get(Number(index)) ?? [])
      for (const viewKey of keys.get(Number(index)) ?? []) {
        const key = reader.batchKey(viewKey, batch.header, index)
        const view = reader.viewKeyHash(viewKey)
        if (owners.some((owner) => reader.open(row, key, owner, view) !== null)) opened++
      }
    }
  }
  return opened
}

const actions = fc.constantFrom(
  'trade',
  'trade',
  'deposit',
  'withdraw',
  'rotateOnL1',
  'settle',
  'join',
  'cover',
)

/** A chain of random batches, each of which the law accepts. */
function grow(l1: SyntheticL1, plan: readonly (readonly string[])[]): Keys {
  const members = [l1.join(), l1.join()]
  const settleable = [1024, 1025, 1026]
  l1.batch({ credits: members.map((m) => l1.deposit(m, 10n ** 12n)) })
  for (const [n, wanted] of plan.entries()) {
    const [a, b] = [members[n % members.length], members[(n + 1) % members.length]] as Member[]
    if (a === undefined || b === undefined) continue
    const credits = []
    let cover: number[] = []
    const has = (action: string): boolean => wanted.includes(action)
    const [isRotating, isJoining] = [has('rotateOnL1'), has('join') && members.length < 3]
    const settled = has('settle') ? settleable.pop() : undefined
    if (settled !== undefined) l1.settle(settled, BigInt(n) * 1_000_000n - 5n)
    if (has('trade') && !isRotating)
      l1.house.trade(
        a,
        b,
        [
          { instrument: 1024 + (n % 3), quantity: BigInt(n % 5) - 2n || 3n, price: 1_000_000n },
        ].filter(({ instrument }) => settleable.includes(instrument)),
      )
    if (has('withdraw') && !isRotating) l1.house.withdraw(a, 1, BigInt(n) + 1n)
    if (has('deposit')) credits.push(l1.deposit(b, BigInt(n) * 1000n + 1n))
    if (isRotating) {
      const key = signingKey(new Uint8Array(32).fill(n + 1))
      const serial = l1.house.serial++
      const request = { serial, account: a.index, key: eighthOf(key), viewKeyHash: 0n }
      l1.request({ kind: 'rotate', ...request })
      a.key = key
    }
    if (isJoining) {
      const joined = l1.join()
      members.push(joined)
      credits.push(l1.deposit(joined, 10n ** 12n))
    }
    if (has('cover') && !isJoining) cover = [b.index]
    const touched = new Set([...members.filter((m) => m.pending.length > 0).map((m) => m.index)])
    credits.forEach(({ account }) => touched.add(account))
    l1.batch({ credits, cover: cover.filter((i) => !touched.has(i)) })
  }
  return new Map<number, readonly bigint[]>([
    [0, [777n]],
    ...members.map((m) => [m.index, [m.viewKey]] as const),
  ])
}

describe('the page', () => {
  it('that is read is the one that is generated, and names events as the contract has them', () => {
    expect(reader.page.tags.size).toBeGreaterThan(18)
    expect(encodingsPage()).toContain('## Reading L1')
    const abi = new Interface(CLOISTER_ABI)
    for (const line of reader.page.events) {
      const [name = ''] = line.split('(')
      const plain = new Interface([`event ${line}`]).getEvent(name)?.format('sighash') ?? ''
      expect(id(plain)).toBe(abi.getEvent(name)?.topicHash)
    }
  })
  it('gives the known hashes of keys', () => {
    const key = signingKey(new Uint8Array(32).fill(3))
    const { x, y } = eighthOf(key)
    expect(reader.ownerKeyHash(x, y)).toBe(ownerKeyHash(key.publicKey))
    expect(reader.viewKeyHash(5n)).toBe(viewKeyHash(5n))
  })
})

describe('random batches', () => {
  it('are read alike, to the byte, and every leaf opens', async () => {
    const plans = fc.array(fc.uniqueArray(actions, { maxLength: 4 }), {
      minLength: 1,
      maxLength: process.env['CLOISTER_LONG'] ? 12 : 5,
    })
    let rotations = 0
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(), async (plan, seed) => {
        const l1 = new SyntheticL1(HOME, `reader ${seed}`)
        const keys = grow(l1, plan)
        const node = new FakeNode(HOME, l1.events)
        const rebuilt = await rebuild(node.transport, HOME.contract)
        const read = reader.read(await logsOf(node), HOME.chainId, HOME.contract)
        expect(Buffer.from(bytesOfRead(read, reader)).toString('hex')).toBe(
          Buffer.from(bytesOfRebuilt(rebuilt, HOME)).toString('hex'),
        )
        const rows = read.batches.reduce((sum, batch) => sum + batch.accounts.length, 0)
        expect(openAll(read, keys)).toBe(rows)
        rotations += rebuilt.keyRequests.filter(({ kind }) => kind === 'rotate').length
      }),
      {
        numRuns: process.env['CLOISTER_LONG'] ? 200 : 12,
        examples: [[[['rotateOnL1', 'cover'], ['trade', 'settle'], ['join'], ['trade']], 1]],
      },
    )
    expect(rotations).toBeGreaterThan(0)
  })
  it('are not read alike when one of the two is told something else', async () => {
    const l1 = new SyntheticL1(HOME, 'differ')
    grow(l1, [['trade'], ['deposit']])
    const node = new FakeNode(HOME, l1.events)
    const rebuilt = await rebuild(node.transport, HOME.contract)
    const other = new SyntheticL1(HOME, 'differ')
    grow(other, [['trade'], ['withdraw']])
    const theirs = await logsOf(new FakeNode(HOME, other.events))
    const read = reader.read(theirs, HOME.chainId, HOME.contract)
    expect(Buffer.from(bytesOfRead(read, reader))).not.toEqual(
      Buffer.from(bytesOfRebuilt(rebuilt, HOME)),
    )
  })
  it('the second reader stops where the first finds a fault', async () => {
    const l1 = new SyntheticL1(HOME, 'faults')
    grow(l1, [['trade']])
    const node = new FakeNode(HOME, l1.events)
    const logs = await logsOf(node)
    const last = logs.at(-1) as RawLog
    // The words begin after four head words and a length; the last account has a leaf.
    const altered = (at: number): RawLog[] => {
      const digit = last.data[at] === '1' ? '2' : '1'
      const data = last.data.slice(0, at) + digit + last.data.slice(at + 1)
      return [...logs.slice(0, -1), { ...last, data }]
    }
    for (const [word, fault] of [
      [0, 'domain'],
      [1, 'number'],
      [5, 'new root'],
      [13, 'challenge'],
      [39 + 11, 'new root'],
      [39 + 12, 'challenge'],
    ] as const) {
      const place = 2 + 64 * (5 + word) + 63
      expect(() => reader.read(altered(place), HOME.chainId, HOME.contract)).toThrow(`${fault}: `)
    }
    expect(() => reader.read(logs, HOME.chainId + 1n, HOME.contract)).toThrow('domain')
    expect(() => reader.read(logs.slice(1), HOME.chainId, HOME.contract)).toThrow('old root: ')
  })
  it('gives words for bytes as they stand, leading zeros and the largest word included', () => {
    const max = `${'f'.repeat(64)}`
    expect(wordsOf(`0x${'0'.repeat(63)}1${max}`)).toEqual([1n, (1n << 256n) - 1n])
    expect(wordsOf('0x')).toEqual([])
  })
  it('decrypts what the law encrypts, at the ends of a balance word', () => {
    const account = {
      ownerKeyHash: 11n,
      viewKeyHash: reader.viewKeyHash(5n),
      head: reader.page.modulus - 1n,
      meta: 9n,
      cash: -(1n << 55n),
      balances: [
        { id: 2, quantity: (1n << 55n) - 1n },
        { id: 2 ** 28 - 1, quantity: -1n },
      ],
      salt: 0n,
    }
    const key = batchKey(5n, 16, 3n, 4n)
    const cipher = encryptAccount(account, key)
    const leaf = leafHash({ ...account, salt: saltOf(key) })
    const row = { leaf, ...Object.fromEntries(cipher.map((word, i) => [`cipher${i}`, word])) }
    expect(reader.batchKey(5n, { batchNumber: 3n, batchNonce: 4n }, 16n)).toBe(key)
    const opened = reader.open(row, key, 11n, account.viewKeyHash)
    expect(opened?.words.slice(0, 2)).toEqual([account.head, account.meta])
    expect(opened?.holdings).toEqual([
      { id: 1n, quantity: account.cash },
      ...account.balances.map(({ id, quantity }) => ({ id: BigInt(id), quantity })),
    ])
    for (const [k, owner, view] of [
      [key + 1n, 11n, account.viewKeyHash],
      [key, 12n, account.viewKeyHash],
      [key, 11n, 1n],
    ] as const)
      expect(reader.open(row, k, owner, view)).toBeNull()
  })
})

describe('a real chain', () => {
  let chain: TestChain
  let keys: Keys
  beforeAll(async () => {
    chain = await TestChain.start()
    const [a, b] = [await chain.join(), await chain.join()]
    await chain.batch({
      credits: [await chain.deposit(a, 1_000_000_000n), await chain.deposit(b, 2_000_000_000n)],
    })
    chain.house.trade(a, b, [{ instrument: 1024, quantity: 5n, price: 50_100_000n }])
    chain.house.withdraw(a, 1, 1_000_000n)
    await chain.batch()
    keys = new Map<number, readonly bigint[]>([
      [0, [777n]],
      ...[a, b].map((m) => [m.index, [m.viewKey]] as const),
    ])
  })
  afterAll(() => chain?.stop())

  it('with real proofs is read alike, to the byte, and every leaf opens', async () => {
    const place = { chainId: 31337n, contract: chain.contract }
    const rebuilt = await rebuild(chain.url, chain.contract)
    const asked = { address: chain.contract, fromBlock: '0x0', toBlock: 'latest' }
    const logs = (await httpTransport(chain.url)('eth_getLogs', [asked])) as RawLog[]
    const read = reader.read(logs, 31337n, chain.contract)
    expect(Buffer.from(bytesOfRead(read, reader)).toString('hex')).toBe(
      Buffer.from(bytesOfRebuilt(rebuilt, place)).toString('hex'),
    )
    expect(read.batches.length).toBe(2)
    expect(openAll(read, keys)).toBe(6)
    expect(read.leaves.get(16)).toBe(chain.house.tree.leaf(16))
  })
})
