/** One process a lock, however many come at once, and whatever a dead one has left. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
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
import { ROOT } from '../../client/cli/root.ts'
import { holderOf, isOfLock, tryLock, type Release } from '../../client/pid-lock.ts'

const DEAD = 999_999_999
const ALIVE = 4711
const isAlive = (pid: number): boolean => pid !== DEAD
let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-lock-'))
  path = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
function take(judge = isAlive): Release {
  const taken = tryLock(path, judge)
  if (typeof taken !== 'function') throw new Error(`held by ${taken.heldBy}`)
  return taken
}

describe('a lock', () => {
  it('is of one alone, who is named, and leaves nothing behind', () => {
    const release = take()
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^${process.pid} [0-9a-f]{16}\n$`))
    expect(tryLock(path)).toEqual({ heldBy: process.pid })
    expect(holderOf(path)).toBe(process.pid)
    expect(readdirSync(folder)).toEqual(['lock'])
    release()
    expect(readdirSync(folder)).toEqual([])
  })

  it.each([`${DEAD}\n`, `${DEAD} 0123456789abcdef\n`])('of a dead process is taken: %j', (text) => {
    writeFileSync(path, text)
    take()
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  it('with the number of this process, which it has not taken, is of a dead one', () => {
    writeFileSync(path, `${process.pid} 0123456789abcdef\n`)
    take(() => true)()
    expect(readdirSync(folder)).toEqual([])
  })

  it.each(['', 'rubbish'])('that names no process stays: %j', (text) => {
    writeFileSync(path, text)
    expect(tryLock(path)).toEqual({ heldBy: NaN })
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it('that another took over meanwhile is his, and is not moved for a moment', () => {
    writeFileSync(path, `${DEAD}\n`)
    /** Its last change, a new name included. */
    const changed = (): bigint => statSync(path, { bigint: true }).ctimeNs
    let taken = 0n
    // Between the look at the dead one and what follows another follows it, and is there himself.
    const judge = (pid: number): boolean => {
      if (pid !== DEAD) return true
      rmSync(path)
      writeFileSync(path, `${ALIVE}\n`)
      taken = changed()
      // Longer than a tick of the clock of files.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      return false
    }
    expect(tryLock(path, judge)).toEqual({ heldBy: ALIVE })
    expect(readFileSync(path, 'utf8')).toBe(`${ALIVE}\n`)
    expect(changed()).toBe(taken)
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  const followerOf = (dead: string): string =>
    `${path}.0.${createHash('sha256').update(dead).digest('hex').slice(0, 16)}.dead`

  it('that one at work is about to follow is of that one', () => {
    const dead = `${DEAD} 0123456789abcdef\n`
    writeFileSync(path, dead)
    writeFileSync(followerOf(dead), `${ALIVE} 0123456789abcdef\n`)
    expect(tryLock(path, isAlive)).toEqual({ heldBy: ALIVE })
    expect(readFileSync(path, 'utf8')).toBe(dead)
    expect(isOfLock(followerOf('').slice(folder.length + 1), 'lock')).toBe(true)
  })

  it('is followed where those that were to follow it have died one after the other', () => {
    const dead = [1, 2, 3].map((n) => `${DEAD} 000000000000000${n}\n`)
    writeFileSync(path, dead[0] as string)
    writeFileSync(followerOf(dead[0] as string), dead[1] as string)
    writeFileSync(followerOf(dead[1] as string), dead[2] as string)
    const release = take()
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^${process.pid} `))
    expect(readdirSync(folder)).toEqual(['lock'])
    release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('of another is not taken away by who gives his own back late', () => {
    const release = take()
    writeFileSync(path, `${ALIVE}\n`)
    release()
    expect(readFileSync(path, 'utf8')).toBe(`${ALIVE}\n`)
  })

  it('is known by its name, also before it is in its place', () => {
    const own = ['lock', 'lock.12.0123456789abcdef', 'lock.12.0123456789abcdef.dead']
    expect(own.every((name) => isOfLock(name, 'lock'))).toBe(true)
    const others = [
      'locks',
      'lock.',
      'lock.x',
      'house.json',
      'a.lock',
      'a.lock.12.0123456789abcdef',
    ]
    expect(others.some((name) => isOfLock(name, 'lock'))).toBe(false)
  })
})

const TAKER = `
import { tryLock } from ${JSON.stringify(new URL('../../client/pid-lock.ts', import.meta.url).href)}
import { rmSync, writeFileSync } from 'node:fs'
const [path] = process.argv.slice(-1)
let [taken, clashes] = [0, 0]
const end = Date.now() + 2000
while (Date.now() < end || taken === 0) {
  const release = tryLock(path)
  if (typeof release !== 'function') continue
  taken++
  // Whoever holds it is alone: what it makes was not there, and stays until it takes it away.
  try { writeFileSync(path + 'ed', '', { flag: 'wx' }) } catch { clashes++ }
  rmSync(path + 'ed', { force: true })
  release()
}
process.exit(clashes)
`

it('is held by one of three processes at a time, again and again', async () => {
  const ends = [1, 2, 3].map(() => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', TAKER, '--', path]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    return new Promise((done) => child.on('exit', done))
  })
  expect(await Promise.all(ends)).toEqual([0, 0, 0])
})

it('is not held by two of many that find a dead one', async () => {
  const log = join(folder, 'log')
  const script = join(folder, 'worker.ts')
  appendFileSync(
    script,
    `import { appendFileSync, writeFileSync } from 'node:fs'
    import { tryLock } from ${JSON.stringify(join(ROOT, 'client/pid-lock.ts'))}
    for (let done = 0; done < 60; ) {
      const taken = tryLock(${JSON.stringify(path)})
      if (typeof taken !== 'function') continue
      appendFileSync(${JSON.stringify(log)}, 'in ' + process.pid + '\\n')
      appendFileSync(${JSON.stringify(log)}, 'out ' + process.pid + '\\n')
      // Every other time it dies in the midst, as far as the others can see.
      if (++done % 2 === 0) taken()
      else writeFileSync(${JSON.stringify(path)}, '999999999 ' + process.pid + ' ' + done + '\\n')
    }`,
  )
  const ends = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      cwd: ROOT,
      stdio: 'inherit',
    })
    return new Promise((resolve) => child.once('exit', resolve))
  })
  expect(await Promise.all(ends)).toEqual([0, 0, 0, 0])
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  expect(lines).toHaveLength(4 * 60 * 2)
  for (let i = 0; i < lines.length; i += 2)
    expect(lines[i + 1]).toBe(lines[i]?.replace('in ', 'out '))
})
