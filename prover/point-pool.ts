// Threads that multiply scalars by a generator; small work is done in place, because starting a
// thread costs more than a thousand multiplications.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { FR_BYTES } from './bn254.ts'
import type { CurveModule } from './bn254.ts'
import type { MultiplyBatch, WorkerReport } from './dev-key-worker.ts'
import { BATCH_SIZE, chooseWindowBits, createFixedBase, pointBytes } from './fixed-base.ts'
import type { FixedBase, GroupName } from './fixed-base.ts'

export type PointPool = {
  /** Scalars of 32 bytes, reduced, little endian; resolves to affine points in snarkjs' form. */
  readonly multiply: (group: GroupName, scalars: SharedArrayBuffer) => Promise<Uint8Array>
  readonly close: () => Promise<void>
}

export type PointPoolOptions = {
  readonly curveModule: CurveModule
  /** How many scalars each group will see in all: decides the tables and the number of threads. */
  readonly expected: { readonly [group in GroupName]: number }
  readonly onPoints: (count: number) => void
}

const IN_PLACE_BELOW = 8192
const MAX_THREADS = 16

export function createPointPool(options: PointPoolOptions): PointPool {
  const total = options.expected.G1 + options.expected.G2
  return total < IN_PLACE_BELOW ? createInPlace(options) : createThreads(options)
}

function createInPlace({ curveModule, expected, onPoints }: PointPoolOptions): PointPool {
  const bases = new Map<GroupName, FixedBase>()
  return {
    multiply: async (group, scalars) => {
      const count = scalars.byteLength / FR_BYTES
      const base =
        bases.get(group) ?? createFixedBase(curveModule, group, chooseWindowBits(expected[group]))
      bases.set(group, base)
      const points = new Uint8Array(count * pointBytes(group))
      base.multiply(new Uint8Array(scalars), points, 0, count)
      onPoints(count)
      return points
    },
    close: async () => {},
  }
}

type Pending = {
  readonly points: Uint8Array
  running: number
  readonly resolve: (points: Uint8Array) => void
  readonly reject: (error: Error) => void
}

function createThreads({ curveModule, expected, onPoints }: PointPoolOptions): PointPool {
  const largest = Math.max(expected.G1, expected.G2)
  const threads = Math.min(availableParallelism(), MAX_THREADS, Math.ceil(largest / BATCH_SIZE))
  const pending = new Map<number, Pending>()
  let failure: Error | undefined
  let closing = false
  let nextId = 0

  const fail = (error: Error): void => {
    failure ??= error
    for (const batch of pending.values()) batch.reject(failure)
    pending.clear()
  }
  const onReport = (report: WorkerReport): void => {
    if (report.done > 0) onPoints(report.done)
    const batch = pending.get(report.id)
    if (batch === undefined || !report.last) return
    batch.running--
    if (batch.running > 0) return
    pending.delete(report.id)
    batch.resolve(batch.points)
  }

  const workers = Array.from({ length: threads }, () => {
    const worker = startWorker(curveModule)
    worker.on('message', onReport)
    worker.on('error', (error) => {
      fail(new Error(`a thread of the development key failed: ${String(error)}`, { cause: error }))
    })
    worker.on('exit', (code) => {
      if (!closing) fail(new Error(`a thread of the development key ended with code ${code}`))
    })
    return worker
  })

  return {
    multiply: (group, scalars) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure)
          return
        }
        const count = scalars.byteLength / FR_BYTES
        const points = new SharedArrayBuffer(count * pointBytes(group))
        const batch: MultiplyBatch = {
          id: nextId++,
          group,
          count,
          scalars,
          points,
          windowBits: chooseWindowBits(expected[group] / threads),
          nextChunk: new SharedArrayBuffer(4),
        }
        pending.set(batch.id, {
          points: new Uint8Array(points),
          running: threads,
          resolve,
          reject,
        })
        for (const worker of workers) worker.postMessage(batch)
      }),
    close: async () => {
      closing = true
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

/** The worker is TypeScript when we are, and JavaScript after a build. */
function startWorker(curveModule: CurveModule): Worker {
  const file = import.meta.url.endsWith('.ts') ? 'dev-key-worker.mjs' : 'dev-key-worker.js'
  const entry = new URL(file, import.meta.url)
  return new Worker(entry, { workerData: curveModule, execArgv: [] })
}
