/** A worker says that it is there, however long the leases are that it takes. */
import { afterEach, expect, it, vi } from 'vitest'
import type { JobStore } from '../../prover/jobs/store.ts'
import { work } from '../../prover/jobs/work.ts'

afterEach(() => vi.useRealTimers())

it.each([30_000, 3_600_000])('six times a minute at leases of %i ms', async (leaseMs) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let count = 0
  const store = {
    take: async () => null,
    announce: async () => void count++,
  } as Partial<JobStore> as JobStore
  const stop = new AbortController()
  const ended = work({
    store,
    seal: undefined as never,
    circuits: new Map(),
    prove: () => Promise.reject(new Error('there is no job')),
    name: 'one',
    leaseMs,
    signal: stop.signal,
  })
  await vi.advanceTimersByTimeAsync(60_000)
  stop.abort()
  await ended
  expect(count).toBe(7)
})
