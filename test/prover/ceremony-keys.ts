/** The ceremony that its tests share: a small circuit, and a phase 1 of a tau that they know. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { DERIVE, type CeremonyCircuit, type Derive } from '../../prover/ceremony/circuit.ts'
import type { CeremonyRule } from '../../prover/ceremony/failure.ts'
import { blake2bOf } from '../../prover/ceremony/phase1.ts'
import { beacon, contribute, initCeremony } from '../../prover/ceremony/steps.ts'
import {
  sealOf,
  transcriptPathOf,
  type SealedTranscript,
  type Transcript,
} from '../../prover/ceremony/transcript.ts'
import {
  verifyCeremony,
  type CeremonyReport,
  type VerifyOptions,
} from '../../prover/ceremony/verify.ts'
import { deriveToxicWaste } from '../../prover/dev-key.ts'
import { shutdown } from '../../prover/groth16.ts'
import { writeKnownPtau } from './known-ptau.ts'

export const CIRCUITS = join(PROJECT_ROOT, 'test', 'prover', 'circuits')
export const CIRCUIT = join(CIRCUITS, 'opening.circom')
export const BEACON_VALUE = 'ab'.repeat(32)
export const BEACON = { source: 'the hash of block 20000000', iterationsLog2: 10 }

/** Each circuit compiled once, by the compiler that verification uses by itself. */
const circuits = new Map<string, CeremonyCircuit>()
export async function compile(file: string): Promise<CeremonyCircuit> {
  const known = circuits.get(file) ?? (await DERIVE.compile(file))
  circuits.set(file, known)
  return { ...known, remove: () => {} }
}

/** Each initial key once, too. */
const initialKeys = new Map<string, string>()
export const derive: Derive = {
  compile,
  initialKey: async (r1csPath, phase1, zkeyPath) => {
    const made = `${r1csPath} ${await blake2bOf(phase1)}`
    const known = initialKeys.get(made)
    if (known !== undefined) return copyFileSync(known, zkeyPath)
    const kept = at(`kept-${initialKeys.size}.zkey`)
    await DERIVE.initialKey(r1csPath, phase1, kept)
    initialKeys.set(made, kept)
    copyFileSync(kept, zkeyPath)
  },
}

let dir: string
export let phase1Path: string
export let phase1Hash: string
export const at = (file: string): string => join(dir, file)

/** To be called at the top of a test file: the keys 0 to 4 of three parties and a beacon. */
export function useCeremony(): void {
  beforeAll(makeKeys)
  afterAll(async () => {
    await shutdown()
    for (const { remove } of circuits.values()) remove()
    rmSync(dir, { recursive: true, force: true })
  })
}

async function makeKeys(): Promise<void> {
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-ceremony-'))
  phase1Path = at('known.ptau')
  writeKnownPtau(phase1Path, 9, deriveToxicWaste('ceremony test', Buffer.alloc(32)))
  phase1Hash = await blake2bOf(phase1Path)
  await initCeremony({
    circuit: CIRCUIT,
    phase1Path,
    acceptedPhase1Hash: phase1Hash,
    zkeyPath: at('0.zkey'),
    parties: ['Ann', 'Ben', 'Cyd'],
    beacon: BEACON,
  })
  await contribute({ from: at('0.zkey'), to: at('1.zkey'), name: 'Ann' })
  await contribute({ from: at('1.zkey'), to: at('2.zkey'), name: 'Ben', typed: 'dice: 4 1 6' })
  await contribute({ from: at('2.zkey'), to: at('3.zkey'), name: 'Cyd' })
  await beacon({ from: at('3.zkey'), to: at('4.zkey'), value: BEACON_VALUE })
}

/** A key that only a beacon contributed to. */
export async function makeLoneKey(): Promise<string> {
  await initCeremony({
    circuit: CIRCUIT,
    phase1Path,
    acceptedPhase1Hash: phase1Hash,
    zkeyPath: at('lone-0.zkey'),
    parties: [],
    beacon: BEACON,
    derive,
  })
  await beacon({ from: at('lone-0.zkey'), to: at('lone.zkey'), value: BEACON_VALUE })
  return at('lone.zkey')
}

export function verify(
  zkeyPath: string,
  more: Partial<VerifyOptions> = {},
): Promise<CeremonyReport> {
  return verifyCeremony({
    circuit: CIRCUIT,
    zkeyPath,
    phase1Path,
    acceptedPhase1Hash: phase1Hash,
    derive,
    ...more,
  })
}

export const failedIn = (report: CeremonyReport): CeremonyRule[] =>
  report.checks.filter(({ verdict }) => verdict === 'failed').map(({ must }) => must)
export const detailOf = (report: CeremonyReport, rule: CeremonyRule): string =>
  [...report.checks]
    .sort((a, b) => Number(b.verdict === 'failed') - Number(a.verdict === 'failed'))
    .find(({ must }) => must === rule)?.detail ?? ''

/** A copy of a key with a transcript that was changed on the way. */
export function altered(
  from: string,
  name: string,
  change: (told: SealedTranscript) => unknown,
): string {
  const to = at(`${name}.zkey`)
  copyFileSync(from, to)
  const told = JSON.parse(readFileSync(transcriptPathOf(from), 'utf8')) as SealedTranscript
  writeFileSync(transcriptPathOf(to), JSON.stringify(change(told)))
  return to
}

export const sealedAnew = (told: Transcript) => ({ ...told, seal: sealOf(told) })
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export const editStep = (told: Transcript, index: number, edit: object): Transcript => ({
  ...told,
  steps: told.steps.map((step, i) => (i === index ? { ...step, ...edit } : step)) as Mutable<
    Transcript['steps']
  >,
})
