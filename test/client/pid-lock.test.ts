/** One process a lock, however many come at once, and whatever a dead one has left. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
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

  it('that another took over meanwhile is never out of its place, and stays his', () => {
    writeFileSync(path, `${DEAD}\n`)
    // Between the look at the dead one and its removal another removes it, and is there himself.
    const judge = (pid: number): boolean => {
      if (pid !== DEAD) return true
      rmSync(path)
      writeFileSync(path, `${ALIVE}\n`)
      return false
    }
    expect(tryLock(path, judge)).toEqual({ heldBy: ALIVE })
    expect(readFileSync(path, 'utf8')).toBe(`${ALIVE}\n`)
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  const after = (lock: string): string =>
    `${path}.after.${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`

  it('of a dead one belongs to who is about to take it, and to nobody else', () => {
    writeFileSync(path, `${DEAD}\n`)
    writeFileSync(after(`${DEAD}\n`), `${ALIVE}\n`)
    expect(tryLock(path, isAlive)).toEqual({ heldBy: ALIVE })
    expect(readFileSync(path, 'utf8')).toBe(`${DEAD}\n`)
  })

  it('is taken also after one who died when he was about to take it, and another after him', () => {
    const words = [`${DEAD}\n`, `${DEAD} 0123456789abcdef\n`, `${DEAD} fedcba9876543210\n`]
    writeFileSync(path, words[0] as string)
    writeFileSync(after(words[0] as string), words[1] as string)
    const second = createHash('sha256')
      .update(words[1] as string)
      .digest('hex')
      .slice(0, 16)
    writeFileSync(`${after(words[0] as string)}.after.${second}`, words[2] as string)
    const release = take()
    expect(readdirSync(folder)).toEqual(['lock'])
    expect(holderOf(path)).toBe(process.pid)
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
    const one = 'lock.12.0123456789abcdef'
    const succeeding = 'lock.after.0123456789abcdef'
    const own = ['lock', one, `${one}.dead`, succeeding, `${succeeding}.12.0123456789abcdef`]
    expect(own.every((name) => isOfLock(name, 'lock'))).toBe(true)
    const others = [
      'locks',
      'lock.',
      'lock.x',
      'lock.after',
      'lock.after.me',
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
