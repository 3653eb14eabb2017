/** What the house does with provers that die, lie, or are not there. */
import { expect, it } from 'vitest'
import { circuitOfShape, shapeNamed } from '../../prover/artifacts.ts'
import type { ShapeKey } from '../../prover/artifacts.ts'
import { calculateWitness, type CircuitInput, type Proof } from '../../prover/groth16.ts'
import { ProveError, type ProverPool } from '../../prover/pool.ts'
import type { WitnessInput } from '../../circuits/witness.ts'
import { BatchProver } from '../../sequencer/proving.ts'
import { fullBatch } from '../bench/load.ts'
import { Floor } from './floor.ts'

const KEY = { zkeyPath: 'z', wasmPath: 'w', verificationKeyPath: 'v' } as ShapeKey
const PROOF = { proof: { pi_a: ['1'] }, publicSignals: ['4', '5'] } as unknown as Proof

function proverOf(...answers: readonly (Proof | Error)[]) {
  const asked: unknown[] = []
  const log: string[] = []
  let warmed = 0
  const pool: ProverPool = {
    prove: async (job) => {
      const answer = answers[asked.length]
      asked.push(job)
      if (answer instanceof Error) throw answer
      return answer as Proof
    },
    warm: () => void warmed++,
    close: () => {},
  }
  const prover = new BatchProver(KEY, (line) => log.push(line), pool)
  const prove = (signal?: AbortSignal) => prover.prove(KEY, {} as never, ['4', '5'], signal)
  return { prove, asked, log, warmed: () => warmed }
}
const killed = new ProveError('child', 'ended with SIGKILL and no proof')

it('a process that died is tried again, twice at most', async () => {
  const lucky = proverOf(killed, killed, PROOF)
  expect(await lucky.prove()).toBe(PROOF.proof)
  expect(lucky.log).toHaveLength(2)
  const unlucky = proverOf(killed, killed, killed, PROOF)
  await expect(unlucky.prove()).rejects.toThrow('SIGKILL')
  expect(unlucky.asked).toHaveLength(3)
})

it('whose proof nobody wants any more is stopped, and not tried again', async () => {
  const ending = new AbortController()
  ending.abort()
  const { prove, asked } = proverOf(killed, PROOF)
  await expect(prove(ending.signal)).rejects.toThrow('SIGKILL')
  expect(asked).toMatchObject([{ signal: ending.signal }])
})

it.each(['witness', 'proof', 'verification'] as const)(
  'what failed at the %s is not',
  async (stage) => {
    const { prove, asked } = proverOf(new ProveError(stage, 'failed'), PROOF)
    await expect(prove()).rejects.toThrow('failed')
    expect(asked).toHaveLength(1)
  },
)

it.each([[['4', '6']], [['4']], [['4', '5', '0']], [['5', '4']], [[]]])(
  'a proof of another statement is refused: %j',
  async (publicSignals) => {
    const { prove } = proverOf({ ...PROOF, publicSignals })
    await expect(prove()).rejects.toThrow('ProofMustBeOfStatement')
  },
)

it('the usual key is loaded for the next batch, after a failure as well', async () => {
  const good = proverOf(PROOF)
  await good.prove()
  expect(good.warmed()).toBe(1)
  const bad = proverOf(new ProveError('witness', 'failed'))
  await bad.prove().catch(() => {})
  expect(bad.warmed()).toBe(1)
})

/** The public signals of a witness, as a proof of it has them. */
function publicOf(witness: Uint8Array, count: number): readonly string[] {
  const at = (i: number): bigint => {
    const bytes = witness.slice(76 + 32 * i, 76 + 32 * (i + 1)).reverse()
    return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  }
  return Array.from({ length: count }, (_, i) => at(i + 1).toString())
}
const signalsOf = ({ C, x, y }: WitnessInput): readonly string[] => [C, x, y].map(String)

it('the house asks for the public signals that the circuit has', async () => {
  const { floor } = await Floor.open([1000])
  const asked: (readonly [WitnessInput, readonly string[]])[] = []
  floor.prove = async (_key, input, publicSignals) => {
    asked.push([input, publicSignals])
    return {} as never
  }
  await floor.house.runBatch({ isDue: true })
  await floor.close()
  expect(asked).toHaveLength(1)
  for (const [input, publicSignals] of asked) expect(publicSignals).toEqual(signalsOf(input))
  const shape = shapeNamed('mini')
  const input = fullBatch(shape)
  const { wasmPath } = await circuitOfShape(shape)
  const witness = await calculateWitness(wasmPath, input as CircuitInput)
  expect(publicOf(witness, 3)).toEqual(signalsOf(input))
})
