/** A worker: takes jobs from a store, proves them, and keeps its lease alive meanwhile. */
import type { Proof } from '../groth16.ts'
import { ProveError, type ChildJob } from '../pool.ts'
import type { ProveJob } from '../prove-process.ts'
import { pause } from './pause.ts'
import { InputMustOpen, type JobSeal } from './seal.ts'
import type { JobStore, TakenJob } from './store.ts'

export type WorkOptions = {
  readonly store: JobStore
  readonly seal: JobSeal
  /** By the hash of the verification key. */
  readonly circuits: ReadonlyMap<string, ProveJob>
  /** Gives proofs that verify (ProverPool.prove), or an error. */
  readonly prove: (job: ChildJob) => Promise<Proof>
  /** Its own among all workers. */
  readonly name: string
  /** Jobs at a time. */
  readonly concurrency?: number
  readonly leaseMs?: number
  readonly pollMs?: number
  readonly log?: (line: string) => void
  /** Ends it: jobs under way are given up, and wait again for others. */
  readonly signal: AbortSignal
}

const LEASE_MS = 30_000
const POLL_MS = 500
/** However long its leases are: a house takes whom it has not heard of for a minute to be gone. */
const ANNOUNCE_MS = 10_000

/** Resolves when the signal has come and every job is put back or done. */
export async function work(options: WorkOptions): Promise<void> {
  const { concurrency = 1 } = options
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new Error(`a worker takes at least one job at a time, not ${concurrency}`)
  const announcing = announce(options)
  await Promise.all(Array.from({ length: concurrency }, () => takeJobs(options)))
  await announcing
}

async function announce(options: WorkOptions): Promise<void> {
  const { store, name, circuits, leaseMs = LEASE_MS, signal, log = () => {} } = options
  while (!signal.aborted) {
    await store
      .announce({ name, circuits: [...circuits.keys()] })
      .catch((error: unknown) => log(`the job store does not answer: ${wordOf(error)}`))
    await pause(Math.min(ANNOUNCE_MS, leaseMs / 3), signal)
  }
}

async function takeJobs(options: WorkOptions): Promise<void> {
  const { store, name, circuits, leaseMs = LEASE_MS, pollMs = POLL_MS, signal } = options
  const { log = () => {} } = options
  while (!signal.aborted) {
    const job = await store
      .take({ name, circuits: [...circuits.keys()] }, leaseMs)
      .catch((error: unknown) => {
        log(`the job store does not answer: ${wordOf(error)}`)
        return null
      })
    if (job === null) await pause(pollMs, signal)
    else
      await one(options, job).catch((error: unknown) =>
        // The lease will end, and another takes it.
        log(`job ${short(job)}: its result could not be stored: ${wordOf(error)}`),
      )
  }
}

async function one(options: WorkOptions, job: TakenJob): Promise<void> {
  const { store, seal, circuits, prove, leaseMs = LEASE_MS, signal, log = () => {} } = options
  const started = performance.now()
  const lost = new AbortController()
  const beating = keepLease(options, job, leaseMs, lost)
  try {
    const circuit = circuits.get(job.circuit)
    if (circuit === undefined) throw new Error(`circuit ${job.circuit} is not one of mine`)
    const input = seal.open(job.circuit, job.sealed)
    // The end may have come while the store still answered: a signal that has fired fires no more.
    signal.throwIfAborted()
    const proof = await prove({ ...circuit, input, signal: AbortSignal.any([signal, lost.signal]) })
    const isTaken = await store.finish(job, proof)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    log(`job ${short(job)}: ${isTaken ? `proven in ${seconds} s` : 'proven too late, refused'}`)
  } catch (error) {
    const isLost = lost.signal.aborted
    const word = signal.aborted ? 'given up by its worker' : wordOf(error)
    log(`job ${short(job)}, attempt ${job.attempt}: ${isLost ? 'the lease was lost' : word}`)
    if (isLost) return
    if (signal.aborted) await store.release(job)
    else await store.fail(job, word, isHopeless(error))
  } finally {
    lost.abort()
    await beating
  }
}

/** Aborts the proof when somebody else has the job, or when that can no longer be excluded. */
async function keepLease(
  { store }: WorkOptions,
  job: TakenJob,
  leaseMs: number,
  lost: AbortController,
): Promise<void> {
  let until = performance.now() + leaseMs
  for (;;) {
    await pause(leaseMs / 3, lost.signal)
    if (lost.signal.aborted) return
    const asked = performance.now()
    const isHeld = await store.beat(job, leaseMs).catch(() => null)
    if (isHeld === true) until = asked + leaseMs
    if (isHeld === false || performance.now() > until) lost.abort()
  }
}

/** What will not be proven by trying again: an input that breaks the circuit, or does not open. */
function isHopeless(error: unknown): boolean {
  return (
    error instanceof InputMustOpen || (error instanceof ProveError && error.stage === 'witness')
  )
}

/** Without anything that an input could have put into a message: stores and logs keep it. */
function wordOf(error: unknown): string {
  if (error instanceof InputMustOpen) return 'InputMustOpen'
  if (error instanceof ProveError) {
    const place = /template (\w+) line: (\d+)/.exec(error.message)
    return `failed at the ${error.stage}${place === null ? '' : ` (${place[1]}, line ${place[2]})`}`
  }
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
}

const short = ({ name }: TakenJob): string => name.slice(0, 12)
