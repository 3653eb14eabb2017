/** The forms of requests and answers as JSON schemas: what is checked, and what OpenAPI says. */
import { API_ERRORS } from './errors.ts'

type Schema = Readonly<Record<string, unknown>>

const text = (pattern: string, description?: string): Schema => ({
  type: 'string',
  pattern,
  ...(description === undefined ? {} : { description }),
})
/** Exactly these fields; a name with a question mark may be absent. */
const form = (fields: Readonly<Record<string, Schema>>, description?: string): Schema => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(fields).filter((name) => !name.endsWith('?')),
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => [name.replace('?', ''), schema]),
  ),
  ...(description === undefined ? {} : { description }),
})
const list = (items: Schema, maxItems?: number): Schema => ({
  type: 'array',
  items,
  ...(maxItems === undefined ? {} : { maxItems }),
})
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema['type'], 'null'] })
const oneOf = (...words: readonly string[]): Schema => ({ type: 'string', enum: words })

const FIELD = text('^(0|[1-9][0-9]{0,76})$', 'a field element in decimal, below the modulus')
const AMOUNT = text('^(0|-?[1-9][0-9]{0,24})$', 'a whole number in decimal')
const COUNT = text('^(0|[1-9][0-9]{0,24})$', 'a whole number from 0 in decimal')
const INDEX: Schema = { type: 'integer', minimum: 0, maximum: 2 ** 28 - 1 }
const SECONDS: Schema = { type: 'integer', minimum: 0, description: 'seconds since 1970' }
const TRUTH: Schema = { type: 'boolean' }
const ADDRESS = text('^0x[0-9a-fA-F]{40}$')
const WORD: Schema = { type: 'string' }
const CLIENT_ID = text('^[A-Za-z0-9._:-]{1,128}$', 'your own name for the request')
const TRADE_ID = text('^t[0-9]{1,15}-[0-9a-f]{16}$')
const POINT = form({ x: FIELD, y: FIELD })
const SIGNATURE = form({ r: POINT, s: FIELD }, 'EdDSA-Poseidon on BabyJubJub')
const ENTRY = form({ instrument: INDEX, quantity: AMOUNT, price: AMOUNT })
const ENTRIES = list(ENTRY, 3)
const PAGE = {
  kind: oneOf('trade', 'withdrawal', 'rotation'),
  counterparty: INDEX,
  stamp: COUNT,
  maxFee: COUNT,
  payload: FIELD,
  entries: ENTRIES,
  previousHead: FIELD,
  signature: SIGNATURE,
}

const RECEIPT = form(
  { head: FIELD, time: SECONDS, signature: text('^0x[0-9a-f]{130}$') },
  'EIP-191 signature of the operator under "cloister receipt DOMAIN ACCOUNT HEAD TIME"',
)
const STATE = oneOf('proposed', 'stamped', 'accepted', 'batched', 'proven', 'final', 'refused')
const TRADE = form({
  id: TRADE_ID,
  clientId: WORD,
  state: STATE,
  stamp: COUNT,
  payload: FIELD,
  batch: orNull(COUNT),
  role: oneOf('proposer', 'counterparty'),
  counterparty: INDEX,
  entries: ENTRIES,
  isSigned: TRUTH,
  receipt: orNull(RECEIPT),
  refused: orNull(WORD),
})
const PAGE_ANSWER = form({ head: FIELD, complete: TRUTH, receipt: orNull(RECEIPT) })
const HOLDINGS = form({
  cash: AMOUNT,
  balances: list(form({ id: INDEX, quantity: AMOUNT })),
})
const BATCH = form({ number: COUNT, shape: WORD, root: FIELD, accounts: INDEX, gas: COUNT })
const EVENT: Schema = {
  type: 'object',
  required: ['kind'],
  properties: { kind: oneOf('trade', 'page', 'leaf', 'resign', 'batch', 'table', 'mode') },
}
const EVENTS = form({
  events: list(
    form({
      sequence: INDEX,
      at: { type: 'integer', minimum: 0, description: 'milliseconds since 1970' },
      event: EVENT,
    }),
  ),
  last: INDEX,
})

