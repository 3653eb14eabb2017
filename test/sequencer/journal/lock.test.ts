/** The lock of a directory, let go of twice. */
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { lockDirectory } from '../../../sequencer/journal/lock.ts'

it('that was let go of closes no file that has come to its number since, and no lock of another', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cloister-lock-'))
  try {
    const first = await lockDirectory(directory)
    first.release()
    // The lowest free numbers are given out first: one of these has that of the directory.
    const files = Array.from({ length: 32 }, () => openSync('/dev/null', 'r'))
    const second = await lockDirectory(directory)
    first.release()
    for (const file of files) expect(() => fstatSync(file)).not.toThrow()
    expect(second.isHeld()).toBe(true)
    files.forEach((file) => closeSync(file))
    second.release()
    expect(second.isHeld()).toBe(false)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
