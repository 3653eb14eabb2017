/** The HTTP face of the house. A member authenticates every call by signature; nobody reads another's tickets. */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { receiptText, requestMessage } from '../circuits/document.ts'
import { verify } from '../circuits/eddsa.ts'
import { NotReady } from './core.ts'
import type { House } from './house.ts'
import { JournalError } from './journal/journal.ts'
import { entriesFor, type Admitted, type Receipt, type Refusal, type Ticket } from './ticket.ts'
import {
  BadRequest,
  entries,
  index,
  object,
  pages,
  point,
  signature,
  signedPage,
  stringify,
  text,
  word,
} from './wire.ts'

const BODY_LIMIT = 16 * 1024
/** A page is about 700 bytes of JSON. */
const RESIGN_LIMIT = 512 * 1024
const CLOCK_SECONDS = 300
class Unauthorized extends Error {}

export async function serve(house: House, port: number): Promise<FastifyInstance> {
  // No logger: a body must never reach a log.
  const app = Fastify({ bodyLimit: BODY_LIMIT, logger: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  )
  app.setErrorHandler((error, _request, reply) => {
    const message = error instanceof Error ? error.message : 'bad request'
    if (error instanceof BadRequest || error instanceof SyntaxError)
      return reply.code(400).send({ error: message })
    if (error instanceof Unauthorized) return reply.code(401).send({ error: message })
    if (error instanceof NotReady) return reply.code(503).send({ error: message })
    if (error instanceof JournalError) {
      // The text may name files: it is for the operator.
      house.options.log(message)
      return reply.code(503).send({ error: 'the house cannot record anything now: try again' })
    }
    const status = (error as { statusCode?: number }).statusCode
    if (status !== undefined && status < 500) return reply.code(status).send({ error: message })
    house.options.log(`request failed: ${error instanceof Error ? error.name : 'unknown error'}`)
    return reply.code(500).send({ error: 'the house could not answer: try again' })
  })

  /** The calling account, proven by its owner key over method, path, time and body. */
  const caller = (request: FastifyRequest): number => {
    const header = (name: string): string => {
      const value = request.headers[`x-cloister-${name}`]
      if (typeof value !== 'string') throw new Unauthorized(`header x-cloister-${name} is missing`)
      return value
    }
    const account = Number(header('account'))
    const time = Number(header('time'))
    if (!Number.isInteger(time) || Math.abs(time - Date.now() / 1000) > CLOCK_SECONDS)
      throw new Unauthorized('the time is off: check your clock')
    const key = house.ledger.ownerKeys.get(account)
    if (key === undefined) throw new Unauthorized('unknown account')
    const parts = header('signature').split('.')
    const given = signature({ r: { x: parts[0], y: parts[1] }, s: parts[2] }, 'signature')
    const body = typeof request.body === 'string' ? request.body : ''
    if (
      !verify(
        key,
        requestMessage(house.domain, account, time, request.method, request.url, body),
        given,
      )
    )
      throw new Unauthorized('the signature does not match')
    return account
  }
  const bodyOf = (request: FastifyRequest): Record<string, unknown> =>
    object(JSON.parse(typeof request.body === 'string' ? request.body : '{}'), 'body')
  const view = (ticket: Ticket, account: number) => ({
    id: ticket.id,
    clientId: ticket.clientId,
    state: ticket.state,
    stamp: ticket.stamp,
    payload: ticket.payload,
    batch: ticket.batch,
    role: ticket.proposer === account ? 'proposer' : 'counterparty',
    counterparty: ticket.proposer === account ? ticket.counterparty : ticket.proposer,
    entries: entriesFor(ticket, account),
    isSigned: ticket.sides.has(account),
    receipt: ticket.receipts.get(account) ?? null,
    refused: ticket.refusal?.rule ?? null,
  })
  const receiptOf = async (account: number, head: bigint, time: bigint): Promise<Receipt> => {
    const text = receiptText(house.domain, { account, head, time })
    return { head, time: Number(time), signature: await house.l1.signReceipt(text) }
  }
  /** The side's receipt of an admitted trade; made again after a restart, the same as before. */
  const keepReceipt = async (ticket: Ticket, side: number): Promise<void> => {
    const head = ticket.heads.get(side)
    if (head === undefined || ticket.receipts.has(side)) return
    ticket.receipts.set(side, await receiptOf(side, head, ticket.admittedAt))
  }
  /** A receipt is for an admitted page: the first side of a trade gets its with the second. */
  const answer = async (result: Admitted | Refusal, account: number, ticket?: Ticket) => {
    if ('refused' in result) return result
    if (!result.complete) return { head: result.head, complete: false, receipt: null }
    if (ticket !== undefined) await keepReceipt(ticket, account)
    const { head, time } = result
    const receipt = ticket?.receipts.get(account) ?? (await receiptOf(account, head, time))
    return { head, complete: true, receipt }
  }

  app.setReplySerializer(stringify)
  app.get('/status', async () => ({
    contract: house.options.deployment.contract,
    token: house.options.deployment.token,
    chainId: house.options.deployment.chainId,
    domain: house.domain,
    operator: house.l1.operator,
    fee: house.options.fee,
    batchNumber: house.batchNumber,
    tableNumber: house.tableNumber,
    mode: house.mode,
    rpcUrl: house.options.rpcUrl,
    shapes: house.options.keys.map((k) => k.shape.name),
    developmentKeys: true,
    trades: house.core.batches.reduce((n, r) => n + r.trades, 0),
  }))
  app.get('/table', async () => ({
    number: house.tableNumber,
    root: house.table?.root ?? 0n,
    rows: house.table?.rows ?? [],
  }))
  app.post('/countersign', async (request) => {
    const body = bodyOf(request)
    const owner = text(body['l1Owner'], 'l1Owner')
    if (!/^0x[0-9a-fA-F]{40}$/.test(owner)) throw new BadRequest('l1Owner must be an address')
    return {
      signature: await house.countersign(
        owner,
        point(body['key'], 'key'),
        word(body['viewKey'], 'viewKey'),
      ),
    }
  })
  app.post('/deposits', async (request) => {
    const body = bodyOf(request)
    // Knowing the secret is the authority: it only ever credits the account inside the commitment.
    await house.showDeposit(index(body['account'], 'account'), word(body['secret'], 'secret'))
    return { shown: true }
  })
  app.get('/account', async (request) => {
    const account = caller(request)
    await house.watch()
    if (house.desk.resigning.isUnaware(account)) await house.submit({ kind: 'told', account })
    return {
      account,
      resign: house.desk.resigning.wanted(account),
      settledHead: house.ledger.accounts.get(account)?.head ?? null,
      head: house.ledger.headOf(account) ?? null,
      pending: house.ledger.pendingOf(account).length,
    }
  })
  app.get('/tickets', async (request) => {
    const account = caller(request)
    const tickets = house.desk.ticketsOf(account)
    for (const ticket of tickets) await keepReceipt(ticket, account)
    return tickets.map((t) => view(t, account))
  })
  app.post('/proposals', async (request) => {
    const account = caller(request)
    const body = bodyOf(request)
    const made = await house.propose(account, {
      clientId: text(body['clientId'], 'clientId'),
      counterparty: index(body['counterparty'], 'counterparty'),
      entries: entries(body['entries'], 'entries'),
      payload: word(body['payload'], 'payload'),
    })
    return 'refused' in made ? made : view(made, account)
  })
  app.post('/affirm', async (request) => {
    const account = caller(request)
    const made = await house.affirm(account, text(bodyOf(request)['id'], 'id'))
    return 'refused' in made ? made : view(made, account)
  })
  app.post('/reject', async (request) => {
    const account = caller(request)
    const ticket = text(bodyOf(request)['id'], 'id')
    const made = await house.submit({ kind: 'rejection', account, ticket })
    return 'refused' in made ? made : view(made, account)
  })
  app.post('/pages', async (request) => {
    const account = caller(request)
    const body = bodyOf(request)
    const signed = signedPage(body, account)
    const ticket = body['ticket'] === undefined ? null : text(body['ticket'], 'ticket')
    const result = await house.ask({ kind: 'page', ticket, signed })
    const known = ticket === null ? undefined : house.desk.tickets.get(ticket)
    return answer(result, account, known)
  })
  app.post('/resign', { bodyLimit: RESIGN_LIMIT }, async (request) => {
    const account = caller(request)
    const given = pages(bodyOf(request)['pages'], account)
    const accepted = await house.submit({ kind: 'resigned', account, pages: given })
    return 'rule' in accepted
      ? { refused: accepted.rule, detail: accepted.detail }
      : answer({ ...accepted, complete: true }, account)
  })
  await app.listen({ port, host: '127.0.0.1' })
  return app
}
