// One proof in a process of its own: paths on argv, the witness' input as JSON on stdin, the proof
// as JSON on stdout. The input is secret, so it never touches argv, the environment or the disk.
//
//   node --import tsx prover/prove-process.ts '{"zkeyPath":..,"wasmPath":..}' < input.json

import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { calculateWitness, proveWitness, shutdown, verify } from './groth16.ts'
import type { CircuitInput, VerificationKeyJson } from './groth16.ts'

export type ProveJob = {
  readonly zkeyPath: string
  readonly wasmPath: string
  /** When given, the proof is verified before it is handed back. */
  readonly verificationKeyPath?: string
  readonly singleThread?: boolean
}

/** What stdout carries: `stage` says what failed. */
export type ProveAnswer =
  | { readonly ok: true; readonly proof: unknown; readonly publicSignals: readonly string[] }
  | { readonly ok: false; readonly stage: ProveStage; readonly message: string }

export type ProveStage = 'input' | 'witness' | 'proof' | 'verification'

async function run(): Promise<ProveAnswer> {
  let stage: ProveStage = 'input'
  try {
    const job = JSON.parse(process.argv[2] ?? '') as ProveJob
    const input = JSON.parse(await text(process.stdin)) as CircuitInput
    stage = 'witness'
    const witness = await calculateWitness(job.wasmPath, input)
    stage = 'proof'
    const { proof, publicSignals } = await proveWitness(job.zkeyPath, witness, {
      singleThread: job.singleThread ?? false,
    })
    stage = 'verification'
    if (job.verificationKeyPath !== undefined) {
      const key = JSON.parse(await readFile(job.verificationKeyPath, 'utf8')) as unknown
      if (!(await verify(key as VerificationKeyJson, publicSignals, proof))) {
        throw new Error(`the proof does not verify under ${job.verificationKeyPath}`)
      }
    }
    return { ok: true, proof, publicSignals }
  } catch (error) {
    return { ok: false, stage, message: error instanceof Error ? error.message : String(error) }
  }
}

// A circuit's log() prints through console.log; stdout is for the answer alone.
console.log = console.error
const answer = await run()
await shutdown()
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(answer.ok ? 0 : 1))
