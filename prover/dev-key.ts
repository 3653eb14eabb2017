// A DEVELOPMENT proving key, written straight from a circuit: its toxic waste is derived from
// public text, so anyone can forge proofs for it. It needs no phase 1 and no ceremony, takes time
// linear in the circuit, and the same circuit gives the same bytes. Never let it guard value.
//
// The file is laid out as snarkjs' zkey_new.js does, with two differences: gamma is not one and
// delta is not gamma (in a key fresh from `zkey new` they are equal, and a proof for that key can
// be forged even without the toxic waste), and the circuit hash is replaced by a mark.

import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import {
  BASE_PRIME,
  compileCurve,
  FIELD_PRIME,
  FR_BYTES,
  G1_BYTES,
  instantiateCurve,
} from './bn254.ts'
import type { CurveModule } from './bn254.ts'
import { createPointPool } from './point-pool.ts'
import { COEFFICIENT_BYTES, domainSizeFor, quotientScalars, sweepConstraints } from './qap.ts'
import type { ToxicWaste } from './qap.ts'
import { readR1csLayout } from './r1cs.ts'
import type { R1csLayout } from './r1cs.ts'
import { describeVerificationKey, generatorMultiples } from './verification-key.ts'
import type { VerificationKeyJson } from './verification-key.ts'

export type DevKeyOptions = {
  readonly r1csPath: string
  /** Must end with `.development.zkey`: the name is the first of the traces that say so. */
  readonly zkeyPath: string
  readonly name: string
  readonly onProgress?: (done: number, total: number, what: string) => void
}

export type DevKey = {
  readonly nConstraints: number
  readonly nPublic: number
  readonly verificationKey: VerificationKeyJson
}

export const DEVELOPMENT_SUFFIX = '.development.zkey'
const WASTE_TEXT = 'cloister development key: worthless, anyone can forge'
/** 32 bytes: the first half of the file's circuit hash; the other is the SHA-256 of the r1cs. */
const MARK = 'DEVELOPMENT KEY: ANYONE CAN FAKE'
const SECTION_HEAD_BYTES = 12

export async function writeDevelopmentKey(options: DevKeyOptions): Promise<DevKey> {
  const { r1csPath, zkeyPath, name } = options
  if (!zkeyPath.endsWith(DEVELOPMENT_SUFFIX)) {
    throw new Error(`a development key's file must end with ${DEVELOPMENT_SUFFIX}: ${zkeyPath}`)
  }
  const r1cs = openSync(r1csPath, 'r')
  const temporary = `${zkeyPath}.${randomUUID()}.partial`
  let key: number | undefined
  try {
    const layout = readR1csLayout(r1cs, r1csPath)
    const hash = hashFile(r1cs)
    key = openSync(temporary, 'wx', 0o644)
    const verificationKey = await writeKey(options, layout, r1cs, hash, key)
    fsyncSync(key)
    closeSync(key)
    key = undefined
    renameSync(temporary, zkeyPath)
    return { nConstraints: layout.nConstraints, nPublic: layout.nPublic, verificationKey }
  } catch (cause) {
    rmSync(temporary, { force: true })
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`no development key for ${name} (${basename(r1csPath)}): ${reason}`, { cause })
  } finally {
    if (key !== undefined) closeSync(key)
    closeSync(r1cs)
  }
}

async function writeKey(
  { name, onProgress }: DevKeyOptions,
  layout: R1csLayout,
  r1cs: number,
  hash: Buffer,
  key: number,
): Promise<VerificationKeyJson> {
  const waste = deriveToxicWaste(name, hash)
  const domainSize = domainSizeFor(layout)
  const curveModule = compileCurve()
  const nPrivate = layout.nVars - layout.nPublic - 1
  const expected = { G1: domainSize + layout.nVars * 2 + nPrivate, G2: layout.nVars }
  const total = expected.G1 + expected.G2
  let done = 0
  let what = 'constraints and points H'
  const pool = createPointPool({
    curveModule,
    expected,
    onPoints: (count) => {
      done += count
      onProgress?.(done, total, what)
    },
  })
  try {
    onProgress?.(0, total, what)
    // The threads work on H while this one reads the constraints.
    const pointsH = pool.multiply('G1', quotientScalars(curveModule, waste, domainSize))
    pointsH.catch(() => {}) // awaited below; it must not be unhandled if the sweep throws first
    const file = sectionWriter(key, 10)
    file.section(1, [uint32(1)]) // Groth16
    const fixed = generatorMultiples(curveModule, waste)
    file.section(2, headerOf(layout, domainSize, fixed))
    const coefficients = file.open(4, [uint32(0)]) // the count is patched below
    const wires = sweepConstraints({
      curveModule,
      waste,
      file: r1cs,
      layout,
      domainSize,
      writeCoefficients: coefficients.write,
    })
    coefficients.close((bytes) => uint32((bytes - 4) / COEFFICIENT_BYTES))
    const ic = publicPoints(curveModule, wires.publicInputs)
    file.section(3, ic)

    // Queued together, so that no thread waits while a section is written.
    const later = [
      { id: 8, what: 'points C', points: pool.multiply('G1', wires.c) },
      { id: 5, what: 'points A', points: pool.multiply('G1', wires.a) },
      { id: 6, what: 'points B1', points: pool.multiply('G1', wires.b) },
      { id: 7, what: 'points B2', points: pool.multiply('G2', wires.b) },
    ]
    for (const { points } of later) points.catch(() => {})
    file.section(9, [await pointsH])
    for (const { id, what: label, points } of later) {
      what = label
      file.section(id, [await points])
    }
    file.section(10, [markOf(hash), uint32(0)]) // no contributions
    return describeVerificationKey(curveModule, fixed, ic)
  } finally {
    await pool.close()
  }
}

