/** Reads books that others have published: every field checked, every wrong one named. */

/** The file is not what it says it is: nothing of it is computed. */
export class MalformedBooks extends Error {}
/** One book lacks an input that its rule needs: it is listed with the reason, the others go on. */
export class UnpublishedInput extends Error {}

export type Fields = Readonly<Record<string, unknown>>

export function parseJson(text: string): unknown {
  try {
    // Some editors write a mark of byte order before the text.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown
  } catch (error) {
    throw new MalformedBooks(`the file must be JSON: ${(error as Error).message}`)
  }
}

export function listAt(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new MalformedBooks(`${where} must be a list`)
  return value as readonly unknown[]
}

export function fieldsAt(value: unknown, where: string): Fields {
  if (value === undefined || value === null) throw new UnpublishedInput(`${where} is not published`)
  if (typeof value !== 'object' || Array.isArray(value))
    throw new MalformedBooks(`${where} must be an object`)
  return value as Fields
}

/** JSON has no word for what is beyond its numbers: 1e400 is read as infinity. */
const inWords = (value: unknown): string =>
  typeof value === 'number' ? String(value) : JSON.stringify(value)

/** A finite number, or a decimal string, as fixed-point systems print them. */
export function numberAt(value: unknown, where: string): number {
  if (value === undefined || value === null) throw new UnpublishedInput(`${where} is not published`)
  const isDecimal =
    typeof value === 'string' && /^-?\d{1,60}(\.\d{1,60})?([eE][+-]?\d{1,3})?$/.test(value)
  const number = typeof value === 'number' || isDecimal ? Number(value) : NaN
  if (!Number.isFinite(number))
    throw new MalformedBooks(`${where} must be a finite number, not ${inWords(value)}`)
  return number
}

/** The lower bound keeps every quotient of two such numbers finite. */
export function positiveAt(value: unknown, where: string): number {
  const number = numberAt(value, where)
  if (!(number >= 1e-15 && number < 1e15))
    throw new MalformedBooks(
      `${where} must be positive and below 10^15 (10^-15 at least), not ${number}`,
    )
  return number
}

export function boundedAt(value: unknown, lower: number, upper: number, where: string): number {
  const number = numberAt(value, where)
  if (!(number >= lower && number <= upper))
    throw new MalformedBooks(`${where} must be within ${lower} and ${upper}, not ${number}`)
  return number
}
