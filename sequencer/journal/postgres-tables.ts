/** What the journal in PostgreSQL stands on: connections, its tables, and what is said of the server. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inTime } from '../../prover/in-time.ts'
import { JournalError } from './journal.ts'
import { checkKey, type Sealer } from './seal.ts'

export type PostgresOptions = {
  /** postgres://user:password@host:port/database; no pooler that shares sessions in between. */
  readonly url: string
  readonly sealer: Sealer
  /** Its tables live in it; it is made if the role may. Letters, digits and underscores. */
  readonly schema?: string
  /** A server that answers nothing for so long is gone, whatever the network says of it. */
  readonly patienceMilliseconds?: number
  readonly log?: (line: string) => void
}
export type Sql = postgres.Sql
export type Meta = { readonly identity: Uint8Array; readonly epoch: bigint }

const FORMAT = 1
/** Seconds after which a leader that has fallen silent loses its session. */
const SILENCE = { tcp_keepalives_idle: 5, tcp_keepalives_interval: 2, tcp_keepalives_count: 3 }
/** A full disk of the server or a checkpoint takes seconds; after this nothing is to be hoped for. */
export const PATIENCE_MILLISECONDS = 30_000

export function connectTo(url: string, onclose: () => void = () => {}): Sql {
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
export function failed(what: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error
  const { code, message } = error as { code?: string; message?: string }
  return new JournalError('JournalMustBeWritable', `PostgreSQL: ${what}: ${code ?? message}`, error)
}

/** A connection to a host that is gone stays open; whoever is gone is asked nothing more. */
export function answered<T>(
  work: PromiseLike<T>,
  { patienceMilliseconds }: Pick<Required<PostgresOptions>, 'patienceMilliseconds'>,
): Promise<T> {
  const detail = `PostgreSQL: no answer within ${patienceMilliseconds / 1000} s`
  return inTime(work, patienceMilliseconds, () => new JournalError('JournalMustBeWritable', detail))
}

export async function hashOf(
  sql: Sql,
  { schema }: Required<PostgresOptions>,
  sequence: number,
): Promise<Uint8Array | null> {
  const [row] = await sql<{ hash: Uint8Array }[]>`
    select hash from ${sql(`${schema}.journal`)} where sequence = ${sequence}`
  return row?.hash ?? null
}

export function gone(sequence: number): JournalError {
  const detail =
    `PostgreSQL: record ${sequence} is not the one that was read before: the server was put back, or ` +
    'another that lacks records took its place. What was made of it is used no more; start again'
  return new JournalError('JournalMustBeWhole', detail)
}

export function whole(detail: string): JournalError {
  return new JournalError(
    'JournalMustBeWhole',
    `PostgreSQL: ${detail}. Restore the database from a copy; nothing was changed`,
  )
}

/** Tables, and what is written about the journal in them. */
export async function prepare(
  sql: Sql,
  { schema, sealer }: Required<PostgresOptions>,
): Promise<Meta> {
  const [set] = await sql<{ fsync: string; commit: string }[]>`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
  if (set?.fsync !== 'on' || set.commit === 'off') {
    // This program asks each session for the latter; a parameter of the URL may ask for the contrary.
    const what = set?.fsync === 'on' ? 'synchronous_commit' : 'fsync'
    const detail = `PostgreSQL runs with ${what} off: what it acknowledges may be lost`
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
