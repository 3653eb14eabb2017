/**
 * iden3's binary container (.zkey, .ptau, .r1cs): a magic word, a version, then sections with type
 * and length. Read here before snarkjs sees the file, because a file cut short makes it hang or
 * fail far from the cause.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { CeremonyFailure, type CeremonyRule } from './failure.ts'

export type Sections = ReadonlyMap<number, { readonly offset: number; readonly bytes: number }>

const MAX_SECTIONS = 64
const START_BYTES = 12
const HEAD_BYTES = 12

/** The sections of a file that is exactly as long as they say; throws CeremonyFailure(rule). */
export function readContainer(path: string, magic: string, rule: CeremonyRule): Sections {
  const file = openSync(path, 'r')
  try {
    const size = fstatSync(file).size
    const fail = (why: string): never => {
      throw new CeremonyFailure(rule, `${path} ${why}`)
    }
    const read = (at: number, bytes: number): Buffer => {
      const buffer = Buffer.alloc(bytes)
      if (readSync(file, buffer, 0, bytes, at) !== bytes) fail(`is cut short at ${size} bytes`)
      return buffer
    }
    const start = read(0, START_BYTES)
    if (start.toString('latin1', 0, 4) !== magic) fail(`is no ${magic} file`)
    const count = start.readUInt32LE(8)
    if (count > MAX_SECTIONS) fail(`claims ${count} sections`)
    const sections = new Map<number, { offset: number; bytes: number }>()
    let at = START_BYTES
    for (let i = 0; i < count; i++) {
      const head = read(at, HEAD_BYTES)
      const type = head.readUInt32LE(0)
      const bytes = Number(head.readBigUInt64LE(4))
      if (sections.has(type)) fail(`has section ${type} twice`)
      sections.set(type, { offset: at + HEAD_BYTES, bytes })
      at += HEAD_BYTES + bytes
      if (at > size) fail(`is cut short: section ${type} ends at ${at} of ${size} bytes`)
    }
    if (at !== size) fail(`has ${size - at} bytes behind its last section`)
    return sections
  } finally {
    closeSync(file)
  }
}

/** The first `limit` bytes of a section, or all of it. */
export function readSection(
  path: string,
  sections: Sections,
  type: number,
  limit = Infinity,
): Buffer {
  const section = sections.get(type)
  if (section === undefined) throw new Error(`${path} has no section ${type}`)
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(Math.min(section.bytes, limit))
    if (readSync(file, buffer, 0, buffer.length, section.offset) !== buffer.length) {
      throw new Error(`${path} became shorter while it was read`)
    }
    return buffer
  } finally {
    closeSync(file)
  }
}

/** Little endian. */
export function bigintAt(bytes: Uint8Array, offset: number, length: number): bigint {
  const hex = Buffer.from(bytes.subarray(offset, offset + length))
    .reverse()
    .toString('hex')
  return BigInt(`0x${hex}`)
}
