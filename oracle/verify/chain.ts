/** What L1 says of an oracle: its events in order, and what they add up to. */
import { Contract, Interface, type AbstractProvider, type LogDescription } from '../ethers.ts'
import type { FundingBase } from '../signer/accrual.ts'
import type { Bindings } from '../signer/binding.ts'
import { documentHash, InputError } from '../signer/canonical.ts'
import { readMarket } from '../signer/market-document.ts'
import type { SettlementReport } from '../signer/report.ts'
import type { SettledValue } from '../signer/register.ts'
import type { ReferenceTable } from '../signer/settlement.ts'
import { ORACLE_ABI } from './abi.ts'

export type ChainEvent = {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly block: number
  readonly index: number
  readonly transaction: string
}
export type PostedTable = {
  readonly number: bigint
  readonly time: bigint
  readonly isConfirmed: boolean
  readonly digest: string
  readonly tableRoot: bigint
  readonly worldsHash: string
  readonly instrumentsHash: string
  readonly references: readonly { readonly underlying: number; readonly price: bigint }[]
  readonly market: string
  /** Bytes of the documents with these hashes, as the admin published them. */
  readonly worlds: string | null
  readonly instruments: string | null
  /** Ids that were listed when it was posted. */
  readonly listed: readonly number[]
  readonly transaction: string
}
export type Proposal = {
  readonly report: SettlementReport
  readonly dueAt: bigint
  readonly block: number
  readonly transaction: string
  readonly state: 'pending' | 'vetoed' | 'final'
  /** Bytes of the specifications that counted when it was proposed. */
  readonly instruments: string | null
  /** The register before it. */
  readonly settled: readonly SettledValue[]
}
export type History = {
  readonly events: readonly ChainEvent[]
  readonly tables: readonly PostedTable[]
  /** Listed now, in ascending order. */
  readonly listed: readonly number[]
  readonly expiries: ReadonlyMap<number, bigint>
  /** Hashes of specifications, bound to ids when these were listed. */
  readonly specifications: ReadonlyMap<number, string>
  /** Names of underlyings by id. */
  readonly underlyings: ReadonlyMap<number, string>
  /** The register in order of posting, as far as this oracle posted it. */
  readonly settled: readonly SettledValue[]
  /** Bytes of the specifications that count now. */
  readonly instruments: string | null
  /** What the first report over its document will list; null if nothing is proposed. */
  readonly proposed: ProposedListing | null
  /** Bytes of every document that was published, by hash. */
  readonly documents: ReadonlyMap<string, string>
  /** In the order of their serials. */
  readonly proposals: readonly Proposal[]
}

type Added = readonly [id: bigint, expiry: bigint, specification: string]
export type ProposedListing = {
  readonly hash: string
  readonly document: string
  readonly added: readonly Added[]
}

/** The history as it will be in the report that adopts what is proposed. */
export function withProposed(history: History): History {
  const { proposed, listed, expiries, specifications } = history
  if (proposed === null) return history
  const ids = proposed.added.map(([id]) => Number(id))
  return {
    ...history,
    proposed: null,
    instruments: proposed.document,
    listed: ascending([...listed, ...ids]),
    expiries: new Map([
      ...expiries,
      ...proposed.added.map(([id, at]) => [Number(id), at] as const),
    ]),
    specifications: new Map([
      ...specifications,
      ...proposed.added.map(([id, , hash]) => [Number(id), hash] as const),
    ]),
  }
}

/** What a signer of this document finds bound on L1; null where it neither counts nor is proposed. */
export function bindingsIn(history: History, instrumentsHash: string): Bindings | null {
  const { instruments, proposed } = history
  const isFinal = instruments !== null && documentHash(instruments) === instrumentsHash
  if (!isFinal && proposed?.hash !== instrumentsHash) return null
  const { expiries, specifications } = isFinal ? history : withProposed(history)
  return { isFinal, expiries, specifications }
}

export const oracleInterface = new Interface(ORACLE_ABI)

export function oracleAt(address: string, runner: ConstructorParameters<typeof Contract>[2]) {
  return new Contract(address, oracleInterface, runner)
}

