/** Proves a claim on the member's own machine, with the key whose hash the house has on L1. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EscapeClaim, EscapeStatement } from '../../circuits/escape.ts'
import { developmentKeyOfCircuit } from '../../prover/circuit-key.ts'
import { circuitOf, hashOfVerificationKey, PROJECT_ROOT } from '../../prover/artifacts.ts'
import { exportVerificationKey, type CircuitInput } from '../../prover/groth16.ts'
import { proofWords } from '../../prover/proof-words.ts'
import { proveInChild } from '../../prover/pool.ts'
import type { L1 } from '../l1/rpc.ts'
import { claimShapes, type ClaimShape } from './claim-shapes.ts'

/** The house takes no claim of this shape, or under another key than this checkout has. */
export class ClaimKeyError extends Error {}

type Provable = Extract<EscapeClaim, { ok: true }>
export type ProvenClaim = { readonly shape: ClaimShape; readonly proof: readonly bigint[] }

/** `keys`: directory of NAME.zkey files of a ceremony; without it this checkout's development keys. */
export async function proveClaim(
  l1: L1,
  fromBlock: number,
  claim: Provable,
  keys: string | undefined,
  note: (line: string) => void,
): Promise<ProvenClaim> {
  const { name } = claim.shape
  const shapes = (await claimShapes(l1, fromBlock)).filter((shape) => shape.name === name)
  if (shapes.length === 0)
    throw new ClaimKeyError(
      `the house was given no verifier "${name}" of claims: this account cannot be claimed`,
    )
  const key = await keyOf(name, keys, note)
  const shape = shapes.find(({ keyHash }) => BigInt(keyHash) === BigInt(`0x${key.keyHash}`))
  if (shape === undefined)
    throw new ClaimKeyError(
      `the house's key of "${name}" is ${shapes[0]?.keyHash}, the one here is 0x${key.keyHash}: ` +
        'use the checkout of its deployment, or the keys of its ceremony with --keys DIRECTORY',
    )
  note(`proving the claim (${name})`)
  const { proof } = await proveInChild({
    zkeyPath: key.zkeyPath,
    wasmPath: key.wasmPath,
    input: claim.input as CircuitInput,
    singleThread: false,
  })
  const words = proofWords(proof)
  // Asked of L1's verifier before gas is spent on it.
  if (!(await l1.verifyProof(shape.verifier, words, inputsOf(claim.statement))))
    throw new ClaimKeyError(`the verifier at ${shape.verifier} does not take the proof`)
  return { shape, proof: words }
}

export function inputsOf(s: EscapeStatement): readonly bigint[] {
  return [s.root, s.tableRoot, s.settlementRoot, s.index, s.equity]
}

async function keyOf(name: string, keys: string | undefined, note: (line: string) => void) {
  if (keys === undefined) return developmentKeyOfCircuit(name, note)
  const zkeyPath = join(keys, `${name}.zkey`)
  if (!existsSync(zkeyPath)) throw new ClaimKeyError(`there is no ${name}.zkey in ${keys}`)
  const entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${name}.circom`)
  const { wasmPath } = await circuitOf(entry, name, note)
  const keyHash = hashOfVerificationKey(await exportVerificationKey(zkeyPath))
  return { zkeyPath, wasmPath, keyHash }
}
