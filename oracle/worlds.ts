/**
 * The worlds of a table, as data: joint states of all prices and volatilities in which an account
 * must be worth at least zero. World 0 is the mark. The last is the variation world (tokens at zero,
 * everything else at its mark), which the circuit derives from world 0.
 *
 * A set is a JSON file under world-sets/: its name, version and canonical hash are published with
 * every table, so that whoever has the file recomputes the table.
 */

import { readFileSync } from 'node:fs'
import { WORLD_COUNT } from '../circuits/params.ts'
import { canonicalHash, canonicalJson, type Json } from './canonical.ts'
import { entryOf, NO_SHOCK, type Market, type Shock } from './market.ts'

export type { Market } from './market.ts'

/** A number for all underlyings, or one per underlying with '*' for those that are not named. */
export type PerName = number | Readonly<Record<string, number>>

export type World =
  | { readonly kind: 'mark'; readonly name: string }
  | {
      /** A tail moves by a fraction of its own, and counts by its weight. */
      readonly kind: 'scan' | 'tail'
      readonly name: string
      /** The price move in thirds of the scan range, as in SPAN: -3 is the whole range down. */
      readonly scan: PerName
      /** The price move of all underlyings as a fraction of spot, whatever the scan range. */
      readonly move: number
      readonly vol: number
      readonly skew: number
      readonly twist: number
      /** Added to all rates. Without a financing world a box spread would need no margin. */
      readonly rate: number
      /** The share of the change from the mark that counts: SPAN's cover fraction of extreme moves. */
      readonly weight: number
    }

export type WorldSet = {
  readonly name: string
  readonly version: number
  /** keccak256 of `document`. */
  readonly hash: string
  /** The canonical JSON of the file: what L1 carries. */
  readonly document: string
  /** All but the variation world: what a row of the table carries. */
  readonly worlds: readonly World[]
}

/** `wide-32` is for houses of three or four underlyings: BTC, ETH, SOL and one that it does not name. */
export type WorldSetName = 'standard-16' | 'standard-32' | 'wide-32'

export function worldSet(name: WorldSetName): WorldSet {
  const file = new URL(`./world-sets/${name}.json`, import.meta.url)
  return parseWorldSet(JSON.parse(readFileSync(file, 'utf8')) as Json)
}

/** Crashes on anything but a set: unknown fields, shocks out of bounds, a mark out of its place. */
export function parseWorldSet(json: Json): WorldSet {
  const fail = (why: string): never => {
    throw new RangeError(`world set: ${why}`)
  }
  const { name, version, worlds, ...more } = fieldsOf(json, fail)
  if (Object.keys(more).length > 0) fail(`unknown field ${Object.keys(more).join(', ')}`)
  if (typeof name !== 'string' || !/^[a-z0-9-]{1,32}$/.test(name)) return fail('bad name')
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    return fail('bad version')
  if (!Array.isArray(worlds) || worlds.length < 2) return fail('too few worlds')
  const kinds = worlds.map((world: Json) => fieldsOf(world, fail)['kind'])
  kinds.forEach((kind, i) => {
    if ((kind === 'mark') !== (i === 0)) fail('the mark is world 0 and no other')
    if ((kind === 'variation') !== (i === kinds.length - 1))
      fail('the variation world is the last and no other')
  })
  const parsed = worlds.slice(0, -1).map((world: Json) => parseWorld(fieldsOf(world, fail)))
  if (new Set(parsed.map((world) => world.name)).size !== parsed.length) fail('a name stands twice')
  return {
    name,
    version,
    hash: canonicalHash(json),
    document: canonicalJson(json),
    worlds: parsed,
  }
}

type Fields = { readonly [key: string]: Json }

function fieldsOf(json: Json | undefined, fail: (why: string) => never): Fields {
  if (json === undefined || json === null || typeof json !== 'object' || Array.isArray(json))
    return fail('an object is missing')
  return json as Fields
}

const WORLD_FIELDS = ['name', 'kind', 'scan', 'move', 'vol', 'skew', 'twist', 'rate', 'weight']

