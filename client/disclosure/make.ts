/** A grant from a member's seed and L1: which batches it covers and which keys open them. */
import { FIRST_MEMBER_INDEX } from '../../circuits/params.ts'
import type { SigningKey } from '../../circuits/eddsa.ts'
import type { KeyRing } from '../key-ring.ts'
import type { BatchSummary, Rebuilt } from '../l1/ledger.ts'
import { openEach, visitsOf, type OpenVisit, type Visit } from '../l1/own-account.ts'
import { OpenError } from '../l1/open.ts'
import type { EventLog } from '../l1/event-log.ts'
import { listOf, type GrantBody, type Period } from './grant.ts'

/** Nothing could be granted as it was asked for; the message says what to ask instead. */
export class GrantAskError extends Error {}

const DAY_SECONDS = 86_400n

/**
 * The batches of a period. Each end is a batch number, or a time: a date in UTC (to: its whole day)
 * or a moment like 2026-01-31T12:00:00Z. `now` in seconds.
 */
export function periodOf(
  batches: readonly BatchSummary[],
  from: string,
  to: string,
  now: bigint,
): Period {
  const latest = batches.at(-1)
  if (latest === undefined) throw new GrantAskError('the house has no batch yet')
  const first = endOf(from, '--from')
  const last = endOf(to, '--to')
  if (last.batch !== null && last.batch > latest.number)
    throw new GrantAskError(
      `batch ${last.batch} does not exist yet: the latest is ${latest.number}`,
    )
  // L1's clock may be ahead of this machine's: a local day sets it forward.
  const clock = latest.time > now ? latest.time : now
  if (last.time !== null && last.time > clock)
    throw new GrantAskError(
      `--to ${to} is not over, or lies ahead: the keys of batches to come do not exist yet; ` +
        `the last batch that there is: --to ${latest.number}`,
    )
  const inside = batches.filter(
    ({ number, time }) =>
      (first.batch === null ? time >= (first.time ?? 0n) : number >= first.batch) &&
      (last.batch === null ? time < (last.time ?? 0n) : number <= last.batch),
  )
  const [begin, end] = [inside[0], inside.at(-1)]
  if (begin === undefined || end === undefined)
    throw new GrantAskError(`no batch lies between ${from} and ${to}`)
  return { from: begin.number, to: end.number, asked: `${from} to ${to}` }
}

/** Times are the first second that counts (from) and the first that does not (to). */
function endOf(text: string, option: '--from' | '--to') {
  if (/^[1-9]\d{0,14}$/.test(text)) return { batch: BigInt(text), time: null }
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$/.test(text)
  const time = isDate || isMoment ? Date.parse(isDate ? `${text}T00:00:00Z` : text) : NaN
  // Date.parse takes 31 February for a day in March; no grant is to rest on that.
  const isReal = !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 10))
  if (!isReal)
    throw new GrantAskError(
      `${option} is a batch number, a date (2026-01-31, UTC) or a time (2026-01-31T12:00Z), ` +
        `not "${text}"`,
    )
  const seconds = BigInt(time / 1000)
  if (option === '--from') return { batch: null, time: seconds }
  return { batch: null, time: isDate ? seconds + DAY_SECONDS : seconds + 1n }
}

export type Made = {
  readonly body: Omit<GrantBody, 'log'>
  readonly signer: SigningKey
  readonly opened: readonly OpenVisit[]
}

/**
 * The keys that open the account in the period; each has just opened its batch, and no other batch is
 * needed. Throws GrantAskError, and OpenError where batches of the period were under keys of others.
 */
export function makeGrant(
  chain: { readonly rebuilt: Rebuilt; readonly log: EventLog; readonly chainId: bigint },
  contract: string,
  ring: KeyRing,
  account: number,
  period: Period,
  details: { readonly purpose: string; readonly issuedAt: string },
): Made {
  const { rebuilt, log, chainId } = chain
  if (account < FIRST_MEMBER_INDEX) throw new GrantAskError('house accounts grant nothing')
  const until = visitsOf(rebuilt, log, account).filter(
    ({ touch }) => touch.batchNumber <= period.to,
  )
  const before = until.filter(({ touch }) => touch.batchNumber < period.from).slice(-1)
  const inside = until.filter(({ touch }) => touch.batchNumber >= period.from)
  const due = [...before, ...inside]
  const granted = allOpen(due, openEach(rebuilt, until, due, ring), period)
  const last = granted.at(-1)
  if (last === undefined)
    throw new GrantAskError(
      `no batch up to ${period.to} has touched account ${account}: there is nothing to disclose`,
    )
  if (last.ownerRotation === 'L1')
    throw new GrantAskError(
      `the owner key of account ${account} as of batch ${last.touch.batchNumber} does not follow ` +
        'from this seed, and a grant is signed with it',
    )
  const keys = granted.map(({ touch, batchKey, account: opened }) => ({
    batch: touch.batchNumber,
    batchNonce: touch.batchNonce,
    isBefore: touch.batchNumber < period.from,
    batchKey,
    ownerKeyHash: opened.ownerKeyHash,
    viewKeyHash: opened.viewKeyHash,
  }))
  return {
    body: { ...details, account, chainId, contract, period, keys },
    signer: ring.at(last.ownerRotation).signing,
    opened: granted,
  }
}

/** A reader holds a grant against L1, which has all batches of the period: all open, or there is none. */
function allOpen(
  due: readonly Visit[],
  tried: readonly (OpenVisit | OpenError)[],
  period: Period,
): readonly OpenVisit[] {
  const first = tried.find((one) => one instanceof OpenError)
  if (first === undefined) return tried.flatMap((one) => (one instanceof OpenError ? [] : [one]))
  const batches = due.map(({ touch }) => touch.batchNumber)
  const shut = batches.filter((_, i) => tried[i] instanceof OpenError)
  const [inside, before] = [
    shut.filter((batch) => batch >= period.from),
    shut.filter((batch) => batch < period.from),
  ]
  const what = [
    ...(inside.length === 0
      ? []
      : [`${inside.length === 1 ? 'batch' : 'batches'} ${listOf(inside)} of the period`]),
    ...before.map((batch) => `batch ${batch}, which left what the account held when it began`),
  ]
  const again = batches.find((batch) => batch > (shut.at(-1) ?? 0n))
  const ways = [
    ...(tried[0] === first ? [] : [`ends before batch ${shut[0]}`]),
    `begins after ${again === undefined ? 'the next batch that it opens' : `batch ${again}`}`,
  ]
  throw new OpenError(
    `this seed does not open ${what.join(', nor ')}: the account was under other keys then, or the node ` +
      `altered its words. Ask for a period that ${ways.join(', or one that ')} (${first.message})`,
    first.batch,
  )
}
