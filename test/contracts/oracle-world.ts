/** The oracle contract before a house, with five signers whose keys the tests hold. */
import { ethers } from 'ethers'
import { SigningKey } from 'ethers'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { documentHash } from '../../oracle/signer/canonical.ts'
import {
  computeTable,
  expiryOf,
  instrumentsBytes,
  STANDARD_WORLDS,
  worldsBytes,
  type InstrumentSpec,
} from '../../oracle/signer/engine.ts'
import {
  addressOfKey,
  confirmationDigest,
  encodeMarks,
  reportOf,
  signDigest,
  tableDigest,
  type Domain,
  type SettlementReport,
  type TableReport,
} from '../../oracle/signer/report.ts'
import { settlementDigest, vetoDigest } from '../../oracle/signer/report.ts'
import { specificationHash } from '../../oracle/registry.ts'
import { STANDARD_SET } from '../../oracle/worlds.ts'
import { BTC, DATED, ETH, marketDocument } from './oracle-market.ts'
import {
  configuration,
  deploy,
  deployCloister,
  mustRefuse,
  now,
  provider,
  send,
  setTime,
} from './l1.ts'

export const CHAIN = 31337n
export const TIMING = {
  maxAge: 120n,
  confirmWindow: 3600n,
  agreementDelay: 60n,
  settlementWindow: 1800n,
  challengeDelay: 7200n,
}
export const BAND = {
  band: 500n,
  jumpBand: 5000n,
  feedBand: 300n,
  feedMaxAge: 3600n,
  feed: ethers.ZeroAddress,
}
export { BTC, ETH, marketDocument }
/** The instruments of the recorded day, as far from their expiry as they were then. */
const SHIFT = Number(await now()) - marketAt(2).time
const ALIVE: readonly InstrumentSpec[] = DATED.map((spec) =>
  'expiry' in spec ? { ...spec, expiry: spec.expiry + SHIFT } : spec,
)
export const LISTED = ALIVE.filter((spec) => spec.kind !== 'cash')
export const WORLDS = worldsBytes(STANDARD_SET)
export const SPECS = instrumentsBytes(ALIVE)

/** Five keys in ascending order of address, and a sixth that is nobody's. */
export const KEYS: readonly SigningKey[] = Array.from(
  { length: 5 },
  (_, i) => new SigningKey(ethers.id(`signer ${i}`)),
).sort((a, b) => (BigInt(addressOfKey(a)) < BigInt(addressOfKey(b)) ? -1 : 1))
export const STRANGER = new SigningKey(ethers.id('a stranger'))

export type OracleWorld = {
  readonly oracle: ethers.Contract
  readonly house: ethers.Contract
  readonly cloister: ethers.Contract
  readonly domain: Domain
  readonly admin: string
  readonly anyone: string
}
export type OracleWorldOptions = {
  /** Stand the oracle before a double, instead of the house. */
  readonly isFlagged?: boolean
  readonly feed?: string
  readonly listed?: readonly InstrumentSpec[]
  readonly settlementRoot?: bigint
  readonly expiryOf?: (spec: InstrumentSpec) => bigint
}

export async function createOracleWorld(options: OracleWorldOptions = {}): Promise<OracleWorld> {
  const [admin, , , anyone] = (await provider.send('eth_accounts', [])) as string[]
  const overrides =
    options.settlementRoot === undefined ? {} : { settlementRoot: options.settlementRoot }
  const cloister = await deployCloister(await configuration(overrides))
  const house = options.isFlagged === true ? await deploy('FlaggedHouse') : cloister
  const oracle = await deploy('TableOracle', await house.getAddress(), admin)
  const contract = await oracle.getAddress()
  if (options.isFlagged !== true) {
    const role = await cloister.getFunction('ORACLE')()
    await send(admin!, cloister, 'grantRole', role, contract)
  }
  const configure = (name: string, ...args: unknown[]) => send(admin!, oracle, name, ...args)
  await configure('setSigners', KEYS.map(addressOfKey), 3n, 4n)
  await configure('setTiming', TIMING)
  const feed = options.feed ?? ethers.ZeroAddress
  await configure('addUnderlying', 'BTC', { ...BAND, feed })
  await configure('addUnderlying', 'ETH', BAND)
  await configure('setWorlds', WORLDS)
  const listed = options.listed ?? LISTED
  const expiry = options.expiryOf ?? ((spec: InstrumentSpec) => BigInt(expiryOf(spec)))
  await configure(
    'list',
    listed.flatMap((spec) =>
      spec.kind === 'cash'
        ? []
        : [{ id: spec.id, expiry: expiry(spec), specification: specificationHash(spec) }],
    ),
    instrumentsBytes([INSTRUMENTS[0]!, ...listed]),
  )
  return {
    oracle,
    house,
    cloister,
    domain: { chainId: CHAIN, contract },
    admin: admin!,
    anyone: anyone!,
  }
}

