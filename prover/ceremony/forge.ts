/**
 * Forging proofs: what anybody can do who knows delta / gamma of a key.
 *
 * A verifier asks whether e(A, B) = e(alpha, beta) e(V, gamma) e(C, delta), V being the sum that
 * the public signals give. With A = alpha and B = beta there is nothing left to know but
 * C = -(gamma / delta) V: no witness, no circuit. In a key to which nobody has contributed delta
 * equals gamma (Veil, Foom and others lost money so); in one that knows only a beacon, the ratio
 * can be computed by everybody.
 */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { bn254 } from '@noble/curves/bn254.js'
import { FIELD_PRIME, inverse, modulo } from '../bn254.ts'
import { deriveToxicWaste } from '../dev-key.ts'
import type { VerificationKeyJson } from '../verification-key.ts'
import type { G1, G2 } from './zkey-file.ts'

/** The points of a key that forging needs; a key file has them, and a verification key. */
export type ForgeableKey = {
  readonly alpha1: G1
  readonly beta2: G2
  readonly delta2: G2
  readonly gamma2: G2
  readonly ic: readonly G1[]
}
/** Arguments of `verifyProof` in a verifier that snarkjs exports. */
export type VerifierCall = {
  readonly a: readonly [bigint, bigint]
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]]
  readonly c: readonly [bigint, bigint]
  readonly signals: readonly bigint[]
}
/** A guess at delta / gamma, and why somebody might know it. */
export type Guess = { readonly reason: string; readonly ratio: bigint }

const { Point: PointG1 } = bn254.G1
const { Point: PointG2 } = bn254.G2

/** A proof of statements that nobody proved: true if the verifier's delta is `ratio` * gamma. */
export function forge(key: ForgeableKey, ratio: bigint, signals: readonly bigint[]): VerifierCall {
  if (signals.length !== key.ic.length - 1)
    throw new Error(`the key has ${key.ic.length - 1} public signals, not ${signals.length}`)
  let sum = PointG1.ZERO
  for (const [i, point] of key.ic.entries()) {
    const scalar = i === 0 ? 1n : modulo(signals[i - 1] ?? 0n)
    if (scalar !== 0n) sum = sum.add(PointG1.fromAffine(point).multiply(scalar))
  }
  const c = sum.multiply(modulo(-inverse(ratio))).toAffine()
  const { alpha1, beta2 } = key
  return {
    a: [alpha1.x, alpha1.y],
    // The contract takes the imaginary half first.
    b: [
      [beta2.x[1], beta2.x[0]],
      [beta2.y[1], beta2.y[0]],
    ],
    c: [c.x, c.y],
    signals: signals.map(modulo),
  }
}

/** Whether delta is `ratio` * gamma: if so, `forge` succeeds. */
export function isRatioOf(key: ForgeableKey, ratio: bigint): boolean {
  const point = ({ x, y }: G2) =>
    PointG2.fromAffine({ x: { c0: x[0], c1: x[1] }, y: { c0: y[0], c1: y[1] } })
  return point(key.gamma2).multiply(modulo(ratio)).equals(point(key.delta2))
}

export function forgeableOf(key: VerificationKeyJson): ForgeableKey {
  const g1 = (point: readonly string[]): G1 => ({
    x: BigInt(point[0] ?? 0),
    y: BigInt(point[1] ?? 0),
  })
  const g2 = (point: readonly (readonly string[])[]): G2 => {
    const [x, y] = [point[0] ?? [], point[1] ?? []]
    return {
      x: [BigInt(x[0] ?? 0), BigInt(x[1] ?? 0)],
      y: [BigInt(y[0] ?? 0), BigInt(y[1] ?? 0)],
    }
  }
  return {
    alpha1: g1(key.vk_alpha_1),
    beta2: g2(key.vk_beta_2),
    gamma2: g2(key.vk_gamma_2),
    delta2: g2(key.vk_delta_2),
    ic: key.IC.map(g1),
  }
}

/** Ratios that anybody can compute from what is public. */
export function publicGuesses(
  circuit: { readonly name: string; readonly r1csSha256: string },
  beacons: readonly { readonly value: string; readonly iterationsLog2: number }[],
): readonly Guess[] {
  const waste = deriveToxicWaste(circuit.name, Buffer.from(circuit.r1csSha256, 'hex'))
  const guesses: Guess[] = [
    { reason: 'delta equals gamma', ratio: 1n },
    {
      reason: 'the secret of the development key',
      ratio: modulo(waste.delta * inverse(waste.gamma)),
    },
  ]
  if (beacons.length > 0) {
    const ratio = beacons.map(beaconSecret).reduce((product, s) => modulo(product * s), 1n)
    guesses.push({ reason: 'the secret that the beacon gives to everybody', ratio })
  }
  return guesses
}

type ChaCha = { readonly nextU64: () => bigint }

/** The scalar that snarkjs derives from a beacon; its random words are taken as Montgomery form. */
function beaconSecret({
  value,
  iterationsLog2,
}: {
  value: string
  iterationsLog2: number
}): bigint {
  let hash: Uint8Array = Buffer.from(value, 'hex')
  for (let i = 0n; i < 1n << BigInt(iterationsLog2); i++)
    hash = createHash('sha256').update(hash).digest()
  const seed = Array.from({ length: 8 }, (_, i) => Buffer.from(hash).readUInt32BE(i * 4))
  const fromSnarkjs = createRequire(createRequire(import.meta.url).resolve('snarkjs'))
  const { ChaCha } = fromSnarkjs('ffjavascript') as { ChaCha: new (seed: number[]) => ChaCha }
  const random = new ChaCha(seed)
  const mask = (1n << 254n) - 1n
  for (;;) {
    let words = 0n
    for (let i = 0n; i < 4n; i++) words += random.nextU64() << (64n * i)
    words &= mask
    if (words < FIELD_PRIME) return modulo(words * inverse(modulo(1n << 256n)))
  }
}
