/** What the oracle said of perpetuals, read from L1 alone: which tables count, and their funding. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { Interface } from './ethers.ts'
import { httpTransport, ReadError, type Transport } from './transport.ts'

const ORACLE_EVENTS = new Interface([
  'event InstrumentsSet(bytes32 indexed instrumentsHash)',
  'event InstrumentsProposed(bytes32 indexed instrumentsHash, ' +
    '(uint32 id, uint64 expiry, bytes32 specification)[] added, ' +
    'bytes document)',
  'event Reported(uint256 indexed number, bytes32 digest, uint256 time, bool isConfirmed, ' +
    'uint256 tableRoot, bytes32 worldsHash, bytes32 instrumentsHash, ' +
    '(uint32 underlying, uint64 price)[] references, bytes market)',
  'event Confirmed(uint256 indexed number)',
])
const ROLE_EVENTS = new Interface([
  'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
  'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
])
/** keccak256("ORACLE"): the role in contracts/Store.sol. */
const ORACLE_ROLE = `0x${Buffer.from(keccak_256(new TextEncoder().encode('ORACLE'))).toString('hex')}`

type Log = { readonly topics: string[]; readonly data: string }
/** A table of the oracle as far as perpetuals go; amounts are micro-dollars a lot. */
export type FundingTable = {
  readonly number: number
  readonly isConfirmed: boolean
  /** Cumulative funding by instrument. */
  readonly funding: ReadonlyMap<number, bigint>
  /** Instruments of any kind that the oracle has halted. */
  readonly halted?: ReadonlySet<number>
}
export type FundingTables = {
  readonly perpetuals: ReadonlySet<number>
  /** By number, ascending. */
  readonly tables: readonly FundingTable[]
}

/**
 * Everything at once, from the contract that has the role of the oracle in the house: what names
 * itself an oracle is not believed. Throws ReadError where several have it.
 */
export async function readFundingTables(
  rpc: string | Transport,
  house: string,
): Promise<FundingTables> {
  const send = typeof rpc === 'string' ? httpTransport(rpc) : rpc
  const oracle = await oracleOf(send, house)
  const logs = await logsAt(send, oracle, [])
  const lots = new Map<number, string>()
  const documents = new Map<string, string>()
  const tables: { -readonly [key in keyof FundingTable]: FundingTable[key] }[] = []
  for (const log of logs) {
    const parsed = ORACLE_EVENTS.parseLog(log)
    if (parsed === null) continue
    const { name, args } = parsed
    if (name === 'InstrumentsProposed')
      documents.set(args['instrumentsHash'] as string, args['document'] as string)
    // What a lister proposes counts for nothing before a quorum has signed over it.
    if (name === 'InstrumentsSet')
      readLots(jsonIn(documents.get(args['instrumentsHash'] as string) ?? '0x'), lots)
    if (name === 'Confirmed')
      tables.forEach((table) => {
        if (BigInt(table.number) === args['number']) table.isConfirmed = true
      })
    if (name === 'Reported') {
      const market = jsonIn(args['market'] as string)
      tables.push({
        number: Number(args['number']),
        isConfirmed: args['isConfirmed'] as boolean,
        funding: fundingIn(market, lots),
        halted: new Set((market['halted'] ?? []) as readonly number[]),
      })
    }
  }
  return { perpetuals: new Set(lots.keys()), tables }
}

async function logsAt(send: Transport, address: string, topics: readonly unknown[]) {
  const filter = { address, topics, fromBlock: '0x0', toBlock: 'latest' }
  return (await send('eth_getLogs', [filter])) as readonly Log[]
}

/** The contract that has the role of the oracle; throws ReadError unless it is one alone. */
export async function oracleOf(send: Transport, house: string): Promise<string> {
  const signatures = ROLE_EVENTS.fragments.map(
    (fragment) => ROLE_EVENTS.getEvent((fragment as unknown as { name: string }).name)?.topicHash,
  )
  const holders = new Set<string>()
  for (const log of await logsAt(send, house, [signatures, ORACLE_ROLE])) {
    const { name, args } = ROLE_EVENTS.parseLog(log) ?? { name: '', args: {} as never }
    if (name === 'RoleGranted') holders.add(args['account'] as string)
    if (name === 'RoleRevoked') holders.delete(args['account'] as string)
  }
  const [oracle, another] = [...holders]
  if (oracle === undefined || another !== undefined)
    throw new ReadError(
      `the role of the oracle must be one contract's, not that of ${holders.size}`,
    )
  return oracle
}

/** JSON in the bytes of an event; whoever posted it answers for its form. */
function jsonIn(bytes: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(bytes.slice(2), 'hex').toString('utf8')) as Record<string, unknown>
}

function readLots(document: Record<string, unknown>, lots: Map<number, string>): void {
  for (const spec of document['instruments'] as Record<string, string>[]) {
    if (spec['kind'] !== 'perpetual') continue
    lots.set(Number(spec['id']), lotOf(spec))
  }
}

/** Dollars a lot for a dollar a unit, as a decimal. */
function lotOf({ lot = '', multiplier = '1' }: Record<string, string>): string {
  const [units, unitsScale] = scaled(lot)
  const [times, timesScale] = scaled(multiplier)
  const digits = `${unitsScale * timesScale}`.length - 1
  const product = `${units * times}`.padStart(digits + 1, '0')
  const whole = product.length - digits
  return digits === 0 ? product : `${product.slice(0, whole)}.${product.slice(whole)}`
}

function fundingIn(
  market: Record<string, unknown>,
  lots: ReadonlyMap<number, string>,
): ReadonlyMap<number, bigint> {
  const states = (market['perpetuals'] ?? []) as { id: number; funding: string }[]
  return new Map(
    states.flatMap(({ id, funding }) => {
      const lot = lots.get(id)
      if (lot === undefined) return []
      try {
        return [[id, microsOfLot(funding, lot)] as const]
      } catch (error) {
        // Nobody can trade at it; the other perpetuals of the table are none the worse.
        if (error instanceof ReadError) return []
        throw error
      }
    }),
  )
}

/** Micro-dollars a lot of an amount in dollars a unit; exact, or it throws. */
export function microsOfLot(dollars: string, lot: string): bigint {
  const [amount, amountScale] = scaled(dollars)
  const [units, unitsScale] = scaled(lot)
  const [product, scale] = [amount * units * 1_000_000n, amountScale * unitsScale]
  if (product % scale !== 0n)
    throw new ReadError(`${dollars} a unit is no whole number of micro-dollars a lot of ${lot}`)
  return product / scale
}

/** Digits without the point, and the power of ten to divide them by. */
function scaled(decimal: string): readonly [bigint, bigint] {
  if (!/^-?\d{1,18}(\.\d{1,18})?$/.test(decimal)) throw new ReadError(`${decimal} is no decimal`)
  const [whole = '', fraction = ''] = decimal.split('.')
  return [BigInt(whole + fraction), 10n ** BigInt(fraction.length)]
}
