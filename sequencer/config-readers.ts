/** What a value of the configuration must be, in words and as a check of what was given as JSON or text. */
import { ESCAPE_SHAPES } from '../circuits/escape.ts'
import { SHAPES } from '../circuits/params.ts'
import { EXIT_CIRCUITS, HOUSE_SWEEP_SHAPES } from './sweep-shapes.ts'

/** A value as it was given is refused with what it must be. */
export class Unfit extends Error {}
export type Reader<T> = {
  /** As a sentence goes on: "port must be ...". */
  readonly must: string
  readonly read: (given: unknown) => T
}
function matching<T>(must: string, pattern: RegExp, make: (text: string) => T): Reader<T> {
  const read = (given: unknown): T => {
    const text = typeof given === 'number' ? String(given) : given
    if (typeof text !== 'string' || !pattern.test(text)) throw new Unfit()
    return make(text)
  }
  return { must, read }
}
export const TEXT = matching('text that is not empty', /^[^\0\r\n]+$/, (text) => text)
export const ADDRESS = matching(
  '0x and 40 hexadecimal digits',
  /^0x[0-9a-fA-F]{40}$/,
  (text) => text,
)

export function whole(from: number, to: number, unit = ''): Reader<number> {
  const must = `a whole number${unit} from ${from} to ${to}`
  const { read } = matching(must, /^(0|[1-9][0-9]{0,9})$/, Number)
  return {
    must,
    read: (given) => {
      const value = read(given)
      if (value < from || value > to) throw new Unfit()
      return value
    },
  }
}

export function oneOf<T extends string>(names: readonly T[]): Reader<T> {
  const must = `one of ${names.join(', ')}`
  return {
    must,
    read: (given) => {
      const found = names.find((name) => name === given)
      if (found === undefined) throw new Unfit()
      return found
    },
  }
}

export const FLAG: Reader<boolean> = {
  must: 'true or false',
  read: (given) => {
    if (given === true || given === 'true') return true
    if (given === false || given === 'false') return false
    throw new Unfit()
  },
}

export const HTTP: Reader<string> = {
  must: 'the http or https address of an L1 node',
  read: (given) => {
    const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : null
    if (url === null || !['http:', 'https:'].includes(url.protocol)) throw new Unfit()
    return given as string
  },
}

/** Other nodes; the first one is what members are told. */
export const HTTP_LIST: Reader<readonly string[]> = {
  must: 'a list of http or https addresses of L1 nodes',
  read: (given) => {
    const urls = typeof given === 'string' ? given.split(',').flatMap((n) => n.trim() || []) : given
    if (!Array.isArray(urls) || new Set(urls).size !== urls.length) throw new Unfit()
    return urls.map((url) => HTTP.read(url))
  },
}

const SHAPE_NAMES = SHAPES.map(({ name }) => name)
export const SHAPE_LIST: Reader<readonly string[]> = {
  must: `a list without repetition, the usual shape first, of ${SHAPE_NAMES.join(', ')}`,
  read: (given) => {
    const names = typeof given === 'string' ? given.split(',').map((n) => n.trim()) : given
    const isList = Array.isArray(names) && names.length > 0 && new Set(names).size === names.length
    if (!isList || !names.every((n) => SHAPE_NAMES.includes(n as never))) throw new Unfit()
    return names as string[]
  },
}

const EXIT_NAMES = [...ESCAPE_SHAPES, ...HOUSE_SWEEP_SHAPES].map(({ name }) => name)
export const EXIT_LIST: Reader<readonly string[]> = {
  must: `all (${EXIT_CIRCUITS.join(', ')}), or a list without repetition of ${EXIT_NAMES.join(', ')}`,
  read: (given) => {
    if (given === 'all') return EXIT_CIRCUITS
    const names =
      typeof given === 'string' ? given.split(',').flatMap((n) => n.trim() || []) : given
    if (!Array.isArray(names) || new Set(names).size !== names.length) throw new Unfit()
    if (!names.every((n) => EXIT_NAMES.includes(n as never))) throw new Unfit()
    return names as string[]
  },
}

export function orNone<T>({ must, read }: Reader<T>): Reader<T | null> {
  return { must: `${must}, or null`, read: (given) => (given === null ? null : read(given)) }
}

export const MICRO_DOLLARS = matching(
  'micro-dollars as a whole number below 2^40',
  /^(0|[1-9][0-9]{0,12})$/,
  (text) => {
    const value = BigInt(text)
    // maxFee of a page has 40 bits: nobody could pay more.
    if (value >= 1n << 40n) throw new Unfit()
    return value
  },
)
