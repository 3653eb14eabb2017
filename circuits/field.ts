/** Arithmetic in the scalar field of BN254. */
import { FIELD_MODULUS } from './params.ts'

export function mod(value: bigint): bigint {
  const rest = value % FIELD_MODULUS
  return rest < 0n ? rest + FIELD_MODULUS : rest
}

/** The inverse of a nonzero element; throws on zero. */
export function inverse(value: bigint): bigint {
  let [a, b, u, v] = [mod(value), FIELD_MODULUS, 1n, 0n]
  if (a === 0n) throw new Error('field: zero has no inverse')
  while (a !== 0n) {
    const q = b / a
    ;[b, a] = [a, b - q * a]
    ;[v, u] = [u, v - q * u]
  }
  return mod(v)
}

/** The element as a number between -p/2 and p/2. */
export function signed(word: bigint): bigint {
  return word > FIELD_MODULUS / 2n ? word - FIELD_MODULUS : word
}
