/** The challenges, all drawn from x by one permutation; none is a power of another. */
import { ENCODINGS } from './encodings.ts'
import { permute } from './poseidon.ts'

export const CHALLENGE_NAMES = [
  'POINT',
  'INSTRUMENT',
  'PRODUCT',
  'STAMP',
  'PAYLOAD',
  'PAIR_INSTRUMENT',
  'PRESENCE',
  'HEAD',
  'ROTATION',
  'ACCOUNT_WEIGHT',
  'WORLD_WEIGHT',
  'MU',
  'REDUCED',
  'REDUCTION_COUNT',
] as const

/** The 17 outputs of one permutation over x (shape: 17 field elements). */
export function challengesOf(x: bigint): readonly bigint[] {
  return permute(BigInt(ENCODINGS.CHALLENGE.tag), [x, ...Array<bigint>(15).fill(0n)], 17)
}
