/** Development keys of circuits that are no batch: claims and sweeps. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  circuitOf,
  hashOfVerificationKey,
  isDevelopmentKey,
  PROJECT_ROOT,
  type CircuitFiles,
  type Progress,
} from './artifacts.ts'
import { writeDevelopmentKey } from './dev-key.ts'
import { exportSolidityVerifier, type VerificationKeyJson } from './groth16.ts'
import { writeWholeFile } from './whole-file.ts'

export type CircuitKey = CircuitFiles & {
  readonly name: string
  readonly zkeyPath: string
  readonly verificationKey: VerificationKeyJson
  /** SHA-256 of the verification key. */
  readonly keyHash: string
}

/** The law's circuits, and those that a house has of its own. */
const SHAPE_FOLDERS = ['circuits', 'sequencer'].map((room) => join(PROJECT_ROOT, room, 'shapes'))

/** Names of those that a house has of its own, beside the law's. */
export const HOUSE_CIRCUITS: readonly string[] = readdirSync(SHAPE_FOLDERS[1] as string)
  .filter((file) => file.endsWith('.circom'))
  .map((file) => file.slice(0, -'.circom'.length))
  .sort()

/** The file with the main component of that name, or null. The name may be anybody's. */
export function entryOfCircuit(name: string): string | null {
  if (!/^[a-z0-9-]+$/.test(name)) return null
  const places = SHAPE_FOLDERS.map((folder) => join(folder, `${name}.circom`))
  return places.find((place) => existsSync(place)) ?? null
}

/** Names of all circuits that a key can be made for. */
export function circuitNames(): readonly string[] {
  return SHAPE_FOLDERS.filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder))
    .flatMap((file) => (file.endsWith('.circom') ? [file.slice(0, -'.circom'.length)] : []))
    .sort()
}

/** The circuit circuits/shapes/NAME.circom, or the one in `entry`, and its DEVELOPMENT key: worthless, anyone can forge proofs for it. */
export async function developmentKeyOfCircuit(
  name: string,
  progress: Progress = () => {},
  entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${name}.circom`),
): Promise<CircuitKey> {
  const files = await circuitOf(entry, name, progress)
  const zkeyPath = join(files.dir, `${name}.development.zkey`)
  const verificationKeyPath = join(files.dir, `${name}.development.vkey.json`)
  if (!existsSync(zkeyPath) || !existsSync(verificationKeyPath)) {
    progress(`writing DEVELOPMENT key for ${name} (anyone can forge, local use only)`)
    const made = await writeDevelopmentKey({ r1csPath: files.r1csPath, zkeyPath, name })
    writeWholeFile(verificationKeyPath, JSON.stringify(made.verificationKey, null, 1))
  }
  const verificationKey = JSON.parse(
    readFileSync(verificationKeyPath, 'utf8'),
  ) as VerificationKeyJson
  return {
    ...files,
    name,
    zkeyPath,
    verificationKey,
    keyHash: hashOfVerificationKey(verificationKey),
  }
}

/** Solidity source of its verifier; of a development key it is named DevelopmentVerifier<Name>. */
export async function circuitVerifierSource(
  key: CircuitKey,
): Promise<{ readonly name: string; readonly source: string }> {
  const words = key.name.split('-').map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)
  const name = `${isDevelopmentKey(key) ? 'DevelopmentVerifier' : 'Verifier'}${words.join('')}`
  return { name, source: await exportSolidityVerifier(key.zkeyPath, name) }
}
