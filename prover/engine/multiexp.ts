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
const MAX_BUCKETS = 2 ** (MAX_DIGIT_BITS - 1)
/** Additions that a bucket costs beside those of its points. */
const BUCKET_COST = 2

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
    const cost = Math.ceil(SIGNED_BITS / bits) * (count + BUCKET_COST * 2 ** (bits - 1))
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
  return (count + 3 * BATCH_SIZE + MAX_BUCKETS + 16) * pointBytes(group)
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
          double: e.g1m_double,
          mixed: e.g1m_addMixed,
          any: e.g1m_addAffine,
        }
      : {
          neg: e.f2m_neg,
          zero: e.g2m_zero,
          add: e.g2m_add,
          double: e.g2m_double,
          mixed: e.g2m_addMixed,
          any: e.g2m_addAffine,
        }
  const addBatch = createAddBatch(curve, arithmetic)
  const jacobian = curve.allocate(point + coordinate)
  const running = curve.allocate(point + coordinate)
  const part = curve.allocate(point + coordinate)
  const scratch = curve.allocate(MAX_BUCKETS * point)
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

  /** Adds up the points of each group, which lie behind one another; the sum is in their first place. */
  const addUp = ({ base, starts, sizes }: Groups): void => {
    for (let isOpen = true; isOpen;) {
      isOpen = false
      for (let group = 0; group < sizes.length; group++) {
        const size = sizes[group] as number
        if (size < 2) continue
        const first = base + (starts[group] as number) * point
        const half = size >>> 1
        // An odd one stays in front, so that a target never lies behind what it is made of.
        const lone = size & 1
        for (let i = 0; i < half; i++) {
          const pair = first + (lone + 2 * i) * point
          addPair(pair, pair + point, first + (lone + i) * point)
        }
        sizes[group] = lone + half
        if (lone + half > 1) isOpen = true
      }
      flush()
    }
  }
  /** out = the sum of (group + weight) times the sum of each group, by running sums. */
  const weighted = ({ base, starts, sizes }: Groups, weight: 0 | 1, out: number): void => {
    own.zero(running)
    own.zero(out)
    for (let group = sizes.length - 1; group >= 1 - weight; group--) {
      if (sizes[group] === 1) own.mixed(running, base + (starts[group] as number) * point, running)
      own.add(out, running, out)
    }
  }
  /** The sums of some buckets each, copied together. */
  const regroup = (
    buckets: Groups,
    groups: number,
    groupOf: (bucket: number) => number,
  ): Groups => {
    const { starts, sizes, next } = emptyGroups(groups)
    for (let bucket = 0; bucket < buckets.sizes.length; bucket++)
      if (buckets.sizes[bucket] === 1) sizes[groupOf(bucket)]!++
    place(starts, sizes, next)
    for (let bucket = 0; bucket < buckets.sizes.length; bucket++) {
      if (buckets.sizes[bucket] === 0) continue
      const from = buckets.base + (buckets.starts[bucket] as number) * point
      u8.copyWithin(scratch + next[groupOf(bucket)]!++ * point, from, from + point)
    }
    const regrouped = { base: scratch, starts, sizes }
    addUp(regrouped)
    return regrouped
  }

  return {
    window: (points, digits, bits, out) => {
      const buckets = gather(points, digits, 2 ** (bits - 1))
      addUp(buckets)
      // Bucket i counts i + 1 = high * 2^low bits + low + 1 times. Adding up those of the same high
      // part, and those of the same low part, costs two affine additions a bucket; running sums
      // over all buckets would cost two Jacobian ones, which are twice as dear.
      const lowBits = (bits - 1) >>> 1
      const lows = 2 ** lowBits
      weighted(
        regroup(buckets, 2 ** (bits - 1 - lowBits), (i) => i >>> lowBits),
        0,
        out,
      )
      for (let i = 0; i < lowBits; i++) own.double(out, out)
      weighted(
        regroup(buckets, lows, (i) => i & (lows - 1)),
        1,
        part,
      )
      own.add(out, part, out)
    },
  }

  /** Copies the points into the space by bucket, negated where the digit is negative. */
  function gather(points: Uint32Array, digits: Int16Array, buckets: number): Groups {
    if (digits.length > count) throw new Error(`no room for ${digits.length} points`)
    const isFinite = (i: number): boolean => {
      const at = i * pointWords
      return points[at] !== 0 || points[at + 1] !== 0 || points[at + 2] !== 0
    }
    const { starts, sizes, next } = emptyGroups(buckets)
    for (let i = 0; i < digits.length; i++) {
      const digit = digits[i] as number
      if (digit !== 0 && isFinite(i)) sizes[Math.abs(digit) - 1]!++
    }
    place(starts, sizes, next)
    for (let i = 0; i < digits.length; i++) {
      const digit = digits[i] as number
      if (digit === 0 || !isFinite(i)) continue
      const slot = next[Math.abs(digit) - 1]!++
      const to = (space + slot * point) >>> 2
      const from = i * pointWords
      for (let word = 0; word < pointWords; word++) u32[to + word] = points[from + word] as number
      const y = space + slot * point + coordinate
      if (digit < 0) own.neg(y, y)
    }
    return { base: space, starts, sizes }
  }
}

/** Points by group, each group's behind one another. */
type Groups = {
  readonly base: number
  /** In points from the base. */
  readonly starts: Uint32Array
  readonly sizes: Uint32Array
}

function emptyGroups(count: number) {
  const make = (): Uint32Array => new Uint32Array(count)
  return { starts: make(), sizes: make(), next: make() }
}

function place(starts: Uint32Array, sizes: Uint32Array, next: Uint32Array): void {
  let sum = 0
  for (let group = 0; group < sizes.length; group++) {
    starts[group] = sum
    next[group] = sum
    sum += sizes[group] as number
  }
}
