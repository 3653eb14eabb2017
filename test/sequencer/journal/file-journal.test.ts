/** The journal in a directory, on a disk that tears, fills up and forgets. */
import { describe, expect, it } from 'vitest'
import { FileJournal, readEntries } from '../../../sequencer/journal/file-journal.ts'
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../../sequencer/journal/frame.ts'
import {
  JournalError,
  RECORD_BYTES_UPPER_BOUND,
  type Journal,
} from '../../../sequencer/journal/journal.ts'
import { SEAL_BYTES, sealerOf, UNSEALED } from '../../../sequencer/journal/seal.ts'
import { segmentName } from '../../../sequencer/journal/segments.ts'
import { MemoryDisk } from './memory-disk.ts'

const KEY = new Uint8Array(32).fill(1)
const sealer = sealerOf(KEY)
const FIRST = segmentName(1)
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8')
const open = (disk: MemoryDisk, more: { segmentBytes?: number } = {}): Promise<FileJournal> =>
  FileJournal.open({ directory: 'journal', sealer, disk, ...more })
async function textsOf(journal: Pick<Journal, 'entries'>): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const { sequence, payload } of journal.entries()) {
    texts.push(Buffer.from(payload).toString('utf8'))
    expect(sequence).toBe(texts.length)
  }
  return texts
}
async function ruleOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof JournalError)) throw new Error(`no JournalError: ${String(error)}`)
  return error.rule
}
/** A journal with the given records, one group each, closed. */
async function written(texts: readonly string[], segmentBytes?: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const journal = await open(disk, segmentBytes === undefined ? {} : { segmentBytes })
  for (const text of texts) await journal.append(bytes(text))
  await journal.close()
  return disk
}
const frameBytes = (text: string): number => FRAME_HEADER_BYTES + SEAL_BYTES + text.length

describe('the journal in a directory', () => {
  it('gives back what was appended, in order, after closing and opening', async () => {
    const disk = await written(['a', 'bb', 'ccc'])
    const journal = await open(disk)
    expect(await textsOf(journal)).toEqual(['a', 'bb', 'ccc'])
    expect(await journal.append(bytes('dddd'))).toBe(4)
    expect(await textsOf(journal)).toEqual(['a', 'bb', 'ccc', 'dddd'])
    await journal.close()
    expect(await textsOf(await open(disk))).toEqual(['a', 'bb', 'ccc', 'dddd'])
  })

  it('makes all who wait durable with one sync, and answers in their order', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    let syncs = 0
    disk.before = (operation) => void (syncs += operation === 'sync' ? 1 : 0)
    const answered: number[] = []
    const all = Array.from({ length: 50 }, (_, i) =>
      journal.append(bytes(`r${i}`)).then((sequence) => answered.push(sequence)),
    )
    await Promise.all(all)
    expect(syncs).toBe(1)
    expect(answered).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  })

  it('answers nobody before the sync', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    let isSynced = false
    disk.before = (operation) => void (isSynced ||= operation === 'sync')
    await journal.append(bytes('x')).then(() => expect(isSynced).toBe(true))
    disk.crash()
    disk.before = () => {}
    expect(await textsOf(await open(disk))).toEqual(['x'])
  })

  it('goes on in new segments, which continue one chain', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => `record ${i}`)
    const disk = await written(texts, SEGMENT_HEADER_BYTES + 2 * frameBytes('record 0'))
    expect(disk.files().length).toBeGreaterThan(5)
    const journal = await open(disk)
    expect(await textsOf(journal)).toEqual(texts)
    expect(journal.head.sequence).toBe(20)
    const later: number[] = []
    for await (const { sequence } of journal.entries(17)) later.push(sequence)
    expect(later).toEqual([18, 19, 20])
  })

  it.each([0, RECORD_BYTES_UPPER_BOUND])('refuses a record of %d bytes', async (length) => {
    const journal = await open(new MemoryDisk())
    expect(await ruleOf(journal.append(new Uint8Array(length)))).toBe('RecordMustFit')
    expect(await journal.append(bytes('fits'))).toBe(1)
  })
  it('takes a record of the largest size', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    await journal.append(new Uint8Array(RECORD_BYTES_UPPER_BOUND - 1))
    await journal.close()
    expect((await open(disk)).head.sequence).toBe(1)
  })

  it('takes nothing after it was closed, and what waited is there', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    const waiting = journal.append(bytes('last'))
    await journal.close()
    expect(await waiting).toBe(1)
    expect(await ruleOf(journal.append(bytes('late')))).toBe('JournalMustBeWritable')
    expect(await textsOf(await open(disk))).toEqual(['last'])
  })
})

