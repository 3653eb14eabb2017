/** Events by request, by waiting request, and as a stream: the same address, the same numbers. */
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Reader } from '../feed.ts'
import { schemaOf, type Desk, type Route } from './routes.ts'
import { ANSWERS, QUERIES } from './schemas.ts'
import { ApiError } from './errors.ts'
import { eventsAfter } from './events.ts'

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
  const answer = async (request: FastifyRequest, reader: Reader) => {
    const { feed } = house().core
    const end = new AbortController()
    request.raw.socket.once('close', () => end.abort())
    const { wait = '0' } = request.query as { wait?: string }
    const after = afterOf(request)
    const events = await feeds.wait(feed, reader, after, Number(wait), end.signal)
    // It may have ended while it waited, or the owner key is another's by now.
    if (!isLive(request)) throw new ApiError('SessionMustBeLive')
    return { events, last: feed.lastOf(reader) }
  }
  /** What cannot be streamed is refused as HTTP, before the upgrade. */
  const checkPlace = async (request: FastifyRequest): Promise<void> => {
    eventsAfter(house().core.feed, request.account, afterOf(request))
    if (request.ws) feeds.enter(request.account)()
  }
  const stream = (socket: WebSocket, request: FastifyRequest): void => {
    const { feed } = house().core
    feeds.stream(socket, feed, request.account, afterOf(request), () => isLive(request))
  }
  app.route({
    method: 'GET',
    url: '/v1/events',
    schema: schemaOf(
      routeOf('/v1/events', 'events of the account behind a number; also as a WebSocket'),
      true,
    ),
    onRequest: door.admit,
    preValidation: door.authenticate,
    preHandler: checkPlace,
    handler: (request) => answer(request, request.account),
    wsHandler: stream,
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
    onRequest: door.admitStranger,
    preHandler: checkPlace,
    handler: (request) => answer(request, null),
    wsHandler: stream,
  })
}
