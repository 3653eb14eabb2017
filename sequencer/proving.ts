/** One proof at a time, with all cores; the process of the next one is started as soon as one ends. */
import type { WitnessInput } from '../circuits/witness.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import { prepareProof, type PreparedProof } from '../prover/pool.ts'

export class BatchProver {
  private readonly prepared = new Map<string, PreparedProof>()
  private readonly usual: ShapeKey

  constructor(usual: ShapeKey) {
    this.usual = usual
  }

  /** Starts the process that will make the next proof of a shape. */
  prepare(key: ShapeKey): void {
    if (!this.prepared.has(key.shape.name)) this.prepared.set(key.shape.name, start(key))
  }

  async prove(key: ShapeKey, input: WitnessInput): Promise<Groth16Proof> {
    this.prepare(key)
    const prepared = this.prepared.get(key.shape.name) as PreparedProof
    this.prepared.delete(key.shape.name)
    try {
      return (await prepared.prove(input)).proof
    } finally {
      this.prepare(this.usual)
    }
  }

  close(): void {
    for (const prepared of this.prepared.values()) prepared.discard()
  }
}

function start({ zkeyPath, wasmPath, verificationKeyPath }: ShapeKey): PreparedProof {
  return prepareProof({ zkeyPath, wasmPath, verificationKeyPath, singleThread: false })
}
