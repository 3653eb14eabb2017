/**
 * The registry of instruments: an open specification as canonical JSON, its hash, and the next id,
 * which stays with it for good. L1 keeps id and hash; whoever has the specification checks it.
 */

import { canonicalHash, canonicalJson, parseStrictJson, type Json } from './canonical.ts'
import { INSTRUMENT_BITS, TOKEN_UPPER_BOUND } from '../circuits/params.ts'
import { checkTerms, COMMON_TERMS, payoffOf, type ExposedSpec } from './instruments.ts'

/** A specification without its id: what the hash covers. */
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never
export type Terms = WithoutId<ExposedSpec>

export type Listing = {
  readonly id: number
  /** keccak256 of `specification`. */
  readonly hash: string
  /** Canonical JSON. */
  readonly specification: string
}
export type Registry = readonly Listing[]

const VERSION = 1
/** Cash is id 1: it has no specification, the vault's token is bound at deployment. */
const FIRST_TOKEN_ID = 2

/** The fields of a kind: an unknown one would be an unread promise. */
function checkFields(terms: object): void {
  const fields: Readonly<Record<string, unknown>> = { ...terms }
  const forms = payoffOf(String(fields['kind'])).terms
  for (const [name, value] of Object.entries(fields)) {
    if (!COMMON_TERMS.includes(name) && !Object.hasOwn(forms, name))
      throw new RangeError(`specification: unknown field ${name}`)
    const form = forms[name] ?? 'text'
    const isText = form !== 'time' && form !== 'price' && form !== 'settlement'
    if (isText && value !== undefined && typeof value !== 'string')
      throw new RangeError(`specification: ${name} must be a text`)
  }
  for (const [name, form] of Object.entries(forms))
    if (form === 'price' && typeof fields[name] !== 'bigint')
      throw new RangeError(`specification: bad ${name}`)
  const settlement = fields['settlement']
  if (settlement === undefined) return
  const keys = Object.keys(settlement as object)
    .sort()
    .join()
  if (keys !== 'source,windowSeconds')
    throw new RangeError('specification: settlement has a source and windowSeconds')
}

/** Crashes with the field that is wrong. Amounts are decimal strings, times are whole seconds. */
export function specificationOf(terms: Terms): Json {
  // An id that came along is not part of the terms.
  const { id: _, ...fields } = terms as Terms & { readonly id?: number }
  checkFields(fields)
  checkTerms(terms, (why) => {
    throw new RangeError(`specification ${terms.name}: ${why}`)
  })
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(terms.name))
    throw new RangeError(`specification: bad name ${terms.name}`)
  const { settlement } = terms as { readonly settlement?: unknown }
  if (Object.hasOwn(payoffOf(terms.kind).terms, 'settlement') && settlement === undefined)
    throw new RangeError(`specification ${terms.name}: it must name its settlement source`)
  return { version: VERSION, ...(plain(fields) as { readonly [key: string]: Json }) }
}

function plain(value: unknown): Json {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return value as Json
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([key, field]) => [key, plain(field)]))
}

export function specificationHash(terms: Terms): string {
  return canonicalHash(specificationOf(terms))
}

/** The registry with one more listing. The same specification twice would be two prices of one thing. */
export function list(registry: Registry, terms: Terms): Registry {
  const specification = canonicalJson(specificationOf(terms))
  const hash = specificationHash(terms)
  const known = registry.find((listing) => listing.hash === hash)
  if (known !== undefined)
    throw new RangeError(`registry: ${terms.name} has id ${known.id} already`)
  if (registry.some((listing) => nameOf(listing) === terms.name))
    throw new RangeError(`registry: the name ${terms.name} is taken`)
  return [...registry, { id: nextId(registry, terms.kind === 'token'), hash, specification }]
}

/** Ids ascend within their range and are never used again, whatever expires. */
function nextId(registry: Registry, isToken: boolean): number {
  const ids = registry.map(({ id }) => id).filter((id) => id < TOKEN_UPPER_BOUND === isToken)
  const next = Math.max(isToken ? FIRST_TOKEN_ID - 1 : TOKEN_UPPER_BOUND - 1, ...ids) + 1
  if (next >= (isToken ? TOKEN_UPPER_BOUND : 2 ** INSTRUMENT_BITS))
    throw new RangeError('registry: no id is left')
  return next
}

function nameOf(listing: Listing): string {
  return specOf(listing).name
}

/** Crashes unless the specification is canonical, hashes to what is bound, and is in form. */
export function specOf({ id, hash, specification }: Listing): ExposedSpec {
  const fail = (why: string): never => {
    throw new RangeError(`listing ${id}: ${why}`)
  }
  const json = parseStrictJson(specification)
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return fail('no object')
  const { version, ...fields } = json as { readonly [key: string]: Json }
  if (version !== VERSION) fail(`version ${JSON.stringify(version)} is unknown`)
  const forms = payoffOf(String(fields['kind'])).terms
  const terms = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (!Object.hasOwn(forms, name) || forms[name] !== 'price') return [name, value]
      const isPrice = typeof value === 'string' && /^\d{1,16}$/.test(value)
      return [name, isPrice ? BigInt(value) : fail(`bad ${name}`)]
    }),
  ) as unknown as Terms
  const again = specificationOf(terms)
  if (canonicalJson(again) !== specification) fail('the specification is not canonical')
  if (canonicalHash(again) !== hash) fail('the specification is another than the one bound')
  return { ...terms, id } as ExposedSpec
}