/** Public by design: the same circuit under the same name has the same key on every machine. */
export function deriveToxicWaste(name: string, r1csHash: Uint8Array): ToxicWaste {
  const seed = createHash('sha256')
    .update(WASTE_TEXT)
    .update('\0')
    .update(name)
    .update('\0')
    .update(r1csHash)
    .digest()
  const scalar = (label: string): bigint => {
    // 512 bits, so that the reduction's bias is nothing; zero and one are refused below.
    const wide = createHash('sha512').update(seed).update(label).digest('hex')
    return BigInt(`0x${wide}`) % FIELD_PRIME
  }
  const waste = {
    tau: scalar('tau'),
    alpha: scalar('alpha'),
    beta: scalar('beta'),
    gamma: scalar('gamma'),
    delta: scalar('delta'),
  }
  const distinct = new Set([0n, 1n, ...Object.values(waste)])
  if (distinct.size !== 7) throw new Error('the derived scalars are degenerate: choose a new name')
  return waste
}

function hashFile(file: number): Buffer {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(4 << 20)
  for (let position = 0; ;) {
    const got = readSync(file, buffer, 0, buffer.length, position)
    if (got === 0) return hash.digest()
    hash.update(buffer.subarray(0, got))
    position += got
  }
}

function headerOf(
  layout: R1csLayout,
  domainSize: number,
  fixed: ReturnType<typeof generatorMultiples>,
): Uint8Array[] {
  return [
    uint32(FR_BYTES),
    littleEndian(BASE_PRIME),
    uint32(FR_BYTES),
    littleEndian(FIELD_PRIME),
    uint32(layout.nVars),
    uint32(layout.nPublic),
    uint32(domainSize),
    fixed.alpha1,
    fixed.beta1,
    fixed.beta2,
    fixed.gamma2,
    fixed.delta1,
    fixed.delta2,
  ]
}

function publicPoints(module: CurveModule, scalars: readonly Uint8Array[]): Uint8Array[] {
  const curve = instantiateCurve(module, 4096)
  const scalarAt = curve.allocate(FR_BYTES)
  const point = curve.allocate(G1_BYTES + G1_BYTES / 2)
  return scalars.map((scalar) => {
    curve.u8.set(scalar, scalarAt)
    curve.exports.g1m_timesScalarAffine(curve.g1Generator, scalarAt, FR_BYTES, point)
    curve.exports.g1m_toAffine(point, point)
    return curve.u8.slice(point, point + G1_BYTES)
  })
}

function markOf(hash: Buffer): Uint8Array {
  return Buffer.concat([Buffer.from(MARK, 'latin1'), hash])
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function littleEndian(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

/** iden3's binary container: a magic word, then sections with their type and length. */
function sectionWriter(file: number, sections: number) {
  let position = 0
  const write = (bytes: Uint8Array, at = position): void => {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(file, bytes, done, bytes.length - done, at + done)
    }
    if (at === position) position += bytes.length
  }
  write(Buffer.from('zkey', 'latin1'))
  write(uint32(1))
  write(uint32(sections))
  const open = (type: number, parts: readonly Uint8Array[]) => {
    const head = Buffer.alloc(SECTION_HEAD_BYTES)
    head.writeUInt32LE(type)
    const start = position
    write(head)
    for (const part of parts) write(part)
    return {
      write: (bytes: Uint8Array): void => write(bytes),
      close: (patch?: (bytes: number) => Uint8Array): void => {
        const bytes = position - start - SECTION_HEAD_BYTES
        head.writeBigUInt64LE(BigInt(bytes), 4)
        write(head, start)
        if (patch !== undefined) write(patch(bytes), start + SECTION_HEAD_BYTES)
      },
    }
  }
  const section = (type: number, parts: readonly Uint8Array[]): void => open(type, parts).close()
  return { open, section }
}
