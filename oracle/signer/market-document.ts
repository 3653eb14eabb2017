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

/** Every decimal is text. Version 3 has what is known of settlement prices, and is used for nothing else. */
export type MarketDocument = MarketState &
  ({ readonly version: 2 } | { readonly version: 3; readonly settling: readonly SettlingState[] })
type MarketState = {
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
/** A window that has begun: the average over it until the market's time, or until its end. */
export type SettlingState = {
  /** Id of the underlying. */
  readonly underlying: number
  readonly expiry: number
  readonly windowSeconds: number
  /** As the instruments name it. */
  readonly source: string
  /** At most six digits after the point. */
  readonly price: string
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

const SETTLING_KEYS = ['underlying', 'expiry', 'windowSeconds', 'source', 'price'] as const

/** One text for each expiry, window and source of an underlying, in the order that documents have. */
export function settlingKey(state: Omit<SettlingState, 'price'>): string {
  const { underlying, expiry, windowSeconds, source } = state
  const numbers = [underlying, expiry, windowSeconds].map((one) => String(one).padStart(16, '0'))
  return [...numbers, source].join(' ')
}

/** Each once, in ascending order, of windows that have begun at this time of the market. */
export function readSettling(value: unknown, time: number): readonly SettlingState[] {
  let previous = ''
  return listOf(value, 'settling', LENGTH_UPPER_BOUND).map((item) => {
    const one = objectOf(item, SETTLING_KEYS, 'settling')
    const state = {
      underlying: wholeOf(one['underlying'], 'underlying'),
      expiry: wholeOf(one['expiry'], 'expiry'),
      windowSeconds: wholeOf(one['windowSeconds'], 'windowSeconds'),
      source: textOf(one['source'], 'source'),
      price: textOf(one['price'], 'price'),
    }
    microOf(state.price, 'price')
    if (state.windowSeconds === 0 || time <= state.expiry - state.windowSeconds)
      throw new InputError(`a window must have begun at ${time} to have an average`)
    const key = settlingKey(state)
    if (key <= previous) throw new InputError('settling must ascend, each once')
    previous = key
    return state
  })
}

/** Nothing where no window has begun, or no quorum knows it. */
export function settlingIn(market: MarketDocument): readonly SettlingState[] {
  return market.version === 3 ? market.settling : []
}

/** The market with these averages in place of its own. */
export function withSettling(
  market: MarketDocument,
  settling: readonly SettlingState[],
): MarketDocument {
  const { time, rate, underlyings, perpetuals, halted } = market
  const state = { time, rate, underlyings, perpetuals, halted }
  return settling.length === 0 ? { version: 2, ...state } : { version: 3, ...state, settling }
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
  const read = readDocument(bytes)
  const version = (read as { version?: unknown } | null)?.version
  const keys = version === 3 ? [...MARKET_KEYS, 'settling'] : MARKET_KEYS
  const fields = objectOf(read, keys, 'market')
  if (version !== 2 && version !== 3) throw new InputError('the version of a market must be 2 or 3')
  const underlyings = listOf(fields['underlyings'], 'underlyings', LENGTH_UPPER_BOUND).map(
    underlyingFrom,
  )
  requireAscending(
    underlyings.map(({ id }) => id),
    'underlyings',
  )
  const state = {
    time: wholeOf(fields['time'], 'time'),
    rate: canonicalDecimal(fields['rate'], 'rate'),
    underlyings,
    perpetuals: perpetualsFrom(fields['perpetuals']),
    halted: readHalted(fields['halted']),
  }
  if (version === 2) return { version, ...state }
  const settling = readSettling(fields['settling'], state.time)
  // Without any there is one form, and it is the other.
  if (settling.length === 0) throw new InputError('a market of version 3 must have a window')
  for (const { underlying } of settling)
    if (!underlyings.some(({ id }) => id === underlying))
      throw new InputError(`a market must have the underlying ${underlying} that settles`)
  return { version, ...state, settling }
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
