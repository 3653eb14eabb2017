/** How much one party may ask for, and in which order several are served. */
import { ApiError } from './errors.ts'

export type Limits = {
  /** Requests of an account, refilled per second up to the burst. */
  readonly perSecond: number
  readonly burst: number
  /** Of an account: served at the same time, and waiting. */
  readonly inFlight: number
  readonly waiting: number
  /** Pages of an account that wait for a batch; so many more where they are withdrawals and rotations. */
  readonly pages: number
  readonly singles: number
  /** Open proposals towards an account, of whomever. */
  readonly proposals: number
  /** Requests of an address that no session answers for. */
  readonly strangersPerSecond: number
  readonly strangersBurst: number
  /** Open event feeds of an account; of all who are nobody, and of one address of them. */
  readonly feeds: number
  readonly publicFeeds: number
  readonly publicFeedsPerAddress: number
  readonly sockets: number
  /** Of one address; behind a proxy there is no other address than the proxy's. */
  readonly socketsPerAddress: number
  /** Of one account that no stranger takes the place of; its others are as any stranger's. */
  readonly socketsPerAccount: number
  /** Milliseconds within which headers and body must have arrived. */
  readonly headersTimeout: number
  readonly requestTimeout: number
  /** Milliseconds in which a feed must take what was sent, and between its signs of life. */
  readonly feedTimeout: number
}
export const LIMITS: Limits = {
  perSecond: 200,
  burst: 400,
  inFlight: 4,
  waiting: 64,
  // A member has a minute to sign all of them anew, and the house to verify them.
  pages: 4_096,
  singles: 64,
  // Its pages that wait, what it has not answered yet, and room for whoever is new beside some who flood it.
  proposals: 16_000,
  strangersPerSecond: 50,
  strangersBurst: 500,
  feeds: 4,
  publicFeeds: 200,
  publicFeedsPerAddress: 20,
  sockets: 2_000,
  socketsPerAddress: 500,
  socketsPerAccount: 32,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  feedTimeout: 30_000,
}

const BUCKETS = 10_000

/** Token buckets by key. A full bucket is as good as none, so only the others are kept. */
export class Buckets<Key> {
  private readonly perSecond: number
  private readonly burst: number
  private readonly now: () => number
  private readonly buckets = new Map<Key, { tokens: number; at: number }>()
  /** More than this are worth a look at all of them. */
  private many = BUCKETS

  /** `now` in milliseconds. */
  constructor(perSecond: number, burst: number, now: () => number) {
    this.perSecond = perSecond
    this.burst = burst
    this.now = now
  }

  /** Throws RateMustBeKept where there is no token left. */
  take(key: Key): void {
    const now = this.now()
    const known = this.buckets.get(key)
    const since = known === undefined ? 0 : Math.max(0, now - known.at)
    const tokens = Math.min(
      this.burst,
      (known?.tokens ?? this.burst) + (since * this.perSecond) / 1000,
    )
    if (tokens < 1) throw new ApiError('RateMustBeKept')
    this.buckets.set(key, { tokens: tokens - 1, at: now })
    if (this.buckets.size > this.many) this.forgetFull(now)
  }

  private forgetFull(now: number): void {
    const full = (1000 * this.burst) / this.perSecond
    for (const [key, { at }] of this.buckets) if (now - at >= full) this.buckets.delete(key)
    // Of many who come at once each would pay for a look at all others.
    this.many = Math.max(BUCKETS, 2 * this.buckets.size)
  }
}

type Waiting = { readonly start: () => void }

/**
 * Serves the keys in turn: whoever has many requests waiting does not come before whoever has one.
 * Of one key `inFlight` requests are served at the same time, and `waiting` wait at most.
 */
export class Turns<Key> {
  private readonly inFlight: number
  private readonly waiting: number
  private readonly queues = new Map<Key, Waiting[]>()
  private readonly busy = new Map<Key, number>()
  private isScheduled = false

  constructor(limits: Pick<Limits, 'inFlight' | 'waiting'>) {
    this.inFlight = limits.inFlight
    this.waiting = limits.waiting
  }

  /** Throws QueueMustBeShort where too many wait already. */
  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(key) ?? []
    if (queue.length >= this.waiting) throw new ApiError('QueueMustBeShort')
    await new Promise<void>((start) => {
      queue.push({ start })
      this.queues.set(key, queue)
      this.schedule()
    })
    try {
      return await work()
    } finally {
      const left = (this.busy.get(key) ?? 1) - 1
      if (left === 0) this.busy.delete(key)
      else this.busy.set(key, left)
      this.schedule()
    }
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    // Between two rounds the process reads what has arrived from others.
    setImmediate(() => {
      this.isScheduled = false
      this.serveRound()
    })
  }

  /** One request of each key that may go on. */
  private serveRound(): void {
    let isMore = false
    for (const [key, queue] of [...this.queues]) {
      const busy = this.busy.get(key) ?? 0
      if (busy >= this.inFlight) continue
      this.busy.set(key, busy + 1)
      queue.shift()?.start()
      if (queue.length === 0) this.queues.delete(key)
      else isMore ||= busy + 1 < this.inFlight
    }
    if (isMore) this.schedule()
  }
}