it('whole records that a killed process never synced are durable before anybody reads them', async () => {
  const disk = await written(['first'])
  const journal = await open(disk)
  disk.before = (operation) => {
    if (operation === 'sync') throw new Error('killed before the sync')
  }
  // As a process leaves it that is killed between write and sync: the cut never happens either.
  const cut = disk.truncating
  disk.truncating = false
  await journal.append(bytes('second')).catch(() => {})
  disk.truncating = cut
  disk.before = () => {}
  disk.kill()
  const next = await open(disk)
  expect(await textsOf(next)).toEqual(['first', 'second'])
  // Power is lost now, and nothing was appended in between.
  disk.crash()
  expect(await textsOf(await open(disk))).toEqual(['first', 'second'])
})

describe('a torn end', () => {
  const TEXTS = ['first', 'second', 'the last record']
  const start = SEGMENT_HEADER_BYTES + frameBytes('first') + frameBytes('second')
  const length = start + frameBytes('the last record')

  it('is cut at every byte of the last record, and appending goes on', async () => {
    for (let end = start; end < length; end++) {
      const disk = await written(TEXTS)
      expect(disk.bytesOf(FIRST).length).toBe(length)
      disk.change(FIRST, (all) => all.subarray(0, end))
      const journal = await open(disk)
      expect(await journal.append(bytes('again'))).toBe(3)
      expect(await textsOf(journal)).toEqual(['first', 'second', 'again'])
      await journal.close()
      expect(await textsOf(await open(disk))).toEqual(['first', 'second', 'again'])
    }
  })

  it('of space that was given and never written is cut, whatever its length', async () => {
    for (const zeros of [1, 11, 12, FRAME_HEADER_BYTES, 511, 512, 4096]) {
      const disk = await written(TEXTS)
      disk.change(FIRST, (all) => Buffer.concat([all, Buffer.alloc(zeros)]))
      expect(await textsOf(await open(disk))).toEqual(TEXTS)
    }
  })

  it('of a record whose later sectors were never written is cut', async () => {
    const long = 'x'.repeat(3000)
    for (const sector of [1, 2, 3, 4, 5]) {
      const disk = await written(['first', long])
      disk.change(FIRST, (all) => all.fill(0, 512 * sector))
      expect(await textsOf(await open(disk))).toEqual(['first'])
    }
  })

  it('of a group keeps its whole records and cuts the rest', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    await journal.append(bytes('kept'))
    disk.before = (operation) => {
      if (operation === 'sync') throw new Error('the power is gone')
    }
    const group = ['g1', 'g2', 'g3'].map((text) => ruleOf(journal.append(bytes(text))))
    expect(await Promise.all(group)).toEqual(Array(3).fill('JournalMustBeWritable'))
    disk.before = () => {}
    for (let kept = 0; kept <= 3 * frameBytes('g1'); kept++) {
      const again = new MemoryDisk()
      const second = await open(again)
      await second.append(bytes('kept'))
      again.before = (operation) => {
        if (operation === 'sync' || operation === 'truncate') throw new Error('the power is gone')
      }
      await Promise.allSettled(['g1', 'g2', 'g3'].map((text) => second.append(bytes(text))))
      again.before = () => {}
      again.crash(() => kept)
      const whole = Math.floor(kept / frameBytes('g1'))
      const expected = ['kept', 'g1', 'g2', 'g3'].slice(0, 1 + whole)
      expect(await textsOf(await open(again))).toEqual(expected)
    }
  })
})

