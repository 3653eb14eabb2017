/**
 * Every proof of the chain again, off L1: the statement recomputed from the words, the key from
 * this checkout.
 */
import { verify, type Groth16Proof, type VerificationKeyJson } from '../../prover/groth16.ts'
import { challengeOf } from '../l1/batch-words.ts'
import type { Progress } from '../l1/events.ts'
import type { BatchRecord, Rebuilt } from '../l1/ledger.ts'
import { submissionsIn, type L1, type ProofWords } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'
import { auditKey, exitVerifiers, type KeySource } from './keys.ts'

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
  fromBlock = 0,
): Promise<ProofFigures> {
  const keys = new Map<number, VerificationKeyJson | null>()
  for (const shape of rebuilt.shapes.values()) {
    keys.set(shape.id, await auditKey(l1, shape, keySource, checks))
  }
  for (const verifier of await exitVerifiers(l1, checks, fromBlock))
    await auditKey(l1, verifier, keySource, checks)
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
