/**
 * How two members of the day show each other what they agree on: a file a document, named by its
 * payload. The house sees the payload only; what a reader finds it hashes again.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentHash } from '../../circuits/document.ts'

/** Renamed into place: the other side reads the whole or nothing. */
export function showDocument(folder: string, document: string): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${documentHash(document)}.json`)
  // Two processes may write the same one.
  const part = `${file}.${process.pid}.tmp`
  writeFileSync(part, document)
  renameSync(part, file)
}

export function shownDocument(folder: string, payload: string): string | null {
  const file = join(folder, `${BigInt(payload)}.json`)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}
