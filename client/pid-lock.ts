/** A file that says which process is at work: one at a time, and none that has died holds it. */
import { createHash, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Gives the lock back. */
export type Release = () => void

/** Locks of this process. One with its number that is not among them is of a dead one: in a container all have number 1. */
const held = new Set<string>()

/** Takes the lock, or says which living process has it: NaN where the file does not say. */
export function tryLock(path: string, isAlive = isRunning): Release | { readonly heldBy: number } {
  // Written first and linked then: nobody ever reads a lock without its process.
  const token = `${process.pid} ${randomBytes(8).toString('hex')}\n`
  const own = `${path}.${token.trim().replace(' ', '.')}`
  writeFileSync(own, token, { mode: 0o600, flag: 'wx' })
  try {
    while (!isLinked(own, path)) {
      const found = textOf(path)
      if (found === null) continue
      const heldBy = livingIn(found, isAlive)
      if (heldBy !== null) return { heldBy }
      const followed = follow(path, own, found, isAlive)
      if (followed === 'taken') break
      if (followed !== 'again') return followed
    }
    held.add(token)
    return () => release(path, token)
  } finally {
    rmSync(own, { force: true })
  }
}

/** Which living process has the lock; null if none. */
export function holderOf(path: string): number | null {
  const found = textOf(path)
  return found === null ? null : livingIn(found, isRunning)
}

function livingIn(lock: string, isAlive: (pid: number) => boolean): number | null {
  const heldBy = Number.parseInt(lock, 10)
  // Nothing that these locks leave behind is without a process: whoever wrote that may live.
  if (Number.isNaN(heldBy)) return heldBy
  return (heldBy === process.pid ? held.has(lock) : isAlive(heldBy)) ? heldBy : null
}

/** Whether a file of this name belongs to the lock `name`, or to one that is about to be. */
export function isOfLock(file: string, name: string): boolean {
  const [head, ...rest] = file.split(`${name}.`)
  return file === name || (head === '' && /^\d+\.[0-9a-f]{16}(\.dead)?$/.test(rest.join('')))
}

function release(path: string, token: string): void {
  held.delete(token)
  if (textOf(path) === token) rmSync(path, { force: true })
}

/**
 * Takes the place of a dead lock, in one step: a lock that is moved away, even for a moment, leaves room
 * for two. Only who makes the file that is named after the dead one may, and who dies with that made is
 * followed in the same way.
 */
function follow(
  path: string,
  own: string,
  found: string,
  isAlive: (pid: number) => boolean,
): 'taken' | 'again' | { readonly heldBy: number } {
  const passed: string[] = []
  for (let dead = found; ;) {
    const name = `${path}.0.${createHash('sha256').update(dead).digest('hex').slice(0, 16)}.dead`
    if (isLinked(own, name)) {
      // It may have been followed, and the file of that taken away, since the lock was read.
      const isStill = textOf(path) === found
      if (isStill) renameSync(own, path)
      for (const one of isStill ? [...passed, name] : [name]) rmSync(one, { force: true })
      return isStill ? 'taken' : 'again'
    }
    const next = textOf(name)
    if (next === null) return 'again'
    const heldBy = livingIn(next, isAlive)
    if (heldBy !== null) return { heldBy }
    passed.push(name)
    dead = next
  }
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
}

function isRunning(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
