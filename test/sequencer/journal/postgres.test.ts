/** The journal in a real PostgreSQL: one leader, fenced, and a standby that takes over under load. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Member } from '../../../client/member.ts'
import { Core } from '../../../sequencer/core.ts'
import { House } from '../../../sequencer/house.ts'
import { JournalError, type Journal } from '../../../sequencer/journal/journal.ts'
import { PostgresFollower, PostgresJournal } from '../../../sequencer/journal/postgres-journal.ts'
import { replay, stateText } from '../../../sequencer/journal/replay.ts'
import { sealerOf, UNSEALED } from '../../../sequencer/journal/seal.ts'
import { standBy } from '../../../sequencer/journal/standby.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../../postgres.ts'
import { until } from '../../until.ts'
import { Floor } from '../floor.ts'

const found = findPostgres()
if ('missing' in found) console.warn(`journal in PostgreSQL not tested: ${found.missing}`)
const LEADER = join(import.meta.dirname, 'leader.ts')
const sealer = sealerOf(new Uint8Array(32).fill(1))
const bytes = (text: string): Uint8Array => Buffer.from(text)
const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms))
let server: TestPostgres
let databases = 0
const closing: (() => Promise<unknown>)[] = []

async function textsOf(journal: Pick<Journal, 'entries'>): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const { sequence, payload } of journal.entries()) {
    texts.push(Buffer.from(payload).toString())
    expect(sequence).toBe(texts.length)
  }
  return texts
}
const ruleOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof JournalError ? error.rule : String(error)),
  )

describe.skipIf('missing' in found)('the journal in PostgreSQL', () => {
  let url: string
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close().catch(() => {})
  })
  afterAll(async () => {
    await server?.stop()
  })
  const fresh = async (): Promise<string> => (url = await server.database(`d${databases++}`))
  const open = async (): Promise<PostgresJournal> => {
    const journal = await PostgresJournal.open({ url, sealer })
    closing.push(() => journal.close())
    return journal
  }
  const follow = async (): Promise<PostgresFollower> => {
    const follower = await PostgresFollower.open({ url, sealer })
    closing.push(() => follower.close())
    return follower
  }
  const query = async (text: string): Promise<readonly Record<string, unknown>[]> => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      return await sql.unsafe(text)
    } finally {
      await sql.end()
    }
  }

  it('gives back what was appended, in order, in the next run too', async () => {
    await fresh()
    const journal = await open()
    expect(await journal.append(bytes('a'))).toBe(1)
    const many = Array.from({ length: 1200 }, (_, i) => `r${i}`)
    const answered: number[] = []
    await Promise.all(many.map((t) => journal.append(bytes(t)).then((n) => answered.push(n))))
    expect(answered).toEqual(many.map((_, i) => i + 2))
    await journal.close()
    const again = await open()
    expect(again.epoch).toBe(journal.epoch + 1n)
    expect(again.identity).toBe(journal.identity)
    expect(await textsOf(again)).toEqual(['a', ...many])
    expect(await again.append(bytes('z'))).toBe(1202)
    const later: number[] = []
    for await (const { sequence } of again.entries(1200)) later.push(sequence)
    expect(later).toEqual([1201, 1202])
  })

  it('has one leader; a second one is refused, and leads when the first lets go', async () => {
    await fresh()
    const first = await open()
    expect(await ruleOf(PostgresJournal.open({ url, sealer }))).toBe('JournalMustBeFree')
    const follower = await follow()
    expect(await follower.lead()).toBeNull()
    await first.append(bytes('x'))
    expect(await textsOf(follower)).toEqual(['x'])
    await first.close()
    const second = (await follower.lead()) as PostgresJournal
    expect(await second.append(bytes('y'))).toBe(2)
    await second.close()
  })

  it('is led at once where nobody leads, however many look whether they could', async () => {
    await fresh()
    await (await open()).close()
    const followers = [await follow(), await follow(), await follow()]
    let isOver = false
    const seen = followers.map(() => new Set<boolean>())
    const looking = followers.map(async (follower, i) => {
      const { isFree } = follower as unknown as { isFree: () => Promise<boolean> }
      while (!isOver) seen[i]?.add(await isFree.call(follower))
    })
    // Heard at the end, and not before.
    for (const look of looking) look.catch(() => {})
    try {
      // And until each has seen it taken, and free.
      for (let round = 0; round < 30 || seen.some(({ size }) => size < 2); round++)
        await (await open()).close()
    } finally {
      isOver = true
      await Promise.all(looking)
    }
  })

  it('takes nothing from a leader that another has followed, lock or no lock', async () => {
    await fresh()
    const stale = await open()
    await stale.append(bytes('before'))
    await query('update cloister.meta set epoch = epoch + 1')
    expect(await ruleOf(stale.append(bytes('stale')))).toBe('JournalMustBeOwn')
    expect(await ruleOf(stale.append(bytes('again')))).toBe('JournalMustBeOwn')
    expect(await textsOf(await follow())).toEqual(['before'])
  })

  it('ends with its session: nothing is written on another one', async () => {
    await fresh()
    const journal = await open()
    await journal.append(bytes('before'))
    await query(`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and application_name = 'cloister'`)
    await pause(200)
    expect(['JournalMustBeOwn', 'JournalMustBeWritable']).toContain(
      await ruleOf(journal.append(bytes('after'))),
    )
    // The server says that it ends the session before it lets go of the lock.
    const follower = await follow()
    let next: PostgresJournal | null = null
    await until(async () => (next = await follower.lead()) !== null)
    const taken = next as unknown as PostgresJournal
    closing.push(() => taken.close())
    expect(await textsOf(taken)).toEqual(['before'])
  })

  it('knows its key, and keeps a canary to itself', async () => {
    await fresh()
    const journal = await open()
    await journal.append(bytes('CANARY-77aa'))
    const other = sealerOf(new Uint8Array(32).fill(2))
    expect(await ruleOf(PostgresFollower.open({ url, sealer: other }))).toBe('JournalKeyMustMatch')
    expect(await ruleOf(PostgresFollower.open({ url, sealer: UNSEALED }))).toBe(
      'JournalKeyMustMatch',
    )
    const [row] = await query('select sealed, hash from cloister.journal')
    expect(Buffer.from(row?.['sealed'] as Uint8Array).includes('CANARY')).toBe(false)
  })

  it.each([
    [
      'changed', // one bit: a byte set to a number has that number already, once in 256 times
      `update cloister.journal set sealed = set_bit(sealed, 320, 1 - get_bit(sealed, 320))
       where sequence = 2`,
    ],
    ['missing', 'delete from cloister.journal where sequence = 2'],
    [
      'exchanged',
      `update cloister.journal j set hash = o.hash, sealed = o.sealed from cloister.journal o
       where j.sequence in (2, 3) and o.sequence = 5 - j.sequence`,
    ],
  ])('sees a record that was %s', async (_what, damage) => {
    await fresh()
    const journal = await open()
    for (const text of ['one', 'two', 'six', 'ten']) await journal.append(bytes(text))
    await query(damage)
    await expect(textsOf(journal)).rejects.toThrow('record 2 is missing or was changed')
  })

  it('refuses a server that does not sync, and one that is not there', async () => {
    await fresh()
    const untilSynced = async (is: string): Promise<void> => {
      while ((await query('show fsync'))[0]?.['fsync'] !== is) await pause(20)
    }
    await query('alter system set fsync = off')
    await query('select pg_reload_conf()')
    await untilSynced('off')
    try {
      await expect(PostgresFollower.open({ url, sealer })).rejects.toThrow('fsync off')
    } finally {
      await query('alter system reset fsync')
      await query('select pg_reload_conf()')
      await untilSynced('on')
    }
    const nowhere = url.replace(/:[0-9]+\//, ':1/').replace('cloister@', 'cloister:secret@')
    const error = await PostgresFollower.open({ url: nowhere, sealer }).catch((e: unknown) => e)
    expect(String(error)).toContain('JournalMustBeWritable')
    expect(String(error)).not.toContain('secret')
  })

  it('refuses a URL that turns off what it asks of each session', async () => {
    await fresh()
    const at = (value: string) => `${url}?synchronous_commit=${value}`
    await expect(PostgresFollower.open({ url: at('off'), sealer })).rejects.toThrow(
      'synchronous_commit off',
    )
    const journal = await PostgresJournal.open({ url: at('remote_apply'), sealer })
    closing.push(() => journal.close())
    expect(await journal.append(bytes('a'))).toBe(1)
  })

  it('is taken over by a standby when the leader is killed under load, again and again', async () => {
    await fresh()
    const children: Spawned[] = [leader(url, 'p0'), leader(url, 'p1')]
    const acknowledged: string[] = []
    const leads = (child: Spawned): boolean => child.text().includes('leads')
    const rounds = process.env['CLOISTER_LONG'] ? 12 : 3
    for (let round = 0; round < rounds; round++) {
      // Whoever leads is killed in the midst of its writes.
      await Promise.race(children.map((child) => child.says('acknowledged')))
      const at = children.findIndex(leads)
      const dying = children[at] as Spawned
      await pause(100 + 37 * round)
      // A slow disk writes less in that time.
      while (dying.acknowledged().length < 20) await pause(5)
      dying.child.kill('SIGKILL')
      await dying.ended
      acknowledged.push(...dying.acknowledged())
      children.splice(at, 1, leader(url, `q${round}`))
    }
    await Promise.race(children.map((child) => child.says('acknowledged')))
    // Who waits first, or it would lead as soon as the other is dead.
    children.sort((one, other) => Number(leads(one)) - Number(leads(other)))
    for (const { child, ended } of children) {
      child.kill('SIGKILL')
      await ended
    }
    acknowledged.push(...children.flatMap((child) => child.acknowledged()))
    const texts = await textsOf(await follow())
    expect(new Set(texts).size).toBe(texts.length)
    expect(acknowledged.length).toBeGreaterThan(50)
    for (const line of acknowledged) {
      const [sequence, text] = line.split(' ') as [string, string]
      expect(texts[Number(sequence) - 1]).toBe(text)
    }
    // One leader after the other, never two at once.
    const epochs = (await query('select epoch from cloister.journal order by sequence')).map((r) =>
      Number(r['epoch']),
    )
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b))
    expect(new Set(epochs).size).toBe(rounds + 1)
  })

  it('is not written by a leader that was stopped, lost its session and woke up', async () => {
    await fresh()
    const stale = leader(url, 'old')
    await stale.says('acknowledged')
    stale.child.kill('SIGSTOP')
    await query(`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and application_name = 'cloister'`)
    const follower = await follow()
    let next: PostgresJournal | null = null
    while (next === null) next = await follower.lead()
    const taken = next
    closing.push(() => taken.close())
    await next.append(bytes('new'))
    stale.child.kill('SIGCONT')
    await stale.ended
    expect(stale.text()).toMatch(/ended Journal(MustBeOwn|MustBeWritable)/)
    const epochs = (
      await query('select epoch from cloister.journal order by sequence desc limit 1')
    )[0]
    expect(Number(epochs?.['epoch'])).toBe(Number(next.epoch))
    const there = new Set(await textsOf(follower))
    for (const line of stale.acknowledged())
      expect(there.has(line.split(' ')[1] as string)).toBe(true)
  })

  it('carries a house from one process to the next: same state, and it goes on', async () => {
    await fresh()
    const journal = await open()
    const { floor, members } = await Floor.open([1000, 1000], null, journal)
    closing.push(() => floor.close())
    const [a, b] = members as [Member, Member]
    const legs = [{ instrument: 1025, quantity: 1n, price: 2_000_000n }]
    await floor.trade(a, b, legs)
    const core = new Core(floor.house.core.genesis)
    const follower = await follow()
    let seen = 0
    const standby = standBy(core, follower, { every: 20, onLook: (at) => (seen = at) })
    standby.catch(() => {})
    while (seen < journal.head.sequence) await pause(10)
    expect(stateText(core)).toBe(stateText(floor.house.core))
    await floor.batch()
    await floor.trade(a, b, legs)
    await journal.close()
    const taken = await standby
    closing.push(() => taken.close())
    const next = new House({ ...floor.house.options, journal: taken, core })
    await next.open()
    expect(stateText(core)).toBe(stateText(floor.house.core))
    const report = await next.runBatch()
    expect(report).toMatchObject({ number: 3n, trades: 1 })
    expect(stateText((await replay(follower.entries())).core)).toBe(stateText(core))
  })
})

type Spawned = {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  readonly text: () => string
  readonly says: (word: string) => Promise<void>
  /** "sequence text" of each line. */
  readonly acknowledged: () => readonly string[]
}
function leader(url: string, name: string): Spawned {
  const child = spawn(process.execPath, ['--import', 'tsx', LEADER, url, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  closing.push(async () => child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return {
    child,
    ended: new Promise((resolve) => child.once('close', resolve)),
    text: () => text,
    says: async (word) => {
      while (!text.includes(word) && child.exitCode === null && child.signalCode === null)
        await pause(10)
    },
    // The last line may have been cut by the kill.
    acknowledged: () =>
      text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .flatMap((line) => (line.startsWith('ack') ? [line.slice('acknowledged '.length)] : [])),
  }
}
