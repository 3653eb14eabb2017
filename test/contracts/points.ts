/** Points of BabyJubJub by the affine addition law, written apart from every library. */
import { inverse, mod } from '../../circuits/field.ts'

export type Point = readonly [bigint, bigint]
const A = 168700n
const D = 168696n
export const IDENTITY: Point = [0n, 1n]
export const BASE8: Point = [
  5299619240641551281634865583518297030282874472190772894086521144482721001553n,
  16950150798460657717958625567821834550301663161624707787222815936182638968203n,
]
/** Generates the whole curve, of order 8 times SUBGROUP_ORDER. */
export const GENERATOR: Point = [
  995203441582195749578291179787384436505546430278305826713579947235728471134n,
  5472060717959818805561601436314318772137091100104008585924551046643952123905n,
]
export const SUBGROUP_ORDER =
  2736030358979909402780800718157159386076813972158567259200215660948447373041n

export function addPoints([x1, y1]: Point, [x2, y2]: Point): Point {
  const product = mod(D * x1 * x2 * y1 * y2)
  return [
    mod((x1 * y2 + y1 * x2) * inverse(1n + product)),
    mod((y1 * y2 - A * x1 * x2) * inverse(mod(1n - product))),
  ]
}

export function multiplyPoint(point: Point, scalar: bigint): Point {
  let sum = IDENTITY
  for (let rest = scalar, power = point; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = addPoints(sum, power)
    power = addPoints(power, power)
  }
  return sum
}

/** A good key: the (n + 1)th multiple of the base. */
export function keyOf(n: number): Point {
  return multiplyPoint(BASE8, BigInt(n + 1))
}
