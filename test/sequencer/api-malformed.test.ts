/** Requests that are wrong in every odd way: each a clear 4xx, for little more work than a right one. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Curve, sign } from '../../circuits/eddsa.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import type { Member } from '../../client/member.ts'
import { ApiError } from '../../sequencer/api/errors.ts'
import { parseBody } from '../../sequencer/api/json.ts'
import { ask, Caller, json, type Answer } from './caller.ts'
import { Floor } from './floor.ts'

const FUTURE = 1024
const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n
let floor: Floor
let a: Member, b: Member
let caller: Caller
/** A withdrawal of a, as it should be. */
let page: Page
let good: Record<string, unknown>
let records: number

beforeAll(async () => {
  const opened = await Floor.open([1000, 1000], () => 0, undefined, {
    limits: { perSecond: 1e6, burst: 1e6, strangersPerSecond: 1e6, strangersBurst: 1e6 },
  })
  floor = opened.floor
  ;[a, b] = opened.members as [Member, Member]
  caller = await Caller.open(floor.url, a, BigInt((await a.house()).domain))
  page = {
    kind: 'withdrawal',
    account: a.account,
    counterparty: 0,
    stamp: BigInt(Math.floor(Date.now() / 1000)) << 20n,
    maxFee: 100n,
    payload: 7n,
    entries: [{ instrument: 1, quantity: -1n, price: 0n }],
  }
  const { kind, counterparty, stamp, maxFee, payload, entries } = page
  const previousHead = a.journal.state.head
  const signature = sign(a.keys.signing, headAfter(previousHead, page))
  const words = { kind, counterparty, stamp, maxFee, payload, entries, previousHead, signature }
  good = JSON.parse(json({ clientId: 'good', ...words })) as Record<string, unknown>
  records = floor.house.journal.head.sequence
})
afterAll(() => floor.close())

/** The right page with one JSON text in the place of a value. */
function withText(path: string, text: string): string {
  const copy = structuredClone(good) as Record<string, unknown>
  const names = path.split('.')
  let at: Record<string, unknown> = copy
  for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>
  at[names.at(-1) as string] = '\u0001'
  return JSON.stringify(copy).replace('"\\u0001"', () => text)
}
async function expectRefused(body: string, codes: readonly string[], what: string): Promise<void> {
  const answer = await caller.send('/v1/pages', body)
  expect(answer.status, what).toBe(codes.includes('BodyMustBeSmall') ? 413 : 400)
  expect(codes, `${what}: ${answer.detail}`).toContain(answer.code)
  expect(answer.detail.length, what).toBeLessThan(300)
}

const FORM = ['BodyMustMatchSchema', 'NumberMustBePlain', 'BodyMustBeJson', 'NumberMustBeInRange']
/** Texts that are no whole number in decimal, as JSON. */
const ODD_NUMBERS = [
  '"1e3"',
  '"0x10"',
  '"0b1"',
  '"1.0"',
  '"01"',
  '"-0"',
  '"+1"',
  '" 1"',
  '"1 "',
  '"1\\n"',
  '"1_000"',
  '"1n"',
  '"\u0661\u0662"',
  '"\uff11"',
  '"\u2212\u0031"',
  '"Infinity"',
  '"NaN"',
  '""',
  'null',
  'true',
  '[]',
  '{}',
  '[1]',
  '1e3',
  '1E3',
  '1.5',
  '-0',
  '-1',
  '1e999',
  '12345678901',
  '0x10',
  '+1',
  '.5',
  'NaN',
  'Infinity',
]

describe('numbers', () => {
  it('in every odd form are refused wherever a number stands', async () => {
    const places = ['stamp', 'maxFee', 'payload', 'previousHead', 'signature.s', 'signature.r.x']
    for (const place of [...places, 'entries.0.quantity', 'entries.0.price'])
      for (const text of ODD_NUMBERS)
        await expectRefused(withText(place, text), FORM, `${place} ${text}`)
    for (const place of ['counterparty', 'entries.0.instrument'])
      for (const text of [...ODD_NUMBERS, '"0"', '268435456', '4294967296'])
        await expectRefused(withText(place, text), FORM, `${place} ${text}`)
  })

  it('of the field have one form: p, p + 5 and what is longer are refused', async () => {
    for (const place of ['payload', 'previousHead', 'signature.s', 'signature.r.x'])
      for (const value of [FIELD_MODULUS, FIELD_MODULUS + 5n, 2n ** 256n, 10n ** 77n, -1n])
        await expectRefused(withText(place, `"${value}"`), FORM, `${place} ${value}`)
  })

  it('of a million digits are refused before anybody counts them', async () => {
    const digits = '9'.repeat(1_000_000)
    for (const body of [withText('stamp', `"${digits}"`), withText('counterparty', digits)])
      await expectRefused(body, ['BodyMustBeSmall'], 'a million digits')
    // As many as a body may have.
    const some = '9'.repeat(14_000)
    for (const body of [withText('stamp', `"${some}"`), withText('counterparty', some)])
      await expectRefused(body, FORM, 'as many digits as fit')
    const path = `/v1/receipts/${'9'.repeat(5000)}`
    for (const odd of [path, '/v1/receipts/%zz', '/v1/%ff'])
      expect(await caller.get(odd), odd.slice(0, 20)).toMatchObject({
        status: 400,
        code: 'RequestMustBeWellFormed',
      })
    expect((await caller.get(`/v1/receipts/${FIELD_MODULUS}`)).code).toBe('NumberMustBeInRange')
    expect((await caller.get('/v1/events?after=1e3')).code).toBe('BodyMustMatchSchema')
    expect((await caller.get('/v1/events?after=99999999999')).code).toBe('BodyMustMatchSchema')
    expect((await caller.get('/v1/events?wait=31')).code).toBe('BodyMustMatchSchema')
  })
})

