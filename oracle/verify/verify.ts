/** Computes a posted table again from its published inputs and says where it differs. */
import { Contract, Interface, type AbstractProvider } from '../ethers.ts'
import { tableOf, type Row, type Table } from '../../circuits/table.ts'
import { unboundIn } from '../signer/binding.ts'
import { givenOf, withFunding, type FundingBase } from '../signer/accrual.ts'
import { documentHash, InputError } from '../signer/canonical.ts'
import {
  computeTable,
  readInstruments,
  readMarket,
  readWorlds,
  referencesOf,
  type InstrumentSpec,
  type MarketDocument,
  type World,
} from '../signer/engine.ts'
import { decodeHouseMarks, houseWorldsRoot } from '../signer/report.ts'
import { HOUSE_ABI } from './abi.ts'
import {
  eventsOf,
  fundingBaseOf,
  oracleAt,
  readHistory,
  type History,
  type PostedTable,
} from './chain.ts'
import { settlingIn, settlingKey } from '../signer/market-document.ts'
import { windowsBegun } from '../signer/settling.ts'
import { averagesOf, pricesOf, struckIn } from './settling.ts'
import { markDifferences, rowDifferences, unique, type Difference } from './differences.ts'
import type { InputFiles } from './inputs.ts'

export type Check = {
  readonly what: string
  readonly expected: string
  readonly posted: string
  readonly holds: boolean
}
export type Verification = {
  readonly contract: string
  readonly number: bigint
  readonly time: bigint
  readonly isConfirmed: boolean
  readonly rowCount: number
  readonly worldCount: number
  readonly checks: readonly Check[]
  readonly differences: readonly Difference[]
  /** What could not be compared, and why. */
  readonly notes: readonly string[]
  readonly holds: boolean
}
export type VerifyOptions = {
  readonly provider: AbstractProvider
  readonly contract: string
  /** The latest if not named. */
  readonly number?: bigint
  readonly inputs?: InputFiles
}

export async function verifyTable(options: VerifyOptions): Promise<Verification> {
  const { provider, contract } = options
  const { posted, history } = await findTable(options)
  let computed
  try {
    computed = compute(posted, options.inputs)
  } catch (error) {
    // With files of one's own the fault may be theirs; what L1 alone carries must make a table.
    if (options.inputs !== undefined || !(error instanceof Error)) throw error
    return withoutTable(contract, posted, error.message)
  }
  const { market, worlds, instruments, checks, notes, expected } = computed
  const inHouse = await houseTable(provider, contract, posted)
  const marks = inHouse === null ? null : decodeHouseMarks(inHouse.marks)
  const rows = options.inputs?.rows.find((one) => rootOf(one) === posted.tableRoot)
  if (options.inputs !== undefined && options.inputs.rows.length > 0 && rows === undefined) {
    notes.push('the rows that were given do not hash to the posted root: they were not compared')
  }
  const names = new Map(instruments.map(({ id, name }) => [id, name]))
  const differences = [
    ...(marks === null ? [] : markDifferences(expected.rows, marks, names)),
    ...(rows === undefined ? [] : rowDifferences(expected.rows, rows, names)),
  ]
  check(checks, 'table root', expected.root, posted.tableRoot)
  if (inHouse === null) {
    notes.push(
      posted.isConfirmed
        ? 'the house has no table of this root'
        : 'the table is indicative; the house has no marks of it yet',
    )
    if (posted.isConfirmed) check(checks, 'table in the house', 'present', 'absent')
  } else {
    check(checks, 'marks root', expected.marksRoot, inHouse.marksRoot)
    // A claim after a freeze is proven from it: a false one locks members out of their own marks.
    const worldsRoot = houseWorldsRoot(inHouse.marks)
    check(checks, 'worlds root', expected.worlds.root, worldsRoot ?? 'absent')
  }
  for (const { underlying, price } of referencesOf(market)) {
    const said = posted.references.find((one) => one.underlying === underlying)?.price
    check(checks, `reference price of underlying ${underlying}`, price, said ?? 'none')
  }
  // L1 gave each id its name: under another's name a price values the wrong instruments.
  for (const { id, name } of market.underlyings)
    check(checks, `name of underlying ${id}`, history.underlyings.get(id) ?? 'none', name)
  const listed = new Set(posted.listed)
  const changed = unboundIn(
    history,
    instruments.filter(({ id }) => listed.has(id)),
    market.time === Number(posted.time),
  )
  check(
    checks,
    'instruments bound to another specification or expiry',
    'none',
    changed.join() || 'none',
  )
  checkFunding(checks, market, instruments, fundingBaseOf(history, posted))
  checkSettling(checks, notes, market, instruments, { history, posted })
  check(checks, 'number of reference prices', market.underlyings.length, posted.references.length)
  if (market.time !== Number(posted.time)) {
    notes.push(`the market valued is that of ${market.time}: a recorded one is replayed`)
  }
  if (expected.root !== posted.tableRoot && differences.length === 0) notes.push(rootNote(checks))
  return {
    contract,
    number: posted.number,
    time: posted.time,
    isConfirmed: posted.isConfirmed,
    rowCount: expected.rows.length,
    worldCount: worlds.length,
    checks,
    differences: unique(differences),
    notes,
    holds: checks.every(({ holds }) => holds) && differences.length === 0,
  }
}

