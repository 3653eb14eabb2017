/** Proving jobs in a real PostgreSQL: leases, fences, workers that die, and what the database sees. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  prove as proveHere,
  shutdown,
  type CircuitInput,
  type Proof,
} from '../../prover/groth16.ts'
import { BASE_PRIME } from '../../prover/bn254.ts'
import { openPostgresJobs, PARKED_KEPT } from '../../prover/jobs/postgres-jobs.ts'
import { createRemoteProver, JobParked } from '../../prover/jobs/request.ts'
import { createJobSeal } from '../../prover/jobs/seal.ts'
import type { JobStore, TakenJob } from '../../prover/jobs/store.ts'
import { work, type WorkOptions } from '../../prover/jobs/work.ts'
import { ProveError } from '../../prover/pool.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../postgres.ts'
import { BROKEN, compileOpening, OPENING, type Opening } from './opening.ts'

const found = findPostgres()
if ('missing' in found) console.warn(`proving jobs in PostgreSQL not tested: ${found.missing}`)
const KEY = new Uint8Array(32).fill(9)
const seal = createJobSeal(KEY)
const CIRCUIT = 'a'.repeat(64)
const PROOF = { proof: { pi_a: ['1'] }, publicSignals: ['7'] } as unknown as Proof
const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms))
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await isTrue()) return
    await pause(25)
  }
  throw new Error('it never came true')
}

describe.skipIf('missing' in found)('proving jobs in PostgreSQL', () => {
  let server: TestPostgres
  let opening: Opening
  let url: string
  let databases = 0
  const closing: (() => unknown)[] = []
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
    opening = await compileOpening()
  }, 120_000)
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  afterAll(async () => {
    await shutdown()
    opening?.remove()
    await server?.stop()
  })
  const open = async (): Promise<JobStore> => {
    const store = await openPostgresJobs({ url })
    closing.push(() => store.close())
    return store
  }
  const fresh = async (): Promise<JobStore> => {
    url = await server.database(`jobs${databases++}`)
    return open()
  }
  const worker = (name: string) => ({ name, circuits: [CIRCUIT] })
  const submit = (store: JobStore, name: string, maxAttempts = 3) =>
    store.submit({ name, circuit: CIRCUIT, sealed: randomBytes(8), maxAttempts })

  it('go to one worker each, oldest first, however many ask at once', async () => {
    const store = await fresh()
    const others = [await open(), await open()]
    for (let i = 0; i < 12; i++) await submit(store, `job${String(i).padStart(2, '0')}`)
    const first = await store.take(worker('first'), 60_000)
    expect(first).toMatchObject({ name: 'job00', attempt: 1 })
    const asked = [store, ...others].flatMap((s, i) =>
      Array.from({ length: 5 }, () => s.take(worker(`w${i}`), 60_000)),
    )
    const taken = (await Promise.all(asked)).flatMap((job) => (job === null ? [] : [job]))
    expect(taken.map(({ name }) => name).sort()).toEqual(
      Array.from({ length: 11 }, (_, i) => `job${String(i + 1).padStart(2, '0')}`),
    )
    expect(new Set(taken.map(({ fence }) => fence)).size).toBe(11)
    expect(await store.take(worker('late'), 60_000)).toBeNull()
  })

  it('go to workers that hold the key', async () => {
    const store = await fresh()
    await submit(store, 'job')
    expect(await store.take({ name: 'w', circuits: [] }, 1000)).toBeNull()
    expect(await store.take({ name: 'w', circuits: ['b'.repeat(64)] }, 1000)).toBeNull()
    expect(await store.take({ name: 'w', circuits: ['b', CIRCUIT] }, 1000)).toMatchObject({
      name: 'job',
    })
  })

  it('are taken again when the lease has ended; the late result is refused', async () => {
    const store = await fresh()
    await submit(store, 'job')
    const late = (await store.take(worker('slow'), 100)) as TakenJob
    expect(await store.take(worker('quick'), 60_000)).toBeNull()
    await pause(150)
    const job = (await store.take(worker('quick'), 60_000)) as TakenJob
    expect(job).toMatchObject({ name: 'job', attempt: 2 })
    expect(job.fence).toBeGreaterThan(late.fence)
    expect(await store.beat(late, 60_000)).toBe(false)
    expect(await store.finish(late, PROOF)).toBe(false)
    expect(await store.fail(late, 'late', true)).toBe(false)
    expect(await store.release(late)).toBe(false)
    expect(await store.look('job')).toMatchObject({ state: 'leased', proof: null })
    expect(await store.finish(job, PROOF)).toBe(true)
    expect(await store.look('job')).toEqual({
      state: 'done',
      attempts: 2,
      proof: PROOF,
      failure: null,
    })
    // Once is enough.
    expect(await store.finish(job, PROOF)).toBe(false)
    expect(await store.take(worker('quick'), 1000)).toBeNull()
  })

  it('stay with a worker that beats', async () => {
    const store = await fresh()
    await submit(store, 'job')
    const job = (await store.take(worker('w'), 200)) as TakenJob
    for (let i = 0; i < 4; i++) {
      await pause(100)
      expect(await store.beat(job, 200)).toBe(true)
      expect(await store.take(worker('other'), 200)).toBeNull()
    }
    expect(await store.finish(job, PROOF)).toBe(true)
  })

  it('are parked after the last attempt, once told, and wait again when they are submitted', async () => {
    const store = await fresh()
    await submit(store, 'poison', 2)
    await submit(store, 'silent', 1)
    const one = (await store.take(worker('w'), 60_000)) as TakenJob
    expect(one.name).toBe('poison')
    await store.fail(one, 'failed at the proof', false)
    expect(await store.look('poison')).toMatchObject({ state: 'waiting', attempts: 1 })
    const two = (await store.take(worker('w'), 60_000)) as TakenJob
    expect([two.name, two.attempt]).toEqual(['poison', 2])
    await store.fail(two, 'failed at the proof', false)
    expect(await store.look('poison')).toMatchObject({
      state: 'parked',
      failure: 'failed at the proof',
    })
    await store.take(worker('w'), 50)
    expect(await store.parked()).toEqual(['poison'])
    await pause(100)
    expect(await store.take(worker('w'), 50)).toBeNull()
    expect(await store.parked()).toEqual(['silent'])
    expect(await store.parked()).toEqual([])
    expect(await store.look('silent')).toMatchObject({ failure: 'its worker fell silent' })
    await submit(store, 'poison', 2)
    expect(await store.take(worker('w'), 50)).toMatchObject({ name: 'poison', attempt: 1 })
  })

  it('are parked in such a number only, the oldest go', async () => {
    const store = await fresh()
    const names = Array.from({ length: PARKED_KEPT + 3 }, (_, i) => `p${i}`)
    for (const name of names) {
      await submit(store, name, 1)
      await store.fail((await store.take(worker('w'), 60_000)) as TakenJob, 'no proof', true)
      expect(await store.parked()).toEqual([name])
    }
    expect((await store.vitals(1000)).parked).toBe(PARKED_KEPT)
    for (const [i, name] of names.entries()) expect((await store.look(name)) === null).toBe(i < 3)
  })

  it('are the same job when they are submitted again', async () => {
    const store = await fresh()
    await submit(store, 'job')
    const job = (await store.take(worker('w'), 60_000)) as TakenJob
    await submit(store, 'job')
    expect(await store.look('job')).toMatchObject({ state: 'leased', attempts: 1 })
    await store.finish(job, PROOF)
    await submit(store, 'job')
    expect(await store.look('job')).toMatchObject({ state: 'done' })
    await store.forget('job')
    expect(await store.look('job')).toBeNull()
  })

  it('lose no attempt to a worker that ends in good order', async () => {
    const store = await fresh()
    await submit(store, 'job', 1)
    const job = (await store.take(worker('w'), 60_000)) as TakenJob
    expect(await store.release(job)).toBe(true)
    expect(await store.take(worker('w'), 60_000)).toMatchObject({ attempt: 1 })
  })

  it('know which workers there are', async () => {
    const store = await fresh()
    expect(await store.workersFor(CIRCUIT, 60_000)).toBe(0)
    await store.announce(worker('one'))
    await store.announce(worker('one'))
    await store.announce({ name: 'two', circuits: ['b'] })
    expect(await store.workersFor(CIRCUIT, 60_000)).toBe(1)
    await pause(60)
    expect(await store.workersFor(CIRCUIT, 30)).toBe(0)
  })

  it('are counted by state, with the workers of any circuit, for whoever watches', async () => {
    const store = await fresh()
    const none = { workers: 0, waiting: 0, taken: 0, parked: 0 }
    expect(await store.vitals(60_000)).toEqual(none)
    for (const name of ['a', 'b', 'c']) await submit(store, name, 1)
    await store.announce({ name: 'two', circuits: ['another'] })
    expect(await store.vitals(60_000)).toEqual({ ...none, workers: 1, waiting: 3 })
    const job = (await store.take(worker('w'), 60_000)) as TakenJob
    expect(await store.vitals(60_000)).toEqual({ ...none, workers: 1, waiting: 2, taken: 1 })
    await store.fail(job, 'no', true)
    expect(await store.vitals(60_000)).toEqual({ ...none, workers: 1, waiting: 2, parked: 1 })
    await pause(60)
    expect((await store.vitals(30)).workers).toBe(0)
  })

  describe('with workers', () => {
    const keyOf = () => ({ keyHash: CIRCUIT, verificationKey: opening.verificationKey })
    const expected = async () =>
      (await proveHere(opening.zkeyPath, opening.wasmPath, OPENING, { singleThread: true }))
        .publicSignals
    const honest = (job: { readonly input: CircuitInput }) =>
      proveHere(opening.zkeyPath, opening.wasmPath, job.input, { singleThread: true })
    function start(store: JobStore, options: Partial<WorkOptions> = {}) {
      const stop = new AbortController()
      const log: string[] = []
      const ended = work({
        store,
        seal,
        circuits: new Map([[CIRCUIT, opening]]),
        prove: honest,
        name: randomBytes(4).toString('hex'),
        leaseMs: 300,
        pollMs: 20,
        log: (line) => log.push(line),
        signal: stop.signal,
        ...options,
      })
      const end = async (): Promise<void> => {
        stop.abort()
        await ended
      }
      closing.push(end)
      return { log, end }
    }

    it('a proof is asked for, made elsewhere, verified, and nothing of it stays', async () => {
      const store = await fresh()
      start(store)
      const remote = createRemoteProver({ store, seal, pollMs: 20 })
      const signals = await expected()
      expect((await remote.prove(keyOf(), OPENING, signals)).publicSignals).toEqual(signals)
      expect(await store.look(seal.name(CIRCUIT, OPENING))).toBeNull()
      expect(await remote.missing(keyOf())).toBeNull()
      expect(await remote.missing({ keyHash: 'b' })).toContain('no prover')
    }, 60_000)

    it('the database never sees an input, neither waiting nor proven', async () => {
      const store = await fresh()
      const canary = 987_654_321_987_654_321n
      const input = { ...OPENING, value: canary }
      const name = seal.name(CIRCUIT, input)
      const sql = postgres(url, { max: 1 })
      closing.push(() => sql.end())
      const dump = async (): Promise<string> =>
        JSON.stringify(
          await sql`select name, circuit, encode(sealed, 'escape') as sealed, failure, proof
            from cloister_prover.jobs`,
        )
      await store.submit({
        name,
        circuit: CIRCUIT,
        sealed: seal.close(CIRCUIT, input),
        maxAttempts: 3,
      })
      expect(await dump()).toContain(name)
      expect(await dump()).not.toContain(String(canary))
      start(store)
      await until(async () => (await store.look(name))?.state === 'done')
      expect(await dump()).not.toContain(String(canary))
      const [row] = await sql`select length(sealed) as left from cloister_prover.jobs`
      expect(row?.['left']).toBe(0)
    }, 60_000)

    it('an input that breaks the circuit is parked at once, without a word of its values', async () => {
      const store = await fresh()
      const failing = async (): Promise<Proof> => {
        throw new ProveError('witness', 'Error in template Opening_71 line: 16 value 424242')
      }
      const { log } = start(store, { prove: failing })
      const parked: string[] = []
      const remote = createRemoteProver({
        store,
        seal,
        pollMs: 20,
        onParked: (name) => parked.push(name),
      })
      const error = await remote.prove(keyOf(), BROKEN).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(JobParked)
      expect(String(error)).toContain('failed at the witness (Opening_71, line 16)')
      expect(`${String(error)} ${log.join()}`).not.toContain('424242')
      expect(parked).toEqual([seal.name(CIRCUIT, BROKEN)])
      expect(await store.look(parked[0] as string)).toMatchObject({ attempts: 1, state: 'parked' })
    })

    it('a worker that dies with every attempt costs its attempts, and then there is an alarm', async () => {
      const store = await fresh()
      let attempts = 0
      const dying = async (): Promise<Proof> => {
        attempts++
        throw new ProveError('child', 'ended with SIGKILL')
      }
      start(store, { prove: dying })
      const remote = createRemoteProver({ store, seal, pollMs: 20, maxAttempts: 3 })
      await expect(remote.prove(keyOf(), OPENING)).rejects.toThrow('failed at the child')
      expect(attempts).toBe(3)
    })

    it('a poison job does not keep the others waiting', async () => {
      const store = await fresh()
      start(store, {
        prove: async (job) => {
          if (String((job.input as { value: string }).value) === '13')
            throw new ProveError('child', 'ended with SIGKILL')
          return honest(job)
        },
      })
      const remote = createRemoteProver({ store, seal, pollMs: 20, maxAttempts: 2 })
      const poison = remote.prove(keyOf(), { ...OPENING, value: 13n }).catch((e: unknown) => e)
      await expect(remote.prove(keyOf(), OPENING)).resolves.toMatchObject({
        publicSignals: await expected(),
      })
      expect(await poison).toBeInstanceOf(JobParked)
    }, 60_000)

    it('a worker that lost its lease gives the job up, and another proves it', async () => {
      const store = await fresh()
      const sql = postgres(url, { max: 1 })
      closing.push(() => sql.end())
      let aborted = false
      const slow = start(store, {
        name: 'slow',
        prove: ({ signal }) =>
          new Promise((_resolve, reject) =>
            signal?.addEventListener('abort', () => {
              aborted = true
              reject(new ProveError('child', 'was aborted'))
            }),
          ),
      })
      const remote = createRemoteProver({ store, seal, pollMs: 20 })
      const proof = remote.prove(keyOf(), OPENING)
      const name = seal.name(CIRCUIT, OPENING)
      await until(async () => (await store.look(name))?.state === 'leased')
      // As if its heartbeats had not come through for too long.
      await sql`update cloister_prover.jobs set lease_until = now() - interval '1 second'`
      const job = (await store.take(worker('quick'), 60_000)) as TakenJob
      await until(() => aborted)
      expect(slow.log.join()).toContain('the lease was lost')
      expect(await store.finish(job, await honest({ input: seal.open(CIRCUIT, job.sealed) }))).toBe(
        true,
      )
      await expect(proof).resolves.toMatchObject({ publicSignals: await expected() })
    }, 60_000)

    it('a worker that ends puts its job back', async () => {
      const store = await fresh()
      const waiting = start(store, {
        prove: ({ signal }) =>
          new Promise((_resolve, reject) =>
            signal?.addEventListener('abort', () => reject(new ProveError('child', 'aborted'))),
          ),
      })
      await submit(store, 'job')
      await store.forget('job')
      const name = seal.name(CIRCUIT, OPENING)
      await store.submit({
        name,
        circuit: CIRCUIT,
        sealed: seal.close(CIRCUIT, OPENING),
        maxAttempts: 1,
      })
      await until(async () => (await store.look(name))?.state === 'leased')
      await waiting.end()
      expect(await store.look(name)).toMatchObject({ state: 'waiting', attempts: 0 })
    })

    it('a proof of something else is not taken, whoever put it there', async () => {
      const store = await fresh()
      const parked: string[] = []
      const remote = createRemoteProver({
        store,
        seal,
        pollMs: 20,
        onParked: (n) => parked.push(n),
      })
      const signals = await expected()
      const other = await honest({ input: { ...OPENING, shift: 9n } })
      const right = await honest({ input: OPENING })
      for (const lie of [
        PROOF,
        other,
        { ...other, publicSignals: signals },
        { proof: null, publicSignals: signals } as unknown as Proof,
        ...([{}, [], 'none', { proof: right.proof }] as unknown as Proof[]),
        { proof: right.proof, publicSignals: null } as unknown as Proof,
        // The same point, written so that L1 does not take it.
        ...[0n, -2n * BASE_PRIME].map((less) => ({
          publicSignals: signals,
          proof: {
            ...right.proof,
            pi_a: [
              `${BigInt(right.proof.pi_a[0] as string) + BASE_PRIME + less}`,
              ...right.proof.pi_a.slice(1),
            ],
          },
        })),
      ]) {
        const asked = remote.prove(keyOf(), OPENING, signals).catch((e: unknown) => e)
        let job: TakenJob | null = null
        await until(async () => (job ??= await store.take(worker('liar'), 60_000)) !== null)
        await store.finish(job as unknown as TakenJob, lie)
        expect(String(await asked)).toContain('ProofMustVerify')
      }
      expect(parked).toHaveLength(11)
    }, 60_000)

    it('a proof that nobody wants any more is given up by its worker, and its input goes', async () => {
      const store = await fresh()
      const { log } = start(store, {
        prove: ({ signal }) =>
          new Promise((_, reject) =>
            signal?.addEventListener('abort', () => reject(new Error('stopped'))),
          ),
      })
      const remote = createRemoteProver({ store, seal, pollMs: 20 })
      const end = new AbortController()
      const asked = remote.prove(keyOf(), OPENING, undefined, end.signal).catch((e: unknown) => e)
      const name = seal.name(CIRCUIT, OPENING)
      await until(async () => (await store.look(name))?.state === 'leased')
      end.abort()
      expect(String(await asked)).toContain('not wanted')
      expect(await store.look(name)).toBeNull()
      await until(() => log.some((line) => line.includes('the lease was lost')))
      // The worker is free for the next.
      const next = { ...OPENING, shift: 8n }
      const other = new AbortController()
      const waiting = remote.prove(keyOf(), next, undefined, other.signal).catch(() => {})
      await until(async () => {
        return (await store.look(seal.name(CIRCUIT, next)))?.state === 'leased'
      })
      other.abort()
      await waiting
    }, 60_000)

    it('a house that cannot reach the database asks again, and gives up in the end', async () => {
      const store = await fresh()
      start(store)
      let failures = 3
      const shaky: JobStore = {
        ...store,
        look: async (name) => {
          if (failures-- > 0) throw new Error('the connection was closed')
          return store.look(name)
        },
      }
      const remote = createRemoteProver({ store: shaky, seal, pollMs: 20 })
      await expect(remote.prove(keyOf(), OPENING)).resolves.toMatchObject({
        publicSignals: await expected(),
      })
      const dead: JobStore = { ...store, submit: () => Promise.reject(new Error('gone')) }
      const hopeless = createRemoteProver({ store: dead, seal, pollMs: 20, timeoutMs: 100 })
      await expect(hopeless.prove(keyOf(), OPENING)).rejects.toThrow('no proof after 100 ms')
      const other = { ...keyOf(), keyHash: 'd'.repeat(64) }
      const unheard = createRemoteProver({ store, seal, pollMs: 20, timeoutMs: 100 })
      await expect(unheard.prove(other, OPENING)).rejects.toThrow('no proof after 100 ms')
      expect(await store.look(seal.name(other.keyHash, OPENING))).toBeNull()
    }, 60_000)

    it('outlive a database that goes away for a moment', async () => {
      const store = await fresh()
      const { log } = start(store)
      const sql = postgres(server.url, { max: 1, onnotice: () => {} })
      closing.push(() => sql.end())
      const kill = () => sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'cloister-prover' and datname = ${new URL(url).pathname.slice(1)}`
      await kill()
      await pause(100)
      await kill()
      const remote = createRemoteProver({ store, seal, pollMs: 20 })
      await expect(remote.prove(keyOf(), OPENING)).resolves.toMatchObject({
        publicSignals: await expected(),
      })
      expect(log.join()).not.toContain('12345678901234567890')
    }, 60_000)
  })
})
