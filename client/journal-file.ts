/**
 * The lines of a journal file: what they say, how they are written, and how they survive a crash.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { PAGE_KIND, type PageKind } from '../circuits/params.ts'
import type { Signature } from '../circuits/eddsa.ts'
import type { Page } from '../circuits/page.ts'
import { tryLock, type Release } from './pid-lock.ts'
import type { Receipt } from './receipt.ts'

export type SignedPage = {
  /** The member's own name for what it agreed to; the same name never stands for two pages. */
  readonly clientId: string
  readonly page: Page
  readonly previousHead: bigint
  readonly head: bigint
  readonly signature: Signature
}
export type Line =
  | {
      readonly type: 'open'
      readonly domain: bigint
      readonly account: number
      readonly head: bigint
    }
  | ({ readonly type: 'page'; readonly signedAt: bigint } & SignedPage)
  | { readonly type: 'settled'; readonly head: bigint; readonly batchNumber: bigint }
  /** Pending pages signed anew on the settled head, some of them left out. */
  | {
      readonly type: 'rebase'
      readonly head: bigint
      readonly without: readonly string[]
      readonly pages: readonly SignedPage[]
    }
  | ({ readonly type: 'receipt' } & Receipt)

const encode = (line: Line): string =>
  JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)) +
  '\n'

/** What JSON.parse gives, before it is known to be anything. */
type Json = { readonly [key: string]: unknown }

const NUMBER = /^-?(0|[1-9][0-9]{0,77})$/
const isKind = (text: string): text is PageKind => Object.hasOwn(PAGE_KIND, text)

/** Numbers travel as decimal strings of bounded length; anything else is a damaged line. */
function big(json: unknown): bigint {
  if (typeof json !== 'string' || !NUMBER.test(json))
    throw new Error('a number is not written as one')
  return BigInt(json)
}
function small(json: unknown): number {
  if (!Number.isSafeInteger(json)) throw new Error('a small number is not written as one')
  return Number(json)
}
function text(json: unknown): string {
  if (typeof json !== 'string') throw new Error('a text is missing')
  return json
}
function list(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw new Error('a list is missing')
  return json
}
function object(json: unknown): Json {
  if (typeof json !== 'object' || json === null) throw new Error('a record is missing')
  return json as Json
}

/** A page as JSON has it. Throws what is not one. */
export function pageOf(source: unknown): Page {
  const json = object(source)
  const kind = text(json.kind)
  if (!isKind(kind)) throw new Error('a page is of no known kind')
  return {
    kind,
    account: small(json.account),
    counterparty: small(json.counterparty),
    stamp: big(json.stamp),
    maxFee: big(json.maxFee),
    payload: big(json.payload),
    entries: list(json.entries)
      .map(object)
      .map((entry) => ({
        instrument: small(entry.instrument),
        quantity: big(entry.quantity),
        price: big(entry.price),
      })),
  }
}

function signedPageOf(source: unknown): SignedPage {
  const json = object(source)
  const signature = object(json.signature)
  const r = object(signature.r)
  return {
    clientId: text(json.clientId),
    page: pageOf(json.page),
    previousHead: big(json.previousHead),
    head: big(json.head),
    signature: { r: { x: big(r.x), y: big(r.y) }, s: big(signature.s) },
  }
}

function decode(source: string): Line {
  const json = object(JSON.parse(source))
  const type = text(json.type)
  switch (type) {
    case 'open':
      return { type, domain: big(json.domain), account: small(json.account), head: big(json.head) }
    case 'page':
      return { type, signedAt: big(json.signedAt), ...signedPageOf(json) }
    case 'settled':
      return { type, head: big(json.head), batchNumber: big(json.batchNumber) }
    case 'rebase':
      return {
        type,
        head: big(json.head),
        without: list(json.without).map(text),
        pages: list(json.pages).map(signedPageOf),
      }
    case 'receipt':
      return {
        type,
        account: small(json.account),
        head: big(json.head),
        time: big(json.time),
        signature: text(json.signature),
      }
    default:
      throw new Error(`a line is of unknown type ${type.slice(0, 20)}`)
  }
}

/** Every whole line. A last line without its end was torn by a crash; its signature never left. */
export function readLines(path: string): {
  readonly lines: readonly Line[]
  readonly size: number
} {
  if (!existsSync(path)) return { lines: [], size: 0 }
  const content = readFileSync(path, 'utf8')
  const end = content.lastIndexOf('\n') + 1
  const lines = content
    .slice(0, end)
    .split('\n')
    .slice(0, -1)
    .map((source, i) => {
      try {
        return decode(source)
      } catch (error) {
        throw new Error(
          `journal ${path}, line ${i + 1}: ` +
            `${error instanceof SyntaxError ? 'no JSON' : (error as Error).message}`,
        )
      }
    })
  return { lines, size: Buffer.byteLength(content.slice(0, end)) }
}

/** Bytes of the file, whole lines or not; 0 without a file. */
export function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}

/** Appends after `size` bytes, cutting off a torn end, and returns once the line is on the disk. */
export function appendLine(path: string, size: number, line: Line): number {
  const file = openSync(path, existsSync(path) ? 'r+' : 'wx+', 0o600)
  try {
    const { mode } = fstatSync(file)
    if ((mode & 0o077) !== 0) fchmodSync(file, 0o600)
    ftruncateSync(file, size)
    const bytes = Buffer.from(encode(line))
    for (let done = 0; done < bytes.length;)
      done += writeSync(file, bytes, done, bytes.length - done, size + done)
    fsyncSync(file)
    return size + bytes.length
  } finally {
    closeSync(file)
  }
}

const LOCK_ATTEMPTS = 250
const LOCK_PAUSE_MS = 20

/**
 * One writer at a time: two processes could otherwise sign two pages on one head. A writer holds the
 * lock for as long as a line takes to the disk, so another waits for five seconds before it complains:
 * a crowded disk takes one or two.
 */
export function withLock<T>(path: string, work: () => T): T {
  const release = takeLock(`${path}.lock`)
  try {
    return work()
  } finally {
    release()
  }
}

function takeLock(lock: string): Release {
  for (let attempt = 1; ; attempt++) {
    const taken = tryLock(lock)
    if (typeof taken === 'function') return taken
    if (attempt === LOCK_ATTEMPTS)
      throw new Error(
        `${lock} exists: another process is writing this journal` +
          (Number.isNaN(taken.heldBy) ? '; if none is, remove that file' : ` (${taken.heldBy})`),
      )
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS)
  }
}