/** Funding that was computed from quotes goes on from the last confirmed table by the named premium. */
function checkFunding(
  checks: Check[],
  market: MarketDocument,
  instruments: readonly InstrumentSpec[],
  base: FundingBase | null,
): void {
  for (const state of market.perpetuals) {
    if (state.accrual === null) continue
    const what = `funding of perpetual ${state.id}`
    try {
      const { funding } = withFunding(state, givenOf(market, base, instruments))
      check(checks, what, funding, state.funding)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      check(checks, what, error.message, state.funding)
    }
  }
}

/**
 * Averages of windows must be of rows that the table has, and one of a whole window must be what the last
 * confirmed table, or a settlement proposed before, said of it. How it came about, the signers know alone.
 */
function checkSettling(
  checks: Check[],
  notes: string[],
  market: MarketDocument,
  instruments: readonly InstrumentSpec[],
  { history, posted }: { readonly history: History; readonly posted: PostedTable },
): void {
  const idOf = (name: string) => market.underlyings.find((one) => one.name === name)?.id
  const specs = instruments.filter(({ id }) => posted.listed.includes(id))
  const windows = new Set(windowsBegun(specs, idOf, market.time).map(settlingKey))
  const base = fundingBaseOf(history, posted)
  const kept = averagesOf(base)
  const struck = struckIn(history, proposalsBefore(history, posted, 'SettlementVetoed'))
  const proposed = proposalsBefore(history, posted, 'SettlementProposed')
  for (const one of settlingIn(market)) {
    const key = settlingKey(one)
    const of = `underlying ${one.underlying} to ${one.expiry}`
    check(checks, `rows for the window of ${of}`, 'some', windows.has(key) ? 'some' : 'none')
    const before = kept.get(key)
    const isProposed = proposed.some((given) => pricesOf(given, history).get(key) === one.price)
    // What was struck before this table, nobody needed to repeat.
    const isStruck = before !== undefined && struck.get(key)?.has(before) === true
    if (before !== undefined && !isProposed && !isStruck)
      check(checks, `average of ${of}`, before, one.price)
  }
  const given = new Set(settlingIn(market).map(settlingKey))
  for (const key of kept.keys())
    if (windows.has(key) && !given.has(key))
      notes.push(
        `table ${base?.number} had an average for ${key}; this one follows the price of now`,
      )
}

/** Settlements of which L1 said this before it had a table: what came later made nothing right. */
function proposalsBefore(
  { events, proposals }: History,
  { transaction }: PostedTable,
  event: 'SettlementProposed' | 'SettlementVetoed',
): History['proposals'] {
  const end = events.findIndex((one) => one.transaction === transaction)
  const before = events.slice(0, end).filter(({ name }) => name === event)
  const serials = new Set(before.map(({ args }) => args['serial']))
  return proposals.filter(({ report }) => serials.has(report.serial))
}

/** Where a root differs and no number that could be compared does. */
function rootNote(checks: readonly Check[]): string {
  if (checks.some(({ what, holds }) => what === 'worlds root' && holds))
    return 'marks and worlds root are those of the inputs: the posted root is not their hash'
  return (
    'all marks that L1 carries agree, so the difference lies in a world, an add-on or a mark that ' +
    'L1 does not carry: give the rows that the poster published with --inputs to see which'
  )
}

