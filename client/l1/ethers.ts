/** The client's one door to ethers: what signs and encodes for L1. Everything else is plain values. */
import { randomBytes } from 'node:crypto'
import {
  AbiCoder,
  Contract,
  getAddress,
  HDNodeWallet,
  id,
  Interface,
  JsonRpcProvider,
  Mnemonic,
  NonceManager,
  Transaction,
  Wallet,
} from 'ethers'
import type { InterfaceAbi, TransactionRequest, TransactionResponse } from 'ethers'

export { id as keccakOf, Interface, getAddress }

/** What a constructor was given, by name; `data` is hex without 0x. Null for what fits none. */
export function constructorArguments(
  abi: readonly unknown[],
  data: string,
): Readonly<Record<string, unknown>> | null {
  const { inputs } = new Interface(abi as InterfaceAbi).deploy
  try {
    return AbiCoder.defaultAbiCoder().decode(inputs, `0x${data}`).toObject(true) as Record<
      string,
      unknown
    >
  } catch {
    return null
  }
}

type MinedLog = { readonly topics: readonly string[]; readonly data: string }
export type Mined = { readonly logs: readonly MinedLog[] } | null

/** A contract under an account of one's own; transactions are sent in a row and waited for. */
export type OwnContract = {
  readonly send: (name: string, ...args: readonly unknown[]) => Promise<Mined>
  /** The same with wei. */
  readonly sendPaid: (wei: bigint, name: string, ...args: readonly unknown[]) => Promise<Mined>
  readonly read: (name: string, ...args: readonly unknown[]) => Promise<unknown>
  /** An argument of the event `name` among what was mined; throws if it was not emitted. */
  readonly argumentOf: (mined: Mined, name: string, argument: string) => unknown
}
export type OwnAccount = {
  readonly address: string
  readonly contract: (address: string, abi: readonly string[]) => OwnContract
  /** What a call would do now, made by this account or by `from`; throws the contract's refusal. */
  readonly attempt: (to: string, data: string, from?: string) => Promise<string>
  /** Sends a call and waits for its block; throws the contract's refusal. Returns its hash. */
  readonly sendRaw: (to: string, data: string) => Promise<string>
  /** A contract without arguments from its creation code. */
  readonly deploy: (
    code: string,
  ) => Promise<{ readonly address: string; readonly transaction: string }>
  readonly close: () => void
}

const GWEI = 1_000_000_000n
/** Far above what any block of Ethereum was bought with; a chain of another coin may count otherwise. */
const TIP_LIMIT_GWEI = 500n
const LIMIT_NAME = 'CLOISTER_TIP_LIMIT_GWEI'

/** In wei a unit of gas. Throws where the environment names no whole number of gwei. */
function tipLimit(): bigint {
  const given = process.env[LIMIT_NAME] || `${TIP_LIMIT_GWEI}`
  if (!/^[1-9]\d{0,11}$/.test(given))
    throw new Error(`${LIMIT_NAME} must be a whole number of gwei`)
  return BigInt(given) * GWEI
}

/**
 * What a node says that gas costs is signed as it is: one in league with who makes the block could name
 * any tip, and have all that the account holds. (A base fee is the chain's, whatever is offered. Where
 * there is none all of it is the node's word, and that there is none is its word, too: one limit.)
 */
class BoundedProvider extends JsonRpcProvider {
  override async getFeeData(): ReturnType<JsonRpcProvider['getFeeData']> {
    const limit = tipLimit()
    const fees = await super.getFeeData()
    const asked = (fees.maxFeePerGas === null ? fees.gasPrice : fees.maxPriorityFeePerGas) ?? 0n
    if (asked > limit)
      throw new Error(
        `the RPC node asks ${asked / GWEI} gwei a unit of gas for whoever makes the block, more than ` +
          `${limit / GWEI}: nothing is sent. Ask another node; where gas does cost that, ` +
          `${LIMIT_NAME} in the environment sets the limit`,
      )
    return fees
  }
}

/** Counts what was sent; what was not leaves no gap, behind which no later transaction would be mined. */
class OwnSigner extends NonceManager {
  override async sendTransaction(transaction: TransactionRequest): Promise<TransactionResponse> {
    try {
      return await super.sendTransaction(transaction)
    } catch (error) {
      this.reset()
      throw error
    }
  }
}

/** `key`: 32 bytes in hex. The key stays in this object. */
export function accountOn(rpcUrl: string, key: string): OwnAccount {
  const provider = new BoundedProvider(rpcUrl, undefined, { cacheTimeout: -1, pollingInterval: 50 })
  const wallet = new Wallet(key, provider)
  const signer = new OwnSigner(wallet)
  return {
    address: wallet.address,
    contract: (address, abi) => ownContract(new Contract(address, [...abi], signer)),
    attempt: (to, data, from = wallet.address) => provider.call({ to, data, from }),
    sendRaw: async (to, data) => {
      const sent = await signer.sendTransaction({ to, data })
      await sent.wait()
      return sent.hash
    },
    deploy: async (code) => {
      const sent = await signer.sendTransaction({ data: code })
      const address = (await sent.wait())?.contractAddress
      if (typeof address !== 'string') throw new Error('L1 did not deploy the contract')
      return { address, transaction: sent.hash }
    },
    close: () => provider.destroy(),
  }
}

function ownContract(contract: Contract): OwnContract {
  const send = async (value: bigint, name: string, args: readonly unknown[]): Promise<Mined> => {
    const given = value === 0n ? args : [...args, { value }]
    const sent = (await contract.getFunction(name)(...given)) as { wait: () => Promise<Mined> }
    return sent.wait()
  }
  return {
    send: (name, ...args) => send(0n, name, args),
    sendPaid: (wei, name, ...args) => send(wei, name, args),
    read: (name, ...args) => contract.getFunction(name)(...args) as Promise<unknown>,
    argumentOf: (mined, name, argument) => {
      for (const log of mined?.logs ?? []) {
        const parsed = contract.interface.parseLog(log)
        if (parsed?.name === name) return parsed.args[argument] as unknown
      }
      throw new Error(`L1 did not emit ${name}`)
    },
  }
}

/** Accounts of a mnemonic by the usual path m/44'/60'/0'/0/i. */
export function newPhrase(): string {
  return Mnemonic.fromEntropy(randomBytes(16)).phrase
}

export function accountsOf(
  phrase: string,
  count: number,
): readonly { readonly address: string; readonly key: string }[] {
  const mnemonic = Mnemonic.fromPhrase(phrase)
  return Array.from({ length: count }, (_, i) => {
    const wallet = HDNodeWallet.fromMnemonic(mnemonic, `m/44'/60'/0'/0/${i}`)
    return { address: wallet.address, key: wallet.privateKey }
  })
}

/** Of a signed transaction; null if it is none. */
export function senderOf(raw: string): { readonly from: string; readonly nonce: number } | null {
  try {
    const { from, nonce } = Transaction.from(raw)
    return from === null ? null : { from, nonce }
  } catch {
    return null
  }
}

export function addressOf(key: string): string {
  return new Wallet(key).address
}
