// Proofs in child processes, no more at a time than there is room for. A child that has proven
// keeps what it loaded and waits for the next job; after a while without one it is let go.

import { fork, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { CircuitInput, Proof } from './groth16.ts'
import type { ProveAnswer, ProveJob, ProveNote, ProveRequest, ProveStage } from './prove-process.ts'

export type ChildJob = ProveJob & {
  readonly input: CircuitInput
  /** The child is killed after this; proofs of 250,000 constraints take ten to twenty seconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export type ProverPool = {
  readonly prove: (job: ChildJob) => Promise<Proof>
  /** Has a child load the key of a job that is to come: it then takes a second less. */
  readonly warm: (job: ProveJob) => void
  /** Ends the children; jobs that are under way fail. */
  readonly close: () => void
}

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
const DEFAULT_IDLE_MS = 60_000
const STDERR_LIMIT = 4000

export type PoolOptions = {
  /** How long a child that has nothing to do keeps its memory. */
  readonly idleMs?: number
  /** Hears that a backend failed and another took over. */
  readonly log?: (line: string) => void
}

/**
 * `concurrency` children at once, first come first served. With one per core give each job
 * `singleThread: true`; with one child alone leave it its threads.
 */
export function createProverPool(
  concurrency: number,
  { idleMs = DEFAULT_IDLE_MS, log = () => {} }: PoolOptions = {},
): ProverPool {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new Error(`a pool needs room for at least one proof, not ${concurrency}`)
  }
  let running = 0
  let isClosed = false
  const waiting: (() => void)[] = []
  const children = new Set<Child>()
  const idle: Child[] = []

  /** One that has the key, or one that has nothing better to do, or a new one. */
  const take = (job: ProveJob): Child => {
    // One that was let go of, or died, may not be gone yet: a job that it is given never ends.
    const alive = idle.splice(0).filter(({ isAlive }) => isAlive)
    const at = alive.findIndex((child) => child.zkeyPath === job.zkeyPath)
    const [child] = alive.splice(at < 0 ? 0 : at, 1)
    idle.push(...alive)
    if (child !== undefined) {
      clearTimeout(child.timer)
      return child
    }
    const fresh = startChild(log)
    children.add(fresh)
    const forget = (): void => {
      children.delete(fresh)
      const place = idle.indexOf(fresh)
      if (place >= 0) idle.splice(place, 1)
    }
    // One that was disconnected has no 'close', one that never started no 'exit'.
    fresh.process.once('exit', forget).once('close', forget)
    return fresh
  }
  const giveBack = (child: Child): void => {
    if (!child.isAlive || isClosed) {
      child.process.kill('SIGKILL')
      return
    }
    idle.push(child)
    child.timer = setTimeout(() => child.process.disconnect(), idleMs)
    child.timer.unref()
  }
  return {
    prove: async (job) => {
      if (isClosed) throw new ProveError('child', 'the pool of provers is closed')
      // A finished child hands its place on, so a newcomer cannot overtake the queue.
      if (running >= concurrency) await new Promise<void>((resume) => waiting.push(resume))
      else running++
      try {
        // What became of the pool, or of the wish, while it waited for its turn.
        if (isClosed) throw new ProveError('child', 'the pool of provers was closed')
        if (job.signal?.aborted === true)
          throw new ProveError('child', `proof with ${job.zkeyPath} was aborted before it began`)
        const child = take(job)
        try {
          return await ask(child, job)
        } finally {
          giveBack(child)
        }
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    },
    warm: (job) => {
      if (isClosed || running >= concurrency) return
      const child = take(job)
      child.zkeyPath = job.zkeyPath
      child.process.send({ kind: 'warm', job: plainJob(job) } satisfies ProveRequest, () => {})
      giveBack(child)
    },
    close: () => {
      isClosed = true
      for (const child of children) child.process.kill('SIGKILL')
    },
  }
}

let shared: ProverPool | undefined

/** One proof in the process-wide pool of single-threaded children, one per core. */
export function proveInChild(job: ChildJob): Promise<Proof> {
  shared ??= createProverPool(availableParallelism())
  return shared.prove({ singleThread: true, ...job })
}

type Child = {
  readonly process: ChildProcess
  /** What it said on stderr of late. */
  stderr: string
  isAlive: boolean
  zkeyPath: string | null
  timer: NodeJS.Timeout | undefined
}

function startChild(log: (line: string) => void): Child {
  const { script, execArgv } = childScript()
  const process = fork(script, [], {
    execArgv,
    // bigints as they are, and no text of secrets anywhere.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const child: Child = { process, stderr: '', isAlive: true, zkeyPath: null, timer: undefined }
  const dead = (): void => void (child.isAlive = false)
  process.on('error', dead)
  process.on('disconnect', dead)
  process.on('exit', dead)
  process.on('message', (message: ProveAnswer | ProveNote) => {
    if ('note' in message) log(message.note)
  })
  process.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    child.stderr = (child.stderr + chunk).slice(-STDERR_LIMIT)
  })
  keepAlive(child, false)
  return child
}

/** A child that waits must not keep its parent from ending. */
function keepAlive({ process }: Child, isNeeded: boolean): void {
  const stderr = process.stderr as unknown as { ref: () => void; unref: () => void } | null
  for (const handle of [process, process.channel, stderr]) {
    if (isNeeded) handle?.ref()
    else handle?.unref()
  }
}

function ask(child: Child, { input, timeoutMs, signal, ...job }: ChildJob): Promise<Proof> {
  const what = `proof with ${job.zkeyPath}`
  const { process } = child
  child.zkeyPath = job.zkeyPath
  child.stderr = ''
  keepAlive(child, true)
  return new Promise<Proof>((resolve, reject) => {
    let ended: string | undefined
    const kill = (reason: string): void => {
      ended ??= reason
      process.kill('SIGKILL')
    }
    const limit = timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(() => kill(`took longer than ${limit} ms`), limit)
    const onAbort = (): void => kill('was aborted')
    const finish = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      process.off('message', onMessage)
      process.off('close', onClose)
      process.off('error', onError)
      keepAlive(child, false)
    }
    const onMessage = (answer: ProveAnswer | ProveNote): void => {
      if (ended !== undefined || 'note' in answer) return
      finish()
      if (answer.ok) resolve({ proof: answer.proof, publicSignals: answer.publicSignals })
      else
        reject(
          new ProveError(answer.stage, `${what} failed at the ${answer.stage}: ${answer.message}`),
        )
    }
    const onClose = (code: number | null, killedBy: string | null): void => {
      finish()
      const end = ended ?? `ended with ${killedBy ?? `code ${code}`} and no proof`
      const said = child.stderr === '' ? '' : `: ${child.stderr.trim()}`
      reject(new ProveError('child', `${what} ${end}${said}`))
    }
    const onError = (error: Error): void => {
      ended ??= `could not be started: ${error.message}`
      if (process.pid !== undefined) return
      finish()
      reject(new ProveError('child', `${what} ${ended}`))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    process.on('message', onMessage)
    process.on('close', onClose)
    process.on('error', onError)
    // A child that dies early breaks the channel; its end says more than that.
    process.send({ kind: 'prove', job: plainJob(job), input } satisfies ProveRequest, () => {})
  })
}

/** Its own fields alone: whoever has more in one object should not send it all. */
function plainJob(job: ProveJob): ProveJob {
  const { zkeyPath, wasmPath, verificationKeyPath, singleThread, backend } = job
  return {
    zkeyPath,
    wasmPath,
    ...(verificationKeyPath === undefined ? {} : { verificationKeyPath }),
    ...(singleThread === undefined ? {} : { singleThread }),
    ...(backend === undefined ? {} : { backend }),
  }
}

function childScript(): { readonly script: string; readonly execArgv: string[] } {
  if (!import.meta.url.endsWith('.ts')) {
    return { script: fileURLToPath(new URL('./prove-process.js', import.meta.url)), execArgv: [] }
  }
  // By its full address, so that the caller's working directory does not matter.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const script = fileURLToPath(new URL('./prove-process.ts', import.meta.url))
  return { script, execArgv: ['--import', tsx] }
}
