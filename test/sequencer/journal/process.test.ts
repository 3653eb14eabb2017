/** Real processes on a real disk: killed at every step, two at once, and the modes of what they leave. */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { JournalError } from '../../../sequencer/journal/journal.ts'
import { sealerFrom } from '../../../sequencer/journal/key-file.ts'
import { lockDirectory } from '../../../sequencer/journal/lock.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'

const CHILD = join(import.meta.dirname, 'child.ts')
const sealer = sealerOf(new Uint8Array(32).fill(1))
let folder: string
const started: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-journal-'))
})
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

type Run = {
  readonly signal: string | null
  readonly lines: readonly string[]
  readonly errors: string
}
function start(directory: string, dieAt: number, records: number, group = 2) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', CHILD, directory, String(dieAt), '400', String(records), String(group)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  started.push(child)
  let text = ''
  let errors = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const ended = new Promise<Run>((resolve) => {
    child.on('close', (_code, signal) => {
      resolve({ signal, lines: text.split('\n').filter((line) => line !== ''), errors })
    })
  })
  const isOpen = async (): Promise<void> => {
    await says('open')
  }
  const says = async (word: string): Promise<void> => {
    while (!text.includes(word)) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { child, ended, isOpen, says }
}
async function textsIn(directory: string): Promise<readonly string[]> {
  const journal = await FileJournal.open({ directory, sealer })
  const texts: string[] = []
  for await (const { payload } of journal.entries()) texts.push(Buffer.from(payload).toString())
  await journal.close()
  return texts
}

it('killed at every step of the disk, has every acknowledged record once', async () => {
  const dry = await start(join(folder, 'dry'), -1, 6).ended
  const steps = Number(dry.lines.find((line) => line.startsWith('steps'))?.split(' ')[1])
  // Three groups, two turns of the segment, five steps and more each.
  expect(steps).toBeGreaterThan(30)
  let kills = 0
  let acknowledgements = 0
  for (let at = 0; at < steps; at++) {
    const directory = join(folder, `at-${at}`)
    const { signal, lines } = await start(directory, at, 6).ended
    expect(signal).toBe('SIGKILL')
    kills++
    const told = lines.flatMap((line) =>
      line.startsWith('ack') ? [line.split(' ')[2] as string] : [],
    )
    acknowledgements += told.length
    const texts = await textsIn(directory)
    expect(texts.slice(0, told.length)).toEqual(told)
    expect(texts).toEqual(texts.map((_, i) => String(i + 1)))
    // And it goes on from there, in a process of its own.
    if (at % 8 === 0) {
      const again = await start(directory, -1, 2).ended
      expect(again.lines.filter((line) => line.startsWith('ack'))).toHaveLength(2)
      expect(await textsIn(directory)).toHaveLength(texts.length + 2)
    }
  }
  expect(kills).toBe(steps)
  // Otherwise nothing was shown.
  expect(acknowledgements).toBeGreaterThan(10)
})

it('killed at any moment of a stream of groups, round after round', async () => {
  const directory = join(folder, 'stream')
  const acknowledged: string[] = []
  for (let round = 0; round < (process.env['CLOISTER_LONG'] ? 40 : 4); round++) {
    const { child, ended, says } = start(directory, -1, 1_000_000, 8)
    // A slow disk acknowledges nothing in the time that follows.
    await says('acknowledged')
    await new Promise((resolve) => setTimeout(resolve, 30 + 17 * (round % 7)))
    child.kill('SIGKILL')
    const { lines } = await ended
    acknowledged.push(
      ...lines.flatMap((l) => (l.startsWith('ack') ? [l.split(' ')[2] as string] : [])),
    )
    const texts = await textsIn(directory)
    expect(texts).toEqual(texts.map((_, i) => String(i + 1)))
    const there = new Set(texts)
    expect(acknowledged.filter((text) => !there.has(text))).toEqual([])
  }
  expect(acknowledged.length).toBeGreaterThan(10)
})

