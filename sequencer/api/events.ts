/**
 * Events of a reader from a number on: asked for, waited for, or streamed. A stream is a place in
 * the log, not a queue: a slow reader costs no memory, and one that takes nothing is cut.
 */
import type { WebSocket } from 'ws'
import type { Feed, Reader } from '../feed.ts'
import { stringify } from '../wire.ts'
import { ApiError } from './errors.ts'
import type { Limits } from './limits.ts'

const PAGE = 200
/** Bytes on the way to a reader before it gets more. */
const SENT_AHEAD = 64 * 1024

/** Close codes of a stream, beside those of the standard. */
export const CLOSED = { eventsForgotten: 4410, sessionEnded: 4401, mustNotSpeak: 4400 } as const

/** Throws SequenceMustExist or EventsMustBeKept. */
export function eventsAfter(feed: Feed, reader: Reader, after: number) {
  const events = feed.after(reader, after, PAGE)
  if (events !== null) return events
  throw new ApiError(after > feed.lastOf(reader) ? 'SequenceMustExist' : 'EventsMustBeKept')
}

/** Counts open feeds. */
export class Feeds {
  private readonly limits: Limits
  private readonly open = new Map<Reader, number>()

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** Throws FeedsMustBeFew; the answer gives the place back, once. */
  enter(reader: Reader): () => void {
    const count = this.open.get(reader) ?? 0
    if (count >= (reader === null ? this.limits.publicFeeds : this.limits.feeds))
      throw new ApiError('FeedsMustBeFew')
    this.open.set(reader, count + 1)
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      const left = (this.open.get(reader) ?? 1) - 1
      if (left === 0) this.open.delete(reader)
      else this.open.set(reader, left)
    }
  }

  /** At once if there are events behind `after`; else when there are, or after so many seconds. */
  async wait(feed: Feed, reader: Reader, after: number, seconds: number, end: AbortSignal) {
    const now = eventsAfter(feed, reader, after)
    if (now.length > 0 || seconds === 0) return now
    const leave = this.enter(reader)
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
    after: number,
    isLive: () => boolean,
  ): void {
    let at = after
    let hasAnswered = true
    const leave = this.enter(reader)
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
      if (!hasAnswered) return socket.terminate()
      if (!isLive()) return socket.close(CLOSED.sessionEnded, 'SessionMustBeLive')
      hasAnswered = false
      socket.ping()
    }, this.limits.feedTimeout)
    socket.on('pong', () => (hasAnswered = true))
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
