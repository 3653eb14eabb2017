/**
 * Proving jobs in PostgreSQL. A worker takes a job with FOR UPDATE SKIP LOCKED, for the time of a
 * lease that it prolongs by heartbeats; each lease has a fencing number, so that a worker that was
 * thought dead cannot put its result over another's. All times are the database's.
 */
import postgres from 'postgres'
import { inTime } from '../in-time.ts'
import type { Proof } from '../groth16.ts'
import { isSchemaName } from './schema-name.ts'
import type { JobState, JobStore, JobView, TakenJob } from './store.ts'

export type PostgresJobsOptions = {
  /** postgres://user:password@host:port/database */
  readonly url: string
  readonly schema?: string
  /** A server that answers nothing for so long is gone, whatever the network says of it. */
  readonly patienceMilliseconds?: number
}

/** Within a lease, so that a worker that is cut off gives its job up before another has it. */
const PATIENCE_MILLISECONDS = 10_000
/** A worker that is gone for good is forgotten after this. */
const WORKER_DAYS = 7
/** For whoever looks at why; older ones go. */
export const PARKED_KEPT = 32

/** Makes the tables if they are missing. Errors carry no URL and no password. */
export async function openPostgresJobs({
  url,
  schema = 'cloister_prover',
  patienceMilliseconds = PATIENCE_MILLISECONDS,
}: PostgresJobsOptions): Promise<JobStore> {
  if (!isSchemaName(schema)) throw new Error(`${schema} is no name for a schema`)
  const sql = connectTo(url)
  try {
    await inTime(prepare(sql, schema), patienceMilliseconds, silence)
  } catch (error) {
    await sql.end({ timeout: 1 })
    const { code, message } = error as { code?: string; message?: string }
    throw new Error(`PostgreSQL: the jobs cannot be opened: ${code ?? message}`)
  }
  return reconnecting(sql, () => connectTo(url), schema, patienceMilliseconds)
}

function connectTo(url: string): postgres.Sql {
  return postgres(url, {
    max: 4,
    connect_timeout: 10,
    // The driver asks for the types of arrays on each new connection, and nobody hears when that fails:
    // the whole process would end with a session that the database ends at this moment.
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'cloister-prover' },
  })
}

const silence = (): Error => Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })

/**
 * A host that is gone closes no connection, and one to it stays silent for a quarter of an hour, also when
 * another host has taken its place: whoever has no answer in time goes on with new connections.
 */
function reconnecting(
  first: postgres.Sql,
  connect: () => postgres.Sql,
  schema: string,
  patienceMilliseconds: number,
): JobStore {
  let sql = first
  let isClosed = false
  const asked = async <T>(work: (store: Asking) => Promise<T>): Promise<T> => {
    const own = sql
    const late = (): Error => {
      if (own === sql && !isClosed) sql = connect()
      void own.end({ timeout: 0 }).catch(() => {})
      return silence()
    }
    return inTime(work(storeOn(own, schema)), patienceMilliseconds, late)
  }
  return {
    submit: (job) => asked((store) => store.submit(job)),
    look: (name) => asked((store) => store.look(name)),
    take: (worker, leaseMs) => asked((store) => store.take(worker, leaseMs)),
    beat: (job, leaseMs) => asked((store) => store.beat(job, leaseMs)),
    finish: (job, proof) => asked((store) => store.finish(job, proof)),
    fail: (job, failure, isFinal) => asked((store) => store.fail(job, failure, isFinal)),
    release: (job) => asked((store) => store.release(job)),
    parked: () => asked((store) => store.parked()),
    forget: (name) => asked((store) => store.forget(name)),
    announce: (worker) => asked((store) => store.announce(worker)),
    workersFor: (circuit, withinMs) => asked((store) => store.workersFor(circuit, withinMs)),
    vitals: (withinMs) => asked((store) => store.vitals(withinMs)),
    close: () => {
      isClosed = true
      return sql.end({ timeout: 5 })
    },
  }
}

async function prepare(sql: postgres.Sql, schema: string): Promise<void> {
  await sql.begin(async (tx) => {
    // Two processes that make the same table at the same moment would both fail.
    await tx`select pg_advisory_xact_lock(hashtext(${`cloister-jobs/${schema}`}))`
    await tx`create schema if not exists ${tx(schema)}`
    await tx`create sequence if not exists ${tx(`${schema}.fence`)}`
    await tx`create table if not exists ${tx(`${schema}.jobs`)} (
      name text primary key,
      place bigserial not null unique,
      circuit text not null,
      sealed bytea not null,
      state text not null default 'waiting'
        check (state in ('waiting', 'leased', 'done', 'parked')),
      attempts int not null default 0,
      max_attempts int not null check (max_attempts > 0),
      fence bigint not null default 0,
      worker text,
      lease_until timestamptz,
      proof jsonb,
      failure text,
      is_told boolean not null default false)`
    await tx`create index if not exists jobs_open on ${tx(`${schema}.jobs`)} (circuit, place)
      where state in ('waiting', 'leased')`
    await tx`create table if not exists ${tx(`${schema}.workers`)} (
      name text primary key, circuits text[] not null, seen timestamptz not null)`
  })
}

