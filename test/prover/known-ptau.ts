/** A phase-1 file of a tau that the test knows: quick to make, and worth nothing. */
import { writeFileSync } from 'node:fs'
import {
  BASE_PRIME,
  compileCurve,
  FIELD_PRIME,
  FR_BYTES,
  modulo,
  power,
} from '../../prover/bn254.ts'
import { createFixedBase } from '../../prover/fixed-base.ts'
import type { ToxicWaste } from '../../prover/qap.ts'

/** A phase-1 file with the sections that `zkey new` reads, from a tau that is known. */
export function writeKnownPtau(path: string, bits: number, waste: ToxicWaste): void {
  const curve = compileCurve()
  const [g1, g2] = [createFixedBase(curve, 'G1', 8), createFixedBase(curve, 'G2', 8)]
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
  const lagrange = (top: number): bigint[] =>
    Array.from({ length: top + 1 }, (_, p) => {
      const size = 2 ** p
      const root = power(power(5n, (FIELD_PRIME - 1n) >> 28n), 2n ** BigInt(28 - p))
      return Array.from({ length: size }, (__, i) => {
        const point = power(root, BigInt(i))
        const scale = modulo(point * modulo(power(tau, BigInt(size)) - 1n))
        return modulo(scale * power(modulo(BigInt(size) * modulo(tau - point)), FIELD_PRIME - 2n))
      })
    }).flat()
  const powers = (count: number, factor: bigint): bigint[] =>
    Array.from({ length: count }, (_, i) => modulo(factor * power(tau, BigInt(i))))
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
  writeFileSync(
    path,
    Buffer.concat([
      start,
      ...sections.flatMap(([type, bytes]) => {
        const label = Buffer.alloc(12)
        label.writeUInt32LE(type)
        label.writeBigUInt64LE(BigInt(bytes.length), 4)
        return [label, bytes]
      }),
    ]),
  )
}
