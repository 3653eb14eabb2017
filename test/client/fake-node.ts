/** A JSON-RPC node in memory that serves the events of a house, with limits, lies and reorgs. */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Interface, type FunctionFragment } from 'ethers'
import { CLOISTER_ABI } from '../../client/l1/abi.ts'
import { domainOf } from '../../client/l1/batch-words.ts'
import type { L1Event } from '../../client/l1/events.ts'
import { vaultOf, type Rebuilt } from '../../client/l1/ledger.ts'
import { replay } from '../../client/l1/replay.ts'
import type { Transport } from '../../client/l1/rpc.ts'
import { withdrawalsRoot } from '../../client/l1/withdrawals.ts'
import type { Home } from './synthetic.ts'

type Asked = { readonly id: number; readonly method: string; readonly params: readonly unknown[] }

const abi = new Interface(CLOISTER_ABI)
const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** The arguments of an event in the order of the ABI. */
function argumentsOf(e: L1Event): readonly [string, readonly unknown[]] | null {
  switch (e.kind) {
    case 'genesis':
      return ['Genesis', [e.root, e.feeAccountLeaf, e.feeAccountViewKeyHash, e.feeAccountMeta]]
    case 'token':
      return ['TokenAdded', [e.id, e.address, e.unit, e.cap]]
    case 'shape':
      return ['ShapeAdded', [e.id, e.name, e.verifier, e.keyHash, e.isDevelopmentKey]]
    case 'fee':
      return ['FeeSet', [e.fee]]
    case 'registered':
      return ['Registered', [e.account, e.l1Owner]]
    case 'request':
      return ['RequestQueued', [e.serial, e.account, e.requestKind, e.x, e.y, e.viewKeyHash]]
    case 'deposit':
      return ['Deposited', [e.id, e.depositor, e.token, e.amount, e.commitment]]
    case 'table':
      return ['TablePosted', [e.number, e.root, e.marksRoot, `0x${'00'.repeat(32)}`, e.time, '0x']]
    case 'settlement':
      return ['SettlementPosted', [e.ids, e.values, e.root]]
    case 'batch': {
      const words = e.words.map((word) => word.toString(16).padStart(64, '0')).join('')
      return ['Batch', [e.number, e.shapeId, e.newRoot, e.commitment, e.x, `0x${words}`]]
    }
    case 'frozen':
      return ['Frozen', [e.ground, 2n, 1n, e.claimsEndAt]]
    case 'claim':
      return ['Claimed', [e.batch, e.slot, e.to, e.token, e.amount]]
    default:
      return null
  }
}

export class FakeNode {
  readonly home: Home
  readonly calls: { readonly method: string; readonly params: readonly unknown[] }[] = []
  /** Most blocks that one eth_getLogs may ask for. */
  maxBlocks = Infinity
  /** Events as the node tells them, which need not be what happened. */
  told: (events: readonly L1Event[]) => readonly L1Event[] = (events) => events
  /** Consulted before every answer; an Error is sent as the node's refusal. */
  hinder: (method: string, params: readonly unknown[]) => Error | null = () => null
  #events: readonly L1Event[]
  /** From this block on the chain has other hashes than before. */
  #forks: { readonly from: number; readonly salt: string }[] = []
  #truth: Rebuilt | null = null
  #head = 0
  #server: Server | null = null

  constructor(home: Home, events: readonly L1Event[]) {
    this.home = home
    this.#events = events
    this.grow(events)
  }

  get head(): number {
    return this.#head
  }

  /** The chain has these events now; its head is the last of them unless said otherwise. */
  grow(events: readonly L1Event[], head = events.at(-1)?.block ?? 3): void {
    this.#events = events
    this.#head = head
    this.#truth = null
  }

  /** Replaces the blocks from `from` on: other hashes, and the events given. */
  reorganise(from: number, events: readonly L1Event[], head?: number): void {
    this.#forks.push({ from, salt: `fork ${this.#forks.length}` })
    this.grow(events, head)
  }

  readonly transport: Transport = async (method, params) => {
    this.calls.push({ method, params })
    const hindrance = this.hinder(method, params)
    if (hindrance !== null) throw hindrance
    return this.answer(method, params)
  }

  countOf(method: string): number {
    return this.calls.filter((call) => call.method === method).length
  }

