/** A snapshot is believed where it fits, and nowhere else; whatever is done to it, the state is the same. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import { appliedOf, replay, replayInto, stateText } from '../../../sequencer/journal/replay.ts'
import { walk } from '../../../sequencer/journal/segments.ts'
import { sealerOf, UNSEALED } from '../../../sequencer/journal/seal.ts'
import {
  encodeSnapshot,
  HEADER_BYTES,
  openSnapshot,
  originOf,
} from '../../../sequencer/snapshot/file.ts'
import { resume } from '../../../sequencer/snapshot/resume.ts'
import { differenceOf } from '../../../sequencer/snapshot/same.ts'
import { dumpState } from '../../../sequencer/snapshot/state.ts'
import {
  judgeSnapshots,
  nameOf,
  newestSnapshot,
  pruneSnapshots,
  writeSnapshot,
  type Store,
} from '../../../sequencer/snapshot/store.ts'
import { wholeDay } from '../journal/day.ts'
import { MemoryDisk } from '../journal/memory-disk.ts'

const KEY = new Uint8Array(32).fill(1)
const sealer = sealerOf(KEY)
const directory = '/snapshots'
/** Payloads of a whole day: each test makes its own journal of them. */
let payloads: readonly Uint8Array[]
let texts: readonly string[]
let disk: MemoryDisk
let store: Store

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const memory = new MemoryJournal()
  await wholeDay(memory, 3, 15)
  payloads = memory.payloads
  const all: string[] = []
  await replay(memory.entries(), (_record, _sequence, core) => void all.push(stateText(core)))
  texts = all
})
afterAll(() => {
  vi.useRealTimers()
})
beforeEach(() => {
  disk = new MemoryDisk()
  store = { disk, directory, sealer }
})

type Options = { readonly key?: Uint8Array; readonly on?: MemoryDisk }
/** A journal of the first so many records. */
async function journalOf(count: number, { key = KEY, on = new MemoryDisk() }: Options = {}) {
  const journal = await FileJournal.open({
    directory: '/journal',
    sealer: sealerOf(key),
    disk: on,
    segmentBytes: 5_000,
  })
  await addTo(journal, count)
  return journal
}
async function addTo(journal: FileJournal, count: number): Promise<void> {
  for (let i = journal.head.sequence; i < count; i++)
    await journal.append(payloads[i] as Uint8Array)
}
/** What a start makes of the journal and of what lies there; the state must be right whatever that is. */
async function started(journal: FileJournal, from: Store = store) {
  const said: string[] = []
  const warned: string[] = []
  const log = { info: (line: string) => said.push(line), warn: (line: string) => warned.push(line) }
  const core = await resume(journal, from, log)
  const saved = core === null ? 0 : appliedOf(core)
  const done = core ?? (await replay(journal.entries(), undefined, undefined, true)).core
  await replayInto(done, journal)
  expect(appliedOf(done)).toBe(journal.head.sequence)
  expect(stateText(done)).toBe(texts[journal.head.sequence - 1])
  return { core: done, saved, said: said.join('\n'), warned: warned.join('\n') }
}
/** As the command does it. */
async function taken(journal: FileJournal, into: Store = store): Promise<string> {
  const { loaded, judged } = await newestSnapshot(journal, into)
  const core = loaded?.core ?? (await replay(journal.entries(), undefined, undefined, true)).core
  await replayInto(core, journal)
  const sequence = appliedOf(core)
  const { file } = await writeSnapshot(journal, into, { core, sequence })
  await pruneSnapshots(journal, into, sequence, judged)
  return file
}
const lying = (): readonly string[] => disk.files().filter((file) => file.startsWith(directory))
const [EARLY, LATE] = [40, 60]