describe('signatures', () => {
  it('out of range, negative, off the curve, the identity and of small order are refused', async () => {
    const { r, s } = good['signature'] as { r: { x: string; y: string }; s: string }
    const small = Curve.fromAffine({
      x: 0n,
      y: FIELD_MODULUS - 1n,
    }).toAffine()
    const [x, y] = [BigInt(r.x), BigInt(r.y)]
    const out: readonly unknown[] = [
      { r, s: `${BigInt(s) + ORDER}` },
      { r, s: `${ORDER}` },
      { r, s: '0' },
      { r, s: `${ORDER - BigInt(s)}` },
      { r: { x: `${FIELD_MODULUS - x}`, y: r.y }, s },
      { r: { x: r.x, y: `${FIELD_MODULUS - y}` }, s },
      { r: { x: r.x, y: `${(y + 1n) % FIELD_MODULUS}` }, s },
      { r: { x: r.y, y: r.x }, s },
      { r: { x: '0', y: '1' }, s },
      { r: { x: '0', y: '0' }, s: '0' },
      { r: { x: '0', y: '1' }, s: '0' },
      { r: { x: `${small.x}`, y: `${small.y}` }, s },
    ]
    for (const [i, signature] of out.entries()) {
      const answer = await caller.post('/v1/pages', { ...good, clientId: `s-${i}`, signature })
      const codes = ['SignatureMustMatch', 'NumberMustBeInRange']
      expect(codes, `${i}: ${answer.status} ${answer.detail}`).toContain(answer.code)
    }
    for (const signature of [
      null,
      '',
      [],
      {},
      { r, s: `-${s}` },
      { r, s, t: '1' },
      { r: { x: r.x }, s },
    ])
      await expectRefused(json({ ...good, signature }), FORM, JSON.stringify(signature))
    expect(floor.house.ledger.pendingOf(a.account)).toHaveLength(0)
  })

  it('of a request in every odd form are refused', async () => {
    const body = json({})
    const path = '/v1/account/margin'
    const right = caller.session.headers('POST', path, body)
    const given = right['x-cloister-signature'] as string
    const odd = [
      '',
      'zz'.repeat(64),
      given.slice(2),
      `${given}00`,
      given.toUpperCase(),
      '0'.repeat(128),
      'f'.repeat(128),
      // s + the order of the curve: another form of the same signature.
      otherForm(given),
    ]
    for (const signature of odd) {
      const headers = { ...right, 'x-cloister-signature': signature }
      expect((await ask(floor.url, 'POST', path, body, headers)).status, signature).toBe(401)
    }
    for (const [name, value] of [
      ['time', '1e9'],
      ['time', '-1'],
      ['time', '9'.repeat(100)],
      ['nonce', '0'],
      ['nonce', '1e3'],
      ['nonce', '9'.repeat(16)],
      ['session', '__proto__'],
      ['session', 'x'.repeat(129)],
    ] as const)
      expect(
        (await ask(floor.url, 'POST', path, body, { ...right, [`x-cloister-${name}`]: value }))
          .status,
        `${name} ${value}`,
      ).toBe(401)
  })
})

/** RFC 8032 wants s below the order; without that one signature would have two forms. */
function otherForm(hex: string): string {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const bytes = Buffer.from(hex.slice(64), 'hex').reverse()
  const s = (BigInt(`0x${bytes.toString('hex')}`) + order).toString(16).padStart(64, '0')
  return hex.slice(0, 64) + Buffer.from(s, 'hex').reverse().toString('hex')
}

