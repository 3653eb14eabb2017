/** Proofs of which somebody else says that they are some. */
import { BASE_PRIME } from './bn254.ts'
import type { Groth16Proof } from './groth16.ts'
import { proofWords } from './proof-words.ts'

/**
 * Whether L1 would read the numbers at all. snarkjs reduces them: to it a number and the same plus the
 * modulus are one. Throws where they are none.
 */
export function isPlain(proof: Groth16Proof): boolean {
  return proofWords(proof).every((word) => word >= 0n && word < BASE_PRIME)
}
