/**
 * Sums of many points, each times a scalar of its own (Pippenger's buckets), over one instance of
 * the curve. Signed digits halve the buckets; within a window the points of a bucket are added in
 * pairs, in affine coordinates with one shared inversion, which costs about half of what adding
 * them one after the other in Jacobian coordinates costs.
 */
import type { Curve } from '../bn254.ts'
import {
  arithmeticOf,
  bitsAt,
  BATCH_SIZE,
  createAddBatch,
  pointBytes,
  type GroupName,
} from '../fixed-base.ts'

/** Scalars are below the group's order of 254 bits; signed digits need one more for the carry. */
const SIGNED_BITS = 255
const MAX_DIGIT_BITS = 15
/** A step of a bucket's running sum, Jacobian, in units of one affine addition. */
const STEP_COST = 3

export type Digits = {
  readonly bits: number
  readonly windows: number
  readonly count: number
  /** windows x count, in [-2^(bits - 1), 2^(bits - 1)]. */
  readonly values: Int16Array<SharedArrayBuffer>
}

export function digitBitsFor(count: number): number {
  let best = 1
  let bestCost = Infinity
  for (let bits = 2; bits <= MAX_DIGIT_BITS; bits++) {
    const cost = Math.ceil(SIGNED_BITS / bits) * (count + STEP_COST * 2 ** (bits - 1))
    if (cost >= bestCost) continue
    best = bits
    bestCost = cost
  }
  return best
}

/** Signed digits of scalars of 32 bytes each, below the group's order, little endian. */
export function digitsOf(scalars: Uint32Array, bits: number): Digits {
  const count = scalars.length / 8
  const windows = Math.ceil(SIGNED_BITS / bits)
  const values = new Int16Array(new SharedArrayBuffer(2 * windows * count))
  const half = 2 ** (bits - 1)
  for (let i = 0; i < count; i++) {
    let carry = 0
    for (let window = 0; window < windows; window++) {
      let digit = bitsAt(scalars, i * 8, window * bits, bits) + carry
      carry = digit > half ? 1 : 0
      if (carry === 1) digit -= 2 * half
      values[window * count + i] = digit
    }
  }
  return { bits, windows, count, values }
}

export type Multiexp = {
  /**
   * The sum of points[i] times digit i of one window, written as a Jacobian point to the address
   * `out`. `points` are affine, in snarkjs' form, (0, 0) for infinity; digit i is of points[i].
   */
  readonly window: (points: Uint32Array, digits: Int16Array, bits: number, out: number) => void
}

/** Bytes of working space for `count` points. */
export function multiexpBytes(group: GroupName, count: number): number {
  return (count + 3 * BATCH_SIZE + 16) * pointBytes(group)
}

/** `space` is an address with room for `count` points, which others may use between calls. */
export function createMultiexp(
  curve: Curve,
  group: GroupName,
  space: number,
  count: number,
): Multiexp {
  const arithmetic = arithmeticOf(curve, group)
  const { coordinate } = arithmetic
  const e = curve.exports
  const point = pointBytes(group)
  const pointWords = point / 4
  const own =
    group === 'G1'
      ? {
          neg: e.f1m_neg,
          zero: e.g1m_zero,
          add: e.g1m_add,
          mixed: e.g1m_addMixed,
          any: e.g1m_addAffine,
        }
      : {
          neg: e.f2m_neg,
          zero: e.g2m_zero,
          add: e.g2m_add,
          mixed: e.g2m_addMixed,
          any: e.g2m_addAffine,
        }
  const addBatch = createAddBatch(curve, arithmetic)
  const jacobian = curve.allocate(point + coordinate)
  const running = curve.allocate(point + coordinate)
  const { u32, u8 } = curve
  const left = new Uint32Array(BATCH_SIZE)
  const right = new Uint32Array(BATCH_SIZE)
  const target = new Uint32Array(BATCH_SIZE)
  let pairs = 0

  const flush = (): void => {
    addBatch(left, right, target, pairs)
    pairs = 0
  }
  const addPair = (a: number, b: number, out: number): void => {
    const x = a >>> 2
    const y = b >>> 2
    const isOdd =
      u32[x] === u32[y] || // the same abscissa, or nearly so: equal or opposite points
      (u32[x] === 0 && u32[x + 1] === 0) || // infinity
      (u32[y] === 0 && u32[y + 1] === 0)
    if (isOdd) {
      // Others that wait may still read what this one overwrites.
      flush()
      own.any(a, b, jacobian)
      arithmetic.toAffine(jacobian, jacobian)
      u8.copyWithin(out, jacobian, jacobian + point)
      return
    }
    left[pairs] = a
    right[pairs] = b
    target[pairs] = out
    if (++pairs === BATCH_SIZE) flush()
  }

  return {
    window: (points, digits, bits, out) => {
      const buckets = 2 ** (bits - 1)
      const { starts, sizes } = gather(points, digits, buckets)
      for (let isOpen = true; isOpen;) {
        isOpen = false
        for (let bucket = 1; bucket <= buckets; bucket++) {
          const size = sizes[bucket] as number
          if (size < 2) continue
          const first = space + (starts[bucket] as number) * point
          const half = size >>> 1
          // An odd one stays in front, so that a target never lies behind what it is made of.
          const lone = size & 1
          for (let i = 0; i < half; i++) {
            const pair = first + (lone + 2 * i) * point
            addPair(pair, pair + point, first + (lone + i) * point)
          }
          sizes[bucket] = lone + half
          if (lone + half > 1) isOpen = true
        }
        flush()
      }
      own.zero(running)
      own.zero(out)
      for (let bucket = buckets; bucket >= 1; bucket--) {
        if (sizes[bucket] === 1)
          own.mixed(running, space + (starts[bucket] as number) * point, running)
        own.add(out, running, out)
      }
    },
  }

  /** Copies the points into the space by bucket, negated where the digit is negative. */
  function gather(points: Uint32Array, digits: Int16Array, buckets: number) {
    if (digits.length > count) throw new Error(`no room for ${digits.length} points`)
    const isFinite = (i: number): boolean => {
      const at = i * pointWords
      return points[at] !== 0 || points[at + 1] !== 0 || points[at + 2] !== 0
    }
    const sizes = new Uint32Array(buckets + 1)
    for (let i = 0; i < digits.length; i++) {
      const digit = digits[i] as number
      if (digit !== 0 && isFinite(i)) sizes[Math.abs(digit)]!++
    }
    const starts = new Uint32Array(buckets + 1)
    const next = new Uint32Array(buckets + 1)
    let sum = 0
    for (let bucket = 1; bucket <= buckets; bucket++) {
      starts[bucket] = sum
      next[bucket] = sum
      sum += sizes[bucket] as number
    }
    for (let i = 0; i < digits.length; i++) {
      const digit = digits[i] as number
      if (digit === 0 || !isFinite(i)) continue
      const bucket = Math.abs(digit)
      const slot = next[bucket] as number
      next[bucket] = slot + 1
      const to = (space + slot * point) >>> 2
      const from = i * pointWords
      for (let word = 0; word < pointWords; word++) u32[to + word] = points[from + word] as number
      const y = space + slot * point + coordinate
      if (digit < 0) own.neg(y, y)
    }
    return { starts, sizes }
  }
}
