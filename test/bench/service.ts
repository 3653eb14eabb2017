/**
 * The house under load, everything but proofs: members in a process of their own propose, affirm and
 * sign by HTTP; every record is on the disk before it is acknowledged; batches are netted and executed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Shape } from '../../circuits/params.ts'
import { shapeNamed } from '../../prover/artifacts.ts'
import { DISK } from '../../sequencer/journal/disk.ts'
import { FileJournal, readEntries } from '../../sequencer/journal/file-journal.ts'
import { replay } from '../../sequencer/journal/replay.ts'
import { sealerOf } from '../../sequencer/journal/seal.ts'
import { keepHeapTight } from '../../sequencer/heap.ts'
import { Helpers } from '../../sequencer/helpers/helpers.ts'
import { Floor } from '../sequencer/floor.ts'
import { processorSeconds, profiled, usageNow, usageSince } from './processor.ts'
import type { LoadOrder, LoadResult } from './service-load.ts'

export type LoadCost = {
  readonly load: string
  readonly tradesPerSecond: number
  readonly settledPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly batches: number
  /** Memory of the house's process, in bytes: at the start, half way, at the end. */
  readonly resident: readonly [number, number, number]
  /** Of its heap after a collection, in bytes: at the start and at the end. */
  readonly heap: readonly [number, number]
  /** Processor milliseconds a trade: of the house's process, of its main thread, of its helpers, and of the members. */
  readonly cpuMs: number
  readonly mainCpuMs: number | null
  readonly helpersCpuMs: number | null
  readonly membersCpuMs: number
  /** The main thread's by part; only of the load that was profiled. */
  readonly parts: ReadonlyMap<string, number> | null
}
export type ServiceCost = {
  readonly shape: string
  readonly helpers: number
  readonly loads: readonly LoadCost[]
  readonly replays: readonly ReplayCost[]
}

/** Of the journal that the loads have left. */
export type ReplayCost = {
  /** What a record says that its writer has verified is believed, as at a restart. */
  readonly isBelieved: boolean
  readonly records: number
  readonly trades: number
  /** Of the processor. */
  readonly seconds: number
}

const SEALER = sealerOf(new Uint8Array(32).fill(1))
const MEMBERS = 16
const DOLLARS = 10_000_000
const TRADES_PER_SECOND = 300
/** Trades of a package. */
const LEGS = 2
const CADENCE_MILLISECONDS = 800

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

/** A batch each 0.8 seconds for as long as the load lasts, and until nothing waits. */
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

/** V8 hands out its collector to contexts made after this flag. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
const collect = collector()
const heap = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

/** Resident memory now and then, since one look may fall on a bad moment. */
class Memory {
  private readonly seen: number[] = [process.memoryUsage().rss]
  private readonly timer = setInterval(() => this.seen.push(process.memoryUsage().rss), 250)

  end(): readonly [number, number, number] {
    clearInterval(this.timer)
    this.seen.push(process.memoryUsage().rss)
    const at = (share: number): number => this.seen[Math.floor(share * (this.seen.length - 1))] ?? 0
    return [at(0), at(0.5), at(1)]
  }
}

type Load = {
  readonly name: string
  /** Packages a second; null: as many as the house takes. */
  readonly rate: number | null
  readonly milliseconds: number
  readonly isProfiled?: true
}

async function costOfLoad(
  floor: Floor,
  members: Members,
  order: Pick<LoadOrder, 'url' | 'members'>,
  { name, rate, milliseconds, isProfiled }: Load,
  pids: readonly number[],
): Promise<LoadCost> {
  const heapBefore = heap()
  const memory = new Memory()
  const started = performance.now()
  const usage = usageNow(pids)
  const work = async (): Promise<readonly [LoadResult, Settling]> => {
    const settling = new Settling(floor)
    const run = members.run({ ...order, rate, milliseconds })
    return [await run.finally(() => settling.end()), settling]
  }
  const { value, shares } =
    isProfiled === true ? await profiled(work) : { value: await work(), shares: null }
  const [{ legs, seconds, waits, cpuMs }, { trades, batches }] = value
  const { all, main, helpers } = usageSince(usage)
  const whole = (performance.now() - started) / 1000
  const at = (share: number): number => waits[Math.floor(share * (waits.length - 1))] ?? 0
  const mainCpuMs = main === null ? null : main / legs
  const parts = [...(shares ?? [])].map(
    ([part, share]) => [part, share * (mainCpuMs ?? all / legs)] as const,
  )
  return {
    load: name,
    tradesPerSecond: legs / seconds,
    settledPerSecond: trades / whole,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    batches,
    resident: memory.end(),
    heap: [heapBefore, heap()],
    cpuMs: all / legs,
    mainCpuMs,
    helpersCpuMs: helpers === null ? null : helpers / legs,
    membersCpuMs: cpuMs / legs,
    parts: shares === null ? null : new Map(parts),
  }
}

