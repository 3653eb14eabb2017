/** What signers sign: the reports of contracts/ITableOracle.sol as EIP-712 data, and their marks. */
import {
  AbiCoder,
  getBytes,
  hexlify,
  recoverAddress,
  Signature,
  SigningKey,
  TypedDataEncoder,
  computeAddress,
} from '../ethers.ts'
import { ROW_STATUS } from '../../circuits/params.ts'
import type { Row, Table } from '../../circuits/table.ts'
import { InputError, listOf, objectOf, textOf, documentHash } from './canonical.ts'
import { marketBytes, referencesOf, type MarketDocument } from './engine.ts'

export type Reference = { readonly underlying: number; readonly price: bigint }
/** The struct of the contract; bytes are 0x and lower-case hex digits. */
export type TableReport = {
  readonly number: bigint
  readonly time: bigint
  readonly tableRoot: bigint
  readonly marksRoot: bigint
  readonly worldsRoot: bigint
  readonly worldsHash: string
  readonly instrumentsHash: string
  readonly market: string
  readonly marks: string
  readonly references: readonly Reference[]
}
export type SettlementReport = {
  readonly serial: bigint
  readonly windowStart: bigint
  readonly windowEnd: bigint
  readonly previousRoot: bigint
  readonly newRoot: bigint
  readonly data: string
  readonly ids: readonly bigint[]
  readonly values: readonly bigint[]
}
/** Which contract on which chain a signature is for. */
export type Domain = { readonly chainId: bigint; readonly contract: string }

const field = (name: string, type: string) => ({ name, type })
const TABLE_TYPES = {
  TableReport: [
    field('number', 'uint64'),
    field('time', 'uint64'),
    field('tableRoot', 'uint256'),
    field('marksRoot', 'uint256'),
    field('worldsRoot', 'uint256'),
    field('worldsHash', 'bytes32'),
    field('instrumentsHash', 'bytes32'),
    field('market', 'bytes'),
    field('marks', 'bytes'),
    field('references', 'Reference[]'),
  ],
  Reference: [field('underlying', 'uint32'), field('price', 'uint64')],
}
const SETTLEMENT_TYPES = {
  SettlementReport: [
    field('serial', 'uint64'),
    field('windowStart', 'uint64'),
    field('windowEnd', 'uint64'),
    field('previousRoot', 'uint256'),
    field('newRoot', 'uint256'),
    field('data', 'bytes'),
    field('ids', 'uint256[]'),
    field('values', 'int256[]'),
  ],
}

type Types = Record<string, { name: string; type: string }[]>
function digest(domain: Domain, types: Types, value: Record<string, unknown>): string {
  const { chainId, contract } = domain
  const typed = { name: 'CloisterTableOracle', version: '1', chainId, verifyingContract: contract }
  return TypedDataEncoder.hash(typed, types, value)
}

export function tableDigest(domain: Domain, report: TableReport): string {
  return digest(domain, TABLE_TYPES, report)
}
export function settlementDigest(domain: Domain, report: SettlementReport): string {
  return digest(domain, SETTLEMENT_TYPES, report)
}
/** What the large quorum signs, apart from the report: "I looked again, and it is so." */
export function confirmationDigest(domain: Domain, report: string): string {
  return digest(domain, { Confirmation: [field('report', 'bytes32')] }, { report })
}
export function vetoDigest(domain: Domain, report: string): string {
  return digest(domain, { Veto: [field('report', 'bytes32')] }, { report })
}

/** 65 bytes, low s. */
export function signDigest(key: SigningKey, hash: string): string {
  return key.sign(hash).serialized
}
export function addressOfKey(key: SigningKey): string {
  return computeAddress(key.publicKey)
}

/** The signer, or null for what the contract would not accept as a signature either. */
export function signerOf(hash: string, signature: string): string | null {
  // Libraries read other recovery bytes than 27 and 28, too; the contract refuses the whole call.
  if (!/^0x[0-9a-fA-F]{128}1[bBcC]$/.test(signature)) return null
  try {
    return recoverAddress(hash, Signature.from(signature))
  } catch {
    return null
  }
}

// --------------------------------------------------------------------------------------- marks

/** id (4), status (1), mark (8, two's complement). */
export const MARK_BYTES = 13
export type Mark = { readonly id: number; readonly status: number; readonly mark: bigint }

export function encodeMarks(rows: readonly Row[]): string {
  const bytes = Buffer.alloc(MARK_BYTES * rows.length)
  rows.forEach((row, i) => {
    bytes.writeUInt32BE(row.id, MARK_BYTES * i)
    bytes.writeUInt8(ROW_STATUS[row.status], MARK_BYTES * i + 4)
    bytes.writeBigInt64BE(row.values[0] as bigint, MARK_BYTES * i + 5)
  })
  return hexlify(bytes)
}

