/**
 * The sequencer's door to L1, and the only file of this room that knows ethers: what the contract
 * says becomes plain values, batches become transactions.
 */
import {
  AbiCoder,
  Contract,
  ContractFactory,
  JsonRpcProvider,
  keccak256,
  NonceManager,
  toUtf8Bytes,
  Wallet,
  type EventLog,
  type InterfaceAbi,
  type Signer,
} from 'ethers'
import { FIELD_MODULUS, REQUEST_KIND } from '../circuits/params.ts'
import type { KeyRequest } from '../circuits/batch.ts'
import type { ExitRequest } from '../circuits/exit.ts'
import { settledRow, type Row } from '../circuits/table.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import type { CompiledContract } from '../prover/solidity.ts'
import { contractsOf } from './solidity.ts'

/** A transaction that has been asked for; `wait` resolves when it is mined. */
export type Sent = { readonly wait: () => Promise<unknown> }
export type DeployedContract = {
  readonly address: string
  /** Sends a transaction to a function by name, and waits until it is mined. */
  readonly send: (name: string, ...args: readonly unknown[]) => Promise<void>
}
export type Sender = Signer

/** A connection and an account that sends many transactions in a row. */
export function senderOf(rpcUrl: string, key: string) {
  const provider = connectTo(rpcUrl)
  const sender: Sender = new NonceManager(new Wallet(key, provider))
  return { sender, close: () => provider.destroy() }
}

function connectTo(rpcUrl: string): JsonRpcProvider {
  return new JsonRpcProvider(rpcUrl, undefined, {
    cacheTimeout: -1,
    polling: true,
    pollingInterval: 50,
  })
}

