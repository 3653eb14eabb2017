/** Metrics, dashboard and alerts: each name exists, each alert is explained, nothing tells on a member. */
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MemoryJournal, JournalError } from '../../sequencer/journal/journal.ts'
import { logOf } from '../../sequencer/log.ts'
import { Metrics } from '../../sequencer/metrics.ts'
import { serveOperator } from '../../sequencer/operator.ts'
import { Batches } from '../../sequencer/batches.ts'
import { until } from '../until.ts'
import { Floor } from './floor.ts'

const docs = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8')
const NAMES = /\b(?:cloister|nodejs|process)_[a-z0-9_]+/g
const quiet = logOf({ level: 'error', format: 'json', write: () => {} })

async function known(): Promise<ReadonlySet<string>> {
  const all = await new Metrics().registry.getMetricsAsJSON()
  return new Set(
    all.flatMap(({ name, type }) =>
      String(type) === 'histogram'
        ? ['_bucket', '_sum', '_count'].map((end) => name + end)
        : [name],
    ),
  )
}
/** The value of one line of the exposition. */
async function value(metrics: Metrics, line: string): Promise<number> {
  const text = await metrics.registry.metrics()
  return Number(
    text
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.split(' ')
      .at(-1),
  )
}

describe('what dashboard and alerts name', () => {
  it.each(['grafana/sequencer.json', 'alerts.yml'])('exists: %s', async (file) => {
    const names = new Set(docs(file).match(NAMES))
    expect(names.size).toBeGreaterThan(10)
    const all = await known()
    expect([...names].filter((name) => !all.has(name))).toEqual([])
  })

  it('would be found missing', async () => {
    expect((await known()).has('cloister_queue_age_second')).toBe(false)
  })

  it('is all that the service itself counts: nothing is collected for nobody', async () => {
    const shown = docs('grafana/sequencer.json')
    const own = [...(await known())].filter(
      (n) => n.startsWith('cloister_') && !/_(sum|count)$/.test(n),
    )
    expect(own.filter((name) => !shown.includes(name))).toEqual([])
  })

  it('is explained, alert by alert', () => {
    const alerts = [...docs('alerts.yml').matchAll(/alert: (\w+)/g)].map(
      ([, name]) => name as string,
    )
    expect(alerts.length).toBeGreaterThan(10)
    for (const alert of alerts) expect(docs('operations.md')).toContain(`| \`${alert}\` |`)
    const explained = [...docs('operations.md').matchAll(/^\| `(Cloister\w+)` \|/gm)].map(
      ([, n]) => n,
    )
    expect(explained.sort()).toEqual(alerts.sort())
  })

  it('is YAML of one form: a text between quotes has none inside', () => {
    const rules = docs('alerts.yml')
      .split(/^ {6}- alert: /m)
      .slice(1)
    const form =
      /^Cloister\w+\n {8}expr: '[^']+'\n {8}for: \d+m\n {8}labels:\n {10}severity: (page|ticket)\n {8}annotations:\n {10}summary: '[^']+'\n$/
    for (const rule of rules) expect(rule).toMatch(form)
  })

  it('has a dashboard that can be read, without two panels in one place', () => {
    const { panels } = JSON.parse(docs('grafana/sequencer.json')) as {
      panels: { id: number; gridPos: { x: number; y: number } }[]
    }
    const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)
    expect(new Set(places).size).toBe(panels.length)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  })
})

