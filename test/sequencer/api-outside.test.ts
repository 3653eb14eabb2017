/** What a silent L1, a missing prover, a proxy and a nosy member must not do. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isRefused, type Member } from '../../client/member.ts'
import { until } from '../until.ts'
import { ask, Caller } from './caller.ts'
import { ENTRY, Floor, SHAPE } from './floor.ts'

let floor: Floor
afterEach(() => floor.close())

describe('an L1 that is silent', () => {
  it('leaves no looks behind: whoever asks meanwhile shares the next one', async () => {
    ;({ floor } = await Floor.open([]))
    let looks = 0
    let speak = (): void => {}
    const news = floor.l1.news.bind(floor.l1)
    floor.l1.news = async () => {
      looks++
      await new Promise<void>((resolve) => (speak = resolve))
      return news()
    }
    const first = floor.house.watch()
    await expect.poll(() => looks).toBe(1)
    const asked = Array.from({ length: 1_000 }, () => floor.house.watch())
    speak()
    await first
    await expect.poll(() => looks).toBe(2)
    speak()
    await Promise.all(asked)
    expect(looks).toBe(2)
    floor.l1.news = news
  })

  it('does not hold up the own account', async () => {
    const { members, ...opened } = await Floor.open([1000])
    floor = opened.floor
    floor.l1.news = () => new Promise(() => {})
    await expect(members[0]!.api.account()).resolves.toMatchObject({ account: members[0]!.account })
  })
})

describe('a batch', () => {
  it('is of no shape that nobody can prove', async () => {
    ;({ floor } = await Floor.open([1000]))
    const asked: string[] = []
    const proverMissing = async ({ shape }: { shape: { name: string } }) => {
      asked.push(shape.name)
      return shape.name === ENTRY.name ? 'no prover with this key' : null
    }
    Object.assign(floor.house.options, { proverMissing })
    await floor.join(3, 500)
    expect(await floor.batch()).toMatchObject({ shape: SHAPE.name })
    expect(new Set(asked)).toEqual(new Set([SHAPE.name, ENTRY.name]))
  })
})

describe('the name of a trade', () => {
  it('does not count: two own ones do not tell what others proposed in between', async () => {
    const { members, ...opened } = await Floor.open([1000, 1000, 1000])
    floor = opened.floor
    const [a, b, c] = members as [Member, Member, Member]
    const entries = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]
    const idOf = async (by: Member, to: Member, name: string) => {
      const made = await by.propose(name, to.account, entries, name)
      if (isRefused(made)) throw new Error(made.refused)
      return Number(/^t([0-9]+)-/.exec(made.id)?.[1])
    }
    // The clock stands: however many others come in between, nothing moves on.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    try {
      const first = await idOf(a, b, 'one')
      for (let i = 0; i < 20; i++) await idOf(b, c, `other-${i}`)
      const second = await idOf(a, b, 'two')
      // Seconds of the clock.
      expect(second).toBe(Math.floor(Date.now() / 1000))
      expect(second).toBe(first)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('pages that nobody asked to be signed anew', () => {
  it('are refused without a record', async () => {
    const { members, ...opened } = await Floor.open([1000])
    floor = opened.floor
    const [a] = members as [Member]
    const caller = await Caller.open(floor.url, a, BigInt((await a.house()).domain))
    const page = {
      kind: 'trade',
      counterparty: 17,
      stamp: '1',
      maxFee: '1',
      payload: '0',
      entries: [],
      previousHead: '0',
      signature: { r: { x: '0', y: '1' }, s: '0' },
    }
    const { sequence } = floor.house.journal.head
    const answer = await caller.post('/v1/resign', {
      pages: Array.from({ length: 500 }, () => page),
    })
    expect([answer.status, answer.code]).toEqual([422, 'JournalMustContinue'])
    expect(floor.house.journal.head.sequence).toBe(sequence)
  })
})

describe('a session that ends', () => {
  it('is told no event that comes after it, though it waited before', async () => {
    const { members, ...opened } = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = members as [Member, Member]
    const caller = await Caller.open(floor.url, a, BigInt((await a.house()).domain))
    const last = floor.house.core.feed.lastOf(a.account)
    // It waits: who ends the session without it would be told nothing to begin with.
    let isWaiting = false
    const { feed } = floor.house.core
    const listen = feed.listen.bind(feed)
    feed.listen = (reader, heard) => {
      isWaiting ||= reader === a.account
      return listen(reader, heard)
    }
    const waiting = caller.get(`/v1/events?after=${last}&wait=30`)
    await until(() => isWaiting)
    expect((await caller.post('/v1/sessions/end', {})).status).toBe(200)
    const entries = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]
    expect(isRefused(await b.propose('late', a.account, entries, 'late'))).toBe(false)
    expect(await waiting).toMatchObject({ status: 401, code: 'SessionMustBeLive' })
  })
})

describe('behind a proxy', () => {
  const from = (addresses: string) =>
    ask(floor.url, 'GET', '/v1/status', undefined, { 'x-forwarded-for': addresses })

  it('each caller has a rate of its own, and cannot write itself another', async () => {
    const limits = { strangersBurst: 3, strangersPerSecond: 0.001 }
    ;({ floor } = await Floor.open([], undefined, undefined, { proxies: 1, limits }))
    const flood = []
    // What the caller has written stands before what the proxy adds.
    for (let i = 0; i < 5; i++) flood.push((await from(`10.9.9.${i}, 192.0.2.1`)).status)
    expect(flood).toEqual([200, 200, 200, 429, 429])
    expect((await from('192.0.2.2')).status).toBe(200)
  })

  it('is not believed where there is none', async () => {
    const limits = { strangersBurst: 3, strangersPerSecond: 0.001 }
    ;({ floor } = await Floor.open([], undefined, undefined, { limits }))
    const flood = []
    for (let i = 0; i < 5; i++) flood.push((await from(`192.0.2.${i}`)).status)
    expect(flood).toEqual([200, 200, 200, 429, 429])
  })
})
