/**
 * The one place where the signer meets the risk engine: documents become the engine's market,
 * instruments and worlds, and the engine's rows become a table of the law.
 */
import { tableOf, type Row, type Table } from '../../circuits/table.ts'
import { parseStrictJson } from '../canonical.ts'
import { toUtf8Bytes } from '../ethers.ts'
import {
  checkInstrument,
  isExpired,
  payoffOf,
  valuePerLot,
  type InstrumentSpec,
} from '../instruments.ts'
import { buildTable } from '../table.ts'
import { parseWorldSet, STANDARD_SET, type Market, type World, type WorldSet } from '../worlds.ts'
import {
  documentBytes,
  documentText,
  InputError,
  listOf,
  objectOf,
  readDocument,
  textOf,
  type Json,
} from './canonical.ts'
import {
  settlingIn,
  type MarketDocument,
  type RateState,
  type UnderlyingState,
  type VolSlice,
} from './market-document.ts'

export {
  marketBytes,
  readMarket,
  referencesOf,
  type MarketDocument,
  type PerpetualState,
  type UnderlyingState,
} from './market-document.ts'
export type { InstrumentSpec, World }
export const STANDARD_WORLDS: readonly World[] = STANDARD_SET.worlds

/** Number() of a canonical decimal is fixed to the last bit by the language. */
function engineMarket(market: MarketDocument): Market<string> {
  const { underlyings } = market
  if (new Set(underlyings.map(({ name }) => name)).size !== underlyings.length)
    throw new InputError('a market must have each underlying once')
  const per = <T>(value: (state: UnderlyingState) => T): Record<string, T> =>
    Object.fromEntries(underlyings.map((state) => [state.name, value(state)]))
  const some = <T, S>(key: 'volGrid' | 'carry' | 'discount', read: (item: T) => S) =>
    Object.fromEntries(
      underlyings.flatMap(({ name, ...state }) => {
        const list = state[key] as readonly unknown[] as readonly T[]
        return list.length === 0 ? [] : [[name, list.map(read)] as const]
      }),
    )
  const perpetuals = market.perpetuals.map(
    ({ id, basis, funding }) => [id, { basis: Number(basis), funding: Number(funding) }] as const,
  )
  return {
    time: market.time,
    rate: Number(market.rate),
    spot: per(({ spot }) => Number(spot)),
    vol: per(({ vol }) => Number(vol)),
    scanRange: per(({ scanRange }) => Number(scanRange)),
    liquidity: per(({ liquidity }) => Number(liquidity)),
    volGrid: some('volGrid', engineSlice),
    carry: some('carry', enginePoint),
    discount: some('discount', enginePoint),
    perpetuals: Object.fromEntries(perpetuals),
    settling: settlingIn(market).map(({ underlying, price, ...terms }) => ({
      ...terms,
      underlying: underlyings.find(({ id }) => id === underlying)?.name ?? '',
      price: Number(price),
      share: passedOf(terms, market.time),
    })),
  }
}

/** The part of a window that has passed. */
function passedOf(
  { expiry, windowSeconds }: { readonly expiry: number; readonly windowSeconds: number },
  time: number,
): number {
  return 1 - Math.max(expiry - time, 0) / windowSeconds
}

const enginePoint = ({ expiry, rate }: RateState) => ({ expiry, rate: Number(rate) })

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
  const halted = new Set(market.halted)
  const rows: readonly Row[] = buildTable(engineMarket(market), instruments, worlds).map((row) => ({
    ...row,
    // What is halted is valued as ever; the word says that it is not traded, as of the expired.
    status: row.status === 'LIVE' && !halted.has(row.id) ? ('live' as const) : ('expired' as const),
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
  const spot = { [spec.underlying]: Number(spotMicro) / 1e6 }
  const state = { time, rate: 0, spot, vol: { [spec.underlying]: 0 } }
  return BigInt(Math.round(valuePerLot(spec, state) * 1e6))
}

export function underlyingOf(spec: InstrumentSpec | undefined): string | null {
  return spec !== undefined && 'underlying' in spec ? spec.underlying : null
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

/** Numbers that were text become numbers, as the terms of the payoff say. */
function specFrom(given: Json): InstrumentSpec {
  const fields = { ...(given as { readonly [key: string]: Json }) }
  const number = (value: Json | undefined, name: string): number => {
    const found = typeof value === 'string' ? Number(value) : NaN
    if (!Number.isFinite(found) || String(found) !== value)
      throw new InputError(`${name} must be a number in its shortest form`)
    return found
  }
  const read: Record<string, unknown> = { ...fields, id: number(fields['id'], 'id') }
  const kind = textOf(fields['kind'], 'kind')
  for (const [name, form] of kind === 'cash' ? [] : Object.entries(payoffOf(kind).terms)) {
    const value = fields[name]
    if (form === 'time') read[name] = number(value, name)
    if (form === 'price') {
      if (typeof value !== 'string' || !/^\d{1,20}$/.test(value))
        throw new InputError(`${name} must be a whole number`)
      read[name] = BigInt(value)
    }
    if (form === 'settlement' && value !== undefined) {
      const { source, windowSeconds } = objectOf(value, ['source', 'windowSeconds'], name)
      const seconds = number(windowSeconds as Json, 'windowSeconds')
      read[name] = { source: textOf(source, 'source'), windowSeconds: seconds }
    }
  }
  return read as InstrumentSpec
}

/** The canonical JSON of the set's file: its hash on L1 is the hash of the set. */
export function worldsBytes({ document }: WorldSet): string {
  return `0x${Buffer.from(toUtf8Bytes(document)).toString('hex')}`
}

/** Anything but the one canonical form of a world set is refused. */
export function readWorlds(bytes: string): readonly World[] {
  let json: Json
  try {
    json = parseStrictJson(documentText(bytes))
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError('a world set must be JSON in its canonical form')
  }
  return parseWorldSet(json).worlds
}

export function instrumentsBytes(instruments: readonly InstrumentSpec[]): string {
  return documentBytes({ version: 1, instruments: withoutNumbers(instruments) })
}

export function readInstruments(bytes: string): readonly InstrumentSpec[] {
  const fields = objectOf(readDocument(bytes), ['version', 'instruments'], 'instruments')
  if (fields['version'] !== 1) throw new InputError('the version of instruments must be 1')
  return listOf(fields['instruments'], 'instruments').map((given) => {
    const spec = specFrom(given as Json)
    checkInstrument(spec)
    return spec
  })
}
