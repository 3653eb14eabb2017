/** A database that ends a session at the worst moment: before it has answered anything at all. */
import { createServer, Socket, type AddressInfo, type Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { PostgresFollower, PostgresJournal } from '../../sequencer/journal/postgres-journal.ts'
import { UNSEALED } from '../../sequencer/journal/seal.ts'
import { openSilentDoor } from '../silent-door.ts'
import { found, pause, submit, useJobs, worker } from './jobs-store.ts'

/** What the server sends when it is ready for a question: 'Z', 5 bytes, idle. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
const END = errorFrame('57P01', 'terminating connection due to administrator command')

/** ErrorResponse of the wire protocol (postgresql.org/docs, "Message Formats"). */
function errorFrame(code: string, text: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(fields.length + 4)
  return Buffer.concat([Buffer.from('E'), length, fields])
}

/** Stands before the database; the first `cut` sessions end with their first question. */
async function cutting(to: number, cut: number): Promise<{ server: Server; port: number }> {
  let sessions = 0
  const server = createServer((client) => {
    const isCut = sessions++ < cut
    const database = new Socket().connect(to, '127.0.0.1')
    let isReady = false
    client.on('data', (bytes) => {
      if (isCut && isReady) client.end(END)
      else database.write(bytes)
    })
    database.on('data', (bytes) => {
      isReady ||= bytes.includes(READY)
      client.write(bytes)
    })
    for (const [one, other] of [[client, database] as const, [database, client] as const]) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

/** What a client sends at its end: 'X', 4 bytes. */
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4])

/** Stands before the database, which hears of no end: its sessions last until `release`. */
async function lingering(to: number) {
  const sessions: Socket[] = []
  const server = createServer((client) => {
    const database = new Socket().connect(to, '127.0.0.1')
    sessions.push(database)
    database.on('error', () => client.destroy())
    client.on('error', () => {})
    client.on('data', (bytes) => {
      const isEnd = bytes.subarray(-TERMINATE.length).equals(TERMINATE)
      const rest = isEnd ? bytes.subarray(0, -TERMINATE.length) : bytes
      if (rest.length > 0) database.write(rest)
    })
    database.on('data', (bytes) => void (client.writable && client.write(bytes)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const release = (): void => {
    for (const session of sessions) session.destroy()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, release }
}

describe.skipIf('missing' in found)('a database that hears late of the end of a session', () => {
  const { closing, fresh, url: direct } = useJobs()

  it('has no leader any more when the journal is closed: the next one leads at once', async () => {
    await fresh()
    const url = new URL(direct())
    const { port, release } = await lingering(Number(url.port))
    closing.push(release)
    url.port = String(port)
    const first = await PostgresJournal.open({ url: url.href, sealer: UNSEALED })
    expect(await first.append(Buffer.from('one'))).toBe(1)
    await first.close()
    const next = await PostgresJournal.open({ url: direct(), sealer: UNSEALED })
    closing.push(() => next.close())
    expect(await next.append(Buffer.from('two'))).toBe(2)
  })
})

describe.skipIf('missing' in found)('a session that the database ends before its answer', () => {
  const { closing, fresh, url: direct } = useJobs()

  /** The address of a database behind a proxy that cuts one session. */
  const behind = async (): Promise<string> => {
    await fresh()
    const url = new URL(direct())
    const { server, port } = await cutting(Number(url.port), 1)
    closing.push(() => server.close())
    url.port = String(port)
    return url.href
  }
  /** A promise that fails and that nobody holds would end the whole process. */
  const unheardIn = async (run: () => Promise<void>): Promise<readonly unknown[]> => {
    const unheard: unknown[] = []
    const hear = (error: unknown): void => void unheard.push(error)
    process.on('unhandledRejection', hear)
    await run()
    await pause(50)
    process.off('unhandledRejection', hear)
    return unheard
  }

  it('is an error that says so, and the jobs open the next time', async () => {
    const url = await behind()
    const run = async (): Promise<void> => {
      await expect(openPostgresJobs({ url })).rejects.toThrow('the jobs cannot be opened')
      const store = await openPostgresJobs({ url })
      closing.push(() => store.close())
      expect(await store.look('a')).toBeNull()
    }
    expect(await unheardIn(run)).toEqual([])
  })

  it('is the same to who opens a journal', async () => {
    const options = { url: await behind(), sealer: UNSEALED }
    const run = async (): Promise<void> => {
      await expect(PostgresFollower.open(options)).rejects.toThrow('it cannot be opened')
      const follower = await PostgresFollower.open(options)
      closing.push(() => follower.close())
      expect(follower.identity).not.toBe('')
    }
    expect(await unheardIn(run)).toEqual([])
  })
})

describe.skipIf('missing' in found)(
  'a database that says nothing, on connections that stay open',
  () => {
    const { fresh, closing, url } = useJobs()

    it('is heard to be gone, and asked on new connections when it is there again', async () => {
      await submit(await fresh(), 'one')
      const door = await openSilentDoor(Number(new URL(url()).port))
      const store = await openPostgresJobs({
        url: url().replace(/:[0-9]+\//, `:${door.port}/`),
        patienceMilliseconds: 10_000,
      })
      closing.push(async () => {
        await door.close()
        await store.close()
      })
      const job = await store.take(worker('w'), 60_000)
      if (job === null) throw new Error('there is a job')
      door.fallSilent()
      const codeOf = (work: Promise<unknown>): Promise<unknown> =>
        work.then(
          () => 'answered',
          (error: unknown) => (error as { code?: unknown }).code,
        )
      // Several at once: all that wait on the silent connections are told.
      const said = await Promise.all([codeOf(store.beat(job, 60_000)), codeOf(store.look('one'))])
      expect(said).not.toContain('answered')
      door.speak()
      expect(await store.beat(job, 60_000)).toBe(true)
      expect(await store.look('one')).toMatchObject({ state: 'leased' })
    })
  },
)
