/** Places that are for all: one address does not take those of others, and none takes a member's. */
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Member } from '../../client/member.ts'
import { CLOSED, Feeds } from '../../sequencer/api/events.ts'
import { LIMITS, type Limits } from '../../sequencer/api/limits.ts'
import { Feed } from '../../sequencer/feed.ts'
import { until } from '../until.ts'
import { ask, Caller } from './caller.ts'
import { Floor } from './floor.ts'

let floor: Floor | null = null
const streams: WebSocket[] = []
const sockets: Socket[] = []
afterEach(async () => {
  streams.splice(0).forEach((socket) => socket.terminate())
  sockets.splice(0).forEach((socket) => socket.destroy())
  await floor?.close()
  floor = null
})

async function open(limits: Partial<Limits>, proxies = 0) {
  const opened = await Floor.open([1000, 1000], () => 0, undefined, { limits, proxies })
  floor = opened.floor
  const [one, two] = opened.members as [Member, Member]
  return { floor: opened.floor, one, two, url: opened.floor.url }
}
const callerOf = (url: string, member: Member): Promise<Caller> =>
  Caller.open(url, member, (floor as Floor).house.domain)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** 101 when it was opened, else the status of the refusal. */
function stream(url: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers })
  streams.push(socket)
  return new Promise((resolve) => {
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    socket.on('error', () => {})
  })
}
const PUBLIC = '/v1/public-events?after=0'
const signed = (caller: Caller, path: string) => caller.session.headers('GET', path, '')

describe('public feeds', () => {
  it('of one address are few, whatever they are; another address has its own', async () => {
    const { url } = await open({ publicFeedsPerAddress: 3 }, 1)
    const from = (address: string) => stream(url, PUBLIC, { 'x-forwarded-for': address })
    expect([await from('10.0.0.1'), await from('10.0.0.1'), await from('10.0.0.1')]).toEqual([
      101, 101, 101,
    ])
    expect(await from('10.0.0.1')).toBe(429)
    const last = (await ask(url, 'GET', '/v1/public-events?after=0')).value['last']
    const waiting = await ask(
      url,
      'GET',
      `/v1/public-events?after=${String(last)}&wait=1`,
      undefined,
      {
        'x-forwarded-for': '10.0.0.1',
      },
    )
    expect(waiting).toMatchObject({ status: 429, code: 'FeedsMustBeFew' })
    expect(await from('10.0.0.2')).toBe(101)
    // What an address writes in front of what the proxy adds is not believed.
    expect(await from('10.0.0.9, 10.0.0.1')).toBe(429)
  })

  it('give their places back', async () => {
    const { url } = await open({ publicFeedsPerAddress: 1 })
    expect(await stream(url, PUBLIC)).toBe(101)
    expect(await stream(url, PUBLIC)).toBe(429)
    streams[0]?.close()
    await new Promise((resolve) => streams[0]?.once('close', resolve))
    // The house hears of it a moment later.
    await expect.poll(() => stream(url, PUBLIC)).toBe(101)
  })

  it('are so many in all; a member that signs has places of its own, and needs no room of theirs', async () => {
    const { url, one } = await open({ publicFeeds: 4, publicFeedsPerAddress: 2, feeds: 2 }, 1)
    const from = (n: number) => stream(url, PUBLIC, { 'x-forwarded-for': `10.0.0.${n}` })
    expect([await from(1), await from(1), await from(2), await from(2)]).toEqual([
      101, 101, 101, 101,
    ])
    expect(await from(3)).toBe(429)
    const caller = await callerOf(url, one)
    expect(await stream(url, PUBLIC, signed(caller, PUBLIC))).toBe(101)
    const own = '/v1/events?after=0'
    expect(await stream(url, own, signed(caller, own))).toBe(101)
    // Of its own it has no more than an account has.
    expect(await stream(url, PUBLIC, signed(caller, PUBLIC))).toBe(429)
  })

  it('are refused to whoever signs wrongly, though nobody needs to sign', async () => {
    const { url, one } = await open({})
    const caller = await callerOf(url, one)
    const headers = { ...signed(caller, PUBLIC), 'x-cloister-signature': '00'.repeat(64) }
    expect(await stream(url, PUBLIC, headers)).toBe(401)
    expect(await stream(url, PUBLIC)).toBe(101)
  })

  it('that lost the last place while they were opened are closed with a code', () => {
    const feeds = new Feeds({ ...LIMITS, publicFeedsPerAddress: 1 })
    const holder = { address: '10.0.0.1' }
    const leave = feeds.enter(holder)
    const closed: number[] = []
    const socket = { close: (code: number) => closed.push(code) }
    feeds.stream(socket as never, new Feed(), null, holder, 0, () => true)
    expect(closed).toEqual([CLOSED.tooMany])
    leave()
    // Given back twice is given back once.
    leave()
    expect(feeds.count).toEqual({ members: 0, public: 0 })
  })
})