describe('a house that is watched', () => {
  let floor: Floor | null = null
  afterEach(async () => {
    vi.useRealTimers()
    await floor?.close()
  })

  it('says how old its queue is, and how full its batch', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [never, never]
    const metrics = new Metrics()
    metrics.watch(floor.house)
    expect(await value(metrics, 'cloister_queue_pages')).toBe(0)
    expect(await value(metrics, 'cloister_queue_age_seconds')).toBe(0)
    expect(await value(metrics, 'cloister_oracle_age_seconds')).toBeNaN()
    // The clock stands: stamps are of whole seconds.
    const now = 1000 * Math.ceil(Date.now() / 1000)
    vi.useFakeTimers({ toFake: ['Date'], now })
    await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    expect(await value(metrics, 'cloister_queue_pages')).toBe(2)
    vi.setSystemTime(now + 7_500)
    expect(await value(metrics, 'cloister_queue_age_seconds')).toBe(7.5)
    const report = await new Batches(floor.house, metrics, quiet).next()
    expect(await value(metrics, 'cloister_queue_pages')).toBe(0)
    expect(await value(metrics, 'cloister_batch_fill_ratio')).toBe(2 / (report?.pageSlots ?? 0))
    expect(await value(metrics, 'cloister_batches_total{shape="floor"}')).toBe(1)
    metrics.vitals({ head: 9, balance: 15n * 10n ** 17n, sweepAge: 5, tableTime: 100 })
    expect(await value(metrics, 'cloister_operator_balance_ether')).toBe(1.5)
    expect(await value(metrics, 'cloister_oracle_age_seconds')).toBeGreaterThan(1e9)
  })

  it('counts an attempt that failed by where it failed, and goes on', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [never, never]
    await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    const metrics = new Metrics()
    floor.prove = metrics.prove(async () => {
      throw new Error('no memory')
    })
    const batches = new Batches(floor.house, metrics, quiet)
    await expect(batches.next()).rejects.toThrow('no memory')
    expect(await value(metrics, 'cloister_batch_failures_total{stage="proof"}')).toBe(1)
    expect(await value(metrics, 'cloister_batch_failures_total{stage="other"}')).toBe(0)
    floor.prove = metrics.prove(async () => ({}) as never)
    expect(await batches.next()).toMatchObject({ trades: 1 })
  })

  it('writes nothing while there is nothing to do, and finds each kind of work', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [never, never]
    const { house, l1 } = floor
    const batches = new Batches(house, new Metrics(), quiet)
    const settled = async (): Promise<boolean> => {
      const report = await batches.next()
      const { sequence } = house.journal.head
      expect([await batches.next(), house.journal.head.sequence]).toEqual([null, sequence])
      return report !== null
    }
    expect(await settled()).toBe(false)
    await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    expect(await settled()).toBe(true)
    // A registration and a deposit; an instrument that settled while two hold it.
    await floor.join(2, 1000)
    expect(await settled()).toBe(true)
    l1.settle(1024, 51_000_000n)
    expect(await settled()).toBe(true)
    expect(house.core.hasWork(Date.now())).toBe(false)
  })

  it('misses a tick, and says so, when a batch is due while another is under way', async () => {
    const opened = await Floor.open([1000, 1000])
    floor = opened.floor
    const [a, b] = opened.members as [never, never]
    await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    let finish = (): void => {}
    let isProving = false
    floor.whileProving = () => {
      isProving = true
      return new Promise((resolve) => (finish = resolve))
    }
    const metrics = new Metrics()
    const batches = new Batches(floor.house, metrics, quiet)
    batches.every(0.02, false)
    await until(async () => isProving && (await value(metrics, 'cloister_missed_ticks_total')) >= 3)
    // A stop waits for it as long as it was told to, and no longer.
    expect(await batches.stop(0.05)).toBe(false)
    finish()
    expect(await batches.stop(600)).toBe(true)
    expect(floor.house.batchNumber).toBeGreaterThan(1n)
    expect(await batches.next()).toBeNull()
  })

  it('counts what the journal refuses by its rule, until it takes a record again', async () => {
    const metrics = new Metrics()
    const inner = new MemoryJournal()
    const journal = metrics.journal(inner)
    await journal.append(new Uint8Array(3))
    await expect(journal.append(new Uint8Array(0))).rejects.toThrow(JournalError)
    expect(metrics.isJournalFailing).toBe(true)
    expect(await value(metrics, 'cloister_journal_errors_total{rule="RecordMustFit"}')).toBe(1)
    await journal.append(new Uint8Array(1))
    expect([metrics.isJournalFailing, journal.head.sequence]).toEqual([false, 2])
  })
})

describe("the operator's port", () => {
  it('gives the reasons why it is not ready, and is alive all the same', async () => {
    let reasons: readonly string[] = ['it is starting']
    const at = { port: 0, host: '127.0.0.1' }
    const { port, close } = await serveOperator(new Metrics(), () => reasons, at)
    const ask = async (path: string): Promise<unknown[]> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`)
      return [answer.status, await answer.json()]
    }
    expect(await ask('/ready')).toEqual([503, { ready: false, reasons }])
    expect(await ask('/health')).toEqual([200, { alive: true }])
    reasons = []
    expect(await ask('/ready?x=1')).toEqual([200, { ready: true, reasons }])
    await expect(serveOperator(new Metrics(), () => [], { ...at, port })).rejects.toThrow(
      `operatorPort ${port} must be free`,
    )
    await close()
  })

  it('keeps a connection from one scrape to the next, and ends with it open', async () => {
    const at = { port: 0, host: '127.0.0.1' }
    const { port, close } = await serveOperator(new Metrics(), () => [], at)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const scrape = () =>
      new Promise<{ readonly told: string; readonly from: number | undefined }>(
        (resolve, reject) => {
          get({ port, path: '/metrics', agent }, (answer) => {
            const from = answer.socket.localPort
            answer
              .resume()
              .on('end', () => resolve({ told: String(answer.headers['keep-alive']), from }))
          }).on('error', reject)
        },
      )
    const first = await scrape()
    // Prometheus asks each 15 s, and each minute where it asks seldom.
    expect(Number(/^timeout=(\d+)$/.exec(first.told)?.[1])).toBeGreaterThan(60)
    await sleep(10)
    expect(await scrape()).toEqual(first)
    await close()
    agent.destroy()
  })
})
