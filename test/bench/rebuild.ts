/**
 * What reading L1 again costs: a chain of words without proofs, served by a node of this process.
 * Run: node --import tsx test/bench/rebuild.ts [batches] [shape]
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  batchKey,
  encryptAccount,
  leafHash,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { SHAPES, TREE_DEPTH } from '../../circuits/params.ts'
import { settlementsOf, tableOf } from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import { headerWords, wordCount } from '../../circuits/words.ts'
import { challengeOf, domainOf } from '../../client/l1/batch-words.ts'
import type { EventBody, L1Event } from '../../client/l1/events.ts'
import { memberKeys, Seed } from '../../client/keys.ts'
import { KeyRing } from '../../client/key-ring.ts'
import { historyOf } from '../../client/l1/history.ts'
import { depositsOfSeed, openVisits, visitsOf } from '../../client/l1/own-account.ts'
import { connect } from '../../client/l1/rpc.ts'
import { scan, type Scan } from '../../client/l1/scan.ts'
import { FakeNode } from '../client/fake-node.ts'
import { HOME, OWNER, seedBytes } from '../client/seeded.ts'
import { randomField, row, START } from '../law/house.ts'

const COUNT = Number(process.argv[2] ?? 1000)
const shape = SHAPES.find(({ name }) => name === (process.argv[3] ?? 'standard'))
if (shape === undefined) throw new Error('no such shape')
const MEMBERS = 200
const SEED = seedBytes(5)
const KEY_HASH = `0x${'22'.repeat(32)}`

function chain(): readonly L1Event[] {
  const events: L1Event[] = []
  const emit = (body: EventBody): void => {
    const transaction = `0x${events.length.toString(16).padStart(64, '0')}`
    events.push({ block: 100 + events.length, index: 0, transaction, ...body } as L1Event)
  }
  const keys = memberKeys(SEED, 'ANN')
  const tree = new Tree(TREE_DEPTH)
  const table = tableOf([row(1024, 50_000_000n)])
  const domain = domainOf(HOME.chainId, HOME.contract)
  tree.set(0, 1n)
  emit({
    kind: 'genesis',
    root: tree.root,
    feeAccountLeaf: 1n,
    feeAccountViewKeyHash: 1n,
    feeAccountMeta: 1n,
  })
  emit({ kind: 'fee', fee: 100n })
  emit({
    kind: 'shape',
    id: 7,
    name: shape!.name,
    verifier: OWNER,
    keyHash: KEY_HASH,
    isDevelopmentKey: true,
    sizes: shape!,
  })
  const { root, marksRoot } = table
  emit({ kind: 'table', number: 1n, root, marksRoot, dataHash: '0x', time: START, marks: '0x' })
  for (let i = 0; i < MEMBERS; i++) {
    const { x, y } = i === 0 ? eighthOf(keys.signing) : { x: BigInt(i), y: 1n }
    const [account, hash] = [16 + i, i === 0 ? keys.viewKeyHash : 1n]
    emit({ kind: 'registered', account, l1Owner: OWNER })
    emit({ kind: 'request', serial: BigInt(i), account, requestKind: 1, x, y, viewKeyHash: hash })
  }
  let served = 0
  for (let n = 1; n <= COUNT; n++) {
    const oldRoot = tree.root
    const requests = Math.min(shape!.requests, MEMBERS - served)
    const before = 16 + served
    const queued = Array.from({ length: requests }, (_, i) => {
      const k = served + i
      const { x, y } = k === 0 ? eighthOf(keys.signing) : { x: BigInt(k), y: 1n }
      return [1n + 8n * BigInt(k), BigInt(16 + k), x, y, k === 0 ? keys.viewKeyHash : 1n, 0n]
    }).flat()
    served += requests
    const nonce = randomField()
    const first = n % 10 === 1 ? 16 : 17
    const touched = [0, ...Array.from({ length: shape!.members }, (_, i) => first + i)]
    const accounts = touched
      .filter((index) => index < 16 + served)
      .flatMap((index) => {
        if (index !== 16)
          return record(tree, index, randomField(), Array.from({ length: 8 }, randomField))
        const key = batchKey(keys.viewKey, index, BigInt(n), nonce)
        const account: Account = {
          ownerKeyHash: keys.ownerKeyHash,
          viewKeyHash: viewKeyHash(keys.viewKey),
          head: BigInt(n),
          meta: 1n,
          cash: 1_000n * BigInt(n),
          balances: [{ id: 1024, quantity: BigInt(n) }],
          salt: saltOf(key),
        }
        return record(tree, index, leafHash(account), encryptAccount(account, key))
      })
    const rest = 10 * (shape!.members + 1) - accounts.length
    // Padding has indices, too: empty ones at the end of the tree.
    const padding = Array.from({ length: rest / 10 }, (_, i) => [
      BigInt(200_000 + i),
      ...Array<bigint>(9).fill(0n),
    ]).flat()
    const header = new Map<string, bigint>([
      ['domain', domain],
      ['batchNumber', BigInt(n)],
      ['time', START + BigInt(n)],
      ['oldRoot', oldRoot],
      ['newRoot', tree.root],
      ['tableNumber', 1n],
      ['tableRoot', root],
      ['confirmedTableRoot', root],
      ['settlementRoot', settlementsOf([]).tree.root],
      ['fee', 100n],
      ['accountCountBefore', BigInt(before)],
      ['accountCountAfter', BigInt(16 + served)],
      ['batchNonce', nonce],
    ])
    const head = headerWords.map((name) => header.get(name) ?? 0n)
    const zeros = (count: number): bigint[] => Array<bigint>(count).fill(0n)
    const words = [
      ...head,
      ...zeros(4 * shape!.deposits),
      ...queued,
      ...zeros(6 * shape!.requests - queued.length + 3 * shape!.withdrawals),
      ...accounts,
      ...padding,
    ]
    if (words.length !== wordCount(shape!)) throw new Error('the bench lays words out wrongly')
    const commitment = BigInt(n)
    const { x } = challengeOf({ ...HOME, keyHash: KEY_HASH, commitment }, words)
    const newRoot = tree.root
    emit({ kind: 'batch', number: BigInt(n), shapeId: 7, newRoot, commitment, x, words })
  }
  return events
}

function record(tree: Tree, index: number, leaf: bigint, cipher: readonly bigint[]): bigint[] {
  tree.set(index, leaf)
  return [BigInt(index), leaf, ...cipher]
}

const events = chain()
const node = new FakeNode(HOME, events)
const url = await node.listen()
const state = mkdtempSync(join(tmpdir(), 'cloister-bench-'))
const ring = new KeyRing(new Seed(SEED), 'ANN')
const rows: Record<string, string | number>[] = []

async function timed(name: string, work: () => Promise<Scan>): Promise<Scan> {
  const [started, cpu] = [process.hrtime.bigint(), process.cpuUsage()]
  const found = await work()
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  const { user, system } = process.cpuUsage(cpu)
  rows.push({
    run: name,
    seconds: seconds.toFixed(1),
    'seconds per 1,000 batches': ((seconds / COUNT) * 1000).toFixed(1),
    'CPU per 1,000 (the node included)': (((user + system) / 1e6 / COUNT) * 1000).toFixed(1),
    replayed: found.replayedCount,
  })
  return found
}
const run = async (directory?: string): Promise<Scan> =>
  scan(await connect(url, HOME.contract), directory === undefined ? {} : { state: directory })

// The node answers its first view by replaying all: that is its own affair.
await (await connect(url, HOME.contract)).view('batchNumber')
await timed('from L1, nothing kept', () => run())
await timed('from L1, kept in a state directory', () => run(state))
const resumed = await timed('again: nothing new', () => run(state))
rmSync(join(resumed.log.directory ?? '', 'checkpoint.json'))
const found = await timed('without the checkpoint: replayed from the log', () => run(state))
const started = Date.now()
const visits = visitsOf(found.rebuilt, found.log, 16)
const opened = openVisits(found.rebuilt, visits, ring)
const steps = historyOf(found.rebuilt, opened, depositsOfSeed(found.rebuilt, 16, ring))
const account = (Date.now() - started) / 1000
const folder = found.log.directory ?? ''
const kept = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
console.table(rows)
console.log(
  `${COUNT} batches of shape ${shape.name}: ${32 * wordCount(shape)} bytes of words a batch, 320 a ` +
    `touched account; state directory ${kept} bytes, ${Math.round(kept / COUNT)} a batch`,
)
console.log(
  `account touched by ${steps.length} batches: found, opened and checked in ${account.toFixed(1)} s`,
)
console.log(`memory ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB, the node's chain included`)
node.stop()
rmSync(state, { recursive: true, force: true })
