/** The lock of a directory: one has it, however many come at once and whatever a dead one has left. */
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  lockDirectory,
  type DirectoryLock,
  type LockStep,
} from '../../../sequencer/journal/lock.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cloister-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string): string => join(directory, name)
const inodeOf = (name: string): bigint | null =>
  statSync(at(name), { bigint: true, throwIfNoEntry: false })?.ino ?? null

/** A socket of this name with nobody behind it, as a killed process leaves it. Its inode. */
async function dead(name: string): Promise<bigint> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(at('made'), resolve))
  linkSync(at('made'), at(name))
  await new Promise((resolve) => server.close(resolve))
  expect(existsSync(at('made'))).toBe(false)
  return inodeOf(name) as bigint
}

it('that was let go of closes no file that has come to its number since, and no lock of another', async () => {
  const first = await lockDirectory(directory)
  first.release()
  // The lowest free numbers are given out first: one of these has that of the directory.
  const files = Array.from({ length: 32 }, () => openSync('/dev/null', 'r'))
  const second = await lockDirectory(directory)
  first.release()
  for (const file of files) expect(() => fstatSync(file)).not.toThrow()
  expect(second.isHeld()).toBe(true)
  files.forEach((file) => closeSync(file))
  second.release()
  expect(second.isHeld()).toBe(false)
  expect(readdirSync(directory)).toEqual([])
})

it('of a living one names it, and stays', async () => {
  const lock = await lockDirectory(directory)
  await expect(lockDirectory(directory)).rejects.toThrow(/JournalMustBeFree: .*is in use by /)
  expect(lock.isHeld()).toBe(true)
  expect(readdirSync(directory)).toEqual(['lock'])
  lock.release()
})

describe('what dead ones left', () => {
  it('is replaced, and nothing stays behind', async () => {
    await dead('lock')
    const lock = await lockDirectory(directory)
    expect(readdirSync(directory)).toEqual(['lock'])
    lock.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is replaced also when one died who was about to, and another who was about to after him', async () => {
    const first = await dead('lock')
    const second = await dead(`lock.after.${first}`)
    await dead(`lock.after.${second}`)
    const lock = await lockDirectory(directory)
    expect(lock.isHeld()).toBe(true)
    expect(readdirSync(directory)).toEqual(['lock'])
    lock.release()
  })

  it('is replaced also where one socket has both names: it died before it took the second away', async () => {
    const first = await dead('lock')
    renameSync(at('lock'), at('gone'))
    await dead('lock')
    linkSync(at('lock'), at(`lock.after.${first}`))
    const lock = await lockDirectory(directory)
    expect(lock.isHeld()).toBe(true)
    lock.release()
    expect(existsSync(at('lock'))).toBe(false)
  })

  it('belongs to who is about to replace it, and to nobody else', async () => {
    const inode = await dead('lock')
    const other = createServer((socket) => socket.end('process 4711'))
    await new Promise<void>((resolve) => other.listen(at(`lock.after.${inode}`), resolve))
    await expect(lockDirectory(directory)).rejects.toThrow('is in use by ')
    expect(inodeOf('lock')).toBe(inode)
    other.close()
  })
})

/** Who wants the lock, one step at a time. */
function party() {
  let go: (() => void) | null = null
  let rest: (() => void) | null = null
  const seen: {
    state: 'new' | 'waits' | 'holds' | 'refused'
    at: LockStep | null
    lock: DirectoryLock | null
    error: unknown
  } = { state: 'new', at: null, lock: null, error: null }
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      go = resolve
    })
  const work = async (stops: readonly LockStep[]): Promise<void> => {
    try {
      seen.lock = await lockDirectory(directory, async (step) => {
        if (!stops.includes(step)) return
        const goOn = pause()
        Object.assign(seen, { state: 'waits', at: step })
        rest?.()
        await goOn
      })
      seen.state = 'holds'
    } catch (error) {
      Object.assign(seen, { state: 'refused', error })
    }
    rest?.()
  }
  /** Until it stops again, holds the lock or was refused. */
  const advance = async (stops: readonly LockStep[]): Promise<void> => {
    const rested = new Promise<void>((resolve) => {
      rest = resolve
    })
    if (seen.state === 'new') void work(stops)
    else if (seen.state === 'waits') go?.()
    else return
    await rested
  }
  return { seen, advance }
}