function compute(posted: PostedTable, files: InputFiles | undefined) {
  const documents = readDocuments(posted, files)
  const { market, worlds, instruments } = documents
  return { ...documents, expected: recompute(posted, market, worlds, instruments) }
}

function withoutTable(contract: string, posted: PostedTable, why: string): Verification {
  const { number, time, isConfirmed } = posted
  const checks = [
    { what: 'inputs on L1 make a table', expected: 'they do', posted: why, holds: false },
  ]
  return {
    contract,
    number,
    time,
    isConfirmed,
    rowCount: 0,
    worldCount: 0,
    checks,
    differences: [],
    notes: [],
    holds: false,
  }
}

async function findTable({ provider, contract, number }: VerifyOptions): Promise<{
  readonly posted: PostedTable
  readonly history: History
}> {
  const history = await readHistory(provider, contract)
  const { tables } = history
  const found = number === undefined ? tables.at(-1) : tables.find((one) => one.number === number)
  if (found === undefined) {
    throw new InputError(
      number === undefined
        ? `${contract} must be an oracle that has posted a table`
        : `table ${number} must be one of the ${tables.length} that ${contract} posted`,
    )
  }
  return { posted: found, history }
}

type Documents = {
  readonly market: MarketDocument
  readonly worlds: readonly World[]
  readonly instruments: readonly InstrumentSpec[]
  readonly checks: Check[]
  readonly notes: string[]
}

/** A file that is given takes the place of what L1 carries, and must have the posted hash. */
function readDocuments(posted: PostedTable, files: InputFiles | undefined): Documents {
  const checks: Check[] = []
  const bytesOf = (
    what: 'market' | 'worlds' | 'instruments',
    onL1: string | null,
    hash: string,
  ) => {
    const bytes = files?.[what] ?? onL1
    if (bytes === null) throw new InputError(`L1 must carry the ${what}, or --inputs`)
    check(checks, `hash of the ${what}`, documentHash(bytes), hash)
    return bytes
  }
  const market = bytesOf('market', posted.market, documentHash(posted.market))
  const worlds = bytesOf('worlds', posted.worlds, posted.worldsHash)
  const instruments = bytesOf('instruments', posted.instruments, posted.instrumentsHash)
  return {
    market: readMarket(market),
    worlds: readWorlds(worlds),
    instruments: readInstruments(instruments),
    checks,
    notes: [],
  }
}

function recompute(
  posted: PostedTable,
  market: MarketDocument,
  worlds: readonly World[],
  instruments: readonly InstrumentSpec[],
): Table {
  const listed = new Set(posted.listed)
  const specs = instruments.filter(({ id }) => listed.has(id))
  if (specs.length !== listed.size) {
    throw new InputError(
      `the document must specify all ${listed.size} listed instruments, not ${specs.length}`,
    )
  }
  return computeTable(market, specs, worlds)
}

/** What the house emitted under the root: itself, or the one behind the adapter. */
async function houseTable(
  provider: AbstractProvider,
  contract: string,
  posted: PostedTable,
): Promise<{ readonly marksRoot: bigint; readonly marks: string } | null> {
  const abi = new Interface(HOUSE_ABI)
  const house = (await oracleAt(contract, provider).getFunction('house')()) as string
  let address = house
  try {
    address = (await new Contract(house, abi, provider).getFunction('cloister')()) as string
  } catch {
    // A house that knows the flag stands there itself.
  }
  const events = await eventsOf(provider, address, abi)
  const found = events.findLast(
    ({ name, args }) => name === 'TablePosted' && args['root'] === posted.tableRoot,
  )
  if (found === undefined) return null
  return { marksRoot: found.args['marksRoot'] as bigint, marks: found.args['marks'] as string }
}

function rootOf(rows: readonly Row[]): bigint | null {
  try {
    return tableOf(rows).root
  } catch {
    return null
  }
}

function check(
  checks: Check[],
  what: string,
  expected: bigint | number | string,
  posted: bigint | number | string,
): void {
  const [a, b] = [String(expected), String(posted)]
  checks.push({ what, expected: a, posted: b, holds: a === b })
}
