/** Decimals as strings: strict to read, one form to write, micros as integers between. */
import { InputError } from './canonical.ts'

const MICRO_DIGITS = 6
const MICRO = 1_000_000n
/** 18 digits before the point are more than any price; the bound keeps BigInt cheap. */
const PRICE_PATTERN = /^(\d{1,13})(?:\.(\d{1,18}))?$/
const CANONICAL_PATTERN = /^(0|-?[1-9]\d{0,17}|-?0\.\d{0,17}[1-9]|-?[1-9]\d{0,12}\.\d{0,17}[1-9])$/
/** A reference price is a uint64 on L1. */
const PRICE_UPPER_BOUND = 1n << 63n

/**
 * A price above zero as micros, rounded to the nearest (half up): more than six digits say nothing
 * that a report could carry. No sign, no exponent, no spaces, no NaN.
 */
export function priceOf(text: unknown, what: string): bigint {
  const found = typeof text === 'string' ? PRICE_PATTERN.exec(text) : null
  if (found === null) throw new InputError(`${what} must be a plain decimal`)
  const [, whole = '', fraction = ''] = found
  const digits = fraction.padEnd(MICRO_DIGITS + 1, '0')
  const cut = BigInt(whole) * MICRO + BigInt(digits.slice(0, MICRO_DIGITS))
  const micro = cut + (digits[MICRO_DIGITS]! >= '5' ? 1n : 0n)
  if (micro <= 0n || micro >= PRICE_UPPER_BOUND) {
    throw new InputError(`${what} must be above zero and below 2^63 micros`)
  }
  return micro
}

/** The one form: no trailing zero, no point without digits behind it. */
export function decimalOfMicro(micro: bigint): string {
  return decimalOf(micro, MICRO_DIGITS)
}

/** Premiums are whole billionths of the index. */
export const BILLION_DIGITS = 9

/** Of a whole number of units of 10^-digits; the one form. */
export function decimalOf(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits)
  const sign = value < 0n ? '-' : ''
  const size = value < 0n ? -value : value
  // bigint division of a non-negative number: the whole part, exactly.
  const fraction = String(size % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '')
  return `${sign}${size / unit}${fraction === '' ? '' : `.${fraction}`}`
}

/** The whole number of units of 10^-digits of a canonical decimal, of either sign. */
export function scaledOf(text: string, digits: number, what: string): bigint {
  const [whole = '', fraction = ''] = canonicalDecimal(text, what).split('.')
  if (fraction.length > digits) {
    throw new InputError(`${what} must be a decimal of at most ${digits} digits after the point`)
  }
  return BigInt(whole + fraction.padEnd(digits, '0'))
}

/** A decimal in its one form; it is kept as text, and becomes a float only in the engine. */
export function canonicalDecimal(text: unknown, what: string): string {
  if (typeof text !== 'string' || !CANONICAL_PATTERN.test(text)) {
    throw new InputError(`${what} must be a decimal in its shortest form`)
  }
  return text
}

/** The whole micros of a canonical decimal that has at most six digits after its point. */
export function microOf(text: string, what: string): bigint {
  const micro = priceOf(text, what)
  if (decimalOfMicro(micro) !== text) {
    throw new InputError(`${what} must be a decimal of at most six digits after the point`)
  }
  return micro
}

/** Integer quotient rounded down; both at least 0, the divisor above it. */
export function mulDivDown(a: bigint, b: bigint, divisor: bigint): bigint {
  return (a * b) / divisor
}

/** The middle one; of an even number the mean of the middle two, rounded down. */
export function medianOf(values: readonly bigint[]): bigint {
  if (values.length === 0) throw new RangeError('median: there must be at least one value')
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const upper = sorted[sorted.length >> 1] as bigint
  if (sorted.length % 2 === 1) return upper
  return mulDivDown(upper + (sorted[(sorted.length >> 1) - 1] as bigint), 1n, 2n)
}

export const BASIS = 10_000n

/** Whether `value` lies within so many basis points of `base`, the bound included, as L1 has it. */
export function isWithin(value: bigint, base: bigint, basisPoints: bigint): boolean {
  if (base <= 0n) return false
  const distance = value > base ? value - base : base - value
  return distance * BASIS <= base * basisPoints
}
