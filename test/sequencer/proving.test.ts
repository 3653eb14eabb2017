/** What the house does with provers that die, lie, or are not there. */
import { expect, it } from 'vitest'
import type { ShapeKey } from '../../prover/artifacts.ts'
import type { Proof } from '../../prover/groth16.ts'
import { ProveError, type ProverPool } from '../../prover/pool.ts'
import { BatchProver } from '../../sequencer/proving.ts'

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
  const prove = () => prover.prove(KEY, {} as never, ['4', '5'])
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
