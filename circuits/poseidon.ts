/** The door to the Poseidon library: tagged hashes and raw permutations over bigints. */
import { buildPoseidon } from 'circomlibjs'
import { ENCODINGS, type EncodingName } from './encodings.ts'

const poseidon = await buildPoseidon()

/** One permutation: capacity and 1..16 words in, the first `outputs` words of the state out. */
export function permute(
  capacity: bigint,
  words: readonly bigint[],
  outputs: number,
): readonly bigint[] {
  const out = poseidon(words as bigint[], capacity, outputs)
  const list = outputs === 1 ? [out as Uint8Array] : (out as Uint8Array[])
  return list.map((word) => poseidon.F.toObject(word))
}

/** hash(tag, words) of encodings.ts for any positive number of words. */
export function hash(name: EncodingName, words: readonly bigint[]): bigint {
  return hashWithTag(BigInt(ENCODINGS[name].tag), words)
}

export function hashWithTag(tag: bigint, words: readonly bigint[]): bigint {
  let state = tag
  for (let i = 0; i < words.length; i += 16) {
    state = permute(state, words.slice(i, i + 16), 1)[0] as bigint
  }
  return state
}
