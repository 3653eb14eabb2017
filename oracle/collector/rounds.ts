/** What the collector does on L1: bring tables and confirmations; settle.ts brings settlements. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Contract, type AbstractProvider, type Signer as L1Signer } from '../ethers.ts'
import { HOUSE_ABI } from '../verify/abi.ts'
import { fundingBaseIn, oracleAt, readHistory, type History } from '../verify/chain.ts'
import { pinsIn } from '../verify/settling.ts'
import type { Table } from '../../circuits/table.ts'
import { unboundIn } from '../signer/binding.ts'
import { InputError } from '../signer/canonical.ts'
import {
  computeTable,
  readInstruments,
  readMarket,
  readWorlds,
  type InstrumentSpec,
} from '../signer/engine.ts'
import {
  encodeMarks,
  reportOf,
  stringify,
  tableDigest,
  type Domain,
  type TableReport,
} from '../signer/report.ts'
import { gatherConfirmation, gatherTable, type Answer, type Limits, type Peer } from './gather.ts'
import { historyForReport } from './adopting.ts'
import { heldUntil } from './patience.ts'
import { termsOfSettlement } from '../signer/settlement.ts'
import { sendTo } from './send.ts'

export type CollectorOptions = {
  readonly provider: AbstractProvider
  /** Pays for gas; its key is worth nothing else. */
  readonly wallet: L1Signer
  readonly contract: string
  readonly peers: readonly Peer[]
  readonly limits?: Limits
  /** Hold back what would only begin the delay of an indicative table anew. */
  readonly isPatient?: boolean
  /** No averages of windows but those that L1 has: for others there was no quorum the last time. */
  readonly isBare?: boolean
  /** How long a transaction is waited for before the round is given up. */
  readonly waitMs?: number
  /** Where the whole rows of posted tables are kept, each file named by its root. */
  readonly tables?: string
}
export type OracleState = {
  readonly domain: Domain
  readonly next: bigint
  readonly quorum: number
  readonly largeQuorum: number
  /** Time of the latest block: a report of it is neither ahead nor old. */
  readonly time: number
  readonly history: History
  /** How many values the house takes into its register now. */
  readonly room: number
}

export async function readState({ provider, contract }: CollectorOptions): Promise<OracleState> {
  const oracle = oracleAt(contract, provider)
  const view = (name: string): Promise<unknown> => oracle.getFunction(name)() as Promise<unknown>
  const house = new Contract((await view('house')) as string, HOUSE_ABI, provider)
  const next = ((await house.getFunction('tableNumber')()) as bigint) + 1n
  const [, quorum, largeQuorum] = (await view('quorums')) as readonly bigint[]
  const block = await provider.getBlock('latest')
  const { chainId } = await provider.getNetwork()
  return {
    domain: { chainId, contract },
    next,
    quorum: Number(quorum),
    largeQuorum: Number(largeQuorum),
    time: block?.timestamp ?? 0,
    history: await readHistory(provider, contract),
    room: Number(await house.getFunction('settlementRoom')()),
  }
}

/** A signature of whoever has left the set would spoil the whole call. */
export async function authorised({
  provider,
  contract,
  peers,
}: CollectorOptions): Promise<readonly Peer[]> {
  const isSigner = oracleAt(contract, provider).getFunction('isSigner')
  const known = await Promise.all(peers.map(({ address }) => isSigner(address) as Promise<boolean>))
  return peers.filter((_peer, i) => known[i])
}

export type PostedRound = {
  readonly report: TableReport
  readonly isConfirmed: boolean
  readonly gas: bigint
  readonly answers: readonly Answer[]
}

/** A table that is not posted yet: the indicative one before it is confirmed by one of this time. */
export class TableMustWait extends Error {
  readonly until: number
  constructor(until: number) {
    super(`the next table must be of ${until} or later, to agree with the indicative one`)
    this.until = until
  }
}

/** Gathers a table and posts it with every signature that agrees. */
export async function postTable(options: CollectorOptions): Promise<PostedRound> {
  const { domain, quorum, next: number, time, ...state } = await readState(options)
  const { limits } = options
  const peers = await authorised(options)
  const history = await historyForReport(state.history, peers, quorum, limits)
  const instruments = latestInstruments(history)
  const request = {
    domain,
    quorum,
    number,
    time,
    rows: history.listed,
    base: fundingBaseIn(history),
    instruments,
    isSettling: instruments.some((spec) => hasBegun(spec, history, time)),
    pins: pinsIn(history),
    isBare: options.isBare ?? false,
    ...(limits && { limits }),
  }
  const { report, signatures, answers } = await gatherTable(peers, request)
  const table = tableOfReport(history, report)
  const until = options.isPatient === true ? await heldUntil(options, report, signatures) : null
  if (until !== null) throw new TableMustWait(until)
  if (options.tables !== undefined) writeTable(options.tables, table)
  const gas = await sendTo(options, 'post', report, signatures)
  const [, , isConfirmed] = (await oracleAt(options.contract, options.provider).getFunction(
    'latest',
  )()) as unknown as readonly [bigint, bigint, boolean]
  return { report, isConfirmed, gas, answers }
}

