/**
 * Who makes a proof of a witness, by name. All take the same keys and witnesses, and whatever they
 * give is verified here, by snarkjs, before anybody sees it.
 */
import { readFile } from 'node:fs/promises'
import { openEngine, type Engine } from './engine/engine.ts'
import {
  exportVerificationKey,
  proveWitness,
  verify,
  type Proof,
  type VerificationKeyJson,
} from './groth16.ts'
import { isPlain } from './plain-proof.ts'
import { findRapidsnark, proveWithRapidsnark, rapidsnarkFromEnvironment } from './rapidsnark.ts'

/** `snarkjs`, the default, takes over should another fail. `engine`: ours, with snarkjs' curve code. */
export const BACKENDS = ['snarkjs', 'engine', 'rapidsnark'] as const
export type BackendName = (typeof BACKENDS)[number]

export type KeyFiles = {
  readonly zkeyPath: string
  /** Without it the verification key is taken from the proving key. */
  readonly verificationKeyPath?: string
}

export type Backend = {
  readonly name: BackendName
  /** Proofs that verify, or an error. */
  readonly prove: (witness: Uint8Array) => Promise<Proof>
  readonly close: () => Promise<void>
}

/** CLOISTER_PROVER, or the default. Throws on another word. */
export function backendFromEnvironment(env = process.env): BackendName {
  const name = env['CLOISTER_PROVER'] ?? 'snarkjs'
  const found = BACKENDS.find((known) => known === name)
  if (found === undefined)
    throw new Error(`CLOISTER_PROVER must be one of ${BACKENDS.join(', ')}, not "${name}"`)
  return found
}

/** Loads what the backend keeps between proofs. `threads` at most. */
export async function openBackend(
  name: BackendName,
  { zkeyPath, verificationKeyPath }: KeyFiles,
  threads: number,
  log: (line: string) => void,
): Promise<Backend> {
  const prover = open(name, zkeyPath, threads, log)
  const key = (
    verificationKeyPath === undefined
      ? await exportVerificationKey(zkeyPath)
      : JSON.parse(await readFile(verificationKeyPath, 'utf8'))
  ) as VerificationKeyJson
  const checked = async (proof: Proof): Promise<Proof> => {
    if (!isPlain(proof.proof) || !(await verify(key, proof.publicSignals, proof.proof)))
      throw new Error(`the proof does not verify under ${verificationKeyPath ?? zkeyPath}`)
    return proof
  }
  return {
    name,
    prove: async (witness) => {
      if (name === 'snarkjs') return checked(await prover.prove(witness))
      try {
        return await checked(await prover.prove(witness))
      } catch (error) {
        // Slower, but another way to the same proof. A witness that breaks the circuit fails here, too.
        log(`${name} failed, snarkjs takes over: ${error instanceof Error ? error.message : error}`)
        return checked(await proveWitness(zkeyPath, witness, { singleThread: threads === 1 }))
      }
    },
    close: () => prover.close(),
  }
}

type Prover = Pick<Backend, 'prove' | 'close'>

function open(
  name: BackendName,
  zkeyPath: string,
  threads: number,
  log: (line: string) => void,
): Prover {
  const singleThread = threads === 1
  const bySnarkjs: Prover = {
    prove: (witness) => proveWitness(zkeyPath, witness, { singleThread }),
    close: async () => {},
  }
  switch (name) {
    case 'snarkjs':
      return bySnarkjs
    case 'engine': {
      let engine: Engine
      try {
        engine = openEngine(zkeyPath, threads)
      } catch (error) {
        log(`the engine cannot take this key, snarkjs does: ${String(error)}`)
        return bySnarkjs
      }
      return { prove: (witness) => engine.prove(witness), close: () => engine.close() }
    }
    case 'rapidsnark': {
      const binary = findRapidsnark(rapidsnarkFromEnvironment())
      if (binary === null) throw new Error('rapidsnark is not installed: it is not on PATH')
      return {
        prove: (witness) => proveWithRapidsnark(binary, zkeyPath, witness),
        close: async () => {},
      }
    }
  }
}
