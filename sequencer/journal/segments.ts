/** The segments of a directory as one chain: read, verified, and the torn end found. */
import { join } from 'node:path'
import type { Disk } from './disk.ts'
import {
  decodeSegmentHeader,
  framesOf,
  originHash,
  SEGMENT_HEADER_BYTES,
  type Frame,
  type SegmentHeader,
} from './frame.ts'
import { JournalError, type Head } from './journal.ts'

const NAME = /^journal-([0-9]{16})\.segment$/

export function segmentName(firstSequence: number): string {
  return `journal-${String(firstSequence).padStart(16, '0')}.segment`
}

/** Names in the order of their records. */
export async function segmentsIn(disk: Disk, directory: string): Promise<readonly string[]> {
  return (await disk.list(directory)).filter((name) => NAME.test(name)).sort()
}

export type Tail = {
  readonly identity: Uint8Array
  readonly keyId: Uint8Array
  readonly head: Head
  /** The last segment, and the offset behind its last whole frame. */
  readonly segment: string
  readonly end: number
  /** Bytes behind it that a write which never ended has left; 0 if the end is clean. */
  readonly tornBytes: number
}

/** Place in the list of the segment that has record `sequence`, or would. */
function placeIn(names: readonly string[], sequence: number): number {
  const place = names.findLastIndex((name) => Number(NAME.exec(name)?.[1]) <= sequence)
  return Math.max(0, place)
}

/** Which journal it is, as its first segment says. */
export async function identityOf(disk: Disk, directory: string): Promise<Uint8Array> {
  const [name] = await segmentsIn(disk, directory)
  if (name === undefined) throw noSegment(directory)
  const file = join(directory, name)
  return decodeSegmentHeader(file, await disk.read(file)).identity
}

/** The hash of the chain at a record; null if the journal has no such record. */
export async function hashAt(
  disk: Disk,
  directory: string,
  sequence: number,
): Promise<Uint8Array | null> {
  for await (const frame of walk(disk, directory, sequence))
    if (frame.sequence === sequence) return frame.hash
  return null
}

/**
 * Walks all frames, from the first of the segment that has record `from`: the chain before it is not
 * looked at. Throws JournalMustBeWhole, with file and offset, on any
 * damage but a torn end; the caller cuts that or leaves it.
 */
export async function* walk(
  disk: Disk,
  directory: string,
  from = 1,
): AsyncGenerator<Frame & { readonly header: SegmentHeader }, Tail> {
  const all = await segmentsIn(disk, directory)
  const names = all.slice(placeIn(all, from))
  let head: Head | null = null
  let tail: Tail | null = null
  for (const [i, segment] of names.entries()) {
    const file = join(directory, segment)
    const bytes = await disk.read(file)
    const header = decodeSegmentHeader(file, bytes)
    const before: Head = { sequence: header.firstSequence - 1, hash: header.hashBefore }
    const isInMidst = i === 0 && names.length < all.length
    checkJoint(file, segment, header, isInMidst ? before : head, tail)
    head = before
    const frames = framesOf(bytes, header)
    let end = SEGMENT_HEADER_BYTES
    let next = frames.next()
    for (; next.done !== true; next = frames.next()) {
      const { sequence, hash } = next.value
      head = { sequence, hash }
      end = next.value.end
      yield { ...next.value, header }
    }
    const stop = next.value
    if (stop !== null && !(stop.isTorn && i === names.length - 1)) {
      const kept = head.sequence === 0 ? 'nothing' : `records up to ${head.sequence}`
      throw new JournalError(
        'JournalMustBeWhole',
        `${file}: ${stop.reason} (offset ${stop.offset}); ${kept} before it can be read. ` +
          'Restore the file from a copy; nothing was changed',
      )
    }
    const { identity, keyId } = header
    tail = { identity, keyId, head, segment, end, tornBytes: bytes.length - end }
  }
  if (tail === null) throw noSegment(directory)
  return tail
}

function noSegment(directory: string): JournalError {
  return new JournalError('JournalMustBeWhole', `${directory} holds no segment`)
}

function checkJoint(
  file: string,
  segment: string,
  header: SegmentHeader,
  head: Head | null,
  tail: Tail | null,
): void {
  const fail = (detail: string): never => {
    throw new JournalError('JournalMustBeWhole', `${file}: ${detail}`)
  }
  const expected = head ?? { sequence: 0, hash: originHash(header.identity) }
  if (
    segmentName(header.firstSequence) !== segment ||
    header.firstSequence !== expected.sequence + 1
  )
    fail(`begins with record ${header.firstSequence} where ${expected.sequence + 1} is next`)
  if (!Buffer.from(expected.hash).equals(header.hashBefore))
    fail('does not continue the segment before it')
  if (tail !== null && !Buffer.from(tail.identity).equals(header.identity))
    fail('belongs to another journal')
  if (tail !== null && !Buffer.from(tail.keyId).equals(header.keyId))
    fail('is sealed with another key')
}
