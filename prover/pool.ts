// Proofs in child processes, no more at a time than there is room for.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { CircuitInput, Groth16Proof, Proof } from './groth16.ts'
import type { ProveAnswer, ProveJob, ProveStage } from './prove-process.ts'

export type ChildJob = ProveJob & {
  /** A promise lets the child start and load its libraries before there is anything to prove. */
  readonly input: CircuitInput | Promise<CircuitInput>
  /** The child is killed after this; proofs of 250,000 constraints take half a minute. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export type ProverPool = { readonly prove: (job: ChildJob) => Promise<Proof> }

/** `stage` says what failed: "child" when the process died, timed out or was aborted. */
export class ProveError extends Error {
  readonly stage: ProveStage | 'child'
  constructor(stage: ProveStage | 'child', message: string) {
    super(message)
    this.name = 'ProveError'
    this.stage = stage
  }
}

const DEFAULT_TIMEOUT_MS = 15 * 60 * 1000
const STDERR_LIMIT = 4000
const STDOUT_LIMIT = 1 << 20

/**
 * `concurrency` children at once, first come first served. With one per core give each job
 * `singleThread: true`; with one child alone leave it its threads.
 */
export function createProverPool(concurrency: number): ProverPool {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new Error(`a pool needs room for at least one proof, not ${concurrency}`)
  }
  let running = 0
  const waiting: (() => void)[] = []
  return {
    prove: async (job) => {
      // A finished child hands its place on, so a newcomer cannot overtake the queue.
      if (running >= concurrency) await new Promise<void>((resume) => waiting.push(resume))
      else running++
      try {
        return await runChild(job)
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    },
  }
}

let shared: ProverPool | undefined

/** One proof in the process-wide pool of single-threaded children, one per core. */
export function proveInChild(job: ChildJob): Promise<Proof> {
  shared ??= createProverPool(availableParallelism())
  return shared.prove({ singleThread: true, ...job })
}

export type PreparedProof = {
  /** Hands over the input; asked once. */
  readonly prove: (input: CircuitInput) => Promise<Proof>
  readonly discard: () => void
}

/** Starts the child of the next proof now: loading its libraries costs a second or two. */
export function prepareProof(job: Omit<ChildJob, 'input'>): PreparedProof {
  let give: (input: CircuitInput) => void = () => {}
  let refuse: (reason: Error) => void = () => {}
  const input = new Promise<CircuitInput>((resolve, reject) => {
    give = resolve
    refuse = reject
  })
  const proof = runChild({ ...job, input })
  // Whoever discards it, or never asks, hears nothing of its end.
  proof.catch(() => {})
  return {
    prove: (given) => {
      give(given)
      return proof
    },
    discard: () => refuse(new Error('discarded')),
  }
}

function runChild({ input, timeoutMs, signal, ...job }: ChildJob): Promise<Proof> {
  const what = `proof with ${job.zkeyPath}`
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new ProveError('child', `${what} was aborted before it began`))
      return
    }
    const child = spawn(process.execPath, [...childArguments(), JSON.stringify(job)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let ended: string | undefined
    const kill = (reason: string): void => {
      ended ??= reason
      child.kill('SIGKILL')
    }
    const limit = timeoutMs ?? DEFAULT_TIMEOUT_MS
    let timer: NodeJS.Timeout | undefined
    const onAbort = (): void => kill('was aborted')
    signal?.addEventListener('abort', onAbort, { once: true })
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      if (stdout.length > STDOUT_LIMIT) kill('printed more than a proof')
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr = (stderr + chunk).slice(-STDERR_LIMIT)
    })
    child.on('error', (error) => {
      ended ??= `could not be started: ${error.message}`
    })
    // A child that dies early closes its stdin; its end says more than the broken pipe.
    child.stdin.on('error', () => {})
    Promise.resolve(input).then(
      (given) => {
        timer = setTimeout(() => kill(`took longer than ${limit} ms`), limit)
        child.stdin.end(encodeInput(given))
      },
      () => kill('was given no input'),
    )
    child.on('close', (code, killedBy) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      const answer = ended === undefined ? parseAnswer(stdout) : undefined
      if (answer?.ok === true) {
        resolve({ proof: answer.proof as Groth16Proof, publicSignals: answer.publicSignals })
      } else if (answer?.ok === false) {
        reject(
          new ProveError(answer.stage, `${what} failed at the ${answer.stage}: ` + answer.message),
        )
      } else {
        const end = ended ?? `ended with ${killedBy ?? `code ${code}`} and no proof`
        const said = stderr === '' ? '' : `: ${stderr.trim()}`
        reject(new ProveError('child', `${what} ${end}${said}`))
      }
    })
  })
}

function childArguments(): string[] {
  if (!import.meta.url.endsWith('.ts')) {
    return [fileURLToPath(new URL('./prove-process.js', import.meta.url))]
  }
  // By its full address, so that the caller's working directory does not matter.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  return ['--import', tsx, fileURLToPath(new URL('./prove-process.ts', import.meta.url))]
}

/** bigints as decimal strings, which the witness calculator takes for numbers. */
function encodeInput(input: CircuitInput): string {
  return JSON.stringify(input, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

function parseAnswer(stdout: string): ProveAnswer | undefined {
  try {
    return JSON.parse(stdout) as ProveAnswer
  } catch {
    return undefined
  }
}
