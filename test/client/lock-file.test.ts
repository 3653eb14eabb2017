/** One process a directory, however many come at once, and whatever a dead one has left. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isOfLock, takeLock } from '../../client/lock-file.ts'

const DEAD = 999_999_999
const isAlive = (pid: number): boolean => pid !== DEAD && pid > 0
let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-lock-'))
  path = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a lock file', () => {
  it('is of one alone, who is named, and leaves nothing else behind', () => {
    expect(takeLock(path, isAlive)).toBeNull()
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    expect(takeLock(path, isAlive)).toBe(process.pid)
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  it.each([`${DEAD}\n`, '', 'rubbish'])('of a process that is gone is taken over: %j', (text) => {
    writeFileSync(path, text)
    expect(takeLock(path, isAlive)).toBeNull()
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  it('that another took over meanwhile is put back, and stays his', () => {
    writeFileSync(path, `${DEAD}\n`)
    const other = 4711
    // Between the look at the dead one and its removal another removes it, and is there himself.
    const judge = (pid: number): boolean => {
      if (pid !== DEAD) return true
      rmSync(path)
      writeFileSync(path, `${other}\n`)
      return false
    }
    expect(takeLock(path, judge)).toBe(other)
    expect(readFileSync(path, 'utf8')).toBe(`${other}\n`)
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  it('is known by its name, also before it is in its place', () => {
    expect(['lock', 'lock.0123456789abcdef'].every(isOfLock)).toBe(true)
    expect(['locks', 'lock.', 'lock.x', 'house.json', 'a.lock'].some(isOfLock)).toBe(false)
  })
})

const TAKER = `
import { takeLock } from ${JSON.stringify(new URL('../../client/lock-file.ts', import.meta.url).href)}
import { existsSync, rmSync, writeFileSync } from 'node:fs'
const [path] = process.argv.slice(-1)
const isAlive = (pid) => {
  try { process.kill(pid, 0); return pid > 0 } catch { return false }
}
let [taken, clashes] = [0, 0]
const end = Date.now() + 2000
while (Date.now() < end || taken === 0) {
  if (takeLock(path, isAlive) !== null) continue
  taken++
  // Whoever holds it is alone: what it makes was not there, and stays until it takes it away.
  try { writeFileSync(path + 'ed', '', { flag: 'wx' }) } catch { clashes++ }
  rmSync(path + 'ed', { force: true })
  rmSync(path)
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
