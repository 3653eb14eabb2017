/** Settlement values from averaged prices, and the register's roots before and after them. */
import {
  documentBytes,
  InputError,
  listOf,
  objectOf,
  readDocument,
  textOf,
  wholeOf,
} from './canonical.ts'
import { decimalOfMicro, microOf } from './decimal.ts'
import { expiryOf, settlementValue, underlyingOf, type InstrumentSpec } from './engine.ts'
import { registerRoots, type Register, type RegisterRoots, type SettledValue } from './register.ts'
import type { SettlementReport } from './report.ts'

/** Times are of the market's clock. */
type Prices = {
  readonly windowStart: number
  readonly windowEnd: number
  readonly underlyings: readonly {
    readonly id: number
    readonly name: string
    readonly price: string
  }[]
}
/** Averages by time over the window. */
export type AverageDocument = Prices & { readonly version: 1 }
/** In place of averages that no quorum has: reference prices of a table on L1. */
export type FallbackDocument = Prices & { readonly version: 2; readonly table: number }
export type SettlementDocument = AverageDocument | FallbackDocument

/**
 * Seconds of L1's clock between the end of a window and the first word on a fallback for it: until then
 * whoever saw the window has been asked again and again.
 */
export const FALLBACK_SECONDS = 86_400

/** What a table on L1 says of underlyings. */
export type ReferenceTable = {
  readonly number: number
  readonly references: readonly { readonly underlying: number; readonly price: bigint }[]
}

export function settlementBytes(document: SettlementDocument): string {
  return documentBytes(document)
}

export function readSettlement(bytes: string): SettlementDocument {
  const read = readDocument(bytes)
  const version = (read as { version?: unknown } | null)?.version
  const keys = ['version', 'windowStart', 'windowEnd', 'underlyings']
  const given = objectOf(read, version === 2 ? [...keys, 'table'] : keys, 'settlement')
  if (version !== 1 && version !== 2)
    throw new InputError('the version of a settlement must be 1 or 2')
  let previous = 0
  const underlyings = listOf(given['underlyings'], 'underlyings', 257).map((item) => {
    const one = objectOf(item, ['id', 'name', 'price'], 'underlying')
    const id = wholeOf(one['id'], 'id')
    if (id <= previous) throw new InputError('underlyings must ascend')
    previous = id
    const price = textOf(one['price'], 'price')
    microOf(price, 'price')
    return { id, name: textOf(one['name'], 'name'), price }
  })
  const windowStart = wholeOf(given['windowStart'], 'windowStart')
  const windowEnd = wholeOf(given['windowEnd'], 'windowEnd')
  const prices = { windowStart, windowEnd, underlyings }
  return version === 1
    ? { version, ...prices }
    : { version, ...prices, table: wholeOf(given['table'], 'table') }
}

/** The fallback for a window (of the market's clock), of the underlyings that are named. */
export function fallbackOf(
  table: ReferenceTable,
  [windowStart, windowEnd]: readonly [number, number],
  named: readonly { readonly id: number; readonly name: string }[],
): FallbackDocument {
  const underlyings = named.map(({ id, name }) => {
    const found = table.references.find(({ underlying }) => underlying === id)
    if (found === undefined)
      throw new InputError(`table ${table.number} must have a price of ${name}`)
    return { id, name, price: decimalOfMicro(found.price) }
  })
  return { version: 2, windowStart, windowEnd, table: table.number, underlyings }
}

/** The window and the source that an instrument was listed with; null where it names none. */
export function termsOfSettlement(
  spec: InstrumentSpec | undefined,
): { readonly source: string; readonly windowSeconds: number } | null {
  return (spec !== undefined && 'settlement' in spec ? spec.settlement : undefined) ?? null
}

/** Value of each id at the document's averages. */
export function valuesOf(
  instruments: readonly InstrumentSpec[],
  ids: readonly number[],
  document: SettlementDocument,
): readonly SettledValue[] {
  return ids.map((id) => {
    const spec = instruments.find((one) => one.id === id)
    if (spec === undefined) throw new InputError(`instrument ${id} must be known`)
    if (expiryOf(spec) !== document.windowEnd) {
      throw new InputError(`${spec.name} must expire at the end of the window`)
    }
    const found = document.underlyings.find(({ name }) => name === underlyingOf(spec))
    if (found === undefined) throw new InputError(`${spec.name} must have a price`)
    const spot = microOf(found.price, 'price')
    return { id, value: settlementValue(spec, spot, document.windowEnd) }
  })
}

type Given = {
  readonly serial: bigint
  readonly ids: readonly number[]
  readonly settled: readonly SettledValue[]
  readonly document: SettlementDocument
  /** Of L1's clock; the document's is the market's, the same unless a day is replayed. */
  readonly window: readonly [number, number]
}

export function settlementReportOf(
  instruments: readonly InstrumentSpec[],
  given: Given,
): SettlementReport {
  const added = addedBy(instruments, given)
  return withRoots(given, added, registerRoots(given.settled, added))
}

/** The same by roots that somebody else keeps: of tens of thousands of entries they are most of the work. */
export async function settlementReportBy(
  register: Register,
  instruments: readonly InstrumentSpec[],
  given: Given,
): Promise<SettlementReport> {
  const added = addedBy(instruments, given)
  return withRoots(given, added, await register.roots(given.settled, added))
}

function addedBy(
  instruments: readonly InstrumentSpec[],
  { ids, document }: Given,
): readonly SettledValue[] {
  const inOrder = [...ids].sort((a, b) => a - b)
  return valuesOf(instruments, inOrder, document)
}

function withRoots(
  { serial, document, window }: Given,
  added: readonly SettledValue[],
  roots: RegisterRoots,
): SettlementReport {
  return {
    serial,
    windowStart: BigInt(window[0]),
    windowEnd: BigInt(window[1]),
    ...roots,
    data: settlementBytes(document),
    ids: added.map(({ id }) => BigInt(id)),
    values: added.map(({ value }) => value),
  }
}