/** A report that the contract takes, of this block's time unless told otherwise. */
export async function createReport(
  world: OracleWorld,
  given: {
    btc?: bigint
    eth?: bigint
    time?: bigint
    number?: bigint
    listed?: readonly InstrumentSpec[]
  } = {},
): Promise<TableReport> {
  const time = given.time ?? (await now())
  const number = given.number ?? (await world.house.getFunction('tableNumber')()) + 1n
  const market = marketDocument(Number(time), given.btc, given.eth)
  const listed = given.listed ?? LISTED
  const table = computeTable(market, listed, STANDARD_WORLDS)
  const instruments = instrumentsBytes([INSTRUMENTS[0]!, ...listed])
  return reportOf(table, { number, time, worlds: WORLDS, instruments, market })
}

export function signaturesOf(
  digest: string,
  keys: readonly SigningKey[] = KEYS.slice(0, 3),
): readonly string[] {
  return keys.map((key) => signDigest(key, digest))
}
export function signReport(
  world: OracleWorld,
  report: TableReport,
  keys?: readonly SigningKey[],
): readonly string[] {
  return signaturesOf(tableDigest(world.domain, report), keys)
}
export function signConfirmation(
  world: OracleWorld,
  report: TableReport,
  keys: readonly SigningKey[] = KEYS.slice(0, 4),
): readonly string[] {
  return signaturesOf(confirmationDigest(world.domain, tableDigest(world.domain, report)), keys)
}
export function signSettlement(
  world: OracleWorld,
  report: SettlementReport,
  keys?: readonly SigningKey[],
): readonly string[] {
  return signaturesOf(settlementDigest(world.domain, report), keys)
}
export function signVeto(
  world: OracleWorld,
  report: SettlementReport,
  keys: readonly SigningKey[] = KEYS.slice(0, 4),
): readonly string[] {
  return signaturesOf(vetoDigest(world.domain, settlementDigest(world.domain, report)), keys)
}

export function post(world: OracleWorld, report: TableReport, keys?: readonly SigningKey[]) {
  return send(world.anyone, world.oracle, 'post', report, signReport(world, report, keys))
}

export function mustRefusePost(
  world: OracleWorld,
  error: string,
  report: TableReport,
  signatures: readonly string[] = signReport(world, report),
) {
  return mustRefuse(error, world.anyone, world.oracle, 'post', report, signatures)
}

/** Posts the first table and confirms it by the large quorum: every world begins so. */
export async function confirmFirst(world: OracleWorld, given = {}): Promise<TableReport> {
  const report = await createReport(world, given)
  await post(world, report)
  await send(world.anyone, world.oracle, 'confirm', report.number, signConfirmation(world, report))
  return report
}

export async function wait(seconds: bigint): Promise<void> {
  await setTime((await now()) + seconds)
}

/** Roots of the tables that count in the house, in order. */
export async function countedTables(world: OracleWorld): Promise<readonly bigint[]> {
  const count: bigint = await world.cloister.getFunction('tableNumber')()
  const roots: bigint[] = []
  for (let number = 1n; number <= count; number++) {
    const { root, isConfirmed } = await world.cloister.getFunction('tables')(number)
    if (isConfirmed) roots.push(root)
  }
  return roots
}

/** Rows of marks that no engine made. */
export function marksOf(rows: readonly (readonly [number, number, bigint])[]): string {
  return `0x${rows
    .map(
      ([id, status, mark]) =>
        id.toString(16).padStart(8, '0') +
        status.toString(16).padStart(2, '0') +
        BigInt.asUintN(64, mark).toString(16).padStart(16, '0'),
    )
    .join('')}`
}
export { documentHash, encodeMarks }
