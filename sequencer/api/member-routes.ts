/** What an account may ask, about itself alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isPastSigning, SIGNING_SECONDS } from '../../circuits/page.ts'
import type { House } from '../house.ts'
import { pageId, UNWANTED } from '../resign.ts'
import { tell, type Refusal, type Ticket } from '../ticket.ts'
import type { Admitted } from '../ticket.ts'
import { entries, pages, signedPage, word } from '../wire.ts'
import { AT_ONCE, othersTurn, verifyAhead } from './ahead.ts'
import { ApiError, Refused } from './errors.ts'
import { members, type Desk, type Values } from './routes.ts'
import { ANSWERS, BODIES, PARAMS, QUERIES } from './schemas.ts'
import {
  accountView,
  marginView,
  pageAnswer,
  pageView,
  proofView,
  receiptOf,
  tradeView,
} from './views.ts'

/** A page is about 700 bytes of JSON. */
const RESIGN_LIMIT = 512 * 1024
const TRADES = 200
const LOOK_MILLISECONDS = 1_000

function accepted<T extends object>(answer: T | Refusal): T {
  if ('refused' in answer && 'detail' in answer) throw new Refused(answer as Refusal)
  return answer as T
}

export function memberRoutes(desk: Desk): void {
  accountRoutes(desk)
  tradeRoutes(desk)
  pageRoutes(desk)
}

/** Looks at L1 at the request of members; however many ask, one look waits at most. */
function lookOf({ house }: Desk): () => Promise<void> {
  let look: Promise<void> | null = null
  return () => {
    look ??= house()
      .watch()
      // Without L1 there is still what was seen of it; the house says itself that it cannot look.
      .catch(() => {})
      .finally(() => (look = null))
    const late = new AbortController()
    // An L1 that is silent must not hold the member's other requests up.
    const patience = sleep(LOOK_MILLISECONDS, undefined, { signal: late.signal }).catch(() => {})
    return Promise.race([look, patience]).finally(() => late.abort())
  }
}

/** Names of pages are hashes, and remembered: a journal that was cut has hundreds to be signed anew. */
async function nameUnsigned({ house }: Desk, account: number): Promise<void> {
  for (const [i, { page }] of house().ledger.unsignedOf(account).entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await othersTurn()
    pageId(page)
  }
}

function accountRoutes(desk: Desk): void {
  const look = lookOf(desk)
  const get = { method: 'GET', tag: 'account' } as const
  members(
    desk,
    {
      ...get,
      url: '/v1/account',
      summary: 'the account as it settled and as its pages will leave it; what to sign anew',
      answer: ANSWERS.account,
    },
    async (account) => {
      const house = desk.house()
      await look()
      if (house.desk.resigning.isUnaware(account)) await house.submit({ kind: 'told', account })
      await nameUnsigned(desk, account)
      return accountView(house, account)
    },
  )
  members(
    desk,
    {
      ...get,
      url: '/v1/account/proof',
      summary: 'the own leaf and its path to the root of the last batch',
      answer: ANSWERS.proof,
    },
    async (account) => proofView(desk.house(), account),
  )
  members(
    desk,
    {
      method: 'POST',
      tag: 'account',
      url: '/v1/account/margin',
      summary: 'worth in every world, now and with these entries; whether they would be admitted',
      body: BODIES.margin,
      answer: ANSWERS.margin,
    },
    async (account, { body }) =>
      marginView(desk.house(), account, entries(body['entries'], 'entries')),
  )
  members(
    desk,
    {
      ...get,
      url: '/v1/receipts/:head',
      summary: 'the receipt for a head that was admitted',
      params: PARAMS.head,
      answer: ANSWERS.receipt,
    },
    async (account, { params }) => {
      const house = desk.house()
      const head = word(params['head'], 'head')
      const time = house.desk.admittedAt(account, head)
      if (time === undefined) throw new ApiError('HeadMustBeAdmitted')
      return {
        account,
        domain: house.domain,
        ...(await receiptOf(house, account, head, time)),
      }
    },
  )
  members(
    desk,
    {
      method: 'POST',
      tag: 'sessions',
      url: '/v1/sessions/end',
      summary: 'ends the session that signs this',
      body: BODIES.nothing,
      answer: ANSWERS.ended,
    },
    async (_account, { request }) => {
      desk.door.sessions.end(String(request.headers['x-cloister-session']))
      return { ended: true }
    },
  )
}