  /** The same over HTTP; returns the address. */
  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (part: Buffer) => (body += part.toString()))
      request.on('end', () => {
        const asked = JSON.parse(body) as Asked | Asked[]
        const answers = Array.isArray(asked)
          ? Promise.all(asked.map((one) => this.answered(one)))
          : this.answered(asked)
        void answers.then((answer: unknown) => response.end(JSON.stringify(answer)))
      })
    })
    // A connection that is ended while it is asked is a call that fails.
    server.keepAliveTimeout = 0
    this.#server = server
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  private async answered({ id, method, params }: Asked): Promise<unknown> {
    return this.transport(method, params)
      .then((result) => ({ result }))
      .catch((error: unknown) => ({ error: { code: -32000, message: String(error) } }))
      .then((answer) => ({ jsonrpc: '2.0', id, ...answer }))
  }
  stop(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  private hashOf(block: number): string {
    const salts = this.#forks.filter(({ from }) => block >= from).map(({ salt }) => salt)
    return `0x${createHash('sha256').update(`${salts.join()}/${block}`).digest('hex')}`
  }

  protected answer(method: string, params: readonly unknown[]): unknown {
    switch (method) {
      case 'eth_chainId':
        return hex(this.home.chainId)
      case 'eth_getBlockByNumber': {
        const number = params[0] === 'latest' ? this.#head : Number(params[0])
        if (number > this.#head) return null
        return { number: hex(number), hash: this.hashOf(number), timestamp: hex(1_584_000_000n) }
      }
      case 'eth_getLogs':
        return this.logs(params[0] as { address: string; fromBlock: string; toBlock: string })
      case 'eth_getCode': {
        const first = this.#events[0]?.block ?? 0
        return Number(params[1]) >= first && this.isOurs(params[0] as string) ? '0x6001' : '0x'
      }
      case 'eth_call': {
        const { to, data } = params[0] as { to: string; data: string }
        return this.isOurs(to) ? this.view(data) : '0x'
      }
      default:
        throw new Error(`the fake node has no ${method}`)
    }
  }

  private isOurs(address: string): boolean {
    return BigInt(address) === BigInt(this.home.contract)
  }

  private logs(filter: { address: string; fromBlock: string; toBlock: string }): unknown {
    const [from, to] = [Number(filter.fromBlock), Number(filter.toBlock)]
    if (to - from + 1 > this.maxBlocks) throw refusal(`at most ${this.maxBlocks} blocks`)
    if (!this.isOurs(filter.address)) return []
    return this.told(this.#events).flatMap((event) => {
      const found = event.block >= from && event.block <= to ? argumentsOf(event) : null
      if (found === null) return []
      const [name, values] = found
      return [
        {
          address: this.home.contract,
          ...abi.encodeEventLog(name, values),
          blockNumber: hex(event.block),
          logIndex: hex(event.index),
          transactionHash: event.transaction,
        },
      ]
    })
  }

  private view(data: string): string {
    const fragment = abi.getFunction(data.slice(0, 10)) as FunctionFragment
    const [argument = 0n] = abi.decodeFunctionData(fragment, data).toArray() as bigint[]
    const { chainId, contract } = this.home
    this.#truth ??= replay(this.#events, { domain: domainOf(chainId, contract) })
    const truth = this.#truth
    return abi.encodeFunctionResult(fragment, viewOf(truth, contract, fragment.name, argument))
  }
}

function refusal(text: string): Error {
  return new Error(text)
}

/** What the contract would have stored, by the events that really happened. */
function viewOf(truth: Rebuilt, contract: string, name: string, id: bigint): readonly unknown[] {
  switch (name) {
    case 'domain':
      return [truth.domain]
    case 'fee':
      return [truth.fee]
    case 'batchNumber':
      return [truth.batchNumber]
    case 'accountCount':
      return [truth.accountCount]
    case 'requestCount':
      return [truth.keyRequests.length]
    case 'served':
      return [truth.served]
    case 'depositCount':
      return [truth.deposits.size]
    case 'confirmedTableNumber':
    case 'tableNumber':
      return [truth.tables.length]
    case 'settlementRoot':
      return [truth.registerRoot]
    case 'settlement':
      return [truth.settlements.has(Number(id)), truth.settlements.get(Number(id)) ?? 0n]
    case 'tables': {
      const table = truth.tables[Number(id) - 1]
      return [table?.root ?? 0n, table?.time ?? 0n]
    }
    case 'tokens': {
      const token = truth.tokens.get(Number(id))
      const { vault, owed, unconsumed } = vaultOf(truth.totalsOf(Number(id)))
      return [[token?.address, token?.unit, vault, owed, unconsumed, token?.cap]]
    }
    case 'shapes': {
      const shape = truth.shapes.get(Number(id))
      const { members = 0, deposits = 0, withdrawals = 0, requests = 0 } = shape?.sizes ?? {}
      const { verifier, isDevelopmentKey, keyHash } = shape ?? {}
      return [[verifier, members, deposits, withdrawals, requests, isDevelopmentKey, keyHash]]
    }
    case 'batches': {
      const zero = `0x${'0'.repeat(64)}`
      if (id === 0n) return [[truth.genesis?.root ?? 0n, 0n, 0n, 16, 0n, zero]]
      const batch = truth.summaries[Number(id) - 1]
      if (batch === undefined) return [[0n, 0n, 0n, 0, 0n, zero]]
      const paid = [...truth.withdrawals.values()].filter((w) => w.batch === id)
      const { root, tableNumber, time, accountCount, served } = batch
      return [[root, tableNumber, time, accountCount, served, withdrawalsRoot(contract, paid)]]
    }
    default:
      throw new Error(`the fake contract has no ${name}`)
  }
}