describe('bodies', () => {
  const text = (): string => JSON.stringify(good)

  it('that are not one JSON object are refused', async () => {
    const bodies = [
      '',
      ' ',
      '{',
      '[]',
      '"x"',
      'null',
      '1',
      'true',
      '{"a":1}{"b":2}',
      '{,}',
      "{'a':1}",
    ]
    for (const body of [...bodies, '\ufeff{}', '{"a":"\u0000"}', '{"a', '{"a":"\\', '{"\\u00":1}'])
      await expectRefused(body, ['BodyMustBeJson'], body)
    const latin1 = Uint8Array.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d])
    expect(() => parseBody(latin1)).toThrow('UTF-8')
  })

  it('with a key twice are refused, however it is written', async () => {
    for (const twice of ['"stamp":"1"', '"\\u0073tamp":"1"', `"stamp"${' '.repeat(200)}:"1"`])
      await expectRefused(text().replace('{', `{${twice},`), ['KeysMustDiffer'], twice)
    const inner = text().replace('"instrument":1', '"instrument":1,"instrument":2')
    await expectRefused(inner, ['KeysMustDiffer'], 'inside')
    // Equal keys of different objects, and values that look like keys, are no harm.
    expect(() =>
      parseBody(Buffer.from('{"a":{"a":"a"},"b":[{"a":1},{"a":1}],"c":"a"}')),
    ).not.toThrow()
  })

  it('with keys that nobody asked for are refused, __proto__ too', async () => {
    for (const key of [
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'extra',
      '',
      'clientid',
    ])
      for (const value of ['{"isAdmin":true}', '1', 'null'])
        await expectRefused(
          text().replace('{', `{${JSON.stringify(key)}:${value},`),
          ['BodyMustMatchSchema'],
          key,
        )
    await expectRefused(
      text().replace('"r":{', '"r":{"\\u005f_proto__":{},'),
      ['BodyMustMatchSchema'],
      'inside',
    )
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  })

  it('that lack a key, or name the wrong kind, are refused', async () => {
    for (const key of Object.keys(good)) {
      const { [key]: _left, ...rest } = good
      await expectRefused(json(rest), ['BodyMustMatchSchema'], key)
    }
    for (const kind of ['padding', 'Trade', '', 'toString', 'trade '])
      await expectRefused(json({ ...good, kind }), ['BodyMustMatchSchema'], kind)
    for (const clientId of ['', 'x'.repeat(129), 'a b', 'a\n', '../x', '\u00e9'])
      await expectRefused(json({ ...good, clientId }), ['BodyMustMatchSchema'], clientId)
    const four = Array(4).fill({ instrument: 1, quantity: '0', price: '0' })
    await expectRefused(json({ ...good, entries: four }), ['BodyMustMatchSchema'], 'entries')
  })

  it('deep ones are refused, of any size', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = (n: number): string => `{"a":${open.repeat(n)}1${close.repeat(n)}}`
      expect(() => parseBody(Buffer.from(deep(7)))).not.toThrow()
      expect(() => parseBody(Buffer.from(deep(8)))).toThrow(ApiError)
      await expectRefused(deep(2500), ['NestingMustBeShallow'], open)
      await expectRefused(open.repeat(2500), ['NestingMustBeShallow'], open)
      const answer = await caller.send('/v1/resign', open.repeat(80_000))
      expect(answer.code).toBe('NestingMustBeShallow')
    }
  })

  it('huge ones are refused', async () => {
    const huge = `{"a":"${'x'.repeat(20_000)}"}`
    await expectRefused(huge, ['BodyMustBeSmall'], 'huge')
    expect((await caller.send('/v1/resign', huge)).code).toBe('BodyMustMatchSchema')
    const pages = `{"pages":[${Array(20_000).fill('{"kind":"trade"}').join()}]}`
    expect((await caller.send('/v1/resign', pages)).status).toBe(400)
    expect((await caller.send('/v1/resign', `{"a":"${'x'.repeat(600_000)}"}`)).code).toBe(
      'BodyMustBeSmall',
    )
  })

  it('of another type are refused', async () => {
    const path = '/v1/pages'
    const body = text()
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'x',
    ]) {
      const headers = { ...caller.session.headers('POST', path, body), 'content-type': type }
      expect(await ask(floor.url, 'POST', path, body, headers), type).toMatchObject({
        status: 415,
        code: 'ContentTypeMustBeJson',
      })
    }
  })
})

it('unknown routes and methods are refused by name', async () => {
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/v1/../etc/passwd'],
    ['POST', '/v1/status'],
    ['DELETE', '/v1/trades'],
    ['PUT', '/v1/account'],
    ['GET', '/v1/batches/1/2'],
  ] as const)
    expect(await ask(floor.url, method, path), path).toMatchObject({
      status: 404,
      code: 'RouteMustExist',
    })
  expect((await ask(floor.url, 'GET', '/v1/batches/-1')).code).toBe('BodyMustMatchSchema')
  expect((await ask(floor.url, 'GET', '/v1/batches/1e0')).code).toBe('BodyMustMatchSchema')
  expect((await ask(floor.url, 'GET', '/v1/batches?before=1')).code).toBe('BodyMustMatchSchema')
})

