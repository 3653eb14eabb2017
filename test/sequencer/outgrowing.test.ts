/** What grows with time or with whoever comes: it has a bound, and stays quick beside it. */
import { afterEach, describe, expect, it } from 'vitest'
import { networkOf } from '../../sequencer/api/network.ts'
import { Door } from '../../sequencer/api/door.ts'
import { Buckets, LIMITS } from '../../sequencer/api/limits.ts'
import { Metrics } from '../../sequencer/metrics.ts'
import { keepLatest } from '../../sequencer/open-batch.ts'
import type { SettledBatch } from '../../sequencer/answers.ts'
import { ask } from './caller.ts'
import { EVENTS_KEPT, EVENTS_MORE, Feed } from '../../sequencer/feed.ts'
import type { Member } from '../../client/member.ts'
import { Floor, ticketOf } from './floor.ts'

let floor: Floor | null = null
afterEach(async () => {
  await floor?.close()
  floor = null
})

describe('an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['1:2:3::192.0.2.7', '1:2:3:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['nonsense'.repeat(50), 'nonsense'.repeat(8)],
  ])('%s is of the network %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })

  it('of a network with 2^64 of them is over the limit with the others', async () => {
    const limits = { strangersPerSecond: 0.001, strangersBurst: 5 }
    const opened = await Floor.open([], () => 0, undefined, { limits, proxies: 1 })
    floor = opened.floor
    const { url } = opened.floor
    const from = async (address: string): Promise<number> =>
      (await ask(url, 'GET', '/v1/status', undefined, { 'x-forwarded-for': address })).status
    const statuses: number[] = []
    for (let i = 0; i < 8; i++) statuses.push(await from(`2001:db8:5:6::${i}`))
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
    expect(await from('2001:db8:5:7::1')).toBe(200)
  })
})

it('buckets of many who come at once are not looked through for each of them', () => {
  let [now, looks] = [0, 0]
  const buckets = new Buckets<number>(1, 10, () => now)
  const own = buckets as unknown as { buckets: Map<number, unknown> }
  const entries = own.buckets[Symbol.iterator].bind(own.buckets)
  own.buckets[Symbol.iterator] = () => {
    looks++
    return entries()
  }
  for (let key = 0; key < 100_000; key++) buckets.take(key)
  expect(looks).toBeLessThan(10)
  // Who has not come for long is forgotten by the looks that there are.
  now = 60_000
  for (let key = 0; key < 100_000; key++) buckets.take(1_000_000 + key)
  expect(own.buckets.size).toBeLessThanOrEqual(200_000)
  now = 120_000
  for (let key = 0; key < 200_000; key++) buckets.take(2_000_000 + key)
  expect(own.buckets.size).toBeLessThanOrEqual(200_001)
})

it('events have a bound, and the latest are there', () => {
  const feed = new Feed()
  const state = { unsigned: new Map(), batches: [] as { number: bigint; root: bigint }[] }
  const core = {
    desk: { takeChanged: () => [] },
    ledger: { unsigned: state.unsigned, accounts: new Map() },
    batches: state.batches,
    touched: [],
    table: null,
  }
  const own = feed as unknown as { logs: Map<null, { items: unknown[] }> }
  for (let i = 1; i <= 10_000; i++) {
    state.batches[0] = { number: BigInt(i), root: 1n }
    feed.take(core as never, { at: i, input: { kind: 'tick' } })
    const kept = own.logs.get(null)?.items.length ?? 0
    expect(kept).toBeLessThanOrEqual(EVENTS_KEPT + EVENTS_MORE)
    expect(kept).toBeGreaterThanOrEqual(Math.min(i, EVENTS_KEPT))
  }
  expect(feed.lastOf(null)).toBe(10_000)
  expect(feed.after(null, 9_999, 5)).toMatchObject([{ sequence: 10_000, at: 10_000 }])
  expect(feed.after(null, 10_000 - EVENTS_KEPT, 1)).toMatchObject([{ sequence: 8_001 }])
})

