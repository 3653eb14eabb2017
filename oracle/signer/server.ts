/** The HTTP face of a signer: what it sees, and signatures over what it has computed. */
import { createHash, timingSafeEqual } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { InputError, listOf, objectOf, textOf, wholeOf } from './canonical.ts'
import { UnreliableNode } from './l1-events.ts'
import { Refusal } from './observe.ts'
import { integerOf, stringify, tableReportFrom } from './report.ts'
import type { Signer } from './signer.ts'

const BODY_LIMIT = 256 * 1024
/** A settlement is shown with the whole register: 2^18 entries of at most 60 bytes. */
const REGISTER_LIMIT = 16 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 30_000

const TOKEN_LENGTH = 16
const LOOPBACK = ['127.0.0.1', '::1', 'localhost']

export type Listen = {
  readonly port: number
  readonly host?: string
  /** What a collector must show. Needed wherever others than this machine can ask. */
  readonly token?: string
}

/**
 * Refusals are answers (409, with the rule); what is malformed is 400; nothing is logged. Whoever
 * may ask for signatures may also spend the one opinion that a signer has of a second: so where
 * strangers reach it, it answers only who shows the token.
 */
export async function serveSigner(signer: Signer, listen: Listen): Promise<FastifyInstance> {
  const { port, host = '127.0.0.1', token } = listen
  if (token === undefined && !LOOPBACK.includes(host)) {
    throw new InputError('a token must be set where others than this machine can ask')
  }
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logger: false,
  })
  if (token !== undefined && token.length < TOKEN_LENGTH) {
    throw new InputError(`a token must have at least ${TOKEN_LENGTH} characters`)
  }
  app.setReplySerializer(stringify)
  const expected = digest(`Bearer ${token ?? ''}`)
  app.addHook('onRequest', async (request, reply) => {
    if (token === undefined) return
    // Compared as hashes, so that neither length nor prefix shows in the time it takes.
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return
    await reply.code(401).send({ refused: null, message: 'the token must be shown' })
  })
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refusal) {
      return reply.code(409).send({ refused: error.rule, message: error.message })
    }
    if (error instanceof InputError || error instanceof SyntaxError) {
      return reply.code(400).send({ refused: null, message: error.message })
    }
    const status = (error as { statusCode?: number }).statusCode
    const isTheirs = status !== undefined && status < 500
    // A RangeError is the engine's: a market that cannot become a table.
    const isOurs = error instanceof RangeError || error instanceof UnreliableNode
    const isTold = error instanceof Error && (isOurs || isTheirs)
    const message = isTold ? error.message : 'the signer could not answer'
    return reply.code(isTheirs ? status : 500).send({ refused: null, message })
  })

  app.get('/status', async () => ({ signer: signer.address, ...signer.hashes, time: signer.now() }))
  app.get('/observation/:time', async (request) => {
    const { time } = request.params as { time: string }
    return signer.observe(wholeOf(Number(time), 'time'))
  })
  app.post('/settling', async (request) => {
    const body = objectOf(request.body, ['time', 'rows'], 'body')
    const rows = listOf(body['rows'], 'rows', 257).map((id) => wholeOf(id, 'row'))
    return signer.settling(wholeOf(body['time'], 'time'), rows)
  })
  app.post('/report', async (request) => {
    const body = objectOf(request.body, ['number', 'time', 'rows', 'proposal'], 'body')
    return signer.report(
      integerOf(body['number'], 'number'),
      wholeOf(body['time'], 'time'),
      listOf(body['rows'], 'rows', 257).map((id) => wholeOf(id, 'row')),
      body['proposal'] === null ? undefined : textOf(body['proposal'], 'proposal'),
    )
  })
  app.post('/confirmation', async (request) => {
    const body = objectOf(request.body, ['report', 'time'], 'body')
    const time = wholeOf(body['time'], 'time')
    return signer.confirmation(tableReportFrom(body['report']), time)
  })
  app.get('/averages/:start/:end', async (request) => {
    const { start, end } = request.params as { start: string; end: string }
    const window = [wholeOf(Number(start), 'start'), wholeOf(Number(end), 'end')] as const
    return { signer: signer.address, document: await signer.averages(...window) }
  })
  app.post('/settlement', { bodyLimit: REGISTER_LIMIT }, async (request) => {
    const keys = ['serial', 'ids', 'settled', 'window', 'proposal', 'isConfirmation']
    const body = objectOf(request.body, keys, 'body')
    const [start, end] = listOf(body['window'], 'window', 3).map((at) => wholeOf(at, 'window'))
    if (start === undefined || end === undefined) throw new InputError('window must be two times')
    const given = [
      integerOf(body['serial'], 'serial'),
      listOf(body['ids'], 'ids', 257).map((id) => wholeOf(id, 'id')),
      listOf(body['settled'], 'settled', 1 << 18).map((item) => {
        const one = objectOf(item, ['id', 'value'], 'settled')
        return { id: wholeOf(one['id'], 'id'), value: integerOf(one['value'], 'value') }
      }),
      [start, end],
      body['proposal'] === null ? undefined : textOf(body['proposal'], 'proposal'),
    ] as const
    return body['isConfirmation'] === true
      ? signer.settlementConfirmation(...given)
      : signer.settlement(...given)
  })
  await app.listen({ port, host })
  return app
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