function parseWorld(fields: Fields): World {
  const { name, kind, scan = 0, weight = '1' } = fields
  if (typeof name !== 'string' || name === '') throw new RangeError('world: it has no name')
  const fail = (why: string): never => {
    throw new RangeError(`world ${name}: ${why}`)
  }
  const unknown = Object.keys(fields).filter((key) => !WORLD_FIELDS.includes(key))
  if (unknown.length > 0) fail(`unknown field ${unknown.join(', ')}`)
  if (kind === 'mark') return { kind, name }
  if (kind !== undefined) fail(`unknown kind ${String(kind)}`)
  const within = (field: string, lower: number, upper: number): number => {
    const value = fields[field] ?? 0
    if (typeof value !== 'number' || !(value > lower && value < upper))
      return fail(`${field} ${String(value)} is out of (${lower}, ${upper})`)
    return value
  }
  const thirds = (value: Json): number =>
    typeof value === 'number' && value >= -3 && value <= 3 ? value : fail('scan is out of [-3, 3]')
  const scans = typeof scan === 'object' ? fieldsOf(scan, fail) : scan
  const move = within('move', -1, 100)
  if (move !== 0 && scan !== 0) fail('it moves by scan range or by a fraction, not both')
  return {
    kind: move === 0 ? 'scan' : 'tail',
    name,
    scan:
      typeof scans === 'object'
        ? Object.fromEntries(Object.entries(scans).map(([key, value]) => [key, thirds(value)]))
        : thirds(scans),
    move,
    vol: within('vol', -10, 10),
    skew: within('skew', -1, 1),
    twist: within('twist', -1, 1),
    rate: within('rate', -1, 1),
    weight: parseWeight(weight, fail),
  }
}

/** A fraction like "1/3", so that the file says exactly what counts. */
function parseWeight(weight: Json, fail: (why: string) => never): number {
  const [, above = '', below = '1'] =
    (typeof weight === 'string' && /^(\d{1,4})(?:\/(\d{1,4}))?$/.exec(weight)) || []
  const value = Number(above) / Number(below)
  return above !== '' && value > 0 && value <= 1 ? value : fail(`bad weight ${String(weight)}`)
}

/** The standard set of as many worlds as the law has. */
export const STANDARD_SET: WorldSet = worldSet(WORLD_COUNT === 32 ? 'standard-32' : 'standard-16')
/** Its worlds without the variation world: what a row carries. */
export const WORLDS: readonly World[] = STANDARD_SET.worlds

/** The price move of one underlying in thirds of its scan range; 0 in the mark and in the tails. */
export function thirdsOf(world: World, underlying: string): number {
  if (world.kind === 'mark') return 0
  const { scan } = world
  if (typeof scan === 'number') return scan
  return (Object.hasOwn(scan, underlying) ? scan[underlying] : scan['*']) ?? 0
}

/**
 * The first two underlyings that move alike in every world of a set, or null. Of such two a position in
 * one would be a perfect hedge of the other: a set must be made that tells them apart.
 */
export function inseparable(
  worlds: readonly World[],
  underlyings: readonly string[],
): readonly [string, string] | null {
  const seen = new Map<string, string>()
  for (const name of new Set(underlyings)) {
    const moves = worlds.map((world) => thirdsOf(world, name)).join()
    const other = seen.get(moves)
    if (other !== undefined) return [other, name]
    seen.set(moves, name)
  }
  return null
}

/** What a world does to one underlying of a market. */
export function shockOf(
  world: World,
  market: Pick<Market<string>, 'scanRange'>,
  underlying: string,
): Shock {
  if (world.kind === 'mark') return NO_SHOCK
  const { move, vol, skew, twist, rate } = world
  const thirds = thirdsOf(world, underlying)
  const range = entryOf(market.scanRange, underlying, 'scan range')
  return { price: 1 + move + (thirds * range) / 3, vol, skew, twist, rate, isStress: true }
}

/** The share of a world's distance from the mark that the table counts. */
export function weightOf(world: World): number {
  return world.kind === 'mark' ? 1 : world.weight
}
