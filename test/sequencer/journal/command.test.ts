/** cloister journal verify, export and replay, on the journal of a small day. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cloister } from '../../client/command.ts'
import type { Member } from '../../../client/member.ts'
import { openJournal, openReader } from '../../../sequencer/journal/open.ts'
import { stateDigest } from '../../../sequencer/journal/replay.ts'
import { storeOf } from '../../../sequencer/snapshot/resume.ts'
import { loadSnapshot, writeSnapshot, type Store } from '../../../sequencer/snapshot/store.ts'
import { Floor } from '../floor.ts'

let folder: string
let directory: string
let floor: Floor
let records: number
const CANARY = 1_234_567n

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-command-'))
  directory = join(folder, 'journal')
  const journal = await openJournal({ journal: directory })
  const opened = await Floor.open([1_000_000_000, 1_000_000_000], null, journal)
  floor = opened.floor
  const [a, b] = opened.members as [Member, Member]
  await floor.trade(a, b, [{ instrument: 1025, quantity: CANARY, price: 2_000_000n }])
  await floor.batch()
  records = journal.head.sequence
})
afterAll(async () => {
  await floor.close()
  rmSync(folder, { recursive: true, force: true })
})

const json = (out: string): Record<string, unknown> => JSON.parse(out) as Record<string, unknown>

describe('cloister journal', () => {
  it('verifies a journal in use', async () => {
    const { code, out } = await cloister('journal', 'verify', directory)
    expect(code).toBe(0)
    expect(out).toContain(`${records} records, all whole`)
  })

  it('replays it to the roots of L1 and the state of the house', async () => {
    const root = floor.l1.roots.at(-1) as bigint
    const { code, out } = await cloister(
      'journal',
      'replay',
      directory,
      '--root',
      `${root}`,
      '--json',
    )
    expect(code).toBe(0)
    expect(json(out)).toMatchObject({
      ok: true,
      records,
      root: root.toString(),
      state: stateDigest(floor.house.core),
      batches: floor.l1.roots.map((r, i) => ({ number: `${i + 1}`, root: r.toString() })),
    })
    const other = await cloister('journal', 'replay', directory, '--root', '1')
    expect(other.code).toBe(1)
    expect(other.out).toContain('not the root that was expected')
  })

  it('exports records without keys, and with them on demand, for the owner alone', async () => {
    const file = join(folder, 'day.jsonl')
    expect((await cloister('journal', 'export', directory, '--out', file)).code).toBe(0)
    const text = readFileSync(file, 'utf8')
    const lines = text.trim().split('\n').map(json)
    expect(lines.map((line) => line['sequence'])).toEqual(lines.map((_, i) => i + 1))
    expect(lines).toHaveLength(records)
    expect(text).toContain(CANARY.toString())
    expect(text).not.toContain('"viewKey":"7')
    expect(text).toContain('"feeAccountViewKey":"left out"')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    // A file that is there is not written over.
    expect((await cloister('journal', 'export', directory, '--out', file)).code).toBe(2)
    const part = join(folder, 'part.jsonl')
    const range = ['--from', '2', '--to', '3', '--secrets']
    await cloister('journal', 'export', directory, '--out', part, ...range)
    expect(readFileSync(part, 'utf8').trim().split('\n')).toHaveLength(2)
    expect(readFileSync(part, 'utf8')).not.toContain('left out')
  })

  it('finds nothing of the positions in any file of the journal', () => {
    for (const name of readdirSync(directory)) {
      if (name === 'lock') continue
      const bytes = readFileSync(join(directory, name))
      expect(bytes.includes(CANARY.toString())).toBe(false)
      expect(bytes.includes('proposal')).toBe(false)
    }
  })

  it('says what is damaged, and where', async () => {
    const copy = join(folder, 'copy')
    const { cpSync } = await import('node:fs')
    const segment = join(copy, 'journal-0000000000000001.segment')
    cpSync(join(directory, 'journal-0000000000000001.segment'), segment)
    const bytes = readFileSync(segment)
    bytes[1000] = (bytes[1000] as number) ^ 1
    writeFileSync(segment, bytes)
    const key = ['--key-file', `${directory}.key`]
    const { code, out } = await cloister('journal', 'verify', copy, ...key)
    expect(code).toBe(1)
    expect(out).toMatch(/JournalMustBeWhole.*segment: .*\(offset [0-9]+\)/)
    const other = join(folder, 'other.key')
    writeFileSync(other, `${'ab'.repeat(32)}\n`, { mode: 0o600 })
    const wrong = await cloister('journal', 'verify', directory, '--key-file', other, '--json')
    expect(wrong.code).toBe(1)
    expect(json(wrong.out)).toMatchObject({ ok: false, rule: 'JournalKeyMustMatch' })
  })

  it('makes nothing where there is no journal', async () => {
    const nowhere = join(folder, 'nowhere')
    const { code, err } = await cloister('journal', 'verify', nowhere)
    expect([code, err]).toEqual([2, `cloister: there is no directory ${nowhere}\n`])
    expect(existsSync(nowhere)).toBe(false)
    expect(existsSync(`${nowhere}.key`)).toBe(false)
    expect((await cloister('journal', 'verify')).code).toBe(2)
    expect((await cloister('journal', 'replay', directory, '--root', 'x')).code).toBe(2)
    expect((await cloister('journal', 'export', directory)).code).toBe(2)
  })

  it('takes a snapshot, says that it fits, and holds it against the records', async () => {
    const verify = async () => cloister('journal', 'verify', directory, '--json')
    const first = await cloister('journal', 'snapshot', directory, '--json')
    const { file } = json(first.out) as { file: string }
    expect([first.code, json(first.out)]).toMatchObject([
      0,
      { record: records, applied: records, isNew: true, reasons: [] },
    ])
    expect(file.startsWith(`${directory}.snapshots/`)).toBe(true)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file).includes(`${CANARY}`)).toBe(false)
    const twice = await cloister('journal', 'snapshot', directory)
    expect([twice.code, twice.out]).toEqual([0, expect.stringContaining('there is nothing to add')])
    expect(json((await verify()).out)).toMatchObject({
      ok: true,
      snapshots: [{ file, record: records, fits: true }],
    })
    const replayed = await cloister('journal', 'replay', directory, '--json')
    const snapshot = { file, record: records, isSame: true, difference: null }
    expect([replayed.code, json(replayed.out)]).toMatchObject([0, { snapshot }])
    // Elsewhere, and not over what is there.
    const copy = join(folder, 'copy.snapshot')
    expect((await cloister('journal', 'snapshot', directory, '--out', copy)).code).toBe(0)
    expect((await cloister('journal', 'snapshot', directory, '--out', copy)).code).toBe(2)
    const named = await cloister('journal', 'replay', directory, '--snapshot', copy)
    expect([named.code, named.out]).toEqual([
      0,
      expect.stringContaining(`${copy} is the state after record ${records}, as the records have`),
    ])
    // One that holds something else, made by whoever has the key, convinces no audit.
    const reader = await openReader({ journal: directory })
    const store = storeOf({ journal: directory }) as Store
    const { core } = await loadSnapshot(reader, store, copy)
    core.desk.refusedCount++
    rmSync(copy)
    await writeSnapshot(reader, store, { core, sequence: records }, copy)
    const lie = await cloister('journal', 'replay', directory, '--snapshot', copy)
    expect([lie.code, lie.out]).toEqual([1, expect.stringContaining('NOT the state after record')])
    expect(lie.out).toContain('.desk.refusedCount')
    // Damaged ones are named, and the journal is as it was.
    const bytes = readFileSync(file)
    writeFileSync(file, bytes.subarray(0, 1000))
    const damaged = await verify()
    expect([damaged.code, json(damaged.out)]).toMatchObject([
      1,
      { ok: false, records, snapshots: [{ file, fits: false, isAlarming: true }] },
    ])
    const asked = await cloister('journal', 'replay', directory, '--snapshot', file)
    expect([asked.code, asked.out]).toEqual([1, expect.stringContaining('is not compared: it is')])
    const unasked = await cloister('journal', 'replay', directory)
    expect([unasked.code, unasked.out]).toEqual([0, expect.stringContaining('is not used: it is')])
    rmSync(`${directory}.snapshots`, { recursive: true })
    const elsewhere = ['--snapshots', join(folder, 'elsewhere')]
    expect((await cloister('journal', 'snapshot', directory, ...elsewhere)).code).toBe(0)
    expect(readdirSync(join(folder, 'elsewhere'))).toHaveLength(1)
    expect(existsSync(`${directory}.snapshots`)).toBe(false)
  })

  it('is sealed anew under another key, record for record, when nobody writes it', async () => {
    const target = join(folder, 'anew')
    const inUse = await cloister('journal', 'reseal', directory, '--target', target)
    expect([inUse.code, inUse.out]).toEqual([1, expect.stringContaining('JournalMustBeFree')])
    const copy = join(folder, 'copy')
    cpSync(directory, copy, { recursive: true, filter: (from) => !from.endsWith('/lock') })
    const keyFile = ['--key-file', `${directory}.key`]
    const done = await cloister('journal', 'reseal', copy, '--target', target, ...keyFile, '--json')
    expect([done.code, json(done.out)]).toMatchObject([0, { records }])
    const replayed = await cloister('journal', 'replay', target, '--json')
    expect(json(replayed.out)).toMatchObject({ state: stateDigest(floor.house.core), records })
    expect(readFileSync(`${target}.key`, 'utf8')).not.toBe(readFileSync(`${directory}.key`, 'utf8'))
    const old = await cloister('journal', 'verify', target, ...keyFile)
    expect([old.code, old.out]).toEqual([1, expect.stringContaining('JournalKeyMustMatch')])
    // What has records already is not written over, and nothing is made of nothing.
    const again = await cloister('journal', 'reseal', copy, '--target', target, ...keyFile)
    expect([again.code, again.out]).toEqual([1, expect.stringContaining('must be empty')])
    const none = await cloister('journal', 'reseal', join(folder, 'none'), '--target', `${target}2`)
    expect(none.code).not.toBe(0)
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})
