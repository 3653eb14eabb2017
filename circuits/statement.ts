/** The statement that a proof is about: x, drawn from the commitment and every public word as the contract draws it. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { FIELD_MODULUS } from './params.ts'
import { evaluateWords } from './words.ts'

const TAG = keccak_256(new TextEncoder().encode('cloister.v1'))

export type StatementScope = {
  readonly chainId: bigint
  /** The contract's address as a number below 2^160. */
  readonly contract: bigint
  /** SHA-256 of the verifying key of the shape. */
  readonly keyHash: bigint
}

function writeWord(bytes: Uint8Array, place: number, word: bigint): void {
  let rest = word
  for (let i = 31; i >= 0; i--) {
    bytes[32 * place + i] = Number(rest & 255n)
    rest >>= 8n
  }
}

/** x = keccak256(TAG, chainId, contract, keyHash, C, words) mod p and y, the words at x. */
export function statementOf(
  scope: StatementScope,
  commitment: bigint,
  words: readonly bigint[],
): { readonly x: bigint; readonly y: bigint } {
  const bytes = new Uint8Array(32 * (5 + words.length))
  bytes.set(TAG, 0)
  ;[scope.chainId, scope.contract, scope.keyHash, commitment, ...words].forEach((word, i) =>
    writeWord(bytes, i + 1, word),
  )
  const digest = keccak_256(bytes).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  const x = digest % FIELD_MODULUS
  return { x, y: evaluateWords(words, x) }
}
