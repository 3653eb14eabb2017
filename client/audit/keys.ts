/** Keys: what this checkout has for a circuit, held against the key and the verifier that L1 has. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  developmentKeyOf,
  hashOfVerificationKey,
  PROJECT_ROOT,
  shapeNamed,
  sourceHash,
} from '../../prover/artifacts.ts'
import { developmentKeyOfCircuit, entryOfCircuit } from '../../prover/circuit-key.ts'
import { committedFingerprints } from '../../prover/fingerprints.ts'
import { verifierSourceOf, type VerificationKeyJson } from '../../prover/groth16.ts'
import { compileSolidity, isSameCode, type Runtime } from '../../prover/solidity.ts'
import type { Progress, ShapeEvent } from '../l1/events.ts'
import type { L1 } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'

/**
 * The verification key that the circuits of this checkout have for a shape, or null if it is not at
 * hand.
 */
export type KeySource = (circuit: NamedCircuit) => Promise<VerificationKeyJson | null>
/** Claims and sweeps have no sizes of a batch. */
export type NamedCircuit = Pick<ShapeEvent, 'name'> & Partial<Pick<ShapeEvent, 'sizes'>>
/** What L1 says of a verifier. */
export type NamedVerifier = NamedCircuit & Pick<ShapeEvent, 'verifier' | 'keyHash'>

/** Compiles the circuits and writes the development key unless the cache has them. */
export function keysOfCheckout(progress: Progress): KeySource {
  return async (circuit) => {
    if (!isKnownShape(circuit)) return null
    const key =
      circuit.sizes === undefined
        ? await developmentKeyOfCircuit(
            circuit.name,
            progress,
            entryOfCircuit(circuit.name) ?? undefined,
          )
        : await developmentKeyOf(shapeNamed(circuit.name), progress)
    return key.verificationKey
  }
}

/** Takes what an earlier build of the same sources left in the cache, and builds nothing. */
export function keysOfCache(): KeySource {
  return async (shape) => {
    const entry = entryOfCircuit(shape.name)
    if (!isKnownShape(shape) || entry === null) return null
    const path = join(
      PROJECT_ROOT,
      '.cache',
      'circuits',
      `${shape.name}-${sourceHash(entry)}`,
      `${shape.name}.development.vkey.json`,
    )
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as VerificationKeyJson) : null
  }
}

/** Keys that a ceremony exported: NAME.vkey.json in a folder. */
export function keysOfFolder(folder: string): KeySource {
  return async ({ name }) => {
    const path = join(folder, `${name}.vkey.json`)
    if (!/^[a-z0-9-]+$/.test(name) || !existsSync(path)) return null
    return JSON.parse(readFileSync(path, 'utf8')) as VerificationKeyJson
  }
}

function isKnownShape({ name, sizes }: NamedCircuit): boolean {
  if (sizes === undefined) return entryOfCircuit(name) !== null
  try {
    const shape = shapeNamed(name)
    return (
      shape.members === sizes.members &&
      shape.deposits === sizes.deposits &&
      shape.withdrawals === sizes.withdrawals &&
      shape.requests === sizes.requests
    )
  } catch {
    return false
  }
}

/** Verifiers of claims and sweeps: who forges a claim after a freeze takes the pot. */
export async function exitVerifiers(
  l1: L1,
  checks: Checks,
  fromBlock: number,
): Promise<readonly AuditedVerifier[]> {
  const read = (name: string) =>
    checks.attempt('keys', name, () => l1.logs(fromBlock, l1.head.number, name))
  const logs = [await read('EscapeShapeAdded'), await read('SweepShapeAdded')]
  return logs
    .flatMap((found) => found ?? [])
    .map(({ args }) => ({
      name: args['name'] as string,
      verifier: args['verifier'] as string,
      keyHash: args['keyHash'] as string,
      isDevelopmentKey: args['isDevelopmentKey'] as boolean,
    }))
}

type AuditedVerifier = NamedVerifier & Pick<ShapeEvent, 'isDevelopmentKey'>

/** Null unless the key is at hand and is the one on L1. */
export async function auditKey(
  l1: L1,
  shape: AuditedVerifier,
  keySource: KeySource,
  checks: Checks,
): Promise<VerificationKeyJson | null> {
  compareFingerprint(shape, checks)
  const key = await keyOf(shape, keySource, checks)
  if (key === null) return null
  await compareVerifierCode(l1, shape, key, checks)
  return compareKey(shape, key, checks) ? key : null
}

/** Circuits that do not compile here are a check not made; what L1 shows is still reported. */
async function keyOf(
  shape: NamedCircuit,
  keySource: KeySource,
  checks: Checks,
): Promise<VerificationKeyJson | null> {
  const name = `key of shape ${shape.name}`
  try {
    const key = await keySource(shape)
    if (key !== null) return key
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    checks.unread('keys', name, `the key of this checkout could not be made: ${reason}`)
    return null
  }
  checks.unread(
    'keys',
    name,
    isKnownShape(shape)
      ? 'there is no key of this checkout at hand (run without --no-build)'
      : 'this checkout has no circuit of that name and size',
  )
  return null
}

function compareKey(shape: NamedVerifier, key: VerificationKeyJson, checks: Checks): boolean {
  const hash = `0x${hashOfVerificationKey(key)}`
  return checks.expect(
    'keys',
    `key hash of shape ${shape.name}`,
    hash === shape.keyHash.toLowerCase(),
    `${hash} is the key of the circuits in this checkout and on L1`,
    `L1 has ${shape.keyHash}, the circuits of this checkout have ${hash}`,
  )
}

/** Without compiling anything: a development key has a hash that is committed with its circuit. */
function compareFingerprint(shape: AuditedVerifier, checks: Checks): void {
  const committed = committedFingerprints().shapes[shape.name]?.developmentKey?.keyHash
  if (!shape.isDevelopmentKey || !isKnownShape(shape) || committed === undefined) return
  checks.expect(
    'keys',
    `fingerprint of shape ${shape.name}`,
    `0x${committed}` === shape.keyHash.toLowerCase(),
    'the key on L1 is the one that prover/fingerprints.json has for these circuits',
    `L1 has ${shape.keyHash}, prover/fingerprints.json has 0x${committed}`,
  )
}

/** The verifier must be snarkjs' own with the numbers of the key, compiled here, and nothing else. */
async function compareVerifierCode(
  l1: L1,
  shape: NamedVerifier,
  key: VerificationKeyJson,
  checks: Checks,
): Promise<void> {
  checks.expect(
    'keys',
    `verifier contract of shape ${shape.name}`,
    isSameCode(await l1.code(shape.verifier), await verifierRuntimeOf(key)),
    `the code at ${shape.verifier} is the compiled verifier of the key, byte for byte`,
    `the code at ${shape.verifier} is not the verifier of the key as this checkout compiles it`,
  )
}

async function verifierRuntimeOf(key: VerificationKeyJson): Promise<Runtime> {
  const compiled = compileSolidity({ 'Verifier.sol': await verifierSourceOf(key) })
  const runtime = compiled['Groth16Verifier']?.runtime
  if (runtime === undefined) throw new Error('audit: the verifier template has no Groth16Verifier')
  return runtime
}
