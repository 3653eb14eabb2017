/** Who may ask what: every route of a member, with every way in which a request can be another's. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { memberKeys } from '../../client/keys.ts'
import type { Member } from '../../client/member.ts'
import { newOpening, Session } from '../../client/session.ts'
import { Nonces } from '../../sequencer/api/sessions.ts'
import { ask, Caller, json, sessionOf } from './caller.ts'
import { Floor } from './floor.ts'

const FUTURE = 1024
let floor: Floor
let a: Member, b: Member, c: Member
let callerA: Caller, callerC: Caller
/** A trade of a and b, and the client id of a withdrawal of a. */
let trade: string
const WITHDRAWAL = 'w-1'
let domain: bigint
let head: bigint

type Case = { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown }
/** Every route of OpenAPI that needs a signature, as the owner would ask it. */
const cases = (): readonly Case[] => [
  { method: 'GET', path: '/v1/account' },
  { method: 'GET', path: '/v1/account/proof' },
  { method: 'POST', path: '/v1/account/margin', body: { entries: [] } },
  { method: 'GET', path: `/v1/receipts/${head}` },
  { method: 'GET', path: '/v1/trades' },
  { method: 'GET', path: `/v1/trades/${trade}` },
  { method: 'POST', path: `/v1/trades/${trade}/affirm`, body: {} },
  { method: 'POST', path: `/v1/trades/${trade}/reject`, body: {} },
  { method: 'GET', path: `/v1/pages/${WITHDRAWAL}` },
  { method: 'GET', path: '/v1/events' },
  {
    method: 'POST',
    path: '/v1/trades',
    body: { clientId: 'auth', counterparty: 17, entries: [], payload: '1' },
  },
  { method: 'POST', path: '/v1/pages', body: {} },
  { method: 'POST', path: '/v1/resign', body: { pages: [] } },
  { method: 'POST', path: '/v1/sessions/end', body: {} },
]

beforeAll(async () => {
  const opened = await Floor.open([1000, 1000, 1000])
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
  domain = BigInt((await a.house()).domain)
  trade = await floor.trade(a, b, [{ instrument: FUTURE, quantity: 1n, price: 50_000_000n }])
  head = a.journal.state.head
  await a.api.tickets()
  callerA = await Caller.open(floor.url, a, domain)
  callerC = await Caller.open(floor.url, c, domain)
})
afterAll(() => floor.close())

const send = ({ method, path, body }: Case, headers: Record<string, string> = {}) =>
  ask(floor.url, method, path, body === undefined ? undefined : json(body), headers)
const bodyOf = ({ body }: Case): string => (body === undefined ? '' : json(body))

it('these are all routes that need a signature', async () => {
  const { value } = await ask(floor.url, 'GET', '/v1/openapi.json')
  const paths = value['paths'] as Record<string, Record<string, { security?: unknown }>>
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { security }]) =>
      security === undefined ? [] : [`${method.toUpperCase()} ${path}`],
    ),
  )
  const tested = cases().map(
    ({ method, path }) =>
      `${method} ${path
        .replace(trade, '{id}')
        .replace(WITHDRAWAL, '{clientId}')
        .replace(`${head}`, '{head}')}`,
  )
  expect(tested.sort()).toEqual(described.sort())
})

describe('without a signature of the account', () => {
  it('no route answers', async () => {
    for (const each of cases())
      expect(await send(each), each.path).toMatchObject({
        status: 401,
        code: 'SignatureMustBePresent',
      })
  })

  it('no route answers a session that nobody opened', async () => {
    const { privateKey } = newOpening({ account: 16, key: a.keys.signing, domain }, '')
    const session = new Session('00'.repeat(16), 2 ** 40, domain, privateKey)
    for (const each of cases())
      expect(
        await send(each, session.headers(each.method, each.path, bodyOf(each))),
        each.path,
      ).toMatchObject({ status: 401, code: 'SessionMustBeLive' })
  })

  it("no route answers another's key in the name of a session", async () => {
    const { privateKey } = newOpening({ account: 16, key: c.keys.signing, domain }, '')
    const { id, until } = callerA.session
    const stolen = new Session(id, until, domain, privateKey)
    // Nonces that a has not used.
    for (let i = 0; i < 100; i++) stolen.headers('GET', '/', '')
    for (const each of cases())
      expect(
        await send(each, stolen.headers(each.method, each.path, bodyOf(each))),
        each.path,
      ).toMatchObject({ status: 401, code: 'RequestSignatureMustMatch' })
  })

  it('no route answers a request that was sent before', async () => {
    for (const each of cases().filter(({ path }) => path !== '/v1/sessions/end')) {
      const headers = callerA.session.headers(each.method, each.path, bodyOf(each))
      expect((await send(each, headers)).status, each.path).not.toBe(401)
      expect(await send(each, headers), each.path).toMatchObject({
        status: 401,
        code: 'NonceMustBeNew',
      })
    }
  })

  it('no route answers with another body, path, method, domain or time than was signed', async () => {
    for (const each of cases()) {
      const { method, path } = each
      const other = method === 'GET' ? 'POST' : 'GET'
      const { session } = callerA
      const late = session.headers(method, path, bodyOf(each))
      const elsewhere = new Session(
        session.id,
        session.until,
        domain + 1n,
        (session as unknown as { key: ConstructorParameters<typeof Session>[3] }).key,
      )
      for (let i = 0; i < 200; i++) elsewhere.headers('GET', '/', '')
      const wrong = [
        session.headers(method, path, `${bodyOf(each)} `),
        session.headers(method, `${path}?`, bodyOf(each)),
        session.headers(other, path, bodyOf(each)),
        { ...late, 'x-cloister-time': String(Number(late['x-cloister-time']) + 1) },
        elsewhere.headers(method, path, bodyOf(each)),
      ]
      for (const headers of wrong)
        expect(await send(each, headers), path).toMatchObject({
          status: 401,
          code: 'RequestSignatureMustMatch',
        })
    }
  })
})