export function decodeMarks(marks: string): readonly Mark[] {
  const bytes = Buffer.from(getBytes(marks))
  if (bytes.length % MARK_BYTES !== 0) {
    throw new InputError(`marks must be rows of ${MARK_BYTES} bytes, not ${bytes.length} in all`)
  }
  return Array.from({ length: bytes.length / MARK_BYTES }, (_, i) => ({
    id: bytes.readUInt32BE(MARK_BYTES * i),
    status: bytes.readUInt8(MARK_BYTES * i + 4),
    mark: bytes.readBigInt64BE(MARK_BYTES * i + 5),
  }))
}

/** Marks as the house emits them; what stands behind the rows is not read. */
export function decodeHouseMarks(marks: string): readonly Mark[] {
  const [rows] = AbiCoder.defaultAbiCoder().decode(
    ['tuple(uint32 id, uint8 status, int64 mark)[]'],
    marks,
  ) as unknown as readonly [readonly (readonly [bigint, bigint, bigint])[]]
  return rows.map(([id, status, mark]) => ({ id: Number(id), status: Number(status), mark }))
}

/** The word behind the rows of what the house emits, or null where the posting ends with the rows. */
export function houseWorldsRoot(marks: string): bigint | null {
  const [word, rowWords, tailWords] = [32, 3, 2]
  const bytes = getBytes(marks)
  const end = word * (2 + rowWords * decodeHouseMarks(marks).length)
  if (bytes.length < end + word * tailWords) return null
  return BigInt(hexlify(bytes.subarray(end, end + word)))
}

// --------------------------------------------------------------------------------------- making

export function reportOf(
  table: Table,
  given: {
    readonly number: bigint
    readonly time: bigint
    readonly worlds: string
    readonly instruments: string
    readonly market: MarketDocument
  },
): TableReport {
  return {
    number: given.number,
    time: given.time,
    tableRoot: table.root,
    marksRoot: table.marksRoot,
    worldsRoot: table.worlds.root,
    worldsHash: documentHash(given.worlds),
    instrumentsHash: documentHash(given.instruments),
    market: marketBytes(given.market),
    marks: encodeMarks(table.rows),
    references: referencesOf(given.market),
  }
}

// ----------------------------------------------------------------------------------------- wire

const INTEGER = /^-?\d{1,78}$/
export function integerOf(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !INTEGER.test(value)) {
    throw new InputError(`${what} must be an integer in decimal digits`)
  }
  return BigInt(value)
}
function hexOf(value: unknown, what: string, bytes?: number): string {
  const found = textOf(value, what)
  const isHex = /^0x([0-9a-f]{2})*$/.test(found) && found.length <= 2 + 2 * 65_536
  if (!isHex || (bytes !== undefined && found.length !== 2 + 2 * bytes)) {
    throw new InputError(`${what} must be ${bytes ?? 'fewer than 65536'} bytes in lower-case hex`)
  }
  return found
}

/** JSON text with integers as decimal strings. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  )
}

export function tableReportFrom(value: unknown): TableReport {
  const keys = TABLE_TYPES.TableReport.map(({ name }) => name)
  const given = objectOf(value, keys, 'report')
  const integer = (key: string): bigint => integerOf(given[key], key)
  return {
    number: integer('number'),
    time: integer('time'),
    tableRoot: integer('tableRoot'),
    marksRoot: integer('marksRoot'),
    worldsRoot: integer('worldsRoot'),
    worldsHash: hexOf(given['worldsHash'], 'worldsHash', 32),
    instrumentsHash: hexOf(given['instrumentsHash'], 'instrumentsHash', 32),
    market: hexOf(given['market'], 'market'),
    marks: hexOf(given['marks'], 'marks'),
    references: listOf(given['references'], 'references', 257).map((item) => {
      const { underlying, price } = objectOf(item, ['underlying', 'price'], 'reference')
      if (typeof underlying !== 'number') throw new InputError('underlying must be a number')
      return { underlying, price: integerOf(price, 'price') }
    }),
  }
}

export function settlementReportFrom(value: unknown): SettlementReport {
  const keys = SETTLEMENT_TYPES.SettlementReport.map(({ name }) => name)
  const given = objectOf(value, keys, 'settlement report')
  const integer = (key: string): bigint => integerOf(given[key], key)
  const integers = (key: string): readonly bigint[] =>
    listOf(given[key], key).map((item) => integerOf(item, key))
  return {
    serial: integer('serial'),
    windowStart: integer('windowStart'),
    windowEnd: integer('windowEnd'),
    previousRoot: integer('previousRoot'),
    newRoot: integer('newRoot'),
    data: hexOf(given['data'], 'data'),
    ids: integers('ids'),
    values: integers('values'),
  }
}