it('a trade that is admitted keeps its pages in the journals alone', async () => {
  const opened = await Floor.open([1_000, 1_000])
  floor = opened.floor
  const [a, b] = opened.members as [Member, Member]
  const id = await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
  const ticket = floor.house.desk.tickets.get(id)
  expect([...(ticket?.sides ?? [])].sort()).toEqual([
    [a.account, null],
    [b.account, null],
  ])
  expect(await ticketOf(a, id)).toMatchObject({ state: 'accepted', isSigned: true })
  await floor.batch()
  expect(await ticketOf(b, id)).toMatchObject({ state: 'final', isSigned: true })
})

it('a list of batches has a bound, and keeps the latest', () => {
  const list: number[] = []
  for (let i = 1; i <= 1_000; i++) {
    list.push(i)
    keepLatest(list, 100)
    expect(list.length).toBeLessThanOrEqual(100)
    expect(list.length).toBeGreaterThanOrEqual(Math.min(i, 75))
    expect(list.at(-1)).toBe(i)
  }
})

it('batches are found by their number, those that are forgotten are not', async () => {
  const opened = await Floor.open([])
  floor = opened.floor
  const { core } = opened.floor.house
  const batch = (number: bigint): SettledBatch => ({
    number,
    shape: 'small',
    trades: 0,
    legs: 0,
    pages: 0,
    pageSlots: 16,
    accounts: 6,
    proveSeconds: 1,
    gas: 1n,
    root: number + 1_000n,
  })
  for (let number = 501n; number <= 900n; number++) core.batches.push(batch(number))
  core.batchNumber = 900n
  const get = (path: string) => ask(opened.floor.url, 'GET', path)
  const numbers = async (after: number): Promise<readonly string[]> => {
    const { value } = await get(`/v1/batches?after=${after}`)
    return (value['batches'] as { number: string }[]).map(({ number }) => number)
  }
  for (const [after, first, count] of [
    [0, '501', 200],
    [500, '501', 200],
    [501, '502', 200],
    [899, '900', 1],
    [900, undefined, 0],
    [9_999_999_999, undefined, 0],
  ] as const) {
    const found = await numbers(after)
    expect([found[0], found.length], `${after}`).toEqual([first, count])
  }
  for (const [number, status] of [
    [0, 404],
    [500, 404],
    [501, 200],
    [900, 200],
    [901, 404],
  ] as const)
    expect((await get(`/v1/batches/${number}`)).status, `${number}`).toBe(status)
  expect((await get('/v1/batches/700')).value).toMatchObject({ number: '700', root: '1700' })
})

it('the age of the queue is measured however long it is', async () => {
  const metrics = new Metrics()
  const stamp = BigInt(Math.floor(Date.now() / 1000) - 100) << 20n
  const pages = Array.from({ length: 300_000 }, () => ({ page: { stamp } }))
  const core = { open: null, next: null, settlements: { rows: [] } }
  const ledger = { pending: new Map([[17, pages]]), accounts: new Map() }
  metrics.watch({ core, ledger, journal: { head: { sequence: 1 } } } as never)
  const text = await metrics.registry.metrics()
  expect(text).toMatch(/^cloister_queue_pages 300000$/m)
  expect(Number(/^cloister_queue_age_seconds (.+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(100)
})

it('sessions that one address opens take turns with those of others', async () => {
  const door = new Door(
    () => ({}) as never,
    LIMITS,
    () => 0,
  )
  const order: string[] = []
  const open = (ip: string): Promise<unknown> =>
    door.opened({ ip } as never, () => void order.push(ip))
  const flood = Array.from({ length: 20 }, (_, i) => open(`2001:db8::${i}`))
  await Promise.all([...flood, open('192.0.2.1')])
  expect(order).toHaveLength(21)
  expect(order.indexOf('192.0.2.1')).toBeLessThan(2)
  const all = Array.from({ length: LIMITS.strangersBurst + 1 }, () => open('192.0.2.1'))
  // As many as its rate lets through at once may wait.
  const ended = await Promise.allSettled(all)
  expect(ended.map(({ status }) => status).indexOf('rejected')).toBe(LIMITS.strangersBurst)
})
