/** Files that are whole or not there: what is interrupted while writing leaves the old one. */
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Written beside its place, on the disk, then moved there: readers see all of it or none. */
export function writeWhole(path: string, text: string): void {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const part = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.part`
  const file = openSync(part, 'wx', 0o600)
  try {
    writeAll(file, text)
    fsyncSync(file)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(part, path)
  syncFolder(folder)
}

/** A file that was not there before, of exactly this mode; throws if it is. */
export function writeNew(path: string, text: string, mode: number): void {
  let file: number
  try {
    file = openSync(path, 'wx', mode)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    throw new Error(
      code === 'EEXIST' ? `${path} exists: nothing is overwritten` : `${path}: ${code}`,
    )
  }
  try {
    // The umask can only take bits away; this makes the mode exact.
    fchmodSync(file, mode)
    writeAll(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(dirname(path))
}

/** A write may take only a part of a large text. */
export function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}

/** Makes a new name in a folder last through a loss of power. */
export function syncFolder(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
