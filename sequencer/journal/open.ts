/** A journal by the name that a configuration gives it: a directory, or the URL of a PostgreSQL. */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DISK } from './disk.ts'
import { FileJournal, readEntries } from './file-journal.ts'
import type { Chain, Entry, Journal } from './journal.ts'
import { sealerFrom } from './key-file.ts'
import { PostgresFollower, PostgresJournal } from './postgres-journal.ts'
import type { Sealer } from './seal.ts'
import { hashAt, identityOf, segmentsIn } from './segments.ts'

export type JournalConfiguration = {
  /** A directory, or postgres://user:password@host:port/database. */
  readonly journal: string
  /** 64 hexadecimal digits from a store of secrets; goes before the file. */
  readonly key?: string
  /** Made with the journal if it is not there; beside the directory by default. */
  readonly keyFile?: string
  /** Records stay readable on the disk: only where that is encrypted by other means. */
  readonly unsealed?: boolean
  readonly log?: (line: string) => void
}

export function isPostgres(journal: string): boolean {
  return /^postgres(ql)?:\/\//.test(journal)
}

/** A key is made for a new directory only: for a database it is given, so that all its hosts have it. */
export function sealerOfConfiguration(configuration: JournalConfiguration): Sealer {
  const { journal, key, keyFile, unsealed } = configuration
  const isOnDisk = !isPostgres(journal)
  const file = keyFile ?? (isOnDisk ? `${resolve(journal)}.key` : 'journal.key')
  const isNew =
    isOnDisk &&
    !(existsSync(journal) && readdirSync(journal).some((name) => name.endsWith('.segment')))
  return sealerFrom({
    file,
    isNew,
    ...(key === undefined ? {} : { key }),
    ...(unsealed === undefined ? {} : { unsealed }),
  })
}

/** For the one process that writes. With PostgreSQL it throws JournalMustBeFree while another leads. */
export async function openJournal(configuration: JournalConfiguration): Promise<Journal & Chain> {
  const { journal, log = () => {} } = configuration
  if (isPostgres(journal)) {
    const sealer = sealerOfConfiguration(configuration)
    return PostgresJournal.open({ url: journal, sealer, log })
  }
  mkdirSync(dirname(resolve(journal)), { recursive: true, mode: 0o700 })
  const sealer = sealerOfConfiguration(configuration)
  return FileJournal.open({ directory: resolve(journal), sealer, log })
}

/** What reading a journal to its end has shown. */
export type ReadEnd = {
  readonly identity: string | null
  /** Bytes of a write that is on its way, or never ended. */
  readonly tornBytes: number
}
/** A journal beside whoever writes it, as far as it is durable; nothing is changed. */
export type JournalReader = Omit<Chain, 'entries'> & {
  readonly entries: (after?: number) => AsyncGenerator<Entry, ReadEnd>
  readonly close: () => Promise<void>
}

export async function openReader(configuration: JournalConfiguration): Promise<JournalReader> {
  const { journal } = configuration
  if (isPostgres(journal)) {
    const sealer = sealerOfConfiguration(configuration)
    const follower = await PostgresFollower.open({ url: journal, sealer })
    const { identity } = follower
    return {
      identity,
      hashAt: (sequence) => follower.hashAt(sequence),
      entries: async function* (after) {
        yield* follower.entries(after)
        return { identity, tornBytes: 0 }
      },
      close: () => follower.close(),
    }
  }
  // Reading makes no key: a directory without segments is an error of its own.
  if (!existsSync(journal)) throw new Error(`there is no directory ${journal}`)
  if (!statSync(journal).isDirectory())
    throw new Error(`${journal} is a file, where the directory of a journal is needed`)
  const directory = resolve(journal)
  const isEmpty = (await segmentsIn(DISK, directory)).length === 0
  if (isEmpty) throw new Error(`${journal} holds no journal`)
  const sealer = sealerOfConfiguration(configuration)
  const identity = Buffer.from(await identityOf(DISK, directory)).toString('hex')
  return {
    identity,
    hashAt: (sequence) => hashAt(DISK, directory, sequence),
    entries: async function* (after) {
      const { tornBytes } = yield* readEntries(DISK, directory, sealer, after)
      return { identity, tornBytes }
    },
    close: async () => {},
  }
}

/** All records from the first on. */
export async function* readJournal(
  configuration: JournalConfiguration,
): AsyncGenerator<Entry, ReadEnd> {
  const reader = await openReader(configuration)
  try {
    return yield* reader.entries()
  } finally {
    await reader.close()
  }
}