async function replayCost(
  directory: string,
  trades: number,
  isBelieved: boolean,
): Promise<ReplayCost> {
  const { value, seconds } = await processorSeconds(() =>
    replay(readEntries(DISK, directory, SEALER), undefined, undefined, isBelieved),
  )
  return { isBelieved, records: value.records, trades, seconds }
}

/** `minutes` of the full load besides ten seconds of each. */
export async function serviceCost(
  progress: (what: string) => void,
  minutes = 0,
  count = 1,
): Promise<ServiceCost> {
  keepHeapTight()
  // Everybody joins in one batch: how members come is not measured.
  const shape: Shape = { ...shapeNamed('large'), deposits: MEMBERS, requests: MEMBERS }
  const folder = mkdtempSync(join(tmpdir(), 'cloister-bench-'))
  const journal = await FileJournal.open({ directory: join(folder, 'journal'), sealer: SEALER })
  const operatorKey = `0x${'05'.repeat(32)}`
  const helpers = new Helpers({ count, operatorKey, log: progress })
  const members = new Members()
  const { floor, members: joined } = await Floor.open(
    Array.from({ length: MEMBERS }, () => DOLLARS),
    null,
    journal,
    { helpers },
    [shape],
  )
  const { l1 } = floor
  const signReceipt = l1.signReceipt.bind(l1)
  l1.signReceipt = async (text) => (await helpers.receipt(text)) ?? signReceipt(text)
  // The memory of the L1 that is played here is not the house's.
  const submit = l1.submit.bind(l1)
  l1.submit = async (batch) => {
    l1.submitted.length = 0
    return submit(batch)
  }
  let isOpen = true
  try {
    await members.ready()
    const accounts = joined.map(({ account }, number) => ({ number, account }))
    const order = { url: floor.url, members: accounts }
    const half = TRADES_PER_SECOND / 2
    const loads: readonly Load[] = [
      { name: 'as many as it takes', rate: null, milliseconds: 10_000 },
      {
        name: `${TRADES_PER_SECOND} a second`,
        rate: TRADES_PER_SECOND / LEGS,
        milliseconds: 10_000,
      },
      { name: `${half} a second`, rate: half / LEGS, milliseconds: 20_000 },
      {
        name: `${half} a second, profiled`,
        rate: half / LEGS,
        milliseconds: 10_000,
        isProfiled: true,
      },
      ...['first', 'second'].map((part) => ({
        name: `${TRADES_PER_SECOND} a second, ${part} half of ${minutes} minutes`,
        rate: TRADES_PER_SECOND / LEGS,
        milliseconds: minutes * 30_000,
      })),
    ]
    const warm = { name: 'to warm up', rate: null, milliseconds: 5_000 }
    await costOfLoad(floor, members, order, warm, helpers.pids)
    const costs: LoadCost[] = []
    for (const load of loads.filter(({ milliseconds }) => milliseconds > 0)) {
      progress(`the house: ${load.name}`)
      const cost = await costOfLoad(floor, members, order, load, helpers.pids)
      costs.push(cost)
      const [resident, heaps] = [cost.resident, cost.heap].map((all) =>
        all.map((bytes) => (bytes / 1e6).toFixed(0)).join(', '),
      )
      const rate = cost.tradesPerSecond.toFixed(0)
      progress(`  ${rate} trades a second, resident ${resident} MB, collected heap ${heaps} MB`)
    }
    const count = helpers.alive
    isOpen = false
    await floor.close()
    progress('the house: its journal replayed')
    const trades = floor.house.reports.reduce((sum, report) => sum + report.legs, 0)
    const replays = [
      await replayCost(join(folder, 'journal'), trades, true),
      await replayCost(join(folder, 'journal'), trades, false),
    ]
    return { shape: shape.name, helpers: count, loads: costs, replays }
  } finally {
    members.stop()
    if (isOpen) await floor.close()
    await helpers.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