describe('damage', () => {
  it('of any byte of any record but the end is refused by name and place, and nothing is changed', async () => {
    const pristine = await written(['first', 'second', 'third'])
    const size = pristine.bytesOf(FIRST).length
    for (let at = 0; at < size; at++) {
      const disk = await written(['first', 'second', 'third'])
      disk.change(FIRST, (all) => {
        all[at] = (all[at] as number) ^ 1
        return all
      })
      const before = Buffer.from(disk.bytesOf(FIRST))
      expect(['JournalMustBeWhole', 'JournalMustBeKnown']).toContain(await ruleOf(open(disk)))
      expect(disk.bytesOf(FIRST).equals(before)).toBe(true)
    }
  })

  it('names the file and the offset of the frame', async () => {
    const disk = await written(['first', 'second', 'third'])
    const offset = SEGMENT_HEADER_BYTES + frameBytes('first')
    disk.change(FIRST, (all) => {
      // Turned, not set: what is drawn may have any value already.
      const at = offset + FRAME_HEADER_BYTES + 20
      all[at] = (all[at] as number) ^ 1
      return all
    })
    await expect(open(disk)).rejects.toThrow(`journal/${FIRST}: the hash of record 2`)
    await expect(open(disk)).rejects.toThrow(`offset ${offset}); records up to 1`)
  })

  it('in front of zeros at the end is no torn end', async () => {
    const disk = await written(['first', 'second', 'third'])
    disk.change(FIRST, (all) => {
      all[SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES] = 7
      return Buffer.concat([all, Buffer.alloc(4096)])
    })
    expect(await ruleOf(open(disk))).toBe('JournalMustBeWhole')
  })

  it('is a record taken out, put twice, or exchanged', async () => {
    const frames = (all: Buffer): readonly [Buffer, Buffer, Buffer, Buffer] => {
      const [a, b] = [SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + frameBytes('one')]
      return [
        all.subarray(0, a),
        all.subarray(a, b),
        all.subarray(b, 2 * b - a),
        all.subarray(2 * b - a),
      ]
    }
    const changes: readonly ((all: Buffer) => readonly Buffer[])[] = [
      (all) => [frames(all)[0], frames(all)[2], frames(all)[3]],
      (all) => [frames(all)[0], frames(all)[1], frames(all)[1], frames(all)[2], frames(all)[3]],
      (all) => [frames(all)[0], frames(all)[2], frames(all)[1], frames(all)[3]],
    ]
    for (const change of changes) {
      const disk = await written(['one', 'two', 'six'])
      disk.change(FIRST, (all) => Buffer.concat(change(all)))
      expect(await ruleOf(open(disk))).toBe('JournalMustBeWhole')
    }
  })

  it('is a segment that is missing, cut short or of another journal', async () => {
    const texts = Array.from({ length: 9 }, (_, i) => `record ${i}`)
    const small = SEGMENT_HEADER_BYTES + 2 * frameBytes('record 0')
    const middle = segmentName(3)
    const missing = await written(texts, small)
    await missing.remove(`journal/${middle}`)
    expect(await ruleOf(open(missing))).toBe('JournalMustBeWhole')
    const cut = await written(texts, small)
    cut.change(middle, (all) => all.subarray(0, all.length - 1))
    expect(await ruleOf(open(cut))).toBe('JournalMustBeWhole')
    const [foreign, other] = [await written(texts, small), await written(texts, small)]
    foreign.change(middle, () => Buffer.from(other.bytesOf(middle)))
    expect(await ruleOf(open(foreign))).toBe('JournalMustBeWhole')
    const headless = await written(texts, small)
    await headless.remove(`journal/${FIRST}`)
    expect(await ruleOf(open(headless))).toBe('JournalMustBeWhole')
  })

  it('by whoever can compute hashes, and has no key, is seen', async () => {
    // All hashes are right, since the chain is made anew; the seal is bound to its place.
    const { encodeFrame, framesOf, decodeSegmentHeader } =
      await import('../../../sequencer/journal/frame.ts')
    const disk = await written(['one', 'two', 'six'])
    disk.change(FIRST, (all) => {
      const header = decodeSegmentHeader(FIRST, all)
      const sealed = [...framesOf(all, header)].map((frame) => frame.sealed)
      let before: Uint8Array = header.hashBefore
      const frames = [sealed[1], sealed[0], sealed[2]].map((body, i) => {
        const frame = encodeFrame(before, i + 1, body as Buffer)
        before = frame.hash
        return frame.bytes
      })
      return Buffer.concat([all.subarray(0, SEGMENT_HEADER_BYTES), ...frames])
    })
    expect(await ruleOf(textsOf(await open(disk)))).toBe('JournalMustBeWhole')
  })
})

