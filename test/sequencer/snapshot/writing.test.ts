/** Whatever happens while a snapshot is written: it is whole or not there, and the one before it is. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Chain } from '../../../sequencer/journal/journal.ts'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import { openJournal, openReader } from '../../../sequencer/journal/open.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { bring } from '../../../sequencer/snapshot/command.ts'
import { storeOf } from '../../../sequencer/snapshot/resume.ts'
import {
  judgeSnapshots,
  pruneSnapshots,
  writeSnapshot,
  type Store,
} from '../../../sequencer/snapshot/store.ts'
import { replay } from '../../../sequencer/journal/replay.ts'
import { wholeDay } from '../journal/day.ts'
import { MemoryDisk } from '../journal/memory-disk.ts'

const KEY = '01'.repeat(32)
const CHILD = join(import.meta.dirname, 'child.ts')
const sealer = sealerOf(Buffer.from(KEY, 'hex'))
let payloads: readonly Uint8Array[]
let folder: string

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const memory = new MemoryJournal()
  await wholeDay(memory, 3, 5)
  vi.useRealTimers()
  payloads = memory.payloads
  folder = mkdtempSync(join(tmpdir(), 'cloister-snapshot-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function fill(journal: FileJournal | Awaited<ReturnType<typeof openJournal>>, upTo: number) {
  const from = journal.head.sequence
  await Promise.all(payloads.slice(from, upTo).map((payload) => journal.append(payload)))
}
const [FIRST, SECOND, LATE] = [30, 45, 50]
const fitting = async (chain: Chain, store: Store): Promise<readonly number[]> =>
  (await judgeSnapshots(chain, store)).flatMap(({ sequence, unfit }) =>
    unfit === null ? [sequence] : [-sequence],
  )

describe('on a disk that fails', () => {
  async function onDisk() {
    const journal = await FileJournal.open({
      directory: '/journal',
      sealer,
      disk: new MemoryDisk(),
    })
    const disk = new MemoryDisk()
    const store = { disk, directory: '/snapshots', sealer }
    await fill(journal, FIRST)
    await bring(journal, store)
    await fill(journal, SECOND)
    return { journal, disk, store }
  }

  it('at any step, nothing half is left under its name, and the one before it stays', async () => {
    const steps: string[] = []
    const dry = await onDisk()
    dry.disk.before = (operation) => void steps.push(operation)
    await bring(dry.journal, dry.store)
    expect(steps).toEqual(['open', 'write', 'sync', 'rename', 'syncDirectory'])
    for (const [at, step] of steps.entries()) {
      const { journal, disk, store } = await onDisk()
      let taken = 0
      disk.before = () => {
        if (taken++ === at) throw Object.assign(new Error('EIO: the disk failed'), { code: 'EIO' })
      }
      await expect(bring(journal, store), step).rejects.toThrow('SnapshotMustBeWritten')
      disk.before = () => {}
      const whole = await fitting(journal, store)
      expect([step, whole]).toEqual([step, step === 'syncDirectory' ? [SECOND, FIRST] : [FIRST]])
      expect(disk.files().filter((file) => file.endsWith('.new'))).toEqual([])
      // And the power goes: what had no sync is gone, and what is there fits.
      disk.crash()
      expect(await fitting(journal, store)).toEqual([FIRST])
      await bring(journal, store)
      expect(await fitting(journal, store)).toEqual([SECOND, FIRST])
    }
  })

  it('that is full, says so, and takes it when there is room', async () => {
    const { journal, disk, store } = await onDisk()
    disk.room = 5_000
    await expect(bring(journal, store)).rejects.toThrow(/SnapshotMustBeWritten.*ENOSPC/)
    expect(await fitting(journal, store)).toEqual([FIRST])
    disk.room = Infinity
    await bring(journal, store)
    expect(await fitting(journal, store)).toEqual([SECOND, FIRST])
  })

  it('by two at once, both are whole, whoever ends first', async () => {
    const { journal, store } = await onDisk()
    const [one, two] = await Promise.all([bring(journal, store), bring(journal, store)])
    expect(one.file).toBe(two.file)
    expect(await fitting(journal, store)).toEqual([SECOND, FIRST])
    // One that comes late takes nothing away from the other.
    await fill(journal, payloads.length)
    await bring(journal, store)
    const prefix = new MemoryJournal()
    prefix.payloads.push(...payloads.slice(0, LATE))
    const { core } = await replay(prefix.entries(), undefined, undefined, true)
    await writeSnapshot(journal, store, { core, sequence: LATE })
    await pruneSnapshots(journal, store, LATE, [])
    expect(await fitting(journal, store)).toEqual([payloads.length, LATE, SECOND])
  })
})

describe('by a process that is killed', () => {
  function run(journal: string, dieAt: number): Promise<{ signal: string | null; out: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, journal, KEY, `${dieAt}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    return new Promise((resolve) => child.on('close', (_code, signal) => resolve({ signal, out })))
  }

  it(
    'at any step of the disk, whole or not there, and the next one goes on',
    { timeout: 900_000 },
    async () => {
      const directory = join(folder, 'journal')
      const configuration = { journal: directory, key: KEY }
      const store = storeOf(configuration) as Store
      const journal = await openJournal(configuration)
      try {
        await fill(journal, FIRST)
        const dry = await run(directory, -1)
        const steps = Number(/steps (\d+)/.exec(dry.out)?.[1])
        expect(steps).toBeGreaterThan(9)
        const reader = await openReader(configuration)
        let [killed, drafts] = [0, 0]
        const every = process.env['CLOISTER_LONG'] === undefined ? 3 : 1
        for (let at = 0; at < steps; at += every) {
          await fill(journal, journal.head.sequence + 1)
          const before = await fitting(reader, store)
          const { signal } = await run(directory, at)
          if (signal === 'SIGKILL') killed++
          const after = await fitting(reader, store)
          const { sequence } = journal.head
          expect([at, after.filter((n) => n < 0)]).toEqual([at, []])
          // The one before it is there still, and the new one is whole if it is.
          expect(after.every((n) => n === sequence || before.includes(n))).toBe(true)
          expect(after.length).toBeGreaterThan(0)
          drafts += readdirSync(store.directory).filter((name) => name.endsWith('.new')).length
        }
        expect(killed).toBeGreaterThan(3)
        expect(drafts).toBeGreaterThan(0)
        for (const name of readdirSync(store.directory)) {
          expect(statSync(join(store.directory, name)).mode & 0o777).toBe(0o600)
          // Of an hour ago.
          if (name.endsWith('.new')) utimesSync(join(store.directory, name), 1, 1)
        }
        const young = join(store.directory, `snapshot-x.${process.pid}-0.new`)
        writeFileSync(young, '')
        await fill(journal, journal.head.sequence + 1)
        await run(directory, -1)
        const left = readdirSync(store.directory).filter((name) => name.endsWith('.new'))
        expect(left.map((name) => join(store.directory, name))).toEqual([young])
        expect((await fitting(reader, store)).length).toBe(2)
        expect(statSync(store.directory).mode & 0o777).toBe(0o700)
      } finally {
        await journal.close()
      }
    },
  )
})
