/** A phase-1 file of a tau that the test knows: quick to make, and worth nothing. */
import { appendFileSync, writeFileSync } from 'node:fs'
import {
  BASE_PRIME,
  compileCurve,
  FIELD_PRIME,
  FR_BYTES,
  inverse,
  modulo,
  power,
} from '../../prover/bn254.ts'
import { chooseWindowBits, createFixedBase } from '../../prover/fixed-base.ts'
import type { ToxicWaste } from '../../prover/qap.ts'

/** A phase-1 file with the sections that `zkey new` reads, from a tau that is known. */
export function writeKnownPtau(path: string, bits: number, waste: ToxicWaste): void {
  const curve = compileCurve()
  const window = chooseWindowBits(2 ** (bits + 2))
  const [g1, g2] = [createFixedBase(curve, 'G1', window), createFixedBase(curve, 'G2', window)]
  const pointsOf = (base: typeof g1, bytes: number, scalars: readonly bigint[]): Buffer => {
    const packed = Buffer.concat(
      scalars.map((scalar) =>
        Buffer.from(modulo(scalar).toString(16).padStart(64, '0'), 'hex').reverse(),
      ),
    )
    const points = Buffer.alloc(scalars.length * bytes)
    base.multiply(packed, points, 0, scalars.length)
    return points
  }
  const { tau, alpha, beta } = waste
  // L_i(tau) over each domain up to `top`, one after the other, as `prepare phase2` lays them out.
  const lagrange = (top: number): bigint[] => {
    const found: bigint[] = []
    for (let p = 0; p <= top; p++) {
      const size = 2 ** p
      const root = power(power(5n, (FIELD_PRIME - 1n) >> 28n), 2n ** BigInt(28 - p))
      const scale = modulo(modulo(power(tau, BigInt(size)) - 1n) * inverse(BigInt(size)))
      const points = runningPowers(size, 1n, root)
      const inverses = inversesOf(points.map((point) => modulo(tau - point)))
      for (let i = 0; i < size; i++)
        found.push(modulo(modulo((points[i] ?? 0n) * scale) * (inverses[i] ?? 0n)))
    }
    return found
  }
  const powers = (count: number, factor: bigint): bigint[] => runningPowers(count, factor, tau)
  const size = 2 ** bits
  const inG1 = (scalars: readonly bigint[]): Buffer => pointsOf(g1, 64, scalars)
  const inG2 = (scalars: readonly bigint[]): Buffer => pointsOf(g2, 128, scalars)
  const times = (scalars: readonly bigint[], factor: bigint) => scalars.map((s) => s * factor)
  const level = lagrange(bits)
  const head = Buffer.alloc(4 + FR_BYTES + 8)
  head.writeUInt32LE(FR_BYTES)
  Buffer.from(BASE_PRIME.toString(16), 'hex').reverse().copy(head, 4)
  head.writeUInt32LE(bits, 4 + FR_BYTES)
  head.writeUInt32LE(bits, 8 + FR_BYTES)
  const sections: [number, Buffer][] = [
    [1, head],
    [2, inG1(powers(size * 2 - 1, 1n))],
    [3, inG2(powers(1, 1n))],
    [4, inG1([alpha])],
    [5, inG1([beta])],
    [6, inG2([beta])],
    [12, inG1(lagrange(bits + 1))],
    [13, inG2(level)],
    [14, inG1(times(level, alpha))],
    [15, inG1(times(level, beta))],
  ]
  const start = Buffer.alloc(12)
  start.write('ptau', 'latin1')
  start.writeUInt32LE(1, 4)
  start.writeUInt32LE(sections.length, 8)
  writeFileSync(path, start)
  for (const [type, bytes] of sections) {
    const label = Buffer.alloc(12)
    label.writeUInt32LE(type)
    label.writeBigUInt64LE(BigInt(bytes.length), 4)
    appendFileSync(path, label)
    appendFileSync(path, bytes)
  }
}

/** factor, factor * base, factor * base^2, ... */
function runningPowers(count: number, factor: bigint, base: bigint): bigint[] {
  const found: bigint[] = []
  for (let next = modulo(factor); found.length < count; next = modulo(next * base)) found.push(next)
  return found
}

/** Of all of them by one inversion: a file of 2^18 has half a million. */
function inversesOf(values: readonly bigint[]): bigint[] {
  const before: bigint[] = []
  let product = 1n
  for (const value of values) {
    before.push(product)
    product = modulo(product * value)
  }
  let rest = inverse(product)
  const found: bigint[] = []
  for (let i = values.length - 1; i >= 0; i--) {
    found[i] = modulo(rest * (before[i] ?? 0n))
    rest = modulo(rest * (values[i] ?? 0n))
  }
  return found
}
