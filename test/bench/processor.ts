/** Where the processor time of this process goes: by thread, and of the main thread by what it works at. */
import { existsSync, readFileSync } from 'node:fs'
import { Session, type Profiler } from 'node:inspector/promises'

/** Of Linux, by which the kernel counts for /proc. */
const TICK_MILLISECONDS = 10

export type Usage = {
  /** Milliseconds of the whole process, and of its main thread; null where nobody says. */
  readonly all: number
  readonly main: number | null
  /** Of the processes beside it. */
  readonly helpers: number | null
  readonly pids: readonly number[]
}

function kernelSays(file: string): number | null {
  if (!existsSync(file)) return null
  // The name in brackets may hold spaces; utime and stime are the 14th and 15th field of the line.
  const fields = readFileSync(file, 'utf8').split(') ')[1]?.split(' ') ?? []
  return TICK_MILLISECONDS * (Number(fields[11]) + Number(fields[12]))
}

export function usageNow(pids: readonly number[]): Usage {
  const { user, system } = process.cpuUsage()
  const main = kernelSays(`/proc/self/task/${process.pid}/stat`)
  const others = pids.map((pid) => kernelSays(`/proc/${pid}/stat`))
  const helpers = others.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0)
  return { all: (user + system) / 1000, main, helpers, pids }
}

export function usageSince(from: Usage): Usage {
  const to = usageNow(from.pids)
  const less = (a: number | null, b: number | null): number | null =>
    a === null || b === null ? null : a - b
  return {
    all: to.all - from.all,
    main: less(to.main, from.main),
    helpers: less(to.helpers, from.helpers),
    pids: from.pids,
  }
}

/** Seconds of the processor that the work took: what else the machine does must not count. */
export async function processorSeconds<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seconds: number }> {
  const before = process.cpuUsage()
  const value = await work()
  const { user, system } = process.cpuUsage(before)
  return { value, seconds: (user + system) / 1e6 }
}

/** The first frame on the way up from what runs that stands here says what it is for. */
const PARTS: readonly (readonly [string, string, string])[] = [
  ['signatures', 'circuits/eddsa.ts', 'verify'],
  ['journal', 'journal/file-journal.ts', ''],
  ['journal', 'journal/journal.ts', ''],
  ['journal', 'journal/disk.ts', ''],
  ['journal', 'journal/record.ts', 'encodeRecord'],
  ['receipts', 'api/views.ts', 'receiptOf'],
  ['sessions', 'api/sessions.ts', ''],
  ['batches', 'sequencer/house.ts', 'runBatch'],
  ['batches', 'sequencer/house.ts', 'build'],
  ['batches', 'circuits/witness.ts', ''],
  ['batches', 'sequencer/core.ts', 'choose'],
  ['batches', 'sequencer/core.ts', 'accept'],
  ['admission', 'sequencer/core.ts', 'apply'],
  ['admission', 'api/ahead.ts', ''],
]
const REST = 'HTTP and JSON'

function partOf(node: Profiler.ProfileNode): string | null {
  const { functionName, url } = node.callFrame
  if (functionName === '(idle)') return 'idle'
  if (functionName === '(garbage collector)') return 'garbage'
  const found = PARTS.find(
    ([, file, name]) => url.endsWith(file) && (name === '' || name === functionName),
  )
  return found?.[0] ?? null
}

/** Shares of the samples that are not idle, by part, while `work` runs; the largest first. */
export async function profiled<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly shares: ReadonlyMap<string, number> }> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  const value = await work()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return { value, shares: sharesOf(profile) }
}

export function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile) {
  const parts = new Map<number, string>()
  const assign = (node: Profiler.ProfileNode, above: string): void => {
    const part = partOf(node) ?? above
    parts.set(node.id, part)
    for (const id of node.children ?? []) assign(byId.get(id) as Profiler.ProfileNode, part)
  }
  const byId = new Map(nodes.map((node) => [node.id, node]))
  if (nodes[0] !== undefined) assign(nodes[0], REST)
  const sums = new Map<string, number>()
  samples.forEach((id, i) => {
    const part = parts.get(id) ?? REST
    sums.set(part, (sums.get(part) ?? 0) + (timeDeltas[i] ?? 0))
  })
  sums.delete('idle')
  const all = [...sums.values()].reduce((a, b) => a + b, 0)
  return new Map(
    [...sums].map(([part, sum]) => [part, sum / all] as const).sort(([, a], [, b]) => b - a),
  )
}
