/** The verifiers of the way out: claims after a freeze, and sweeps of everybody's solvency. */
import { ESCAPE_SHAPES } from '../circuits/escape.ts'
import { accountsOf } from '../circuits/sweep.ts'
import {
  circuitVerifierSource,
  developmentKeyOfCircuit,
  type CircuitKey,
} from '../prover/circuit-key.ts'
import { isDevelopmentKey } from '../prover/artifacts.ts'
import { ceremonyKeyOfCircuit } from '../prover/ceremony-key.ts'
import { compileSolidity, type CompiledContract } from '../prover/solidity.ts'
import { deployContract, type DeployedContract, type Sender } from './l1.ts'
import { EXIT_CIRCUITS, HOUSE_SWEEP_SHAPES, sweepEntryOf } from './sweep-shapes.ts'

export type CompiledExit = { readonly key: CircuitKey; readonly contract: CompiledContract }

/** Ids of the shapes on L1 by their names. */
export type ExitShapes = {
  readonly escape: ReadonlyMap<string, bigint>
  readonly sweep: ReadonlyMap<string, bigint>
}

/** Keys of the named circuits, of development or from a ceremony's directory, and their verifiers. */
export async function compileExits(
  names: readonly string[] = EXIT_CIRCUITS,
  progress?: (line: string) => void,
  directory: string | null = null,
): Promise<readonly CompiledExit[]> {
  const made: CompiledExit[] = []
  for (const circuit of names) {
    const entry = sweepEntryOf(circuit)
    const key =
      directory === null
        ? await developmentKeyOfCircuit(circuit, progress, entry)
        : await ceremonyKeyOfCircuit(circuit, directory, progress, entry)
    const { name, source } = await circuitVerifierSource(key)
    const contract = compileSolidity({ [`${name}.sol`]: source })[name]
    if (contract === undefined) throw new Error(`deploy: no verifier of ${circuit}`)
    made.push({ key, contract })
  }
  return made
}

/** Registers the verifiers, each under the place of its shape in the law's list, from 1 on. */
export async function addExitShapes(
  admin: Sender,
  house: DeployedContract,
  exits: readonly CompiledExit[],
): Promise<ExitShapes> {
  const escape = new Map<string, bigint>()
  const sweep = new Map<string, bigint>()
  for (const { key, contract } of exits) {
    const { name } = key
    const keyHash = `0x${key.keyHash}`
    const isDevelopment = isDevelopmentKey(key)
    const claims = ESCAPE_SHAPES.findIndex((shape) => shape.name === name)
    const sweeps = HOUSE_SWEEP_SHAPES.findIndex((shape) => shape.name === name)
    const swept = HOUSE_SWEEP_SHAPES[sweeps]
    if (claims < 0 && swept === undefined)
      throw new Error(`deploy: ${name} is no circuit of claims or sweeps`)
    const { address } = await deployContract(admin, contract)
    if (swept === undefined) {
      const id = BigInt(claims + 1)
      await house.send('addEscapeShape', id, address, keyHash, isDevelopment, name)
      escape.set(name, id)
    } else {
      const id = BigInt(sweeps + 1)
      const size = accountsOf(swept)
      await house.send('addSweepShape', id, size, address, keyHash, isDevelopment, name)
      sweep.set(name, id)
    }
  }
  return { escape, sweep }
}
