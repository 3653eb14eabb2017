/**
 * Bytes of a segment: a header, then frames. Every frame carries the hash of all before it and
 * itself, so that a changed, missing or moved record is seen.
 *
 *   header  magic 8 | version 4 | 0 4 | identity 16 | key id 8 | first sequence 8 | hash before 32 | check 16
 *   frame   length 4 | sequence 8 | check 4 | hash 32 | sealed payload
 *
 * Numbers are big-endian. The check of a frame covers its length, so that a damaged length is not
 * taken for the end of the file.
 */
import { createHash } from 'node:crypto'
import { JournalError, RECORD_BYTES_UPPER_BOUND } from './journal.ts'
import { SEAL_BYTES } from './seal.ts'

const MAGIC = Buffer.from('CLOISTRJ', 'latin1')
const VERSION = 1
export const SEGMENT_HEADER_BYTES = 96
export const FRAME_HEADER_BYTES = 48
const HASH_BYTES = 32
const SEALED_BYTES_UPPER_BOUND = RECORD_BYTES_UPPER_BOUND + SEAL_BYTES
/** A write that was cut off leaves zeros from some sector on, never from within one. */
const SECTOR_BYTES = 512

export type SegmentHeader = {
  readonly identity: Uint8Array
  readonly keyId: Uint8Array
  readonly firstSequence: number
  /** The hash of the record before the first one. */
  readonly hashBefore: Uint8Array
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** What stands before the first record of a journal. */
export function originHash(identity: Uint8Array): Buffer {
  return sha256(Buffer.from('cloister journal 1', 'latin1'), identity)
}

/** The hash of a record, over the hash before it. */
export function chainHash(before: Uint8Array, sequence: number, sealed: Uint8Array): Buffer {
  return sha256(before, prefixOf(sequence, sealed.length), sealed)
}

function prefixOf(sequence: number, length: number): Buffer {
  const prefix = Buffer.alloc(12)
  prefix.writeUInt32BE(length, 0)
  prefix.writeBigUInt64BE(BigInt(sequence), 4)
  return prefix
}

function checkOf(before: Uint8Array, prefix: Uint8Array): Buffer {
  return sha256(before, prefix).subarray(0, 4)
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(bytes, 0)
  bytes.writeUInt32BE(VERSION, 8)
  bytes.set(header.identity, 16)
  bytes.set(header.keyId, 32)
  bytes.writeBigUInt64BE(BigInt(header.firstSequence), 40)
  bytes.set(header.hashBefore, 48)
  bytes.set(sha256(bytes.subarray(0, 80)).subarray(0, 16), 80)
  return bytes
}

export function decodeSegmentHeader(file: string, bytes: Buffer): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC))
    throw new JournalError('JournalMustBeWhole', `${file} does not begin as a segment does`)
  if (bytes.readUInt32BE(8) !== VERSION) {
    const detail = `${file} has format ${bytes.readUInt32BE(8)}; this program knows ${VERSION}`
    throw new JournalError('JournalMustBeKnown', detail)
  }
  if (!sha256(bytes.subarray(0, 80)).subarray(0, 16).equals(bytes.subarray(80, 96)))
    throw new JournalError('JournalMustBeWhole', `${file}: its header is damaged (offset 0)`)
  return {
    identity: bytes.subarray(16, 32),
    keyId: bytes.subarray(32, 40),
    firstSequence: Number(bytes.readBigUInt64BE(40)),
    hashBefore: bytes.subarray(48, 80),
  }
}

/** A frame and the hash after it. */
export function encodeFrame(
  before: Uint8Array,
  sequence: number,
  sealed: Uint8Array,
): { readonly bytes: Buffer; readonly hash: Buffer } {
  const prefix = prefixOf(sequence, sealed.length)
  const hash = chainHash(before, sequence, sealed)
  return { bytes: Buffer.concat([prefix, checkOf(before, prefix), hash, sealed]), hash }
}

export type Frame = {
  readonly sequence: number
  readonly sealed: Buffer
  readonly before: Uint8Array
  readonly hash: Uint8Array
  /** Of the byte after the frame. */
  readonly end: number
}
/** Why reading stopped before the end of the bytes. */
export type Stop = {
  readonly offset: number
  /** A write that never ended: nothing in it was acknowledged, and it may be cut. */
  readonly isTorn: boolean
  readonly reason: string
}

/**
 * Frames of a segment in order, each verified; returns why it stopped, or null at a clean end. Torn is
 * only what ends before its frame does, or holds nothing but zeros from a sector's edge on.
 */
export function* framesOf(bytes: Buffer, header: SegmentHeader): Generator<Frame, Stop | null> {
  let offset = SEGMENT_HEADER_BYTES
  let before = header.hashBefore
  let sequence = header.firstSequence
  while (offset < bytes.length) {
    const stop = (reason: string, end: number): Stop => ({
      offset,
      isTorn: end > bytes.length || isZeroFromASector(bytes, offset, end),
      reason,
    })
    if (bytes.length - offset < FRAME_HEADER_BYTES)
      return stop('a frame header is cut off', offset + FRAME_HEADER_BYTES)
    const prefix = bytes.subarray(offset, offset + 12)
    if (!checkOf(before, prefix).equals(bytes.subarray(offset + 12, offset + 16)))
      return stop('the check of a frame header does not match', offset + 16)
    const length = prefix.readUInt32BE(0)
    // Its check matched, so these would be a writer's fault, not the disk's.
    if (Number(prefix.readBigUInt64BE(4)) !== sequence || length > SEALED_BYTES_UPPER_BOUND)
      return { offset, isTorn: false, reason: `the frame is not that of record ${sequence}` }
    const end = offset + FRAME_HEADER_BYTES + length
    if (end > bytes.length) return stop(`record ${sequence} is cut off`, end)
    const hash = bytes.subarray(offset + 16, offset + 16 + HASH_BYTES)
    const sealed = bytes.subarray(offset + FRAME_HEADER_BYTES, end)
    if (!chainHash(before, sequence, sealed).equals(hash))
      return stop(`the hash of record ${sequence} does not match`, end)
    yield { sequence, sealed, before, hash, end }
    before = hash
    sequence++
    offset = end
  }
  return null
}

/**
 * Space that a file was given and that was never written: nothing but zeros from a sector's edge
 * within the frame to the end. Zeros behind a frame that is merely damaged prove nothing.
 */
function isZeroFromASector(bytes: Buffer, offset: number, end: number): boolean {
  let written = bytes.length
  while (written > offset && bytes[written - 1] === 0) written--
  return written === offset || Math.ceil(written / SECTOR_BYTES) * SECTOR_BYTES < end
}
