/** Plain values with bigints and maps as JSON and back, byte for byte the same each time. */

/**
 * A bigint is written as "#decimal", a map as {"#map": [[key, value]...]}; a string that begins with
 * "#" gets a second one, so that no text from L1 can pose as a number.
 */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `#${part}`
    if (typeof part === 'string') return part.startsWith('#') ? `#${part}` : part
    if (part instanceof Map) return { '#map': [...part] }
    return part
  })
}

/** Throws on text that is no JSON; what the values mean is the caller's to check. */
export function decode(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part === 'string')
      return /^#-?\d+$/.test(part) ? BigInt(part.slice(1)) : part.replace(/^##/, '#')
    if (isRecord(part) && Array.isArray(part['#map']))
      return new Map(part['#map'] as [unknown, unknown][])
    return part
  })
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
