/** Keys that a ceremony made, as a directory holds them: NAME.zkey, its transcript, its verification key. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Shape } from '../circuits/params.ts'
import {
  circuitOf,
  circuitOfShape,
  hashOfVerificationKey,
  PROJECT_ROOT,
  type CircuitFiles,
  type Progress,
  type ShapeKey,
} from './artifacts.ts'
import { readAgreed } from './ceremony/agreement.ts'
import { CeremonyFailure } from './ceremony/failure.ts'
import { sha256Of } from './ceremony/zkey-file.ts'
import type { CircuitKey } from './circuit-key.ts'
import { exportVerificationKey } from './groth16.ts'

/**
 * The key of a shape. That it is a good one `cloister ceremony verify` says, and nobody else; here it must
 * be whole, of this checkout's circuit by its transcript, contributed to, and none of development.
 */
export async function ceremonyKeyOf(
  shape: Shape,
  directory: string,
  progress: Progress = () => {},
): Promise<ShapeKey> {
  const files = await circuitOfShape(shape, progress)
  const made = await keyIn(directory, shape.name, files)
  return {
    ...files,
    ...made,
    shape,
    verificationKeyPath: join(directory, `${shape.name}.vkey.json`),
  }
}

/** The same of a circuit of claims or sweeps, by its name. */
export async function ceremonyKeyOfCircuit(
  name: string,
  directory: string,
  progress: Progress = () => {},
  entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${name}.circom`),
): Promise<CircuitKey> {
  const files = await circuitOf(entry, name, progress)
  return { ...files, ...(await keyIn(directory, name, files)), name }
}

async function keyIn(directory: string, name: string, { r1csPath }: CircuitFiles) {
  const zkeyPath = join(directory, `${name}.zkey`)
  if (!existsSync(zkeyPath)) throw new Error(`there must be a key of ${name}: ${zkeyPath}`)
  const { key, transcript } = await readAgreed(zkeyPath)
  const [compiled, said] = [await sha256Of(r1csPath), transcript.circuit.r1csSha256]
  if (compiled !== said)
    throw new CeremonyFailure(
      'CircuitMustMatch',
      `${zkeyPath} is of ${transcript.circuit.name} with r1cs ${said}; this checkout has ${compiled}`,
    )
  if (!key.contributions.some(({ kind }) => kind === 'contribution'))
    throw new CeremonyFailure(
      'KeyMustBeContributedTo',
      `nobody contributed to ${zkeyPath}: anybody can forge proofs for it`,
    )
  const verificationKey = await exportVerificationKey(zkeyPath)
  return { zkeyPath, verificationKey, keyHash: hashOfVerificationKey(verificationKey) }
}