function hasBegun(
  spec: InstrumentSpec,
  { listed, expiries }: Pick<History, 'listed' | 'expiries'>,
  time: number,
): boolean {
  const expiry = expiries.get(spec.id) ?? 0n
  const seconds = termsOfSettlement(spec)?.windowSeconds ?? 0
  const isDated = expiry > 0n && seconds > 0 && listed.includes(spec.id)
  return isDated && BigInt(time) > expiry - BigInt(seconds)
}

/** Without any published yet there is nothing to be funded either. */
export function latestInstruments({ instruments }: History): readonly InstrumentSpec[] {
  return instruments === null ? [] : readInstruments(instruments)
}

/**
 * The indicative report that is still the latest and may still be confirmed, or null. It is made again
 * from L1, so that a collector that has restarted, or another one, offers it for a second look as well;
 * its rows are kept if they are not yet. Throws InputError if what was posted does not follow from its
 * inputs: no signer would confirm it.
 */
export async function openReport(options: CollectorOptions): Promise<TableReport | null> {
  const { provider, contract, tables } = options
  const oracle = oracleAt(contract, provider)
  const [number, time, isConfirmed] = (await oracle.getFunction(
    'latest',
  )()) as unknown as readonly [bigint, bigint, boolean]
  if (number === 0n || isConfirmed) return null
  const [, confirmWindow] = (await oracle.getFunction('timing')()) as unknown as readonly bigint[]
  const block = await provider.getBlock('latest')
  if (BigInt(block?.timestamp ?? 0) > time + (confirmWindow as bigint)) return null
  const history = await readHistory(provider, contract)
  const posted = history.tables.find((one) => one.number === number)
  // Another one was posted between the two looks.
  if (posted === undefined || posted.isConfirmed) return null
  const { worldsHash, instrumentsHash, listed } = posted
  const [worlds, instruments] = [worldsHash, instrumentsHash].map((hash) =>
    documentOf(history, hash),
  ) as [string, string]
  const market = readMarket(posted.market)
  const specs = readInstruments(instruments).filter(({ id }) => listed.includes(id))
  const table = computeTable(market, specs, readWorlds(worlds))
  const report = reportOf(table, { number, time: posted.time, worlds, instruments, market })
  const { chainId } = await provider.getNetwork()
  if (tableDigest({ chainId, contract }, report) !== posted.digest)
    throw new InputError(`table ${number} must be what its inputs give`)
  if (tables !== undefined) writeTable(tables, table)
  return report
}

function documentOf({ documents }: History, hash: string): string {
  const bytes = documents.get(hash)
  if (bytes === undefined) throw new InputError(`L1 must carry the document ${hash}`)
  return bytes
}

/** Computes the table again: what does not follow from its inputs is not worth its gas. */
function tableOfReport(history: History, report: TableReport): Table {
  const rows = new Set(history.listed)
  const instruments = documentOf(history, report.instrumentsHash)
  const specs = readInstruments(instruments).filter(({ id }) => rows.has(id))
  const market = readMarket(report.market)
  const changed = unboundIn(history, specs, BigInt(market.time) === report.time)
  if (changed.length > 0)
    throw new InputError(`instruments ${changed.join()} must be what they were listed as`)
  const worlds = readWorlds(documentOf(history, report.worldsHash))
  const table = computeTable(market, specs, worlds)
  const isSame =
    table.root === report.tableRoot &&
    table.marksRoot === report.marksRoot &&
    table.worlds.root === report.worldsRoot &&
    encodeMarks(table.rows) === report.marks
  if (!isSame) throw new InputError(`table ${report.number} must be what its inputs give`)
  return table
}

/** Renamed into place: a reader sees the whole file or none. */
function writeTable(folder: string, table: Table): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${table.root}.json`)
  // Two processes may write the same one.
  const part = `${file}.${process.pid}.tmp`
  writeFileSync(part, stringify(table.rows))
  renameSync(part, file)
}

/** Asks the large quorum to confirm an indicative report that is still the latest. */
export async function confirmTable(
  options: CollectorOptions,
  report: TableReport,
): Promise<readonly Answer[]> {
  const { domain, largeQuorum: quorum, time } = await readState(options)
  const { limits } = options
  const peers = await authorised(options)
  const request = { domain, quorum, report, time, ...(limits && { limits }) }
  const { signatures, answers } = await gatherConfirmation(peers, request)
  await sendTo(options, 'confirm', report.number, signatures)
  return answers
}