function tradeRoutes(desk: Desk): void {
  const { house: houseOf } = desk
  /** Of the trades of others it is not even said that there are any. */
  const own = (account: number, id: string | undefined): Ticket => {
    const ticket = houseOf().desk.tickets.get(id ?? '')
    if (ticket?.proposer === account || ticket?.counterparty === account) return ticket
    throw new ApiError('TradeMustBeKnown')
  }
  /** What a side is told of a trade; if it has just been refused, that. */
  const shown = async (account: number, made: Ticket | Refusal) =>
    tradeView(houseOf(), accepted(made), account)
  members(
    desk,
    {
      method: 'GET',
      url: '/v1/trades',
      tag: 'trades',
      summary: 'the trades of the account in the order in which they were proposed, 200 at most',
      query: QUERIES.trades,
      answer: ANSWERS.trades,
    },
    async (account, { query }) => {
      const after = query['after']
      const all = houseOf().desk.ticketsOf(account)
      const place = after === undefined ? -1 : all.findIndex(({ id }) => id === after)
      if (after !== undefined && place < 0) throw new ApiError('TradeMustBeKnown')
      const isWanted = ({ state }: Ticket): boolean =>
        query['open'] !== 'true' || (state !== 'final' && state !== 'refused')
      const rest = all.slice(place + 1).filter(isWanted)
      const some = rest.slice(0, TRADES)
      const trades: unknown[] = []
      for (const ticket of some) {
        const known = ticket.receipts.size
        trades.push(await tradeView(houseOf(), ticket, account))
        // A receipt takes a millisecond to sign: others are served between two of them.
        if (ticket.receipts.size > known) await othersTurn()
      }
      return { trades, next: rest.length > TRADES ? (some.at(-1)?.id ?? null) : null }
    },
  )
  members(
    desk,
    {
      method: 'GET',
      url: '/v1/trades/:id',
      tag: 'trades',
      summary: 'one trade from the own side, with its state and the own receipt',
      params: PARAMS.trade,
      answer: ANSWERS.trade,
    },
    async (account, { params }) => tradeView(houseOf(), own(account, params['id']), account),
  )
  members(
    desk,
    {
      method: 'POST',
      url: '/v1/trades',
      tag: 'trades',
      summary: 'proposes a trade to another account; once per client id',
      body: BODIES.proposal,
      answer: ANSWERS.trade,
    },
    async (account, { body }) => {
      const house = houseOf()
      const proposal = {
        clientId: body['clientId'] as string,
        counterparty: body['counterparty'] as number,
        entries: entries(body['entries'], 'entries'),
        payload: word(body['payload'], 'payload'),
      }
      // What was answered before is not worth a record.
      const known = house.desk.proposed(account, proposal)
      if (known !== null) return shown(account, known)
      const made = (): Promise<Ticket | Refusal> => house.propose(account, proposal)
      return shown(account, await desk.towards.record(account, proposal.counterparty, made))
    },
  )
  const decide = {
    method: 'POST',
    tag: 'trades',
    params: PARAMS.trade,
    body: BODIES.nothing,
  } as const
  members(
    desk,
    {
      ...decide,
      url: '/v1/trades/:id/affirm',
      summary: 'agrees to a proposal: it gets its stamp, and both sides sign',
      answer: ANSWERS.trade,
    },
    async (account, { params }) => {
      const ticket = own(account, params['id'])
      if (ticket.counterparty !== account) throw new ApiError('TradeMustBeKnown')
      // Once decided it stays: nothing to record.
      if (ticket.state === 'refused' && ticket.refusal !== null)
        throw new Refused(tell(ticket.refusal, account))
      if (ticket.state === 'proposed')
        // Nobody agrees to what cannot be signed in its time. The trade stays a proposal.
        for (const side of [account, ticket.proposer]) desk.waiting.require(side, account, ticket)
      const made = ticket.state === 'proposed' ? houseOf().affirm(account, ticket.id) : ticket
      return shown(account, await made)
    },
  )
  members(
    desk,
    {
      ...decide,
      url: '/v1/trades/:id/reject',
      summary: 'turns a proposal down, or takes the own one back',
      answer: ANSWERS.trade,
    },
    async (account, { params }) => {
      const { id } = own(account, params['id'])
      return shown(account, await houseOf().submit({ kind: 'rejection', account, ticket: id }))
    },
  )
}

