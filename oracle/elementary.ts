/**
 * exp, ln and the normal distribution, built from + - * / alone.
 *
 * IEEE 754 fixes those four to the last bit, while the language leaves Math.exp and Math.log to the
 * engine. A table must follow from its inputs byte for byte on anybody's machine, so the oracle
 * brings its own. black76.ts also uses Math.sqrt: IEEE 754 fixes the square root, and every engine
 * we know of hands it to the processor.
 */

// ln 2 split as in fdlibm's e_exp.c: the high part ends in zero bits, so k * LN2_HIGH
// is exact here.
const LN2_HIGH = 6.9314718036912381649e-1
const LN2_LOW = 1.90821492927058770002e-10
const LN2 = LN2_HIGH + LN2_LOW
const SQRT_HALF = 0.7071067811865476
const SQRT_TWO = 1.4142135623730951
const INVERSE_SQRT_TWO_PI = 0.3989422804014327

/** Beyond these e^x is a subnormal or overflows; no price in this house comes near them. */
const EXP_LOWER_LIMIT = -700
const EXP_UPPER_LIMIT = 700

/** e^x within an ulp or two; 0 below -700, and a crash above 700 rather than an infinity. */
export function exp(x: number): number {
  if (Number.isNaN(x) || x > EXP_UPPER_LIMIT) throw new RangeError(`exp: ${x} is out of range`)
  if (x < EXP_LOWER_LIMIT) return 0
  const k = Math.round(x / LN2)
  const r = x - k * LN2_HIGH - k * LN2_LOW
  // |r| <= 0.347: the first Taylor term left out is r^15 / 15! < 1e-19.
  let sum = 1
  for (let n = 14; n >= 1; n--) sum = 1 + (sum * r) / n
  const step = k < 0 ? 0.5 : 2
  for (let n = Math.abs(k); n > 0; n--) sum *= step
  return sum
}

/** x^y for a positive x; within a few ulps while |y ln x| stays below 30. */
export function pow(x: number, y: number): number {
  return exp(y * ln(x))
}

/** The standard normal density. */
export function normalPdf(x: number): number {
  return INVERSE_SQRT_TWO_PI * exp(-0.5 * Math.min(x * x, -2 * EXP_LOWER_LIMIT))
}

/** The natural logarithm of a positive finite number. */
export function ln(x: number): number {
  if (!(x > 0 && x < Infinity)) throw new RangeError(`ln: ${x} is not positive and finite`)
  let m = x
  let k = 0
  for (; m > SQRT_TWO; k++) m *= 0.5
  for (; m < SQRT_HALF; k--) m *= 2
  // ln m = 2 artanh s with |s| <= 0.1716: the first term left out is s^24 / 25 < 2e-20 of the sum.
  const s = (m - 1) / (m + 1)
  const s2 = s * s
  let sum = 0
  for (let n = 23; n >= 1; n -= 2) sum = 1 / n + sum * s2
  return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW)
}

/**
 * From here on the continued fraction: the series would lose digits of the small tail by
 * cancellation.
 */
const TAIL_START = 3
const TAIL_DEPTH = 200
/** phi(38) is below the smallest normal double. */
const TAIL_END = 38

/**
 * The standard normal distribution function; absolute error below 1e-15, relative error of the
 * lower tail below 1e-12.
 *
 * Neither formula has fitted coefficients that could be mistyped. Middle: Phi(x) = 1/2 + phi(x) *
 * (x + x^3/3 + x^5/(3*5) + ...), G. Marsaglia, "Evaluating the Normal Distribution", J. Stat.
 * Software 11(4), 2004. Tail: Laplace's continued fraction 1 - Phi(x) = phi(x) / (x + 1/(x + 2/(x +
 * 3/(x + ...)))), Abramowitz and Stegun 26.2.14.
 */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) throw new RangeError('normalCdf: NaN')
  const size = Math.abs(x)
  if (size >= TAIL_END) return x < 0 ? 0 : 1
  const density = INVERSE_SQRT_TWO_PI * exp(-0.5 * size * size)
  if (size >= TAIL_START) {
    let fraction = size
    for (let n = TAIL_DEPTH; n >= 1; n--) fraction = size + n / fraction
    const tail = density / fraction
    return x < 0 ? tail : 1 - tail
  }
  let term = x
  let sum = x
  for (let n = 3; Math.abs(term) > 1e-18; n += 2) {
    term *= (x * x) / n
    sum += term
  }
  return 0.5 + density * sum
}
