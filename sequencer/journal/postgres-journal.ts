/**
 * The journal in PostgreSQL: one leader by an advisory lock of its session, and a number that rises
 * with every leader, checked in each append, so that one who has lost the lock and does not know it
 * cannot write. Followers read along and take over.
 */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { chainHash, originHash } from './frame.ts'
import { GroupCommit, JournalError, type Entry, type Head, type Journal } from './journal.ts'
import { checkKey, placeOf, type Sealer } from './seal.ts'

export type PostgresOptions = {
  /** postgres://user:password@host:port/database; no pooler that shares sessions in between. */
  readonly url: string
  readonly sealer: Sealer
  /** Its tables live in it; it is made if the role may. Letters, digits and underscores. */
  readonly schema?: string
  readonly log?: (line: string) => void
}
type Sql = postgres.Sql
type Meta = { readonly identity: Uint8Array; readonly epoch: bigint }

const FORMAT = 1
const PAGE_ROWS = 500
const SCHEMA = /^[a-z_][a-z0-9_]{0,40}$/
/** Seconds after which a leader that has fallen silent loses its session. */
const SILENCE = { tcp_keepalives_idle: 5, tcp_keepalives_interval: 2, tcp_keepalives_count: 3 }
const DISK_FULL = '53100'
/** A server that does not answer for so long gets no orderly end. */
const UNLOCK_MILLISECONDS = 5_000

/** The name of the lock that a leader holds. */
const lockOf = ({ identity }: PostgresFollower): string => `cloister ${identity}`

function connectTo(url: string, onclose: () => void = () => {}): Sql {
  return postgres(url, {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: 10,
    fetch_types: false, // see prover/jobs/postgres-jobs.ts
    onnotice: () => {},
    onclose,
    connection: { application_name: 'cloister', synchronous_commit: 'on', ...SILENCE },
  })
}

/** An error of the driver in words for the operator, without the URL and its password. */
function failed(what: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error
  const { code, message } = error as { code?: string; message?: string }
  return new JournalError('JournalMustBeWritable', `PostgreSQL: ${what}: ${code ?? message}`, error)
}

/** One reader's view of the tables; `lead` makes it the leader. */
export class PostgresFollower {
  readonly options: Required<PostgresOptions>
  private readonly sql: Sql
  private readonly meta: Meta

  private constructor(options: Required<PostgresOptions>, sql: Sql, meta: Meta) {
    this.options = options
    this.sql = sql
    this.meta = meta
  }

  /** Makes the tables if they are missing. Throws JournalKeyMustMatch, JournalMustBeKnown. */
  static async open(given: PostgresOptions): Promise<PostgresFollower> {
    const options = { schema: 'cloister', log: () => {}, ...given }
    if (!SCHEMA.test(options.schema))
      throw new JournalError('JournalMustBeKnown', `${options.schema} is no name for a schema`)
    const sql = connectTo(options.url)
    try {
      return new PostgresFollower(options, sql, await prepare(sql, options))
    } catch (error) {
      await sql.end({ timeout: 1 })
      throw failed('it cannot be opened', error)
    }
  }

  get identity(): string {
    return Buffer.from(this.meta.identity).toString('hex')
  }

  /** Records after `after`, each held against the hash of the one before it. */
  async *entries(after = 0): AsyncGenerator<Entry> {
    const { sql, options, meta } = this
    const table = sql(`${options.schema}.journal`)
    let head: Head = { sequence: 0, hash: originHash(meta.identity) }
    if (after > 0) {
      const hash = await this.hashAt(after)
      if (hash === null) return
      head = { sequence: after, hash }
    }
    for (;;) {
      const rows = await sql<{ sequence: string; hash: Uint8Array; sealed: Uint8Array }[]>`
        select sequence, hash, sealed from ${table}
        where sequence > ${head.sequence} order by sequence limit ${PAGE_ROWS}`
      for (const { sequence, hash, sealed } of rows) {
        const next = head.sequence + 1
        const isNext = Number(sequence) === next
        if (!isNext || !chainHash(head.hash, next, sealed).equals(hash))
          throw whole(`record ${next} is missing or was changed`)
        const payload = options.sealer.open(sealed, placeOf(meta.identity, head.hash, next))
        if (payload === null) throw whole(`record ${next} was not written with this key`)
        head = { sequence: next, hash }
        yield { sequence: next, payload }
      }
      if (rows.length < PAGE_ROWS) return
    }
  }

  async hashAt(sequence: number): Promise<Uint8Array | null> {
    const { sql, options } = this
    const [row] = await sql<{ hash: Uint8Array }[]>`
      select hash from ${sql(`${options.schema}.journal`)} where sequence = ${sequence}`
    return row?.hash ?? null
  }

