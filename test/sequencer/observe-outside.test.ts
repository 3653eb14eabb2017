/** What is told of those outside: members' requests, nodes of L1, provers. Of nobody who it was. */
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Member } from '../../client/member.ts'
import type { ShapeKey } from '../../prover/artifacts.ts'
import { Pool } from '../../sequencer/l1/pool.ts'
import { nodeAt, type Transport } from '../../sequencer/l1/rpc.ts'
import { Metrics } from '../../sequencer/metrics.ts'
import { BatchProver } from '../../sequencer/proving.ts'
import { ask, Caller } from './caller.ts'
import { Floor } from './floor.ts'

let floor: Floor | null = null
afterEach(async () => {
  await floor?.close()
  floor = null
})

/** Told a moment after what brings it about. */
const becomes = (asked: () => Promise<number>, wanted: number): Promise<void> =>
  expect.poll(asked).toBe(wanted)
async function value(metrics: Metrics, line: string): Promise<number> {
  const lines = (await metrics.registry.metrics()).split('\n')
  const found = lines.find((one) => one.startsWith(`${line} `))
  return found === undefined ? Number.NaN : Number(found.split(' ').at(-1))
}
const countOf = (metrics: Metrics, route: string, kind: string): Promise<number> =>
  value(metrics, `cloister_api_request_seconds_count{route="${route}",class="${kind}"}`)

describe('requests', () => {
  async function open(limits = {}) {
    const metrics = new Metrics()
    const opened = await Floor.open([1000, 1000], () => 0, undefined, {
      watch: metrics.requested,
      limits,
    })
    floor = opened.floor
    const [one, two] = opened.members as [Member, Member]
    const caller = await Caller.open(floor.url, one, floor.house.domain)
    return { metrics, one, two, caller, url: floor.url }
  }

  it('are counted by pattern and class, and no name of a trade, account or address is told', async () => {
    const { metrics, two, caller, url } = await open()
    const since = performance.now()
    const before = await countOf(metrics, 'GET /v1/trades/:id', '4xx')
    expect(before).toBeNaN()
    await caller.get('/v1/trades/t5-secretsecretsecret')
    await caller.get('/v1/trades/t6-secretsecretsecret')
    await becomes(() => countOf(metrics, 'GET /v1/trades/:id', '4xx'), 2)
    await ask(url, 'GET', '/v1/health')
    await becomes(() => countOf(metrics, 'GET /v1/health', '2xx'), 1)
    await ask(url, 'GET', '/secret/place')
    await becomes(() => countOf(metrics, 'GET none', '4xx'), 1)
    const text = await metrics.registry.metrics()
    const told = text.split('\n').filter((line) => line.startsWith('cloister_api'))
    expect(told.join('\n')).not.toMatch(/secret|127\.0\.0\.1/)
    expect(told.join('\n')).not.toContain(`"${two.account}"`)
    const sum = await value(
      metrics,
      'cloister_api_request_seconds_sum{route="GET /v1/health",class="2xx"}',
    )
    expect(sum).toBeGreaterThan(0)
    // Seconds: never more of them than have passed.
    expect(sum).toBeLessThan((performance.now() - since) / 1000)
  })

  it('over a limit are counted as such, and none else', async () => {
    const { metrics, caller } = await open({ perSecond: 0.001, burst: 3 })
    for (let i = 0; i < 5; i++) await caller.get('/v1/trades')
    await becomes(() => countOf(metrics, 'GET /v1/trades', '4xx'), 2)
    await becomes(() => countOf(metrics, 'GET /v1/trades', '2xx'), 3)
    expect(await value(metrics, 'cloister_api_limited_total{route="GET /v1/trades"}')).toBe(2)
  })

  it('that are none are counted, too', async () => {
    const { metrics, url } = await open()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.write('NONSENSE\r\n\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
    await becomes(() => countOf(metrics, 'none none', '4xx'), 1)
  })

  it('leave sockets and feeds open, and then do not', async () => {
    const { metrics, url } = await open()
    expect(await value(metrics, 'cloister_api_feeds{who="public"}')).toBe(0)
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/public-events?after=0`)
    await new Promise((resolve) => socket.once('open', resolve))
    await becomes(() => value(metrics, 'cloister_api_feeds{who="public"}'), 1)
    expect(await value(metrics, 'cloister_api_sockets')).toBeGreaterThanOrEqual(1)
    socket.close()
    await new Promise((resolve) => socket.once('close', resolve))
    await becomes(() => value(metrics, 'cloister_api_feeds{who="public"}'), 0)
    // Of helpers that nobody wanted none is missing.
    expect(await value(metrics, 'cloister_signature_helpers')).toBeNaN()
  })
})

describe('nodes of L1', () => {
  const SECRET = 'SECRETKEY'
  /** Answers by the host and the path of an address. */
  const played =
    (answers: Readonly<Record<string, unknown>>): Transport =>
    async (url, body) => {
      const { id } = JSON.parse(body) as { id: number }
      const result = Object.entries(answers).find(([part]) => url.includes(part))?.[1]
      if (result === undefined) throw new Error(`no way to ${url}`)
      return JSON.stringify({ jsonrpc: '2.0', id, result })
    }

  it('are told by host: who is silent, lies or lags; of an address nothing else', async () => {
    const answers: Record<string, unknown> = { one: '0x64', two: '0x64', 'four.example/b': '0x40' }
    const transport = played(answers)
    const urls = [
      `https://user:${SECRET}@one.example/${SECRET}`,
      `https://two.example/v3/${SECRET}?key=${SECRET}`,
      `https://four.example/a/${SECRET}`,
      `https://four.example/b/${SECRET}`,
    ]
    const nodes = urls.map((url) => nodeAt(url, { transport }))
    const pool = new Pool({ nodes, quorum: 2, alarm: () => {} })
    const metrics = new Metrics()
    metrics.watchNodes(() => pool.state)
    const of = (name: string, node: string) =>
      value(metrics, `cloister_l1_node_${name}{node="${node}"}`)
    expect(await of('lag_blocks', 'one.example')).toBeNaN()
    expect(await pool.height()).toBe(100)
    // Two that agree are enough: the others answer when they will.
    await becomes(() => of('silent', 'four.example'), 1)
    await becomes(() => of('lag_blocks', 'four.example 2'), 36)
    expect(await of('silent', 'one.example')).toBe(0)
    expect(await of('silent', 'four.example 2')).toBe(0)
    expect(await of('lag_blocks', 'one.example')).toBe(0)
    expect(await of('lying', 'four.example 2')).toBe(0)
    await pool.agreed('eth_gasPrice', [], (given) => String(given))
    await becomes(() => of('lying', 'four.example 2'), 1)
    expect(await of('lying', 'two.example')).toBe(0)
    expect(await metrics.registry.metrics()).not.toContain(SECRET)
    // It agrees again, and it answers again.
    answers['four.example/a'] = answers['four.example/b'] = '0x64'
    await pool.agreed('eth_gasPrice', [], (given) => String(given))
    await pool.height()
    await becomes(() => of('lying', 'four.example 2'), 0)
    await becomes(() => of('silent', 'four.example'), 0)
    await becomes(() => of('lag_blocks', 'four.example 2'), 0)
  })
})