describe('another member, rightly signed in', () => {
  it('reads nothing of an account that is not its own', async () => {
    // It hears the same of what exists and of what does not.
    const unknown = trade.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
    for (const id of [trade, unknown]) {
      const expected = { status: 404, code: 'TradeMustBeKnown' }
      expect(await callerC.get(`/v1/trades/${id}`)).toMatchObject(expected)
      expect(await callerC.get(`/v1/trades?after=${id}`)).toMatchObject(expected)
      expect(await callerC.post(`/v1/trades/${id}/affirm`, {})).toMatchObject(expected)
      expect(await callerC.post(`/v1/trades/${id}/reject`, {})).toMatchObject(expected)
    }
    expect((await callerC.get(`/v1/receipts/${head}`)).code).toBe('HeadMustBeAdmitted')
    expect((await callerC.get(`/v1/pages/${WITHDRAWAL}`)).code).toBe('PageMustBeKnown')
    expect((await callerC.get('/v1/trades')).value).toEqual({ trades: [], next: null })
    const { value } = await callerC.get('/v1/events')
    expect(JSON.stringify(value)).not.toContain(trade)
    expect((await callerC.get('/v1/account')).value['account']).toBe(c.account)
    expect((await callerC.get('/v1/account/proof')).value['account']).toBe(c.account)
    // Only the own side of a trade is shown: of the other there is the number of its account.
    const seen = (await callerA.get(`/v1/trades/${trade}`)).value
    expect(JSON.stringify(seen)).not.toContain(`${b.journal.state.head}`)
  })

  it('does not sign a page for another account', async () => {
    const ticket = await floor.agree(a, b, [
      { instrument: FUTURE, quantity: 1n, price: 50_000_000n },
    ])
    const view = await a.api.trade(ticket)
    const page = {
      clientId: 'as-a',
      ticket,
      kind: 'trade',
      counterparty: b.account,
      stamp: view.stamp,
      maxFee: '100',
      payload: view.payload,
      entries: view.entries,
      previousHead: `${a.journal.state.head}`,
      signature: { r: { x: '0', y: '1' }, s: '1' },
    }
    expect(await callerC.post('/v1/pages', page)).toMatchObject({ status: 422 })
    // The trade is as it was.
    expect((await a.api.trade(ticket)).state).toBe('stamped')
  })
})

