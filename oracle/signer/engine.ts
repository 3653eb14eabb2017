/**
 * The one place where the signer meets the risk engine: documents become the engine's market,
 * instruments and worlds, and the engine's rows become a table of the law.
 */
import { tableOf, type Row, type Table } from '../../circuits/table.ts'
import {
  checkInstrument,
  isExpired,
  valuePerLot,
  UNDERLYINGS,
  type InstrumentSpec,
  type Underlying,
} from '../instruments.ts'
import { buildTable } from '../table.ts'
import { WORLDS, type Market, type World } from '../worlds.ts'
import {
  documentBytes,
  InputError,
  listOf,
  objectOf,
  readDocument,
  textOf,
  wholeOf,
  type Json,
} from './canonical.ts'
import { canonicalDecimal, microOf } from './decimal.ts'

export type { InstrumentSpec, World }
export const STANDARD_WORLDS: readonly World[] = WORLDS

/** What a table depends on besides instruments and worlds; every decimal is text. */
export type MarketDocument = {
  readonly version: 1
  /** Unix seconds of the market that is valued. */
  readonly time: number
  readonly rate: string
  /** In ascending order of id. */
  readonly underlyings: readonly UnderlyingState[]
  /** In ascending order of id. */
  readonly perpetuals: readonly PerpetualState[]
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
}
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
}
const STATE_KEYS = ['id', 'name', 'spot', 'vol', 'scanRange', 'liquidity', 'volGrid'] as const

export function marketBytes(market: MarketDocument): string {
  return documentBytes(market)
}

const MARKET_KEYS = ['version', 'time', 'rate', 'underlyings', 'perpetuals'] as const

/** Whether expiries and strikes ascend is the engine's to say. */
export function readVolGrid(value: unknown): readonly VolSlice[] {
  return listOf(value, 'volGrid', 257).map((given) => {
    const { expiry, smile } = objectOf(given, ['expiry', 'smile'], 'slice')
    const points = listOf(smile, 'smile', 257).map((item) => {
      const { strike, vol } = objectOf(item, ['strike', 'vol'], 'point')
      return { strike: canonicalDecimal(strike, 'strike'), vol: canonicalDecimal(vol, 'vol') }
    })
    return { expiry: wholeOf(expiry, 'expiry'), smile: points }
  })
}

export function readPerpetuals(value: unknown): readonly PerpetualState[] {
  let previous = 0
  return listOf(value, 'perpetuals', 257).map((given) => {
    const { id: number, basis, funding } = objectOf(given, ['id', 'basis', 'funding'], 'perpetual')
    const id = wholeOf(number, 'id')
    if (id <= previous) throw new InputError('perpetuals must ascend')
    previous = id
    return {
      id,
      basis: canonicalDecimal(basis, 'basis'),
      funding: canonicalDecimal(funding, 'funding'),
    }
  })
}

