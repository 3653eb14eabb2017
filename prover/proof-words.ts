// A proof as the contracts take it. No snarkjs here: whoever only sends proofs need not load it.

import type { Groth16Proof } from './groth16.ts'

/** The proof's eight numbers in the order that the precompile takes them. */
export function proofWords(proof: Groth16Proof): readonly bigint[] {
  const [a, b, c] = [proof.pi_a, proof.pi_b, proof.pi_c] as unknown as [
    string[],
    string[][],
    string[],
  ]
  const list = [a[0], a[1], b[0]?.[1], b[0]?.[0], b[1]?.[1], b[1]?.[0], c[0], c[1]]
  return list.map((word) => BigInt(word as string))
}