describe('a snapshot that fits', () => {
  it('is what a start begins with, and the records behind it are applied', async () => {
    const journal = await journalOf(EARLY)
    expect((await started(journal)).saved).toBe(0)
    const file = await taken(journal)
    const first = await started(journal)
    expect([first.saved, first.warned]).toEqual([EARLY, ''])
    expect(first.said).toContain(
      `${EARLY} records need not be applied: their state is that of ${file}`,
    )
    await addTo(journal, payloads.length)
    const { saved, core } = await started(journal)
    expect(saved).toBe(EARLY)
    const { core: straight } = await replay(journal.entries(), undefined, undefined, true)
    expect(differenceOf(straight, core, false)).toBeNull()
  })

  it('of every tenth record leads to the same state and the same roots', async () => {
    const journal = await journalOf(1)
    for (let count = 10; count <= payloads.length; count += 10) {
      await addTo(journal, count)
      await taken(journal)
      expect((await started(journal)).saved).toBe(count)
    }
  })

  it('is found by a journal that is opened again, whose records stand in many segments', async () => {
    const on = new MemoryDisk()
    const journal = await journalOf(EARLY, { on })
    await taken(journal)
    await addTo(journal, payloads.length)
    await journal.close()
    expect(on.files().filter((file) => file.endsWith('.segment')).length).toBeGreaterThan(3)
    expect((await started(await journalOf(payloads.length, { on }))).saved).toBe(EARLY)
  })

  it('of a journal whose records before it are damaged does not hide that', async () => {
    const on = new MemoryDisk()
    const journal = await journalOf(payloads.length, { on })
    await taken(journal)
    await journal.close()
    on.change('journal-0000000000000001.segment', (bytes) => {
      bytes[1000] = (bytes[1000] as number) ^ 1
      return bytes
    })
    await expect(journalOf(payloads.length, { on })).rejects.toThrow('JournalMustBeWhole')
  })

  it('is held against the hash of its record, wherever that stands, and followed by the next', async () => {
    const on = new MemoryDisk()
    const journal = await journalOf(payloads.length, { on })
    const hashes: string[] = []
    for await (const { hash } of walk(on, '/journal'))
      hashes.push(Buffer.from(hash).toString('hex'))
    expect(hashes).toHaveLength(payloads.length)
    for (const [i, hash] of hashes.entries()) {
      expect(Buffer.from((await journal.hashAt(i + 1)) as Uint8Array).toString('hex')).toBe(hash)
      const behind: number[] = []
      for await (const { sequence, payload } of journal.entries(i)) {
        expect(Buffer.from(payload).equals(payloads[sequence - 1] as Uint8Array)).toBe(true)
        behind.push(sequence)
        if (behind.length === 3) break
      }
      expect(behind).toEqual([i + 1, i + 2, i + 3].filter((n) => n <= payloads.length))
    }
    expect(await journal.hashAt(payloads.length + 1)).toBeNull()
    expect(Buffer.from(journal.head.hash).toString('hex')).toBe(hashes.at(-1))
  })

  it('is the newest of them; of this program the last two are kept, of others the newest', async () => {
    const journal = await journalOf(10)
    const other = { ...store, program: new Uint8Array(32).fill(7) }
    for (const [count, into] of [
      [10, store],
      [12, other],
      [20, store],
      [25, other],
      [30, store],
      [EARLY, store],
    ] as const) {
      await addTo(journal, count)
      await taken(journal, into)
    }
    const numbers = lying().map((file) => Number(file.split('-')[1]))
    expect(numbers.sort((a, b) => a - b)).toEqual([25, 30, EARLY])
    expect((await started(journal)).saved).toBe(EARLY)
    expect((await started(journal, other)).saved).toBe(25)
  })

  it('takes the place of the one before it when that is damaged later', async () => {
    const journal = await journalOf(30)
    await taken(journal)
    await addTo(journal, EARLY)
    const last = await taken(journal)
    disk.change(last, (bytes) => bytes.subarray(0, bytes.length - 1))
    const { saved, warned } = await started(journal)
    expect(saved).toBe(30)
    expect(warned).toContain(`${last} is not used: it is damaged`)
  })

  it('may be removed at any time', async () => {
    const journal = await journalOf(EARLY)
    await disk.remove(await taken(journal))
    expect((await started(journal)).saved).toBe(0)
  })
})