export function readMarket(bytes: string): MarketDocument {
  const fields = objectOf(readDocument(bytes), MARKET_KEYS, 'market')
  if (fields['version'] !== 1) throw new InputError('the version of a market must be 1')
  let previous = 0
  const underlyings = listOf(fields['underlyings'], 'underlyings', 257).map((given) => {
    const state = objectOf(given, STATE_KEYS, 'underlying')
    const id = wholeOf(state['id'], 'id')
    if (id <= previous) throw new InputError('underlyings must ascend')
    previous = id
    const decimal = (key: string): string => canonicalDecimal(state[key], `${key} of ${id}`)
    const spot = decimal('spot')
    microOf(spot, `spot of ${id}`)
    const name = textOf(state['name'], 'name')
    return {
      id,
      name,
      spot,
      vol: decimal('vol'),
      scanRange: decimal('scanRange'),
      liquidity: decimal('liquidity'),
      volGrid: readVolGrid(state['volGrid']),
    }
  })
  const time = wholeOf(fields['time'], 'time')
  const perpetuals = readPerpetuals(fields['perpetuals'])
  return {
    version: 1,
    time,
    rate: canonicalDecimal(fields['rate'], 'rate'),
    underlyings,
    perpetuals,
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

/** Number() of a canonical decimal is fixed to the last bit by the language. */
function engineMarket(market: MarketDocument): Market {
  const stateOf = (name: Underlying): UnderlyingState => {
    const found = market.underlyings.filter((state) => state.name === name)
    if (found.length !== 1) throw new InputError(`a market must have ${name} once`)
    return found[0] as UnderlyingState
  }
  const per = (key: 'spot' | 'vol' | 'scanRange' | 'liquidity'): Record<Underlying, number> =>
    Object.fromEntries(UNDERLYINGS.map((name) => [name, Number(stateOf(name)[key])])) as Record<
      Underlying,
      number
    >
  const grids = market.underlyings.flatMap(({ name, volGrid }) =>
    volGrid.length === 0 ? [] : [[name, volGrid.map(engineSlice)] as const],
  )
  const perpetuals = market.perpetuals.map(
    ({ id, basis, funding }) => [id, { basis: Number(basis), funding: Number(funding) }] as const,
  )
  return {
    time: market.time,
    rate: Number(market.rate),
    spot: per('spot'),
    vol: per('vol'),
    scanRange: per('scanRange'),
    liquidity: per('liquidity'),
    // Spread, because not every engine has the fields yet.
    ...(grids.length === 0 ? {} : { volGrid: Object.fromEntries(grids) }),
    ...(perpetuals.length === 0 ? {} : { perpetuals: Object.fromEntries(perpetuals) }),
  }
}

function engineSlice({ expiry, smile }: VolSlice) {
  const points = smile.map(({ strike, vol }) => ({ strike: Number(strike), vol: Number(vol) }))
  return { expiry, smile: points }
}

/** The table that follows from the three documents, byte for byte on anybody's machine. */
export function computeTable(
  market: MarketDocument,
  instruments: readonly InstrumentSpec[],
  worlds: readonly World[],
): Table {
  const rows: readonly Row[] = buildTable(engineMarket(market), instruments, worlds).map((row) => ({
    ...row,
    status: row.status === 'LIVE' ? ('live' as const) : ('expired' as const),
  }))
  return tableOf(rows)
}

/**
 * What a lot pays at the averaged price, in micros, rounded to the nearest: one number for both
 * sides, as a mark.
 */
export function settlementValue(spec: InstrumentSpec, spotMicro: bigint, time: number): bigint {
  if (!('expiry' in spec) || !isExpired(spec, time)) {
    throw new InputError(`${spec.name} must have expired at ${time}`)
  }
  // Only the expired state of one underlying is asked: neither rate nor vol has time left to act.
  const all = <T>(value: T): Record<Underlying, T> =>
    Object.fromEntries(UNDERLYINGS.map((name) => [name, value])) as Record<Underlying, T>
  const state = { time, rate: 0, spot: all(Number(spotMicro) / 1e6), vol: all(0) }
  return BigInt(Math.round(valuePerLot(spec, state) * 1e6))
}

export function underlyingOf(spec: InstrumentSpec): string | null {
  return 'underlying' in spec ? spec.underlying : null
}

export function expiryOf(spec: InstrumentSpec): number {
  return 'expiry' in spec ? spec.expiry : 0
}

// ----------------------------------------------------------------- documents of the parameters

/** Every number becomes its shortest decimal text, which reads back to the same number. */
function withoutNumbers(value: unknown): Json {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map(withoutNumbers)
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [key, withoutNumbers(item)]),
  )
}

const TEXT_KEYS = new Set([
  'kind',
  'name',
  'underlying',
  'lot',
  'multiplier',
  'haircut',
  'side',
  'source',
])
const BIGINT_KEYS = new Set(['strike'])

function withNumbers(value: Json, key = ''): unknown {
  if (typeof value === 'string') {
    if (TEXT_KEYS.has(key)) return value
    if (BIGINT_KEYS.has(key)) {
      if (!/^\d{1,20}$/.test(value)) throw new InputError(`${key} must be a whole number`)
      return BigInt(value)
    }
    const number = Number(value)
    if (!Number.isFinite(number) || String(number) !== value) {
      throw new InputError(`${key} must be a number in its shortest form`)
    }
    return number
  }
  if (Array.isArray(value)) return value.map((item: Json) => withNumbers(item, key))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, withNumbers(item as Json, name)]),
    )
  }
  return value
}

export function worldsBytes(worlds: readonly World[]): string {
  return documentBytes({ version: 1, worlds: withoutNumbers(worlds) })
}

/** The engine checks how many worlds there are and which is the mark. */
export function readWorlds(bytes: string): readonly World[] {
  const fields = objectOf(readDocument(bytes), ['version', 'worlds'], 'world set')
  if (fields['version'] !== 1) throw new InputError('the version of a world set must be 1')
  return listOf(fields['worlds'], 'worlds', 257).map((world) => {
    const read = withNumbers(world as Json) as World
    if (!['mark', 'scan', 'tail'].includes(read.kind)) {
      throw new InputError(`the kind of a world must be known, not ${String(read.kind)}`)
    }
    return read
  })
}

export function instrumentsBytes(instruments: readonly InstrumentSpec[]): string {
  return documentBytes({ version: 1, instruments: withoutNumbers(instruments) })
}

export function readInstruments(bytes: string): readonly InstrumentSpec[] {
  const fields = objectOf(readDocument(bytes), ['version', 'instruments'], 'instruments')
  if (fields['version'] !== 1) throw new InputError('the version of instruments must be 1')
  return listOf(fields['instruments'], 'instruments').map((given) => {
    const spec = withNumbers(given as Json) as InstrumentSpec
    checkInstrument(spec)
    return spec
  })
}
