// The development key against snarkjs: it proves, verifies, refuses, repeats itself byte for byte,
// and its points equal those of snarkjs' own set-up on the same powers of tau.

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileCurve, FR_BYTES } from '../../prover/bn254.ts'
import { compileCircuit } from '../../prover/compile.ts'
import type { CompiledCircuit } from '../../prover/compile.ts'
import { deriveToxicWaste, writeDevelopmentKey } from '../../prover/dev-key.ts'
import type { DevKey } from '../../prover/dev-key.ts'
import { createFixedBase } from '../../prover/fixed-base.ts'
import {
  calculateWitness,
  exportSolidityVerifier,
  exportVerificationKey,
  prove,
  readR1csInfo,
  shutdown,
  verify,
} from '../../prover/groth16.ts'
import type { Proof } from '../../prover/groth16.ts'
import { createPointPool } from '../../prover/point-pool.ts'
import { createProverPool, proveInChild, ProveError } from '../../prover/pool.ts'
import { writeKnownPtau } from './known-ptau.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const CIRCUIT = `pragma circom 2.2.0;
include "circomlib/circuits/poseidon.circom";
template Opening() {
  signal input value;
  signal input salt;
  signal input shift;
  signal output commitment;
  signal output shifted;
  component hash = Poseidon(2);
  hash.inputs[0] <== value;
  hash.inputs[1] <== salt;
  commitment <== hash.out;
  shifted <== hash.out * shift;
  // ShiftMustNotBeOne
  signal inverse <-- shift == 1 ? 0 : 1 / (shift - 1);
  inverse * (shift - 1) === 1;
}
component main { public [shift] } = Opening();
`
const INPUT = { value: 41n, salt: 12345678901234567890n, shift: 7n }

let dir: string
let compiled: CompiledCircuit
let key: DevKey
let zkeyPath: string
let proved: Proof

beforeAll(async () => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(ROOT, '.cache', 'test-dev-key-'))
  writeFileSync(join(dir, 'opening.circom'), CIRCUIT)
  compiled = await compileCircuit({
    entry: join(dir, 'opening.circom'),
    outDir: join(dir, 'out'),
    includeDirs: [join(ROOT, 'node_modules')],
  })
  zkeyPath = join(dir, 'opening.development.zkey')
  key = await writeDevelopmentKey({ r1csPath: compiled.r1csPath, zkeyPath, name: 'opening' })
  proved = await prove(zkeyPath, compiled.wasmPath, INPUT)
})

afterAll(async () => {
  await shutdown()
  rmSync(dir, { recursive: true, force: true })
})

describe('writeDevelopmentKey', () => {
  it('gives a key whose proofs verify', async () => {
    expect(key.nPublic).toBe(3)
    expect(key.nConstraints).toBe(readR1csInfo(compiled.r1csPath).nConstraints)
    expect(await verify(key.verificationKey, proved.publicSignals, proved.proof)).toBe(true)
  })

  it('refuses a wrong, a missing and an extra public signal', async () => {
    const { proof, publicSignals } = proved
    for (let i = 0; i < publicSignals.length; i++) {
      const wrong = publicSignals.map((s, j) => (i === j ? (BigInt(s) + 1n).toString() : s))
      expect(await verify(key.verificationKey, wrong, proof)).toBe(false)
    }
    expect(await verify(key.verificationKey, publicSignals.slice(0, -1), proof)).toBe(false)
    expect(await verify(key.verificationKey, [...publicSignals, '0'], proof)).toBe(false)
  })

  it('describes the verification key as snarkjs does, with delta apart from gamma', async () => {
    expect(key.verificationKey).toEqual(await exportVerificationKey(zkeyPath))
    expect(key.verificationKey.vk_delta_2).not.toEqual(key.verificationKey.vk_gamma_2)
  })

  it('writes the same bytes twice, others under another name, and nothing else', async () => {
    const again = join(dir, 'again.development.zkey')
    const other = join(dir, 'other.development.zkey')
    const { r1csPath } = compiled
    const first = readFileSync(zkeyPath)
    await writeDevelopmentKey({ r1csPath, zkeyPath: again, name: 'opening' })
    await writeDevelopmentKey({ r1csPath, zkeyPath: other, name: 'another' })
    expect(readFileSync(again).equals(first)).toBe(true)
    expect(readFileSync(other).equals(first)).toBe(false)
    expect(readdirSync(dir).filter((file) => file.includes('partial'))).toEqual([])
  })

  it('says in its file name and in the file what it is', async () => {
    await expect(
      writeDevelopmentKey({
        r1csPath: compiled.r1csPath,
        zkeyPath: join(dir, 'opening.zkey'),
        name: 'opening',
      }),
    ).rejects.toThrow('.development.zkey')
    expect(readFileSync(zkeyPath).includes('DEVELOPMENT KEY: ANYONE CAN FAKE')).toBe(true)
  })

  it('refuses a truncated r1cs and leaves no key', async () => {
    const r1csPath = join(dir, 'cut.r1cs')
    const cut = join(dir, 'cut.development.zkey')
    writeFileSync(r1csPath, readFileSync(compiled.r1csPath).subarray(0, 5000))
    await expect(writeDevelopmentKey({ r1csPath, zkeyPath: cut, name: 'cut' })).rejects.toThrow(
      'truncated',
    )
    expect(readdirSync(dir).filter((file) => file.startsWith('cut.dev'))).toEqual([])
  })
})

/** snarkjs' sections by their type. */
function sectionsOf(file: Buffer): Map<number, Buffer> {
  const sections = new Map<number, Buffer>()
  for (let at = 12; at < file.length;) {
    const bytes = Number(file.readBigUInt64LE(at + 4))
    sections.set(file.readUInt32LE(at), file.subarray(at + 12, at + 12 + bytes))
    at += 12 + bytes
  }
  return sections
}

describe("against snarkjs' own set-up", () => {
  it('has the same layout, coefficients, A, B1 and B2 from the same powers of tau', async () => {
    const r1csHash = createHash('sha256').update(readFileSync(compiled.r1csPath)).digest()
    const waste = deriveToxicWaste('opening', r1csHash)
    const ptau = join(dir, 'known.ptau')
    const reference = join(dir, 'reference.zkey')
    writeKnownPtau(ptau, 10, waste)
    const { zKey } = await import('snarkjs')
    await zKey.newZKey(compiled.r1csPath, ptau, reference)
    const ours = sectionsOf(readFileSync(zkeyPath))
    const theirs = sectionsOf(readFileSync(reference))
    expect([...ours.keys()]).toEqual([...theirs.keys()])
    for (const [type, bytes] of theirs) expect(ours.get(type)?.length).toBe(bytes.length)
    for (const type of [1, 4, 5, 6, 7]) {
      expect(ours.get(type)?.equals(theirs.get(type) ?? Buffer.alloc(0)), `${type}`).toBe(true)
    }
    // Everything before gamma in the header; gamma and delta differ by design.
    const beforeGamma = 4 + 32 + 4 + 32 + 12 + 64 + 64 + 128
    expect(ours.get(2)?.subarray(0, beforeGamma)).toEqual(theirs.get(2)?.subarray(0, beforeGamma))
    // Theirs have delta = gamma = 1. Infinity must be in the same places at least.
    const points = (s: Buffer | undefined) =>
      Array.from({ length: (s?.length ?? 0) / 64 }, (_, i) =>
        s?.subarray(i * 64, i * 64 + 64).every((byte) => byte === 0),
      )
    for (const type of [3, 8, 9]) expect(points(ours.get(type))).toEqual(points(theirs.get(type)))
  })
})

describe('the point pool', () => {
  it('gives the same points with threads as in place', async () => {
    const curveModule = compileCurve()
    const count = 9000
    const scalars = new SharedArrayBuffer(count * FR_BYTES)
    const bytes = new Uint8Array(scalars)
    for (let i = 0; i < count; i++) {
      // Every seventh is zero, and every eleventh is small: what real keys are full of.
      if (i % 7 === 0) continue
      const digest = createHash('sha256').update(`${i}`).digest()
      bytes.set(i % 11 === 0 ? digest.subarray(0, 1) : digest.subarray(0, 31), i * FR_BYTES)
    }
    let reported = 0
    const pool = createPointPool({
      curveModule,
      expected: { G1: count, G2: 0 },
      onPoints: (n) => {
        reported += n
      },
    })
    const threaded = await pool.multiply('G1', scalars)
    await pool.close()
    const alone = new Uint8Array(count * 64)
    createFixedBase(curveModule, 'G1', 7).multiply(bytes, alone, 0, count)
    expect(Buffer.from(threaded).equals(alone)).toBe(true)
    expect(reported).toBe(count)
    expect(alone.subarray(0, 64).every((byte) => byte === 0)).toBe(true)
  })
})

describe('the door to snarkjs', () => {
  it('names the template and line of a failed assertion', async () => {
    await expect(calculateWitness(compiled.wasmPath, { ...INPUT, shift: 1n })).rejects.toThrow(
      /Opening.*line: 16/s,
    )
  })

  it('exports a renamed Solidity verifier that says it is for development', async () => {
    const source = await exportSolidityVerifier(zkeyPath, 'OpeningVerifier')
    expect(source).toContain('contract OpeningVerifier {')
    expect(source.slice(0, 300)).toContain('DEVELOPMENT KEY')
    expect(source).toContain(key.verificationKey.vk_delta_2[0][0])
    await expect(exportSolidityVerifier(zkeyPath, 'X { } contract Y')).rejects.toThrow('no name')
  })

  it('reports what the compiler says of a faulty circuit', async () => {
    writeFileSync(
      join(dir, 'faulty.circom'),
      `pragma circom 2.2.0;
