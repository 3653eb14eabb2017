/** What is drawn at random while a file of tests runs: the same in every run, so that none fails by chance. */
import crypto, { createHash } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { expect } from 'vitest'

/**
 * Each file has draws of its own. The long run draws anew each time, and so do child processes: what
 * fails there by chance is a fault of the test, or of what it tests.
 */
if (process.env['CLOISTER_LONG'] === undefined) {
  const file = (expect.getState().testPath ?? '').split('/test/').at(-1)
  let drawn = 0
  const bytesOf = (length: number): Buffer => {
    const parts: Buffer[] = []
    for (let bytes = 0; bytes < length; bytes += 32)
      parts.push(createHash('sha256').update(`${file}/${drawn++}`).digest())
    return Buffer.concat(parts).subarray(0, length)
  }
  const randomBytes = (length: number, done?: (error: null, bytes: Buffer) => void) => {
    const bytes = bytesOf(length)
    if (done === undefined) return bytes
    setImmediate(() => done(null, bytes))
    return undefined
  }
  // Whoever has imported it by its name has this one from here on.
  Object.assign(crypto, { randomBytes })
  syncBuiltinESMExports()
}
