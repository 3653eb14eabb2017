/** The market of a report: all that a table depends on besides instruments and worlds, as a document. */
import {
  documentBytes,
  InputError,
  listOf,
  objectOf,
  readDocument,
  textOf,
  wholeOf,
} from './canonical.ts'
import { BILLION_DIGITS, canonicalDecimal, microOf, scaledOf } from './decimal.ts'

/** Every decimal is text. */
export type MarketDocument = {
  readonly version: 2
  /** Unix seconds of the market that is valued. */
  readonly time: number
  readonly rate: string
  /** In ascending order of id. */
  readonly underlyings: readonly UnderlyingState[]
  /** In ascending order of id. */
  readonly perpetuals: readonly PerpetualState[]
  /** Ids that are not traded until a later table says otherwise, ascending. */
  readonly halted: readonly number[]
}
export type UnderlyingState = {
  /** The id that TableOracle gave it. */
  readonly id: number
  readonly name: string
  /** At most six digits after the point: it is the reference price as well. */
  readonly spot: string
  readonly vol: string
  readonly scanRange: string
  readonly liquidity: string
  /** Volatility by expiry and strike where quotes say more than one number; else empty. */
  readonly volGrid: readonly VolSlice[]
  /** Rates that carry spot to a forward, and that discount, by expiry; empty: the one rate. */
  readonly carry: readonly RateState[]
  readonly discount: readonly RateState[]
}
export type RateState = { readonly expiry: number; readonly rate: string }
export type VolSlice = {
  readonly expiry: number
  readonly smile: readonly { readonly strike: string; readonly vol: string }[]
}
export type PerpetualState = {
  readonly id: number
  /** The quoted price over spot, less one. */
  readonly basis: string
  /** Cumulative funding in dollars per unit. */
  readonly funding: string
  /** How the funding came about; null where it was given and not computed from quotes. */
  readonly accrual: Accrual | null
}
export type Accrual = {
  /** The last confirmed table, whose funding this one goes on from; 0 where there is none. */
  readonly base: number
  /**
   * Average premium over the interval that has ended since then, a share of the index. Null: none
   * has ended, or nobody knows its quotes, and nothing is paid.
   */
  readonly premium: string | null
}

const STATE_KEYS = [
  'id',
  'name',
  'spot',
  'vol',
  'scanRange',
  'liquidity',
  'volGrid',
  'carry',
  'discount',
] as const
const MARKET_KEYS = ['version', 'time', 'rate', 'underlyings', 'perpetuals', 'halted'] as const
const LENGTH_UPPER_BOUND = 257
const MICRO_DIGITS = 6

export function marketBytes(market: MarketDocument): string {
  return documentBytes(market)
}

/** Whether expiries and strikes ascend is the engine's to say. */
export function readVolGrid(value: unknown): readonly VolSlice[] {
  return listOf(value, 'volGrid', LENGTH_UPPER_BOUND).map((given) => {
    const { expiry, smile } = objectOf(given, ['expiry', 'smile'], 'slice')
    const points = listOf(smile, 'smile', LENGTH_UPPER_BOUND).map((item) => {
      const { strike, vol } = objectOf(item, ['strike', 'vol'], 'point')
      return { strike: canonicalDecimal(strike, 'strike'), vol: canonicalDecimal(vol, 'vol') }
    })
    return { expiry: wholeOf(expiry, 'expiry'), smile: points }
  })
}

/** Whether expiries ascend is the engine's to say. */
export function readCurve(value: unknown, what: string): readonly RateState[] {
  return listOf(value, what, LENGTH_UPPER_BOUND).map((given) => {
    const { expiry, rate } = objectOf(given, ['expiry', 'rate'], `point of ${what}`)
    return { expiry: wholeOf(expiry, 'expiry'), rate: canonicalDecimal(rate, 'rate') }
  })
}

export function readHalted(value: unknown): readonly number[] {
  return requireAscending(
    listOf(value, 'halted', LENGTH_UPPER_BOUND).map((id) => wholeOf(id, 'halted')),
    'halted ids',
  )
}

