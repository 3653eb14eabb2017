/** One proof at a time, with all cores, in a process that keeps the key it will need next. */
import type { WitnessInput } from '../circuits/witness.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { CircuitInput, Groth16Proof } from '../prover/groth16.ts'
import { createProverPool, type ProverPool } from '../prover/pool.ts'
import type { ProveJob } from '../prover/prove-process.ts'

/** Batches come farther apart than the default lets a child wait: its key is worth the memory. */
const IDLE_MILLISECONDS = 3_600_000

export class BatchProver {
  private readonly pool: ProverPool
  private readonly usual: ShapeKey

  constructor(usual: ShapeKey, log: (line: string) => void = () => {}) {
    this.usual = usual
    this.pool = createProverPool(1, { idleMs: IDLE_MILLISECONDS, log })
  }

  /** Loads the key of a shape that is to be proven next. */
  prepare(key: ShapeKey): void {
    this.pool.warm(jobOf(key))
  }

  async prove(key: ShapeKey, input: WitnessInput): Promise<Groth16Proof> {
    try {
      return (await this.pool.prove({ ...jobOf(key), input: input as CircuitInput })).proof
    } finally {
      this.prepare(this.usual)
    }
  }

  close(): void {
    this.pool.close()
  }
}

function jobOf({ zkeyPath, wasmPath, verificationKeyPath }: ShapeKey): ProveJob {
  return { zkeyPath, wasmPath, verificationKeyPath, singleThread: false }
}
