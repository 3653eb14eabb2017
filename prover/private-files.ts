/**
 * Files that hold a witness, for provers that read files: in memory where the system has a tmpfs,
 * readable by nobody else, overwritten and removed whatever happens. What a process that was killed
 * left behind is erased by the next one that starts.
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'cloister-witness-'
const TMPFS_TYPES: readonly number[] = [0x01021994, 0x858458f6] // tmpfs, ramfs (linux/magic.h)

/** Where private files lie: /dev/shm if it is memory and may be written, else the system's place. */
export function privateRoot(): string {
  const memory = '/dev/shm'
  try {
    if (TMPFS_TYPES.includes(statfsSync(memory).type)) {
      accessSync(memory, constants.W_OK)
      return memory
    }
  } catch {
    // Another system than Linux, or a container without it.
  }
  return tmpdir()
}

/** Runs `work` with a directory of its own (mode 0700) and erases that, even if `work` throws. */
export async function withPrivateDirectory<T>(
  work: (directory: string) => Promise<T>,
  root = privateRoot(),
): Promise<T> {
  // The name carries the process, so that others can tell what nobody will erase any more.
  const directory = mkdtempSync(join(root, `${PREFIX}${process.pid}-`))
  const onExit = (): void => erase(directory)
  process.on('exit', onExit)
  try {
    return await work(directory)
  } finally {
    process.off('exit', onExit)
    erase(directory)
  }
}

/** Overwrites every file in a directory, then removes it all. */
export function erase(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const found = lstatSync(path)
    // A link or a folder holds no witness of ours: it is removed and never followed.
    if (found.isFile()) overwrite(path, found.size)
  }
  rmSync(directory, { recursive: true, force: true })
}

function overwrite(path: string, bytes: number): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  try {
    const zeros = Buffer.alloc(1 << 16)
    for (let at = 0; at < bytes; at += zeros.length)
      writeSync(file, zeros, 0, Math.min(zeros.length, bytes - at), at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Erases what processes that are gone left behind; returns how many directories that were. */
export function eraseLeftovers(root = privateRoot()): number {
  const own = process.getuid?.()
  let count = 0
  for (const name of readdirSync(root)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || isRunning(Number(pid))) continue
    const directory = join(root, name)
    try {
      const found = lstatSync(directory)
      if (!found.isDirectory() || (own !== undefined && found.uid !== own)) continue
      erase(directory)
      count++
    } catch {
      // Another process was quicker.
    }
  }
  return count
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
