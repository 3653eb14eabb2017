/**
 * Proofs in a process of their own, one after the other: jobs and answers come and go over the
 * channel to the parent. Inputs are secret, so they touch neither argv, the environment nor the
 * disk. What one proof loaded stays for the next: the key, its threads, the compiled witness.
 */
import { availableParallelism } from 'node:os'
import { backendFromEnvironment, openBackend, type Backend, type BackendName } from './backends.ts'
import { calculateWitness, shutdown, type CircuitInput, type Groth16Proof } from './groth16.ts'
import { eraseLeftovers } from './private-files.ts'

export type ProveJob = {
  readonly zkeyPath: string
  readonly wasmPath: string
  /** Every proof is verified; without this, under the key within the proving key. */
  readonly verificationKeyPath?: string
  readonly singleThread?: boolean
  readonly backend?: BackendName
}

export type ProveStage = 'input' | 'witness' | 'proof' | 'verification'

/** `warm` loads what a job will need, and is answered by nothing. */
export type ProveRequest =
  | { readonly kind: 'warm'; readonly job: ProveJob }
  | { readonly kind: 'prove'; readonly job: ProveJob; readonly input: CircuitInput }

/** `stage` says what failed. */
export type ProveAnswer =
  | { readonly ok: true; readonly proof: Groth16Proof; readonly publicSignals: readonly string[] }
  | { readonly ok: false; readonly stage: ProveStage; readonly message: string }

/** What an operator should hear of, whatever becomes of the proof. */
export type ProveNote = { readonly note: string }

const note = (line: string): void => void process.send?.({ note: line } satisfies ProveNote)

let loaded: { readonly name: string; readonly backend: Promise<Backend> } | null = null

/** One key at a time: a large one takes gigabytes. */
async function backendOf(job: ProveJob): Promise<Backend> {
  const backend = job.backend ?? backendFromEnvironment()
  const threads = job.singleThread === true ? 1 : availableParallelism()
  const name = JSON.stringify([backend, job.zkeyPath, job.verificationKeyPath, threads])
  if (loaded?.name === name) return loaded.backend
  const last = loaded
  const next = { name, backend: openBackend(backend, job, threads, note) }
  loaded = next
  next.backend.catch(() => {
    if (loaded === next) loaded = null
  })
  await last?.backend.then((old) => old.close()).catch(() => {})
  return next.backend
}

async function prove(job: ProveJob, input: CircuitInput): Promise<ProveAnswer> {
  let stage: ProveStage = 'witness'
  try {
    const witness = await calculateWitness(job.wasmPath, input)
    stage = 'proof'
    try {
      const { proof, publicSignals } = await (await backendOf(job)).prove(witness)
      return { ok: true, proof, publicSignals }
    } finally {
      witness.fill(0)
    }
  } catch (error) {
    return { ok: false, stage, message: error instanceof Error ? error.message : String(error) }
  }
}

// A circuit's log() prints through console.log, and would end up in somebody's logs.
console.log = () => {}
eraseLeftovers()
let turn: Promise<unknown> = Promise.resolve()
process.on('message', (request: ProveRequest) => {
  turn = turn.then(async () => {
    if (request.kind === 'warm') await backendOf(request.job).catch(() => {})
    else process.send?.(await prove(request.job, request.input))
  })
})
// Without a parent nobody waits for a proof.
process.on('disconnect', () => {
  void shutdown().finally(() => process.exit(0))
})