type Asking = Omit<JobStore, 'close'>

function storeOn(sql: postgres.Sql, schema: string): Asking {
  const jobs = sql(`${schema}.jobs`)
  const workers = sql(`${schema}.workers`)
  const fence = `${schema}.fence`
  const lease = (milliseconds: number) =>
    sql`clock_timestamp() + ${milliseconds} * interval '1 millisecond'`
  /** As a list of texts: the driver knows no arrays. Circuits are named by hashes, without commas. */
  const listOf = (circuits: readonly string[]) => sql`string_to_array(${circuits.join(',')}, ',')`
  /** Only the holder of the last lease writes. */
  const held = ({ name, fence: own }: TakenJob) =>
    sql`name = ${name} and fence = ${own.toString()} and state = 'leased'`
  return {
    submit: async ({ name, circuit, sealed, maxAttempts }) => {
      await sql`
        insert into ${jobs} (name, circuit, sealed, max_attempts)
        values (${name}, ${circuit}, ${Buffer.from(sealed)}, ${maxAttempts})
        on conflict (name) do update set
          state = 'waiting', attempts = 0, sealed = excluded.sealed, is_told = false, failure = null
          where ${jobs}.state = 'parked'`
    },
    look: async (name) => {
      const [row] = await sql<
        { state: JobState; attempts: number; proof: Proof | null; failure: string | null }[]
      >`select state, attempts, proof, failure from ${jobs} where name = ${name}`
      return row === undefined ? null : ({ ...row } satisfies JobView)
    },
    take: async (worker, leaseMs) => {
      const [row] = await sql<
        { name: string; circuit: string; sealed: Uint8Array; attempts: number; fence: string }[]
      >`
        update ${jobs} set state = 'leased', attempts = attempts + 1, worker = ${worker.name},
          fence = nextval(${fence}::regclass), lease_until = ${lease(leaseMs)}
        where name = (
          select name from ${jobs}
          where circuit = any(${listOf(worker.circuits)}) and attempts < max_attempts
            and (state = 'waiting' or (state = 'leased' and lease_until < clock_timestamp()))
          order by place limit 1 for update skip locked)
        returning name, circuit, sealed, attempts, fence`
      if (row === undefined) return null
      const { attempts, fence: number, ...job } = row
      return { ...job, attempt: attempts, fence: BigInt(number) }
    },
    beat: async (job, leaseMs) =>
      (await sql`update ${jobs} set lease_until = ${lease(leaseMs)} where ${held(job)}`).count ===
      1,
    finish: async (job, proof) =>
      (
        await sql`
          update ${jobs} set state = 'done', sealed = ''::bytea, failure = null,
            proof = ${sql.json(proof as unknown as postgres.JSONValue)}
          where ${held(job)}`
      ).count === 1,
    fail: async (job, failure, isFinal) =>
      (
        await sql`
          update ${jobs} set failure = ${failure}, state =
            case when ${isFinal} or attempts >= max_attempts then 'parked' else 'waiting' end
          where ${held(job)}`
      ).count === 1,
    release: async (job) =>
      (
        await sql`update ${jobs} set state = 'waiting', attempts = greatest(attempts - 1, 0)
          where ${held(job)}`
      ).count === 1,
    parked: async () => {
      await sql`
        update ${jobs} set state = 'parked', failure = coalesce(failure, 'its worker fell silent')
        where state = 'leased' and lease_until < clock_timestamp() and attempts >= max_attempts`
      const rows = await sql<{ name: string }[]>`
        update ${jobs} set is_told = true where state = 'parked' and not is_told returning name`
      // Each has a whole input: where none can be proven there would be one more with each batch.
      if (rows.length > 0)
        await sql`delete from ${jobs} where state = 'parked' and is_told and place <= (
          select place from ${jobs} where state = 'parked' order by place desc
          offset ${PARKED_KEPT} limit 1)`
      return rows.map(({ name }) => name)
    },
    forget: async (name) => void (await sql`delete from ${jobs} where name = ${name}`),
    announce: async ({ name, circuits }) => {
      await sql`
        insert into ${workers} (name, circuits, seen)
        values (${name}, ${listOf(circuits)}, clock_timestamp())
        on conflict (name) do update set circuits = excluded.circuits, seen = excluded.seen`
      await sql`delete from ${workers}
        where seen < clock_timestamp() - ${WORKER_DAYS} * interval '1 day'`
    },
    workersFor: async (circuit, withinMs) => {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from ${workers} where ${circuit} = any(circuits)
          and seen > clock_timestamp() - ${withinMs} * interval '1 millisecond'`
      return row?.count ?? 0
    },
    vitals: async (withinMs) => {
      const [row] = await sql<
        { workers: number; waiting: number; taken: number; parked: number }[]
      >`
        select
          (select count(*)::int from ${workers}
            where seen > clock_timestamp() - ${withinMs} * interval '1 millisecond') as workers,
          count(*) filter (where state = 'waiting')::int as waiting,
          count(*) filter (where state = 'leased')::int as taken,
          count(*) filter (where state = 'parked')::int as parked
        from ${jobs}`
      return { workers: 0, waiting: 0, taken: 0, parked: 0, ...row }
    },
  }
}
