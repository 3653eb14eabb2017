/**
 * Every proof of the chain again, off L1: the statement recomputed from the words, the key from
 * this checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  developmentKeyOf,
  hashOfVerificationKey,
  PROJECT_ROOT,
  shapeNamed,
  sourceHash,
} from '../../prover/artifacts.ts'
import { committedFingerprints } from '../../prover/fingerprints.ts'
import {
  verify,
  verifierSourceOf,
  type Groth16Proof,
  type VerificationKeyJson,
} from '../../prover/groth16.ts'
import { compileSolidity, isSameCode, type Runtime } from '../../prover/solidity.ts'
import { challengeOf } from '../l1/batch-words.ts'
import type { Progress, ShapeEvent } from '../l1/events.ts'
import type { BatchRecord, Rebuilt } from '../l1/ledger.ts'
import { submissionsIn, type L1, type ProofWords } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'

/**
 * The verification key that the circuits of this checkout have for a shape, or null if it is not at
 * hand.
 */
export type KeySource = (shape: ShapeEvent) => Promise<VerificationKeyJson | null>

/** Compiles the circuits and writes the development key unless the cache has them. */
export function keysOfCheckout(progress: Progress): KeySource {
  return async (shape) =>
    isKnownShape(shape)
      ? (await developmentKeyOf(shapeNamed(shape.name), progress)).verificationKey
      : null
}

/** Takes what an earlier build of the same sources left in the cache, and builds nothing. */
export function keysOfCache(): KeySource {
  return async (shape) => {
    if (!isKnownShape(shape)) return null
    const entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${shape.name}.circom`)
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

function isKnownShape({ name, sizes }: ShapeEvent): boolean {
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

export type ProofFigures = {
  readonly batches: number
  readonly verified: number
  /** The proof is not in the transaction's calldata; only the contract has seen it. */
  readonly unreadable: number
  /** Read, but there was no key of this checkout to verify it with. */
  readonly withoutKey: number
  readonly failed: number
}

/** Checks the keys of all shapes that were ever added, then the proof of every batch. */
export async function auditProofs(
  l1: L1,
  rebuilt: Rebuilt,
  keySource: KeySource,
  checks: Checks,
  progress: Progress,
): Promise<ProofFigures> {
  const keys = new Map<number, VerificationKeyJson | null>()
  for (const shape of rebuilt.shapes.values()) {
    compareFingerprint(shape, checks)
    const key = await keyOf(shape, keySource, checks)
    keys.set(shape.id, key !== null && compareKey(shape, key, checks) ? key : null)
    if (key !== null) await compareVerifierCode(l1, shape, key, checks)
  }
  const counts = { verified: 0, unreadable: 0, withoutKey: 0, failed: 0 }
  const probed = new Set<number>()
  for (const batch of rebuilt.batches) {
    const result = await auditProof(l1, batch, keys.get(batch.event.shapeId) ?? null, checks)
    counts[result.outcome]++
    if (result.proof !== null && !probed.has(batch.event.shapeId)) {
      probed.add(batch.event.shapeId)
      await probeVerifier(l1, batch, result.proof, checks)
    }
    if (batch.event.number % 10n === 0n)
      progress(`verified proofs up to batch ${batch.event.number} of ${rebuilt.batchNumber}`)
  }
  return { batches: rebuilt.batches.length, ...counts }
}

/** Circuits that do not compile here are a check not made; what L1 shows is still reported. */
async function keyOf(
  shape: ShapeEvent,
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

function compareKey(shape: ShapeEvent, key: VerificationKeyJson, checks: Checks): boolean {
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
function compareFingerprint(shape: ShapeEvent, checks: Checks): void {
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
  shape: { readonly name: string; readonly verifier: string },
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

type ProofResult = {
  readonly outcome: 'verified' | 'unreadable' | 'withoutKey' | 'failed'
  readonly proof: ProofWords | null
}

async function auditProof(
  l1: L1,
  batch: BatchRecord,
  key: VerificationKeyJson | null,
  checks: Checks,
): Promise<ProofResult> {
  const { event, shape, place } = batch
  const name = `proof of batch ${event.number}`
  const { x, y } = statementOf(l1, batch)
  if (
    !checks.expect(
      'proofs',
      `challenge of batch ${event.number}`,
      x === event.x,
      'x follows from the words',
      `the words give ${x}, the contract used ${event.x}`,
      { quiet: true },
    )
  )
    return { outcome: 'failed', proof: null }
  const call = await l1.transaction(place.transaction)
  const submissions =
    call === null
      ? []
      : submissionsIn(call.input).filter(
          (s) =>
            s.commitment === event.commitment &&
            s.newRoot === event.newRoot &&
            Number(s.shapeId) === event.shapeId,
        )
  const [first] = submissions
  if (first === undefined) {
    checks.unread(
      'proofs',
      name,
      `proof not readable, accepted by the contract at block ${place.block}`,
    )
    return { outcome: 'unreadable', proof: null }
  }
  if (key === null) {
    checks.unread('proofs', name, `there is no key of this checkout for shape ${shape.name}`)
    return { outcome: 'withoutKey', proof: first.proof }
  }
  const signals = [event.commitment, x, y].map(String)
  for (const { proof } of submissions) {
    if (await verify(key, signals, asGroth16(proof))) {
      checks.held('proofs', name, 'verified off L1', { quiet: true })
      return { outcome: 'verified', proof }
    }
  }
  checks.failed(
    'proofs',
    name,
    `the proof in transaction ${place.transaction} does not verify under the key of this checkout`,
  )
  return { outcome: 'failed', proof: first.proof }
}

function statementOf({ chainId, contract }: L1, { event, shape }: BatchRecord) {
  const { keyHash } = shape
  return challengeOf({ chainId, contract, keyHash, commitment: event.commitment }, event.words)
}

/** snarkjs exports the two halves of each coordinate of G2 in reverse for Solidity. */
function asGroth16(words: ProofWords): Groth16Proof {
  const [a0, a1, b01, b00, b11, b10, c0, c1] = words.map(String) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  return {
    protocol: 'groth16',
    curve: 'bn128',
    pi_a: [a0, a1, '1'],
    pi_b: [
      [b00, b01],
      [b10, b11],
      ['1', '0'],
    ],
    pi_c: [c0, c1, '1'],
  }
}

/**
 * Once a shape: the contract's verifier says yes to this statement and no to one that is off by
 * one.
 */
async function probeVerifier(
  l1: L1,
  batch: BatchRecord,
  proof: ProofWords,
  checks: Checks,
): Promise<void> {
  const { event, shape } = batch
  const { x, y } = statementOf(l1, batch)
  const name = `verifier of shape ${shape.name} when asked`
  const ask = (claim: bigint) =>
    checks.attempt('keys', name, () =>
      l1.verifyProof(shape.verifier, proof, [event.commitment, x, claim]),
    )
  const accepts = await ask(y)
  const acceptsWrong = await ask(y === 0n ? 1n : y - 1n)
  if (accepts === null || acceptsWrong === null) return
  checks.expect(
    'keys',
    name,
    accepts && !acceptsWrong,
    `accepts the proof of batch ${event.number} and refuses it for other words`,
    `${accepts ? 'accepts' : 'refuses'} the proof of batch ${event.number}, ` +
      `${acceptsWrong ? 'accepts' : 'refuses'} it for other words`,
  )
}