describe('a snapshot is not believed', () => {
  /** Of the journal, and what is then done to it. */
  async function changed(change: (bytes: Buffer) => Buffer, why: RegExp): Promise<void> {
    const journal = await journalOf(EARLY)
    const file = await taken(journal)
    disk.change(file, change)
    const { saved, warned, said } = await started(journal)
    expect([saved, `${warned}\n${said}`]).toEqual([0, expect.stringMatching(why)])
  }

  it('wherever it was cut', async () => {
    const journal = await journalOf(EARLY)
    const file = await taken(journal)
    const whole = Buffer.from(disk.bytesOf(file))
    const ends = new Set([0, 1, 7, 8, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1])
    for (let i = 0; i < 40; i++) ends.add(Math.floor((i * whole.length) / 40))
    for (let i = 1; i <= 20; i++) ends.add(whole.length - i)
    for (const end of ends) {
      disk.change(file, () => whole.subarray(0, end))
      const { loaded, judged } = await newestSnapshot(journal, store)
      expect([end, loaded, judged[0]?.unfit?.isAlarming]).toEqual([end, null, true])
    }
    disk.change(file, () => Buffer.concat([whole, Buffer.from([0])]))
    expect((await started(journal)).saved).toBe(0)
    disk.change(file, () => whole)
    expect((await started(journal)).saved).toBe(EARLY)
  })

  it('whichever bit was changed', async () => {
    const journal = await journalOf(EARLY)
    const file = await taken(journal)
    const whole = Buffer.from(disk.bytesOf(file))
    const step = Math.ceil(whole.length / 300)
    const places = Array.from({ length: 300 }, (_, i) => i * step)
    for (const place of [...Array.from({ length: HEADER_BYTES + 40 }, (_, i) => i), ...places]) {
      if (place >= whole.length) continue
      disk.change(file, () => {
        const bytes = Buffer.from(whole)
        bytes[place] = (bytes[place] as number) ^ (1 << (place % 8))
        return bytes
      })
      const { loaded } = await newestSnapshot(journal, store)
      expect([place, loaded]).toEqual([place, null])
    }
  })

  it('under another key', async () => {
    const journal = await journalOf(EARLY)
    await taken(journal)
    const other = sealerOf(new Uint8Array(32).fill(2))
    const { saved, warned } = await started(journal, { ...store, sealer: other })
    expect([saved, warned]).toEqual([0, expect.stringContaining('sealed with another key')])
    // Nor where the key's name was put right.
    const [file] = lying() as [string]
    disk.change(file, (bytes) => {
      bytes.set(other.keyId, 32)
      return bytes
    })
    const again = await started(journal, { ...store, sealer: other })
    expect([again.saved, again.warned]).toEqual([0, expect.stringContaining('it is damaged')])
  })

  it('of another journal with the same records, whatever its name says', async () => {
    const one = await journalOf(EARLY)
    const file = await taken(one)
    const other = await journalOf(EARLY)
    expect((await started(other)).saved).toBe(0)
    const named = file.replace(one.identity.slice(0, 16), other.identity.slice(0, 16))
    await disk.rename(file, named)
    const { saved, warned } = await started(other)
    expect([saved, warned]).toEqual([0, expect.stringContaining('it is of another journal')])
    // And with a header that says that it is of this one.
    disk.change(named, (bytes) => {
      bytes.write(other.identity, 16, 16, 'hex')
      bytes.set(other.head.hash, 48)
      return bytes
    })
    expect((await started(other)).warned).toContain('it is damaged, or was put in the place')
  })

  it('of another record than its name or its header says', async () => {
    const journal = await journalOf(EARLY)
    const file = await taken(journal)
    await addTo(journal, LATE)
    const moved = file.replace('0000000040', '0000000060')
    await disk.rename(file, moved)
    const { saved, warned } = await started(journal)
    expect([saved, warned]).toEqual([0, expect.stringContaining('the name of another record')])
    const hash = (await journal.hashAt(LATE)) as Uint8Array
    disk.change(moved, (bytes) => {
      bytes.writeBigUInt64BE(BigInt(LATE), 40)
      bytes.set(hash, 48)
      return bytes
    })
    expect((await started(journal)).warned).toContain('it is damaged, or was put in the place')
  })

  it('ahead of its journal, which is an older copy', async () => {
    const on = new MemoryDisk()
    const journal = await journalOf(EARLY, { on })
    const copy = new Map(on.files().map((file) => [file, Buffer.from(on.bytesOf(file))]))
    await addTo(journal, LATE)
    await taken(journal)
    await journal.close()
    // The backup is put back, and goes on in another way.
    for (const file of on.files()) await on.remove(file)
    for (const [file, bytes] of copy)
      if (file.endsWith('.segment')) await (await on.open(file)).write(bytes, 0)
    const restored = await journalOf(EARLY, { on })
    const behind = await started(restored)
    expect([behind.saved, behind.warned]).toEqual([
      0,
      expect.stringContaining(`of record ${LATE}, which the journal does not have: it was cut`),
    ])
    await addTo(restored, LATE)
    const forked = await started(restored)
    expect([forked.saved, forked.warned]).toEqual([
      0,
      expect.stringContaining(`another record ${LATE}: one of them is of a fork`),
    ])
    // It stays for whoever looks, and stands in nobody's way.
    await addTo(restored, LATE + 1)
    await taken(restored)
    expect(lying()).toHaveLength(2)
    expect((await started(restored)).saved).toBe(LATE + 1)
    const judged = await judgeSnapshots(restored, store)
    expect(judged.map(({ unfit }) => unfit?.isAlarming ?? false)).toEqual([false, true])
  })

  it('of another build of the program', async () => {
    const journal = await journalOf(EARLY)
    await taken(journal, { ...store, program: new Uint8Array(32).fill(7) })
    const { saved, warned, said } = await started(journal)
    expect([saved, warned]).toEqual([0, ''])
    expect(said).toContain('another version of the program has made it')
  })

  it('of another build that says that it is of this one', async () => {
    const journal = await journalOf(EARLY)
    const old = { ...store, program: new Uint8Array(32).fill(7) }
    const file = await taken(journal, old)
    const { program } = originOf(Buffer.from(disk.bytesOf(await taken(journal))))
    const mine = nameOf({
      identity: journal.identity,
      sequence: EARLY,
      program,
      hash: journal.head.hash,
    })
    await disk.rename(file, `${directory}/${mine}`)
    disk.change(mine, (bytes) => {
      bytes.set(program, 80)
      return bytes
    })
    const { saved, warned } = await started(journal)
    expect([saved, warned]).toEqual([0, expect.stringContaining('it is damaged')])
  })

  it('of a format that is not known, or that is no snapshot at all', async () => {
    await changed((bytes) => (bytes.writeUInt32BE(2, 8), bytes), /it has format 2/)
    disk = new MemoryDisk()
    store = { disk, directory, sealer }
    await changed(() => Buffer.from('{"not": "a snapshot"}'), /does not begin as a snapshot does/)
  })

  it('with a state of other accounts than its last batch, sealed as it should be', async () => {
    const journal = await journalOf(payloads.length)
    const { core } = await replay(journal.entries(), undefined, undefined, true)
    core.ledger.tree.set(500, 1n)
    await writeSnapshot(journal, store, { core, sequence: payloads.length })
    const { saved, warned } = await started(journal)
    expect([saved, warned]).toEqual([0, expect.stringContaining('are not those of its last batch')])
  })

  it('of bytes that no state has, sealed as they should be', async () => {
    const journal = await journalOf(EARLY)
    const file = await taken(journal)
    const origin = originOf(Buffer.from(disk.bytesOf(file)))
    for (const state of [
      Buffer.alloc(0),
      Buffer.from('x'),
      dumpState((await started(journal)).core).subarray(0, 5000),
    ]) {
      disk.change(file, () => encodeSnapshot(origin, state, sealer))
      const { saved, warned } = await started(journal)
      expect([saved, warned]).toEqual([0, expect.stringContaining('it cannot be read')])
    }
  })

  it('of a journal that is kept without a key', async () => {
    const open = { ...store, sealer: UNSEALED }
    const journal = await journalOf(EARLY)
    await taken(journal)
    const { core } = await started(journal)
    const writing = writeSnapshot(journal, open, { core, sequence: EARLY })
    await expect(writing).rejects.toThrow('SnapshotMustBeSealed')
    const { saved, said } = await started(journal, open)
    expect([saved, said]).toEqual([0, expect.stringContaining('the journal is not sealed')])
  })
})

it('what is sealed is sealed: neither names nor numbers of the state are in the file', async () => {
  const journal = await journalOf(EARLY)
  const bytes = Buffer.from(disk.bytesOf(await taken(journal)))
  const state = openSnapshot(bytes, sealer)
  expect(state.includes('viewKeys')).toBe(true)
  for (const word of ['viewKeys', 'ledger', 'balances', 'proposer'])
    expect(bytes.includes(word)).toBe(false)
  expect(bytes.length).toBeLessThan(state.length / 2)
})
