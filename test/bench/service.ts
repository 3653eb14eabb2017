/**
 * The house under load, everything but proofs: members in a process of their own propose, affirm and
 * sign by HTTP; every record is on the disk before it is acknowledged; batches are netted and executed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Shape } from '../../circuits/params.ts'
import { shapeNamed } from '../../prover/artifacts.ts'
import { FileJournal } from '../../sequencer/journal/file-journal.ts'
import { sealerOf } from '../../sequencer/journal/seal.ts'
import { Floor } from '../sequencer/floor.ts'
import type { LoadOrder, LoadResult } from './service-load.ts'

export type LoadCost = {
  readonly load: string
  readonly tradesPerSecond: number
  readonly settledPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly batches: number
  /** Of the house's process, in bytes, before and after. */
  readonly heapBefore: number
  readonly heapAfter: number
}
export type ServiceCost = { readonly shape: string; readonly loads: readonly LoadCost[] }

const MEMBERS = 16
const DOLLARS = 10_000_000
const TRADES_PER_SECOND = 300
const CADENCE_MILLISECONDS = 1000

class Members {
  private readonly child: ChildProcess

  constructor() {
    this.child = fork(join(import.meta.dirname, 'service-load.ts'), [], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
  }
  async ready(): Promise<void> {
    await once(this.child, 'message')
  }
  async run(order: LoadOrder): Promise<LoadResult> {
    this.child.send(JSON.stringify(order))
    const [text] = (await once(this.child, 'message')) as [string]
    const { result, error } = JSON.parse(text) as { result?: LoadResult; error?: string }
    if (result === undefined) throw new Error(`the load ended: ${error}`)
    return result
  }
  stop(): void {
    this.child.disconnect()
  }
}

/** A batch each second for as long as the load lasts, and until nothing waits. */
class Settling {
  trades = 0
  batches = 0
  private isOver = false
  private readonly work: Promise<void>

  constructor(floor: Floor) {
    this.work = this.settle(floor)
  }
  private async settle(floor: Floor): Promise<void> {
    for (;;) {
      const next = performance.now() + CADENCE_MILLISECONDS
      const isLast = this.isOver
      const report = await floor.batch()
      if (isLast && (report === null || report.trades === 0)) return
      this.batches += 1
      this.trades += report?.legs ?? 0
      const early = next - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    }
  }
  async end(): Promise<void> {
    this.isOver = true
    await this.work
  }
}

const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** `minutes` of the full load besides ten seconds of each. */
export async function serviceCost(
  progress: (what: string) => void,
  minutes = 0,
): Promise<ServiceCost> {
  // Everybody joins in one batch: how members come is not measured.
  const shape: Shape = { ...shapeNamed('large'), deposits: MEMBERS, requests: MEMBERS }
  const folder = mkdtempSync(join(tmpdir(), 'cloister-bench-'))
  const sealer = sealerOf(new Uint8Array(32).fill(1))
  const journal = await FileJournal.open({ directory: join(folder, 'journal'), sealer })
  const members = new Members()
  const { floor, members: joined } = await Floor.open(
    Array.from({ length: MEMBERS }, () => DOLLARS),
    null,
    journal,
    {},
    [shape],
  )
  try {
    await members.ready()
    const accounts = joined.map(({ account }, number) => ({ number, account }))
    const order = { url: floor.url, members: accounts }
    const cost = async (load: string, rate: number | null, milliseconds: number) => {
      progress(`the house: ${load}`)
      const heapBefore = heap()
      const started = performance.now()
      const settling = new Settling(floor)
      const { legs, seconds, waits } = await members
        .run({ ...order, rate, milliseconds })
        .finally(() => settling.end())
      const whole = (performance.now() - started) / 1000
      const at = (share: number): number => waits[Math.floor(share * (waits.length - 1))] ?? 0
      const { trades, batches } = settling
      return {
        load,
        tradesPerSecond: legs / seconds,
        settledPerSecond: trades / whole,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        batches,
        heapBefore,
        heapAfter: heap(),
      }
    }
    await cost('to warm up', null, 5_000)
    const loads = [
      await cost('as many as it takes', null, 10_000),
      await cost(`${TRADES_PER_SECOND} a second`, TRADES_PER_SECOND / 2, 10_000),
      await cost(`${TRADES_PER_SECOND / 2} a second`, TRADES_PER_SECOND / 4, 10_000),
    ]
    if (minutes > 0)
      loads.push(
        await cost(
          `${TRADES_PER_SECOND} a second, ${minutes} minutes`,
          TRADES_PER_SECOND / 2,
          minutes * 60_000,
        ),
      )
    return { shape: shape.name, loads }
  } finally {
    members.stop()
    await floor.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
