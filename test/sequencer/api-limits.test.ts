/** What one party can cost the others: floods, slow clients, sockets without end. */
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { Member } from '../../client/member.ts'
import { Buckets, Turns, type Limits } from '../../sequencer/api/limits.ts'
import { Feeds } from '../../sequencer/api/events.ts'
import { Feed } from '../../sequencer/feed.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { decodeRecord } from '../../sequencer/journal/record.ts'
import { until } from '../until.ts'
import { ask, Caller } from './caller.ts'
import { Floor } from './floor.ts'

const FUTURE = 1024
let floor: Floor | null = null
afterEach(async () => {
  vi.useRealTimers()
  await floor?.close()
  floor = null
})

type Opened = { readonly floor: Floor; readonly members: readonly Member[]; readonly url: string }
async function open(limits: Partial<Limits>, journal = new MemoryJournal()): Promise<Opened> {
  const opened = await Floor.open([1000, 1000], () => 0, journal, { limits })
  floor = opened.floor
  return { ...opened, url: opened.floor.url }
}
const callerOf = async ({ floor, url }: Opened, member: Member): Promise<Caller> =>
  Caller.open(url, member, floor.house.domain)
const proposalTo = (counterparty: number, clientId: string) => ({
  clientId,
  counterparty,
  entries: [{ instrument: FUTURE, quantity: '1', price: '1' }],
  payload: '1',
})
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
/** Until the house, too, has seen that others are closed. */
async function untilSockets({ floor: { app } }: Opened, most: number): Promise<void> {
  for (;;) {
    const count = await new Promise<number>((resolve) =>
      app?.server.getConnections((_error, found) => resolve(found)),
    )
    if (count <= most) return
    await pause(10)
  }
}

describe('turns', () => {
  it('are taken by each in turn, whoever came with more', async () => {
    const turns = new Turns<string>({ inFlight: 1, waiting: 10 })
    const served: string[] = []
    const ask_ = (key: string, n: number): Promise<void> =>
      turns.run(key, async () => {
        served.push(`${key}${n}`)
        await pause(1)
      })
    const all = [...[0, 1, 2, 3, 4].map((n) => ask_('flood', n)), ask_('one', 0), ask_('two', 0)]
    await Promise.all(all)
    expect(served.slice(0, 3).sort()).toEqual(['flood0', 'one0', 'two0'])
    expect(served.slice(3)).toEqual(['flood1', 'flood2', 'flood3', 'flood4'])
  })

  it('of one are so many at a time, and so many wait; a failed one gives its place back', async () => {
    const turns = new Turns<string>({ inFlight: 2, waiting: 3 })
    let running = 0
    let most = 0
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const work = async (): Promise<never> => {
      most = Math.max(most, ++running)
      await finished
      running--
      throw new Error('done')
    }
    const first = Promise.allSettled([turns.run('a', work), turns.run('a', work)])
    await until(() => running === 2)
    const rest = Promise.allSettled([1, 2, 3, 4].map(() => turns.run('a', work)))
    finish()
    const all = [...(await first), ...(await rest)]
    const reasons = all.map((each) =>
      each.status === 'rejected' ? String(each.reason.message) : '',
    )
    expect(reasons.filter((text) => text === 'done')).toHaveLength(5)
    expect(reasons.at(-1)).toContain('short queue')
    expect(most).toBe(2)
    await expect(turns.run('a', async () => 'served')).resolves.toBe('served')
  })
})

describe('buckets', () => {
  it('hold a burst, refill by time and know each key by itself', () => {
    let now = 0
    const buckets = new Buckets<string>(2, 3, () => now)
    const takes = (key: string): boolean => {
      try {
        buckets.take(key)
        return true
      } catch {
        return false
      }
    }
    expect([1, 2, 3, 4].map(() => takes('a'))).toEqual([true, true, true, false])
    expect(takes('b')).toBe(true)
    now = 499
    expect(takes('a')).toBe(false)
    now = 500
    expect([takes('a'), takes('a')]).toEqual([true, false])
    now = 60_000
    expect([1, 2, 3, 4].map(() => takes('a'))).toEqual([true, true, true, false])
    // A clock that was put back gives nothing and breaks nothing.
    now = 0
    expect(takes('a')).toBe(false)
  })
})

