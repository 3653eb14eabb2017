/**
 * L1 in memory: blocks with hashes, a pool of transactions, forks. The contract is modelled as far as
 * the sequencer's door asks it; of a proof it checks that it is of this number, on this root, for that root.
 */
import { createHash } from 'node:crypto'
import {
  Interface,
  Transaction,
  ZeroAddress,
  type InterfaceAbi,
  type ParamType,
  type TransactionDescription,
} from 'ethers'
import { REQUEST_KIND } from '../../../circuits/params.ts'
import type { Point } from '../../../circuits/eddsa.ts'
import type { WitnessInput } from '../../../circuits/witness.ts'
import { headerWords } from '../../../circuits/words.ts'
import type { Groth16Proof } from '../../../prover/groth16.ts'
import { contractsOf } from '../../../sequencer/solidity.ts'

export const ADDRESS = `0x${'11'.repeat(20)}`
export const CHAIN_ID = 31337n
const words = new Interface(contractsOf()['Cloister']?.abi as InterfaceAbi)

const SUBMIT = words.getFunction('submitBatch')?.selector as string

/** What goes into a block without the operator: members, the oracle, the admin. */
export type Event = { readonly name: string; readonly args: readonly unknown[] }
type State = {
  readonly nonces: ReadonlyMap<string, number>
  readonly roots: readonly bigint[]
  readonly openDeposits: ReadonlySet<bigint>
  readonly requestCount: number
  /** Of the latest table. */
  readonly tableNumber: bigint
  readonly served: number
  /** Addresses that batches paid to. */
  readonly paid: readonly bigint[]
}
type Log = {
  topics: readonly string[]
  data: string
  blockNumber: string
  logIndex: string
  address: string
}
export type Block = {
  readonly number: number
  readonly hash: string
  readonly parent: string
  readonly time: number
  readonly events: readonly (Event & { readonly id: number })[]
  readonly receipts: ReadonlyMap<string, { readonly isGood: boolean; readonly gasUsed: number }>
  readonly logs: readonly Log[]
  readonly state: State
}
type Waiting = {
  readonly raw: string
  readonly hash: string
  readonly from: string
  readonly nonce: number
  readonly maxFee: bigint
  readonly to: string
  readonly data: string
}

export class Refusal extends Error {
  readonly data: string
  constructor(name: string, args: readonly unknown[] = []) {
    super(name)
    this.data = words.encodeErrorResult(name, args)
  }
}

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const hashOf = (text: string): string => `0x${createHash('sha256').update(text).digest('hex')}`
const headerAt = (input: WitnessInput, name: (typeof headerWords)[number]): bigint =>
  (input['words'] as readonly bigint[])[headerWords.indexOf(name)] as bigint

const known = new Map<string, Waiting>()
/** Finding out who signed is slow, and every node asks. */
export function waitingOf(raw: string): Waiting {
  const there = known.get(raw)
  if (there !== undefined) return there
  const { hash, from, nonce, to, maxFeePerGas, data } = Transaction.from(raw)
  if (hash === null || from === null || to === null || maxFeePerGas === null)
    throw new Error('unsigned')
  const made = {
    raw,
    hash,
    from: from.toLowerCase(),
    nonce,
    maxFee: maxFeePerGas,
    to: to.toLowerCase(),
    data,
  }
  if (known.size > 100) known.clear()
  known.set(raw, made)
  return made
}

/** In place of a proof: what the statement binds, in the open. */
export function proofOf(input: WitnessInput): Groth16Proof {
  const word = (value: bigint): string => value.toString()
  const [number, old] = [headerAt(input, 'batchNumber'), headerAt(input, 'oldRoot')]
  return plainProof(number, old, headerAt(input, 'newRoot'), word)
}
export function plainProof(
  number: bigint,
  old: bigint,
  next: bigint,
  word = (value: bigint): string => value.toString(),
): Groth16Proof {
  return {
    pi_a: [word(number), word(old), '1'],
    pi_b: [
      ['0', word(next)],
      ['0', '0'],
      ['1', '0'],
    ],
    pi_c: ['0', '0', '1'],
  } as unknown as Groth16Proof
}

export class SimChain {
  readonly blocks: Block[]
  pool: Waiting[] = []
  events: (Event & { readonly id: number })[] = []
  baseFee = 1_000_000_000n
  /** Every batch that any node was ever handed, by number: the commitments of different ones. */
  readonly handed = new Map<bigint, Set<bigint>>()
  /** What the contract has against any batch just now. */
  refusal: string | null = null
  /** Whether the pool is worked off at all. */
  isTaking = true
  private readonly views = new Map<string, string>()
  private count = 0
  private salt = 0
  private readonly operator: string
  /** Roots start here. */
  readonly genesisRoot: bigint

