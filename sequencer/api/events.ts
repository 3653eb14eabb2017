/**
 * Events of a reader from a number on: asked for, waited for, or streamed. A stream is a place in
 * the log, not a queue: a slow reader costs no memory, and one that takes nothing is cut.
 */
import type { WebSocket } from 'ws'
import { behindSockets } from '../../prover/in-time.ts'
import type { Feed, Reader } from '../feed.ts'
import { stringify } from '../wire.ts'
import { ApiError } from './errors.ts'
import type { Limits } from './limits.ts'
import { Places } from './places.ts'

const PAGE = 200
/** Pings and pongs of a reader between two of ours. */
const SIGNS = 100
/** Bytes on the way to a reader before it gets more. */
const SENT_AHEAD = 64 * 1024

/** Close codes of a stream, beside those of the standard. */
export const CLOSED = {
  eventsForgotten: 4410,
  sessionEnded: 4401,
  mustNotSpeak: 4400,
  tooMany: 4429,
} as const

/** Throws SequenceMustExist or EventsMustBeKept. */
export function eventsAfter(feed: Feed, reader: Reader, after: number) {
  const events = feed.after(reader, after, PAGE)
  if (events !== null) return events
  throw new ApiError(after > feed.lastOf(reader) ? 'SequenceMustExist' : 'EventsMustBeKept')
}

/** Whose place a feed takes: an account's, or one of those that an address may have of all. */
export type Holder = { readonly account: number } | { readonly address: string }

/** Counts open feeds. */
export class Feeds {
  private readonly limits: Limits
  private readonly accounts = new Places<number>()
  private readonly addresses = new Places<string>()

  constructor(limits: Limits) {
    this.limits = limits
  }

  get count(): { readonly members: number; readonly public: number } {
    return { members: this.accounts.taken, public: this.addresses.taken }
  }

  /** Throws FeedsMustBeFew; the answer gives the place back, once. */
  enter(holder: Holder): () => void {
    const { feeds, publicFeeds, publicFeedsPerAddress } = this.limits
    if ('account' in holder) return enterOf(this.accounts, holder.account, feeds)
    // Those who are nobody take no place that a member could have.
    if (this.addresses.taken >= publicFeeds)
      throw new ApiError('FeedsMustBeFew', 'all feeds that are open to everybody are taken')
    return enterOf(this.addresses, holder.address, publicFeedsPerAddress)
  }

  /** At once if there are events behind `after`; else when there are, or after so many seconds. */
  async wait(
    feed: Feed,
    reader: Reader,
    holder: Holder,
    after: number,
    seconds: number,
    end: AbortSignal,
  ) {
    const now = eventsAfter(feed, reader, after)
    if (now.length > 0 || seconds === 0 || end.aborted) return now
    const leave = this.enter(holder)
    try {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stop()
          clearTimeout(timer)
          end.removeEventListener('abort', done)
          resolve()
        }
        const stop = feed.listen(reader, done)
        const timer = setTimeout(done, seconds * 1000)
        end.addEventListener('abort', done)
      })
      return eventsAfter(feed, reader, after)
    } finally {
      leave()
    }
  }

  /** `isLive` is asked before anything is sent: a stream ends with its session. */
  stream(
    socket: WebSocket,
    feed: Feed,
    reader: Reader,
    holder: Holder,
    after: number,
    isLive: () => boolean,
  ): void {
    let at = after
    let hasAnswered = true
    let signs = 0
    let leave: () => void
    try {
      leave = this.enter(holder)
    } catch {
      // Another took the last place while this one became a WebSocket.
      return socket.close(CLOSED.tooMany, 'FeedsMustBeFew')
    }
    const send = (): void => {
      if (socket.readyState !== socket.OPEN) return
      if (!isLive()) return socket.close(CLOSED.sessionEnded, 'SessionMustBeLive')
      while (socket.bufferedAmount < SENT_AHEAD) {
        const events = feed.after(reader, at, PAGE)
        if (events === null) return socket.close(CLOSED.eventsForgotten, 'EventsMustBeKept')
        const last = events.at(-1)
        if (last === undefined) return
        at = last.sequence
        // The rest follows when these have left.
        socket.send(stringify({ events, last: feed.lastOf(reader) }), () => setImmediate(send))
      }
    }
    const stop = feed.listen(reader, send)
    const beat = setInterval(() => {
      if (!hasAnswered) return behindSockets(() => void (hasAnswered || socket.terminate()))
      if (!isLive()) return socket.close(CLOSED.sessionEnded, 'SessionMustBeLive')
      hasAnswered = false
      signs = 0
      socket.ping()
    }, this.limits.feedTimeout)
    // Each is answered, or read at least: a reader that does nothing else all the time is cut.
    const sign = (): void => {
      hasAnswered = true
      if (++signs > SIGNS) socket.terminate()
    }
    socket.on('pong', sign)
    socket.on('ping', sign)
    socket.on('message', () => socket.close(CLOSED.mustNotSpeak, 'BodyMustMatchSchema'))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      clearInterval(beat)
      stop()
      leave()
    })
    send()
  }
}

function enterOf<Key>(places: Places<Key>, key: Key, most: number): () => void {
  if (places.takenBy(key) >= most) throw new ApiError('FeedsMustBeFew')
  return places.take(key)
}
