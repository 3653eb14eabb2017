// The verification key in snarkjs' JSON form, and the points of its header.

import { FR_BYTES, G1_BYTES, G2_BYTES, instantiateCurve, readBigInt, writeBigInt } from './bn254.ts'
import type { Curve, CurveModule } from './bn254.ts'
import type { ToxicWaste } from './qap.ts'

export type G1Json = readonly [string, string, string]
export type Fq2Json = readonly [string, string]
export type G2Json = readonly [Fq2Json, Fq2Json, Fq2Json]

export type VerificationKeyJson = {
  readonly protocol: 'groth16'
  readonly curve: 'bn128'
  readonly nPublic: number
  readonly vk_alpha_1: G1Json
  readonly vk_beta_2: G2Json
  readonly vk_gamma_2: G2Json
  readonly vk_delta_2: G2Json
  readonly vk_alphabeta_12: readonly (readonly Fq2Json[])[]
  readonly IC: readonly G1Json[]
}

/** Affine points in Montgomery form, as a key holds them. */
export type HeaderPoints = {
  readonly alpha1: Uint8Array
  readonly beta1: Uint8Array
  readonly beta2: Uint8Array
  readonly gamma2: Uint8Array
  readonly delta1: Uint8Array
  readonly delta2: Uint8Array
}

const GT_BYTES = 12 * FR_BYTES

export function generatorMultiples(module: CurveModule, waste: ToxicWaste): HeaderPoints {
  const curve = instantiateCurve(module, 4096)
  const e = curve.exports
  const scalar = curve.allocate(FR_BYTES)
  const point = curve.allocate(G2_BYTES + G2_BYTES / 2)
  const inG1 = (value: bigint): Uint8Array => {
    writeBigInt(curve, scalar, value)
    e.g1m_timesScalarAffine(curve.g1Generator, scalar, FR_BYTES, point)
    e.g1m_toAffine(point, point)
    return curve.u8.slice(point, point + G1_BYTES)
  }
  const inG2 = (value: bigint): Uint8Array => {
    writeBigInt(curve, scalar, value)
    e.g2m_timesScalarAffine(curve.g2Generator, scalar, FR_BYTES, point)
    e.g2m_toAffine(point, point)
    return curve.u8.slice(point, point + G2_BYTES)
  }
  return {
    alpha1: inG1(waste.alpha),
    beta1: inG1(waste.beta),
    beta2: inG2(waste.beta),
    gamma2: inG2(waste.gamma),
    delta1: inG1(waste.delta),
    delta2: inG2(waste.delta),
  }
}

export function describeVerificationKey(
  module: CurveModule,
  fixed: HeaderPoints,
  ic: readonly Uint8Array[],
): VerificationKeyJson {
  const curve = instantiateCurve(module, 8192)
  const work = curve.allocate(GT_BYTES)
  const coordinates = (bytes: Uint8Array): string[] => {
    curve.u8.set(bytes, work)
    return decimals(curve, work, bytes.length / FR_BYTES)
  }
  const g1 = (bytes: Uint8Array): G1Json => {
    const [x = '0', y = '0'] = coordinates(bytes)
    // Never infinity: every public wire has a row of its own in A.
    return [x, y, '1']
  }
  const g2 = (bytes: Uint8Array): G2Json => {
    const [x0 = '0', x1 = '0', y0 = '0', y1 = '0'] = coordinates(bytes)
    return [
      [x0, x1],
      [y0, y1],
      ['1', '0'],
    ]
  }
  return {
    protocol: 'groth16',
    curve: 'bn128',
    nPublic: ic.length - 1,
    vk_alpha_1: g1(fixed.alpha1),
    vk_beta_2: g2(fixed.beta2),
    vk_gamma_2: g2(fixed.gamma2),
    vk_delta_2: g2(fixed.delta2),
    vk_alphabeta_12: pairing(curve, fixed.alpha1, fixed.beta2),
    IC: ic.map(g1),
  }
}

function pairing(curve: Curve, p: Uint8Array, q: Uint8Array): (readonly Fq2Json[])[] {
  const e = curve.exports
  const left = curve.allocate(G1_BYTES + G1_BYTES / 2)
  const right = curve.allocate(G2_BYTES + G2_BYTES / 2)
  const result = curve.allocate(GT_BYTES)
  curve.u8.set(p, result)
  e.g1m_toJacobian(result, left)
  curve.u8.set(q, result)
  e.g2m_toJacobian(result, right)
  e.bn128_pairing(left, right, result)
  const values = decimals(curve, result, 12)
  const pair = (i: number): Fq2Json => [values[i * 2] ?? '0', values[i * 2 + 1] ?? '0']
  return [
    [pair(0), pair(1), pair(2)],
    [pair(3), pair(4), pair(5)],
  ]
}

function decimals(curve: Curve, address: number, count: number): string[] {
  const plain = curve.allocate(FR_BYTES)
  return Array.from({ length: count }, (_, i) => {
    curve.exports.f1m_fromMontgomery(address + i * FR_BYTES, plain)
    return readBigInt(curve, plain).toString()
  })
}
