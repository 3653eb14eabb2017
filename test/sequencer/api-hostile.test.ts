/** Found by hand against a house that runs: tunnels, upgrades to nothing, half-open sockets, repetition. */
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sign } from '../../circuits/eddsa.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import type { Member } from '../../client/member.ts'
import { parseBody } from '../../sequencer/api/json.ts'
import type { SignedPage } from '../../sequencer/admission.ts'
import { pages as wirePages } from '../../sequencer/wire.ts'
import { ask, Caller, json } from './caller.ts'
import { Floor } from './floor.ts'

let floor: Floor
let member: Member
let caller: Caller
let port: number

beforeAll(async () => {
  const opened = await Floor.open([1000, 1000], () => 0, undefined, {
    limits: {
      perSecond: 1e6,
      burst: 1e6,
      strangersPerSecond: 1e6,
      strangersBurst: 1e6,
      // What is let go of is not let go of because it was slow.
      headersTimeout: 300_000,
      requestTimeout: 300_000,
    },
  })
  floor = opened.floor
  ;[member] = opened.members as [Member]
  caller = await Caller.open(floor.url, member, floor.house.domain)
  port = Number(new URL(floor.url).port)
})
afterAll(() => floor.close())

/** What comes back until the house closes; null if it has not within the time. */
function raw(given: string | Buffer, milliseconds = 120_000): Promise<string | null> {
  return new Promise((resolve) => {
    // Its own half stays open: only the house ends the connection.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let got = ''
    const late = setTimeout(() => {
      resolve(null)
      socket.destroy()
    }, milliseconds)
    socket.on('data', (data) => (got += data.toString('latin1')))
    socket.on('error', () => {})
    const done = (): void => {
      clearTimeout(late)
      resolve(got)
      socket.destroy()
    }
    socket.on('end', done)
    socket.on('close', done)
    socket.write(given)
  })
}
const HANDSHAKE = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n'
const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n${HANDSHAKE}\r\n`
const openSockets = (): Promise<number> =>
  new Promise((resolve) =>
    floor.app?.server.getConnections((_error, count) => resolve(Number(count))),
  )

describe('a tunnel', () => {
  it('whose caller is gone before it is refused ends nothing but its socket', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown): void => void unheard.push(error)
    process.on('uncaughtException', hear)
    try {
      const begin = 'CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n'
      for (let i = 0; i < 60; i++)
        await new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => socket.write(begin))
          socket.on('error', () => {})
          socket.once('close', () => resolve())
          // Before the answer, or with it.
          const reset = (): void => void socket.resetAndDestroy()
          if (i % 2 === 0) setImmediate(reset)
          else socket.once('data', reset)
        })
      // What the house hears of the last of them it hears before it answers this.
      expect((await ask(floor.url, 'GET', '/v1/status')).status).toBe(200)
    } finally {
      process.off('uncaughtException', hear)
    }
    expect(unheard).toEqual([])
  })

  it('is refused with an answer', async () => {
    const answer = await raw('CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*RequestMustBeWellFormed/s)
  })
})

describe('an upgrade', () => {
  it('of a route that is no stream is refused before it is one', async () => {
    for (const path of ['/v1/status', '/v1/account', '/v1/openapi.json', '/nowhere'])
      expect(await raw(upgrade(path)), path).toMatch(/^HTTP\/1\.1 404 .*RouteMustExist/s)
  })

  it('that is none by its words is refused', async () => {
    const path = '/v1/public-events'
    for (const odd of [
      upgrade(path).replace('dGhl', '____'),
      upgrade(path).replace('version: 13', 'version: 99'),
      upgrade(path).replace(HANDSHAKE, ''),
      upgrade(path).replace('upgrade: websocket', 'upgrade: h2c'),
    ])
      expect(await raw(odd)).toMatch(/^HTTP\/1\.1 4\d\d /)
  })

  it('is followed by garbage: the stream ends, and no place is left taken', async () => {
    const path = '/v1/public-events?after=0'
    const frames: readonly Buffer[] = [
      Buffer.alloc(5_000, 0xff),
      // Without a mask.
      Buffer.from([0x81, 5, 1, 2, 3, 4, 5]),
      // Longer than a message may be, by its head alone.
      Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
      // A reader that does nothing but ping.
      Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from([0x89, 0x80, 0, 0, 0, 0]))),
      Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from([0x8a, 0x80, 0, 0, 0, 0]))),
    ]
    for (const [i, bytes] of frames.entries()) {
      const answer = await raw(Buffer.concat([Buffer.from(upgrade(path)), bytes]))
      expect(answer, `${i}`).toMatch(/^HTTP\/1\.1 101 /)
    }
  })
})

it('a socket whose other half is never closed is let go of', async () => {
  const before = await openSockets()
  let answered = 0
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    socket.once('data', () => answered++)
    socket.write('NONSENSE\r\n\r\n')
    return socket
  })
  await expect.poll(() => answered).toBe(20)
  await expect.poll(openSockets).toBeLessThanOrEqual(before)
  for (const socket of sockets) socket.destroy()
})

it('many waits over one connection leave nothing behind', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const { value } = await ask(floor.url, 'GET', '/v1/public-events?after=0')
  const last = Number(value['last'])
  const get = (path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${floor.url}${path}`, { agent }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
        .on('error', reject)
        .end()
    })
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  for (let i = 0; i < 30; i++) expect(await get(`/v1/public-events?after=${last - 1}`)).toBe(200)
  process.off('warning', warned)
  expect(warnings.map(({ name }) => name)).not.toContain('MaxListenersExceededWarning')
  agent.destroy()
})

