/** What claims and sweeps may cost: bounds that they were built for. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SWEEP_SHAPES, accountsOf } from '../../circuits/sweep.ts'
import { PROJECT_ROOT, circuitOf } from '../../prover/artifacts.ts'
import { readR1csInfo } from '../../prover/r1cs.ts'

const isLong = process.env['CLOISTER_LONG'] === '1'

async function constraintsOf(name: string): Promise<number> {
  const entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${name}.circom`)
  return readR1csInfo((await circuitOf(entry, name)).r1csPath).nConstraints
}

test('a claim takes at most 20,000 constraints, the one for every account 77,000', async () => {
  expect(await constraintsOf('escape')).toBeLessThanOrEqual(20_000)
  expect(await constraintsOf('escape-settled')).toBeLessThanOrEqual(77_000)
})

test('an account more in a sweep takes at most 4,200', async () => {
  const [mini, pair] = await Promise.all(['sweep-mini', 'sweep-pair'].map(constraintsOf))
  expect((pair! - mini!) / 8).toBeLessThanOrEqual(4_200)
})

test.runIf(isLong)('all in, an account of the large sweep takes at most 4,500', async () => {
  const shape = SWEEP_SHAPES.find(({ name }) => name === 'sweep')!
  expect((await constraintsOf('sweep')) / accountsOf(shape)).toBeLessThanOrEqual(4_500)
})