describe('a member that floods', () => {
  it('is served after another that asks once, though it came long before', async () => {
    const journal = new MemoryJournal()
    const opened = await open({ perSecond: 1e6, burst: 1e6, waiting: 100 }, journal)
    const [a, b] = opened.members as [Member, Member]
    const [flood, one] = [await callerOf(opened, a), await callerOf(opened, b)]
    // Nothing is durable until it is let: what has begun waits there.
    const append = journal.append.bind(journal)
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const begun: string[] = []
    journal.append = async (payload) => {
      const { input } = decodeRecord(payload)
      begun.push(input.kind === 'proposal' ? input.clientId : input.kind)
      await gate
      return append(payload)
    }
    const answered: string[] = []
    const flooding = Array.from({ length: 60 }, async (_, i) => {
      const { status } = await flood.post('/v1/trades', proposalTo(b.account, `f${i}`))
      answered.push(`flood ${status}`)
    })
    await until(() => begun.length >= 4)
    await pause(50)
    // Of the flood as much as may be on its way at once, and no more.
    expect(begun).toHaveLength(4)
    const single = one.post('/v1/trades', proposalTo(a.account, 'one')).then(({ status }) => {
      answered.push(`one ${status}`)
    })
    await until(() => begun.length >= 5)
    release()
    await Promise.all([...flooding, single])
    journal.append = append
    expect(answered.filter((text) => text === 'flood 200')).toHaveLength(60)
    expect(answered.filter((text) => text === 'one 200')).toHaveLength(1)
    // In the order in which the house took them up; whose answer is read first is by chance.
    expect(begun).toHaveLength(61)
    expect(begun.indexOf('one')).toBe(4)
  })

  it('is refused beyond its rate, and nobody else is', async () => {
    const opened = await open({ perSecond: 0.001, burst: 20 })
    const [a, b] = opened.members as [Member, Member]
    const [flood, one] = [await callerOf(opened, a), await callerOf(opened, b)]
    const codes: (string | null)[] = []
    for (let i = 0; i < 30; i++) codes.push((await flood.get('/v1/trades')).code)
    expect(codes.slice(0, 20)).toEqual(Array(20).fill(null))
    expect(codes.slice(20)).toEqual(Array(10).fill('RateMustBeKept'))
    // Another session of the same account has no bucket of its own.
    const second = await callerOf(opened, a)
    expect((await second.get('/v1/trades')).status).toBe(429)
    const headers = second.session.headers('GET', '/v1/trades', '')
    const { headers: answered } = await fetch(`${opened.url}/v1/trades`, { headers })
    expect(answered.get('retry-after')).toBe('1')
    expect((await one.get('/v1/trades')).status).toBe(200)
  })

  it('cannot be made to look like one: requests in its name that it did not sign cost it nothing', async () => {
    const opened = await open({ perSecond: 0.001, burst: 5, strangersPerSecond: 1000 })
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    const stolen = caller.session.headers('GET', '/v1/trades', '')
    for (let i = 0; i < 20; i++)
      await ask(opened.url, 'GET', '/v1/trades', undefined, {
        ...stolen,
        'x-cloister-signature': '00'.repeat(64),
      })
    expect((await caller.get('/v1/trades')).status).toBe(200)
  })
})

describe('whoever is nobody', () => {
  it('is refused beyond the rate of its address; a member there goes on', async () => {
    const opened = await open({ strangersPerSecond: 0.001, strangersBurst: 40 })
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    let last = 200
    for (let i = 0; i < 60 && last === 200; i++)
      last = (await ask(opened.url, 'GET', '/v1/status')).status
    expect(last).toBe(429)
    expect((await ask(opened.url, 'GET', '/v1/account')).code).toBe('RateMustBeKept')
    expect((await caller.get('/v1/account')).status).toBe(200)
  })
})

