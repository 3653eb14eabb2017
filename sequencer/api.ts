/**
 * The HTTP face of the house, put together: REST and WebSocket on fastify, described as OpenAPI. A
 * member signs every request that concerns it; nobody reads another's.
 */
import type { Duplex } from 'node:stream'
import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { Door, onlyStreams, prepare } from './api/door.ts'
import { API_ERRORS, errorBody, type ApiErrorCode } from './api/errors.ts'
import { eventRoutes } from './api/event-routes.ts'
import { Feeds } from './api/events.ts'
import { LIMITS, type Limits } from './api/limits.ts'
import { memberRoutes } from './api/member-routes.ts'
import { publicRoutes } from './api/public-routes.ts'
import type { Desk } from './api/routes.ts'
import { ERROR } from './api/schemas.ts'
import { Sockets } from './api/sockets.ts'
import { ProposalsTowards } from './api/towards.ts'
import { WaitingPages } from './api/waiting.ts'
import type { House } from './house.ts'
import { Helpers } from './helpers/helpers.ts'
import { stringify } from './wire.ts'

const BODY_LIMIT = 16 * 1024
const HEADER_LIMIT = 8 * 1024
/** A signed head is the longest parameter. */
const PARAM_LIMIT = 128
const SOCKET_CHECK_MILLISECONDS = 1_000
const HALF_OPEN_MILLISECONDS = 1_000
const STREAM_MESSAGE_LIMIT = 1_024

/** What is told of requests to whoever counts them; of nobody it says who it was. */
export type ApiWatch = {
  readonly answered: (route: string, method: string, status: number, seconds: number) => void
  /** What can be asked at any time. */
  readonly open: (now: {
    readonly sockets: () => number
    readonly feeds: () => { readonly members: number; readonly public: number }
    readonly helpers: () => number
  }) => void
}
export type ApiOptions = {
  /** 127.0.0.1 if left out: TLS and the outside world are a proxy's business. */
  readonly host?: string
  readonly limits?: Partial<Limits>
  /**
   * Proxies in front, each of which adds the address that it was called from: so many of these are
   * believed, and none that a caller has written itself.
   */
  readonly proxies?: number
  /** Beside the one of the house, for signatures; without them it verifies all of them itself. */
  readonly helpers?: Helpers
  readonly watch?: ApiWatch
  /** Milliseconds; for tests. */
  readonly now?: () => number
}

/** All routes on a server that does not listen yet. */
export async function apiOf(
  house: () => House,
  options: ApiOptions = {},
): Promise<FastifyInstance> {
  const limits = { ...LIMITS, ...options.limits }
  const { proxies = 0 } = options
  const log = (line: string): void => house().options.log(line)
  // No logger: a body must never reach a log.
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    logger: false,
    exposeHeadRoutes: false,
    trustProxy: (_address: string, hop: number) => hop < proxies,
    routerOptions: { maxParamLength: PARAM_LIMIT },
    requestTimeout: limits.requestTimeout,
    forceCloseConnections: 'idle',
    http: {
      headersTimeout: limits.headersTimeout,
      maxHeaderSize: HEADER_LIMIT,
      connectionsCheckingInterval: SOCKET_CHECK_MILLISECONDS,
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    // Addresses that no router understands.
    frameworkErrors: (_error, _request, reply) => {
      const [status, detail] = API_ERRORS.RequestMustBeWellFormed
      const { raw } = reply
      raw.writeHead(status, { 'content-type': 'application/json' })
      raw.end(JSON.stringify(errorBody('RequestMustBeWellFormed', detail)))
    },
    clientErrorHandler: (error, socket) => {
      options.watch?.answered('none', 'none', 400, 0)
      refuse(socket, (error as { code?: string }).code)
    },
  })
  const sockets = new Sockets(limits)
  sockets.guard(app.server, proxies > 0)
  const { watch } = options
  if (watch !== undefined) observe(app, watch)
  // A tunnel is asked for past all routes.
  app.server.on('connect', (_request, socket) => {
    options.watch?.answered('none', 'CONNECT', 400, 0)
    refuse(socket, undefined)
  })
  prepare(app, log)
  app.setSerializerCompiler(() => stringify)
  app.setReplySerializer(stringify)
  app.addSchema(ERROR)
  const refResolver = { buildLocalReference: (schema: { $id?: unknown }) => String(schema.$id) }
  await app.register(swagger, { openapi: DOCUMENT, refResolver })
  await app.register(websocket, { options: { maxPayload: STREAM_MESSAGE_LIMIT } })
  app.addHook('onRequest', onlyStreams)
  const known = ({ raw, account }: FastifyRequest): void => {
    if (account !== null) sockets.known(raw.socket, account)
  }
  const door = new Door(house, limits, options.now ?? (() => Date.now()), known)
  const { helpers = new Helpers({ count: 0 }) } = options
  const feeds = new Feeds(limits)
  const waiting = new WaitingPages(() => house().ledger, limits)
  const towards = new ProposalsTowards(house, limits)
  const desk: Desk = { app, house, door, feeds, helpers, waiting, towards }
  watch?.open({
    sockets: () => sockets.open,
    feeds: () => feeds.count,
    // Of none that were wanted none is missing.
    helpers: () => (helpers.wanted === 0 ? Number.NaN : helpers.alive),
  })
  publicRoutes(desk)
  memberRoutes(desk)
  eventRoutes(desk)
  let description: string | null = null
  app.get(
    '/v1/openapi.json',
    { schema: { hide: true }, onRequest: door.admitStranger },
    async (_request, reply) => {
      description ??= JSON.stringify(app.swagger())
      return reply.type('application/json').send(description)
    },
  )
  return app
}

