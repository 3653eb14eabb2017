/** What the house answers is what OpenAPI says that it answers, field by field. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { isRefused } from '../../client/member.ts'
import { openApiText } from '../../sequencer/api.ts'
import { API_ERRORS } from '../../sequencer/api/errors.ts'
import { ask, Caller, json, type Answer } from './caller.ts'
import { Floor } from './floor.ts'

const FUTURE = 1024
let floor: Floor
let a: Member, b: Member
let caller: Caller
let paths: Record<string, Record<string, { responses: Record<string, Described> }>>
type Described = { content?: { 'application/json': { schema: Schema } } }
type Schema = {
  readonly type?: string | readonly string[]
  readonly nullable?: boolean
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean
  readonly items?: Schema
  readonly $ref?: string
}
let components: Readonly<Record<string, Schema>>

/** As much of JSON schema as the routes use; answers with what is wrong. */
function faults(schema: Schema, value: unknown, at = 'answer'): readonly string[] {
  if (schema.$ref !== undefined)
    return faults(components[schema.$ref.split('/').at(-1) ?? ''] as Schema, value, at)
  if (value === null && schema.nullable === true) return []
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  const wanted = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? [kind])
  if (!wanted.includes(kind === 'number' ? 'integer' : kind)) return [`${at} is ${kind}`]
  if (value === null) return []
  const own: string[] = []
  if (schema.enum !== undefined && !schema.enum.includes(value)) own.push(`${at} is ${value}`)
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(String(value)))
    own.push(`${at} is not in form: ${String(value)}`)
  if (schema.minimum !== undefined && Number(value) < schema.minimum) own.push(`${at} is low`)
  if (Array.isArray(value))
    return [...own, ...value.flatMap((v, i) => faults(schema.items ?? {}, v, `${at}[${i}]`))]
  if (kind !== 'object' || schema.properties === undefined) return own
  const { properties, required = [], additionalProperties } = schema
  const names = Object.keys(value as object)
  return [
    ...own,
    ...required.filter((name) => !names.includes(name)).map((name) => `${at}.${name} is missing`),
    ...names.flatMap((name) => {
      const inner = properties[name]
      if (inner === undefined)
        return additionalProperties === false ? [`${at}.${name} is not described`] : []
      return faults(inner, (value as Record<string, unknown>)[name], `${at}.${name}`)
    }),
  ]
}

const seen = new Set<string>()
/** `route`: as OpenAPI names it. */
function check(method: 'get' | 'post', route: string, { status, value }: Answer): void {
  const { responses } = paths[route]?.[method] ?? { responses: {} }
  const described = responses[String(status)] ?? responses[`${String(status)[0]}XX`]
  const schema = described?.content?.['application/json'].schema
  if (schema === undefined) throw new Error(`${method} ${route} ${status} is not described`)
  expect(faults(schema, value), `${method} ${route} ${status}`).toEqual([])
  if (status === 200) seen.add(`${method} ${route}`)
}

beforeAll(async () => {
  const opened = await Floor.open([1000, 1000])
  floor = opened.floor
  ;[a, b] = opened.members as [Member, Member]
  caller = await Caller.open(floor.url, a, floor.house.domain)
  const { value } = await ask(floor.url, 'GET', '/v1/openapi.json')
  paths = value['paths'] as typeof paths
  components = (value['components'] as { schemas: typeof components }).schemas
})
afterAll(() => floor.close())

it('a checker that finds nothing would find nothing: it does', () => {
  const schema: Schema = {
    type: 'object',
    required: ['x'],
    additionalProperties: false,
    properties: { x: { type: 'string', pattern: '^[0-9]$' } },
  }
  expect(faults(schema, { x: '1' })).toEqual([])
  for (const wrong of [{}, { x: 1 }, { x: 'a' }, { x: '1', y: 1 }, [], null])
    expect(faults(schema, wrong)).toHaveLength(1)
})

