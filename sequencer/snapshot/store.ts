/**
 * Snapshots of a journal in a directory: the newest that fits is found, a new one is put beside it. They
 * are a cache: nothing is believed that does not fit, and nothing is lost with them.
 */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Core } from '../core.ts'
import type { Disk } from '../journal/disk.ts'
import { JournalError, type Chain } from '../journal/journal.ts'
import { placeAt } from '../journal/replay.ts'
import { UNSEALED, type Sealer } from '../journal/seal.ts'
import type { RandomBelow } from '../room.ts'
import { encodeSnapshot, openSnapshot, originOf, Unfit, type Origin } from './file.ts'
import { PROGRAM } from './program.ts'
import { differenceOf } from './same.ts'
import { dumpState, loadState } from './state.ts'

export type Store = {
  readonly disk: Disk
  readonly directory: string
  readonly sealer: Sealer
  /** Of another build, in tests. */
  readonly program?: Uint8Array
  /** Draws cover accounts, in place of what the recorded seeds give. */
  readonly randomBelow?: (seed: Uint8Array) => RandomBelow
}
/** A state that the journal has led to, and where it was found. */
export type Loaded = {
  readonly core: Core
  readonly file: string
  readonly sequence: number
  readonly bytes: number
}
export type Judged = {
  readonly file: string
  readonly sequence: number
  /** Null if it fits. */
  readonly unfit: Unfit | null
}

const NAME = /^snapshot-([0-9]{16})-([0-9a-f]{16})-([0-9a-f]{16})$/
const DRAFT = /^snapshot-.*\.new$/
/** Somebody may still be writing a younger one. */
const DRAFT_MILLISECONDS = 3_600_000

/** Which journal and which program, too, so that houses and builds may share a directory. */
export function nameOf({ sequence, identity, program }: Origin): string {
  const [house, build] = [identity.slice(0, 16), Buffer.from(program).toString('hex', 0, 8)]
  return `snapshot-${String(sequence).padStart(16, '0')}-${house}-${build}`
}
type Named = { readonly file: string; readonly sequence: number; readonly build: string }