template T() { signal x; x <== y; }
component main = T();
`,
    )
    await expect(
      compileCircuit({
        entry: join(dir, 'faulty.circom'),
        outDir: join(dir, 'out'),
        includeDirs: [],
      }),
    ).rejects.toThrow(/faulty\.circom.*error/s)
  })
})

describe('proveInChild', () => {
  it('proves the same statement, more jobs than room', async () => {
    const verificationKeyPath = join(dir, 'vk.json')
    writeFileSync(verificationKeyPath, JSON.stringify(key.verificationKey))
    const pool = createProverPool(1)
    const job = { zkeyPath, wasmPath: compiled.wasmPath, verificationKeyPath, input: INPUT }
    const both = await Promise.all([pool.prove(job), proveInChild(job), pool.prove(job)])
    for (const { publicSignals } of both) expect(publicSignals).toEqual(proved.publicSignals)
  })

  it('says what failed', async () => {
    const job = { zkeyPath, wasmPath: compiled.wasmPath, input: { ...INPUT, shift: 1n } }
    const failed = await proveInChild(job).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(ProveError)
    expect(failed).toMatchObject({ stage: 'witness', message: expect.stringContaining('Opening') })
    await expect(
      proveInChild({ ...job, zkeyPath: join(dir, 'none.zkey'), input: INPUT }),
    ).rejects.toMatchObject({ stage: 'proof' })
    await expect(proveInChild({ ...job, timeoutMs: 1 })).rejects.toThrow('longer than 1 ms')
  })
})
