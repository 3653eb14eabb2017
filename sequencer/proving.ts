/** Who proves the batches of a house: this machine, or workers that take jobs from PostgreSQL. */
import type { WitnessInput } from '../circuits/witness.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { CircuitInput, Groth16Proof, Proof } from '../prover/groth16.ts'
import { openPostgresJobs } from '../prover/jobs/postgres-jobs.ts'
import { createRemoteProver, type RemoteProver } from '../prover/jobs/request.ts'
import { createJobSeal } from '../prover/jobs/seal.ts'
import type { JobStore, JobVitals } from '../prover/jobs/store.ts'
import { createProverPool, ProveError, type ProverPool } from '../prover/pool.ts'
import type { ProveJob } from '../prover/prove-process.ts'

export type HouseProver = {
  /** Has the key of a shape loaded that is to be proven next, where that is here. */
  readonly prepare: (key: ShapeKey) => void
  /** A proof that was verified and whose public signals are the given ones, or an error. */
  readonly prove: (
    key: ShapeKey,
    input: WitnessInput,
    publicSignals: readonly string[],
    /** Nobody wants the proof any more: what can be stopped is. */
    signal?: AbortSignal,
  ) => Promise<Groth16Proof>
  /** Why nobody can prove with a key now, or null. */
  readonly missing: (key: ShapeKey) => Promise<string | null>
  /** Who can prove, and what there is to prove. */
  readonly vitals: () => Promise<JobVitals>
  readonly close: () => Promise<void>
}

/** Batches come farther apart than the default lets a child wait: its key is worth the memory. */
const IDLE_MILLISECONDS = 3_600_000
/** A process that died may have been killed for its memory; one that fails at the proof will again. */
const ATTEMPTS = 3
/** Workers announce themselves every ten seconds. */
const HEARD_WITHIN_MILLISECONDS = 60_000

/** One proof at a time, with all cores, in a process that keeps the key it will need next. */
export class BatchProver implements HouseProver {
  private readonly pool: ProverPool
  private readonly usual: ShapeKey
  private readonly log: (line: string) => void
  private proving = 0

  constructor(usual: ShapeKey, log: (line: string) => void = () => {}, pool?: ProverPool) {
    this.usual = usual
    this.log = log
    this.pool = pool ?? createProverPool(1, { idleMs: IDLE_MILLISECONDS, log })
  }

  prepare(key: ShapeKey): void {
    this.pool.warm(jobOf(key))
  }

  async prove(
    key: ShapeKey,
    input: WitnessInput,
    publicSignals: readonly string[],
    signal?: AbortSignal,
  ): Promise<Groth16Proof> {
    this.proving += 1
    try {
      const job = { ...jobOf(key), input: input as CircuitInput }
      const proved = await this.attempts(signal === undefined ? job : { ...job, signal })
      const isExpected =
        proved.publicSignals.length === publicSignals.length &&
        publicSignals.every((signal, i) => signal === proved.publicSignals[i])
      if (!isExpected) throw new Error('ProofMustBeOfStatement: the proof is of another statement')
      return proved.proof
    } finally {
      this.proving -= 1
      this.prepare(this.usual)
    }
  }

  private async attempts(job: Parameters<ProverPool['prove']>[0]): Promise<Proof> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.pool.prove(job)
      } catch (error) {
        const mayPass = error instanceof ProveError && error.stage === 'child'
        if (!mayPass || attempt === ATTEMPTS || job.signal?.aborted === true) throw error
        this.log(`proof, attempt ${attempt} of ${ATTEMPTS}: ${error.message}`)
      }
    }
  }

  async missing(): Promise<string | null> {
    return null
  }

  /** One process here, which is started again when it dies: it is there as long as the house is. */
  async vitals(): Promise<JobVitals> {
    const taken = Math.min(1, this.proving)
    return { workers: 1, waiting: this.proving - taken, taken, parked: 0 }
  }

  async close(): Promise<void> {
    this.pool.close()
  }
}

/** Proofs by workers (`cloister prover work`) that take jobs from a PostgreSQL. */
export class JobsProver implements HouseProver {
  private readonly store: JobStore
  private readonly remote: RemoteProver

  private constructor(store: JobStore, remote: RemoteProver) {
    this.store = store
    this.remote = remote
  }

  /** `key` of 32 bytes is the one that the workers have. Throws if the database does not answer. */
  static async open(options: {
    readonly url: string
    readonly key: Uint8Array
    /** A job that no worker could prove, or whose proof was none. */
    readonly onParked: (name: string) => void
  }): Promise<JobsProver> {
    const store = await openPostgresJobs({ url: options.url })
    const seal = createJobSeal(options.key)
    return new JobsProver(store, createRemoteProver({ store, seal, onParked: options.onParked }))
  }

  prepare(): void {}

  async prove(
    key: ShapeKey,
    input: WitnessInput,
    publicSignals: readonly string[],
    signal?: AbortSignal,
  ): Promise<Groth16Proof> {
    return (await this.remote.prove(key, input as CircuitInput, publicSignals, signal)).proof
  }

  missing(key: ShapeKey): Promise<string | null> {
    return this.remote.missing(key)
  }

  vitals(): Promise<JobVitals> {
    return this.store.vitals(HEARD_WITHIN_MILLISECONDS)
  }

  close(): Promise<void> {
    return this.store.close()
  }
}

function jobOf({ zkeyPath, wasmPath, verificationKeyPath }: ShapeKey): ProveJob {
  return { zkeyPath, wasmPath, verificationKeyPath, singleThread: false }
}
