/**
 * What the circuits of this checkout are, in hashes: the same sources give the same r1cs, the same
 * development key and the same verifier contract on every machine. fingerprints.json is committed;
 * it changes together with a line that says why.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ESCAPE_SHAPES } from '../circuits/escape.ts'
import { SHAPES } from '../circuits/params.ts'
import { SWEEP_SHAPES } from '../circuits/sweep.ts'
import {
  circuitOf,
  developmentKeyOf,
  PROJECT_ROOT,
  shapeNamed,
  verifierSource,
  type Progress,
} from './artifacts.ts'
import { compileForCeremony } from './ceremony/circuit.ts'
import { sha256Of } from './ceremony/zkey-file.ts'
import {
  circuitVerifierSource,
  developmentKeyOfCircuit,
  entryOfCircuit,
  HOUSE_CIRCUITS,
} from './circuit-key.ts'
import { readR1csInfo } from './r1cs.ts'
import { compileSolidity } from './solidity.ts'

export type KeyPrint = {
  /** SHA-256 of the verification key, as the contract has it. */
  readonly keyHash: string
  /** SHA-256 of the Solidity verifier's creation code. */
  readonly verifierSha256: string
}
export type Fingerprint = {
  readonly constraints: number
  readonly r1csSha256: string
  /** Of the DEVELOPMENT key; absent where it has not been written. */
  readonly developmentKey?: KeyPrint
}
export type Change = {
  readonly why: string
  /** The r1cs of the smallest shape since then. */
  readonly miniR1csSha256: string
}
export type Fingerprints = {
  /** Packages whose versions the hashes depend on. */
  readonly tools: Readonly<Record<string, string>>
  /** By name: batches, claims and sweeps. */
  readonly shapes: Readonly<Record<string, Fingerprint>>
  /** Oldest first. */
  readonly changes: readonly Change[]
}

export const FINGERPRINTS_PATH = join(PROJECT_ROOT, 'prover', 'fingerprints.json')
/** Circuits that a house may have a verifier of: batches, claims, sweeps, and sweeps of its own shapes. */
export const CIRCUIT_NAMES: readonly string[] = [
  ...[...SHAPES, ...ESCAPE_SHAPES, ...SWEEP_SHAPES].map(({ name }) => name),
  ...HOUSE_CIRCUITS,
]
const entryOf = (name: string): string => {
  const entry = CIRCUIT_NAMES.includes(name) ? entryOfCircuit(name) : null
  if (entry === null)
    throw new Error(`there is no circuit ${name}; there are ${CIRCUIT_NAMES.join(', ')}`)
  return entry
}
const isBatch = (name: string): boolean => SHAPES.some((shape) => shape.name === name)

const TOOLS = ['circom2', 'circomlib', 'snarkjs', 'solc'] as const

export function committedFingerprints(): Fingerprints {
  return JSON.parse(readFileSync(FINGERPRINTS_PATH, 'utf8')) as Fingerprints
}

export function toolVersions(): Record<string, string> {
  const versionOf = (name: string): string =>
    (
      JSON.parse(
        readFileSync(join(PROJECT_ROOT, 'node_modules', name, 'package.json'), 'utf8'),
      ) as { version: string }
    ).version
  return Object.fromEntries(TOOLS.map((name) => [name, versionOf(name)]))
}

export type MeasureOptions = {
  /** Writes the development key, too: minutes and gigabytes for the large shapes. */
  readonly withKey: boolean
  /** Compiles although the cache has the circuit. */
  readonly isFresh?: boolean
  readonly progress?: Progress
}

export async function fingerprintOf(name: string, options: MeasureOptions): Promise<Fingerprint> {
  const { withKey, isFresh = false, progress } = options
  const circuit = isFresh ? await freshPrint(name, progress) : await cachedPrint(name, progress)
  return withKey ? { ...circuit, developmentKey: await keyPrint(name, progress) } : circuit
}

async function cachedPrint(name: string, progress?: Progress): Promise<Fingerprint> {
  const { r1csPath } = await circuitOf(entryOf(name), name, progress)
  const constraints = readR1csInfo(r1csPath).nConstraints
  return { constraints, r1csSha256: await sha256Of(r1csPath) }
}

async function freshPrint(name: string, progress?: Progress): Promise<Fingerprint> {
  const { identity, remove } = await compileForCeremony(entryOf(name), progress)
  remove()
  return { constraints: identity.constraints, r1csSha256: identity.r1csSha256 }
}

async function keyPrint(name: string, progress?: Progress): Promise<KeyPrint> {
  const { key, verifier } = isBatch(name)
    ? await batchKey(name, progress)
    : await otherKey(name, progress)
  const bytecode =
    compileSolidity({ [`${verifier.name}.sol`]: verifier.source })[verifier.name]?.bytecode ?? '0x'
  const code = Buffer.from(bytecode.slice(2), 'hex')
  return {
    keyHash: key.keyHash,
    verifierSha256: createHash('sha256').update(code).digest('hex'),
  }
}

async function batchKey(name: string, progress?: Progress) {
  const key = await developmentKeyOf(shapeNamed(name), progress)
  return { key, verifier: await verifierSource(key) }
}

async function otherKey(name: string, progress?: Progress) {
  const key = await developmentKeyOfCircuit(name, progress, entryOf(name))
  return { key, verifier: await circuitVerifierSource(key) }
}

/** What differs from what was committed, in words; nothing is said of what was not measured. */
export function differencesFrom(committed: Fingerprint | undefined, found: Fingerprint): string[] {
  if (committed === undefined) return ['it has no committed fingerprint']
  const differ: string[] = []
  const compare = (what: string, was: unknown, is: unknown): void => {
    if (was !== undefined && is !== undefined && was !== is)
      differ.push(`its ${what} is ${is}, committed is ${was}`)
  }
  compare('number of constraints', committed.constraints, found.constraints)
  compare('r1cs', committed.r1csSha256, found.r1csSha256)
  const [was, is] = [committed.developmentKey, found.developmentKey]
  compare('key hash', was?.keyHash, is?.keyHash)
  compare('verifier', was?.verifierSha256, is?.verifierSha256)
  return differ
}