/** Every order in which three parties may go on, each `count` times. */
function orders(count: number): readonly (readonly number[])[] {
  const all: number[][] = []
  const add = (order: number[]): void => {
    if (order.length === 3 * count) return void all.push(order)
    for (const i of [0, 1, 2])
      if (order.filter((one) => one === i).length < count) add([...order, i])
  }
  add([])
  return all
}

describe('of three that find a dead lock', () => {
  it('the third finds the place never empty while the second has it, though the first is late', async () => {
    const [first, second, third] = [party(), party(), party()]
    await dead('lock')
    await first.advance(['found'])
    expect(first.seen).toMatchObject({ state: 'waits', at: 'found' })
    await second.advance([])
    expect(second.seen.state).toBe('holds')
    const inode = inodeOf('lock')
    // Here the first would move the lock of the second aside, and the third come in.
    await first.advance(['found'])
    expect(inodeOf('lock')).toBe(inode)
    await third.advance([])
    expect([first, second, third].map(({ seen }) => seen.state)).toEqual([
      'refused',
      'holds',
      'refused',
    ])
    expect(second.seen.lock?.isHeld()).toBe(true)
    expect(readdirSync(directory)).toEqual(['lock'])
    second.seen.lock?.release()
  })

  it('one that comes while another is about to replace it is told so, and the place is as it was', async () => {
    const [first, second] = [party(), party()]
    const inode = await dead('lock')
    await first.advance(['chosen'])
    await second.advance([])
    expect(second.seen.state).toBe('refused')
    expect(String(second.seen.error)).toContain('is in use by ')
    expect(inodeOf('lock')).toBe(inode)
    await first.advance([])
    expect(first.seen.state).toBe('holds')
    first.seen.lock?.release()
  })

  it('one that was late takes the place that the second has given back', async () => {
    const [first, second] = [party(), party()]
    await dead('lock')
    await first.advance(['found'])
    await second.advance([])
    second.seen.lock?.release()
    await first.advance([])
    expect(first.seen.state).toBe('holds')
    first.seen.lock?.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('never succeeds a living one whose socket has the inode that a dead one had', async () => {
    // What it has judged it holds a link to: as long as it is on its way no other has that inode.
    const late = party()
    const inode = await dead('lock')
    await late.advance(['found'])
    for (let i = 0; i < 20; i++) {
      const lock = await lockDirectory(directory)
      expect(inodeOf('lock')).not.toBe(inode)
      lock.release()
    }
    const lock = await lockDirectory(directory)
    await late.advance(['found'])
    expect(late.seen.state).toBe('refused')
    expect(lock.isHeld()).toBe(true)
    lock.release()
  })

  const isLong = process.env['CLOISTER_LONG'] !== undefined
  const stops: readonly LockStep[] = isLong ? ['found', 'chosen'] : ['found']
  it.each(orders(1 + stops.length).map((order) => [order.join('')]))(
    'one has it, in the order %s',
    async (order) => {
      const parties = [party(), party(), party()]
      await dead('lock')
      for (const i of order) {
        await parties[Number(i)]?.advance(stops)
        expect(existsSync(at('lock'))).toBe(true)
        const held = parties.filter(({ seen }) => seen.state === 'holds')
        expect(held.length).toBeLessThan(2)
        expect(held.every(({ seen }) => seen.lock?.isHeld())).toBe(true)
      }
      // A stop may come twice: who was overtaken looks again.
      for (const one of parties) while (one.seen.state === 'waits') await one.advance(stops)
      const states = parties.map(({ seen }) => seen.state)
      expect([...states].sort()).toEqual(['holds', 'refused', 'refused'])
      parties.forEach(({ seen }) => seen.lock?.release())
      expect(readdirSync(directory)).toEqual([])
    },
  )
})