function requireAscending(ids: readonly number[], what: string): readonly number[] {
  if (ids.some((id, i) => id <= (ids[i - 1] ?? 0)))
    throw new InputError(`${what} must ascend from 1`)
  return ids
}

function accrualFrom(value: unknown): Accrual | null {
  if (value === null) return null
  const { base, premium } = objectOf(value, ['base', 'premium'], 'accrual')
  if (premium !== null) scaledOf(textOf(premium, 'premium'), BILLION_DIGITS, 'premium')
  return { base: wholeOf(base, 'base'), premium: premium as string | null }
}

function perpetualsFrom(value: unknown): readonly PerpetualState[] {
  const keys = ['id', 'basis', 'funding', 'accrual']
  const found = listOf(value, 'perpetuals', LENGTH_UPPER_BOUND).map((given) => {
    const { id, basis, funding, accrual } = objectOf(given, keys, 'perpetual')
    const state = {
      id: wholeOf(id, 'id'),
      basis: canonicalDecimal(basis, 'basis'),
      funding: canonicalDecimal(funding, 'funding'),
      accrual: accrualFrom(accrual),
    }
    // Of quotes these are whole numbers of units: what is finer has no median.
    if (state.accrual !== null) {
      scaledOf(state.basis, BILLION_DIGITS, 'basis')
      scaledOf(state.funding, MICRO_DIGITS, 'funding')
    }
    return state
  })
  requireAscending(
    found.map(({ id }) => id),
    'perpetuals',
  )
  return found
}

export type GivenPerpetual = Omit<PerpetualState, 'accrual'>

/** Of a policy: quotes and funding as they are given. */
export function readPerpetuals(value: unknown): readonly GivenPerpetual[] {
  const given = listOf(value, 'perpetuals', LENGTH_UPPER_BOUND).map((item) => ({
    ...objectOf(item, ['id', 'basis', 'funding'], 'perpetual'),
    accrual: null,
  }))
  return perpetualsFrom(given).map(({ id, basis, funding }) => ({ id, basis, funding }))
}

function underlyingFrom(given: unknown): UnderlyingState {
  const state = objectOf(given, STATE_KEYS, 'underlying')
  const id = wholeOf(state['id'], 'id')
  const decimal = (key: string): string => canonicalDecimal(state[key], `${key} of ${id}`)
  const spot = decimal('spot')
  microOf(spot, `spot of ${id}`)
  return {
    id,
    name: textOf(state['name'], 'name'),
    spot,
    vol: decimal('vol'),
    scanRange: decimal('scanRange'),
    liquidity: decimal('liquidity'),
    volGrid: readVolGrid(state['volGrid']),
    carry: readCurve(state['carry'], 'carry'),
    discount: readCurve(state['discount'], 'discount'),
  }
}

export function readMarket(bytes: string): MarketDocument {
  const fields = objectOf(readDocument(bytes), MARKET_KEYS, 'market')
  if (fields['version'] !== 2) throw new InputError('the version of a market must be 2')
  const underlyings = listOf(fields['underlyings'], 'underlyings', LENGTH_UPPER_BOUND).map(
    underlyingFrom,
  )
  requireAscending(
    underlyings.map(({ id }) => id),
    'underlyings',
  )
  return {
    version: 2,
    time: wholeOf(fields['time'], 'time'),
    rate: canonicalDecimal(fields['rate'], 'rate'),
    underlyings,
    perpetuals: perpetualsFrom(fields['perpetuals']),
    halted: readHalted(fields['halted']),
  }
}

/** Reference prices in micros, by id of the underlying. */
export function referencesOf(
  market: MarketDocument,
): readonly { readonly underlying: number; readonly price: bigint }[] {
  return market.underlyings.map(({ id, spot }) => ({
    underlying: id,
    price: microOf(spot, `spot of ${id}`),
  }))
}
