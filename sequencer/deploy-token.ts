/** The token that a house holds its cash in: one that is there already, or play money on a local chain. */
import type { CompiledContract } from '../prover/solidity.ts'
import { codeAt, deployContract, readAt, type Sender } from './l1.ts'
import { contractsOf } from './solidity.ts'

export type NamedToken = {
  readonly address: string
  /** As who deploys believes it to be: the contract must say the same. */
  readonly decimals: number
}
export type CashToken = {
  readonly address: string
  /** Of the token's smallest units in one lot, which is a millionth of a token. */
  readonly unit: bigint
}

/** Of the environment; it says what it means, so that nobody sets it by habit. */
export const MINT_FLAG = 'CLOISTER_LET_ANYBODY_MINT_DOLLARS'
/** Digits behind the point of one lot. */
const LOT_DECIMALS = 6
/** Of more a unit would not fit the contract. */
const DECIMALS_MAX = 34

export type CashTokenOptions = {
  readonly admin: Sender
  readonly isLocal: boolean
  readonly named: NamedToken | null
  readonly letAnybodyMintDollars: boolean
}

/** Throws, before anything is deployed, for a token that a house must not hold. */
export async function cashTokenOf(options: CashTokenOptions): Promise<CashToken> {
  const { admin, isLocal, named, letAnybodyMintDollars } = options
  const dollar = contractsOf()['TestDollar'] as CompiledContract
  const mayBePlay = isLocal || letAnybodyMintDollars
  if (named === null) {
    if (!mayBePlay) throw new Error(`a token must be named on this chain: ${PLAY_MONEY}`)
    return { address: (await deployContract(admin, dollar)).address, unit: 1n }
  }
  const { address, decimals } = named
  const code = await codeAt(admin, address)
  if (code === '0x') throw new Error(`the token must be a contract: there is none at ${address}`)
  // Without immutables what is deployed stands within what deploys it.
  if (!mayBePlay && dollar.bytecode.includes(code.slice(2)))
    throw new Error(`the token at ${address} must have value: ${PLAY_MONEY}`)
  const said = await decimalsOf(admin, dollar, address)
  if (said !== BigInt(decimals))
    throw new Error(
      `the decimals of the token must be as named: ${address} says ${said}, not ${decimals}`,
    )
  if (decimals < LOT_DECIMALS || decimals > DECIMALS_MAX)
    throw new Error(
      `the token must have ${LOT_DECIMALS} to ${DECIMALS_MAX} decimals, since a lot is a millionth ` +
        `of a token; ${address} has ${decimals}`,
    )
  return { address, unit: 10n ** BigInt(decimals - LOT_DECIMALS) }
}

const PLAY_MONEY =
  'anybody mints a TestDollar, and what a house holds in it is worth nothing. Only a deployment that ' +
  `never holds value may set ${MINT_FLAG}=1`

async function decimalsOf(
  admin: Sender,
  { abi }: CompiledContract,
  address: string,
): Promise<bigint> {
  try {
    // Whatever is not asked of a house's token by the house itself is no proof that it is one.
    await readAt(admin, abi, address, 'balanceOf', address)
    await readAt(admin, abi, address, 'totalSupply')
    return (await readAt(admin, abi, address, 'decimals')) as bigint
  } catch {
    throw new Error(
      `the token must be an ERC-20 with decimals(): ${address} does not answer as one`,
    )
  }
}
