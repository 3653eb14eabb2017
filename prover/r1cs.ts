// Reading the header of a circuit's .r1cs file (iden3 format, version 1), and where its
// constraints lie.

import { openSync, closeSync, fstatSync, readSync } from 'node:fs'
import { FIELD_PRIME, FR_BYTES } from './bn254.ts'

export type R1csInfo = {
  readonly nVars: number
  readonly nOutputs: number
  readonly nPublicInputs: number
  readonly nPrivateInputs: number
  readonly nLabels: number
  readonly nConstraints: number
  /** Outputs and public inputs together: what a verifier is given. */
  readonly nPublic: number
}

export type R1csLayout = R1csInfo & {
  readonly constraintsOffset: number
  readonly constraintsBytes: number
}

const HEADER_SECTION = 1
const CONSTRAINTS_SECTION = 2
const CUSTOM_GATES_SECTIONS = [4, 5]
const MAX_SECTIONS = 64

export function readR1csInfo(path: string): R1csInfo {
  const file = openSync(path, 'r')
  try {
    const { constraintsOffset: _, constraintsBytes: __, ...info } = readR1csLayout(file, path)
    return info
  } finally {
    closeSync(file)
  }
}

export function readR1csLayout(file: number, path: string): R1csLayout {
  const size = fstatSync(file).size
  const read = (offset: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes)
    if (offset + bytes > size || readSync(file, buffer, 0, bytes, offset) !== bytes) {
      throw new Error(`${path} ends early: wanted ${bytes} bytes at ${offset} of ${size}`)
    }
    return buffer
  }
  const start = read(0, 12)
  if (start.toString('latin1', 0, 4) !== 'r1cs' || start.readUInt32LE(4) !== 1) {
    throw new Error(`${path} is not an r1cs file of version 1`)
  }
  const sections = new Map<number, { offset: number; bytes: number }>()
  const count = start.readUInt32LE(8)
  if (count > MAX_SECTIONS) throw new Error(`${path} claims ${count} sections`)
  let position = 12
  for (let i = 0; i < count; i++) {
    if (position + 12 > size) throw new Error(`${path} is truncated to ${size} bytes`)
    const head = read(position, 12)
    const bytes = Number(head.readBigUInt64LE(4))
    sections.set(head.readUInt32LE(0), { offset: position + 12, bytes })
    position += 12 + bytes
  }
  if (position > size) throw new Error(`${path} is truncated to ${size} bytes`)
  for (const type of CUSTOM_GATES_SECTIONS) {
    // An empty list is four zero bytes.
    if ((sections.get(type)?.bytes ?? 0) > 4) throw new Error(`${path} uses custom gates`)
  }
  const header = sections.get(HEADER_SECTION)
  const constraints = sections.get(CONSTRAINTS_SECTION)
  if (header === undefined || constraints === undefined) {
    throw new Error(`${path} lacks its header or its constraints`)
  }
  return {
    ...parseHeader(read(header.offset, header.bytes), path),
    constraintsOffset: constraints.offset,
    constraintsBytes: constraints.bytes,
  }
}

function parseHeader(header: Buffer, path: string): R1csInfo {
  const fieldBytes = header.readUInt32LE(0)
  const prime = BigInt(
    `0x${Buffer.from(header.subarray(4, 4 + fieldBytes))
      .reverse()
      .toString('hex')}`,
  )
  if (fieldBytes !== FR_BYTES || prime !== FIELD_PRIME) {
    throw new Error(`${path} is over the field of ${prime}, not BN254's scalar field`)
  }
  const at = 4 + FR_BYTES
  const nOutputs = header.readUInt32LE(at + 4)
  const nPublicInputs = header.readUInt32LE(at + 8)
  return {
    nVars: header.readUInt32LE(at),
    nOutputs,
    nPublicInputs,
    nPrivateInputs: header.readUInt32LE(at + 12),
    nLabels: Number(header.readBigUInt64LE(at + 16)),
    nConstraints: header.readUInt32LE(at + 24),
    nPublic: nOutputs + nPublicInputs,
  }
}