describe('a full disk', () => {
  it('refuses the record, acknowledges nothing, and goes on when there is room', async () => {
    // Every amount of room that is too little for the record.
    for (let room = 0; room < frameBytes('too much'); room += 7) {
      const disk = new MemoryDisk()
      const journal = await open(disk)
      await journal.append(bytes('before'))
      disk.room = disk.bytesOf(FIRST).length + room
      expect(await ruleOf(journal.append(bytes('too much')))).toBe('JournalMustHaveRoom')
      expect(await ruleOf(journal.append(bytes('too much')))).toBe('JournalMustHaveRoom')
      disk.room = Infinity
      expect(await journal.append(bytes('after'))).toBe(2)
      disk.crash()
      expect(await textsOf(await open(disk))).toEqual(['before', 'after'])
    }
  })

  it('at the turn of a segment leaves the old one as it is', async () => {
    const disk = new MemoryDisk()
    const journal = await open(disk, { segmentBytes: SEGMENT_HEADER_BYTES + 1 })
    await journal.append(bytes('before'))
    for (const room of [0, 50, SEGMENT_HEADER_BYTES]) {
      disk.room = disk.files().reduce((sum, name) => sum + disk.bytesOf(name).length, 0) + room
      expect(await ruleOf(journal.append(bytes('no room')))).toBe('JournalMustHaveRoom')
      disk.room = Infinity
    }
    expect(await journal.append(bytes('after'))).toBe(2)
    await journal.close()
    expect(await textsOf(await open(disk))).toEqual(['before', 'after'])
  })
})

describe('a disk that fails', () => {
  it.each(['write', 'sync'])('at a %s ends the journal if it cannot be repaired', async (name) => {
    const disk = new MemoryDisk()
    const journal = await open(disk)
    await journal.append(bytes('before'))
    disk.before = (operation) => {
      if (operation !== 'open') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    expect(await ruleOf(journal.append(bytes(name)))).toBe('JournalMustBeWritable')
    disk.before = () => {}
    // It may be well again, but nobody knows what it holds.
    expect(await ruleOf(journal.append(bytes('later')))).toBe('JournalMustBeWritable')
    disk.crash()
    expect(await textsOf(await open(disk))).toEqual(['before'])
  })

  it('at any single operation loses nothing that was acknowledged', async () => {
    for (let failing = 0; ; failing++) {
      const disk = new MemoryDisk()
      const acknowledged: string[] = []
      let count = 0
      disk.before = (operation) => {
        if (count++ === failing) throw Object.assign(new Error(operation), { code: 'EIO' })
      }
      const run = async (): Promise<void> => {
        const journal = await open(disk, { segmentBytes: SEGMENT_HEADER_BYTES + frameBytes('r0') })
        for (let i = 0; i < 4; i++) {
          await journal.append(bytes(`r${i}`))
          acknowledged.push(`r${i}`)
        }
      }
      const hasFailed = await run().then(
        () => false,
        () => true,
      )
      disk.before = () => {}
      disk.crash()
      const texts = await textsOf(await open(disk))
      expect(texts.slice(0, acknowledged.length)).toEqual(acknowledged)
      expect(texts.length).toBeLessThanOrEqual(acknowledged.length + 1)
      if (!hasFailed) break
      expect(failing).toBeLessThan(100)
    }
  })
})

describe('the key', () => {
  it('that is another is refused before a record is read', async () => {
    const disk = await written(['first'])
    const other = sealerOf(new Uint8Array(32).fill(2))
    const rule = ruleOf(FileJournal.open({ directory: 'journal', sealer: other, disk }))
    expect(await rule).toBe('JournalKeyMustMatch')
    const none = ruleOf(FileJournal.open({ directory: 'journal', sealer: UNSEALED, disk }))
    expect(await none).toBe('JournalKeyMustMatch')
    const read = readEntries(disk, 'journal', other).next()
    expect(await ruleOf(read)).toBe('JournalKeyMustMatch')
  })

  it('keeps a canary out of every file', async () => {
    const canary = 'CANARY-8f1d2c'
    const disk = await written(['first', canary, 'third'], SEGMENT_HEADER_BYTES + 1)
    for (const name of disk.files()) {
      expect(name).not.toContain(canary)
      expect(disk.bytesOf(name).includes(canary)).toBe(false)
    }
    // The same text twice does not look the same twice.
    const twice = await written([canary, canary])
    const all = twice.bytesOf(FIRST)
    const at = SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES
    const body = all.subarray(at, at + SEAL_BYTES + canary.length)
    expect(all.indexOf(body.subarray(SEAL_BYTES), at + body.length)).toBe(-1)
  })

  it('is not asked for where the operator says so', async () => {
    const disk = new MemoryDisk()
    const options = { directory: 'journal', sealer: UNSEALED, disk }
    const journal = await FileJournal.open(options)
    await journal.append(bytes('plain'))
    await journal.close()
    const again = await FileJournal.open(options)
    expect(await textsOf(again)).toEqual(['plain'])
    await again.close()
    expect(await ruleOf(open(disk))).toBe('JournalKeyMustMatch')
  })
})
