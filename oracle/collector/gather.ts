/** Gathers the word of M of N signers; none of them is believed further than its signature. */
import { medianPerpetuals, type FundingBase } from '../signer/accrual.ts'
import { agreed } from '../signer/agreement.ts'
import { InputError, objectOf, textOf } from '../signer/canonical.ts'
import { decimalOfMicro, medianOf, microOf } from '../signer/decimal.ts'
import {
  marketBytes,
  readMarket,
  type InstrumentSpec,
  type MarketDocument,
} from '../signer/engine.ts'
import {
  readSettling,
  settlingKey,
  withSettling,
  type SettlingState,
} from '../signer/market-document.ts'
import {
  confirmationDigest,
  settlementDigest,
  settlementReportFrom,
  signerOf,
  stringify,
  tableDigest,
  tableReportFrom,
  type Domain,
  type SettlementReport,
  type TableReport,
} from '../signer/report.ts'
import { type SettledValue } from '../signer/register.ts'
import {
  readSettlement,
  settlementBytes,
  type FallbackDocument,
  type SettlementDocument,
} from '../signer/settlement.ts'
import { keptIn, medianSettling, windowsBegun } from '../signer/settling.ts'
import { boundedText, checkUrl } from '../signer/sources.ts'

export type Peer = {
  readonly url: string
  readonly address: string
  /** What the signer wants to be shown. */
  readonly token?: string
}
export type Limits = { readonly timeoutMs: number; readonly bytes: number }
export const LIMITS: Limits = { timeoutMs: 10_000, bytes: 256 * 1024 }

/** What came of asking one signer. */
export type Answer =
  | { readonly peer: Peer; readonly digest: string }
  | { readonly peer: Peer; readonly problem: string }
export type Gathered<T> = {
  readonly report: T
  readonly digest: string
  /** In ascending order of signer, as the contract wants them. */
  readonly signatures: readonly string[]
  readonly answers: readonly Answer[]
}
/** Too few said the same thing; the answers say what each said. */
export class NoQuorum extends Error {
  readonly answers: readonly Answer[]
  constructor(what: string, answers: readonly Answer[]) {
    const said = answers.map((one) => `${one.peer.address.slice(0, 8)}: ${wordOf(one)}`)
    super(`${what} (${said.join('; ')})`)
    this.answers = answers
  }
}
/**
 * Whether the next table goes without the averages that failed: some do not know one, or know another.
 * Never twice in a row: what a signer answers is its own choice, and one table without that finds no
 * quorum either would else be followed by the same for as long as one of them likes.
 */
export function goesBare(error: unknown, wasBare: boolean): boolean {
  const isOfAverage = (answer: Answer): boolean =>
    'problem' in answer && /^(AverageMust|ProposalMustBeNear: average )/.test(answer.problem)
  return !wasBare && error instanceof NoQuorum && error.answers.some(isOfAverage)
}

const wordOf = (answer: Answer): string =>
  'digest' in answer ? answer.digest.slice(0, 10) : answer.problem

export async function ask(
  peer: Peer,
  path: string,
  body: unknown,
  limits: Limits = LIMITS,
): Promise<unknown> {
  const url = new URL(path, checkUrl(peer.url))
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(limits.timeoutMs),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(peer.token === undefined ? {} : { authorization: `Bearer ${peer.token}` }),
    },
    ...(body === undefined ? {} : { method: 'POST', body: stringify(body) }),
  })
  const text = await boundedText(response, limits.bytes, url.host)
  const value: unknown = JSON.parse(text)
  if (response.status === 200) return value
  const { message } = (value ?? {}) as { message?: unknown }
  throw new InputError(typeof message === 'string' ? message.slice(0, 300) : `${response.status}`)
}

type Signed<T> = { readonly peer: Peer; readonly digest: string; readonly report: T } & {
  readonly signature: string
}

