/** A file that says which process has the directory that it lies in. */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Null when this process has it now, or the process that has it. A lock of a process that is gone is
 * taken over. It is linked into its place with the number in it: one that is made first and written
 * then is empty for a moment, and whoever looks at it in that moment takes its owner for gone.
 */
export function takeLock(path: string, isAlive: (pid: number) => boolean): number | null {
  const own = besideOf(path)
  writeFileSync(own, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
  try {
    for (;;) {
      if (tryLink(own, path)) return null
      const text = textOf(path)
      if (text === null) continue
      if (isAlive(Number(text))) return Number(text)
      clear(path, text)
    }
  } finally {
    rmSync(own, { force: true })
  }
}

/** Whether a file of this name belongs to a lock, or to one that is about to be. */
export function isOfLock(name: string): boolean {
  return /^lock(\.[0-9a-f]{16})?$/.test(name)
}

function besideOf(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}`
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Takes a dead lock away, and puts it back if meanwhile it was another's. */
function clear(path: string, dead: string): void {
  const aside = besideOf(path)
  try {
    renameSync(path, aside)
  } catch {
    // Somebody else was faster.
    return
  }
  // By its text: the number of a file that is gone is given to the next one.
  if (textOf(aside) !== dead) tryLink(aside, path)
  rmSync(aside, { force: true })
}