describe('pages to be signed anew', () => {
  it('that are none are not worth a record', async () => {
    const before = floor.house.journal.head.sequence
    expect(await caller.post('/v1/resign', { pages: [] })).toMatchObject({
      status: 422,
      code: 'JournalMustContinue',
    })
    expect(floor.house.journal.head.sequence).toBe(before)
  })

  it('may be sent again and again: no page is hashed for it', async () => {
    // As many withdrawals as the account can pay for, all waiting for a batch.
    const { ledger } = floor.house
    const [genesis, count] = [ledger.headOf(member.account) as bigint, 60]
    const second = BigInt(Math.floor(Date.now() / 1000))
    let head = genesis
    const pages: Record<string, unknown>[] = []
    for (let i = 0; i < count; i++) {
      const page: Page = {
        kind: 'withdrawal',
        account: member.account,
        counterparty: 0,
        stamp: (second << 20n) + BigInt(i),
        maxFee: 100n,
        payload: 7n,
        entries: [{ instrument: 1, quantity: -1n, price: 0n }],
      }
      const previousHead = head
      head = headAfter(head, page)
      const signature = sign(member.keys.signing, head)
      const { account: _own, ...words } = page
      const given = JSON.parse(json({ ...words, previousHead, signature })) as Record<
        string,
        unknown
      >
      const taken = await caller.post('/v1/pages', { clientId: `w${i}`, ...given })
      expect(taken, taken.detail).toMatchObject({ status: 200 })
      pages.push(given)
    }
    expect((await caller.post('/v1/resign', { pages })).status).toBe(200)
    const { resigning } = floor.house.desk
    /** Processor milliseconds of a look at all of them, each as it comes anew over the wire. */
    const cost = (look: (fresh: readonly SignedPage[]) => unknown): number => {
      const fresh = wirePages(pages, member.account)
      const before = process.cpuUsage()
      look(fresh)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }
    const looks = [1, 2, 3, 4, 5].map(() =>
      cost((fresh) => expect(resigning.isUnwanted(member.account, fresh)).toBe(false)),
    )
    const hashes = [1, 2, 3].map(() =>
      cost((fresh) => fresh.forEach(({ page }) => headAfter(0n, page))),
    )
    expect(Math.min(...looks)).toBeLessThan(Math.min(...hashes) / 2)
    // One that differs from what was admitted is not among them.
    const other = [...pages.slice(0, -1), { ...pages.at(-1), maxFee: '101' }]
    expect(resigning.isUnwanted(member.account, wirePages(other, member.account))).toBe(true)
  })
})

it('a list of more values than any form has is refused before it is read', () => {
  const list = (values: number): Buffer => Buffer.from(`{"a":[${Array(values).fill(0).join()}]}`)
  expect(() => parseBody(list(32_768))).not.toThrow()
  expect(() => parseBody(list(32_769))).toThrow('schema')
  // Of a text it is not.
  expect(() => parseBody(Buffer.from(`{"a":"${','.repeat(100_000)}"}`))).not.toThrow()
})
