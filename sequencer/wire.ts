/** What comes over HTTP becomes plain values here, or a clear error. Numbers travel as decimal strings. */
import { FIELD_MODULUS, PAGE_KIND, type PageKind } from '../circuits/params.ts'
import type { Point, Signature } from '../circuits/eddsa.ts'
import type { Entry, Page } from '../circuits/page.ts'
import type { SignedPage } from './admission.ts'

export class BadRequest extends Error {}
const INTEGER = /^-?(0|[1-9][0-9]{0,77})$/

export function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadRequest(`${name} must be an object`)
  return value as Record<string, unknown>
}
export function integer(value: unknown, name: string): bigint {
  if (typeof value !== 'string' || !INTEGER.test(value) || value === '-0')
    throw new BadRequest(`${name} must be a decimal string`)
  return BigInt(value)
}
export function word(value: unknown, name: string): bigint {
  const number = integer(value, name)
  if (number < 0n || number >= FIELD_MODULUS)
    throw new BadRequest(`${name} must be a field element`)
  return number
}
export function index(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** 28)
    throw new BadRequest(`${name} must be a small whole number`)
  return value
}
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > 128)
    throw new BadRequest(`${name} must be a text of at most 128 characters`)
  return value
}
export function point(value: unknown, name: string): Point {
  const o = object(value, name)
  return { x: word(o['x'], `${name}.x`), y: word(o['y'], `${name}.y`) }
}
export function signature(value: unknown, name: string): Signature {
  const o = object(value, name)
  return { r: point(o['r'], `${name}.r`), s: word(o['s'], `${name}.s`) }
}
export function entries(value: unknown, name: string): readonly Entry[] {
  if (!Array.isArray(value) || value.length > 8)
    throw new BadRequest(`${name} must be a short list`)
  return value.map((item, i) => {
    const o = object(item, `${name}[${i}]`)
    return {
      instrument: index(o['instrument'], `${name}[${i}].instrument`),
      quantity: integer(o['quantity'], `${name}[${i}].quantity`),
      price: integer(o['price'], `${name}[${i}].price`),
    }
  })
}
export function signedPage(value: unknown, account: number): SignedPage {
  const o = object(value, 'body')
  const kind = text(o['kind'], 'kind')
  if (!(kind in PAGE_KIND)) throw new BadRequest('kind must be trade, withdrawal or rotation')
  const page: Page = {
    kind: kind as PageKind,
    account,
    counterparty: index(o['counterparty'], 'counterparty'),
    stamp: integer(o['stamp'], 'stamp'),
    maxFee: integer(o['maxFee'], 'maxFee'),
    payload: word(o['payload'], 'payload'),
    entries: entries(o['entries'], 'entries'),
  }
  const base = { page, signature: signature(o['signature'], 'signature') }
  const signed =
    o['previousHead'] === undefined
      ? base
      : { ...base, previousHead: word(o['previousHead'], 'previousHead') }
  if (o['rotation'] === undefined) return signed
  const rotation = object(o['rotation'], 'rotation')
  return {
    ...signed,
    rotation: {
      key: point(rotation['key'], 'rotation.key'),
      viewKey: word(rotation['viewKey'], 'rotation.viewKey'),
    },
  }
}

/** Pages of one account in journal order; a shape has no more slots than this for them. */
export function pages(value: unknown, account: number): readonly SignedPage[] {
  if (!Array.isArray(value) || value.length > 512)
    throw new BadRequest('pages must be a list of at most 512')
  return value.map((page) => signedPage(page, account))
}

/** An answer that is JSON already: what many ask for is put into words once. */
export class Prepared {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
/** JSON with bigints as decimal strings. */
export function stringify(value: unknown): string {
  if (value instanceof Prepared) return value.text
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  )
}
