/** A seed on the command line: where it lies, what it is called, what is known beside it. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRecord } from '../l1/codec.ts'
import { pagesOfJournal, type KnownPages } from '../l1/own-pages.ts'
import { readSeedFile, STDIN, type Seed } from '../keys.ts'
import { KeyRing } from '../key-ring.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'
import { MemberStore } from './store.ts'

export type KeyOptions = {
  /** Seed file. */
  readonly key?: string
  /** Member whose directory holds the seed. */
  readonly member?: string
  readonly dir?: string
  /** Name under which the seed's keys are derived. */
  readonly label?: string
}
/** The little that a member's record adds; a seed alone does without. */
export type Beside = {
  readonly rpcUrl?: string
  readonly contract?: string
  /** What the journal beside the seed holds; null if there is none, or none that can be read. */
  readonly pages: KnownPages | null
  /** Why the journal there cannot be read. */
  readonly unread?: string
}
export type OpenedKey = {
  readonly ring: KeyRing
  /** The directory of the seed. */
  readonly directory: string
  readonly beside: Beside
}

/** Null if no key is named. */
export function openKey(options: KeyOptions): OpenedKey | null {
  const path = seedPath(options)
  if (path === null) return null
  const seed = readSeedFile(path)
  // A seed that comes from a pipe has no name beside it.
  if (path === STDIN) return keyOfPipe(seed, options.label)
  const directory = dirname(path)
  const record = recordIn(directory)
  const label = options.label ?? stringOf(record['name']) ?? options.member ?? basename(directory)
  return {
    ring: new KeyRing(seed, parseLabel(label, options.label === undefined)),
    directory,
    beside: {
      ...optional('rpcUrl', stringOf(record['rpcUrl'])),
      ...optional('contract', stringOf(record['contract'])),
      ...journalIn(directory),
    },
  }
}

function keyOfPipe(seed: Seed, label: string | undefined): OpenedKey {
  const ring = new KeyRing(seed, parseLabel(label ?? '', label === undefined))
  return { ring, directory: fromHere('.'), beside: { pages: null } }
}

function seedPath({ key, member, dir }: KeyOptions): string | null {
  if (key !== undefined && member !== undefined)
    throw new Undone('--key and --member name two keys: give one of them')
  if (key !== undefined) return key === '-' ? STDIN : fromHere(key)
  if (member === undefined) return null
  const store = new MemberStore(member, dir)
  if (!existsSync(store.seedPath))
    throw new Undone(`there is no seed of ${member} in ${store.directory}`)
  return store.seedPath
}

/** The record is a help, not a condition: one that cannot be read is as good as none. */
function recordIn(directory: string): Record<string, unknown> {
  const path = join(directory, 'member.json')
  if (!existsSync(path)) return {}
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as unknown
    return isRecord(record) ? record : {}
  } catch {
    return {}
  }
}

/** As the record: nobody is kept from his account, or from leaving, by a file that only explains it. */
function journalIn(directory: string): Pick<Beside, 'pages' | 'unread'> {
  const path = join(directory, 'journal.jsonl')
  if (!existsSync(path)) return { pages: null }
  try {
    return { pages: pagesOfJournal(path) }
  } catch (error) {
    return { pages: null, unread: error instanceof Error ? error.message : String(error) }
  }
}

function parseLabel(label: string, isGuessed: boolean): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(label)) return label
  throw new Undone(
    isGuessed
      ? "the seed's keys have a name (cloister account new NAME): give it with --label NAME"
      : `"${label}" is no label: 1 to 64 letters, digits, dots, hyphens, underscores`,
  )
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: string })
}
