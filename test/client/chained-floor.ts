/**
 * The floor of test/sequencer with its L1 as a node would show it, so that the command line works
 * against a house without proofs: events of every batch, and transactions of members.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { id as keccakOf, Interface, Transaction, Wallet } from 'ethers'
import { feeAccountOf, leafHash } from '../../circuits/account.ts'
import { SHAPES, type Shape } from '../../circuits/params.ts'
import { tableOf, type Row } from '../../circuits/table.ts'
import { buildBatch } from '../../circuits/witness.ts'
import { HouseApi } from '../../client/api.ts'
import { MemberStore } from '../../client/cli/store.ts'
import { memberKeys } from '../../client/keys.ts'
import { challengeOf, domainOf } from '../../client/l1/batch-words.ts'
import { EXIT_ABI } from '../../client/l1/abi.ts'
import type { EventBody, L1Event } from '../../client/l1/events.ts'
import { Member } from '../../client/member.ts'
import { serve } from '../../sequencer/api.ts'
import type { Submission } from '../../sequencer/l1.ts'
import { Floor, MemoryL1, FEE, PATIENT } from '../sequencer/floor.ts'
import { freePort } from '../free-port.ts'
import { FakeNode } from './fake-node.ts'
import { cloister, type Ran } from './command.ts'

const HOME = { chainId: 31337n, contract: `0x${'11'.repeat(20)}` }
const TOKEN = `0x${'33'.repeat(20)}`
const ORACLE = `0x${'44'.repeat(20)}`
const KEY_HASH = `0x${'22'.repeat(32)}`
const MINI = SHAPES.find(({ name }) => name === 'mini') as Shape
const abi = new Interface(EXIT_ABI)
const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const ROLE_GRANTED = keccakOf('RoleGranted(bytes32,address,address)')
const word = (address: string): string => `0x${address.slice(2).padStart(64, '0')}`

/** Takes raw transactions: the L1 owner's rotation. Everything else is as FakeNode has it. */
class Node extends FakeNode {
  readonly mined = new Set<string>()
  /** What a transaction does; throws what the contract would refuse. */
  onCall: (name: string, args: readonly unknown[]) => void = () => {}

  protected override answer(method: string, params: readonly unknown[]): unknown {
    switch (method) {
      case 'eth_blockNumber':
        return hex(this.head)
      case 'eth_getTransactionCount':
        return hex(this.mined.size)
      case 'eth_estimateGas':
        return hex(100_000)
      case 'eth_gasPrice':
      case 'eth_maxPriorityFeePerGas':
        return hex(1)
      case 'eth_getBlockByNumber': {
        const block = super.answer(method, params) as Record<string, unknown>
        const rest = { parentHash: KEY_HASH, nonce: '0x0000000000000000', difficulty: '0x0' }
        const more = { gasLimit: '0x0', gasUsed: '0x0', miner: TOKEN, extraData: '0x' }
        return { ...block, ...rest, ...more, transactions: [] }
      }
      case 'eth_sendRawTransaction': {
        const { hash, data } = Transaction.from(params[0] as string)
        const call = abi.parseTransaction({ data })
        if (call === null || hash === null) throw new Error('the fake node has no such function')
        this.onCall(call.name, call.args.toArray())
        this.mined.add(hash)
        return hash
      }
      case 'eth_getTransactionReceipt': {
        const at = { blockHash: KEY_HASH, blockNumber: hex(this.head), transactionIndex: '0x0' }
        const gas = { gasUsed: '0x1', cumulativeGasUsed: '0x1', effectiveGasPrice: '0x1' }
        const sides = { from: TOKEN, to: HOME.contract, contractAddress: null }
        const rest = { logs: [], logsBloom: `0x${'00'.repeat(256)}`, status: '0x1', type: '0x2' }
        return { transactionHash: params[0], ...at, ...gas, ...sides, ...rest }
      }
      case 'eth_getLogs': {
        const { topics = [], address } = params[0] as { topics?: unknown[]; address: string }
        if (!JSON.stringify(topics).includes(ROLE_GRANTED)) return super.answer(method, params)
        const granted = [ROLE_GRANTED, KEY_HASH, word(ORACLE), word(TOKEN)]
        const place = { blockNumber: hex(this.head), logIndex: '0x0', transactionHash: KEY_HASH }
        return [{ address, topics: granted, data: '0x', ...place }]
      }
      case 'eth_call': {
        const { data } = params[0] as { data: string }
        const asked = abi.getFunction(data.slice(0, 10))
        // Of the way out nothing has happened yet: all numbers are 0.
        return asked === null ? super.answer(method, params) : `0x${'00'.repeat(32 * 16)}`
      }
      default:
        return super.answer(method, params)
    }
  }
}

