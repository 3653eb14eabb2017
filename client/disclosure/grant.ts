/**
 * A grant: the keys of one account for the batches of one period, in a file that says in words what
 * it opens. A batch key opens one account in one batch; no other key follows from it.
 */
import { documentHash } from '../../circuits/document.ts'
import { ownerKeyHash } from '../../circuits/account.ts'
import { sign, verify, type Point, type SigningKey } from '../../circuits/eddsa.ts'
import { ACCOUNT_UPPER_BOUND, FIELD_MODULUS, FIRST_MEMBER_INDEX } from '../../circuits/params.ts'
import { domainOf } from '../l1/batch-words.ts'
import { isRecord } from '../l1/codec.ts'

export type GrantKey = {
  readonly batch: bigint
  readonly batchNonce: bigint
  /** The last touch before the period: it shows what the account held when the period began. */
  readonly isBefore: boolean
  readonly batchKey: bigint
  readonly ownerKeyHash: bigint
  readonly viewKeyHash: bigint
}
/** Batches first and last, both included, and what was asked for in words. */
export type Period = {
  readonly from: bigint
  readonly to: bigint
  readonly asked: string
}
export type GrantBody = {
  readonly purpose: string
  readonly account: number
  readonly chainId: bigint
  readonly contract: string
  readonly period: Period
  readonly keys: readonly GrantKey[]
  /** ISO 8601, by the member's clock. */
  readonly issuedAt: string
  /** Its place in the member's log of grants, and the hash of the entry before it. */
  readonly log: { readonly number: number; readonly previous: string }
}
export type Grant = GrantBody & {
  readonly signer: Point
  readonly signature: { readonly r: Point; readonly s: bigint }
}

/** The file is not a grant, was altered, or does not fit what L1 says; the message says which. */
export class GrantError extends Error {
  /** The batch whose words do not fit the grant, where it is one batch. */
  readonly batch: bigint | null
  constructor(message: string, batch: bigint | null = null) {
    super(message)
    this.batch = batch
  }
}

const FORMAT = 'cloister.grant.v1'
const TEXT_LIMIT = 1_000
const FILE_LIMIT = 50_000_000

/** One paragraph for people: what the file opens and what it does not. */
export function wordsOf({ account, chainId, contract, period, keys }: GrantBody): string {
  const inside = keys.filter(({ isBefore }) => !isBefore)
  const before = keys.find(({ isBefore }) => isBefore)
  const touched =
    inside.length === 0
      ? 'which no batch of the period touched'
      : `as ${inside.length === 1 ? 'batch' : 'batches'} ${listOf(inside.map((k) => k.batch))} left it`
  return (
    `Opens account ${account} of the house ${contract} on chain ${chainId}, ${touched}` +
    (before === undefined ? '' : `, and as batch ${before.batch}, the last before, had left it`) +
    ': every balance, the journal head, the status. The period is batches ' +
    `${period.from} to ${period.to}. It opens no other batch, no other account, and signs nothing. ` +
    'Whoever has this file can read that much: keep it as you would keep the statements.'
  )
}

/** Few numbers one by one, many by the first and the last. */
export function listOf(numbers: readonly bigint[]): string {
  if (numbers.length <= 6) return numbers.join(', ')
  return `${numbers[0]} to ${numbers.at(-1)} (${numbers.length} of them)`
}

/** The signed text: JSON of the fields in one order, so that spaces and order do not matter. */
export function grantText(body: GrantBody): string {
  return JSON.stringify(plain(body))
}

function plain(body: GrantBody) {
  const { purpose, account, chainId, contract, period, keys, issuedAt, log } = body
  return {
    format: FORMAT,
    opens: wordsOf(body),
    purpose,
    account,
    chainId: `${chainId}`,
    contract,
    domain: `${domainOf(chainId, contract)}`,
    period: { from: `${period.from}`, to: `${period.to}`, asked: period.asked },
    keys: keys.map((key) => ({
      batch: `${key.batch}`,
      batchNonce: `${key.batchNonce}`,
      isBefore: key.isBefore,
      batchKey: `${key.batchKey}`,
      ownerKeyHash: `${key.ownerKeyHash}`,
      viewKeyHash: `${key.viewKeyHash}`,
    })),
    issuedAt,
    log: { number: log.number, previous: log.previous },
  }
}

/** A document, and thus no journal head and no request: it cannot be used as either. */
function messageOf(body: GrantBody): bigint {
  return documentHash(`cloister grant\n${grantText(body)}`)
}

export function signGrant(body: GrantBody, key: SigningKey): Grant {
  return { ...body, signer: key.publicKey, signature: sign(key, messageOf(body)) }
}

export function renderGrant(grant: Grant): string {
  const { signer, signature } = grant
  const point = ({ x, y }: Point) => ({ x: `${x}`, y: `${y}` })
  const file = {
    ...plain(grant),
    signer: point(signer),
    signature: { r: point(signature.r), s: `${signature.s}` },
  }
  return `${JSON.stringify(file, null, 1)}\n`
}

