/** What a snapshot saves a restart: the same journal with and without one, in one run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DISK } from '../../sequencer/journal/disk.ts'
import { FileJournal } from '../../sequencer/journal/file-journal.ts'
import type { Chain } from '../../sequencer/journal/journal.ts'
import { replay, replayInto, stateDigest } from '../../sequencer/journal/replay.ts'
import { sealerOf } from '../../sequencer/journal/seal.ts'
import { newestSnapshot, writeSnapshot } from '../../sequencer/snapshot/store.ts'
import { processorSeconds } from './processor.ts'
import { makeJournal } from './snapshot-journal.ts'

/** Seconds of the processor: other work of the machine must not count. */
export type SnapshotCost = {
  readonly records: number
  /** Applied at a restart without a snapshot. */
  readonly without: number
  /** The state taken, compared with what will be read, sealed and written. */
  readonly taking: number
  /** A restart with it: found, opened, and the records behind it applied. */
  readonly with: number
  readonly behind: number
  readonly bytes: number
}

const SEALER = sealerOf(new Uint8Array(32).fill(1))
/** Of a hundred records one has come since the snapshot. */
const BEHIND = 0.01

/** `directory`: a journal that is there already, sealed with the bench's key. */
export async function snapshotCost(records: number, directory?: string): Promise<SnapshotCost> {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-bench-'))
  try {
    const place = directory ?? join(folder, 'journal')
    if (directory === undefined) await makeJournal(place, SEALER, records)
    const journal = await FileJournal.open({ directory: place, sealer: SEALER })
    try {
      return await costOf(journal, journal.head.sequence, join(folder, 'snapshots'))
    } finally {
      await journal.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function costOf(journal: Chain, records: number, directory: string): Promise<SnapshotCost> {
  const store = { disk: DISK, directory, sealer: SEALER }
  const at = records - Math.round(records * BEHIND)
  const early: Chain = {
    identity: journal.identity,
    hashAt: (sequence) => journal.hashAt(sequence),
    entries: async function* (after) {
      for await (const entry of journal.entries(after)) if (entry.sequence <= at) yield entry
    },
  }
  const whole = await processorSeconds(() => replay(journal.entries(), undefined, undefined, true))
  const { core } = await replay(early.entries(), undefined, undefined, true)
  const taken = await processorSeconds(() => writeSnapshot(early, store, { core, sequence: at }))
  const resumed = await processorSeconds(async () => {
    const { loaded } = await newestSnapshot(journal, store)
    if (loaded === null) throw new Error('the snapshot was not found again')
    await replayInto(loaded.core, journal)
    return loaded
  })
  if (stateDigest(resumed.value.core) !== stateDigest(whole.value.core))
    throw new Error('the two restarts have come to two states')
  return {
    records,
    without: whole.seconds,
    taking: taken.seconds,
    with: resumed.seconds,
    behind: records - at,
    bytes: taken.value.bytes,
  }
}
