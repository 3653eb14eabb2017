/** What the operator signs of a registration (EIP-712); contracts/Registry.sol checks it. */
import type { Operator } from './ethers.ts'

export type Registration = {
  readonly l1Owner: string
  readonly ownerX: bigint
  readonly ownerY: bigint
  readonly viewKeyHash: bigint
}

const uint = (name: string): { name: string; type: string } => ({ name, type: 'uint256' })
const TYPES = {
  Registration: [
    { name: 'l1Owner', type: 'address' },
    uint('ownerX'),
    uint('ownerY'),
    uint('viewKeyHash'),
    uint('nonce'),
  ],
}

export function countersignature(
  { wallet }: Operator,
  house: { readonly chainId: bigint; readonly contract: string },
  registration: Registration,
  nonce: bigint,
): Promise<string> {
  const { chainId, contract: verifyingContract } = house
  const domain = { name: 'Cloister', version: '1', chainId, verifyingContract }
  return wallet.signTypedData(domain, TYPES, { ...registration, nonce })
}
