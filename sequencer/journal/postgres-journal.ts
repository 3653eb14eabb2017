/**
 * The journal in PostgreSQL: one leader by an advisory lock of its session, and a number that rises
 * with every leader, checked in each append, so that one who has lost the lock and does not know it
 * cannot write. Followers read along and take over.
 */
import { isSchemaName } from '../../prover/jobs/schema-name.ts'
import { chainHash, originHash } from './frame.ts'
import { GroupCommit, JournalError, type Entry, type Head, type Journal } from './journal.ts'
import {
  answered,
  connectTo,
  failed,
  gone,
  hashOf,
  PATIENCE_MILLISECONDS,
  prepare,
  whole,
  type Meta,
  type PostgresOptions,
  type Sql,
} from './postgres-tables.ts'
import { placeOf } from './seal.ts'

const DISK_FULL = '53100'
const PAGE_ROWS = 500
/** Looks of an idle leader within its patience: one every five seconds. */
const LOOKS = 6
/** A server that does not answer for so long gets no orderly end. */
const UNLOCK_MILLISECONDS = 5_000

/** The name of the lock that a leader holds. */
const lockOf = ({ identity }: PostgresFollower): string => `cloister ${identity}`

/** One reader's view of the tables; `lead` makes it the leader. */
export class PostgresFollower {
  readonly options: Required<PostgresOptions>
  private readonly sql: Sql
  private readonly meta: Meta
  /** The last record that was given out: what stands behind it must stand behind this very one. */
  private read: Head | null = null

  private constructor(options: Required<PostgresOptions>, sql: Sql, meta: Meta) {
    this.options = options
    this.sql = sql
    this.meta = meta
  }

  /** Makes the tables if they are missing. Throws JournalKeyMustMatch, JournalMustBeKnown. */
  static async open(given: PostgresOptions): Promise<PostgresFollower> {
    const defaults = { schema: 'cloister', patienceMilliseconds: PATIENCE_MILLISECONDS }
    const options = { ...defaults, log: () => {}, ...given }
    if (!isSchemaName(options.schema))
      throw new JournalError('JournalMustBeKnown', `${options.schema} is no name for a schema`)
    const sql = connectTo(options.url)
    try {
      return new PostgresFollower(options, sql, await answered(prepare(sql, options), options))
    } catch (error) {
      await sql.end({ timeout: 1 })
      throw failed('it cannot be opened', error)
    }
  }

  get identity(): string {
    return Buffer.from(this.meta.identity).toString('hex')
  }

  /**
   * Records after `after`, each held against the hash of the one before it. Throws JournalMustBeWhole
   * where the server does not have what it gave out before: it was put back, or another took its place.
   */
  async *entries(after = 0): AsyncGenerator<Entry> {
    const { sql, options, meta } = this
    const table = sql(`${options.schema}.journal`)
    let head: Head = { sequence: 0, hash: originHash(meta.identity) }
    if (after > 0) {
      const hash = await this.hashAt(after)
      if (hash === null) throw gone(after)
      head = { sequence: after, hash }
      this.requireRead(head)
    }
    for (;;) {
      const rows = await answered(
        sql<{ sequence: string; hash: Uint8Array; sealed: Uint8Array }[]>`
          select sequence, hash, sealed from ${table}
          where sequence > ${head.sequence} order by sequence limit ${PAGE_ROWS}`,
        options,
      )
      for (const { sequence, hash, sealed } of rows) {
        const next = head.sequence + 1
        const isNext = Number(sequence) === next
        if (!isNext || !chainHash(head.hash, next, sealed).equals(hash))
          throw whole(`record ${next} is missing or was changed`)
        const payload = options.sealer.open(sealed, placeOf(meta.identity, head.hash, next))
        if (payload === null) throw whole(`record ${next} was not written with this key`)
        head = { sequence: next, hash }
        if (next > (this.read?.sequence ?? 0)) this.read = head
        yield { sequence: next, payload }
      }
      if (rows.length < PAGE_ROWS) return
    }
  }

  hashAt(sequence: number): Promise<Uint8Array | null> {
    return answered(hashOf(this.sql, this.options, sequence), this.options)
  }

  /** Throws JournalMustBeWhole if this is the record that was given out last, and has become another. */
  private requireRead({ sequence, hash }: Head): void {
    const { read } = this
    if (read?.sequence === sequence && !Buffer.from(read.hash).equals(hash)) throw gone(sequence)
  }

  /** The same, asked on the session of a leader: it may have reached another server than this one. */
  async requireReadBy(sql: Sql): Promise<void> {
    if (this.read === null) return
    const { sequence } = this.read
    const hash = await hashOf(sql, this.options, sequence)
    if (hash === null) throw gone(sequence)
    this.requireRead({ sequence, hash })
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
    const [probe] = await answered(
      this.sql<{ is_free: boolean }[]>`
        with own as (select hashtextextended(${lockOf(this)}, 0) as key)
        select not exists (
          select from pg_locks, own
          where locktype = 'advisory' and granted and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
            and classid::bigint = (key >> 32) & 4294967295 and objid::bigint = key & 4294967295
        ) as is_free`,
      this.options,
    )
    return probe?.is_free === true
  }