describe('provers', () => {
  it('are told: how many, and what waits, is taken and parked', async () => {
    const metrics = new Metrics()
    expect(await value(metrics, 'cloister_prover_workers')).toBeNaN()
    metrics.proversAre({ workers: 3, waiting: 2, taken: 1, parked: 4 })
    expect(await value(metrics, 'cloister_prover_workers')).toBe(3)
    const states = ['waiting', 'taken', 'parked']
    const jobs = states.map((state) => value(metrics, `cloister_prover_jobs{state="${state}"}`))
    expect(await Promise.all(jobs)).toEqual([2, 1, 4])
    // Nobody takes old figures for new ones.
    metrics.proversUnknown()
    expect(await value(metrics, 'cloister_prover_workers')).toBeNaN()
    expect(await value(metrics, 'cloister_prover_errors_total')).toBe(1)
  })

  it('of this machine are one, with what it has to do', async () => {
    const waiting: (() => void)[] = []
    const pool = {
      warm: () => {},
      prove: () =>
        new Promise((resolve) =>
          waiting.push(() => resolve({ proof: {}, publicSignals: [] } as never)),
        ),
      close: () => {},
    }
    const prover = new BatchProver({} as ShapeKey, () => {}, pool as never)
    expect(await prover.vitals()).toEqual({ workers: 1, waiting: 0, taken: 0, parked: 0 })
    const both = [1, 2].map(() => prover.prove({} as ShapeKey, {} as never, []))
    expect(await prover.vitals()).toEqual({ workers: 1, waiting: 1, taken: 1, parked: 0 })
    waiting.forEach((done) => done())
    await Promise.all(both)
    expect(await prover.vitals()).toEqual({ workers: 1, waiting: 0, taken: 0, parked: 0 })
  })
})
