/**
 * One process a directory. The lock is a socket in it: the kernel lets go of it when its process
 * ends, however it ends, and processes of other containers that share the directory see it too.
 *
 * What a dead process left is never out of its place: who may replace it is decided by a lock of its own,
 * named after the dead socket's inode, and the successor comes over it in one step. Whoever judges a socket
 * holds a link to it meanwhile, so that its inode cannot be another's: a socket that is dead stays dead.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { JournalError } from './journal.ts'

const NAME = 'lock'
const ATTEMPTS = 64
const ANSWER_MS = 3_000
/** What the kernel's socket addresses hold. */
const PATH_BYTES = 100

export type DirectoryLock = {
  /** Whether the socket in the directory is still this one: looked at before each write. */
  readonly isHeld: () => boolean
  readonly release: () => void
}
/** Of who takes a lock: it found a dead one; it alone may replace that one now. Tests stop it there. */
export type LockStep = 'found' | 'chosen'

/** Throws JournalMustBeFree, naming the process that holds it. A lock of a dead process is taken over. */
export async function lockDirectory(
  directory: string,
  onStep: (step: LockStep) => Promise<void> = async () => {},
): Promise<DirectoryLock> {
  const folder = openSync(directory, 'r')
  const file = (name: string): string => join(directory, name)
  // A long path goes through the open directory instead.
  const address = (name: string): string =>
    Buffer.byteLength(file(name)) <= PATH_BYTES ? file(name) : `/proc/self/fd/${folder}/${name}`
  const own = drawnName()
  const server = await listen(address(own)).catch((error: unknown) => {
    closeSync(folder)
    throw error
  })
  const inode = inodeOf(file(own))
  const isHeld = (): boolean => inode !== null && inodeOf(file(NAME)) === inode
  let isReleased = false
  const release = (): void => {
    // The number of the open directory may be another file's by now.
    if (isReleased) return
    isReleased = true
    // The name goes first: nobody ever finds it with nobody behind it while this process lives.
    if (isHeld()) rmSync(file(NAME), { force: true })
    server.close()
    closeSync(folder)
  }
  try {
    chmodSync(file(own), 0o600)
    const holder = await takePlace({ file, address, own, onStep }, NAME)
    if (holder === null) return { isHeld, release }
    const detail = `${directory} is in use by ${holder}; one process a directory`
    throw new JournalError('JournalMustBeFree', detail)
  } catch (error) {
    release()
    throw error
  } finally {
    rmSync(file(own), { force: true })
  }
}

type Taker = {
  /** Of a name in the directory: where it is, and where a socket of that name is asked for. */
  readonly file: (name: string) => string
  readonly address: (name: string) => string
  /** The name of the socket that is to come into the place. */
  readonly own: string
  readonly onStep: (step: LockStep) => Promise<void>
}

/** Null once the own socket is in the place of this name, and otherwise who is there or is about to be. */
async function takePlace(taker: Taker, name: string): Promise<string | null> {
  const { file, own } = taker
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // A link is made by one only: it is there with a listener behind it, or it is not.
    if (tryLink(file(own), file(name))) return null
    const held = drawnName()
    if (!tryLink(file(name), file(held), 'ENOENT')) continue
    try {
      const holder = await holderOf(taker.address(held))
      if (holder !== null) return holder
      const outcome = await succeed(taker, name, inodeOf(file(held)))
      if (outcome !== 'gone') return outcome
    } finally {
      rmSync(file(held), { force: true })
    }
  }
  return 'too many that want it at once'
}

/** In the place of a dead socket, of which a link is held; `gone` where another has come into it since. */
async function succeed(
  taker: Taker,
  name: string,
  dead: bigint | null,
): Promise<string | null | 'gone'> {
  const { file, own, onStep } = taker
  await onStep('found')
  const succession = `${NAME}.after.${dead}`
  const rival = await takePlace(taker, succession)
  if (rival !== null) return rival
  try {
    await onStep('chosen')
    if (inodeOf(file(name)) !== dead) return 'gone'
    // The link that is moved is one of two: the other is for whatever is to be taken after this.
    const moved = drawnName()
    linkSync(file(own), file(moved))
    renameSync(file(moved), file(name))
    return null
  } finally {
    if (inodeOf(file(succession)) === inodeOf(file(own))) rmSync(file(succession), { force: true })
  }
}

const drawnName = (): string => `${NAME}-${randomBytes(8).toString('hex')}`

/** Numbers of inodes may be larger than a number of JavaScript is exact. */
function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null
}

/** False where that other one is there already, or this one is not there any more. */
function tryLink(from: string, to: string, no: 'EEXIST' | 'ENOENT' = 'EEXIST'): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === no) return false
    throw error
  }
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
      if (error.code === 'ECONNREFUSED') resolve(null)
      else if (error.code === 'ECONNRESET' || error.code === 'EAGAIN') resolve('a process')
      else reject(error)
    })
  })
}
