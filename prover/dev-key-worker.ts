// One thread of the development key: it claims chunks of scalars from a shared counter, multiplies
// them into a shared buffer of points, and says how many it has done.

import { parentPort, workerData } from 'node:worker_threads'
import type { CurveModule } from './bn254.ts'
import { createFixedBase, BATCH_SIZE } from './fixed-base.ts'
import type { FixedBase, GroupName } from './fixed-base.ts'

export type MultiplyBatch = {
  readonly id: number
  readonly group: GroupName
  readonly windowBits: number
  readonly count: number
  readonly scalars: SharedArrayBuffer
  readonly points: SharedArrayBuffer
  /** The next chunk that nobody has claimed. The writer may be busy for seconds: nobody deals. */
  readonly nextChunk: SharedArrayBuffer
}

export type WorkerReport = { readonly id: number; readonly done: number; readonly last: boolean }

const port = parentPort
if (port === null) throw new Error('dev-key-worker runs as a worker thread only')
const curveModule = workerData as CurveModule
let current: { group: GroupName; windowBits: number; fixedBase: FixedBase } | undefined

port.on('message', (batch: MultiplyBatch) => {
  if (current?.group !== batch.group || current.windowBits !== batch.windowBits) {
    const { group, windowBits } = batch
    current = undefined // frees the old table before the new one is built
    current = { group, windowBits, fixedBase: createFixedBase(curveModule, group, windowBits) }
  }
  const scalars = new Uint8Array(batch.scalars)
  const points = new Uint8Array(batch.points)
  const counter = new Int32Array(batch.nextChunk)
  for (;;) {
    const first = Atomics.add(counter, 0, 1) * BATCH_SIZE
    if (first >= batch.count) break
    const count = Math.min(BATCH_SIZE, batch.count - first)
    current.fixedBase.multiply(scalars, points, first, count)
    port.postMessage({ id: batch.id, done: count, last: false } satisfies WorkerReport)
  }
  port.postMessage({ id: batch.id, done: 0, last: true } satisfies WorkerReport)
})
