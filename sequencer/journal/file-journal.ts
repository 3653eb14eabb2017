/** The journal in a directory: segments of sealed frames, one sync for all who wait, one process. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DISK, isFull, type Disk, type DiskFile } from './disk.ts'
import { encodeFrame, encodeSegmentHeader, originHash, SEGMENT_HEADER_BYTES } from './frame.ts'
import { GroupCommit, JournalError, type Entry, type Head, type Journal } from './journal.ts'
import type { DirectoryLock } from './lock.ts'
import { checkKey, placeOf, type Sealer } from './seal.ts'
import { hashAt, segmentName, segmentsIn, walk, type Tail } from './segments.ts'

export type FileJournalOptions = {
  readonly directory: string
  readonly sealer: Sealer
  /** A segment that has reached it is followed by a new one. */
  readonly segmentBytes?: number
  readonly disk?: Disk
  readonly log?: (line: string) => void
}
const SEGMENT_BYTES = 1 << 26

/**
 * Records of a directory that nobody writes to, or as far as they are whole right now. What stands in
 * segments before the one of the first record that is wanted is not looked at.
 */
export async function* readEntries(
  disk: Disk,
  directory: string,
  sealer: Sealer,
  after = 0,
): AsyncGenerator<Entry, Tail> {
  const frames = walk(disk, directory, after + 1)
  for (;;) {
    const next = await frames.next()
    if (next.done === true) {
      checkKey(sealer, next.value.keyId, directory)
      return next.value
    }
    const { sequence, sealed, before, header } = next.value
    if (sequence === header.firstSequence) checkKey(sealer, header.keyId, directory)
    if (sequence <= after) continue
    const payload = sealer.open(sealed, placeOf(header.identity, before, sequence))
    if (payload === null) {
      const detail = `record ${sequence} was not written with this key and in this place`
      throw new JournalError('JournalMustBeWhole', `${directory}: ${detail}`)
    }
    yield { sequence, payload }
  }
}

export class FileJournal implements Journal {
  private readonly commit: GroupCommit
  private readonly options: Required<Omit<FileJournalOptions, 'log'>>
  private readonly lock: DirectoryLock
  private readonly identityBytes: Uint8Array
  private last: Head
  private file: DiskFile
  private end: number

  private constructor(
    options: Required<Omit<FileJournalOptions, 'log'>>,
    lock: DirectoryLock,
    tail: Tail,
    file: DiskFile,
  ) {
    this.options = options
    this.lock = lock
    this.identityBytes = tail.identity
    this.last = tail.head
    this.file = file
    this.end = tail.end
    this.commit = new GroupCommit((payloads) => this.write(payloads))
  }

