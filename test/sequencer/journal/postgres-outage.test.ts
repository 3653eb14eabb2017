/** A PostgreSQL that is not there any more, or is another one: one that says nothing, one that lost records. */
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Core } from '../../../sequencer/core.ts'
import { House } from '../../../sequencer/house.ts'
import { JournalError, type Entry } from '../../../sequencer/journal/journal.ts'
import { PostgresFollower, PostgresJournal } from '../../../sequencer/journal/postgres-journal.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { standBy } from '../../../sequencer/journal/standby.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../../postgres.ts'
import { openSilentDoor, type SilentDoor } from '../../silent-door.ts'
import { until } from '../../until.ts'
import { Floor } from '../floor.ts'

const found = findPostgres()
if ('missing' in found) console.warn(`outages of PostgreSQL not tested: ${found.missing}`)
const sealer = sealerOf(new Uint8Array(32).fill(1))
const bytes = (text: string): Uint8Array => Buffer.from(text)
/** Of whom no answer can come any more; anybody else has the time that an operator's machine has. */
const SHORT = { patienceMilliseconds: 300 }
let server: TestPostgres
let url: string
let databases = 0
const closing: (() => Promise<unknown>)[] = []
const doors: SilentDoor[] = []

const textsOf = async (entries: AsyncIterable<Entry>): Promise<readonly string[]> => {
  const texts: string[] = []
  for await (const { payload } of entries) texts.push(Buffer.from(payload).toString())
  return texts
}
const ruleOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof JournalError ? error.rule : String(error)),
  )

