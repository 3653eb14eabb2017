/**
 * What Prometheus is told. The house is looked at from outside: its doors to L1, journal and prover
 * are wrapped, and the rest is read from its state when somebody asks. Nothing here is labelled by
 * an account, an instrument or an amount; but batch fill and queue, read over time, tell how much is
 * traded, so that this is for the operator alone.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { stampSeconds } from '../circuits/page.ts'
import { unconvertedWindows } from './converting.ts'
import type { JobVitals } from '../prover/jobs/store.ts'
import type { ApiWatch } from './api.ts'
import type { Answers, OpenBatch } from './answers.ts'
import type { BatchReport, House, HouseL1, HouseOptions } from './house.ts'
import { JournalError, type Journal } from './journal/journal.ts'
import type { Vitals } from './l1.ts'
import type { NodeState } from './l1/pool.ts'

const PROOF_BUCKETS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800]
const APPEND_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5]
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]
const TOO_MANY = 429
const NOW = (): number => Date.now() / 1000

export type Stage = 'proof' | 'l1' | 'other'

export class Metrics {
  readonly registry = new Registry()
  /** Seconds of L1's clock at which the latest table was posted; null before it. */
  tableTime: number | null = null
  /** Unix seconds of the last look at L1 that succeeded. */
  lookedAt: number | null = null
  /** Whether the last record was refused. */
  isJournalFailing = false
  private seenBlock = 0
  /** Unix seconds at which batches were put together, as far as this process saw it. */
  private readonly openSince = new WeakMap<OpenBatch, number>()
  private house: House | null = null
  private nodes: () => readonly NodeState[] = () => []
  private api: Parameters<ApiWatch['open']>[0] = {
    sockets: () => 0,
    feeds: () => ({ members: 0, public: 0 }),
    helpers: () => 0,
  }
  private readonly counted = new WeakSet<object>()

  private readonly pages = this.counter('pages_total', 'pages by outcome', ['outcome'])
  private readonly refusals = this.counter('refusals_total', 'refused, by rule', ['rule'])
  private readonly batches = this.counter('batches_total', 'batches that L1 accepted', ['shape'])
  private readonly failures = this.counter('batch_failures_total', 'attempts that failed', [
    'stage',
  ])
  private readonly missed = this.counter('missed_ticks_total', 'the cadence came and went unused')
  private readonly fill = this.gauge('batch_fill_ratio', 'used page slots of the last batch')
  private readonly gas = this.counter('gas_total', 'gas of accepted batches')
  private readonly gasLast = this.gauge('gas_last', 'gas of the last accepted batch')
  private readonly l1Errors = this.counter('l1_errors_total', 'looks at L1 that failed')
  private readonly l1Alarms = this.counter('l1_alarms_total', 'what the door to L1 warns of', [
    'what',
  ])
  private readonly lag = this.gauge('l1_lag_blocks', 'blocks of L1 that were not looked at')
  private readonly balance = this.gauge('operator_balance_ether', 'what pays for gas')
  private readonly sweepAge = this.gauge('sweep_age_seconds', 'service time since the last sweep')
  private readonly journalErrors = this.counter('journal_errors_total', 'by rule', ['rule'])
  private readonly proofs = this.histogram('proof_seconds', PROOF_BUCKETS, ['shape'])
  private readonly appends = this.histogram('journal_append_seconds', APPEND_BUCKETS, [])
  private readonly leading = this.gauge('leader', '1 leads, 0 stands by')
  private readonly requests = this.histogram('api_request_seconds', REQUEST_BUCKETS, [
    'route',
    'class',
  ])
  private readonly limited = this.counter('api_limited_total', 'requests over a limit, by route', [
    'route',
  ])
  private readonly provers = this.gauge('prover_workers', 'workers heard of in the last minute')
  private readonly jobs = this.gauge('prover_jobs', 'proofs to be made, by state', ['state'])
  private readonly jobErrors = this.counter('prover_errors_total', 'looks at the jobs that failed')

  constructor() {
    collectDefaultMetrics({ register: this.registry })
    for (const outcome of ['accepted', 'waiting', 'refused']) this.pages.inc({ outcome }, 0)
    for (const stage of ['proof', 'l1', 'other']) this.failures.inc({ stage }, 0)
    this.leading.set(0)
    this.provers.set(Number.NaN)
    this.watchOutside()
    this.gaugeOf('queue_pages', 'admitted pages that no batch has settled', () =>
      this.journals().reduce((sum, { length }) => sum + length, 0),
    )
    this.gaugeOf('queue_age_seconds', 'since the stamp of the oldest admitted page', () =>
      this.queueAge(),
    )
    this.gaugeOf(
      'proof_lag_seconds',
      'since the batch was put together that L1 gets next, else 0',
      () => {
        const open = this.house?.core.open ?? null
        return open === null ? 0 : NOW() - (this.openSince.get(open) ?? NOW())
      },
    )
    this.gaugeOf(
      'batches_in_flight',
      'put together and not accepted yet: 2 while one is built behind another',
      () => {
        const { open = null, next = null } = this.house?.core ?? {}
        return [open, next].filter((batch) => batch !== null).length
      },
    )
    this.gaugeOf('oracle_age_seconds', 'since the latest table; NaN before the first', () =>
      this.tableTime === null ? Number.NaN : Math.max(0, NOW() - this.tableTime),
    )
    this.gaugeOf('normal_mode', '1 normal, 0 reduce-only', () =>
      this.house?.mode === 'normal' ? 1 : 0,
    )
    this.gaugeOf('table_old', '1 L1 takes reductions alone at the table that is worked by', () =>
      this.house?.core.isTableOld === true ? 1 : 0,
    )
    this.gaugeOf('unconverted_windows', 'of the register, of which somebody holds something', () =>
      this.house === null
        ? 0
        : unconvertedWindows(this.house.ledger.accounts, this.house.core.settlements),
    )
    this.gaugeOf('batch_number', 'the last accepted batch', () =>
      Number(this.house?.batchNumber ?? 0n),
    )
    this.gaugeOf('l1_look_age_seconds', 'since L1 was last read', () =>
      this.lookedAt === null ? Number.NaN : NOW() - this.lookedAt,
    )
    this.gaugeOf('journal_records', 'records of the journal', () =>
      this.house === null ? 0 : this.house.journal.head.sequence,
    )
  }

  private watchOutside(): void {
    const nodes = (value: (node: NodeState) => number) => () =>
      this.nodes().map((node) => [node.name, value(node)] as const)
    this.gaugesOf(
      'l1_node_silent',
      '1: the node gave no answer the last time',
      'node',
      nodes(({ isSilent }) => Number(isSilent)),
    )
    this.gaugesOf(
      'l1_node_lying',
      '1: the node contradicts the others',
      'node',
      nodes(({ isLying }) => Number(isLying)),
    )
    this.gaugesOf(
      'l1_node_lag_blocks',
      'behind what enough of the nodes have; NaN before it has said',
      'node',
      nodes(({ lag }) => lag ?? Number.NaN),
    )
    this.gaugeOf('api_sockets', "open sockets of the members' port", () => this.api.sockets())
    this.gaugesOf('api_feeds', 'open event feeds', 'who', () => {
      const { members, public: all } = this.api.feeds()
      return [
        ['members', members],
        ['public', all],
      ]
    })
    this.gaugeOf('signature_helpers', 'processes for signatures that answer', () =>
      this.api.helpers(),
    )
  }

  private gauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: L[] = [],
  ): Gauge<L> {
    return new Gauge({ name: `cloister_${name}`, help, labelNames, registers: [this.registry] })
  }
  private gaugeOf(name: string, help: string, value: () => number): void {
    new Gauge({
      name: `cloister_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(value())
      },
    })
  }
  /** One value for each that there is when somebody asks. */
  private gaugesOf<L extends string>(
    name: string,
    help: string,
    label: L,
    values: () => readonly (readonly [string, number])[],
  ): void {
    new Gauge({
      name: `cloister_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        this.reset()
        for (const [of, value] of values()) this.set({ [label]: of } as never, value)
      },
    })
  }
  private counter<L extends string = never>(
    name: string,
    help: string,
    labelNames: L[] = [],
  ): Counter<L> {
    return new Counter({ name: `cloister_${name}`, help, labelNames, registers: [this.registry] })
  }
  private histogram<L extends string>(name: string, buckets: number[], labelNames: L[]) {
    const help = name.replaceAll('_', ' ')
    const registers = [this.registry]
    return new Histogram({ name: `cloister_${name}`, help, buckets, labelNames, registers })
  }

  private journals() {
    return this.house === null ? [] : [...this.house.ledger.pending.values()]
  }
  private queueAge(): number {
    // Of each journal the first page alone: its stamps rise, and it may have thousands.
    const oldest = this.journals().reduce((least, [first]) => {
      return first === undefined ? least : Math.min(least, Number(stampSeconds(first.page.stamp)))
    }, Infinity)
    return oldest === Infinity ? 0 : Math.max(0, NOW() - oldest)
  }

  /** From now on this house is looked at. */
  watch(house: House): void {
    this.house = house
    this.leading.set(1)
  }

  watchNodes(nodes: () => readonly NodeState[]): void {
    this.nodes = nodes
  }

  /** Requests by route and class of status; a route is a pattern, in which no name of a trade stands. */
  readonly requested: ApiWatch = {
    answered: (route, method, status, seconds) => {
      const place = `${method} ${route}`
      this.requests.observe({ route: place, class: `${Math.floor(status / 100)}xx` }, seconds)
      if (status === TOO_MANY) this.limited.inc({ route: place })
    },
    open: (now) => void (this.api = now),
  }

  proversAre({ workers, ...jobs }: JobVitals): void {
    this.provers.set(workers)
    for (const state of ['waiting', 'taken', 'parked'] as const)
      this.jobs.set({ state }, jobs[state])
  }
  proversUnknown(): void {
    this.provers.set(Number.NaN)
    this.jobErrors.inc()
  }

  /** An answer of the house to what a member sent. */
  readonly answered: NonNullable<HouseOptions['onAnswer']> = (kind, answer) => {
    if (kind === 'batch') {
      const { open } = answer as Answers['batch']
      if (open !== null) this.openSince.set(open, NOW())
    }
    if (kind !== 'page' && kind !== 'proposal' && kind !== 'affirmation') return
    const { refused, complete } = answer as { refused?: unknown; complete?: boolean }
    if (typeof refused === 'string') this.refusals.inc({ rule: refused })
    if (kind !== 'page') return
    const isRefused = typeof refused === 'string'
    this.pages.inc({ outcome: isRefused ? 'refused' : complete === true ? 'accepted' : 'waiting' })
  }

  settled({ shape, gas, pages, pageSlots }: BatchReport): void {
    this.batches.inc({ shape })
    this.fill.set(pages / pageSlots)
    this.gas.inc(Number(gas))
    this.gasLast.set(Number(gas))
  }
  /** An error is counted once, where it was first seen. */
  failed(stage: Stage, error: unknown): void {
    const isObject = typeof error === 'object' && error !== null
    if (isObject && this.counted.has(error)) return
    if (isObject) this.counted.add(error)
    this.failures.inc({ stage })
  }
  alarmed(what: string): void {
    this.l1Alarms.inc({ what })
  }
  missedTicks(count: number): void {
    this.missed.inc(count)
  }
  l1Failed(): void {
    this.l1Errors.inc()
  }
  vitals({ head, balance, sweepAge, tableTime }: Vitals): void {
    this.lag.set(Math.max(0, head - this.seenBlock))
    this.balance.set(Number(balance / 10n ** 9n) / 1e9)
    this.sweepAge.set(sweepAge)
    this.tableTime = tableTime
  }

  /** The same door, watched. */
  l1<L extends HouseL1>(door: L): L {
    return over(door, {
      news: async () => {
        const news = await door.news()
        this.lookedAt = NOW()
        if (news.nextBlock !== undefined) this.seenBlock = news.nextBlock - 1
        return news
      },
    } as Partial<L>)
  }

  prove(prove: HouseOptions['prove']): HouseOptions['prove'] {
    return async (key, input, publicSignals, signal) => {
      const end = this.proofs.startTimer({ shape: key.shape.name })
      try {
        const proof = await prove(key, input, publicSignals, signal)
        end()
        return proof
      } catch (error) {
        if (signal?.aborted !== true) this.failed('proof', error)
        throw error
      }
    }
  }

  journal(journal: Journal): Journal {
    return over(journal, {
      append: async (payload) => {
        const end = this.appends.startTimer()
        try {
          const sequence = await journal.append(payload)
          end()
          this.isJournalFailing = false
          return sequence
        } catch (error) {
          this.isJournalFailing = true
          this.journalErrors.inc({ rule: error instanceof JournalError ? error.rule : 'unknown' })
          throw error
        }
      },
    })
  }
}

/** The object with some of its methods in place of its own; all others act on the object itself. */
export function over<T extends object>(inner: T, outer: Partial<T>): T {
  return new Proxy(inner, {
    get: (target, name) => {
      if (Object.hasOwn(outer, name)) return outer[name as keyof T]
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