/** Throws GrantError on whatever is not, to the letter, a grant that its signer signed. */
export function parseGrant(text: string): Grant {
  if (text.length > FILE_LIMIT) throw new GrantError('the file is too large for a grant')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new GrantError('the file is no JSON: is it a grant, and all of it?')
  }
  if (!isRecord(json) || json['format'] !== FORMAT)
    throw new GrantError(`the file is no grant (format ${FORMAT})`)
  const grant = grantOf(json)
  const again = JSON.stringify(JSON.parse(renderGrant(grant)))
  const given = JSON.stringify(reordered(json, JSON.parse(again) as unknown))
  if (given !== again) throw new GrantError(differenceOf(json, grant))
  checkKeys(grant)
  if (!verify(grant.signer, messageOf(grant), grant.signature))
    throw new GrantError('the signature does not fit: the grant was altered after it was made')
  const last = grant.keys.at(-1)
  if (ownerKeyHash(grant.signer) !== last?.ownerKeyHash)
    throw new GrantError(
      `the signer is not the owner of account ${grant.account} as of batch ${last?.batch}`,
    )
  return grant
}

/** The same fields in the order of `like`; what `like` lacks stays and shows. */
function reordered(value: unknown, like: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown, i) => reordered(item, Array.isArray(like) ? like[i] : null))
  if (!isRecord(value) || !isRecord(like)) return value
  const names = [...Object.keys(like), ...Object.keys(value).filter((n) => !(n in like))]
  return Object.fromEntries(
    names.filter((n) => n in value).map((n) => [n, reordered(value[n], like[n])]),
  )
}

function differenceOf(json: Record<string, unknown>, grant: Grant): string {
  if (json['opens'] !== wordsOf(grant))
    return 'what the file says it opens is not what its keys open: it was altered'
  if (json['domain'] !== `${domainOf(grant.chainId, grant.contract)}`)
    return 'the domain does not follow from chain and contract: the file was altered'
  return 'the file has fields or forms that a grant does not have: it was altered'
}

function grantOf(json: Record<string, unknown>): Grant {
  const log = record(json['log'], 'log')
  const period = record(json['period'], 'period')
  const signature = record(json['signature'], 'signature')
  if (!Array.isArray(json['keys'])) throw new GrantError('the grant has no keys')
  return {
    purpose: text(json['purpose'], 'purpose'),
    account: whole(json['account'], 'account', FIRST_MEMBER_INDEX, ACCOUNT_UPPER_BOUND),
    chainId: big(json['chainId'], 'chainId', 1n << 256n),
    contract: address(json['contract']),
    period: {
      from: big(period['from'], 'period.from', 1n << 64n),
      to: big(period['to'], 'period.to', 1n << 64n),
      asked: text(period['asked'], 'period.asked'),
    },
    keys: json['keys'].map((key: unknown, i) => keyOf(record(key, `keys[${i}]`), `keys[${i}]`)),
    issuedAt: text(json['issuedAt'], 'issuedAt'),
    log: {
      number: whole(log['number'], 'log.number', 1, Number.MAX_SAFE_INTEGER),
      previous: text(log['previous'], 'log.previous'),
    },
    signer: point(json['signer'], 'signer'),
    signature: {
      r: point(signature['r'], 'signature.r'),
      s: big(signature['s'], 'signature.s', FIELD_MODULUS),
    },
  }
}

function keyOf(key: Record<string, unknown>, where: string): GrantKey {
  if (typeof key['isBefore'] !== 'boolean') throw new GrantError(`${where}.isBefore is no boolean`)
  const field = (name: string): bigint => big(key[name], `${where}.${name}`, FIELD_MODULUS)
  return {
    batch: big(key['batch'], `${where}.batch`, 1n << 64n),
    batchNonce: field('batchNonce'),
    isBefore: key['isBefore'],
    batchKey: field('batchKey'),
    ownerKeyHash: field('ownerKeyHash'),
    viewKeyHash: field('viewKeyHash'),
  }
}

/** One key a batch, ascending, all within the period but one before it. */
function checkKeys({ keys, period }: Grant): void {
  if (keys.length === 0) throw new GrantError('the grant has no keys')
  if (period.from > period.to) throw new GrantError('the period ends before it begins')
  keys.forEach(({ batch, isBefore }, i) => {
    const isInside = batch >= period.from && batch <= period.to
    if (isBefore ? i !== 0 || batch >= period.from : !isInside)
      throw new GrantError(`the key of batch ${batch} lies outside the period`)
    const previous = keys[i - 1]
    if (previous !== undefined && previous.batch >= batch)
      throw new GrantError(`batch ${batch} comes after batch ${previous.batch}`)
  })
}

/** A text that a grant can have. */
export function isLine(text: string): boolean {
  return text.length <= TEXT_LIMIT && !/[\p{Cc}\u2028\u2029]/u.test(text)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value
  throw new GrantError(`${what} is missing`)
}
function text(value: unknown, what: string): string {
  // A second line of a member's could be read as one of the statement that it is shown in.
  if (typeof value === 'string' && isLine(value)) return value
  throw new GrantError(`${what} must be one line of at most ${TEXT_LIMIT} characters`)
}
function whole(value: unknown, what: string, from: number, end: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value < end)
    return value
  throw new GrantError(`${what} must be a whole number from ${from} and below ${end}`)
}
function big(value: unknown, what: string, end: bigint): bigint {
  if (typeof value === 'string' && /^(0|[1-9]\d{0,77})$/.test(value) && BigInt(value) < end)
    return BigInt(value)
  throw new GrantError(`${what} must be a decimal number of bounded size`)
}
function point(value: unknown, what: string): Point {
  const { x, y } = record(value, what)
  return { x: big(x, `${what}.x`, FIELD_MODULUS), y: big(y, `${what}.y`, FIELD_MODULUS) }
}
function address(value: unknown): string {
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{40}$/.test(value)) return value
  throw new GrantError('contract must be an address')
}