  /**
   * Takes the lock, verifies every record, cuts a torn end. Throws JournalMustBeFree,
   * JournalMustBeWhole, JournalKeyMustMatch or JournalMustBeKnown, and then has changed nothing.
   */
  static async open({ log = () => {}, ...given }: FileJournalOptions): Promise<FileJournal> {
    const options = { segmentBytes: SEGMENT_BYTES, disk: DISK, ...given }
    const { disk, directory, sealer } = options
    await disk.makeDirectory(directory)
    const lock = await disk.lock(directory)
    try {
      if ((await segmentsIn(disk, directory)).length === 0) {
        const identity = randomBytes(16)
        await makeSegment(options, identity, { sequence: 0, hash: originHash(identity) })
      }
      const tail = await lastOf(walk(disk, directory))
      checkKey(sealer, tail.keyId, directory)
      const file = await disk.open(join(directory, tail.segment))
      if (tail.tornBytes > 0) await file.truncate(tail.end)
      // A process that was killed may have left whole records, and a name, that no sync ever reached:
      // what is read here is built upon, so it must be durable first.
      await file.sync()
      await disk.syncDirectory(directory)
      if (tail.tornBytes > 0) {
        log(
          `journal: cut ${tail.tornBytes} bytes of a write that never ended after record ` +
            `${tail.head.sequence}; nothing in it was acknowledged`,
        )
      }
      return new FileJournal(options, lock, tail, file)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  get identity(): string {
    return Buffer.from(this.identityBytes).toString('hex')
  }
  get head(): Head {
    return this.last
  }
  append(payload: Uint8Array): Promise<number> {
    return this.commit.append(payload)
  }
  async *entries(after = 0): AsyncIterable<Entry> {
    const { disk, directory, sealer } = this.options
    // Not further: what is being written now is not durable yet.
    const until = this.last.sequence
    if (after >= until) return
    for await (const entry of readEntries(disk, directory, sealer, after)) {
      yield entry
      if (entry.sequence === until) return
    }
  }
  hashAt(sequence: number): Promise<Uint8Array | null> {
    const { disk, directory } = this.options
    return hashAt(disk, directory, sequence)
  }
  async close(): Promise<void> {
    await this.commit.close()
    await this.file.close()
    this.lock.release()
  }

  private async write(payloads: readonly Uint8Array[]): Promise<number> {
    if (!this.lock.isHeld()) {
      const detail = `the lock of ${this.options.directory} is gone: somebody has taken it away`
      throw new JournalError('JournalMustBeOwn', detail)
    }
    if (this.end >= this.options.segmentBytes) await this.rotate()
    const first = this.last.sequence + 1
    const frames: Uint8Array[] = []
    let head = this.last
    for (const payload of payloads) {
      const sequence = head.sequence + 1
      const place = placeOf(this.identityBytes, head.hash, sequence)
      const { bytes, hash } = encodeFrame(
        head.hash,
        sequence,
        this.options.sealer.seal(payload, place),
      )
      frames.push(bytes)
      head = { sequence, hash }
    }
    const bytes = Buffer.concat(frames)
    try {
      await this.file.write(bytes, this.end)
    } catch (error) {
      await this.repair(error)
    }
    try {
      await this.file.sync()
    } catch (error) {
      // What the disk holds now is unknown, and a second sync would not tell.
      await this.file.truncate(this.end).catch(() => {})
      throw new JournalError('JournalMustBeWritable', 'the disk could not sync', error)
    }
    this.last = head
    this.end += bytes.length
    return first
  }

  /** Takes away what a failed write has left; then a full disk is no more than that. */
  private async repair(error: unknown): Promise<never> {
    try {
      await this.file.truncate(this.end)
      await this.file.sync()
    } catch (second) {
      throw new JournalError('JournalMustBeWritable', 'the disk could not be repaired', second)
    }
    throw isFull(error)
      ? noRoom(error)
      : new JournalError('JournalMustBeWritable', String(error), error)
  }

  private async rotate(): Promise<void> {
    const { disk, directory } = this.options
    let segment: string
    try {
      segment = await makeSegment(this.options, this.identityBytes, this.last)
    } catch (error) {
      // Without a new segment the old one is as good as before.
      throw isFull(error) ? noRoom(error) : error
    }
    const next = await disk.open(join(directory, segment))
    await this.file.close()
    this.file = next
    this.end = SEGMENT_HEADER_BYTES
  }
}

function noRoom(cause: unknown): JournalError {
  return new JournalError('JournalMustHaveRoom', 'the disk is full: nothing was recorded', cause)
}

/** A segment gets its name when its header is durable, so that none is ever seen without one. */
async function makeSegment(
  { disk, directory, sealer }: Pick<FileJournalOptions, 'directory' | 'sealer'> & { disk: Disk },
  identity: Uint8Array,
  head: Head,
): Promise<string> {
  const firstSequence = head.sequence + 1
  const name = segmentName(firstSequence)
  const draft = join(directory, `${name}.new`)
  const header = { identity, keyId: sealer.keyId, firstSequence, hashBefore: head.hash }
  await disk.remove(draft)
  const file = await disk.open(draft)
  try {
    await file.write(encodeSegmentHeader(header), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(draft, join(directory, name))
  try {
    await disk.syncDirectory(directory)
  } catch (error) {
    // The new name may be there or not: going on in the old segment could fork the chain.
    throw new JournalError('JournalMustBeWritable', 'the directory could not sync', error)
  }
  return name
}

async function lastOf(frames: AsyncGenerator<unknown, Tail>): Promise<Tail> {
  for (;;) {
    const next = await frames.next()
    if (next.done === true) return next.value
  }
}