it('every route answers as described, once it is asked rightly', async () => {
  const opening = await a.propose('o', b.account, [], 'x')
  if (isRefused(opening)) throw new Error(opening.detail)
  const id = await floor.trade(a, b, [{ instrument: FUTURE, quantity: 1n, price: 50_000_000n }])
  const { head } = a.journal.state
  const last = a.journal.state.pending.at(-1)
  const open = ['status', 'health', 'ready', 'conditions', 'table', 'batches', 'public-events']
  for (const name of open) check('get', `/v1/${name}`, await ask(floor.url, 'GET', `/v1/${name}`))
  check('get', '/v1/batches/{number}', await ask(floor.url, 'GET', '/v1/batches/1'))
  for (const name of ['account', 'account/proof', 'trades', 'events'])
    check('get', `/v1/${name}`, await caller.get(`/v1/${name}`))
  check('get', '/v1/trades/{id}', await caller.get(`/v1/trades/${id}`))
  check('get', '/v1/receipts/{head}', await caller.get(`/v1/receipts/${head}`))
  const entries = [{ instrument: FUTURE, quantity: '1', price: '50000000' }]
  check('post', '/v1/account/margin', await caller.post('/v1/account/margin', { entries }))
  const proposal = { clientId: 'c', counterparty: b.account, entries, payload: '1' }
  const made = await caller.post('/v1/trades', proposal)
  check('post', '/v1/trades', made)
  const route = `/v1/trades/${String(made.value['id'])}`
  check('post', '/v1/trades/{id}/reject', await caller.post(`${route}/reject`, {}))
  check('get', '/v1/trades', await caller.get('/v1/trades'))
  const other = await Caller.open(floor.url, b, floor.house.domain)
  check('post', '/v1/trades/{id}/affirm', await other.post(`/v1/trades/${opening.id}/affirm`, {}))
  // The page of the trade again, under another name, and what became of it.
  const { kind, counterparty, stamp, maxFee, payload, entries: legs } = last?.page ?? ({} as never)
  const { previousHead, signature } = last ?? ({} as never)
  const page = {
    kind,
    counterparty,
    stamp,
    maxFee,
    payload,
    entries: legs,
    previousHead,
    signature,
  }
  const sent = await caller.post('/v1/pages', { clientId: 'again', ticket: id, ...page })
  check('post', '/v1/pages', sent)
  check('get', '/v1/pages/{clientId}', await caller.get('/v1/pages/again'))
  check('post', '/v1/resign', await caller.post('/v1/resign', { pages: [page] }))
  check(
    'post',
    '/v1/countersignatures',
    await ask(
      floor.url,
      'POST',
      '/v1/countersignatures',
      json({ l1Owner: `0x${'1a'.repeat(20)}`, key: { x: 0n, y: 1n }, viewKey: 5n }),
    ),
  )
  check(
    'post',
    '/v1/deposits',
    await ask(floor.url, 'POST', '/v1/deposits', json({ account: 16, secret: 5n })),
  )
  // Refusals have one form.
  check('get', '/v1/account', await ask(floor.url, 'GET', '/v1/account'))
  check('post', '/v1/trades', await caller.post('/v1/trades', { ...proposal, payload: '2' }))
  check('post', '/v1/trades', await caller.post('/v1/trades', {}))
  check('post', '/v1/sessions/end', await caller.post('/v1/sessions/end', {}))
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  // Sessions are opened by every test.
  expect([...seen, 'post /v1/sessions'].sort()).toEqual(described.sort())
})

it('docs/openapi.json is what the routes are', async () => {
  const file = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json')
  // npm run generate writes it.
  expect(readFileSync(file, 'utf8')).toBe(await openApiText())
})

it('docs/api.md names every code with its status, and every route', async () => {
  const docs = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'api.md'), 'utf8')
  const codes = docs.slice(docs.indexOf('## Codes'))
  const sections = new Map(
    [...codes.matchAll(/(\d{3}): ([^.]+)\./g)].map(([, status, names = '']) => [
      Number(status),
      names.split(/,\s+|\s+/).filter((name) => name !== ''),
    ]),
  )
  for (const [code, [status]] of Object.entries(API_ERRORS))
    if (status !== 422) expect(sections.get(status), code).toContain(code)
  const { paths } = JSON.parse(await openApiText()) as { paths: Record<string, unknown> }
  for (const path of Object.keys(paths)) {
    const last = path.replace('/v1/', '').split('/{')[0] as string
    expect(docs, path).toContain(last)
  }
})