describe('sockets', () => {
  const socketTo = (url: string, text = ''): Socket => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => {})
    // Who reads nothing may not hear of the end either.
    socket.resume()
    if (text !== '') socket.write(text)
    return socket
  }
  const ended = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let got = ''
      socket.on('data', (data) => (got += data.toString()))
      socket.on('close', () => resolve(got))
    })

  it('of slow clients are cut: no headers, half of them, half of a body', async () => {
    const times = { headersTimeout: 290_000, requestTimeout: 300_000 }
    const opened = await open(times)
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    const server = opened.floor.app?.server
    expect(server).toMatchObject(times)
    // Short ones while none but the slow are there: on a crowded machine others are slow, too.
    Object.assign(server as object, { headersTimeout: 1_500, requestTimeout: 3_000 })
    const slow = [
      socketTo(opened.url),
      socketTo(opened.url, 'GET /v1/status HTTP/1.1\r\nhost: x\r\n'),
      socketTo(
        opened.url,
        'POST /v1/deposits HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a"',
      ),
    ].map(ended)
    // One that goes on sending, a byte at a time, is not faster for it.
    const drip = socketTo(opened.url, 'GET /v1/status HTTP/1.1\r\nx: ')
    const dripping = setInterval(() => drip.writable && drip.write('y'), 50)
    const answers = await Promise.all([...slow, ended(drip)])
    clearInterval(dripping)
    Object.assign(server as object, times)
    for (const answer of answers.slice(1)) expect(answer).toContain('408')
    expect((await caller.get('/v1/account')).status).toBe(200)
  })

  it('a thousand open ones stop nobody; beyond the limit they are closed', async () => {
    const opened = await open({
      sockets: 1_050,
      socketsPerAddress: 5_000,
      // To open so many takes its time, and none of them says anything.
      headersTimeout: 300_000,
      requestTimeout: 300_000,
    })
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    let closed = 0
    const sockets: Socket[] = []
    const openMore = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const socket = socketTo(opened.url)
        socket.on('close', () => closed++)
        sockets.push(socket)
        await new Promise((resolve) => {
          socket.once('connect', resolve)
          socket.once('close', resolve)
        })
      }
    }
    await openMore(1_000)
    expect((await caller.get('/v1/account')).status).toBe(200)
    expect(closed).toBe(0)
    await openMore(200)
    await until(() => closed >= 150)
    expect(closed).toBeLessThan(170)
    for (const socket of sockets) socket.destroy()
    await untilSockets(opened, 50)
    expect((await caller.get('/v1/account')).status).toBe(200)
  })
})