/** Those of this journal, the newest first. */
async function namesIn({ disk, directory }: Store, identity: string): Promise<readonly Named[]> {
  const names = await disk.list(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names
    .flatMap((file) => {
      const [, sequence, house, build] = NAME.exec(file) ?? []
      return house === identity.slice(0, 16) && build !== undefined
        ? [{ file, sequence: Number(sequence), build }]
        : []
    })
    .sort((a, b) => b.sequence - a.sequence)
}

/** The state of a file, if it is one of this journal and this program. Throws Unfit. */
export async function loadSnapshot(chain: Chain, store: Store, path: string): Promise<Loaded> {
  try {
    const bytes = await store.disk.read(path)
    const { sequence } = await checkOrigin(chain, store, originOf(bytes))
    const core = loadState(openSnapshot(bytes, store.sealer), store.randomBelow)
    const root = core.batches.at(-1)?.root
    if (root !== undefined && root !== core.ledger.tree.root)
      throw new Unfit('its accounts are not those of its last batch')
    placeAt(core, sequence)
    return { core, file: path, sequence, bytes: bytes.length }
  } catch (error) {
    if (error instanceof Unfit || error instanceof JournalError) throw error
    throw new Unfit(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function checkOrigin(chain: Chain, store: Store, origin: Origin): Promise<Origin> {
  const { identity, sequence, hash, program } = origin
  // Without a key nothing would say who has written it.
  if (store.sealer === UNSEALED)
    throw new Unfit('the journal is not sealed: then no snapshot is believed', false)
  if (identity !== chain.identity) throw new Unfit('it is of another journal')
  if (!Buffer.from(store.program ?? PROGRAM).equals(program))
    throw new Unfit('another version of the program has made it', false)
  const own = await chain.hashAt(sequence)
  if (own === null)
    throw new Unfit(`it is of record ${sequence}, which the journal does not have: it was cut`)
  if (!Buffer.from(own).equals(hash))
    throw new Unfit(`the journal has another record ${sequence}: one of them is of a fork`)
  return origin
}

/** Looks at all of this journal, the newest first, until `isEnough`. */
async function judge(
  chain: Chain,
  store: Store,
  isEnough: (loaded: Loaded) => boolean,
): Promise<readonly Judged[]> {
  const judged: Judged[] = []
  for (const { file, sequence } of await namesIn(store, chain.identity)) {
    const path = join(store.directory, file)
    try {
      const loaded = await loadSnapshot(chain, store, path)
      const isMoved = loaded.sequence !== sequence
      const unfit = isMoved ? new Unfit('it has the name of another record') : null
      judged.push({ file: path, sequence, unfit })
      if (unfit === null && isEnough(loaded)) break
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      judged.push({ file: path, sequence, unfit: error })
    }
  }
  return judged
}

/** All of them, and which fit. */
export function judgeSnapshots(chain: Chain, store: Store): Promise<readonly Judged[]> {
  return judge(chain, store, () => false)
}

/** The newest that fits, or null; and those that were looked at before it. */
export async function newestSnapshot(
  chain: Chain,
  store: Store,
): Promise<{ readonly loaded: Loaded | null; readonly judged: readonly Judged[] }> {
  let loaded: Loaded | null = null
  const judged = await judge(chain, store, (found) => {
    loaded = found
    return true
  })
  return { loaded, judged }
}

/**
 * The state as a file under `path`: complete and durable, or not there. It is read back and compared with
 * the state, field by field, before it has its name. Throws Error where the state cannot be a snapshot, and
 * a JournalError where the disk takes it not.
 */
export async function writeSnapshot(
  chain: Chain,
  store: Store,
  { core, sequence }: Pick<Loaded, 'core' | 'sequence'>,
  path?: string,
): Promise<Omit<Loaded, 'core'>> {
  if (store.sealer === UNSEALED)
    throw new JournalError('SnapshotMustBeSealed', 'the journal is kept without a key')
  const hash = await chain.hashAt(sequence)
  if (hash === null) throw new JournalError('JournalMustBeWhole', `record ${sequence} is gone`)
  const origin = { identity: chain.identity, sequence, hash, program: store.program ?? PROGRAM }
  const state = dumpState(core)
  const difference = differenceOf(core, loadState(state, store.randomBelow))
  if (difference !== null) throw new Error(`the state would not come back as it is: ${difference}`)
  const bytes = encodeSnapshot(origin, state, store.sealer)
  const file = path ?? join(store.directory, nameOf(origin))
  await put(store, file, bytes, path === undefined)
  return { file, sequence, bytes: bytes.length }
}

async function put(
  { disk, directory }: Store,
  file: string,
  bytes: Buffer,
  isOwn: boolean,
): Promise<void> {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.new`
  try {
    if (isOwn) await disk.makeDirectory(directory)
    const opened = await disk.open(draft)
    try {
      await opened.write(bytes, 0)
      await opened.sync()
    } finally {
      await opened.close()
    }
    await disk.rename(draft, file)
    await disk.syncDirectory(join(file, '..'))
  } catch (error) {
    await disk.remove(draft).catch(() => {})
    const why = error instanceof Error ? error.message : String(error)
    throw new JournalError('SnapshotMustBeWritten', `${file}: ${why}`, error)
  }
}

/**
 * Takes away what the new snapshot `sequence` makes useless: of this build all before it but one, of other
 * builds all but the newest, and drafts that nobody ends. What is alarming stays for whoever looks.
 */
export async function pruneSnapshots(
  chain: Chain,
  store: Store,
  sequence: number,
  judged: readonly Judged[],
): Promise<void> {
  const { disk, directory } = store
  const build = Buffer.from(store.program ?? PROGRAM).toString('hex', 0, 8)
  const unfit = new Set(judged.flatMap((one) => (one.unfit === null ? [] : [one.file])))
  const names = await namesIn(store, chain.identity)
  const older = names.filter(
    (name) =>
      name.build === build && name.sequence < sequence && !unfit.has(join(directory, name.file)),
  )
  const others = names.filter((name) => name.build !== build)
  for (const { file } of [...older.slice(1), ...others.slice(1)])
    await disk.remove(join(directory, file))
  await pruneDrafts(store)
}

async function pruneDrafts({ disk, directory }: Store): Promise<void> {
  for (const name of (await disk.list(directory)).filter((file) => DRAFT.test(file))) {
    const path = join(directory, name)
    const made = await stat(path).catch(() => null)
    if (made !== null && Date.now() - made.mtimeMs > DRAFT_MILLISECONDS) await disk.remove(path)
  }
}
