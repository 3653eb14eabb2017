/**
 * Values as JSON and back, exactly: every string of the JSON begins with a letter that says what it
 * is, so that numbers of any size, bytes, maps and sets come back as they were.
 */
export type Plain =
  | null
  | boolean
  | number
  | string
  | bigint
  | Uint8Array
  | undefined
  | readonly Plain[]
  | ReadonlyMap<Plain, Plain>
  | ReadonlySet<Plain>
  | { readonly [key: string]: Plain }

const MAP = '%map'
const SET = '%set'

function pack(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return `t${value}`
    case 'bigint':
      return `n${value}`
    case 'number':
      if (!Number.isSafeInteger(value) && !Number.isFinite(value))
        throw new Error(`codec: ${value} cannot be recorded`)
      return value
    case 'object':
      break
    case 'boolean':
    case 'undefined':
      return value
    default:
      throw new Error(`codec: a ${typeof value} cannot be recorded`)
  }
  if (value === null) return null
  if (Array.isArray(value)) return value.map(pack)
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('base64')}`
  if (value instanceof Map) return { [MAP]: [...value].map(([k, v]) => [pack(k), pack(v)]) }
  if (value instanceof Set) return { [SET]: [...value].map(pack) }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw new Error('codec: only plain objects can be recorded')
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]))
}

/** The same value gives the same text; keys stay in the order in which they were written. */
export function encode(value: Plain): string {
  return JSON.stringify(pack(value))
}

/** Throws on a text that `encode` did not make. */
export function decode(text: string): Plain {
  return JSON.parse(text, (_key, item: unknown) => {
    if (typeof item === 'string') return unpackText(item)
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
    const { [MAP]: map, [SET]: set } = item as Record<string, unknown>
    if (Array.isArray(map)) return new Map(map as [Plain, Plain][])
    if (Array.isArray(set)) return new Set(set as Plain[])
    return item
  }) as Plain
}

function unpackText(text: string): Plain {
  const body = text.slice(1)
  switch (text[0]) {
    case 't':
      return body
    case 'n':
      return BigInt(body)
    case 'b':
      return new Uint8Array(Buffer.from(body, 'base64'))
    default:
      throw new Error('codec: a text without its kind')
  }
}