/** Asks all at once, checks each signature against what was sent with it, groups by digest. */
async function signed<T>(
  peers: readonly Peer[],
  quorum: number,
  what: string,
  query: (peer: Peer) => Promise<unknown>,
  read: (value: unknown) => { readonly report: T; readonly digest: string },
  signedDigest: (digest: string) => string = (digest) => digest,
): Promise<Gathered<T>> {
  const results = await Promise.allSettled(
    peers.map(async (peer): Promise<Signed<T>> => {
      const given = objectOf(
        await query(peer),
        ['signer', 'report', 'digest', 'signature'],
        'the answer',
      )
      // The digest that counts is the one of the report that was sent, not the one it claims.
      const { report, digest } = read(given['report'])
      const signature = textOf(given['signature'], 'signature')
      if (signerOf(signedDigest(digest), signature) !== peer.address) {
        throw new InputError('the signature must be its own')
      }
      return { peer, report, digest, signature }
    }),
  )
  const good: Signed<T>[] = []
  const answers = results.map((result, i): Answer => {
    const peer = peers[i] as Peer
    if (result.status === 'rejected') return { peer, problem: reasonOf(result.reason) }
    good.push(result.value)
    return { peer, digest: result.value.digest }
  })
  const groups = new Map<string, Signed<T>[]>()
  for (const one of good) groups.set(one.digest, [...(groups.get(one.digest) ?? []), one])
  // A quorum is more than half, so at most one group has it.
  const group = [...groups.values()].find((list) => list.length >= quorum)
  if (group === undefined)
    throw new NoQuorum(`${quorum} signers must say the same ${what}`, answers)
  const inOrder = [...group].sort((a, b) =>
    BigInt(a.peer.address) < BigInt(b.peer.address) ? -1 : 1,
  )
  const [{ report, digest }] = inOrder as [Signed<T>]
  return { report, digest, signatures: inOrder.map(({ signature }) => signature), answers }
}

function reasonOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason)
  if (reason.name === 'TimeoutError') return 'no answer in time'
  // What a peer sends may be in it: it must not fill the log of who asked.
  return reason.message === 'fetch failed' ? 'no connection' : reason.message.slice(0, 300)
}

export type TableRequest = {
  readonly domain: Domain
  readonly quorum: number
  readonly number: bigint
  readonly time: number
  /** Ids that the contract lists. */
  readonly rows: readonly number[]
  /** What funding from quotes goes on from, and the specifications; none of it is needed without. */
  readonly base?: FundingBase | null
  readonly instruments?: readonly InstrumentSpec[]
  /** Whether, by L1's clock, a window of these rows has begun: the market's is not known beforehand. */
  readonly isSettling?: boolean
  /** Averages of whole windows that L1 carries, by key. */
  readonly pins?: ReadonlyMap<string, string>
  /** No averages but those: where too few know another, the round after goes on without. */
  readonly isBare?: boolean
  readonly limits?: Limits
}

/**
 * Two rounds: what does each see; then who signs the table of the median. A signer signs only
 * what is near its own eyes, so a collector that lies about the median gets no signatures.
 */
export async function gatherTable(
  peers: readonly Peer[],
  request: TableRequest,
): Promise<Gathered<TableReport>> {
  const { domain, quorum, number, time, rows, limits } = request
  // Both questions at once: who lets each wait for its end would make the time of the report old.
  const averages = askAverages(peers, request)
  const seen = await Promise.allSettled(
    peers.map(async (peer) => {
      const answer = await ask(peer, `/observation/${time}`, undefined, limits)
      const { market } = answer as { market?: never }
      return readMarket(marketBytes(market as unknown as MarketDocument))
    }),
  )
  const markets = seen.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (markets.length < quorum) {
    const answers = seen.map((one, i): Answer => {
      const peer = peers[i] as Peer
      return one.status === 'fulfilled'
        ? { peer, problem: 'saw the market' }
        : { peer, problem: reasonOf(one.reason) }
    })
    throw new NoQuorum(`${quorum} signers must see the market`, answers)
  }
  const { base = null, instruments = [] } = request
  const median = medianMarket(markets, base, instruments)
  const settling = settlingOf(await averages, request, median)
  const proposal = marketBytes(withSettling(median, settling))
  return signed(
    peers,
    quorum,
    'table',
    (peer) => ask(peer, '/report', { number, time, rows, proposal }, limits),
    (value) => {
      const report = tableReportFrom(value)
      if (report.market !== proposal) throw new InputError('the market must be the proposed one')
      if (report.number !== number || report.time !== BigInt(time)) {
        throw new InputError('number and time must be those asked for')
      }
      return { report, digest: tableDigest(domain, report) }
    },
  )
}