/**
 * Halves a range that the node finds too large; events of other interfaces are skipped.
 * @param blocks First and last that are asked for; all up to the head where none are named.
 */
export async function eventsOf(
  provider: AbstractProvider,
  address: string,
  abi: Interface = oracleInterface,
  blocks?: readonly [first: number, last: number],
): Promise<readonly ChainEvent[]> {
  const [first, last] = blocks ?? [0, await provider.getBlockNumber()]
  const read = async (from: number, to: number): Promise<readonly ChainEvent[]> => {
    let logs
    try {
      logs = await provider.getLogs({ address, fromBlock: from, toBlock: to })
    } catch (error) {
      if (from === to) throw error
      const middle = Math.floor((from + to) / 2)
      return [...(await read(from, middle)), ...(await read(middle + 1, to))]
    }
    return logs.flatMap((log): ChainEvent[] => {
      const parsed = abi.parseLog(log)
      if (parsed === null) return []
      const { blockNumber: block, index, transactionHash: transaction } = log
      return [{ name: parsed.name, args: argsOf(parsed), block, index, transaction }]
    })
  }
  const found = await read(first, last)
  return [...found].sort((a, b) => a.block - b.block || a.index - b.index)
}

/** By name; ethers' own Result hides a field called `values` behind Array's method. */
function argsOf(parsed: LogDescription): Readonly<Record<string, unknown>> {
  const values: readonly unknown[] = parsed.args.toArray()
  return Object.fromEntries(parsed.fragment.inputs.map((input, i) => [input.name, values[i]]))
}

export async function readHistory(provider: AbstractProvider, address: string): Promise<History> {
  await requireContract(provider, address)
  return historyIn(await eventsOf(provider, address))
}

/** No code answers every question with nothing, as an oracle does of which nothing is known. */
export async function requireContract(provider: AbstractProvider, address: string): Promise<void> {
  if ((await provider.getCode(address)) === '0x')
    throw new InputError(`there must be a contract at ${address}`)
}

/** What events, in order, add up to. */
export function historyIn(events: readonly ChainEvent[]): History {
  const documents = new Map<string, string>()
  const listed = new Set<number>()
  const expiries = new Map<number, bigint>()
  const specifications = new Map<number, string>()
  const underlyings = new Map<number, string>()
  const settled: SettledValue[] = []
  const tables: PostedTable[] = []
  const proposals: Proposal[] = []
  let instruments: string | null = null
  let proposed: ProposedListing | null = null
  const mark = (serial: unknown, state: Proposal['state']): void => {
    const at = proposals.findIndex(({ report }) => report.serial === serial)
    if (at >= 0) proposals[at] = { ...(proposals[at] as Proposal), state }
  }
  for (const { name, args, transaction, block } of events) {
    if (name === 'WorldsSet')
      documents.set(args['worldsHash'] as string, args['document'] as string)
    if (name === 'UnderlyingAdded') {
      underlyings.set(Number(args['underlying']), args['name'] as string)
    }
    if (name === 'InstrumentsProposed') {
      const [hash, document] = [args['instrumentsHash'], args['document']] as [string, string]
      documents.set(hash, document)
      proposed = { hash, document, added: args['added'] as readonly Added[] }
    }
    if (name === 'InstrumentsSet' && proposed !== null) {
      instruments = proposed.document
      for (const [id, expiry, hash] of proposed.added) {
        listed.add(Number(id))
        expiries.set(Number(id), expiry)
        specifications.set(Number(id), hash)
      }
      proposed = null
    }
    if (name === 'SettlementProposed') {
      const report = settlementIn(args['report'] as readonly unknown[])
      const dueAt = args['dueAt'] as bigint
      const at = { block, transaction }
      proposals.push({ report, dueAt, ...at, state: 'pending', instruments, settled: [...settled] })
    }
    if (name === 'SettlementVetoed') mark(args['serial'], 'vetoed')
    if (name === 'SettlementFinal') {
      mark(args['serial'], 'final')
      const values = args['values'] as readonly bigint[]
      for (const [i, id] of (args['ids'] as readonly bigint[]).entries()) {
        listed.delete(Number(id))
        settled.push({ id: Number(id), value: values[i] as bigint })
      }
    }
    if (name === 'Reported') tables.push(tableIn(args, documents, listed, transaction))
    if (name === 'Confirmed') {
      const at = tables.findLastIndex(({ number }) => number === args['number'])
      if (at >= 0) tables[at] = { ...(tables[at] as PostedTable), isConfirmed: true }
    }
  }
  const now = ascending(listed)
  return {
    events,
    tables,
    listed: now,
    expiries,
    specifications,
    underlyings,
    settled,
    instruments,
    proposed,
    documents,
    proposals,
  }
}

