/** EdDSA-Poseidon on BabyJubJub as in circomlib, on the curve arithmetic of @noble/curves. */
import { edwards, type EdwardsPoint } from '@noble/curves/abstract/edwards.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { hashWithTag } from './poseidon.ts'
import { FIELD_MODULUS } from './params.ts'

const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n
export const Curve = edwards({
  p: FIELD_MODULUS,
  n: ORDER,
  h: 8n,
  a: 168700n,
  d: 168696n,
  Gx: 5299619240641551281634865583518297030282874472190772894086521144482721001553n,
  Gy: 16950150798460657717958625567821834550301663161624707787222815936182638968203n,
})

export type Point = { readonly x: bigint; readonly y: bigint }
export type Signature = { readonly r: Point; readonly s: bigint }
/** A seed of 32 bytes never leaves its owner; the scalar and the nonce prefix follow from it. */
export type SigningKey = {
  readonly scalar: bigint
  readonly prefix: Uint8Array
  readonly publicKey: Point
}

export const BASE: Point = { x: Curve.BASE.toAffine().x, y: Curve.BASE.toAffine().y }

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
}

function toPoint(point: EdwardsPoint): Point {
  const { x, y } = point.toAffine()
  return { x, y }
}

/** The key of a 32-byte seed: public key = scalar * Base8, so it lies in the prime-order subgroup. */
export function signingKey(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new Error('eddsa: a seed has 32 bytes')
  const digest = blake2b(seed, { dkLen: 64 })
  const scalar = (littleEndian(digest.slice(0, 32)) % (ORDER - 1n)) + 1n
  return { scalar, prefix: digest.slice(32), publicKey: toPoint(Curve.BASE.multiply(scalar)) }
}

/** A point Q with 8 Q = the public key: what is posted on L1 or shown to the circuit. */
export function eighthOf(key: SigningKey): Point {
  const eighth = modInverse(8n, ORDER)
  return toPoint(Curve.BASE.multiply((key.scalar * eighth) % ORDER))
}

export function timesEight(point: Point): Point {
  return toPoint(Curve.fromAffine(point).multiplyUnsafe(8n))
}

function modInverse(value: bigint, modulus: bigint): bigint {
  let [a, b, u, v] = [value % modulus, modulus, 1n, 0n]
  while (a !== 0n) {
    const q = b / a
    ;[b, a] = [a, b - q * a]
    ;[v, u] = [u, v - q * u]
  }
  return ((v % modulus) + modulus) % modulus
}

/** hash(R, A, message) with capacity 0, as circomlib has it. */
function challenge(r: Point, a: Point, message: bigint): bigint {
  return hashWithTag(0n, [r.x, r.y, a.x, a.y, message])
}

/** Signs a field element; deterministic, the nonce from the secret prefix and the message. */
export function sign(key: SigningKey, message: bigint): Signature {
  const nonce =
    (littleEndian(blake2b(Uint8Array.of(...key.prefix, ...bytesOf(message)), { dkLen: 64 })) %
      (ORDER - 1n)) +
    1n
  const r = toPoint(Curve.BASE.multiply(nonce))
  const h = challenge(r, key.publicKey, message)
  return { r, s: (nonce + ((h * 8n) % ORDER) * key.scalar) % ORDER }
}

export function isOnCurve({ x, y }: Point): boolean {
  const inField = (v: bigint): boolean => v >= 0n && v < FIELD_MODULUS
  if (!inField(x) || !inField(y)) return false
  const [x2, y2] = [(x * x) % FIELD_MODULUS, (y * y) % FIELD_MODULUS]
  return (168700n * x2 + y2 - 1n - ((168696n * x2) % FIELD_MODULUS) * y2) % FIELD_MODULUS === 0n
}

/** On the curve, in the prime-order subgroup, not the identity. */
export function isValidKey(key: Point): boolean {
  if (!isOnCurve(key) || key.x === 0n) return false
  return Curve.fromAffine(key).isTorsionFree()
}

/** Keys that have signed before: their check and their multiples are worth keeping. */
const KNOWN_KEYS = 256
/** A table of multiples costs as much as two checks without one, and about 130 KB. */
const USES_BEFORE_TABLE = 3
const TABLE_WINDOW = 4
type KnownKey = { readonly point: EdwardsPoint; uses: number }
const knownKeys = new Map<string, KnownKey>()

/** The key as a point, or null if it is no valid key; the least recently used one is forgotten. */
function knownPoint(key: Point): EdwardsPoint | null {
  const name = `${key.x},${key.y}`
  const known =
    knownKeys.get(name) ?? (isValidKey(key) ? { point: Curve.fromAffine(key), uses: 0 } : null)
  if (known === null) return null
  knownKeys.delete(name)
  knownKeys.set(name, known)
  if (knownKeys.size > KNOWN_KEYS) knownKeys.delete(knownKeys.keys().next().value as string)
  known.uses += 1
  if (known.uses === USES_BEFORE_TABLE) known.point.precompute(TABLE_WINDOW, false)
  return known.point
}

/** S * Base8 = R + hash * 8A, with every odd form of input refused first. */
export function verify(key: Point, message: bigint, signature: Signature): boolean {
  const { r, s } = signature
  if (s < 0n || s >= ORDER || message < 0n || message >= FIELD_MODULUS) return false
  if (!isOnCurve(r)) return false
  const point = knownPoint(key)
  if (point === null) return false
  const h = challenge(r, key, message) % ORDER
  const left = s === 0n ? Curve.ZERO : Curve.BASE.multiplyUnsafe(s)
  const shifted = point.multiplyUnsafe((8n * h) % ORDER)
  return left.equals(Curve.fromAffine(r).add(shifted))
}
