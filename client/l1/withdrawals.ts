/**
 * The keccak tree of a batch's withdrawals as contracts/Withdrawals.sol makes it: sorted pairs, the
 * odd one out moves up unhashed, leaves hashed twice.
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { MerkleTree } from 'merkletreejs'
import { hexWord } from '../../circuits/hex-word.ts'
import { keccakOf } from './batch-words.ts'
import type { WithdrawalRecord } from './ledger.ts'

export type Withdrawal = Omit<WithdrawalRecord, 'isClaimed'>

const ZERO = `0x${'0'.repeat(64)}`

function bytesOf(hash: string): Uint8Array {
  return new Uint8Array(Buffer.from(hash.slice(2), 'hex'))
}

/** The double hash keeps leaves apart from inner nodes. 32 bytes in hex. */
export function withdrawalLeaf(
  contract: string,
  { batch, slot, token, amount, to }: Withdrawal,
): string {
  const inner = keccakOf([BigInt(contract), batch, BigInt(slot), BigInt(token), amount, BigInt(to)])
  const hash = keccak_256(bytesOf(hexWord(inner)))
  return `0x${Buffer.from(hash).toString('hex')}`
}

function treeOf(contract: string, list: readonly Withdrawal[]): MerkleTree {
  const leaves = list.map((withdrawal) =>
    Buffer.from(bytesOf(withdrawalLeaf(contract, withdrawal))),
  )
  return new MerkleTree(leaves, (data: Buffer) => Buffer.from(keccak_256(new Uint8Array(data))), {
    sortPairs: true,
  })
}

/** The root of a batch's withdrawals in slot order; 32 zero bytes if there are none. */
export function withdrawalsRoot(contract: string, list: readonly Withdrawal[]): string {
  return list.length === 0 ? ZERO : treeOf(contract, list).getHexRoot()
}

/** What the contract is shown to pay one of a batch's withdrawals; `list` is in slot order. */
export function withdrawalProof(
  contract: string,
  list: readonly Withdrawal[],
  slot: number,
): readonly string[] {
  const place = list.findIndex((withdrawal) => withdrawal.slot === slot)
  const withdrawal = list[place]
  if (withdrawal === undefined) throw new Error(`withdrawals: slot ${slot} is empty in this batch`)
  const leaf = Buffer.from(bytesOf(withdrawalLeaf(contract, withdrawal)))
  return treeOf(contract, list).getHexProof(leaf, place)
}
