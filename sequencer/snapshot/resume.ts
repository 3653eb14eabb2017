/** Where the snapshots of a journal lie, and a start from the newest of them. */
import { resolve } from 'node:path'
import type { Core } from '../core.ts'
import { DISK } from '../journal/disk.ts'
import type { Chain } from '../journal/journal.ts'
import { isPostgres, sealerOfConfiguration, type JournalConfiguration } from '../journal/open.ts'
import type { Log } from '../log.ts'
import { newestSnapshot, type Judged, type Store } from './store.ts'

export type SnapshotConfiguration = JournalConfiguration & {
  /** Beside a directory by default; of a PostgreSQL there are none without it. */
  readonly snapshots?: string
}

/** Null where nobody has said where they lie. */
export function storeOf(configuration: SnapshotConfiguration): Store | null {
  const { journal, snapshots } = configuration
  if (snapshots === undefined && isPostgres(journal)) return null
  const directory = resolve(snapshots ?? `${resolve(journal)}.snapshots`)
  return { disk: DISK, directory, sealer: sealerOfConfiguration(configuration) }
}

/** In words; null for one that fits. */
export function reasonOf({ file, unfit }: Judged): string | null {
  return unfit === null ? null : `snapshot ${file} is not used: ${unfit.message}`
}

/**
 * A core as the newest snapshot that fits has it, or null: then the journal is applied from its first
 * record. Whatever is wrong with a snapshot is logged and ends nothing.
 */
export async function resume(
  chain: Chain,
  store: Store,
  log: Pick<Log, 'info' | 'warn'>,
): Promise<Core | null> {
  const started = performance.now()
  const { loaded, judged } = await newestSnapshot(chain, store).catch((error: unknown) => {
    log.warn(`no snapshot is used: ${error instanceof Error ? error.message : String(error)}`)
    return { loaded: null, judged: [] }
  })
  for (const one of judged) {
    const reason = reasonOf(one)
    if (reason === null) continue
    if (one.unfit?.isAlarming === true) log.warn(reason)
    else log.info(reason)
  }
  if (loaded === null) return null
  const { file, sequence, bytes } = loaded
  const [seconds, megabytes] = [(performance.now() - started) / 1000, bytes / 1e6]
  log.info(
    `${sequence} records need not be applied: their state is that of ${file} ` +
      `(${megabytes.toFixed(1)} MB, ${seconds.toFixed(1)} s)`,
  )
  return loaded.core
}