export async function serve(
  house: House,
  port: number,
  options: ApiOptions = {},
): Promise<FastifyInstance> {
  const app = await apiOf(() => house, options)
  await app.listen({ port, host: options.host ?? '127.0.0.1' })
  return app
}

/** The text of docs/openapi.json. */
export async function openApiText(): Promise<string> {
  const app = await apiOf(() => {
    throw new Error('there is no house here')
  })
  await app.ready()
  const text = `${JSON.stringify(app.swagger(), null, 1)}\n`
  await app.close()
  return text
}

/** From the first byte to the last: what a member waits for. */
function observe(app: FastifyInstance, watch: ApiWatch): void {
  app.addHook('onResponse', async (request, reply) => {
    // The pattern, never the address: names of trades stand in it.
    const route = request.routeOptions.url ?? 'none'
    watch.answered(route, request.method, reply.statusCode, reply.elapsedTime / 1000)
  })
}

function refuse(socket: Duplex, cause: string | undefined): void {
  if (!socket.writable) return void socket.destroy()
  socket.end(malformed(cause))
  // Whoever does not close its half keeps no place by it.
  setTimeout(() => socket.destroy(), HALF_OPEN_MILLISECONDS).unref()
}

/** An answer to what is no HTTP request; nothing else has seen it. */
function malformed(cause: string | undefined): string {
  const codes: Readonly<Record<string, ApiErrorCode>> = {
    HPE_HEADER_OVERFLOW: 'HeadersMustBeSmall',
    ERR_HTTP_REQUEST_TIMEOUT: 'RequestMustArriveInTime',
  }
  const code = codes[cause ?? ''] ?? 'RequestMustBeWellFormed'
  const [status, detail] = API_ERRORS[code]
  const body = JSON.stringify(errorBody(code, detail))
  return (
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}

const header = (name: string, description: string) => ({
  type: 'apiKey' as const,
  in: 'header' as const,
  name: `x-cloister-${name}`,
  description,
})
const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Cloister sequencer',
    version: '1',
    description:
      'Proposals, pages, accounts, batches and events of a clearing house. docs/api.md says how a request is signed. Numbers beyond ten digits are decimal strings.',
  },
  components: {
    securitySchemes: {
      session: header('session', 'what POST /v1/sessions answered'),
      time: header('time', 'seconds since 1970, within 30 seconds'),
      nonce: header('nonce', 'a whole number, once in its session'),
      signature: header('signature', 'Ed25519 by the session key, 64 bytes in hex'),
    },
  },
}