it('one address has so many sockets, and gets another when it closes one', async () => {
  const opened = await open({
    socketsPerAddress: 20,
    headersTimeout: 300_000,
    requestTimeout: 300_000,
  })
  const [a] = opened.members as [Member]
  const sockets: Socket[] = []
  let closed = 0
  for (let i = 0; i < 40; i++) {
    const socket = connect(Number(new URL(opened.url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => closed++)
    socket.resume()
    sockets.push(socket)
  }
  await until(() => closed >= 20)
  for (const socket of sockets) socket.destroy()
  await until(() => closed === 40)
  await untilSockets(opened, 10)
  // The sockets of the members themselves count, too.
  expect(closed).toBe(40)
  expect((await (await callerOf(opened, a)).get('/v1/account')).status).toBe(200)
})

describe('streams', () => {
  async function stream(opened: Opened, caller: Caller, options = {}): Promise<WebSocket> {
    const path = '/v1/events?after=0'
    const socket = new WebSocket(`${opened.url.replace('http', 'ws')}${path}`, {
      headers: caller.session.headers('GET', path, ''),
      ...options,
    })
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return socket
  }
  const closing = (socket: WebSocket): Promise<number> =>
    new Promise((resolve) => socket.once('close', resolve))

  it('of one account are few, and a closed one gives its place back', async () => {
    const opened = await open({})
    const [a, b] = opened.members as [Member, Member]
    const caller = await callerOf(opened, a)
    const sockets: WebSocket[] = []
    for (let i = 0; i < 4; i++) sockets.push(await stream(opened, caller))
    await expect(stream(opened, caller)).rejects.toThrow('429')
    expect((await caller.get('/v1/events?after=1&wait=1')).code).toBe('FeedsMustBeFew')
    ;(await stream(opened, await callerOf(opened, b))).close()
    sockets[0]?.close()
    await closing(sockets[0] as WebSocket)
    // The house hears of it a moment later.
    const again = async (): Promise<WebSocket> => stream(opened, caller).catch(again)
    sockets.push(await again())
    for (const socket of sockets) socket.close()
  })

  /** The house's end of the only stream that is open. */
  const endOf = ({ floor: { app } }: Opened): WebSocket => {
    const [socket, ...others] = app?.websocketServer.clients ?? []
    if (socket === undefined || others.length > 0) throw new Error('there must be one stream')
    return socket
  }
  const FEED_MS = 1_500
  /** Streams whose beats come when a test says so. */
  const beating = async () => {
    const opened = await open({ feedTimeout: FEED_MS })
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    return { opened, caller }
  }

  it('are cut when they give no sign of life from one beat to the next, not before', async () => {
    const { opened, caller } = await beating()
    const dead = await stream(opened, caller, { autoPong: false })
    const pinged = new Promise((resolve) => dead.once('ping', resolve))
    vi.advanceTimersByTime(FEED_MS)
    await pinged
    vi.advanceTimersByTime(FEED_MS - 1)
    for (let turn = 0; turn < 3; turn++) await pause(1)
    expect(dead.readyState).toBe(WebSocket.OPEN)
    vi.advanceTimersByTime(1)
    expect(await closing(dead)).toBe(1006)
  })

  it('are kept while they answer, and cut when they say anything', async () => {
    const { opened, caller } = await beating()
    const alive = await stream(opened, caller)
    for (let beat = 0; beat < 3; beat++) {
      const answered = new Promise((resolve) => endOf(opened).once('pong', resolve))
      vi.advanceTimersByTime(FEED_MS)
      await answered
    }
    expect(alive.readyState).toBe(WebSocket.OPEN)
    alive.send('hello')
    expect(await closing(alive)).toBe(4400)
    const loud = await stream(opened, caller)
    loud.send('x'.repeat(5000))
    expect(await closing(loud)).toBe(1009)
  })

  it('are kept where the answer lay in the socket while the house was held up', async () => {
    const { opened, caller } = await beating()
    const alive = await stream(opened, caller, { autoPong: false })
    const end = endOf(opened)
    let isCut = false
    end.once('close', () => (isCut = true))
    for (let beat = 0; beat < 3; beat++) {
      vi.advanceTimersByTime(FEED_MS)
      // What has come is read in the turn behind the timers.
      setImmediate(() => end.emit('pong', Buffer.alloc(0)))
      vi.advanceTimersByTime(FEED_MS)
      for (let turn = 0; turn < 3; turn++) await pause(1)
    }
    expect([isCut, alive.readyState]).toEqual([false, WebSocket.OPEN])
    alive.terminate()
  })

  it('are refused as HTTP without a signature, or from a number that never was', async () => {
    const opened = await open({})
    const [a] = opened.members as [Member]
    const caller = await callerOf(opened, a)
    const refusal = (path: string, headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${opened.url.replace('http', 'ws')}${path}`, { headers })
        socket.on('unexpected-response', (_request, response) => {
          resolve(response.statusCode ?? 0)
          socket.terminate()
        })
        socket.on('open', () => reject(new Error('it was opened')))
        socket.on('error', () => {})
      })
    expect(await refusal('/v1/events', {})).toBe(401)
    const far = '/v1/events?after=999'
    expect(await refusal(far, caller.session.headers('GET', far, ''))).toBe(409)
    // Signed for another place than asked.
    expect(await refusal('/v1/events?after=1', caller.session.headers('GET', far, ''))).toBe(401)
  })

  it('send no more than a reader takes: a slow one costs no memory', async () => {
    const feed = new Feed()
    const feeds = new Feeds({ feeds: 1, feedTimeout: 1e6 } as Limits)
    const sent: number[] = []
    const callbacks: (() => void)[] = []
    const handlers = new Map<string, () => void>()
    const socket = {
      OPEN: 1,
      readyState: 1,
      bufferedAmount: 0,
      send(text: string, done: () => void) {
        this.bufferedAmount += text.length
        sent.push(text.length)
        callbacks.push(done)
      },
      on: (name: string, handler: () => void) => handlers.set(name, handler),
      close() {},
      terminate() {},
      ping() {},
    }
    const tell = (count: number): void => {
      const changed = Array.from({ length: count }, (_, i) => ({
        account: 16,
        clientId: `${i}`,
        state: 'accepted',
        batch: null,
      }))
      feed.take(
        {
          batches: [],
          ledger: { unsigned: new Map() },
          table: null,
          desk: { takeChanged: () => changed },
        } as never,
        { at: 0, input: { kind: 'tick' } },
      )
    }
    tell(1500)
    feeds.stream(socket as never, feed, 16, { account: 16 }, 0, () => true)
    // Pages of 200 events: it stopped when the reader had enough, not at the end.
    const first = sent.length
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThan(7)
    for (let i = 0; i < 100; i++) tell(1)
    expect(sent).toHaveLength(first)
    // When they have left, the rest follows.
    socket.bufferedAmount = 0
    callbacks.at(-1)?.()
    await new Promise((resolve) => setImmediate(resolve))
    expect(sent.length).toBeGreaterThan(first)
    handlers.get('close')?.()
  })
})
