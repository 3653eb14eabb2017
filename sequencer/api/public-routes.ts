/** What anybody may ask: nothing of it concerns an account, or knowing a secret is the authority. */
import { isDevelopmentKey } from '../../prover/artifacts.ts'
import type { Table } from '../../circuits/table.ts'
import { point, Prepared, signature, stringify, word } from '../wire.ts'
import { ApiError } from './errors.ts'
import { open, type Desk } from './routes.ts'
import { ANSWERS, BODIES, PARAMS, QUERIES } from './schemas.ts'
import { batchView } from './views.ts'

const BATCHES = 200

export function publicRoutes(desk: Desk): void {
  const { house: houseOf } = desk
  aboutTheHouse(desk)
  open(
    desk,
    {
      method: 'POST',
      url: '/v1/sessions',
      tag: 'sessions',
      summary: 'lets an Ed25519 key speak for an account, by one signature of its owner key',
      body: BODIES.session,
      answer: ANSWERS.session,
    },
    ({ body, request }) =>
      desk.door.opened(request, () =>
        desk.door.sessions.open({
          account: body['account'] as number,
          publicKey: body['publicKey'] as string,
          time: body['time'] as number,
          instance: body['instance'] as string,
          signature: signature(body['signature'], 'signature'),
        }),
      ),
  )
  open(
    desk,
    {
      method: 'POST',
      url: '/v1/countersignatures',
      tag: 'joining',
      summary: 'shows a view key and gets the signature that a registration on L1 needs',
      body: BODIES.countersign,
      answer: ANSWERS.countersigned,
    },
    ({ body, request }) =>
      desk.door.inTurn(request, async () => ({
        signature: await houseOf().countersign(
          body['l1Owner'] as string,
          point(body['key'], 'key'),
          word(body['viewKey'], 'viewKey'),
        ),
      })),
  )
  open(
    desk,
    {
      method: 'POST',
      url: '/v1/deposits',
      tag: 'joining',
      summary: 'shows what a deposit on L1 commits to; it is credited to that account alone',
      body: BODIES.deposit,
      answer: ANSWERS.shown,
    },
    ({ body, request }) =>
      desk.door.inTurn(request, async () => {
        // Knowing the secret is the authority: it only ever credits the account inside.
        await houseOf().showDeposit(body['account'] as number, word(body['secret'], 'secret'))
        return { shown: true }
      }),
  )
}

function aboutTheHouse(desk: Desk): void {
  const { house: houseOf } = desk
  const get = { method: 'GET', tag: 'house' } as const
  let isForgeable: boolean | undefined
  /** Thousands of numbers, the same for everybody. */
  let shown: { number: bigint; table: Table | null; text: Prepared } | null = null
  open(
    desk,
    { ...get, url: '/v1/status', summary: 'what house this is', answer: ANSWERS.status },
    async () => {
      const house = houseOf()
      const { deployment, keys, rpcUrl } = house.options
      return {
        contract: deployment.contract,
        token: deployment.token,
        chainId: deployment.chainId,
        domain: house.domain,
        operator: house.l1.operator,
        fee: house.core.feeToAllow,
        batchNumber: house.batchNumber,
        tableNumber: house.tableNumber,
        mode: house.mode,
        rpcUrl,
        shapes: keys.map(({ shape }) => shape.name),
        developmentKeys: (isForgeable ??= keys.some(isDevelopmentKey)),
        instance: desk.door.sessions.instance,
      }
    },
  )
  open(
    desk,
    { ...get, url: '/v1/health', summary: 'whether the process answers', answer: ANSWERS.health },
    async () => ({ alive: true }),
  )
  open(
    desk,
    { ...get, url: '/v1/ready', summary: 'whether trades are taken', answer: ANSWERS.ready },
    async () => {
      houseOf().conditions()
      return { ready: true }
    },
  )
  open(
    desk,
    {
      ...get,
      url: '/v1/conditions',
      summary: 'what a page is judged by now',
      answer: ANSWERS.conditions,
    },
    async () => {
      const { time, fee } = houseOf().conditions()
      return { time, fee, mode: houseOf().mode, table: houseOf().tableNumber }
    },
  )
  open(
    desk,
    { ...get, url: '/v1/table', summary: 'the table of values', answer: ANSWERS.table },
    async () => {
      const { tableNumber: number, table } = houseOf()
      if (shown?.number !== number || shown.table !== table) {
        const text = stringify({ number, root: table?.root ?? 0n, rows: table?.rows ?? [] })
        shown = { number, table, text: new Prepared(text) }
      }
      return shown.text
    },
  )
  open(
    desk,
    {
      ...get,
      url: '/v1/batches',
      summary: 'batches that L1 has accepted, with their roots, 200 at most',
      query: QUERIES.batches,
      answer: ANSWERS.batches,
    },
    async ({ query }) => {
      const { core } = houseOf()
      const from = core.placeOf(BigInt(query['after'] ?? 0) + 1n)
      const some = core.batches.slice(from, from + BATCHES)
      return { batches: some.map(batchView), last: core.batchNumber }
    },
  )
  open(
    desk,
    {
      ...get,
      url: '/v1/batches/:number',
      summary: 'one batch',
      params: PARAMS.batch,
      answer: ANSWERS.batch,
    },
    async ({ params }) => {
      const number = BigInt(params['number'] as string)
      const { core } = houseOf()
      const batch = core.batches[core.placeOf(number)]
      if (batch?.number !== number) throw new ApiError('BatchMustBeKnown')
      return batchView(batch)
    },
  )
}