  /** Becomes the leader, or null while another is. */
  async lead(): Promise<PostgresJournal | null> {
    return (await this.isFree()) ? PostgresJournal.lead(this) : null
  }

  /**
   * A cheap look, so that a standby does not open a session each time. It takes nothing: a lock that is
   * tried and given back at once would be another process's reason not to start.
   */
  private async isFree(): Promise<boolean> {
    // A key of 64 bits stands there in two halves, and 1 says so (postgresql.org/docs, "pg_locks").
    const [probe] = await this.sql<{ is_free: boolean }[]>`
      with own as (select hashtextextended(${lockOf(this)}, 0) as key)
      select not exists (
        select from pg_locks, own
        where locktype = 'advisory' and granted and objsubid = 1
          and database = (select oid from pg_database where datname = current_database())
          and classid::bigint = (key >> 32) & 4294967295 and objid::bigint = key & 4294967295
      ) as is_free`
    return probe?.is_free === true
  }

  async close(): Promise<void> {
    await this.sql.end({ timeout: 5 })
  }
}

function whole(detail: string): JournalError {
  return new JournalError(
    'JournalMustBeWhole',
    `PostgreSQL: ${detail}. Restore the database from a copy; nothing was changed`,
  )
}

/** Tables, and what is written about the journal in them. */
async function prepare(sql: Sql, { schema, sealer }: Required<PostgresOptions>): Promise<Meta> {
  const [fsync] = await sql<{ fsync: string }[]>`show fsync`
  if (fsync?.fsync !== 'on') {
    const detail = 'PostgreSQL runs with fsync off: what it acknowledges may be lost'
    throw new JournalError('JournalMustBeWritable', detail)
  }
  const [known] = await sql`select to_regclass(${`${schema}.meta`}) as name`
  if (known?.['name'] === null) await makeTables(sql, schema, sealer)
  const [meta] = await sql<
    { format: number; identity: Uint8Array; key_id: Uint8Array; epoch: string }[]
  >`select format, identity, key_id, epoch from ${sql(`${schema}.meta`)}`
  if (meta === undefined) throw whole('the meta table is empty')
  if (meta.format !== FORMAT) {
    const detail = `the tables have format ${meta.format}; this program knows ${FORMAT}`
    throw new JournalError('JournalMustBeKnown', detail)
  }
  checkKey(sealer, meta.key_id, `PostgreSQL schema ${schema}`)
  return { identity: meta.identity, epoch: BigInt(meta.epoch) }
}

async function makeTables(sql: Sql, schema: string, sealer: Sealer): Promise<void> {
  await sql.begin(async (tx) => {
    // Two that start at once would trip over each other.
    await tx`select pg_advisory_xact_lock(hashtextextended('cloister tables', 0))`
    await tx`create schema if not exists ${tx(schema)}`
    await tx`
      create table if not exists ${tx(`${schema}.journal`)} (
        sequence bigint primary key check (sequence > 0),
        epoch bigint not null,
        hash bytea not null check (length(hash) = 32),
        sealed bytea not null
      )`
    await tx`
      create table if not exists ${tx(`${schema}.meta`)} (
        one boolean primary key default true check (one),
        format integer not null,
        identity bytea not null check (length(identity) = 16),
        key_id bytea not null,
        epoch bigint not null
      )`
    await tx`
      insert into ${tx(`${schema}.meta`)} (format, identity, key_id, epoch)
      values (${FORMAT}, ${randomBytes(16)}, ${Buffer.from(sealer.keyId)}, 0)
      on conflict do nothing`
  })
}

export class PostgresJournal implements Journal {
  readonly identity: string
  /** Which leader this is, counted from the first. */
  readonly epoch: bigint
  private readonly follower: PostgresFollower
  private readonly sql: Sql
  private readonly commit: GroupCommit
  private last: Head
  private isLost = false

  private constructor(follower: PostgresFollower, sql: Sql, epoch: bigint, head: Head) {
    this.follower = follower
    this.identity = follower.identity
    this.sql = sql
    this.epoch = epoch
    this.last = head
    this.commit = new GroupCommit((payloads) => this.write(payloads))
  }

  /** Throws JournalMustBeFree while another leads. */
  static async open(options: PostgresOptions): Promise<PostgresJournal> {
    const follower = await PostgresFollower.open(options)
    const journal = await PostgresJournal.lead(follower).catch(async (error: unknown) => {
      await follower.close()
      throw error
    })
    if (journal !== null) return journal
    await follower.close()
    throw new JournalError(
      'JournalMustBeFree',
      'another process leads; start this one as a standby',
    )
  }

