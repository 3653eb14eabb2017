/** The L1 key of who proposes, cancels or seals: from a file of its owner alone or from the environment. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

export const KEY_VARIABLE = 'CLOISTER_L1_KEY'

/**
 * 32 bytes in hex with 0x. Null if none is given. The variable is erased, so that no child of this
 * process inherits it. Throws for a file that others may read.
 */
export function readL1Key(path: string | undefined): string | null {
  const given = process.env[KEY_VARIABLE]
  delete process.env[KEY_VARIABLE]
  if (path === undefined) return given === undefined ? null : hexOf(given, KEY_VARIABLE)
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    throw new Error(`the key file ${path} must be there and readable`)
  }
  try {
    // The open file is asked, not the path: the path could be exchanged between two looks.
    const found = fstatSync(file)
    const { mode } = found
    if (found.isDirectory())
      throw new Error(`the key file ${path} is a directory, where a file is needed`)
    if ((mode & 0o077) !== 0)
      throw new Error(`the key file ${path} must be its owner's alone: run chmod 600 ${path}`)
    return hexOf(readFileSync(file, 'latin1'), `the key file ${path}`)
  } finally {
    closeSync(file)
  }
}

/** What is wrong is not repeated: it may be a key with a slip in it. */
function hexOf(text: string, place: string): string {
  const [, digits] = /^(?:0x)?([0-9a-fA-F]{64})\s*$/.exec(text) ?? []
  if (digits === undefined) throw new Error(`${place} must hold 64 hexadecimal digits`)
  return `0x${digits}`
}
