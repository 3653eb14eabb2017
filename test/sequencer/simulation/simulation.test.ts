/**
 * The whole house in a world that follows from a seed. A seed that fails is run again with
 * CLOISTER_SEED=seed npx vitest run test/sequencer/simulation
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BatchRefused } from '../../../sequencer/l1.ts'
import { runSeed, type Report } from './run.ts'
import type { Mutation } from './world.ts'

const drawn = vi.hoisted(() => ({ next: (_bound: number): number => 0 }))
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof import('node:crypto')>()),
  randomBytes: (length: number) => Buffer.from(Array.from({ length }, () => drawn.next(256))),
}))
// A house that starts again hashes and verifies the same things again: that they come out the same is
// tested elsewhere, and here it would be most of the work.
const memos = vi.hoisted(() => {
  const all: Map<string, unknown>[] = []
  const memo = <A extends readonly unknown[], R>(
    work: (...args: A) => R,
    keyOf: (...args: A) => string,
  ) => {
    const known = new Map<string, R>()
    all.push(known)
    return (...args: A): R => {
      const key = keyOf(...args)
      const found = known.get(key)
      if (found !== undefined) return found
      const made = work(...args)
      known.set(key, made)
      return made
    }
  }
  return { memo, forget: () => all.forEach((known) => known.clear()) }
})
vi.mock('../../../circuits/poseidon.ts', async (original) => {
  const real = await original<typeof import('../../../circuits/poseidon.ts')>()
  const hashWithTag = memos.memo(real.hashWithTag, (tag, words) => `${tag}:${words.join()}`)
  return {
    ...real,
    hashWithTag,
    hash: memos.memo(real.hash, (name, words) => `${name}:${words.join()}`),
    permute: memos.memo(
      real.permute,
      (capacity, words, outputs) => `${capacity}:${words.join()}:${outputs}`,
    ),
  }
})
vi.mock('../../../circuits/eddsa.ts', async (original) => {
  const real = await original<typeof import('../../../circuits/eddsa.ts')>()
  return {
    ...real,
    verify: memos.memo(real.verify, (key, message, { r, s }) =>
      [key.x, key.y, message, r.x, r.y, s].join(),
    ),
  }
})
const { createRandom } = await import('../../contracts/random.ts')

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

async function run(seed: number, mutation: Mutation = {}): Promise<Report> {
  drawn.next = createRandom(seed + 1_000_000)
  memos.forget()
  try {
    return await runSeed(seed, mutation)
  } catch (error) {
    const how = `CLOISTER_SEED=${seed} npx vitest run test/sequencer/simulation`
    throw new Error(`seed ${seed}: ${(error as Error).message}\n  again: ${how}`, { cause: error })
  }
}

const { CLOISTER_SEED: only, CLOISTER_SEEDS: many, CLOISTER_LONG: isLong } = process.env
const count = Number(many ?? (only === undefined ? (isLong ? 1000 : 50) : 1))
const seeds = Array.from({ length: count }, (_, i) => Number(only ?? 1) + i)

describe('the simulation', () => {
  it(`of ${seeds.length} seeds loses no acknowledged page, applies none twice, and never diverges`, async () => {
    const sum: Record<string, number> = {}
    const before = process.cpuUsage()
    for (const seed of seeds)
      for (const [name, value] of Object.entries(await run(seed)))
        sum[name] = (sum[name] ?? 0) + value
    // Of the processor: the clock on the wall says how busy the machine is.
    const { user, system } = process.cpuUsage(before)
    const seconds = ((user + system) / 1e6).toFixed(1)
    console.log(`${seeds.length} seeds in ${seconds} processor seconds: ${JSON.stringify(sum)}`)
    if (seeds.length < 10) return
    // A world without faults or without work would show nothing.
    for (const name of ['crashes', 'reorgs', 'failedProofs', 'lost', 'doubled', 'fullDisks'])
      expect(sum[name], name).toBeGreaterThan(seeds.length / 10)
    expect(sum['dropped']).toBeGreaterThan(0)
    expect(sum['final']).toBeGreaterThan(seeds.length)
    expect(sum['batches']).toBeGreaterThan(2 * seeds.length)
    // Nor would one in which no batch ever stood behind another, or none went down with it.
    expect(sum['behind']).toBeGreaterThan(seeds.length / 2)
    expect(sum['behindAccepted']).toBeGreaterThan(seeds.length / 10)
    expect(sum['behindWithdrawn']).toBeGreaterThan(seeds.length / 10)
    // Nor one in which no start was from a snapshot, or every snapshot fitted.
    expect(sum['resumed']).toBeGreaterThan(seeds.length / 2)
    expect(sum['unfit']).toBeGreaterThan(0)
  })

  it('gives the same for the same seed, wherever it stands in a row of seeds', async () => {
    const seed = Number(only ?? 1)
    const first = await run(seed)
    await run(seed + 1)
    expect(await run(seed)).toEqual(first)
  })
})

describe.runIf(only === undefined)('a house that is broken on purpose is found out:', () => {
  const mutations: readonly (readonly [string, RegExp, Mutation])[] = [
    [
      'it acknowledges before the record is durable',
      /must not be lost|must give the state|Diverged|must end|is not the one that is open|L1 has root/,
      {
        journal: (journal) => {
          let last = journal.head.sequence
          const append = (payload: Uint8Array): Promise<number> => {
            // The first record is read back at once.
            if (last === 0) return journal.append(payload).then((sequence) => (last = sequence))
            void journal.append(payload).catch(() => {})
            return Promise.resolve(++last)
          }
          return {
            identity: journal.identity,
            get head() {
              return journal.head
            },
            append,
            entries: (after) => journal.entries(after),
            close: () => journal.close(),
          }
        },
      },
    ],
    [
      'it forgets that it knows a proposal',
      /was applied \d times/,
      {
        house: (house, random) => {
          const propose = house.propose.bind(house)
          house.propose = (account, proposal) =>
            propose(account, { ...proposal, clientId: `${proposal.clientId}#${random(1 << 30)}` })
        },
      },
    ],
    [
      'it takes blocks at their word at once',
      /Diverged|deposit \d+ must be credited/,
      { confirmations: 1 },
    ],
    [
      'it gives up a batch whose transaction is still out',
      /Diverged|must be credited|must end/,
      {
        house: (house) => {
          const submit = house.l1.submit.bind(house.l1)
          const patience = () =>
            new Promise<never>((_, reject) =>
              setTimeout(() => reject(new BatchRefused('it takes too long')), 4_000),
            )
          Object.assign(house.l1, {
            submit: (...args: Parameters<typeof submit>) =>
              Promise.race([submit(...args), patience()]),
          })
        },
      },
    ],
    [
      'it passes over some blocks of L1 after a restart',
      /must be credited|must have/,
      {
        house: (house) => {
          const resume = house.l1.resumeAt?.bind(house.l1)
          const passOver = (block: number): void => resume?.(block === 0 ? 0 : block + 20)
          Object.assign(house.l1, { resumeAt: passOver })
        },
      },
    ],
    [
      'it chooses a batch from pages that the one before it has taken',
      /L1 has root|must have|must hold|must give the state|was applied|must end|is not the one that is open/,
      {
        house: ({ core }) => {
          const ground = core.ground.bind(core)
          core.ground = () => ({ ...ground(), book: core.ledger })
        },
      },
    ],
    [
      'it believes a snapshot of records that the journal does not have',
      /Diverged|must not be lost|must give the state|L1 has root|is not the one that is open|must end/,
      {
        chain: (chain) => ({
          identity: chain.identity,
          entries: (after) => chain.entries(after),
          hashAt: async () => new Uint8Array(32),
        }),
      },
    ],
    [
      'it applies something else than it recorded',
      /an independent replay must give the state|is not the one that is open|L1 has root/,
      {
        house: (house) => {
          const apply = house.core.apply.bind(house.core)
          house.core.apply = ({ at, input }) =>
            apply({
              at,
              input: input.kind === 'affirmation' ? { ...input, chance: input.chance ^ 1n } : input,
            })
        },
      },
    ],
  ]
  it.each(mutations)('%s', async (_name, what, mutation) => {
    for (let seed = 1; seed <= 30; seed++) {
      const error = await run(seed, mutation).then(
        () => null,
        (thrown: unknown) => thrown as Error,
      )
      if (error === null) continue
      expect(error.message).toMatch(what)
      return
    }
    expect.fail('thirty seeds have not noticed')
  })
})
