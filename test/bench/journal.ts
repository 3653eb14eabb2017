/** How fast records become durable, how long one waits for it, and how fast they are replayed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Member } from '../../client/member.ts'
import { FileJournal } from '../../sequencer/journal/file-journal.ts'
import { MemoryJournal, type Journal } from '../../sequencer/journal/journal.ts'
import { PostgresJournal } from '../../sequencer/journal/postgres-journal.ts'
import { replay } from '../../sequencer/journal/replay.ts'
import { sealerOf } from '../../sequencer/journal/seal.ts'
import { findPostgres, startPostgres } from '../postgres.ts'
import { Floor } from '../sequencer/floor.ts'
import { processorSeconds } from './processor.ts'
import { snapshotCost, type SnapshotCost } from './snapshot.ts'

export type AppendCost = {
  readonly engine: 'file' | 'PostgreSQL'
  /** Callers at once, each with one record on its way; or records a second asked for. */
  readonly load: string
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}
export type JournalCost = {
  readonly appends: readonly AppendCost[]
  readonly replayRecords: number
  /** By processor seconds. */
  readonly replayPerSecond: number
  readonly snapshot: SnapshotCost
  /** Why PostgreSQL was not measured. */
  readonly missing: string | null
}

/** A signed page as it is recorded. */
const RECORD_BYTES = 1100
const MILLISECONDS = 2000
/** Four records a trade: proposed, affirmed, two pages. */
const HALF_LOAD = 4 * 150
const sealer = sealerOf(new Uint8Array(32).fill(1))
const payload = new Uint8Array(RECORD_BYTES).fill(7)

function costOf(
  engine: AppendCost['engine'],
  load: string,
  waited: readonly number[],
  seconds: number,
): AppendCost {
  const sorted = [...waited].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return { engine, load, perSecond: waited.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function timed(journal: Journal, waited: number[]): Promise<void> {
  const from = performance.now()
  await journal.append(payload)
  waited.push(performance.now() - from)
}

async function full(engine: AppendCost['engine'], journal: Journal, callers: number) {
  const waited: number[] = []
  const started = performance.now()
  const until = started + MILLISECONDS
  const caller = async (): Promise<void> => {
    while (performance.now() < until) await timed(journal, waited)
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const seconds = (performance.now() - started) / 1000
  return costOf(engine, `${callers} callers`, waited, seconds)
}

async function paced(engine: AppendCost['engine'], journal: Journal, perSecond: number) {
  const waited: number[] = []
  const work: Promise<void>[] = []
  const started = performance.now()
  for (let sent = 0; ;) {
    const now = performance.now() - started
    if (now > MILLISECONDS) break
    for (; sent < (now / 1000) * perSecond; sent++) work.push(timed(journal, waited))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(work)
  return costOf(engine, `${perSecond} a second`, waited, (performance.now() - started) / 1000)
}

async function appendsOf(engine: AppendCost['engine'], journal: Journal) {
  const costs: AppendCost[] = []
  await full(engine, journal, 16)
  for (const callers of [1, 16, 256]) costs.push(await full(engine, journal, callers))
  costs.push(await paced(engine, journal, HALF_LOAD))
  await journal.close()
  return costs
}

async function replayCost(trades: number) {
  const journal = new MemoryJournal()
  const { floor, members } = await Floor.open([100_000, 100_000, 100_000, 100_000], null, journal)
  for (let i = 0; i < trades; i++) {
    const [a, b] = [members[i % 4], members[(i + 1) % 4]] as [Member, Member]
    await floor.trade(a, b, [{ instrument: 1025, quantity: 1n, price: 2_000_000n }])
    if (i % 8 === 7) await floor.batch()
  }
  await floor.close()
  const { value, seconds } = await processorSeconds(() => replay(journal.entries()))
  return { records: value.records, seconds }
}

/** `count`: records of the journal that is started with and without a snapshot. */
export async function journalCost(
  progress: (what: string) => void,
  count = 5_000,
): Promise<JournalCost> {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-bench-'))
  const appends: AppendCost[] = []
  try {
    progress('journal: a directory')
    const directory = join(folder, 'journal')
    appends.push(...(await appendsOf('file', await FileJournal.open({ directory, sealer }))))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const found = findPostgres()
  if ('bin' in found) {
    progress('journal: PostgreSQL')
    const server = await startPostgres(found.bin)
    try {
      const journal = await PostgresJournal.open({ url: server.url, sealer })
      appends.push(...(await appendsOf('PostgreSQL', journal)))
    } finally {
      await server.stop()
    }
  }
  progress('journal: replay')
  const { records, seconds } = await replayCost(40)
  progress(`journal: a snapshot of ${count} records`)
  const snapshot = await snapshotCost(count)
  return {
    appends,
    snapshot,
    replayRecords: records,
    replayPerSecond: records / seconds,
    missing: 'missing' in found ? found.missing : null,
  }
}