/** Requests. */
export const BODIES = {
  nothing: form({}),
  session: form({
    account: INDEX,
    publicKey: text('^[0-9a-f]{64}$', 'an Ed25519 key'),
    time: SECONDS,
    instance: text('^[0-9a-f]{32}$'),
    signature: SIGNATURE,
  }),
  countersign: form({ l1Owner: ADDRESS, key: POINT, viewKey: FIELD }),
  deposit: form({ account: INDEX, secret: FIELD }),
  proposal: form({ clientId: CLIENT_ID, counterparty: INDEX, entries: ENTRIES, payload: FIELD }),
  page: form({
    clientId: CLIENT_ID,
    'ticket?': TRADE_ID,
    ...PAGE,
    'rotation?': form({ key: POINT, viewKey: FIELD }),
  }),
  resign: form({ pages: list(form(PAGE), 512) }),
  margin: form({ entries: ENTRIES }),
} as const

/** Of addresses and their questions; there everything is text. */
const NUMBER = text('^(0|[1-9][0-9]{0,9})$')
export const PARAMS = {
  trade: form({ id: TRADE_ID }),
  page: form({ clientId: CLIENT_ID }),
  batch: form({ number: NUMBER }),
  head: form({ head: FIELD }),
} as const
export const QUERIES = {
  events: form({ 'after?': NUMBER, 'wait?': text('^([0-9]|[12][0-9]|30)$', 'seconds') }),
  trades: form({ 'after?': TRADE_ID, 'open?': oneOf('true') }),
  batches: form({ 'after?': NUMBER }),
} as const

/** Answers. */
export const ANSWERS = {
  status: form({
    contract: ADDRESS,
    token: ADDRESS,
    chainId: COUNT,
    domain: FIELD,
    operator: ADDRESS,
    fee: COUNT,
    batchNumber: COUNT,
    tableNumber: COUNT,
    mode: oneOf('normal', 'reduceOnly'),
    rpcUrl: WORD,
    shapes: list(WORD),
    developmentKeys: TRUTH,
    instance: WORD,
  }),
  health: form({ alive: TRUTH }),
  ready: form({ ready: TRUTH }),
  conditions: form({ time: COUNT, fee: COUNT, mode: oneOf('normal', 'reduceOnly'), table: COUNT }),
  table: form({
    number: COUNT,
    root: FIELD,
    rows: list(form({ id: INDEX, status: WORD, addOn: AMOUNT, values: list(AMOUNT) })),
  }),
  batches: form({ batches: list(BATCH), last: COUNT }),
  batch: BATCH,
  countersigned: form({ signature: WORD }),
  shown: form({ shown: TRUTH }),
  session: form({ session: text('^[0-9a-f]{32}$'), until: SECONDS }),
  ended: form({ ended: TRUTH }),
  account: form({
    account: INDEX,
    resign: list(FIELD),
    settledHead: orNull(FIELD),
    head: orNull(FIELD),
    pending: INDEX,
    settled: orNull(HOLDINGS),
    projected: orNull(HOLDINGS),
    events: { ...INDEX, description: 'number of the last event' },
  }),
  margin: form({
    admissible: TRUTH,
    refused: orNull(WORD),
    before: orNull(list(AMOUNT)),
    after: orNull(list(AMOUNT)),
  }),
  proof: form({
    account: INDEX,
    batch: COUNT,
    root: FIELD,
    leaf: FIELD,
    path: list(list(FIELD)),
  }),
  trade: TRADE,
  trades: form({ trades: list(TRADE), next: orNull(WORD) }),
  pageAnswer: PAGE_ANSWER,
  page: form({
    clientId: WORD,
    kind: oneOf('trade', 'withdrawal', 'rotation'),
    ticket: orNull(WORD),
    state: STATE,
    batch: orNull(COUNT),
    head: orNull(FIELD),
    receipt: orNull(RECEIPT),
    refused: orNull(WORD),
  }),
  receipt: form({ account: INDEX, head: FIELD, time: SECONDS, signature: WORD, domain: FIELD }),
  events: EVENTS,
} as const

export const ERROR = {
  $id: 'Error',
  ...form(
    {
      error: form({
        code: { type: 'string', description: 'stable: a rule of the law or a code of the API' },
        detail: WORD,
      }),
    },
    `Codes of the API: ${Object.keys(API_ERRORS).join(', ')}. Any other is the name of a rule.`,
  ),
}
