/** Proving jobs in a PostgreSQL of the tests' own, for those of the store and of its workers. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { Proof } from '../../prover/groth16.ts'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { createJobSeal } from '../../prover/jobs/seal.ts'
import type { JobStore } from '../../prover/jobs/store.ts'
import postgres from 'postgres'
import { findPostgres, startPostgres, type TestPostgres } from '../postgres.ts'

export const found = findPostgres()
if ('missing' in found) console.warn(`proving jobs in PostgreSQL not tested: ${found.missing}`)

export const seal = createJobSeal(new Uint8Array(32).fill(9))
export const CIRCUIT = 'a'.repeat(64)
export const PROOF = { proof: { pi_a: ['1'] }, publicSignals: ['7'] } as unknown as Proof

export const pause = (ms: number): Promise<unknown> =>
  new Promise((resolve) => setTimeout(resolve, ms))

export const worker = (name: string) => ({ name, circuits: [CIRCUIT] })

export const submit = (store: JobStore, name: string, maxAttempts = 3) =>
  store.submit({ name, circuit: CIRCUIT, sealed: randomBytes(8), maxAttempts })

/** A server for the tests of the `describe` that calls this, which must be skipped where none is found. */
export function useJobs() {
  let server: TestPostgres
  let url = ''
  let databases = 0
  /** What each test leaves to be closed after it, the last first. */
  const closing: (() => unknown)[] = []
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  afterAll(() => server?.stop())

  /** Another connection to the database of this test. */
  const open = async (): Promise<JobStore> => {
    const store = await openPostgresJobs({ url })
    closing.push(() => store.close())
    return store
  }
  const fresh = async (): Promise<JobStore> => {
    url = await server.database(`jobs${databases++}`)
    return open()
  }
  /** Leases end when a test says so, and not because the machine is slow. */
  const query = async (text: string): Promise<readonly Record<string, unknown>[]> => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    return sql.unsafe(text).finally(() => sql.end())
  }
  const endLeases = () =>
    query("update cloister_prover.jobs set lease_until = clock_timestamp() - interval '1 second'")
  return { closing, open, fresh, query, endLeases, url: () => url, serverUrl: () => server.url }
}
