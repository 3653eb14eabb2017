/** Workers of proving jobs: proofs made elsewhere, workers that die or lie, and what the database sees. */
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  prove as proveHere,
  shutdown,
  type CircuitInput,
  type Proof,
} from '../../prover/groth16.ts'
import { BASE_PRIME } from '../../prover/bn254.ts'
import { createRemoteProver, JobParked } from '../../prover/jobs/request.ts'
import type { JobStore, TakenJob } from '../../prover/jobs/store.ts'
import { work, type WorkOptions } from '../../prover/jobs/work.ts'
import { ProveError } from '../../prover/pool.ts'
import { CIRCUIT, found, pause, PROOF, seal, useJobs, worker } from './jobs-store.ts'
import { until } from '../until.ts'
import { BROKEN, compileOpening, OPENING, type Opening } from './opening.ts'

/** A proof that takes until nobody wants it. A signal that has fired already is heard, too. */
function untilGivenUp() {
  let asked = 0
  let givenUp = 0
  const prove = ({ signal }: { readonly signal?: AbortSignal }): Promise<Proof> =>
    new Promise((_resolve, reject) => {
      asked++
      const end = (): void => {
        givenUp++
        reject(new ProveError('child', 'was aborted'))
      }
      if (signal?.aborted === true) end()
      else signal?.addEventListener('abort', end, { once: true })
    })
  return { prove, asked: () => asked, givenUp: () => givenUp }
}

