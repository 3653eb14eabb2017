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
  readonly #own: ReturnType<typeof accountOn>
  readonly #contract: string

  constructor(rpcUrl: string, contract: string, l1Key: string) {
    this.#own = accountOn(rpcUrl, l1Key)
    this.address = this.#own.address
    this.#contract = contract
  }

  /** Resolves when it is mined; throws the contract's refusal. */
  async send({ name, args, value = 0n }: OwnerCall): Promise<void> {
    await this.#own.contract(this.#contract, EXIT_ABI).sendPaid(value, name, ...args)
  }

  close(): void {
    this.#own.close()
  }
}
