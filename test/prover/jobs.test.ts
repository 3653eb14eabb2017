/** Proving jobs in a real PostgreSQL: leases, fences, attempts, and who is there to take them. */
import { describe, expect, it } from 'vitest'
import { openPostgresJobs, PARKED_KEPT } from '../../prover/jobs/postgres-jobs.ts'
import type { TakenJob } from '../../prover/jobs/store.ts'
import { CIRCUIT, found, pause, PROOF, submit, useJobs, worker } from './jobs-store.ts'

describe.skipIf('missing' in found)('proving jobs in PostgreSQL', () => {
  const { open, fresh, endLeases } = useJobs()

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
    const late = (await store.take(worker('slow'), 600_000)) as TakenJob
    expect(await store.take(worker('quick'), 60_000)).toBeNull()
    await endLeases()
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
    const job = (await store.take(worker('w'), 600_000)) as TakenJob
    for (let i = 0; i < 4; i++) {
      await endLeases()
      expect(await store.beat(job, 600_000)).toBe(true)
      expect(await store.take(worker('other'), 600_000)).toBeNull()
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
    await store.take(worker('w'), 600_000)
    expect(await store.parked()).toEqual(['poison'])
    await endLeases()
    expect(await store.take(worker('w'), 600_000)).toBeNull()
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

  it('say nothing of the URL when the database is not there', async () => {
    const secret = 'postgres://cloister:hunter2@127.0.0.1:1/none'
    const error = await openPostgresJobs({ url: secret }).catch((e: unknown) => e)
    expect(String(error)).toContain('ECONNREFUSED')
    expect(String(error)).not.toContain('hunter2')
    await expect(openPostgresJobs({ url: secret, schema: 'a; drop' })).rejects.toThrow('no name')
  })
})