/**
 * Nobody signs a trade hours after its other side did, at prices of then. It is asked before a page is
 * recorded, so a journal means what it meant; the trade stays stamped, and settles never.
 */
function requireInTime(house: House, { stamp }: Ticket): void {
  if (!isPastSigning(stamp, house.conditions().time)) return
  const detail = `both sides sign within ${SIGNING_SECONDS} s of the stamp: propose the trade again`
  throw new Refused({ refused: 'StampMustBeLive', detail })
}

function pageRoutes(desk: Desk): void {
  const { house: houseOf } = desk
  const take = async (account: number, body: Values): Promise<Admitted> => {
    const house = houseOf()
    const clientId = body['clientId'] as string
    const ticket = (body['ticket'] as string | undefined) ?? null
    const signed = signedPage(body, account)
    const known = house.desk.knownPage(clientId, ticket, signed)
    if (known !== null) return accepted(known)
    const trade = ticket === null ? null : (house.desk.tickets.get(ticket) ?? null)
    // Of a trade of others, or that is settled or refused, nothing will wait: the house says why.
    const isOwn = trade?.proposer === account || trade?.counterparty === account
    const isVain = ticket !== null && (!isOwn || trade?.state !== 'stamped')
    if (trade !== null && !isVain) requireInTime(house, trade)
    const made = async (): Promise<Admitted | Refusal> => {
      const [verified = null] = await verifyAhead(house, desk.helpers, account, [signed])
      const record = { kind: 'page', ticket, signed, clientId } as const
      return house.ask(verified === null ? record : { ...record, verified })
    }
    return accepted(await (isVain ? made() : desk.waiting.record(account, trade, made)))
  }
  members(
    desk,
    {
      method: 'POST',
      url: '/v1/pages',
      tag: 'pages',
      summary: 'a signed page: one side of a stamped trade, a withdrawal or a rotation',
      body: BODIES.page,
      answer: ANSWERS.pageAnswer,
    },
    async (account, { body }) => pageAnswer(houseOf(), await take(account, body), account),
  )
  members(
    desk,
    {
      method: 'GET',
      url: '/v1/pages/:clientId',
      tag: 'pages',
      summary: 'what became of a page, by the client id that it came with',
      params: PARAMS.page,
      answer: ANSWERS.page,
    },
    async (account, { params }) => {
      const asked = houseOf().desk.asked.page(account, params['clientId'] as string)
      if (asked === undefined) throw new ApiError('PageMustBeKnown')
      return pageView(houseOf(), asked)
    },
  )
  members(
    desk,
    {
      method: 'POST',
      url: '/v1/resign',
      tag: 'pages',
      summary:
        'pages that the house asked to be signed anew, in journal order, the first 512 at most',
      body: BODIES.resign,
      answer: ANSWERS.pageAnswer,
      bodyLimit: RESIGN_LIMIT,
    },
    async (account, { body }) => {
      const given = pages(body['pages'], account)
      const house = houseOf()
      const isUnwanted = house.desk.resigning.isUnwanted(account, given)
      if (!isUnwanted) await verifyAhead(house, desk.helpers, account, given)
      const made = isUnwanted
        ? UNWANTED
        : await house.submit({ kind: 'resigned', isPart: true, account, pages: given })
      if ('rule' in made) throw new Refused({ refused: made.rule, detail: made.detail })
      return pageAnswer(houseOf(), { ...made, complete: true }, account)
    },
  )
}