  constructor(operator: string, genesisRoot = 0n, time = 1_600_000_000) {
    this.operator = operator.toLowerCase()
    this.genesisRoot = genesisRoot
    const state: State = {
      nonces: new Map(),
      roots: [genesisRoot],
      openDeposits: new Set(),
      requestCount: 0,
      tableNumber: 0n,
      served: 0,
      paid: [],
    }
    const hash = hashOf(`genesis ${operator}`)
    this.blocks = [
      { number: 0, hash, parent: '', time, events: [], receipts: new Map(), logs: [], state },
    ]
  }

  get head(): Block {
    return this.blocks.at(-1) as Block
  }
  /** Roots of the accepted batches on the longest chain. */
  get roots(): readonly bigint[] {
    return this.head.state.roots.slice(1)
  }

  register(account: number, serial: number, key: Point, viewKeyHash: bigint): void {
    this.emit('RequestQueued', serial, account, REQUEST_KIND.register, key.x, key.y, viewKeyHash)
  }
  deposit(id: bigint, token: number, amount: bigint, commitment: bigint): void {
    this.emit('Deposited', id, ADDRESS, token, amount, commitment)
  }
  post(number: bigint, root: bigint): void {
    this.emit('TablePosted', number, root, 0, hashOf(''), 0, '0x')
    this.emit('TableConfirmed', number)
  }
  emit(name: string, ...args: readonly unknown[]): void {
    this.events.push({ id: ++this.count, name, args })
  }

  /** One block of what waits. `take` says what of it comes in. */
  mine(time: number, take: (what: string) => boolean = () => true): Block {
    const parent = this.head
    const number = parent.number + 1
    const hash = hashOf(`${parent.hash} ${++this.salt}`)
    const events = this.events.filter(() => take('event'))
    this.events = this.events.filter((event) => !events.includes(event))
    const logs: Log[] = []
    let state = parent.state
    const log = ({ name, args }: Event): void => {
      const { topics, data } = words.encodeEventLog(name, args)
      logs.push({
        topics,
        data,
        blockNumber: hex(number),
        logIndex: hex(logs.length),
        address: ADDRESS,
      })
    }
    for (const event of events) {
      log(event)
      state = applied(state, event)
    }
    const receipts = new Map<string, { isGood: boolean; gasUsed: number }>()
    for (
      let next = this.nextOf(state);
      this.isTaking && next !== undefined && take('transaction');
    ) {
      const { hash: name, from, nonce, to, data } = next
      const nonces = new Map(state.nonces).set(from, nonce + 1)
      let isGood = true
      try {
        if (to === ADDRESS) state = this.settle(state, data, time)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        isGood = false
      }
      state = { ...state, nonces }
      receipts.set(name, { isGood, gasUsed: 100_000 })
      next = this.nextOf(state)
    }
    const block = {
      number,
      hash,
      parent: parent.hash,
      time: Math.max(time, parent.time),
      events,
      receipts,
      logs,
      state,
    }
    this.blocks.push(block)
    return block
  }

  /** The dearest of the next nonce, if the block pays for it. */
  private nextOf(state: State): Waiting | undefined {
    return this.pool
      .filter(
        ({ from, nonce, maxFee }) =>
          nonce === (state.nonces.get(from) ?? 0) && maxFee >= this.baseFee,
      )
      .sort((a, b) => (a.maxFee > b.maxFee ? -1 : 1))[0]
  }

  /** The last blocks vanish; what was in them waits again, as far as `keep` says. */
  reorg(depth: number, keep: (what: string) => boolean = () => true): void {
    const gone = this.blocks.splice(this.blocks.length - depth)
    const events = gone.flatMap((block) => block.events).filter(() => keep('event'))
    this.events = [...events, ...this.events]
    const again = new Set(gone.flatMap(({ receipts }) => [...receipts.keys()]))
    this.pool = this.pool.filter(({ hash }) => !again.has(hash) || keep('transaction'))
  }

  /** What submitBatch makes of a state; throws Refusal. */
  private settle(state: State, data: string, now: number): State {
    const call = words.parseTransaction({ data }) as TransactionDescription
    if (this.refusal !== null) throw new Refusal(this.refusal)
    const [header, depositIds, withdrawals, , , , proof] = call.args as unknown as [
      readonly bigint[],
      readonly bigint[],
      readonly (readonly unknown[])[],
      unknown,
      unknown,
      bigint,
      readonly bigint[],
    ]
    const [, time = 0n, newRoot = 0n, , , requests = 0n] = header
    if (time > BigInt(now)) throw new Refusal('TimeMustNotBeAhead', [time])
    if (Number(requests) > state.requestCount - state.served)
      throw new Refusal('RequestsMustBeQueued', [requests, state.requestCount - state.served])
    for (const id of depositIds)
      if (!state.openDeposits.has(id)) throw new Refusal('DepositMustBeOpen', [id])
    const [number, old, next] = proof
    if (number !== BigInt(state.roots.length) || old !== state.roots.at(-1) || next !== newRoot)
      throw new Refusal('ProofMustVerify')
    return {
      ...state,
      roots: [...state.roots, newRoot],
      openDeposits: new Set([...state.openDeposits].filter((id) => !depositIds.includes(id))),
      served: state.served + Number(requests),
      paid: [...state.paid, ...withdrawals.map(([, , to]) => BigInt(to as string))],
    }
  }