describe('one process a directory', () => {
  it('a second one is refused and told who has it; a dead one holds nothing', async () => {
    const first = start(folder, -1, 0)
    await first.isOpen()
    const open = () => FileJournal.open({ directory: folder, sealer }).catch((e: unknown) => e)
    const error = await open()
    expect(error).toBeInstanceOf(JournalError)
    expect(String(error)).toContain(`JournalMustBeFree: ${folder} is in use by`)
    // Who is busy is not waited for, and has no name then.
    await expect.poll(async () => String(await open())).toContain(`process ${first.child.pid}`)
    const second = await start(folder, -1, 0).ended
    expect(second.errors).toContain('JournalMustBeFree')
    first.child.kill('SIGKILL')
    await first.ended
    const journal = await FileJournal.open({ directory: folder, sealer })
    await journal.close()
  })

  it('many at once that find a dead lock: one gets it', async () => {
    for (let round = 0; round < 20; round++) {
      const directory = mkdtempSync(join(folder, 'race-'))
      // A name with nobody behind it, as a killed process leaves it.
      writeFileSync(join(directory, 'lock'), '')
      const outcomes = await Promise.allSettled(
        Array.from({ length: 6 }, () => lockDirectory(directory)),
      )
      const won = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [o.value] : []))
      expect(won.filter((lock) => lock.isHeld())).toHaveLength(1)
      won.forEach((lock) => lock.release())
    }
  })

  it('whoever has lost the lock writes nothing any more', async () => {
    const journal = await FileJournal.open({ directory: folder, sealer })
    await journal.append(Buffer.from('mine'))
    rmSync(join(folder, 'lock'))
    await expect(journal.append(Buffer.from('not mine'))).rejects.toThrow('JournalMustBeOwn')
    expect(await textsIn(folder)).toEqual(['mine'])
  })

  it('in a directory whose path is longer than a socket may have', async () => {
    const deep = join(folder, 'd'.repeat(120), 'e'.repeat(60))
    const first = await FileJournal.open({ directory: deep, sealer })
    await expect(FileJournal.open({ directory: deep, sealer })).rejects.toThrow('JournalMustBeFree')
    await first.close()
    expect(await textsIn(deep)).toEqual([])
  })
})

describe('files', () => {
  it('are readable by their owner alone, whatever the mask', async () => {
    const mask = process.umask(0)
    try {
      const directory = join(folder, 'journal')
      const journal = await FileJournal.open({
        directory,
        sealer: sealerFrom({ file: join(folder, 'journal.key'), isNew: true }),
      })
      await journal.append(Buffer.from('x'))
      const modeOf = (path: string): number => statSync(path).mode & 0o777
      expect(modeOf(directory)).toBe(0o700)
      expect(modeOf(join(folder, 'journal.key'))).toBe(0o600)
      for (const name of readdirSync(directory)) expect(modeOf(join(directory, name))).toBe(0o600)
      await journal.close()
      expect(readdirSync(directory)).toEqual(['journal-0000000000000001.segment'])
    } finally {
      process.umask(mask)
    }
  })
})

describe('the key file', () => {
  const file = (): string => join(folder, 'journal.key')
  const rule = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      return (error as JournalError).rule
    }
    return 'none'
  }

  it('is made once, and read after that', () => {
    const made = sealerFrom({ file: file(), isNew: true })
    expect(readFileSync(file(), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
    expect(sealerFrom({ file: file(), isNew: false }).keyId).toEqual(made.keyId)
    expect(sealerFrom({ file: file(), isNew: true }).keyId).toEqual(made.keyId)
  })
  it('is never made for a journal that has one', () => {
    expect(rule(() => sealerFrom({ file: file(), isNew: false }))).toBe('JournalKeyMustMatch')
    expect(readdirSync(folder)).toEqual([])
  })
  it('that others can read is refused', () => {
    sealerFrom({ file: file(), isNew: true })
    chmodSync(file(), 0o640)
    expect(rule(() => sealerFrom({ file: file(), isNew: false }))).toBe('JournalKeyMustMatch')
  })
  it.each(['', '12', 'g'.repeat(64), '0'.repeat(63), '0'.repeat(65)])('%j is no key', (text) => {
    writeFileSync(file(), text, { mode: 0o600 })
    expect(rule(() => sealerFrom({ file: file(), isNew: false }))).toBe('JournalKeyMustMatch')
    if (text !== '')
      expect(rule(() => sealerFrom({ key: text, file: 'none', isNew: false }))).toBe(
        'JournalKeyMustMatch',
      )
  })
  it('goes behind a key that is given', () => {
    const key = 'ab'.repeat(32)
    expect(sealerFrom({ key, file: file(), isNew: true }).keyId).toEqual(
      sealerOf(Buffer.from(key, 'hex')).keyId,
    )
    expect(readdirSync(folder)).toEqual([])
  })
})