describe('a session', () => {
  it('is opened by the owner key of the account alone', async () => {
    await expect(sessionOf(floor.url, a, domain, c.keys.signing)).rejects.toThrow(
      '401 OwnerSignatureMustMatch',
    )
    // An account that does not exist is answered the same.
    const { value } = await ask(floor.url, 'GET', '/v1/status')
    const { opening } = newOpening(
      { account: 999, key: a.keys.signing, domain },
      String(value['instance']),
    )
    expect(await ask(floor.url, 'POST', '/v1/sessions', json(opening))).toMatchObject({
      status: 401,
      code: 'OwnerSignatureMustMatch',
    })
  })

  it('is not opened for another run of the house, nor by another clock', async () => {
    const { value } = await ask(floor.url, 'GET', '/v1/status')
    const credentials = { account: a.account, key: a.keys.signing, domain }
    const old = newOpening(credentials, '00'.repeat(16)).opening
    expect((await ask(floor.url, 'POST', '/v1/sessions', json(old))).code).toBe(
      'InstanceMustBeCurrent',
    )
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 32_000 })
    const early = newOpening(credentials, String(value['instance'])).opening
    vi.useRealTimers()
    expect(await ask(floor.url, 'POST', '/v1/sessions', json(early))).toMatchObject({
      code: 'ClockMustAgree',
      detail: expect.stringContaining('30 seconds'),
    })
  })

  it('takes requests within 30 seconds of the clock of the house', async () => {
    for (const [seconds, status] of [
      [-33, 401],
      [-28, 200],
      [28, 200],
      [33, 401],
    ] as const) {
      // The clock of the house stands until it has answered.
      const now = Date.now()
      vi.useFakeTimers({ toFake: ['Date'], now: now + seconds * 1000 })
      try {
        const headers = callerA.session.headers('GET', '/v1/trades', '')
        vi.setSystemTime(now)
        expect((await ask(floor.url, 'GET', '/v1/trades', undefined, headers)).status).toBe(status)
      } finally {
        vi.useRealTimers()
      }
    }
  })

  it('opened twice by the same signature keeps its nonces', async () => {
    const { value } = await ask(floor.url, 'GET', '/v1/status')
    const credentials = { account: a.account, key: a.keys.signing, domain }
    const { opening, privateKey } = newOpening(credentials, String(value['instance']))
    const open = () => ask(floor.url, 'POST', '/v1/sessions', json(opening))
    const { session, until } = (await open()).value as { session: string; until: number }
    const own = new Session(session, until, domain, privateKey)
    const headers = own.headers('GET', '/v1/trades', '')
    expect((await ask(floor.url, 'GET', '/v1/trades', undefined, headers)).status).toBe(200)
    expect((await open()).value['session']).toBe(session)
    expect((await ask(floor.url, 'GET', '/v1/trades', undefined, headers)).code).toBe(
      'NonceMustBeNew',
    )
    // Ended, its opening opens it no more: nobody brings its requests back.
    const body = json({})
    const end = own.headers('POST', '/v1/sessions/end', body)
    expect((await ask(floor.url, 'POST', '/v1/sessions/end', body, end)).status).toBe(200)
    expect((await open()).code).toBe('SessionMustBeLive')
  })

  it('ends when it is the oldest of seventeen, and the account goes on with the others', async () => {
    const first = await Caller.open(floor.url, b, domain)
    expect((await first.get('/v1/trades')).status).toBe(200)
    const more: Caller[] = []
    for (let i = 0; i < 16; i++) more.push(await Caller.open(floor.url, b, domain))
    expect((await first.get('/v1/trades')).code).toBe('SessionMustBeLive')
    expect((await more.at(0)?.get('/v1/trades'))?.status).toBe(200)
    expect((await more.at(-1)?.get('/v1/trades'))?.status).toBe(200)
  })

  it('ends with the owner key that opened it', async () => {
    const { floor: own, members } = await Floor.open([1000, 1000])
    const [m] = members as [Member]
    const caller = await Caller.open(own.url, m, domain)
    expect((await caller.get('/v1/account')).status).toBe(200)
    const path = '/v1/events?after=0'
    const socket = new WebSocket(`${own.url.replace('http', 'ws')}${path}`, {
      headers: caller.session.headers('GET', path, ''),
    })
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    await new Promise((resolve) => socket.once('open', resolve))
    await m.rotate(memberKeys(new Uint8Array(32).fill(98), 'next'))
    await own.batch()
    expect((await caller.get('/v1/account')).code).toBe('SessionMustBeLive')
    // The stream that it opened ends as well.
    expect(await closed).toBe(4401)
    await own.close()
  })
})

it('what concerns no account needs no signature', async () => {
  for (const path of ['/v1/status', '/v1/health', '/v1/ready', '/v1/conditions', '/v1/table'])
    expect((await ask(floor.url, 'GET', path)).status, path).toBe(200)
  const { value } = await ask(floor.url, 'GET', '/v1/batches')
  expect(value['batches']).toHaveLength(1)
  expect((await ask(floor.url, 'GET', '/v1/batches/1')).status).toBe(200)
  expect((await ask(floor.url, 'GET', '/v1/batches/2')).code).toBe('BatchMustBeKnown')
  expect((await ask(floor.url, 'GET', '/v1/public-events')).value['last']).toBe(3)
  // How many trades a batch has is what cover hides.
  expect(JSON.stringify(value)).not.toContain('trades')
})

describe('nonces', () => {
  it('are new once, in any order within the window, and never below it', () => {
    const nonces = new Nonces()
    for (const nonce of [1, 3, 2, 1024]) {
      expect(nonces.isNew(nonce)).toBe(true)
      nonces.use(nonce)
      expect(nonces.isNew(nonce)).toBe(false)
    }
    nonces.use(1025)
    expect(nonces.isNew(1)).toBe(false)
    expect(nonces.isNew(4)).toBe(true)
    for (let nonce = 2000; nonce < 9000; nonce++) {
      expect(nonces.isNew(nonce)).toBe(true)
      nonces.use(nonce)
    }
    for (let nonce = 7000; nonce < 9000; nonce++) expect(nonces.isNew(nonce)).toBe(false)
    expect(nonces.isNew(9000)).toBe(true)
  })
})