  async close(): Promise<void> {
    await this.sql.end({ timeout: 5 })
  }
}

export class PostgresJournal implements Journal {
  readonly identity: string
  /** Which leader this is, counted from the first. */
  readonly epoch: bigint
  private readonly follower: PostgresFollower
  private readonly sql: Sql
  private readonly commit: GroupCommit
  private readonly beat: NodeJS.Timeout
  private last: Head
  private lost: JournalError | null = null
  private tell: (error: JournalError) => void = () => {}

  private constructor(follower: PostgresFollower, sql: Sql, epoch: bigint, head: Head) {
    this.follower = follower
    this.identity = follower.identity
    this.sql = sql
    this.epoch = epoch
    this.last = head
    this.commit = new GroupCommit((payloads) => this.write(payloads))
    const { patienceMilliseconds } = follower.options
    this.beat = setInterval(() => void this.look(), patienceMilliseconds / LOOKS).unref()
  }

  onLost(tell: (error: JournalError) => void): void {
    this.tell = tell
    if (this.lost !== null) tell(this.lost)
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
    const { options } = follower
    let journal: PostgresJournal | null = null
    // The lock lives as long as the session, and no longer is anything written.
    const sql = connectTo(options.url, () =>
      journal?.lose(ownOf('the session with PostgreSQL has ended')),
    )
    try {
      journal = await answered(PostgresJournal.take(follower, sql), options)
      if (journal === null) await sql.end({ timeout: 1 })
      return journal
    } catch (error) {
      await sql.end({ timeout: 1 })
      throw failed('it cannot be led', error)
    }
  }

  private static async take(follower: PostgresFollower, sql: Sql): Promise<PostgresJournal | null> {
    const { schema } = follower.options
    const [locked] = await sql<{ is_held: boolean }[]>`
      select pg_try_advisory_lock(hashtextextended(${lockOf(follower)}, 0)) as is_held`
    if (locked?.is_held !== true) return null
    // It waits for appends of the last leader that are on their way, and ends all later ones.
    const [raised] = await sql<{ epoch: string }[]>`
        update ${sql(`${schema}.meta`)} set epoch = epoch + 1 returning epoch`
    const [last] = await sql<{ sequence: string; hash: Uint8Array }[]>`
        select sequence, hash from ${sql(`${schema}.journal`)} order by sequence desc limit 1`
    const head =
      last === undefined
        ? { sequence: 0, hash: originHash(Buffer.from(follower.identity, 'hex')) }
        : { sequence: Number(last.sequence), hash: last.hash }
    await follower.requireReadBy(sql)
    return new PostgresJournal(follower, sql, BigInt(raised?.epoch ?? 0), head)
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
    this.tell = () => {}
    clearInterval(this.beat)
    await this.commit.close()
    if (this.lost === null) await this.unlock()
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

  /** Whoever serves members from what it was told as the leader must hear it before it writes again. */
  private lose(error: JournalError): void {
    if (this.lost !== null) return
    this.lost = error
    clearInterval(this.beat)
    this.commit.end(this.lost)
    this.tell(this.lost)
  }

  /** Of a house in which nothing happens nobody else would notice that the server, or the lead, is gone. */
  private async look(): Promise<void> {
    const { options } = this.follower
    try {
      const [meta] = await answered(
        this.sql<{ epoch: string }[]>`select epoch from ${this.sql(`${options.schema}.meta`)}`,
        options,
      )
      if (BigInt(meta?.epoch ?? 0) !== this.epoch) this.lose(this.overtaken)
    } catch (error) {
      this.lose(failed('it cannot be looked at', error))
    }
  }

  private get overtaken(): JournalError {
    return ownOf(`another process leads (this one was leader ${this.epoch})`)
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
    const written = await answered(
      sql`
      with leader as (
        select epoch from ${sql(`${schema}.meta`)} where epoch = ${this.epoch.toString()} for share
      )
      insert into ${sql(`${schema}.journal`)} (sequence, epoch, hash, sealed)
      select r.sequence, leader.epoch, decode(r.hash, 'base64'), decode(r.sealed, 'base64')
      from leader, unnest(
        string_to_array(${listOf('sequence')}, ',')::bigint[],
        string_to_array(${listOf('hash')}, ','),
        string_to_array(${listOf('sealed')}, ',')
      ) as r (sequence, hash, sealed)`,
      this.follower.options,
    ).catch((error: unknown) => {
      // The statement was undone as a whole; after any other error nobody knows.
      if ((error as { code?: string }).code === DISK_FULL)
        throw new JournalError('JournalMustHaveRoom', 'PostgreSQL has no room on its disk', error)
      throw failed('a record could not be written', error)
    })
    if (written.count !== rows.length) throw this.overtaken
    const first = this.last.sequence + 1
    this.last = head
    return first
  }
}

function ownOf(why: string): JournalError {
  return new JournalError('JournalMustBeOwn', why)
}
