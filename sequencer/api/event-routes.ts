/** Events by request, by waiting request, and as a stream: the same address, the same numbers. */
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Reader } from '../feed.ts'
import { schemaOf, type Desk, type Route } from './routes.ts'
import { ANSWERS, QUERIES } from './schemas.ts'
import { ApiError } from './errors.ts'
import { eventsAfter, type Holder } from './events.ts'
import { networkOf } from './network.ts'

const afterOf = ({ query }: FastifyRequest): number =>
  Number((query as { after?: string }).after ?? 0)

export function eventRoutes(desk: Desk): void {
  const { app, door, feeds, house } = desk
  const routeOf = (url: string, summary: string): Route => ({
    method: 'GET',
    url,
    tag: 'events',
    summary,
    query: QUERIES.events,
    answer: ANSWERS.events,
  })
  const isLive = ({ account, headers }: FastifyRequest): boolean =>
    account === null || door.sessions.isLive(String(headers['x-cloister-session']))
  const holderOf = ({ account, ip }: FastifyRequest): Holder =>
    account === null ? { address: networkOf(ip) } : { account }
  const answer = async (request: FastifyRequest, reader: Reader) => {
    const { feed } = house().core
    const end = new AbortController()
    const { socket } = request.raw
    const gone = (): void => end.abort()
    socket.once('close', gone)
    // One that has closed already says so no more.
    if (socket.destroyed) gone()
    const { wait = '0' } = request.query as { wait?: string }
    const [after, holder] = [afterOf(request), holderOf(request)]
    const events = await feeds
      .wait(feed, reader, holder, after, Number(wait), end.signal)
      // The socket serves many requests: each would leave its listener behind.
      .finally(() => socket.off('close', gone))
    // It may have ended while it waited, or the owner key is another's by now.
    if (!isLive(request)) throw new ApiError('SessionMustBeLive')
    return { events, last: feed.lastOf(reader) }
  }
  /** What cannot be streamed is refused as HTTP, before the upgrade. */
  const checkPlace =
    (readerOf: (request: FastifyRequest) => Reader) =>
    async (request: FastifyRequest): Promise<void> => {
      eventsAfter(house().core.feed, readerOf(request), afterOf(request))
      if (request.ws) feeds.enter(holderOf(request))()
    }
  const stream = (socket: WebSocket, request: FastifyRequest, reader: Reader): void => {
    const { feed } = house().core
    const isStill = (): boolean => isLive(request)
    feeds.stream(socket, feed, reader, holderOf(request), afterOf(request), isStill)
  }
  const own = ({ account }: FastifyRequest): Reader => account
  app.route({
    method: 'GET',
    url: '/v1/events',
    schema: schemaOf(
      routeOf('/v1/events', 'events of the account behind a number; also as a WebSocket'),
      true,
    ),
    onRequest: door.admit,
    preValidation: door.authenticate,
    preHandler: checkPlace(own),
    handler: (request) => answer(request, request.account),
    wsHandler: (socket, request) => stream(socket, request, own(request)),
  })
  app.route({
    method: 'GET',
    url: '/v1/public-events',
    schema: schemaOf(
      routeOf(
        '/v1/public-events',
        'batches, tables and modes behind a number; also as a WebSocket',
      ),
      false,
    ),
    // Signed by a member it takes one of its own places: strangers cannot keep it out.
    onRequest: (request) =>
      door.isSigned(request) ? door.admit(request) : door.admitStranger(request),
    preValidation: async (request) => {
      if (door.isSigned(request)) await door.authenticate(request)
    },
    preHandler: checkPlace(() => null),
    handler: (request) => answer(request, null),
    wsHandler: (socket, request) => stream(socket, request, null),
  })
}
