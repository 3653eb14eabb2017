/** Documents that are hashed: canonical JSON in UTF-8, so that equal content has equal bytes. */
import { canonicalJson as canonical, type Json } from '../canonical.ts'
import { keccak256, toUtf8Bytes, toUtf8String } from '../ethers.ts'

export type { Json }

/** What is given is not what it should be; the sentence says what it must be. */
export class InputError extends Error {}

const DOCUMENT_BYTES_UPPER_BOUND = 1 << 16

/**
 * As elsewhere, but no number besides safe integers: whatever has a fraction travels as a decimal
 * string, because a float's text is not the same everywhere.
 */
export function canonicalJson(value: Json): string {
  requireWholeNumbers(value)
  return canonical(value)
}

function requireWholeNumbers(value: Json): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value !== 'number') return Object.values(value).forEach(requireWholeNumbers)
  if (!Number.isSafeInteger(value) || Object.is(value, -0))
    throw new InputError(`a number in a document must be a safe integer, not ${value}`)
}

/** 0x and hex digits of the UTF-8 bytes. */
export function documentBytes(value: Json): string {
  return `0x${Buffer.from(toUtf8Bytes(canonicalJson(value))).toString('hex')}`
}

export function documentHash(bytes: string): string {
  return keccak256(bytes)
}

/** The text in the bytes of a document. */
export function documentText(bytes: string): string {
  if (bytes.length > 2 + 2 * DOCUMENT_BYTES_UPPER_BOUND) {
    throw new InputError(`a document must be below ${DOCUMENT_BYTES_UPPER_BOUND} bytes`)
  }
  try {
    return toUtf8String(bytes)
  } catch {
    throw new InputError('a document must be JSON in UTF-8')
  }
}

/** Reads a document of which there is one form only: other bytes of the same content are refused. */
export function readDocument(bytes: string): Json {
  const text = documentText(bytes)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    throw new InputError('a document must be JSON in UTF-8')
  }
  // Refuses doubled keys, spaces, other orders and numbers with exponents, all at once.
  if (documentBytes(value) !== bytes.toLowerCase()) {
    throw new InputError('a document must be in its canonical form')
  }
  return value
}

/** An object with exactly these keys. */
export function objectOf(
  value: unknown,
  keys: readonly string[],
  what: string,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`${what} must be an object`)
  }
  const found = Object.keys(value).sort().join(', ')
  const wanted = [...keys].sort().join(', ')
  if (found !== wanted) throw new InputError(`${what} must have ${wanted}, not ${found}`)
  return value as Record<string, unknown>
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new InputError(`${what} must be a string`)
  return value
}

export function listOf(value: unknown, what: string, lengthUpperBound = 4096): readonly unknown[] {
  if (!Array.isArray(value) || value.length >= lengthUpperBound) {
    throw new InputError(`${what} must be a list of fewer than ${lengthUpperBound}`)
  }
  return value
}

/** A whole number from 0 to 2^53 - 1. */
export function wholeOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new InputError(`${what} must be a whole number`)
  }
  return value
}
