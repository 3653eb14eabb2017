/** What a store of proving jobs does, whatever it is made of. */
import type { Proof } from '../groth16.ts'

/**
 * `waiting` for a worker; `leased` to one until its lease ends; `done`, with a proof; `parked`, after
 * the last attempt: nobody takes it any more until somebody looks at it, and of many the oldest go.
 */
export type JobState = 'waiting' | 'leased' | 'done' | 'parked'

export type NewJob = {
  /** Of the sealed input (JobSeal.name): submitting it again finds the job that there is. */
  readonly name: string
  /** Hash of the verification key: workers take jobs of keys that they hold. */
  readonly circuit: string
  readonly sealed: Uint8Array
  readonly maxAttempts: number
}

export type TakenJob = {
  readonly name: string
  readonly circuit: string
  readonly sealed: Uint8Array
  /** From 1. */
  readonly attempt: number
  /** Rises with every lease of any job: whoever has an older one is too late. */
  readonly fence: bigint
}

export type JobView = {
  readonly state: JobState
  readonly attempts: number
  readonly proof: Proof | null
  /** What the last attempt failed of, in a word without any value of the input. */
  readonly failure: string | null
}

export type Worker = { readonly name: string; readonly circuits: readonly string[] }

export type JobVitals = {
  readonly workers: number
  readonly waiting: number
  /** Leased, also where the lease has ended and nobody has taken it since. */
  readonly taken: number
  readonly parked: number
}

export type JobStore = {
  /** Idempotent by name; a parked job of that name waits again, with all its attempts. */
  readonly submit: (job: NewJob) => Promise<void>
  readonly look: (name: string) => Promise<JobView | null>
  /** The oldest job of these circuits that waits, or whose lease has ended. */
  readonly take: (worker: Worker, leaseMs: number) => Promise<TakenJob | null>
  /** Prolongs a lease; false if it is somebody else's by now. */
  readonly beat: (job: TakenJob, leaseMs: number) => Promise<boolean>
  /** False if the job is somebody else's by now: the proof is not taken. Forgets the input. */
  readonly finish: (job: TakenJob, proof: Proof) => Promise<boolean>
  /** Back among the waiting, or parked if that was the last attempt or `isFinal`. */
  readonly fail: (job: TakenJob, failure: string, isFinal: boolean) => Promise<boolean>
  /** Back among the waiting, as if nobody had taken it: its worker ends in good order. */
  readonly release: (job: TakenJob) => Promise<boolean>
  /** Parks what died with its worker too often; names of what has been parked since it was asked. */
  readonly parked: () => Promise<readonly string[]>
  readonly forget: (name: string) => Promise<void>
  /** A worker is there, whether it has a job or not. */
  readonly announce: (worker: Worker) => Promise<void>
  /** Workers with this circuit that were heard of in the last milliseconds. */
  readonly workersFor: (circuit: string, withinMs: number) => Promise<number>
  /** For whoever watches: workers of any circuit heard of lately, and jobs by state. */
  readonly vitals: (withinMs: number) => Promise<JobVitals>
  readonly close: () => Promise<void>
}
