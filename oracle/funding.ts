/**
 * Funding of a perpetual: what keeps its price near the index. Nobody's account has an index of its
 * own. The cumulative funding F of a unit is subtracted from the value of the instrument, and from the
 * price at which it is traded; so when F rises by dF a long loses and a short gains dF a unit, at
 * once and to the micro-dollar. All amounts are micro-dollars a unit of the underlying.
 */

export type FundingTerms = {
  /** Largest funding of one whole interval, either way, in basis points of the index. */
  readonly capBasisPoints: bigint
  /** Seconds. */
  readonly interval: bigint
  /** F is a multiple of this, so that the funding of a lot is a whole number of micro-dollars. */
  readonly tick: bigint
}
export type Premium = {
  /** Quoted price of the perpetual, and the index that it should follow. */
  readonly price: bigint
  readonly index: bigint
  /** For how long it counts. */
  readonly seconds: bigint
}

/** Up to 0.75 % of the index in eight hours; ticks of a hundredth of a cent, for lots of 0.01. */
export const FUNDING_TERMS: FundingTerms = { capBasisPoints: 75n, interval: 28_800n, tick: 100n }

const BASIS = 10_000n

/**
 * By how much F rises: the premium, clamped, for its share of the interval. Rounded towards zero, so
 * that a premium and its opposite cost the same; positive means that longs pay.
 */
export function fundingOf({ price, index, seconds }: Premium, terms: FundingTerms): bigint {
  const { capBasisPoints, interval, tick } = terms
  if (index <= 0n || price <= 0n) throw new RangeError('funding: a price must be above zero')
  if (seconds < 0n) throw new RangeError('funding: time must not go back')
  const cap = (index * capBasisPoints) / BASIS
  const premium = price - index
  const clamped = premium > cap ? cap : premium < -cap ? -cap : premium
  // A late table is paid for one interval at most: beyond it nobody could have known the rate.
  const counted = seconds < interval ? seconds : interval
  const exact = (clamped * counted) / interval
  return exact - (exact % tick)
}

/** F after a series of premiums, each clamped for itself. */
export function cumulativeFunding(premiums: readonly Premium[], terms: FundingTerms): bigint {
  return premiums.reduce((sum, premium) => sum + fundingOf(premium, terms), 0n)
}

/** The smallest change of F, in micro-dollars a unit, of which a lot pays whole micro-dollars. */
export function tickOf(spec: { readonly lot: string; readonly multiplier?: string }): bigint {
  const [lot, lotScale] = scaled(spec.lot)
  const [multiplier, scale] = scaled(spec.multiplier ?? '1')
  const whole = lotScale * scale
  return whole / commonDivisor(lot * multiplier, whole)
}

/** Digits without the point, and the power of ten to divide them by. */
function scaled(decimal: string): readonly [bigint, bigint] {
  const [whole = '', fraction = ''] = decimal.split('.')
  return [BigInt(whole + fraction), 10n ** BigInt(fraction.length)]
}

function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b)
}
