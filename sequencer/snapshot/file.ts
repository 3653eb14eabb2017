/**
 * Bytes of a snapshot: a header that says of which state, and the state, sealed with the journal's key.
 *
 *   magic 8 | version 4 | 0 4 | identity 16 | key id 8 | sequence 8 | hash 32 | program 32 | sealed state
 *
 * The seal covers the header: the state cannot be read, made, or put in another's place without the key.
 */
import { timingSafeEqual } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import type { Sealer } from '../journal/seal.ts'

const MAGIC = Buffer.from('CLOISTRS', 'latin1')
const VERSION = 1
export const HEADER_BYTES = 112
/** It precedes the header in what is sealed with it: no record has such a place. */
const PLACE = Buffer.from('cloister snapshot', 'latin1')
/** Field names are written with every object: the fastest level takes most of them away again. */
const DEFLATE = { level: 1 } as const

/** Which state it is: of which journal after which record, and what the program was that made it. */
export type Origin = {
  /** 16 bytes in hex. */
  readonly identity: string
  readonly sequence: number
  /** Of the journal at that record: it covers all records up to it. */
  readonly hash: Uint8Array
  readonly program: Uint8Array
}

/** Why a snapshot is not used. */
export class Unfit extends Error {
  /** It is damaged, or contradicts the journal: somebody should look. Otherwise it is merely of no use. */
  readonly isAlarming: boolean
  constructor(reason: string, isAlarming = true) {
    super(reason)
    this.isAlarming = isAlarming
  }
}

function headerOf({ identity, sequence, hash, program }: Origin, keyId: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes, 0)
  bytes.writeUInt32BE(VERSION, 8)
  bytes.write(identity, 16, 16, 'hex')
  bytes.set(keyId, 32)
  bytes.writeBigUInt64BE(BigInt(sequence), 40)
  bytes.set(hash, 48)
  bytes.set(program, 80)
  return bytes
}

export function encodeSnapshot(origin: Origin, state: Uint8Array, sealer: Sealer): Buffer {
  const header = headerOf(origin, sealer.keyId)
  const sealed = sealer.seal(deflateSync(state, DEFLATE), Buffer.concat([PLACE, header]))
  return Buffer.concat([header, sealed])
}

/** What it says of itself, which nothing but `openSnapshot` shows to be true. Throws Unfit. */
export function originOf(bytes: Buffer): Origin {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC))
    throw new Unfit('it does not begin as a snapshot does')
  const version = bytes.readUInt32BE(8)
  if (version !== VERSION)
    throw new Unfit(`it has format ${version}; this program knows ${VERSION}`, false)
  return {
    identity: bytes.toString('hex', 16, 32),
    sequence: Number(bytes.readBigUInt64BE(40)),
    hash: bytes.subarray(48, 80),
    program: bytes.subarray(80, 112),
  }
}

/** The state that `encodeSnapshot` was given. Throws Unfit unless it was sealed with this key, and under this header. */
export function openSnapshot(bytes: Buffer, sealer: Sealer): Buffer {
  if (!timingSafeEqual(bytes.subarray(32, 40), sealer.keyId))
    throw new Unfit('it was sealed with another key')
  const place = Buffer.concat([PLACE, bytes.subarray(0, HEADER_BYTES)])
  const state = sealer.open(bytes.subarray(HEADER_BYTES), place)
  if (state === null) throw new Unfit('it is damaged, or was put in the place of another')
  return inflateSync(state)
}
