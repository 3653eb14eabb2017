/** What `cloister journal` says of snapshots, and how it takes one: beside the house, which waits for nothing. */
import type { Core } from '../core.ts'
import type { Chain } from '../journal/journal.ts'
import { openReader, type JournalReader } from '../journal/open.ts'
import { appliedOf, replay, replayInto } from '../journal/replay.ts'
import { Unfit } from './file.ts'
import { reasonOf, storeOf, type SnapshotConfiguration } from './resume.ts'
import { differenceOf } from './same.ts'
import {
  judgeSnapshots,
  loadSnapshot,
  newestSnapshot,
  pruneSnapshots,
  writeSnapshot,
  type Loaded,
  type Store,
} from './store.ts'

type Said = {
  readonly ok: boolean
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

async function reading<T>(
  configuration: SnapshotConfiguration,
  work: (reader: JournalReader) => Promise<T>,
): Promise<T> {
  const reader = await openReader(configuration)
  try {
    return await work(reader)
  } finally {
    await reader.close()
  }
}

/** A file that is named stands alone: then nothing is tidied up. */
function storeFor(configuration: SnapshotConfiguration, file?: string): Store {
  const store =
    storeOf(configuration) ??
    (file === undefined ? null : storeOf({ ...configuration, snapshots: '.' }))
  if (store === null)
    throw new Error('name the directory of the snapshots: --snapshots, or CLOISTER_SNAPSHOTS')
  return store
}

export type Taken = Omit<Loaded, 'core'> & {
  /** False where the newest was of the last record already. */
  readonly isNew: boolean
  /** Records that had to be applied. */
  readonly applied: number
  /** Why others are not used. */
  readonly reasons: readonly string[]
  /** Seconds. */
  readonly replayed: number
  readonly written: number
}

/** The newest that fits, the records behind it, and a new one. */
export async function bring(chain: Chain, store: Store, out?: string): Promise<Taken> {
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  const { loaded, judged } = await newestSnapshot(chain, store)
  const reasons = judged.flatMap((one) => reasonOf(one) ?? [])
  const { core, applied } = await brought(chain, loaded?.core ?? null)
  const sequence = appliedOf(core)
  const replayed = seconds()
  if (applied === 0 && loaded !== null && out === undefined)
    return { ...loaded, isNew: false, applied, reasons, replayed, written: 0 }
  const made = await writeSnapshot(chain, store, { core, sequence }, out)
  if (out === undefined) await pruneSnapshots(chain, store, sequence, judged)
  return { ...made, isNew: true, applied, reasons, replayed, written: seconds() - replayed }
}

/** As a restart does it: a snapshot is what a restart would have come to. */
async function brought(
  chain: Chain,
  known: Core | null,
): Promise<{ readonly core: Core; readonly applied: number }> {
  if (known === null) {
    const { core, records } = await replay(chain.entries(), undefined, undefined, true)
    return { core, applied: records }
  }
  const { records } = await replayInto(known, chain)
  return { core: known, applied: records }
}

export function takeSnapshot(configuration: SnapshotConfiguration, out?: string): Promise<Said> {
  return reading(configuration, async (reader) => {
    const taken = await bring(reader, storeFor(configuration, out), out)
    const { file, sequence: record, bytes, isNew, applied, replayed, written, reasons } = taken
    const text = isNew
      ? `${file} is the state after record ${record}: ${megabytes(bytes)}, sealed; ${applied} ` +
        `records applied in ${replayed.toFixed(1)} s, written in ${written.toFixed(1)} s`
      : `${file} is of record ${record}, the last: there is nothing to add`
    const json = { file, record, bytes, isNew, applied, replayed, written, reasons }
    return { ok: true, text: [...reasons, text].join('\n'), json }
  })
}

/** Of `verify`: a snapshot that is damaged or contradicts the journal is worth a look, others are not. */
export function snapshotsFound(configuration: SnapshotConfiguration): Promise<{
  readonly ok: boolean
  readonly lines: readonly string[]
  readonly json: readonly unknown[]
}> {
  return reading(configuration, async (reader) => {
    const store = storeOf(configuration)
    const judged = store === null ? [] : await judgeSnapshots(reader, store)
    return {
      ok: judged.every(({ unfit }) => unfit?.isAlarming !== true),
      lines: judged.map(
        (one) => reasonOf(one) ?? `snapshot ${one.file} fits the journal at record ${one.sequence}`,
      ),
      json: judged.map(({ file, sequence, unfit }) => ({
        file,
        record: sequence,
        fits: unfit === null,
        ...(unfit === null ? {} : { reason: unfit.message, isAlarming: unfit.isAlarming }),
      })),
    }
  })
}

/** A snapshot beside an audit: what it holds against what the records come to. */
export class Comparison {
  private readonly loaded: Loaded | null
  /** Why there is none to compare. */
  private readonly reason: string | null
  private readonly isAsked: boolean
  private found: { readonly difference: string | null } | null = null

  private constructor(loaded: Loaded | null, reason: string | null, isAsked: boolean) {
    this.loaded = loaded
    this.reason = reason
    this.isAsked = isAsked
  }

  /** Of the file that is named, else of the newest that fits. */
  static open(configuration: SnapshotConfiguration, file?: string): Promise<Comparison> {
    return reading(configuration, async (reader) => {
      try {
        if (file !== undefined) {
          const store = storeFor(configuration, file)
          return new Comparison(await loadSnapshot(reader, store, file), null, true)
        }
        const store = storeOf(configuration)
        if (store === null) return new Comparison(null, null, false)
        const { loaded, judged } = await newestSnapshot(reader, store)
        const [reason = null] = judged.flatMap((one) => reasonOf(one) ?? [])
        return new Comparison(loaded, loaded === null ? reason : null, false)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        return new Comparison(null, `snapshot ${file} is not compared: ${error.message}`, true)
      }
    })
  }

  /** After each record of the audit. */
  look(core: Core, sequence: number): void {
    const { loaded } = this
    if (loaded === null || sequence !== loaded.sequence) return
    // Whom one believes is no part of the state.
    loaded.core.believesVerified = core.believesVerified
    this.found = { difference: differenceOf(core, loaded.core, false) }
  }

  get ok(): boolean {
    return this.found === null ? !this.isAsked : this.found.difference === null
  }
  get lines(): readonly string[] {
    const { loaded, found, reason } = this
    if (loaded === null || found === null) return reason === null ? [] : [reason]
    const { file, sequence } = loaded
    return [
      found.difference === null
        ? `snapshot ${file} is the state after record ${sequence}, as the records have it`
        : `snapshot ${file} is NOT the state after record ${sequence}: it differs in ` +
          `${found.difference}. Remove it; the journal is what counts`,
    ]
  }
  get json(): Readonly<Record<string, unknown>> | null {
    const { loaded, found, reason } = this
    if (loaded === null || found === null) return reason === null ? null : { reason }
    const { difference } = found
    return { file: loaded.file, record: loaded.sequence, isSame: difference === null, difference }
  }
}
