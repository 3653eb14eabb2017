/**
 * The whole house in a world that follows from a seed. A seed that fails is run again with
 * CLOISTER_SEED=seed npx vitest run test/sequencer/simulation
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runSeed, type Report } from './run.ts'

const drawn = vi.hoisted(() => ({ next: (_bound: number): number => 0 }))
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof import('node:crypto')>()),
  randomBytes: (length: number) => Buffer.from(Array.from({ length }, () => drawn.next(256))),
}))
const { createRandom } = await import('../../contracts/random.ts')

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

async function run(seed: number, mutation = {}): Promise<Report> {
  drawn.next = createRandom(seed + 1_000_000)
  try {
    return await runSeed(seed, mutation)
  } catch (error) {
    const how = `CLOISTER_SEED=${seed} npx vitest run test/sequencer/simulation`
    throw new Error(`seed ${seed}: ${(error as Error).message}\n  again: ${how}`, { cause: error })
  }
}

const only = process.env['CLOISTER_SEED']
const count = process.env['CLOISTER_LONG'] ? 1000 : 50
const first = only === undefined ? 1 : Number(only)
const seeds = Array.from({ length: only === undefined ? count : 1 }, (_, i) => first + i)

describe('the simulation', () => {
  it(`of ${seeds.length} seeds loses no acknowledged page, applies none twice, and never diverges`, async () => {
    const sum: Record<string, number> = {}
    const started = performance.now()
    for (const seed of seeds)
      for (const [name, value] of Object.entries(await run(seed)))
        sum[name] = (sum[name] ?? 0) + value
    const seconds = (performance.now() - started) / 1000
    console.log(`${seeds.length} seeds in ${seconds.toFixed(1)} s: ${JSON.stringify(sum)}`)
    if (seeds.length < 10) return
    // A world without faults or without work would show nothing.
    for (const name of ['crashes', 'reorgs', 'failedProofs', 'lost', 'doubled', 'fullDisks'])
      expect(sum[name], name).toBeGreaterThan(seeds.length / 10)
    expect(sum['final']).toBeGreaterThan(seeds.length)
    expect(sum['batches']).toBeGreaterThan(2 * seeds.length)
  })
})