describe.skipIf('missing' in found)('a PostgreSQL', () => {
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
  })
  afterEach(async () => {
    // First: nobody takes leave of who does not answer.
    for (const door of doors.splice(0)) await door.close()
    for (const close of closing.splice(0).reverse()) await close().catch(() => {})
  })
  afterAll(() => server?.stop())

  const fresh = async (): Promise<string> => (url = await server.database(`o${databases++}`))
  const open = async (patience = {}): Promise<PostgresJournal> => {
    const journal = await PostgresJournal.open({ url, sealer, ...patience })
    closing.push(() => journal.close())
    return journal
  }
  const follow = async (at = url): Promise<PostgresFollower> => {
    const follower = await PostgresFollower.open({ url: at, sealer })
    closing.push(() => follower.close())
    return follower
  }
  const query = async (text: string): Promise<void> => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    await sql.unsafe(text).finally(() => sql.end())
  }
  /** Where no word comes through any more once it is told to fall silent; only then patience is short. */
  const behindDoor = async () => {
    const door = await openSilentDoor(Number(new URL(url).port))
    doors.push(door)
    const followers: PostgresFollower[] = []
    const fallSilent = (): void => {
      door.fallSilent()
      for (const { options } of followers) Object.assign(options, SHORT)
    }
    const followed = async (): Promise<PostgresFollower> => {
      const follower = await follow(url.replace(/:[0-9]+\//, `:${door.port}/`))
      followers.push(follower)
      return follower
    }
    const led = async (): Promise<PostgresJournal> => {
      const journal = await (await followed()).lead()
      if (journal === null) throw new Error('another one leads')
      closing.push(() => journal.close())
      return journal
    }
    return { fallSilent, followed, led }
  }

  describe('that lost its last records', () => {
    /** A replica that had not got them is the server now. */
    const loseBehind = (sequence: number): Promise<void> =>
      query(`delete from cloister.journal where sequence > ${sequence}`)

    it('is not led by a standby that has them', async () => {
      await fresh()
      const first = await open()
      for (const text of ['a', 'b', 'c', 'd', 'e']) await first.append(bytes(text))
      const standby = await follow()
      expect(await textsOf(standby.entries())).toEqual(['a', 'b', 'c', 'd', 'e'])
      await first.close()
      await loseBehind(3)
      expect(await ruleOf(standby.lead())).toBe('JournalMustBeWhole')
      // Whoever has not seen them goes on from what there is.
      const next = await open()
      expect(await next.append(bytes('x'))).toBe(4)
    })

    it('and got others in their place is not followed on', async () => {
      await fresh()
      const first = await open()
      for (const text of ['a', 'b', 'c', 'd', 'e']) await first.append(bytes(text))
      const standby = await follow()
      await textsOf(standby.entries())
      await first.close()
      await loseBehind(3)
      const next = await open()
      for (const text of ['x', 'y']) await next.append(bytes(text))
      expect(await ruleOf(textsOf(standby.entries(5)))).toBe('JournalMustBeWhole')
      await next.append(bytes('z'))
      expect(await ruleOf(textsOf(standby.entries(5)))).toBe('JournalMustBeWhole')
      await next.close()
      expect(await ruleOf(standby.lead())).toBe('JournalMustBeWhole')
      expect(await textsOf((await follow()).entries())).toEqual(['a', 'b', 'c', 'x', 'y', 'z'])
    })

    it('ends the standby of a house, and is opened by no house whose state is ahead of it', async () => {
      await fresh()
      const journal = await open()
      const { floor } = await Floor.open([1000, 1000], null, journal)
      closing.push(() => floor.close())
      const core = new Core(floor.house.core.genesis)
      const standby = await follow()
      let seen = 0
      const standing = ruleOf(standBy(core, standby, { every: 20, onLook: (at) => (seen = at) }))
      await until(() => seen === journal.head.sequence)
      await loseBehind(seen - 2)
      expect(await standing).toBe('JournalMustBeWhole')
      await journal.close()
      const shorter = await open()
      const house = new House({ ...floor.house.options, journal: shorter, core })
      await expect(house.open()).rejects.toThrow(`the journal ends at ${seen - 2}`)
    })
  })

  describe('that says nothing any more, on connections that stay open', () => {
    it('ends its leader in the midst of an append', async () => {
      await fresh()
      const { fallSilent, led } = await behindDoor()
      const journal = await led()
      await journal.append(bytes('before'))
      fallSilent()
      expect(await ruleOf(journal.append(bytes('during')))).toBe('JournalMustBeWritable')
      expect(await ruleOf(journal.append(bytes('after')))).toBe('JournalMustBeWritable')
    })

    it('ends a leader that has nothing to write, and serves from what it knows', async () => {
      await fresh()
      const { fallSilent, led } = await behindDoor()
      const journal = await led()
      const lost: JournalError[] = []
      journal.onLost((error) => lost.push(error))
      fallSilent()
      await until(() => lost.length > 0)
      expect(lost.map(({ rule }) => rule)).toEqual(['JournalMustBeWritable'])
      expect(await ruleOf(journal.append(bytes('after')))).toBe('JournalMustBeWritable')
    })

    it('ends a standby, which would take the lead of nothing', async () => {
      await fresh()
      const first = await open()
      await first.append(bytes('a'))
      const { fallSilent, followed } = await behindDoor()
      const [reading, leading] = [await followed(), await followed()]
      fallSilent()
      expect(await ruleOf(textsOf(reading.entries()))).toBe('JournalMustBeWritable')
      expect(await ruleOf(leading.lead())).toBe('JournalMustBeWritable')
    })
  })

  it('that another has led meanwhile ends a leader that writes nothing', async () => {
    await fresh()
    const journal = await open()
    const fatal: Error[] = []
    const { floor } = await Floor.open([1000], null, journal)
    closing.push(() => floor.close())
    const house = new House({ ...floor.house.options, journal, onFatal: (e) => fatal.push(e) })
    await house.open()
    await query('update cloister.meta set epoch = epoch + 1')
    await until(() => fatal.length > 0)
    expect(fatal.map((error) => (error as JournalError).rule)).toEqual(['JournalMustBeOwn'])
  })

  it('that ends the session of an idle leader is heard at once', async () => {
    await fresh()
    // Before it looks by itself the first time: a look that is under way would end otherwise.
    const journal = await open({ patienceMilliseconds: 6_000_000 })
    const lost: JournalError[] = []
    journal.onLost((error) => lost.push(error))
    await query(`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and application_name = 'cloister'`)
    await until(() => lost.length > 0)
    expect(lost.map(({ rule }) => rule)).toEqual(['JournalMustBeOwn'])
  })

  it('is not lost to a leader whose own thread stood still, as where a long journal is replayed', async () => {
    await fresh()
    const patience = { patienceMilliseconds: 600 }
    const journal = await PostgresJournal.open({ url, sealer, ...patience })
    closing.push(() => journal.close())
    const lost: JournalError[] = []
    journal.onLost((error) => lost.push(error))
    for (let stands = 0; stands < 5; stands++) {
      // Looks are on their way, some of them not out of this thread yet.
      await new Promise((resolve) => setTimeout(resolve, 110))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900)
    }
    expect(lost).toEqual([])
    expect(await journal.append(bytes('a'))).toBe(1)
  })

  it('says nothing of a leader that was closed', async () => {
    await fresh()
    const journal = await open()
    const lost: JournalError[] = []
    journal.onLost((error) => lost.push(error))
    await journal.append(bytes('a'))
    await journal.close()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(lost).toEqual([])
  })
})
