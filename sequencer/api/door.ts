/** What every request goes through before a route sees it, and how an answer leaves. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NotReady } from '../core.ts'
import type { House } from '../house.ts'
import { JournalError } from '../journal/journal.ts'
import { BadRequest } from '../wire.ts'
import { ApiError, errorBody, Refused, type ApiErrorCode } from './errors.ts'
import { parseBody } from './json.ts'
import { Buckets, Turns, type Limits } from './limits.ts'
import { networkOf } from './network.ts'
import { Sessions, type Claim } from './sessions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** As it came: the signature is over these bytes. */
    bodyBytes: Uint8Array
    /** The calling account; null on routes that are for everybody. */
    account: number | null
  }
}

/** Of fastify's own errors; by their codes. */
const FASTIFY_CODES: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BodyMustBeSmall',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'ContentTypeMustBeJson',
  FST_ERR_CTP_EMPTY_TYPE: 'ContentTypeMustBeJson',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'RequestMustBeWellFormed',
}

/** The routes that are WebSockets as well. */
const STREAMS: ReadonlySet<string> = new Set(['/v1/events', '/v1/public-events'])

/** Once the request says whether it is a WebSocket: elsewhere it would be opened, and closed at once. */
export async function onlyStreams({ ws, routeOptions }: FastifyRequest): Promise<void> {
  if (ws && !STREAMS.has(routeOptions.url ?? ''))
    throw new ApiError('RouteMustExist', 'there is no such stream')
}

/** What a failed request is told; the operator's log gets what is not for others. */
export function answerOf(error: unknown, log: (line: string) => void): ApiError | Refused {
  if (error instanceof ApiError || error instanceof Refused) return error
  if (error instanceof BadRequest) return new ApiError('NumberMustBeInRange', error.message)
  if (error instanceof NotReady) return new ApiError('HouseMustBeReady', error.message)
  if (error instanceof JournalError) {
    // The text may name files.
    log(error.message)
    return new ApiError('JournalMustBeWritable')
  }
  const { code, validation, statusCode } = error as {
    code?: string
    validation?: readonly { instancePath?: string }[]
    statusCode?: number
  }
  // The place is told, the value is not: it may be long, and the sender has it.
  if (validation !== undefined) return new ApiError('BodyMustMatchSchema', placeOf(validation[0]))
  const known = code === undefined ? undefined : FASTIFY_CODES[code]
  if (known !== undefined) return new ApiError(known)
  if (statusCode !== undefined && statusCode < 500) return new ApiError('RequestMustBeWellFormed')
  log(`request failed: ${error instanceof Error ? error.name : 'unknown error'}`)
  return new ApiError('HouseMustAnswer')
}

function placeOf(first: { instancePath?: string; message?: string } | undefined): string {
  const where = first?.instancePath === undefined ? '' : first.instancePath.slice(0, 80)
  const what = (first?.message ?? 'must match its schema').slice(0, 160)
  return `the request must match its schema in /v1/openapi.json: ${where || 'it'} ${what}`
}

export class Door {
  readonly sessions: Sessions
  readonly limits: Limits
  private readonly turns: Turns<number | string>
  private readonly openings: Turns<string>
  private readonly members: Buckets<number>
  private readonly strangers: Buckets<string>

  private readonly known: (request: FastifyRequest) => void

  /** `known`: told of each request that was rightly signed. */
  constructor(
    house: () => House,
    limits: Limits,
    now: () => number,
    known: (request: FastifyRequest) => void = () => {},
  ) {
    this.limits = limits
    this.known = known
    // Looked up late: the routes are described without a house, too.
    this.sessions = new Sessions(
      () => house().domain,
      (account) => house().ledger.ownerKeys.get(account),
      now,
    )
    this.turns = new Turns(limits)
    this.openings = new Turns({ inFlight: 1, waiting: limits.strangersBurst })
    this.members = new Buckets(limits.perSecond, limits.burst, now)
    this.strangers = new Buckets(limits.strangersPerSecond, limits.strangersBurst, now)
  }

  private claimOf({ headers }: FastifyRequest): Claim {
    const word = (name: string): string => {
      const value = headers[`x-cloister-${name}`]
      if (typeof value === 'string' && value.length <= 128) return value
      throw new ApiError('SignatureMustBePresent')
    }
    return {
      session: word('session'),
      time: word('time'),
      nonce: word('nonce'),
      signature: word('signature'),
    }
  }

  /** Before the body is read: nobody without a session makes the house read much. */
  readonly admit = async (request: FastifyRequest): Promise<void> => {
    try {
      this.sessions.check(this.claimOf(request))
    } catch (error) {
      this.strangers.take(networkOf(request.ip))
      throw error
    }
  }

  /** When the body has been read: by whom it is signed. */
  readonly authenticate = async (request: FastifyRequest): Promise<void> => {
    const { method, url, bodyBytes } = request
    try {
      const claim = this.claimOf(request)
      request.account = this.sessions.authenticate(claim, method, url, bodyBytes)
    } catch (error) {
      this.strangers.take(networkOf(request.ip))
      throw error
    }
    this.known(request)
    this.members.take(request.account)
  }

  /** A member may say who it is where nobody must: its place is its own then. */
  isSigned({ headers }: FastifyRequest): boolean {
    return headers['x-cloister-session'] !== undefined
  }

  readonly admitStranger = async (request: FastifyRequest): Promise<void> => {
    this.strangers.take(networkOf(request.ip))
  }

  /** Each account in its turn; those who are nobody share one. */
  inTurn<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> {
    return this.turns.run(request.account ?? `address ${networkOf(request.ip)}`, work)
  }

  /** An owner signature is dear: between two that one address asks for others are served. */
  opened<T>(request: FastifyRequest, work: () => T): Promise<T> {
    return this.openings.run(networkOf(request.ip), async () => work())
  }
}

/** The account of an authenticated request. */
export function callerOf(request: FastifyRequest): number {
  if (request.account === null) throw new ApiError('SignatureMustBePresent')
  return request.account
}

export function prepare(app: FastifyInstance, log: (line: string) => void): void {
  app.decorateRequest('account', null)
  app.decorateRequest('bodyBytes')
  app.addHook('onRequest', async (request) => {
    request.bodyBytes = new Uint8Array()
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      request.bodyBytes = body
      try {
        done(null, parseBody(body))
      } catch (error) {
        done(error as Error)
      }
    },
  )
  const send = (reply: FastifyReply, error: unknown) => {
    const { status, code, message } = answerOf(error, log)
    if (status === 429 || status === 503) void reply.header('retry-after', '1')
    return reply.code(status).send(errorBody(code, message))
  }
  app.setErrorHandler((error, _request, reply) => send(reply, error))
  app.setNotFoundHandler((_request, reply) => send(reply, new ApiError('RouteMustExist')))
}
