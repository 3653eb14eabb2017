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

/**
 * Walks all frames from the first record on. Throws JournalMustBeWhole, with file and offset, on any
 * damage but a torn end; the caller cuts that or leaves it.
 */
export async function* walk(
  disk: Disk,
  directory: string,
): AsyncGenerator<Frame & { readonly header: SegmentHeader }, Tail> {
  const names = await segmentsIn(disk, directory)
  let head: Head | null = null
  let tail: Tail | null = null
  for (const [i, segment] of names.entries()) {
    const file = join(directory, segment)
    const bytes = await disk.read(file)
    const header = decodeSegmentHeader(file, bytes)
    checkJoint(file, segment, header, head, tail)
    const before: Head = { sequence: header.firstSequence - 1, hash: header.hashBefore }
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
  if (tail === null) throw new JournalError('JournalMustBeWhole', `${directory} holds no segment`)
  return tail
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
