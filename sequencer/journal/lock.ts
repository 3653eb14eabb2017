/**
 * One process a directory. The lock is a socket in it: the kernel lets go of it when its process
 * ends, however it ends, and processes of other containers that share the directory see it too.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { JournalError } from './journal.ts'

const NAME = 'lock'
const ATTEMPTS = 8
const ANSWER_MS = 3_000
/** What the kernel's socket addresses hold. */
const PATH_BYTES = 100

export type DirectoryLock = {
  /** Whether the socket in the directory is still this one: looked at before each write. */
  readonly isHeld: () => boolean
  readonly release: () => void
}

/** Throws JournalMustBeFree, naming the process that holds it. A lock of a dead process is taken over. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const folder = openSync(directory, 'r')
  // A long path goes through the open directory instead.
  const path = (name: string): string => {
    const plain = join(directory, name)
    return Buffer.byteLength(plain) <= PATH_BYTES ? plain : `/proc/self/fd/${folder}/${name}`
  }
  const own = `lock-${randomBytes(8).toString('hex')}`
  const server = await listen(path(own))
  const { ino } = statSync(join(directory, own))
  let isReleased = false
  const release = (): void => {
    // The number of the open directory may be another file's by now.
    if (isReleased) return
    isReleased = true
    if (inodeOf(join(directory, NAME)) === ino) rmSync(join(directory, NAME), { force: true })
    server.close()
    closeSync(folder)
  }
  try {
    chmodSync(join(directory, own), 0o600)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // A link is made by one only: it is there with a listener behind it, or it is not.
      if (tryLink(join(directory, own), join(directory, NAME))) {
        rmSync(join(directory, own), { force: true })
        return { isHeld: () => inodeOf(join(directory, NAME)) === ino, release }
      }
      const seen = inodeOf(join(directory, NAME))
      const holder = await holderOf(path(NAME))
      if (holder !== null) {
        const detail = `${directory} is in use by ${holder}; one process a directory`
        throw new JournalError('JournalMustBeFree', detail)
      }
      clearStale(directory, seen)
    }
    throw new JournalError('JournalMustBeFree', `${directory}: too many processes want it at once`)
  } catch (error) {
    rmSync(join(directory, own), { force: true })
    release()
    throw error
  }
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null
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

/** Takes a dead lock away, and puts it back if meanwhile it was another's. */
function clearStale(directory: string, seen: number | null): void {
  const aside = join(directory, `lock-${randomBytes(8).toString('hex')}`)
  try {
    renameSync(join(directory, NAME), aside)
  } catch {
    // Somebody else was faster.
    return
  }
  if (inodeOf(aside) !== seen) tryLink(aside, join(directory, NAME))
  rmSync(aside, { force: true })
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(`process ${process.pid}`)
    })
    server.once('error', reject)
    server.listen(path, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** Who listens, or null if nobody does. */
function holderOf(path: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(path)
    // It is there and busy: that is enough.
    const late = setTimeout(() => {
      socket.destroy()
      resolve('a process that does not answer')
    }, ANSWER_MS)
    const done = (holder: string | null): void => {
      clearTimeout(late)
      resolve(holder)
    }
    socket.on('data', (data) => (text += data.toString('latin1')))
    socket.on('end', () => done(text || 'a process'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(late)
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(null)
      else if (error.code === 'ECONNRESET') resolve('a process')
      else reject(error)
    })
  })
}
