/**
 * The member's own log of what it disclosed: one line a grant, only ever added to, each line bound to
 * the one before by its hash.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { isRecord } from '../l1/codec.ts'
import { sha256Hex, syncFolder, writeAll } from '../l1/files.ts'

export type LogEntry = {
  readonly number: number
  /** Hash of the entry before; of the first, 64 zeros. */
  readonly previous: string
  readonly at: string
  readonly account: number
  readonly chainId: string
  readonly contract: string
  readonly period: { readonly from: string; readonly to: string; readonly asked: string }
  readonly batches: readonly string[]
  readonly purpose: string
  readonly file: string
  /** SHA-256 of the text that was signed. */
  readonly grant: string
}
export type GrantLog = {
  readonly entries: readonly (LogEntry & { readonly hash: string })[]
  /** The first line that does not follow, counted from 1, and why; null if all do. */
  readonly broken: { readonly line: number; readonly why: string } | null
  /** Bytes of whole lines: an append that was interrupted leaves a part of a line behind them. */
  readonly wholeBytes: number
  readonly isTorn: boolean
}

export const NO_ENTRY = '0'.repeat(64)

const hashOf = (entry: LogEntry): string =>
  sha256Hex(`cloister grant log\n${JSON.stringify(entry)}`)

export function readGrantLog(path: string): GrantLog {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1
  const lines = bytes.toString('utf8', 0, wholeBytes).split('\n').slice(0, -1)
  const entries: (LogEntry & { hash: string })[] = []
  let broken: GrantLog['broken'] = null
  for (const [i, line] of lines.entries()) {
    const read = entryOf(line, i + 1, entries.at(-1)?.hash ?? NO_ENTRY)
    if (typeof read === 'string') {
      broken = { line: i + 1, why: read }
      break
    }
    entries.push(read)
  }
  return { entries, broken, wholeBytes, isTorn: wholeBytes < bytes.length }
}

function entryOf(
  line: string,
  number: number,
  previous: string,
): (LogEntry & { hash: string }) | string {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return 'is no JSON'
  }
  if (!isRecord(json)) return 'is no entry'
  const { hash, ...rest } = json
  const entry = rest as unknown as LogEntry
  if (entry.number !== number) return `has number ${String(entry.number)}, not ${number}`
  if (entry.previous !== previous) return 'does not follow the line before'
  if (hash !== hashOf(entry)) return 'was altered'
  return { ...entry, hash: String(hash) }
}

/** Adds an entry; on the disk before it returns. Refuses to go on from a log that was altered. */
export function appendToGrantLog(
  path: string,
  entry: Omit<LogEntry, 'number' | 'previous'>,
): LogEntry & { readonly hash: string } {
  const log = readGrantLog(path)
  if (log.broken !== null)
    throw new Error(
      `the log of grants ${path} was altered: line ${log.broken.line} ${log.broken.why}; ` +
        'put back the copy you have, or move it away to begin another',
    )
  const place = { number: log.entries.length + 1, previous: log.entries.at(-1)?.hash ?? NO_ENTRY }
  const full: LogEntry = { ...place, ...entry }
  const hash = hashOf(full)
  const isNew = !existsSync(path)
  const file = openSync(path, 'a', 0o600)
  try {
    if (isNew) fchmodSync(file, 0o600)
    // A part of a line never was an entry, and no grant was written for it.
    if (log.isTorn) ftruncateSync(file, log.wholeBytes)
    writeAll(file, `${JSON.stringify({ ...full, hash })}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  if (isNew) syncFolder(dirname(path))
  return { ...full, hash }
}
