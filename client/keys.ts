/**
 * A member's keys: all of them follow from one 32-byte seed, which lives in one file of mode 0600.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ownerKeyHash, viewKeyHash } from '../circuits/account.ts'
import { signingKey, type SigningKey } from '../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../circuits/params.ts'

const SEED_BYTES = 32
/** 384 bits reduced mod p are uniform to within 2^-130. */
const FIELD_DRAW_BYTES = 48
const SALT = new TextEncoder().encode('cloister.keys.v1')

/**
 * Holds 32 bytes that must not end up in a log: printing, JSON and spreading show nothing of them.
 */
export class Seed {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    if (bytes.length !== SEED_BYTES) throw new Error(`a seed has ${SEED_BYTES} bytes`)
    this.#bytes = Uint8Array.from(bytes)
  }
  /** HKDF-SHA256 of the seed under a name that no other key has. */
  derive(name: string, length: number): Uint8Array {
    return hkdf(sha256, this.#bytes, SALT, new TextEncoder().encode(name), length)
  }
  toString(): string {
    return '[seed]'
  }
  toJSON(): string {
    return '[seed]'
  }
  [inspect.custom](): string {
    return '[seed]'
  }
}

export type MemberKeys = {
  readonly signing: SigningKey
  readonly ownerKeyHash: bigint
  readonly viewKey: bigint
  readonly viewKeyHash: bigint
  /** A secret per deposit: it opens the deposit's commitment to the account. */
  readonly depositSecret: (counter: number) => bigint
}

const LABEL = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Names are label, purpose, counter with slashes between; a label has none, so no two names meet.
 */
function nameOf(label: string, purpose: string, counter: number): string {
  if (!LABEL.test(label))
    throw new Error('an account label has 1 to 64 letters, digits, dots, hyphens or underscores')
  if (!Number.isSafeInteger(counter) || counter < 0)
    throw new Error('a key counter is a whole number from 0')
  return `${label}/${purpose}/${counter}`
}

function fieldOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`) % FIELD_MODULUS
}

/** The keys of an account after `rotation` rotations; 0 is what registration uses. */
export function memberKeys(seed: Seed | Uint8Array, label: string, rotation = 0): MemberKeys {
  const closed = seed instanceof Seed ? seed : new Seed(seed)
  const signing = signingKey(closed.derive(nameOf(label, 'owner', rotation), SEED_BYTES))
  const viewKey = fieldOf(closed.derive(nameOf(label, 'view', rotation), FIELD_DRAW_BYTES))
  return {
    signing,
    ownerKeyHash: ownerKeyHash(signing.publicKey),
    viewKey,
    viewKeyHash: viewKeyHash(viewKey),
    // Deposits do not rotate: their counter goes on, so that no secret is used twice.
    depositSecret: (counter) =>
      fieldOf(closed.derive(nameOf(label, 'deposit', counter), FIELD_DRAW_BYTES)),
  }
}

/** Writes a new seed; never overwrites one, and is on the disk before it returns. */
export function createSeedFile(path: string): Seed {
  const bytes = randomBytes(SEED_BYTES)
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (error) {
    throw new Error(
      isCode(error, 'EEXIST')
        ? `${path} exists; a seed is never overwritten`
        : `${path} cannot be created: ${codeOf(error)}`,
    )
  }
  try {
    // The umask can only take bits away; this makes the mode exact.
    fchmodSync(file, 0o600)
    writeSync(file, `${bytes.toString('hex')}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return new Seed(bytes)
}

/** What stands for standard input, which a pipe or a socket may be: no path opens the latter. */
export const STDIN = '/dev/stdin'

/** Refuses a file that group or others may read; says nothing of its content. */
export function readSeedFile(path: string): Seed {
  let file: number
  try {
    file = path === STDIN ? 0 : openSync(path, 'r')
  } catch (error) {
    throw new Error(`the seed file ${path} cannot be opened: ${codeOf(error)}`)
  }
  try {
    // The open file is asked, not the path: the path could be exchanged between two looks.
    const stat = fstatSync(file)
    const { mode } = stat
    if (stat.isDirectory()) throw new Error(`the seed file ${path} is a directory`)
    const isPipe = file === 0 && (stat.isFIFO() || stat.isSocket())
    if (!isPipe && (mode & 0o077) !== 0) {
      throw new Error(
        `the seed file ${path} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: others ` +
          `may read it; run chmod 600 ${path}`,
      )
    }
    const buffer = Buffer.alloc(2 * SEED_BYTES + 3)
    // Without a position: a pipe, as of `pass show seed | ...`, has none, and gives it in pieces.
    let length = 0
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = readSync(file, buffer, length, buffer.length - length, null)
    const text = buffer.toString('latin1', 0, length)
    buffer.fill(0)
    if (!/^[0-9a-fA-F]{64}\r?\n?$/.test(text))
      throw new Error(`the seed file ${path} does not hold 64 hex digits`)
    return new Seed(Buffer.from(text.slice(0, 2 * SEED_BYTES), 'hex'))
  } finally {
    if (file !== 0) closeSync(file)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
function isCode(error: unknown, code: string): boolean {
  return codeOf(error) === code
}