/** What each says of windows; nobody is asked where none has begun. */
async function askAverages(
  peers: readonly Peer[],
  { time, rows, isSettling = false, isBare = false, limits }: TableRequest,
): Promise<readonly unknown[]> {
  if (isBare || !isSettling) return []
  const answers = await Promise.allSettled(
    peers.map((peer) => ask(peer, '/settling', { time, rows }, limits)),
  )
  return answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

/** The averages to propose of windows that have begun. */
function settlingOf(
  answers: readonly unknown[],
  { quorum, rows, instruments = [], pins = new Map(), isBare = false }: TableRequest,
  market: MarketDocument,
): readonly SettlingState[] {
  const idOf = (name: string) => market.underlyings.find((one) => one.name === name)?.id
  const specs = instruments.filter(({ id }) => rows.includes(id))
  const windows = windowsBegun(specs, idOf, market.time)
  const keys = new Set(windows.map(settlingKey))
  const kept = keptIn(windows, market.time, pins)
  if (isBare) return kept
  const known = answers.flatMap((answer): (readonly SettlingState[])[] => {
    try {
      const { settling } = (answer ?? {}) as { settling?: unknown }
      // Of other windows than the rows have it could say what it likes.
      return [readSettling(settling, market.time).filter((one) => keys.has(settlingKey(one)))]
    } catch (error) {
      if (error instanceof InputError) return []
      throw error
    }
  })
  return medianSettling(known, quorum, kept)
}

/**
 * The median of each price among those that agree on all the rest, the time included; the largest
 * such group. So one that lies about anything but a price is alone, wherever it stands in the list.
 */
export function medianMarket(
  markets: readonly MarketDocument[],
  base: FundingBase | null = null,
  instruments: readonly InstrumentSpec[] = [],
): MarketDocument {
  const groups = new Map<string, MarketDocument[]>()
  for (const market of markets) {
    const policy = `${market.time} ${agreed(market)}`
    groups.set(policy, [...(groups.get(policy) ?? []), market])
  }
  const [group] = [...groups.values()].sort((a, b) => b.length - a.length)
  const [first] = group as [MarketDocument]
  const underlyings = first.underlyings.map((one, i) => {
    const spots = (group as MarketDocument[]).map(({ underlyings: all }) =>
      microOf(all[i]?.spot ?? '', 'spot'),
    )
    return { ...one, spot: decimalOfMicro(medianOf(spots)) }
  })
  const market = { ...withSettling(first, []), underlyings }
  const perpetuals = medianPerpetuals(market, group as MarketDocument[], base, instruments)
  return { ...market, perpetuals }
}

/** Asks for a second look at an indicative report. */
export function gatherConfirmation(
  peers: readonly Peer[],
  request: {
    readonly domain: Domain
    readonly quorum: number
    readonly report: TableReport
    readonly time: number
    readonly limits?: Limits
  },
): Promise<Gathered<string>> {
  const { domain, quorum, report, time, limits } = request
  const expected = tableDigest(domain, report)
  return signed(
    peers,
    quorum,
    'confirmation',
    (peer) => ask(peer, '/confirmation', { report, time }, limits),
    (value) => {
      if (value !== expected) throw new InputError('the report must be the one asked about')
      return { report: expected, digest: expected }
    },
    (digest) => confirmationDigest(domain, digest),
  )
}

/**
 * The median of each average that a quorum knows, under one name and in one window; so a lie about
 * either is alone, and what too few saw is left out. Null: a quorum knows none.
 */
export function medianSettlement(
  documents: readonly SettlementDocument[],
  quorum: number,
): SettlementDocument | null {
  const windows = groupsOf(documents, (one) => `${one.windowStart} ${one.windowEnd}`)
  const group = windows.find((list) => list.length >= quorum)
  const [first] = group ?? []
  if (group === undefined || first === undefined) return null
  const all = group.flatMap(({ underlyings }) => underlyings)
  const underlyings = groupsOf(all, ({ id, name }) => `${id} ${name}`)
    .filter((list) => list.length >= quorum)
    .map((list) => {
      const { id, name } = list[0] as SettlementDocument['underlyings'][number]
      const prices = list.map(({ price }) => microOf(price, 'price'))
      return { id, name, price: decimalOfMicro(medianOf(prices)) }
    })
    .sort((a, b) => a.id - b.id)
  return underlyings.length === 0 ? null : { ...first, underlyings }
}

export function groupsOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return [...groups.values()]
}

