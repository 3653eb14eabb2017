/** One byte string per JSON value, so that a hash of data does not depend on who wrote the file. */

import { keccak_256 } from '@noble/hashes/sha3.js'

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/**
 * No spaces, keys in the order of their UTF-16 code units, numbers and strings as JSON.stringify
 * writes them: the canonical form of RFC 8785. Crashes on numbers that JSON cannot carry.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new RangeError(`canonical JSON: ${value} is no JSON number`)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`)
  return `{${fields.join(',')}}`
}

function isList(
  value: readonly Json[] | { readonly [key: string]: Json },
): value is readonly Json[] {
  return Array.isArray(value)
}

/** keccak256 of the canonical bytes as 0x and 64 digits: what L1 can compute, too. */
export function canonicalHash(value: Json): string {
  const digest = keccak_256(new TextEncoder().encode(canonicalJson(value)))
  return `0x${Buffer.from(digest).toString('hex')}`
}

/** JSON.parse, but only of the canonical text: no spaces, no key twice, no other spelling. */
export function parseStrictJson(text: string): Json {
  const json = JSON.parse(text) as Json
  if (canonicalJson(json) !== text) throw new RangeError('the JSON must be in canonical form')
  return json
}
