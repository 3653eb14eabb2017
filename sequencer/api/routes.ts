/** How a route is declared: what it takes, what it answers, who may ask. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { House } from '../house.ts'
import type { Helpers } from '../helpers/helpers.ts'
import type { Door } from './door.ts'
import type { Feeds } from './events.ts'
import type { ProposalsTowards } from './towards.ts'
import type { WaitingPages } from './waiting.ts'

type Schema = Readonly<Record<string, unknown>>
export type Route = {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly summary: string
  readonly tag: string
  readonly body?: Schema
  readonly params?: Schema
  readonly query?: Schema
  readonly answer: Schema
  /** Bytes, where it is more than usual. */
  readonly bodyLimit?: number
}
/** What the routes work with. The house is looked up late: to be described, routes need none. */
export type Desk = {
  readonly app: FastifyInstance
  readonly house: () => House
  readonly door: Door
  readonly feeds: Feeds
  readonly helpers: Helpers
  readonly waiting: WaitingPages
  readonly towards: ProposalsTowards
}
/** Values that the schema has checked. */
export type Values = Readonly<Record<string, unknown>>
export type Handler = (given: {
  readonly body: Values
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly request: FastifyRequest
}) => Promise<unknown>

export const SECURITY = [{ session: [], time: [], nonce: [], signature: [] }]

export function schemaOf(route: Route, isMembers: boolean): Schema {
  const { summary, tag, body, params, query, answer } = route
  return {
    summary,
    tags: [tag],
    ...(body === undefined ? {} : { body }),
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(isMembers ? { security: SECURITY } : {}),
    response: {
      200: { description: 'done', ...answer },
      '4xx': { description: 'refused', $ref: 'Error#' },
      '5xx': { description: 'not possible now', $ref: 'Error#' },
    },
  }
}

export const givenOf = (request: FastifyRequest) => ({
  body: (request.body ?? {}) as Values,
  params: request.params as Readonly<Record<string, string>>,
  query: request.query as Readonly<Record<string, string>>,
  request,
})

/** For everybody; an address may ask for so much. */
export function open({ app, door }: Desk, route: Route, handler: Handler): void {
  const { method, url, bodyLimit } = route
  app.route({
    method,
    url,
    schema: schemaOf(route, false),
    ...(bodyLimit === undefined ? {} : { bodyLimit }),
    onRequest: door.admitStranger,
    handler: (request) => handler(givenOf(request)),
  })
}

/** For the account that has signed the request; each account in its turn. */
export function members(
  { app, door }: Desk,
  route: Route,
  handler: (account: number, given: Parameters<Handler>[0]) => Promise<unknown>,
): void {
  const { method, url, bodyLimit } = route
  app.route({
    method,
    url,
    schema: schemaOf(route, true),
    ...(bodyLimit === undefined ? {} : { bodyLimit }),
    onRequest: door.admit,
    // Before the schema is looked at: an answer about the form is for the owner of the session.
    preValidation: door.authenticate,
    handler: (request) =>
      door.inTurn(request, () => handler(request.account as number, givenOf(request))),
  })
}
