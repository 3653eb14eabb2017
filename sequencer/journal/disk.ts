/** What the journal asks of a disk. Tests put another in its place that tears, fills up and forgets. */
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { lockDirectory, type DirectoryLock } from './lock.ts'

export type DiskFile = {
  /** All bytes or an error; an error may leave some of them. */
  readonly write: (bytes: Uint8Array, position: number) => Promise<void>
  /** Resolves when everything written, and the length, will outlive a loss of power. */
  readonly sync: () => Promise<void>
  readonly truncate: (length: number) => Promise<void>
  readonly close: () => Promise<void>
}
export type Disk = {
  /** Made with mode 0700 if it is not there. */
  readonly makeDirectory: (path: string) => Promise<void>
  readonly list: (path: string) => Promise<readonly string[]>
  readonly read: (path: string) => Promise<Buffer>
  /** For writing; made with mode 0600 if it is not there. */
  readonly open: (path: string) => Promise<DiskFile>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  /** Makes names that were made, changed or removed durable. */
  readonly syncDirectory: (path: string) => Promise<void>
  /** One process a directory; throws JournalMustBeFree. */
  readonly lock: (path: string) => Promise<DirectoryLock>
}

export const DISK: Disk = {
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  },
  list: (path) => readdir(path),
  read: (path) => readFile(path),
  rename: (from, to) => rename(from, to),
  lock: (path) => lockDirectory(path),
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (path) => {
    const directory = await open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  open: async (path) => {
    const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      return open(path, 'wx+', 0o600)
    })
    return {
      write: async (bytes, position) => {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await file.write(
            bytes,
            done,
            bytes.length - done,
            position + done,
          )
          done += bytesWritten
        }
      },
      sync: () => file.datasync(),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    }
  },
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The disk has no room; it may have some again later. */
export function isFull(error: unknown): boolean {
  return FULL.has((error as NodeJS.ErrnoException | null)?.code ?? '')
}
