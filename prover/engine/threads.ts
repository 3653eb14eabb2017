/** Threads that take tasks from one queue. */
import { Worker } from 'node:worker_threads'
import type { Start, Task, TaskAnswer } from './tasks.ts'

export type Threads = {
  readonly count: number
  /** Tasks that others wait for go to the front. */
  readonly run: (task: Task, isUrgent?: boolean) => Promise<Uint8Array | null>
  /** Overwrites what the threads remember of a proof. */
  readonly forget: () => void
  readonly close: () => Promise<void>
}

type Waiting = {
  readonly task: Task
  readonly resolve: (point: Uint8Array | null) => void
  readonly reject: (error: Error) => void
}

export function startThreads(count: number, start: Start): Threads {
  const queue: Waiting[] = []
  const idle: Worker[] = []
  const busy = new Map<Worker, Waiting>()
  let failure: Error | null = null

  const fail = (error: Error): void => {
    failure ??= error
    for (const waiting of [...busy.values(), ...queue.splice(0)]) waiting.reject(failure)
    busy.clear()
  }
  const next = (): void => {
    while (idle.length > 0 && queue.length > 0) {
      const [worker, waiting] = [idle.pop() as Worker, queue.shift() as Waiting]
      busy.set(worker, waiting)
      worker.ref()
      worker.postMessage(waiting.task)
    }
  }
  const file = import.meta.url.endsWith('.ts') ? 'worker.mjs' : 'worker.js'
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(new URL(file, import.meta.url), { workerData: start, execArgv: [] })
    worker.on('message', (answer: TaskAnswer) => {
      const waiting = busy.get(worker)
      busy.delete(worker)
      // Threads that have nothing to do keep no process alive.
      worker.unref()
      idle.push(worker)
      if (answer.ok) waiting?.resolve(answer.point)
      else waiting?.reject(new Error(answer.message))
      next()
    })
    worker.on('error', (error) =>
      fail(new Error(`a thread of the prover failed: ${String(error)}`)),
    )
    worker.on('exit', (code) => fail(new Error(`a thread of the prover ended with code ${code}`)))
    worker.unref()
    idle.push(worker)
    return worker
  })
  return {
    count,
    run: (task, isUrgent = false) =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure)
          return
        }
        const waiting = { task, resolve, reject }
        if (isUrgent) queue.unshift(waiting)
        else queue.push(waiting)
        next()
      }),
    forget: () => workers.forEach((worker) => worker.postMessage('forget')),
    close: async () => {
      failure ??= new Error('the prover was closed')
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}
