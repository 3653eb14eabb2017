/** A real disk on which a process may die before, halfway through and after each step. */
import { DISK, type Disk } from '../../../sequencer/journal/disk.ts'

/** `mayDie` is asked at every step; `around` asks it before and after some work. */
export function diskThat(
  mayDie: () => void,
  around: <T>(work: () => Promise<T>) => Promise<T>,
): Disk {
  return {
    ...DISK,
    rename: (from, to) => around(() => DISK.rename(from, to)),
    syncDirectory: (path) => around(() => DISK.syncDirectory(path)),
    open: async (path) => {
      const file = await around(() => DISK.open(path))
      return {
        ...file,
        write: async (bytes, position) => {
          mayDie()
          const half = bytes.length >> 1
          await file.write(bytes.subarray(0, half), position)
          mayDie()
          await file.write(bytes.subarray(half), position + half)
          mayDie()
        },
        sync: () => around(() => file.sync()),
        truncate: (length) => around(() => file.truncate(length)),
      }
    },
  }
}

/** Kills this process at the n-th step, from 0 on; never returns then. */
export function dyingAt(step: number): {
  readonly mayDie: () => void
  readonly around: <T>(work: () => Promise<T>) => Promise<T>
  /** How many were taken. */
  readonly steps: () => number
} {
  let taken = 0
  const mayDie = (): void => {
    if (taken++ !== step) return
    process.kill(process.pid, 'SIGKILL')
    // Nothing more happens in this thread.
    for (;;);
  }
  const around = async <T>(work: () => Promise<T>): Promise<T> => {
    mayDie()
    const result = await work()
    mayDie()
    return result
  }
  return { mayDie, around, steps: () => taken }
}