  /** Answers as the contract would in the next block after this one. */
  call(at: Block, { to, data }: { to: string; data: string }): string {
    if (to.toLowerCase() !== ADDRESS) return '0x'
    // Views of one block: every node asks them, again and again.
    const name = `${at.hash} ${data}`
    const known = this.views.get(name)
    if (known !== undefined) return known
    const said = this.view(at, data)
    if (!data.startsWith(SUBMIT)) this.views.set(name, said)
    return said
  }

  private view(at: Block, data: string): string {
    const call = words.parseTransaction({ data }) as TransactionDescription
    const give = (value: unknown): string => words.encodeFunctionResult(call.name, [value])
    switch (call.name) {
      case 'batchNumber':
        return give(at.state.roots.length - 1)
      case 'roots':
        return give(at.state.roots[Number(call.args[0])] ?? 0n)
      case 'vault':
        return give(1n << 50n)
      case 'tableNumber':
        return give(at.state.tableNumber)
      case 'submitBatch':
        this.settle(at.state, data, at.time)
        return '0x'
      case 'tables':
        // Posted just now: the age of tables is told elsewhere.
        return words.encodeFunctionResult(call.name, [
          1n,
          at.time,
          true,
          `0x${'00'.repeat(32)}`,
          0n,
        ])
      case 'terms':
        return give(zeroOf(call.fragment.outputs[0] as ParamType, LONG_TERMS))
      default:
        return give(zeroOf(call.fragment.outputs[0] as ParamType))
    }
  }

  /** A node takes a signed transaction into the pool that all share. */
  send(raw: string): string {
    const made = waitingOf(raw)
    const { hash, from, nonce, to, maxFee, data } = made
    if (from !== this.operator) throw new Error('not the operator')
    if (nonce < (this.head.state.nonces.get(this.operator) ?? 0)) throw new Error('nonce too low')
    if (this.pool.some((waiting) => waiting.hash === hash)) throw new Error('already known')
    const rival = this.pool.filter((waiting) => waiting.nonce === nonce)
    if (rival.some((other) => maxFee * 10n < other.maxFee * 11n))
      throw new Error('replacement transaction underpriced')
    if (to === ADDRESS) {
      const { args } = words.parseTransaction({ data }) as TransactionDescription
      const number = (args[6] as readonly bigint[])[0] as bigint
      const handed = this.handed.get(number) ?? new Set<bigint>()
      this.handed.set(number, handed.add(args[5] as bigint))
    }
    // Replaced ones stay: a miner may have the old one, and take it.
    this.pool.push(made)
    return hash
  }

  receipt(blocks: readonly Block[], hash: string) {
    const block = blocks.find(({ receipts }) => receipts.has(hash))
    const receipt = block?.receipts.get(hash)
    if (block === undefined || receipt === undefined) return null
    return {
      transactionHash: hash,
      blockNumber: hex(block.number),
      blockHash: block.hash,
      status: receipt.isGood ? '0x1' : '0x0',
      gasUsed: hex(receipt.gasUsed),
    }
  }
}

/** Nothing of what the house owes L1 falls due here. */
const LONG_TERMS = { batchDelay: 1n << 40n, lateSweepDelay: 1n << 40n, tableLife: 1n << 40n }

function zeroOf(type: ParamType, given: Readonly<Record<string, bigint>> = {}): unknown {
  if (type.isTuple()) return type.components.map((part) => given[part.name] ?? zeroOf(part))
  if (type.isArray()) return []
  if (type.baseType === 'address') return ZeroAddress
  if (type.baseType.startsWith('bytes')) return `0x${'00'.repeat(Number(type.baseType.slice(5)))}`
  return type.baseType === 'bool' ? false : 0n
}

function applied(state: State, { name, args }: Event): State {
  if (name === 'Deposited')
    return { ...state, openDeposits: new Set([...state.openDeposits, args[0] as bigint]) }
  if (name === 'TablePosted') return { ...state, tableNumber: args[0] as bigint }
  return name === 'RequestQueued' ? { ...state, requestCount: state.requestCount + 1 } : state
}