/** The same two rounds for the averages of a window and the values that follow. */
export async function gatherSettlement(
  peers: readonly Peer[],
  request: {
    readonly domain: Domain
    readonly quorum: number
    readonly serial: bigint
    /** What of the expiry can be settled at these prices; what cannot waits. */
    readonly idsAt: (document: SettlementDocument) => readonly number[]
    readonly settled: readonly SettledValue[]
    /** Of L1's clock. */
    readonly window: readonly [number, number]
    readonly isConfirmation?: boolean
    /** Averages of this window that L1 carries, by id of the underlying. */
    readonly kept?: ReadonlyMap<number, string>
    /** To be signed in place of the median of averages. */
    readonly fallback?: FallbackDocument
    readonly limits?: Limits
  },
): Promise<Gathered<SettlementReport>> {
  const { quorum, window, limits, kept = new Map<number, string>() } = request
  const median = request.fallback ?? (await medianOfWindow(peers, quorum, window, limits))
  if (request.fallback !== undefined || !median.underlyings.some(({ id }) => kept.has(id)))
    return signedSettlement(peers, request, median)
  // Whoever has read L1 signs what that has, and nothing near it; unless all see it far off.
  const underlyings = median.underlyings.map((one) => ({
    ...one,
    price: kept.get(one.id) ?? one.price,
  }))
  try {
    return await signedSettlement(peers, request, { ...median, underlyings })
  } catch (error) {
    if (!(error instanceof NoQuorum)) throw error
    return signedSettlement(peers, request, median)
  }
}

function signedSettlement(
  peers: readonly Peer[],
  request: Parameters<typeof gatherSettlement>[1],
  document: SettlementDocument,
): Promise<Gathered<SettlementReport>> {
  const { domain, quorum, serial, settled, window, limits } = request
  const isConfirmation = request.isConfirmation ?? false
  const ids = request.idsAt(document)
  if (ids.length === 0) throw new NoQuorum('something must settle at the averages of a quorum', [])
  const proposal = settlementBytes(document)
  const body = { serial, ids, settled, window, proposal, isConfirmation }
  return signed(
    peers,
    quorum,
    'settlement',
    (peer) => ask(peer, '/settlement', body, limits),
    (value) => {
      const report = settlementReportFrom(value)
      if (report.data !== proposal) throw new InputError('the averages must be the proposed ones')
      return { report, digest: settlementDigest(domain, report) }
    },
    (digest) => (isConfirmation ? confirmationDigest(domain, digest) : digest),
  )
}

async function medianOfWindow(
  peers: readonly Peer[],
  quorum: number,
  window: readonly [number, number],
  limits: Limits | undefined,
): Promise<SettlementDocument> {
  const seen = await Promise.allSettled(
    peers.map(async (peer) => {
      const path = `/averages/${window[0]}/${window[1]}`
      const { document } = (await ask(peer, path, undefined, limits)) as { document?: never }
      return readSettlement(settlementBytes(document as never))
    }),
  )
  const documents = seen.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const median = medianSettlement(documents, quorum)
  if (median === null) throw new NoQuorum(`${quorum} signers must know the window`, [])
  return median
}
