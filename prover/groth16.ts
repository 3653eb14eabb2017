// The single door to snarkjs: witnesses, Groth16 proofs and their verification, and the Solidity
// verifier. snarkjs does not load inside worker_threads; see pool.ts for children.

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import * as snarkjs from 'snarkjs'
import type { Groth16Proof } from 'snarkjs'

export { zKey, type Logger } from 'snarkjs'
import { DEVELOPMENT_SUFFIX } from './dev-key.ts'
import { readR1csInfo } from './r1cs.ts'
import type { VerificationKeyJson } from './verification-key.ts'

export { readR1csInfo }
export type { Groth16Proof, VerificationKeyJson }

/** What a circuit's main component takes: bigints or decimal strings, in arrays of any depth. */
export type CircuitValue = bigint | number | string | readonly CircuitValue[]
export type CircuitInput = { readonly [signal: string]: CircuitValue }

export type Proof = { readonly proof: Groth16Proof; readonly publicSignals: readonly string[] }

export type ProveOptions = {
  /** One thread gives the most throughput with one child per core; all cores the least latency. */
  readonly singleThread?: boolean
}

export async function prove(
  zkeyPath: string,
  wasmPath: string,
  input: CircuitInput,
  options: ProveOptions = {},
): Promise<Proof> {
  return proveWitness(zkeyPath, await calculateWitness(wasmPath, input), options)
}

/** The witness in .wtns form. The error of a failed assertion names the template and the line. */
export async function calculateWitness(wasmPath: string, input: CircuitInput): Promise<Uint8Array> {
  const witness: snarkjs.MemoryFile = { type: 'mem' }
  await snarkjs.wtns.calculate(input, wasmPath, witness)
  if (witness.data === undefined) throw new Error(`${wasmPath} produced no witness`)
  return witness.data
}

export async function proveWitness(
  zkeyPath: string,
  witness: Uint8Array,
  { singleThread = false }: ProveOptions = {},
): Promise<Proof> {
  return snarkjs.groth16.prove(zkeyPath, { type: 'mem', data: witness }, undefined, {
    singleThread,
  })
}

/** False for anything that does not verify, and for a wrong number of public signals. */
export async function verify(
  verificationKey: VerificationKeyJson,
  publicSignals: readonly string[],
  proof: Groth16Proof,
): Promise<boolean> {
  // snarkjs takes a list that is too short for one that ends in zeros.
  if (publicSignals.length !== verificationKey.nPublic) return false
  return snarkjs.groth16.verify(verificationKey, publicSignals, proof)
}

export async function exportVerificationKey(zkeyPath: string): Promise<VerificationKeyJson> {
  return (await snarkjs.zKey.exportVerificationKey(zkeyPath)) as VerificationKeyJson
}

/** snarkjs' own verifier under the given name; for a development key its header says so. */
export async function exportSolidityVerifier(
  zkeyPath: string,
  contractName: string,
): Promise<string> {
  if (!/^[A-Z][A-Za-z0-9]*$/.test(contractName)) {
    throw new Error(`${contractName} is no name for a contract`)
  }
  const groth16 = await verifierTemplate()
  const source = await snarkjs.zKey.exportSolidityVerifier(zkeyPath, { groth16 })
  const renamed = source.replace('contract Groth16Verifier {', `contract ${contractName} {`)
  if (renamed === source) throw new Error("snarkjs' verifier template has changed its contract")
  if (!zkeyPath.endsWith(DEVELOPMENT_SUFFIX)) return renamed
  return renamed.replace(/^(\/\/ SPDX[^\n]*\n)/, `$1${developmentNotice(basename(zkeyPath))}`)
}

/** The same source from the verification key alone, for whoever has not the proving key. */
export async function verifierSourceOf(key: VerificationKeyJson): Promise<string> {
  const ofSnarkjs = createRequire(createRequire(import.meta.url).resolve('snarkjs'))
  const ejs = ofSnarkjs('ejs') as { render: (template: string, values: object) => string }
  return ejs.render(await verifierTemplate(), key)
}

async function verifierTemplate(): Promise<string> {
  const main = createRequire(import.meta.url).resolve('snarkjs')
  return readFile(join(dirname(main), '..', 'templates', 'verifier_groth16.sol.ejs'), 'utf8')
}

function developmentNotice(zkeyName: string): string {
  return [
    '// DEVELOPMENT KEY. Its toxic waste is public: anyone can forge a proof that this contract',
    `// accepts. It verifies ${zkeyName} and must never guard anything of value.`,
    '',
  ].join('\n')
}

/** Ends snarkjs' threads; without it the process stays alive. It may be used again afterwards. */
export async function shutdown(): Promise<void> {
  const scope = globalThis as { curve_bn128?: { terminate: () => Promise<void> } | null }
  await scope.curve_bn128?.terminate()
}