describe.skipIf('missing' in found)('proving jobs with workers', () => {
  const { closing, fresh, url, serverUrl, endLeases } = useJobs()
  let opening: Opening
  let workers = 0
  beforeAll(async () => {
    opening = await compileOpening()
  })
  afterAll(async () => {
    await shutdown()
    opening?.remove()
  })
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
      name: `worker-${++workers}`,
      // A proof holds this thread, and no heart beats meanwhile.
      leaseMs: 600_000,
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

  /** Its name. */
  async function submitted(store: JobStore, input: CircuitInput, maxAttempts: number) {
    const name = seal.name(CIRCUIT, input)
    await store.submit({ name, circuit: CIRCUIT, sealed: seal.close(CIRCUIT, input), maxAttempts })
    return name
  }

  it('a proof is asked for, made elsewhere, verified, and nothing of it stays', async () => {
    const store = await fresh()
    start(store)
    const remote = createRemoteProver({ store, seal, pollMs: 20 })
    const signals = await expected()
    expect((await remote.prove(keyOf(), OPENING, signals)).publicSignals).toEqual(signals)
    expect(await store.look(seal.name(CIRCUIT, OPENING))).toBeNull()
    // It announces itself beside its work, on another connection.
    await until(async () => (await remote.missing(keyOf())) === null)
    expect(await remote.missing({ keyHash: 'b' })).toContain('no prover')
  })

  it('the database never sees an input, neither waiting nor proven', async () => {
    const store = await fresh()
    const canary = 987_654_321_987_654_321n
    const input = { ...OPENING, value: canary }
    const sql = postgres(url(), { max: 1 })
    closing.push(() => sql.end())
    const dump = async (): Promise<string> =>
      JSON.stringify(
        await sql`select name, circuit, encode(sealed, 'escape') as sealed, failure, proof
          from cloister_prover.jobs`,
      )
    const name = await submitted(store, input, 3)
    expect(await dump()).toContain(name)
    expect(await dump()).not.toContain(String(canary))
    start(store)
    await until(async () => (await store.look(name))?.state === 'done')
    expect(await dump()).not.toContain(String(canary))
    const [row] = await sql`select length(sealed) as left from cloister_prover.jobs`
    expect(row?.['left']).toBe(0)
  })

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
  })

  it('a worker that lost its lease gives the job up, and another proves it', async () => {
    const store = await fresh()
    const proving = untilGivenUp()
    let takes = 0
    // It takes one job, once: it may lose it sooner, where it was held up itself.
    const once: JobStore = {
      ...store,
      take: async (...asked) => {
        const job = takes === 0 ? await store.take(...asked) : null
        if (job !== null) takes++
        return job
      },
    }
    const slow = start(once, { name: 'slow', leaseMs: 300, prove: proving.prove })
    const remote = createRemoteProver({ store, seal, pollMs: 20 })
    const proof = remote.prove(keyOf(), OPENING)
    const name = seal.name(CIRCUIT, OPENING)
    await until(async () => (await store.look(name))?.state === 'leased')
    // As if its heartbeats had not come through for too long.
    let job: TakenJob | null = null
    await until(async () => {
      await endLeases()
      job = await store.take(worker('quick'), 600_000)
      return job !== null
    })
    await until(() => slow.log.join().includes('the lease was lost'))
    expect(proving.givenUp()).toBe(proving.asked())
    const taken = job as unknown as TakenJob
    const made = await honest({ input: seal.open(CIRCUIT, taken.sealed) })
    expect(await store.finish(taken, made)).toBe(true)
    await expect(proof).resolves.toMatchObject({ publicSignals: await expected() })
  })

  it('a worker that ends puts its job back', async () => {
    const store = await fresh()
    const proving = untilGivenUp()
    const waiting = start(store, { prove: proving.prove })
    const name = await submitted(store, OPENING, 1)
    await until(() => proving.asked() === 1)
    await waiting.end()
    expect(await store.look(name)).toMatchObject({ state: 'waiting', attempts: 0 })
  })

  it('a worker that ends while the store still answers puts its job back unproven', async () => {
    const store = await fresh()
    const name = await submitted(store, OPENING, 1)
    const proving = untilGivenUp()
    let isTaken = false
    let answer = (): void => {}
    const slow: JobStore = {
      ...store,
      take: async (...asked) => {
        const job = await store.take(...asked)
        isTaken = true
        await new Promise<void>((resolve) => (answer = resolve))
        return job
      },
    }
    const waiting = start(slow, { prove: proving.prove })
    await until(() => isTaken)
    expect(await store.look(name)).toMatchObject({ state: 'leased', attempts: 1 })
    const ended = waiting.end()
    answer()
    await ended
    expect(await store.look(name)).toMatchObject({ state: 'waiting', attempts: 0 })
    expect(proving.asked()).toBe(0)
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
  })

  it('a proof that nobody wants any more is given up by its worker, and its input goes', async () => {
    const store = await fresh()
    const proving = untilGivenUp()
    const { log } = start(store, { leaseMs: 300, prove: proving.prove })
    const remote = createRemoteProver({ store, seal, pollMs: 20 })
    const end = new AbortController()
    const asked = remote.prove(keyOf(), OPENING, undefined, end.signal).catch((e: unknown) => e)
    const name = seal.name(CIRCUIT, OPENING)
    await until(async () => (await store.look(name))?.state === 'leased')
    end.abort()
    expect(String(await asked)).toContain('not wanted')
    expect(await store.look(name)).toBeNull()
    await until(() => proving.givenUp() > 0)
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
    const before = new AbortController()
    before.abort()
    await expect(remote.prove(keyOf(), OPENING, undefined, before.signal)).rejects.toThrow(
      'the proof is not wanted any more',
    )
    expect(await store.look(name)).toBeNull()
  })

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
  })

  it('outlive a database that goes away for a moment', async () => {
    const store = await fresh()
    const { log } = start(store)
    const sql = postgres(serverUrl(), { max: 1, onnotice: () => {} })
    closing.push(() => sql.end())
    const alive = (pid: number) => sql`select 1 from pg_stat_activity where pid = ${pid}`
    const kill = async (): Promise<void> => {
      const told = await sql<{ pid: number }[]>`
        select pid, pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'cloister-prover' and datname = ${new URL(url()).pathname.slice(1)}`
      // They are told, and end when they hear it: none does so in the midst of what is asked later.
      for (const { pid } of told) await until(async () => (await alive(pid)).length === 0)
    }
    await kill()
    await pause(100)
    await kill()
    const remote = createRemoteProver({ store, seal, pollMs: 20 })
    await expect(remote.prove(keyOf(), OPENING)).resolves.toMatchObject({
      publicSignals: await expected(),
    })
    expect(log.join()).not.toContain('12345678901234567890')
  })
})
