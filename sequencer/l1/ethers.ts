/** The only file of this room that knows ethers: words of the contract, signatures, deployments. */
import {
  AbiCoder,
  Contract,
  ContractFactory,
  Interface,
  JsonRpcProvider,
  keccak256,
  makeError,
  NonceManager,
  toUtf8Bytes,
  Transaction,
  Wallet,
  type InterfaceAbi,
  type JsonRpcError,
  type JsonRpcPayload,
  type JsonRpcResult,
  type Signer,
  type TransactionRequest,
  type TransactionResponse,
} from 'ethers'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import type { CompiledContract } from '../../prover/solidity.ts'
import type { Log } from './chain.ts'
import type { Pool } from './pool.ts'
import { RpcError } from './rpc.ts'
import type { Account, Draft, Signed } from './sender.ts'

/** Signs texts as `personal_sign` does (EIP-191), without a connection; the same text, the same signature. */
export function receiptSignerOf(key: string): (text: string) => string {
  const wallet = new Wallet(key)
  return (text) => wallet.signMessageSync(text)
}

/** A transaction that has been asked for; `wait` resolves when it is mined. */
export type Sent = { readonly wait: () => Promise<unknown> }
export type DeployedContract = {
  readonly address: string
  /** Sends a transaction to a function by name, and waits until it is mined. */
  readonly send: (name: string, ...args: readonly unknown[]) => Promise<void>
  /** What a view says. */
  readonly read: (name: string, ...args: readonly unknown[]) => Promise<unknown>
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
    read: (name, ...given) => contract.getFunction(name)(...given) as Promise<unknown>,
  }
}

/** What a view answers. */
export async function readAt(
  sender: Sender,
  abi: CompiledContract['abi'],
  address: string,
  name: string,
  ...given: readonly unknown[]
): Promise<unknown> {
  const contract = new Contract(address, abi as InterfaceAbi, sender)
  return (await contract.getFunction(name).staticCall(...given)) as unknown
}

/** What is deployed at an address, in hex; 0x for nothing. */
export async function codeAt(sender: Sender, address: string): Promise<string> {
  return (await sender.provider?.getCode(address)) ?? '0x'
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

/** An event by its fields' names, and by their places. */
export type Event = {
  readonly name: string
  readonly args: { readonly [field: string | number]: unknown }
}
/** What goes to the contract and what comes from it, in its ABI. */
export type Coder = {
  readonly encode: (name: string, ...args: readonly unknown[]) => string
  /** The one value that a function returns; of several the list, by place and by name. */
  readonly decode: (name: string, data: string) => unknown
  /** Null of an event that the ABI does not have. */
  readonly event: (log: Log) => Event | null
  /** `Name(argument, ...)` of a custom error; null of anything else. */
  readonly error: (data: string) => string | null
}

export function coderOf({ abi }: Pick<CompiledContract, 'abi'>): Coder {
  const words = new Interface(abi as InterfaceAbi)
  return {
    encode: (name, ...args) => words.encodeFunctionData(name, args),
    decode: (name, data) => {
      const values = words.decodeFunctionResult(name, data)
      return (values.length === 1 ? values[0] : values) as unknown
    },
    event: (log) => {
      const parsed = words.parseLog(log)
      return parsed === null ? null : { name: parsed.name, args: parsed.args }
    },
    error: (data) => {
      const parsed = words.parseError(data)
      return parsed === null ? null : `${parsed.name}(${parsed.args.join(', ')})`
    },
  }
}

/** The operator's key, and all that is signed with it. */
export type Operator = {
  readonly address: string
  readonly wallet: Wallet
  readonly accountOn: (chainId: bigint) => Account
  readonly signMessage: (text: string) => Promise<string>
}
export function operatorOf(key: string): Operator {
  const wallet = new Wallet(key)
  const accountOn = (chainId: bigint): Account => ({
    address: wallet.address,
    sign: async ({ maxFee, priorityFee, ...draft }: Draft) =>
      signedOf(
        await wallet.signTransaction({
          ...draft,
          type: 2,
          chainId,
          maxFeePerGas: maxFee,
          maxPriorityFeePerGas: priorityFee,
        }),
      ),
  })
  return {
    address: wallet.address,
    wallet,
    accountOn,
    signMessage: (text) => wallet.signMessage(text),
  }
}

/** From the bytes that were recorded. */
export function signedOf(raw: string): Signed {
  const { hash, nonce, to, data, maxFeePerGas, maxPriorityFeePerGas } = Transaction.from(raw)
  if (hash === null || to === null || maxFeePerGas === null || maxPriorityFeePerGas === null)
    throw new Error('L1: these bytes are no transaction of ours')
  return { raw, hash, nonce, to, data, maxFee: maxFeePerGas, priorityFee: maxPriorityFeePerGas }
}

/** Runs one call of the operator to its end; throws RpcError with the contract's word. */
export type RunCall = (to: string, data: string) => Promise<{ readonly hash: string }>

/** A connection whose every answer the pool has agreed on. */
class PoolProvider extends JsonRpcProvider {
  private readonly pool: Pool
  constructor(pool: Pool) {
    super(undefined, undefined, { cacheTimeout: -1, batchMaxCount: 1, pollingInterval: 50 })
    this.pool = pool
  }
  override async _send(payload: JsonRpcPayload | JsonRpcPayload[]): Promise<JsonRpcResult[]> {
    const all = Array.isArray(payload) ? payload : [payload]
    // Errors are taken by the base class, though its type does not say so.
    return (await Promise.all(all.map((one) => this.answer(one)))) as JsonRpcResult[]
  }
  private async answer({
    id,
    method,
    params,
  }: JsonRpcPayload): Promise<JsonRpcResult | JsonRpcError> {
    try {
      const list = params as readonly unknown[]
      const result =
        method === 'eth_blockNumber'
          ? `0x${(await this.pool.height()).toString(16)}`
          : await this.pool.agreed(method, list, (value) => value)
      return { id, result }
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      const { code, message, data } = error
      return { id, error: data === null ? { code, message } : { code, message, data } }
    }
  }
}

/** Sends through the one door that counts nonces. */
class PoolWallet extends Wallet {
  private readonly run: RunCall
  constructor(key: string, provider: JsonRpcProvider, run: RunCall) {
    super(key, provider)
    this.run = run
  }
  override async sendTransaction(request: TransactionRequest): Promise<TransactionResponse> {
    const [to, data] = [String(await request.to), String(request.data ?? '0x')]
    const { hash } = await this.run(to, data).catch((error: unknown) => {
      if (!(error instanceof RpcError)) throw error
      const info = { action: 'sendTransaction', data: error.data, reason: null } as const
      const transaction = { to, data }
      throw makeError(error.message, 'CALL_EXCEPTION', {
        ...info,
        transaction,
        invocation: null,
        revert: null,
      })
    })
    const response = await this.provider?.getTransaction(hash)
    if (response === null || response === undefined) throw new Error(`L1 forgot ${hash}`)
    return response
  }
}

/** The contract as a whole, for what the sequencer's own calls do not cover. */
export function connectedContract(
  pool: Pool,
  key: string,
  address: string,
  { abi }: Pick<CompiledContract, 'abi'>,
  run: RunCall,
) {
  const provider = new PoolProvider(pool)
  const wallet = new PoolWallet(key, provider, run)
  return { provider, wallet, contract: new Contract(address, abi as InterfaceAbi, wallet) }
}
