/** Bodies as JSON, without what JSON leaves open: repeated keys, odd numbers, endless nesting. */
import { ApiError } from './errors.ts'

const DEPTH = 8
/** No form has more. */
const KEYS = 64
/** The largest form, 512 pages of eight entries, has two thirds of it. */
const VALUES = 32_768
const NUMBER = /[-+0-9.eE]+/y
const PLAIN = /^(?:0|[1-9][0-9]{0,9})$/
/** What other code might take for more than a name. */
const ODD_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** The object that a body is. Throws ApiError; never quotes the body. */
export function parseBody(bytes: Uint8Array): Record<string, unknown> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ApiError('BodyMustBeJson', 'the body must be UTF-8')
  }
  scan(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ApiError('BodyMustBeJson')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('BodyMustBeJson')
  return value as Record<string, unknown>
}

/** Looks at numbers, keys and depth; what is no JSON at all is left to JSON.parse. */
function scan(text: string): void {
  /** Keys so far of the open objects; null for an open list. */
  const open: (Set<string> | null)[] = []
  let values = 1
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === '"') {
      const end = endOfString(text, at)
      // A string before a colon is a key.
      const keys = open.at(-1)
      let next = end + 1
      while (' \t\r\n'.includes(text[next] ?? '-')) next++
      if (keys && text[next] === ':') addKey(keys, text.slice(at, end + 1))
      at = next - 1
    } else if (character === '{' || character === '[') {
      if (open.length === DEPTH) throw new ApiError('NestingMustBeShallow')
      open.push(character === '{' ? new Set() : null)
    } else if (character === '}' || character === ']') {
      open.pop()
    } else if (character === ',') {
      if (++values > VALUES) throw new ApiError('BodyMustMatchSchema')
    } else if (character === '-' || character === '+' || (character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at
      const [number = ''] = NUMBER.exec(text) ?? []
      if (!PLAIN.test(number)) throw new ApiError('NumberMustBePlain')
      at += number.length - 1
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  throw new ApiError('BodyMustBeJson')
}

function addKey(keys: Set<string>, quoted: string): void {
  let key: string
  try {
    // Written with escapes it is the same key.
    key = JSON.parse(quoted) as string
  } catch {
    throw new ApiError('BodyMustBeJson')
  }
  if (keys.has(key)) throw new ApiError('KeysMustDiffer')
  if (ODD_KEYS.has(key) || keys.size === KEYS) throw new ApiError('BodyMustMatchSchema')
  keys.add(key)
}