describe('what is no HTTP', () => {
  const raw = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket: Socket = connect(Number(new URL(floor.url).port), '127.0.0.1')
      let got = ''
      socket.on('data', (data) => (got += data.toString()))
      socket.on('close', () => resolve(got))
      // What has come before it counts all the same.
      socket.on('error', () => {})
      socket.end(text)
    })
  it('is answered as what it is, and the connection ends', async () => {
    for (const text of [
      'hello\r\n\r\n',
      'GET /v1/status HTTP/9.9\r\n\r\n',
      'POST /v1/pages HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
      'POST /v1/pages HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx',
      'POST /v1/pages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      '\u0016\u0003\u0001\u0000\u0000',
    ]) {
      const answer = await raw(text)
      expect(answer, JSON.stringify(text)).toMatch(/^HTTP\/1\.1 4\d\d /)
    }
    const long = `GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`
    expect(await raw(long)).toContain('HeadersMustBeSmall')
  })
})

/** CPU of this process, in microseconds: of the answer and of who asks. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

it('costs little more than a request in form, whatever is sent', async () => {
  const repeat = async (times: number, send: (i: number) => Promise<Answer>) => {
    await send(-1)
    return (
      (await cpuOf(async () => {
        for (let i = 0; i < times; i++) await send(i)
      })) / times
    )
  }
  // In form and wrongly signed: the signature is looked at, as with every page.
  const formed = await repeat(20, (i) =>
    caller.post('/v1/pages', { ...good, clientId: `c${i}`, payload: `${100 + i}` }),
  )
  const { r } = good['signature'] as { r: unknown }
  const deep = '['.repeat(400_000)
  const odd: Readonly<Record<string, (i: number) => Promise<Answer>>> = {
    numbers: () => caller.send('/v1/pages', withText('stamp', '"1e3"')),
    digits: () => caller.send('/v1/pages', withText('stamp', '9'.repeat(15_000))),
    million: () => caller.send('/v1/pages', withText('stamp', '9'.repeat(1_000_000))),
    deep: () => caller.send('/v1/resign', deep),
    wide: () => caller.send('/v1/resign', `{"a":[${'0,'.repeat(200_000)}0]}`),
    keys: () =>
      caller.send('/v1/resign', `{${Array.from({ length: 40_000 }, (_, i) => `"${i}":1`).join()}}`),
    spaces: () => caller.send('/v1/resign', `{"a"${' '.repeat(500_000)}x}`),
    quotes: () => caller.send('/v1/resign', `{"a":"${'\\"'.repeat(250_000)}"}`),
    curve: (i) =>
      caller.post('/v1/pages', { ...good, clientId: `o${i}`, signature: { r, s: '1' } }),
    opening: () =>
      ask(
        floor.url,
        'POST',
        '/v1/sessions',
        json({
          account: a.account,
          publicKey: '00'.repeat(32),
          time: 1,
          instance: '00'.repeat(16),
          signature: good['signature'],
        }),
      ),
  }
  const costs: Record<string, number> = {}
  for (const [name, send] of Object.entries(odd)) {
    expect((await send(-2)).status, name).toBeGreaterThanOrEqual(400)
    // The least of three: a collection of garbage falls into one of them.
    const rounds: number[] = []
    for (let round = 0; round < 3; round++) rounds.push(await repeat(5, send))
    costs[name] = Math.min(...rounds) / formed
  }
  // A page in form costs about 7 ms here; seven of them are 50.
  for (const [name, cost] of Object.entries(costs)) expect(cost, name).toBeLessThan(7)
  process.stdout.write(
    `a page in form: ${(formed / 1000).toFixed(1)} ms of CPU; ${Object.entries(costs)
      .map(([name, cost]) => `${name} ${cost.toFixed(2)}`)
      .join(', ')} times that\n`,
  )
})

it('changes nothing: what is right is taken afterwards', async () => {
  expect(floor.house.ledger.pendingOf(a.account)).toHaveLength(0)
  expect((await caller.post('/v1/pages', good)).status).toBe(200)
  const id = await floor
    .agree(b, a, [{ instrument: FUTURE, quantity: 1n, price: 1n }])
    .catch((error: Error) => error.message)
  expect(id).toMatch(/^t\d+-/)
  // Of what had no form nothing was recorded.
  expect(floor.house.journal.head.sequence - records).toBeLessThan(60)
})
