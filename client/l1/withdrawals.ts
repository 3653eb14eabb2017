/** The keccak tree of a batch's withdrawals, recomputed as contracts/Withdrawals.sol makes it. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { keccakOf } from './batch-words.ts'
import type { WithdrawalRecord } from './ledger.ts'

const ZERO = `0x${'0'.repeat(64)}`

function bytesOf(hash: string): Uint8Array {
  return new Uint8Array(Buffer.from(hash.slice(2), 'hex'))
}
function hashOf(...parts: readonly string[]): string {
  const bytes = Buffer.concat(parts.map(bytesOf))
  return `0x${Buffer.from(keccak_256(new Uint8Array(bytes))).toString('hex')}`
}

/** The double hash keeps leaves apart from inner nodes. */
export function withdrawalLeaf(
  contract: string,
  { batch, slot, token, amount, to }: Omit<WithdrawalRecord, 'isClaimed'>,
): string {
  const inner = keccakOf([BigInt(contract), batch, BigInt(slot), BigInt(token), amount, BigInt(to)])
  return hashOf(`0x${inner.toString(16).padStart(64, '0')}`)
}

/**
 * The root of a batch's withdrawals in slot order; 32 zero bytes if there are none. Sorted pairs;
 * the odd one out moves up unhashed.
 */
export function withdrawalsRoot(
  contract: string,
  list: readonly Omit<WithdrawalRecord, 'isClaimed'>[],
): string {
  let level = list.map((withdrawal) => withdrawalLeaf(contract, withdrawal))
  while (level.length > 1) {
    const below = level
    level = Array.from({ length: Math.ceil(below.length / 2) }, (_, i) => {
      const [a, b] = [below[2 * i] as string, below[2 * i + 1]]
      return b === undefined ? a : a < b ? hashOf(a, b) : hashOf(b, a)
    })
  }
  return level[0] ?? ZERO
}
