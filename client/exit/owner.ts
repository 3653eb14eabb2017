/** The L1 owner's transactions of leaving: sent with its key, or written out for whoever holds it. */
import { EXIT_ABI } from '../l1/abi.ts'
import { accountOn, Interface } from '../l1/ethers.ts'

const abi = new Interface(EXIT_ABI)

export type OwnerCall = {
  readonly name: string
  readonly args: readonly unknown[]
  /** Wei. */
  readonly value?: bigint
}
/** For a multisig or a hardware wallet: nothing secret is in it. */
export type Unsent = { readonly to: string; readonly data: string; readonly value: string }

export function unsentOf(contract: string, { name, args, value = 0n }: OwnerCall): Unsent {
  return { to: contract, data: abi.encodeFunctionData(name, [...args]), value: `${value}` }
}

export class OwnerL1 {
  readonly address: string
  readonly #rpcUrl: string
  readonly #contract: string
  readonly #l1Key: string

  constructor(rpcUrl: string, contract: string, l1Key: string) {
    this.#rpcUrl = rpcUrl
    this.#contract = contract
    this.#l1Key = l1Key
    const own = accountOn(rpcUrl, l1Key)
    this.address = own.address
    own.close()
  }

  /** Resolves when it is mined; throws the contract's refusal. */
  async send({ name, args, value = 0n }: OwnerCall): Promise<void> {
    // An account of its own for each call: one that was refused leaves a gap in the nonces it counts.
    const own = accountOn(this.#rpcUrl, this.#l1Key)
    try {
      await own.contract(this.#contract, EXIT_ABI).sendPaid(value, name, ...args)
    } finally {
      own.close()
    }
  }
}
