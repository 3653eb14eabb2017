/**
 * Threads that compute what the one thread of the house would otherwise be held up by: a signature
 * of a page and a receipt take half a millisecond each. What they answer is a pure function of what
 * they are asked, so it says nothing whether they are there: without them, or when one dies, the
 * house computes the same itself.
 */
import { Worker } from 'node:worker_threads'
import type { Point, Signature } from '../../circuits/eddsa.ts'
import { READY, type Asked, type Done, type Task } from './task.ts'

export type ThreadsOptions = {
  readonly count: number
  /** Signs receipts; null leaves them to the house. */
  readonly operatorKey?: string | null
  /** A thread that answers nothing for so long is given up. */
  readonly patienceMilliseconds?: number
  readonly log?: (line: string) => void
  /** In place of a thread, for tests. */
  readonly start?: (operatorKey: string | null) => Worker
}
type Waiting = (answer: Done['answer']) => void
type Thread = {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  /** It takes a second to load; until then the house does its work. */
  isReady: boolean
}

const PATIENCE_MILLISECONDS = 5_000
/** A thread that cannot live is not started again and again. */
const RESTART_MILLISECONDS = 1_000

export class Threads {
  private readonly options: ThreadsOptions
  private readonly threads: (Thread | null)[]
  private readonly startedAt: number[]
  private serial = 0
  private receipts = 0
  private isClosed = false

  constructor(options: ThreadsOptions) {
    this.options = options
    this.threads = Array.from({ length: options.count }, () => null)
    this.startedAt = this.threads.map(() => -Infinity)
    this.threads.forEach((_none, place) => this.thread(place))
  }

  /** Nobody here can say anything: what is asked would be asked in vain. */
  get isIdle(): boolean {
    return !this.threads.some((thread) => thread?.isReady === true)
  }
  get wanted(): number {
    return this.threads.length
  }
  /** How many answer. */
  get alive(): number {
    return this.threads.filter((thread) => thread?.isReady === true).length
  }

  /**
   * Whether the signature matches; null where nobody here can say. Of one account the answers come in
   * the order of the questions: its pages must not overtake each other.
   */
  async verify(
    account: number,
    owner: Point,
    message: bigint,
    signature: Signature,
  ): Promise<boolean | null> {
    const answer = await this.ask(account, { kind: 'verify', owner, message, signature })
    return typeof answer === 'boolean' ? answer : null
  }

  /** The operator's signature; null where nobody here can give it. */
  async receipt(text: string): Promise<string | null> {
    const answer = await this.ask(++this.receipts, { kind: 'receipt', text })
    return typeof answer === 'string' ? answer : null
  }

  private ask(account: number, task: Task): Promise<Done['answer']> {
    const place = account % Math.max(1, this.threads.length)
    const thread = this.thread(place)
    if (thread === null || !thread.isReady) return Promise.resolve(null)
    const id = ++this.serial
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.giveUp(place, thread, 'it does not answer')
      }, this.options.patienceMilliseconds ?? PATIENCE_MILLISECONDS)
      thread.waiting.set(id, (answer) => {
        clearTimeout(late)
        resolve(answer)
      })
      thread.worker.postMessage({ id, task } satisfies Asked)
    })
  }

  private thread(place: number): Thread | null {
    if (this.isClosed || place >= this.threads.length) return null
    const known = this.threads[place]
    if (known) return known
    const now = performance.now()
    if (now - (this.startedAt[place] as number) < RESTART_MILLISECONDS) return null
    this.startedAt[place] = now
    const start = this.options.start ?? startWorker
    const thread: Thread = {
      worker: start(this.options.operatorKey ?? null),
      waiting: new Map(),
      isReady: false,
    }
    thread.worker.on('message', ({ id, answer }: Done) => {
      if (id === READY) thread.isReady = true
      const waiting = thread.waiting.get(id)
      thread.waiting.delete(id)
      waiting?.(answer)
    })
    thread.worker.on('error', ({ name }) => this.giveUp(place, thread, name))
    thread.worker.on('exit', () => this.giveUp(place, thread, 'it ended'))
    // It keeps no process alive.
    thread.worker.unref()
    this.threads[place] = thread
    return thread
  }

  /** Whoever waits for it is told that nobody can say. */
  private giveUp(place: number, thread: Thread, why: string): void {
    if (this.threads[place] !== thread) return
    this.threads[place] = null
    if (!this.isClosed)
      this.options.log?.(`a thread for signatures was given up (${why}): the house does its work`)
    for (const waiting of thread.waiting.values()) waiting(null)
    thread.waiting.clear()
    void thread.worker.terminate()
  }

  async close(): Promise<void> {
    this.isClosed = true
    const open = this.threads.flatMap((thread) => (thread === null ? [] : [thread]))
    open.forEach((thread) => {
      for (const waiting of thread.waiting.values()) waiting(null)
      thread.waiting.clear()
    })
    await Promise.all(open.map(({ worker }) => worker.terminate()))
  }
}

/** TypeScript when we are, and JavaScript after a build. */
function startWorker(operatorKey: string | null): Worker {
  const file = import.meta.url.endsWith('.ts') ? 'work.mjs' : 'work.js'
  // A library below Poseidon's takes every thread for one of its own and runs `mod`: it gets nothing.
  const workerData = { operatorKey, mod: 'data:text/javascript,' }
  return new Worker(new URL(file, import.meta.url), { workerData, execArgv: [] })
}