class ShownL1 extends MemoryL1 {
  onSubmit: (batch: Submission) => void = () => {}
  /** When the house hears of it: L1 has it already. */
  heard: () => Promise<void> = async () => {}
  override async submit(batch: Submission) {
    this.onSubmit(batch)
    await this.heard()
    return super.submit(batch)
  }
}

export class ChainedFloor {
  readonly floor: Floor
  readonly node: Node
  rpcUrl = ''
  readonly notes: string[] = []
  private readonly events: L1Event[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'cloister-chained-'))
  private readonly l1 = new ShownL1()
  private count = 0

  private constructor() {
    const domain = domainOf(HOME.chainId, HOME.contract)
    this.floor = new Floor(() => 0, undefined, this.l1, [MINI], domain)
    const fee = feeAccountOf(777n, 0n)
    this.node = new Node(HOME, this.events)
    this.emit({
      kind: 'genesis',
      root: this.floor.house.ledger.tree.root,
      feeAccountLeaf: leafHash(fee),
      feeAccountViewKeyHash: fee.viewKeyHash,
      feeAccountMeta: fee.meta,
    })
    this.emit({ kind: 'fee', fee: FEE })
    this.emit({ kind: 'token', id: 1, address: TOKEN, unit: 1n, cap: 1n << 54n })
    this.emit({
      kind: 'shape',
      id: 1,
      name: 'mini',
      verifier: TOKEN,
      keyHash: KEY_HASH,
      isDevelopmentKey: true,
      sizes: MINI,
    })
    this.post(this.floor.rows)
    this.l1.onSubmit = (batch) => this.show(batch)
    this.node.onCall = (name, [account, x, y]) => {
      if (name !== 'rotate') throw new Error(`the fake contract has no ${name}`)
      this.rotate(Number(account), { x: x as bigint, y: y as bigint })
    }
  }

  static async open(): Promise<ChainedFloor> {
    const chained = new ChainedFloor()
    const { floor } = chained
    await floor.house.open()
    // Of those that no other is given while the door is shut.
    const port = await freePort()
    floor.app = await serve(floor.house, port, { limits: PATIENT })
    floor.url = `http://127.0.0.1:${port}`
    chained.rpcUrl = await chained.node.listen()
    return chained
  }

  post(rows: readonly Row[]): void {
    const number = this.l1.post(rows)
    const { root, marksRoot } = tableOf(rows)
    this.emit({ kind: 'table', number, root, marksRoot, dataHash: '0x', time: 0n, marks: '0x' })
  }

  /** Its door to members closes, and opens again at the same address. */
  async shut(): Promise<void> {
    await this.floor.app?.close()
  }
  async reopen(): Promise<void> {
    this.floor.app = await serve(this.floor.house, Number(new URL(this.floor.url).port), {
      limits: PATIENT,
    })
  }

  /** From here on the house hears of its batches on L1 when `heard` says so. */
  delay(heard: () => Promise<void>): void {
    this.l1.heard = heard
  }

  /** That L1 has accepted. */
  get batches(): number {
    return this.l1.roots.length
  }

  /** A rotation as the L1 owner asks for it. */
  rotate(account: number, key: { readonly x: bigint; readonly y: bigint }): void {
    const serial = this.l1.rotate(account, key)
    this.emit({ kind: 'request', serial, account, requestKind: 2, ...key, viewKeyHash: 0n })
  }

  private emit(body: EventBody): void {
    const index = this.events.length
    const transaction = `0x${index.toString(16).padStart(64, '0')}`
    this.events.push({ block: 100 + index, index: 0, transaction, ...body })
    this.node.grow(this.events)
  }

  private show(batch: Submission): void {
    const { open } = this.floor.house.core
    if (open === null) throw new Error('no batch is open')
    const { shape, trace, tree, salt, tableNumber, confirmedTableRoot, accountCountBefore } = open
    const view = { tableNumber, confirmedTableRoot, accountCountBefore }
    const { words, commitment, newRoot } = buildBatch(shape, trace, tree, view, salt)
    const { x } = challengeOf({ ...HOME, keyHash: KEY_HASH, commitment }, words)
    const number = BigInt(this.l1.roots.length) + 1n
    if (newRoot !== batch.newRoot) throw new Error('another batch is open')
    this.emit({ kind: 'batch', number, shapeId: 1, newRoot, commitment, x, words })
  }

  /** A member with a directory of the command line, registered and credited by a batch. */
  async member(name: string, dollars = 1_000n): Promise<{ store: MemberStore; member: Member }> {
    const n = ++this.count
    const store = new MemberStore(name, join(this.folder, name))
    const l1Key = `0x${n.toString(16).padStart(64, '0')}`
    const seed = new Uint8Array(32).fill(n)
    const { chainId, contract } = { chainId: '31337', contract: HOME.contract }
    await store.locked(async () => {
      writeFileSync(store.seedPath, `${Buffer.from(seed).toString('hex')}\n`, { mode: 0o600 })
      writeFileSync(store.l1KeyPath, `${l1Key}\n`, { mode: 0o600 })
      store.create({ chainId, contract, token: TOKEN, rpcUrl: this.rpcUrl })
    })
    const owner = new Wallet(l1Key).address
    const door = this.l1.memberDoor(owner)
    const member = new Member({
      api: new HouseApi(this.floor.url),
      l1: {
        address: owner,
        register: async (key, viewKeyHash) => {
          const account = await door.register(key, viewKeyHash)
          this.emit({ kind: 'registered', account, l1Owner: owner })
          const serial = BigInt(this.events.filter(({ kind }) => kind === 'request').length)
          this.emit({ kind: 'request', serial, account, requestKind: 1, ...key, viewKeyHash })
          return account
        },
        deposit: async (token, amount, commitment) => {
          const id = await door.deposit(token, amount, commitment)
          this.emit({ kind: 'deposit', id, depositor: owner, token, amount, commitment })
          return id
        },
      },
      keys: memberKeys(seed, name),
      record: { account: null, deposits: 0 },
      journalPath: store.journalPath,
      save: (record) => store.save({ ...record, shown: record.deposits }),
    })
    await member.register()
    await member.deposit(1, dollars * 1_000_000n)
    await this.floor.batch()
    return { store, member }
  }

  /** The command line as this member would use it, with this house unless another is named; --json gives its last line. */
  run(store: MemberStore, ...argv: readonly string[]): Promise<Ran> {
    const house = argv.includes('--house') ? [] : ['--house', this.floor.url]
    return cloister(...argv, ...house, '--rpc', this.rpcUrl, '--dir', store.directory)
  }

  async json(store: MemberStore, ...argv: readonly string[]): Promise<Record<string, unknown>> {
    const { out } = await this.run(store, ...argv, '--json')
    return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
  }

  async close(): Promise<void> {
    this.node.stop()
    await this.floor.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