  static async lead(follower: PostgresFollower): Promise<PostgresJournal | null> {
    const { url, schema } = follower.options
    let journal: PostgresJournal | null = null
    // The lock lives as long as the session, and no longer is anything written.
    const sql = connectTo(url, () => journal?.lose('the session with PostgreSQL has ended'))
    try {
      const [locked] = await sql<{ is_held: boolean }[]>`
        select pg_try_advisory_lock(hashtextextended(${lockOf(follower)}, 0)) as is_held`
      if (locked?.is_held !== true) {
        await sql.end({ timeout: 1 })
        return null
      }
      // It waits for appends of the last leader that are on their way, and ends all later ones.
      const [raised] = await sql<{ epoch: string }[]>`
        update ${sql(`${schema}.meta`)} set epoch = epoch + 1 returning epoch`
      const [last] = await sql<{ sequence: string; hash: Uint8Array }[]>`
        select sequence, hash from ${sql(`${schema}.journal`)} order by sequence desc limit 1`
      const head =
        last === undefined
          ? { sequence: 0, hash: originHash(Buffer.from(follower.identity, 'hex')) }
          : { sequence: Number(last.sequence), hash: last.hash }
      journal = new PostgresJournal(follower, sql, BigInt(raised?.epoch ?? 0), head)
      return journal
    } catch (error) {
      await sql.end({ timeout: 1 })
      throw failed('it cannot be led', error)
    }
  }

  get head(): Head {
    return this.last
  }
  append(payload: Uint8Array): Promise<number> {
    return this.commit.append(payload)
  }
  async *entries(after = 0): AsyncIterable<Entry> {
    const until = this.last.sequence
    if (after >= until) return
    for await (const entry of this.follower.entries(after)) {
      yield entry
      if (entry.sequence >= until) return
    }
  }
  hashAt(sequence: number): Promise<Uint8Array | null> {
    return this.follower.hashAt(sequence)
  }
  async close(): Promise<void> {
    await this.commit.close()
    if (!this.isLost) await this.unlock()
    await this.sql.end({ timeout: 5 })
    await this.follower.close()
  }

  /** The server hears of the end of a session a while after it: whoever starts next would find the lock held. */
  private async unlock(): Promise<void> {
    const late = setTimeout(() => this.sql.end({ timeout: 0 }).catch(() => {}), UNLOCK_MILLISECONDS)
    // A session that is gone holds nothing.
    await this.sql`
      select pg_advisory_unlock(hashtextextended(${lockOf(this.follower)}, 0))`.catch(() => {})
    clearTimeout(late)
  }

  private lose(why: string): void {
    this.isLost = true
    this.commit.end(new JournalError('JournalMustBeOwn', why))
  }

  /** One statement: the rows, if this is the leader still. It holds off a new one until it is done. */
  private async write(payloads: readonly Uint8Array[]): Promise<number> {
    const { schema, sealer } = this.follower.options
    const identity = Buffer.from(this.identity, 'hex')
    const rows: { sequence: number; hash: string; sealed: string }[] = []
    /** One text parameter for all rows: neither digits nor base64 have a comma in them. */
    const listOf = (key: 'sequence' | 'hash' | 'sealed'): string =>
      rows.map((row) => row[key]).join(',')
    let head = this.last
    for (const payload of payloads) {
      const sequence = head.sequence + 1
      const sealed = sealer.seal(payload, placeOf(identity, head.hash, sequence))
      const hash = chainHash(head.hash, sequence, sealed)
      const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
      rows.push({ sequence, hash: base64(hash), sealed: base64(sealed) })
      head = { sequence, hash }
    }
    const { sql } = this
    const written = await sql`
      with leader as (
        select epoch from ${sql(`${schema}.meta`)} where epoch = ${this.epoch.toString()} for share
      )
      insert into ${sql(`${schema}.journal`)} (sequence, epoch, hash, sealed)
      select r.sequence, leader.epoch, decode(r.hash, 'base64'), decode(r.sealed, 'base64')
      from leader, unnest(
        string_to_array(${listOf('sequence')}, ',')::bigint[],
        string_to_array(${listOf('hash')}, ','),
        string_to_array(${listOf('sealed')}, ',')
      ) as r (sequence, hash, sealed)`.catch((error: unknown) => {
      // The statement was undone as a whole; after any other error nobody knows.
      if ((error as { code?: string }).code === DISK_FULL)
        throw new JournalError('JournalMustHaveRoom', 'PostgreSQL has no room on its disk', error)
      throw failed('a record could not be written', error)
    })
    if (written.count !== rows.length) {
      const detail = `another process leads (this one was leader ${this.epoch})`
      throw new JournalError('JournalMustBeOwn', detail)
    }
    const first = this.last.sequence + 1
    this.last = head
    return first
  }
}