/** Resolves when the node answers; throws after `seconds`. */
export async function untilAnswering(rpcUrl: string, seconds: number): Promise<void> {
  const end = Date.now() + 1000 * seconds
  for (;;) {
    const answer = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
    }).catch(() => null)
    if (answer?.ok === true) return
    if (Date.now() > end) throw new Error(`L1: no answer within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Throws unless this is the chain that has the contract: a new chain at the same URL has nothing. */
export async function requireContract(
  rpcUrl: string,
  { contract, chainId }: { readonly contract: string; readonly chainId: bigint },
): Promise<void> {
  const provider = connectTo(rpcUrl)
  try {
    const { chainId: found } = await provider.getNetwork()
    if (found === chainId && (await provider.getCode(contract)) !== '0x') return
    throw new Error(`L1 must have the house at ${contract} on chain ${chainId}; this one has not`)
  } finally {
    provider.destroy()
  }
}

export function addressOfKey(key: string): string {
  return new Wallet(key).address
}

export async function chainIdOf(sender: Sender): Promise<bigint> {
  const network = await sender.provider?.getNetwork()
  if (network === undefined) throw new Error('L1: the sender is not connected')
  return network.chainId
}

/** Seconds of the latest block; 0 on a chain without one. */
export async function timeOf(sender: Sender): Promise<bigint> {
  return BigInt((await sender.provider?.getBlock('latest'))?.timestamp ?? 0)
}

export async function deployContract(
  sender: Sender,
  { abi, bytecode }: CompiledContract,
  ...args: readonly unknown[]
): Promise<DeployedContract> {
  const made = await new ContractFactory(abi as InterfaceAbi, bytecode, sender).deploy(...args)
  await made.waitForDeployment()
  return contractAt(sender, abi, await made.getAddress())
}

/** One that is there already. */
export function contractAt(
  sender: Sender,
  abi: CompiledContract['abi'],
  address: string,
): DeployedContract {
  const contract = new Contract(address, abi as InterfaceAbi, sender)
  return {
    address,
    send: async (name, ...given) => {
      const sent = (await contract.getFunction(name)(...given)) as Sent
      await sent.wait()
    },
  }
}

/** A role of the contract as its access control names it. */
export function roleNamed(name: string): string {
  return keccak256(toUtf8Bytes(name))
}

/** The first word of every batch: it ties a statement to one chain and one contract. */
export function domainOf(chainId: bigint, contract: string): bigint {
  const words = AbiCoder.defaultAbiCoder().encode(['uint256', 'address'], [chainId, contract])
  return BigInt(keccak256(words)) % FIELD_MODULUS
}

export type L1Deposit = {
  readonly id: bigint
  readonly token: number
  readonly amount: bigint
  readonly commitment: bigint
}
export type L1Table = { readonly number: bigint; readonly root: bigint; readonly time: bigint }
/** A request as it waits in the queue: what a forced exit may take is known when it is served. */
export type QueuedRequest = KeyRequest | Omit<ExitRequest, 'freeVault'>
/** Everything new since the last look, in order. */
export type L1News = {
  readonly requests: readonly QueuedRequest[]
  readonly deposits: readonly L1Deposit[]
  readonly refundRequests: readonly bigint[]
  readonly settled: readonly Row[]
  /** Posted, whether confirmed or not. */
  readonly tables: readonly L1Table[]
  /** Numbers of tables that were confirmed. */
  readonly confirmed: readonly bigint[]
  /** What the admin has set the mode to; null if nothing. */
  readonly mode: bigint | null
  /** The first block that was not looked at. */
  readonly nextBlock?: number
}
/** The contract's own word that it does not take a batch. */
export class BatchRefused extends Error {}
export type Submission = {
  readonly shapeId: bigint
  readonly time: bigint
  readonly newRoot: bigint
  readonly tableNumber: bigint
  readonly batchNonce: bigint
  readonly requestCount: number
  readonly depositIds: readonly bigint[]
  readonly withdrawals: readonly {
    readonly token: number
    readonly amount: bigint
    readonly to: bigint
  }[]
  /** Lots paid to each forced exit that the batch serves, in the order of the queue. */
  readonly forcedPayments?: readonly bigint[]
  readonly accountWords: readonly bigint[]
  readonly commitment: bigint
  readonly proof: Groth16Proof
}

export function addressOf(word: bigint): string {
  return `0x${word.toString(16).padStart(40, '0')}`
}

/** The proof's eight numbers in the order that the precompile takes them. */
export function proofWords(proof: Groth16Proof): readonly bigint[] {
  const [a, b, c] = [proof.pi_a, proof.pi_b, proof.pi_c] as unknown as [
    string[],
    string[][],
    string[],
  ]
  const list = [a[0], a[1], b[0]?.[1], b[0]?.[0], b[1]?.[1], b[1]?.[0], c[0], c[1]]
  return list.map((word) => BigInt(word as string))
}

function requestOf(args: EventLog['args']): QueuedRequest {
  const [x, y] = [args['x'] as bigint, args['y'] as bigint]
  const common = { serial: args['serial'] as bigint, account: Number(args['account']) }
  const kind = Number(args['kind'])
  if (kind === REQUEST_KIND.forcedExit)
    return { ...common, kind: 'forcedExit', token: Number(x), to: y }
  const key = { ...common, key: { x, y }, viewKeyHash: args['viewKeyHash'] as bigint }
  if (kind === REQUEST_KIND.register) return { ...key, kind: 'register' }
  if (kind === REQUEST_KIND.rotate) return { ...key, kind: 'rotate' }
  throw new Error(`L1 queued a request of kind ${kind}, which this version does not know`)
}

export class SequencerL1 {
  readonly provider: JsonRpcProvider
  readonly wallet: Wallet
  readonly contract: Contract
  private nextBlock = 0

  constructor(rpcUrl: string, contract: string, operatorKey: string) {
    this.provider = connectTo(rpcUrl)
    this.wallet = new Wallet(operatorKey, this.provider)
    this.contract = new Contract(
      contract,
      contractsOf()['Cloister']?.abi as InterfaceAbi,
      this.wallet,
    )
  }

  /** The operator's address. */
  get operator(): string {
    return this.wallet.address
  }

  /** Goes on from the first block that an earlier run has not looked at. */
  resumeAt(block: number): void {
    this.nextBlock = block
  }

  /** The root after a batch that L1 has accepted, or null. */
  async rootOf(number: bigint): Promise<bigint | null> {
    const last = (await this.contract.getFunction('batchNumber')()) as bigint
    if (number > last) return null
    return (await this.contract.getFunction('roots')(number)) as bigint
  }

  async news(): Promise<L1News> {
    const head = await this.provider.getBlockNumber()
    const empty: L1News = {
      requests: [],
      deposits: [],
      refundRequests: [],
      settled: [],
      tables: [],
      confirmed: [],
      mode: null,
    }
    if (head < this.nextBlock) return empty
    const logs = await this.contract.queryFilter('*', this.nextBlock, head)
    const nextBlock = head + 1
    this.nextBlock = nextBlock
    const named = (name: string): EventLog[] =>
      logs.filter((log): log is EventLog => 'eventName' in log && log.eventName === name)
    return {
      nextBlock,
      requests: named('RequestQueued').map(({ args }) => requestOf(args)),
      deposits: named('Deposited').map(({ args }) => ({
        id: args['id'] as bigint,
        token: Number(args['token']),
        amount: args['amount'] as bigint,
        commitment: args['commitment'] as bigint,
      })),
      refundRequests: named('RefundRequested').map(({ args }) => args['id'] as bigint),
      settled: named('SettlementPosted').flatMap(({ args }) => {
        const values = args[1] as readonly bigint[]
        return (args[0] as readonly bigint[]).map((id, i) =>
          settledRow(Number(id), values[i] as bigint),
        )
      }),
      tables: named('TablePosted').map(({ args }) => ({
        number: args['number'] as bigint,
        root: args['root'] as bigint,
        time: args['time'] as bigint,
      })),
      confirmed: named('TableConfirmed').map(({ args }) => args['number'] as bigint),
      mode: (named('ModeSet').at(-1)?.args['mode'] as bigint | undefined) ?? null,
    }
  }

  /** Lots of a token that a batch may pay out: what L1 fills in for a forced exit. */
  async freeVault(token: number): Promise<bigint> {
    const [vault, owed, unconsumed] = (await Promise.all(
      ['vault', 'owed', 'unconsumedDeposits'].map((name) => this.contract.getFunction(name)(token)),
    )) as [bigint, bigint, bigint]
    return vault - owed - unconsumed
  }

  /** The operator's word that it holds the view key: without it the contract takes no registration. */
  async countersign(registration: {
    l1Owner: string
    ownerX: bigint
    ownerY: bigint
    viewKeyHash: bigint
  }): Promise<string> {
    const { chainId } = await this.provider.getNetwork()
    const nonce = (await this.contract.getFunction('registrationNonce')(
      registration.l1Owner,
    )) as bigint
    const domain = {
      name: 'Cloister',
      version: '1',
      chainId,
      verifyingContract: await this.contract.getAddress(),
    }
    const uint = (name: string): { name: string; type: string } => ({ name, type: 'uint256' })
    const types = {
      Registration: [
        { name: 'l1Owner', type: 'address' },
        uint('ownerX'),
        uint('ownerY'),
        uint('viewKeyHash'),
        uint('nonce'),
      ],
    }
    return this.wallet.signTypedData(domain, types, { ...registration, nonce })
  }

  /** Signed on acceptance of a page; anyone can check it offline against the operator's address. */
  signReceipt(text: string): Promise<string> {
    return this.wallet.signMessage(text)
  }

  /** Sends a batch and waits for it. Returns the gas used; throws the contract's own error by name. */
  async submit(s: Submission): Promise<{ readonly gasUsed: bigint; readonly hash: string }> {
    const header = [s.shapeId, s.time, s.newRoot, s.tableNumber, s.batchNonce, s.requestCount]
    const withdrawals = s.withdrawals.map((w) => [w.token, w.amount, addressOf(w.to)])
    try {
      const sent = await this.contract.getFunction('submitBatch')(
        header,
        s.depositIds,
        withdrawals,
        s.forcedPayments ?? [],
        s.accountWords,
        s.commitment,
        proofWords(s.proof),
      )
      const receipt = await sent.wait()
      return { gasUsed: receipt.gasUsed as bigint, hash: receipt.hash as string }
    } catch (error) {
      const data = (error as { data?: string }).data
      const parsed = typeof data === 'string' ? this.contract.interface.parseError(data) : null
      if (parsed === null) throw error
      const words = `${parsed.name}(${parsed.args.join(', ')})`
      throw new BatchRefused(`L1 refused the batch: ${words}`, { cause: error })
    }
  }

  close(): void {
    this.provider.destroy()
  }
}
