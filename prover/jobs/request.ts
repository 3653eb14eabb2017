/** The house's side of a job store: asks for a proof, and takes none that it has not verified. */
import { verify, type CircuitInput, type Proof, type VerificationKeyJson } from '../groth16.ts'
import { isPlain } from '../plain-proof.ts'
import type { JobSeal } from './seal.ts'
import { pause } from './pause.ts'
import type { JobStore } from './store.ts'

export type JobKey = {
  /** Hash of the verification key. */
  readonly keyHash: string
  readonly verificationKey: VerificationKeyJson
}

export type RequestOptions = {
  readonly store: JobStore
  readonly seal: JobSeal
  readonly maxAttempts?: number
  readonly pollMs?: number
  readonly timeoutMs?: number
  /** A job that nobody could prove: somebody must look at it. */
  readonly onParked?: (name: string) => void
}

const ATTEMPTS = 5
const POLL_MS = 250
const TIMEOUT_MS = 60 * 60 * 1000
/** Workers announce themselves every ten seconds. */
const HEARD_WITHIN_MS = 60_000

export class JobParked extends Error {}

export type RemoteProver = {
  /**
   * The public signals must be `expected`: a worker that proves something else is as good as none.
   * Rejects with JobParked after the last attempt. The same input asked for again, after a restart as
   * well, is the same job. With `signal` nobody wants it any more: its job is gone, and whoever works on it
   * hears so with its next heartbeat.
   */
  readonly prove: (
    key: JobKey,
    input: CircuitInput,
    expected?: readonly string[],
    signal?: AbortSignal,
  ) => Promise<Proof>
  /** Why nobody can take a job of this key now, or null. */
  readonly missing: (key: Pick<JobKey, 'keyHash'>) => Promise<string | null>
}

export function createRemoteProver(options: RequestOptions): RemoteProver {
  const { store, seal, maxAttempts = ATTEMPTS, pollMs = POLL_MS } = options
  const { timeoutMs = TIMEOUT_MS, onParked = () => {} } = options
  return {
    prove: async ({ keyHash, verificationKey }, input, expected, signal) => {
      const name = seal.name(keyHash, input)
      const submit = () =>
        store.submit({ name, circuit: keyHash, sealed: seal.close(keyHash, input), maxAttempts })
      const end = performance.now() + timeoutMs
      let isSubmitted = false
      for (;;) {
        if (signal?.aborted === true) {
          await store.forget(name).catch(() => {})
          throw new Error('the proof is not wanted any more')
        }
        let trouble: unknown = null
        try {
          if (!isSubmitted) await submit()
          isSubmitted = true
          const view = await store.look(name)
          for (const parked of await store.parked()) onParked(parked)
          if (view?.state === 'parked')
            throw new JobParked(`no prover could prove it: ${view.failure ?? 'no reason given'}`)
          if (view?.state === 'done' && view.proof !== null) {
            await store.forget(name)
            if (await isGood(verificationKey, view.proof, expected)) return view.proof
            // Somebody wrote to the table who is no honest worker; asked for again it is a new job.
            onParked(name)
            throw new JobParked('ProofMustVerify: the proof in the job store is not of this input')
          }
          // Forgotten by somebody else.
          if (view === null) isSubmitted = false
        } catch (error) {
          if (error instanceof JobParked) throw error
          // A database that comes back is asked again: the job is still there.
          trouble = error
        }
        if (performance.now() > end) {
          // Nobody asks for it any more: workers should not spend themselves on it.
          await store.forget(name).catch(() => {})
          throw new Error(`no proof after ${timeoutMs} ms`, { cause: trouble })
        }
        await pause(pollMs, signal)
      }
    },
    missing: async ({ keyHash }) =>
      (await store.workersFor(keyHash, HEARD_WITHIN_MS)) > 0
        ? null
        : `no prover with key ${keyHash.slice(0, 12)} was heard of for ${HEARD_WITHIN_MS / 1000} s`,
  }
}

async function isGood(
  key: VerificationKeyJson,
  given: Proof,
  expected: readonly string[] | undefined,
): Promise<boolean> {
  try {
    const { proof, publicSignals } = given
    const isExpected =
      expected === undefined ||
      (expected.length === publicSignals.length && expected.every((s, i) => s === publicSignals[i]))
    return isExpected && isPlain(proof) && (await verify(key, publicSignals, proof))
  } catch {
    // Whoever writes to the table may write anything.
    return false
  }
}