describe('sockets', () => {
  it('of strangers make room for new ones, the oldest first; those of members stay', async () => {
    // Those that say nothing go for want of room alone.
    const patience = { headersTimeout: 300_000, requestTimeout: 300_000 }
    const { url, one } = await open({ sockets: 30, socketsPerAddress: 1_000, ...patience })
    const caller = await callerOf(url, one)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const get = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = caller.session.headers('GET', '/v1/trades', '')
        request(`${url}/v1/trades`, { agent, headers }, (answer) => {
          answer.resume()
          answer.on('end', () => resolve(answer.statusCode ?? 0))
        })
          .on('error', reject)
          .end()
      })
    expect(await get()).toBe(200)
    const own = Object.values(agent.freeSockets)[0]?.[0]
    expect(own?.destroyed).toBe(false)
    const gone: number[] = []
    for (let i = 0; i < 100; i++) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => gone.push(i))
      socket.resume()
      sockets.push(socket)
      await new Promise((resolve) => socket.once('connect', resolve))
    }
    await until(() => gone.length >= 70)
    expect(gone).not.toContain(99)
    expect(Math.max(...gone)).toBeLessThan(75)
    expect(await get()).toBe(200)
    expect(Object.values(agent.freeSockets)[0]?.[0]).toBe(own)
    // Whoever comes anew is served, too, though all places are taken.
    expect((await (await callerOf(url, one)).get('/v1/account')).status).toBe(200)
    agent.destroy()
  })

  it('of one member beyond its number are as those of strangers: it locks nobody out', async () => {
    const { url, one, two } = await open({
      sockets: 8,
      socketsPerAddress: 1_000,
      socketsPerAccount: 3,
      feeds: 8,
    })
    const caller = await callerOf(url, one)
    const other = await callerOf(url, two)
    await pause(50)
    const own = '/v1/events?after=0'
    for (let i = 0; i < 8; i++) expect(await stream(url, own, signed(caller, own))).toBe(101)
    // All places are the flood's; whoever comes now is served all the same, and stays.
    expect(await stream(url, own, signed(other, own))).toBe(101)
    const opened = () => streams.map(({ readyState }) => readyState === WebSocket.OPEN)
    await until(() => opened().includes(false), 'no stream has made room')
    const isOpen = opened()
    expect(isOpen.slice(0, 3)).toEqual([true, true, true])
    expect(isOpen.at(-1)).toBe(true)
    // A place that is given back can be taken again.
    streams[0]?.close()
    await expect.poll(() => stream(url, own, signed(caller, own))).toBe(101)
  })

  it('all of members leave no room for a stranger', async () => {
    const { url, one } = await open({ sockets: 6, socketsPerAddress: 1_000, feeds: 6 })
    const caller = await callerOf(url, one)
    await pause(50)
    const own = '/v1/events?after=0'
    for (let i = 0; i < 6; i++) expect(await stream(url, own, signed(caller, own))).toBe(101)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(streams.every(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true)
  })
})
