/** Where the key of a journal comes from: the environment, a file, or a file made at the first start. */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { JournalError } from './journal.ts'
import { sealerOf, UNSEALED, type Sealer } from './seal.ts'

const HEX_KEY = /^[0-9a-f]{64}$/

export type KeySource = {
  /** 64 hexadecimal digits, from a store of secrets. Goes before the file. */
  readonly key?: string | undefined
  readonly file: string
  /** A journal without records may have its key made; one with records never. */
  readonly isNew: boolean
  /** The store is encrypted by other means, and the operator says so. */
  readonly unsealed?: boolean
}

export function sealerFrom(source: KeySource): Sealer {
  if (source.unsealed === true) return UNSEALED
  return sealerOf(
    parseKey(source.key ?? readOrMake(source), source.key ? 'the key given' : source.file),
  )
}

function parseKey(text: string, where: string): Uint8Array {
  if (!HEX_KEY.test(text.trim()))
    throw new JournalError('JournalKeyMustMatch', `${where} must be 64 hexadecimal digits`)
  return Buffer.from(text.trim(), 'hex')
}

function readOrMake({ file, isNew }: KeySource): string {
  let mode: number
  try {
    mode = statSync(file).mode
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (isNew) return makeKeyFile(file)
    const detail = `${file} is missing: bring it back from where keys are kept; no other key will do`
    throw new JournalError('JournalKeyMustMatch', detail)
  }
  if ((mode & 0o077) !== 0) {
    const detail = `${file} must be readable by its owner alone: chmod 600`
    throw new JournalError('JournalKeyMustMatch', detail)
  }
  return readFileSync(file, 'utf8')
}

/** Durable before the first record is sealed with it. */
function makeKeyFile(file: string): string {
  const text = `${randomBytes(32).toString('hex')}\n`
  const made = openSync(file, 'wx', 0o600)
  try {
    writeSync(made, text)
    fsyncSync(made)
  } finally {
    closeSync(made)
  }
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
  return text
}