/** The last confirmed table: what the funding of the next one goes on from. */
export function fundingBaseIn({ tables }: Pick<History, 'tables'>): FundingBase | null {
  const found = tables.findLast(({ isConfirmed }) => isConfirmed)
  return found === undefined
    ? null
    : { number: Number(found.number), market: readMarket(found.market) }
}

/**
 * The last table of this time of L1's clock or before that was confirmed, as the chain knew it before a
 * transaction; by all of the chain where none is named.
 */
export function tableBefore(
  { events, tables }: Pick<History, 'events' | 'tables'>,
  time: number,
  transaction?: string,
): PostedTable | null {
  const confirmed = new Set<bigint>()
  for (const { name, args, transaction: at } of events) {
    if (at === transaction) break
    const isConfirming =
      name === 'Confirmed' || (name === 'Reported' && args['isConfirmed'] === true)
    if (isConfirming) confirmed.add(args['number'] as bigint)
  }
  return tables.findLast((one) => confirmed.has(one.number) && one.time <= BigInt(time)) ?? null
}

/** As a signer takes it for a settlement whose window no quorum saw. */
export function referenceTableIn(history: History, time: number): ReferenceTable | null {
  const found = tableBefore(history, time)
  return found === null ? null : { number: Number(found.number), references: found.references }
}

/** The table that was the last confirmed one before the transaction that posted this one. */
export function fundingBaseOf(
  { events, tables }: History,
  posted: PostedTable,
): FundingBase | null {
  let last: bigint | null = null
  for (const { name, args, transaction } of events) {
    if (transaction === posted.transaction) break
    const isConfirming =
      name === 'Confirmed' || (name === 'Reported' && args['isConfirmed'] === true)
    if (isConfirming) last = args['number'] as bigint
  }
  const found = tables.find(({ number }) => number === last)
  return found === undefined
    ? null
    : { number: Number(found.number), market: readMarket(found.market) }
}

const ascending = (ids: Iterable<number>): readonly number[] => [...ids].sort((a, b) => a - b)

function tableIn(
  args: Readonly<Record<string, unknown>>,
  documents: ReadonlyMap<string, string>,
  listed: ReadonlySet<number>,
  transaction: string,
): PostedTable {
  const references = args['references'] as readonly (readonly [bigint, bigint])[]
  const [worldsHash, instrumentsHash] = [args['worldsHash'], args['instrumentsHash']] as string[]
  return {
    number: args['number'] as bigint,
    time: args['time'] as bigint,
    isConfirmed: args['isConfirmed'] as boolean,
    digest: args['digest'] as string,
    tableRoot: args['tableRoot'] as bigint,
    worldsHash: worldsHash as string,
    instrumentsHash: instrumentsHash as string,
    references: references.map(([id, price]) => ({ underlying: Number(id), price })),
    market: args['market'] as string,
    worlds: documents.get(worldsHash as string) ?? null,
    instruments: documents.get(instrumentsHash as string) ?? null,
    listed: ascending(listed),
    transaction,
  }
}

function settlementIn(list: readonly unknown[]): SettlementReport {
  const [serial, windowStart, windowEnd, previousRoot, newRoot] = list.slice(0, 5) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  return {
    serial,
    windowStart,
    windowEnd,
    previousRoot,
    newRoot,
    data: list[5] as string,
    ids: [...(list[6] as readonly bigint[])],
    values: [...(list[7] as readonly bigint[])],
  }
}
