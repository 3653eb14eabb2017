/** The table of values and the settlement register as the law sees them: rows, roots, worth. */
import {
  CASH_ID,
  ROW_STATUS,
  ROW_VALUE_COUNT,
  SETTLEMENT_DEPTH,
  TABLE_DEPTH,
  TABLE_ROW_COUNT,
  TOKEN_UPPER_BOUND,
  WORLD_COUNT,
} from './params.ts'
import type { Account } from './account.ts'
import { mod } from './field.ts'
import { hash } from './poseidon.ts'
import { Tree } from './tree.ts'

export type RowStatus = keyof typeof ROW_STATUS

/** Values of one lot in micro-dollars in worlds 0 .. WORLD_COUNT - 2; the add-on is charged per |lot|. */
export type Row = {
  readonly id: number
  readonly status: RowStatus
  readonly addOn: bigint
  readonly values: readonly bigint[]
}

export type Table = {
  readonly rows: readonly Row[]
  readonly marksRoot: bigint
  readonly flags: bigint
  readonly worlds: Tree
  readonly root: bigint
}

export type Settlements = { readonly rows: readonly Row[]; readonly tree: Tree }

export function rowInfo(row: Row): bigint {
  return BigInt(row.id) + (BigInt(ROW_STATUS[row.status]) << 28n) + (row.addOn << 32n)
}

export function rowHash(row: Row): bigint {
  return hash(row.status === 'settled' ? 'SETTLED' : 'ROW', [rowInfo(row), ...row.values.map(mod)])
}

/** Rows with ascending ids, at most 256. */
export function tableOf(rows: readonly Row[], flags = 0n): Table {
  if (rows.length > TABLE_ROW_COUNT)
    throw new Error(`table: ${rows.length} rows, room for ${TABLE_ROW_COUNT}`)
  rows.forEach((row, i) => {
    if (row.id <= CASH_ID || (i > 0 && row.id <= (rows[i - 1] as Row).id))
      throw new Error(`table: row ${row.id} is out of order`)
    if (row.values.length !== ROW_VALUE_COUNT)
      throw new Error(`table: row ${row.id} has ${row.values.length} values`)
  })
  const marks = new Tree(
    TABLE_DEPTH,
    rows.map((row) =>
      hash('MARK', [BigInt(row.id), mod(row.values[0] as bigint), BigInt(ROW_STATUS[row.status])]),
    ),
  )
  const worlds = new Tree(TABLE_DEPTH, rows.map(rowHash))
  const root = hash('TABLE', [marks.root, worlds.root, flags])
  return { rows, marksRoot: marks.root, flags, worlds, root }
}

export function settledRow(id: number, value: bigint): Row {
  return { id, status: 'settled', addOn: 0n, values: Array<bigint>(ROW_VALUE_COUNT).fill(value) }
}

/** The register in order of posting. */
export function settlementsOf(rows: readonly Row[]): Settlements {
  return { rows, tree: new Tree(SETTLEMENT_DEPTH, rows.map(rowHash)) }
}

export function isToken(id: number): boolean {
  return id < TOKEN_UPPER_BOUND
}

/** The value of one lot in a world; the variation world, the last, counts tokens as nothing. */
export function valueInWorld(row: Row, world: number): bigint {
  if (world < ROW_VALUE_COUNT) return row.values[world] as bigint
  return isToken(row.id) ? 0n : (row.values[0] as bigint)
}

/** Stress worlds are all but the mark and the variation world: there the add-on is charged. */
export function isStressWorld(world: number): boolean {
  return world > 0 && world < WORLD_COUNT - 1
}

export type RowOf = (id: number) => Row | undefined

/** A settled value wins over a row that a table still carries. */
export function rowLookup(table: Table, settlements: Settlements): RowOf {
  const rows = new Map(table.rows.map((row) => [row.id, row]))
  for (const row of settlements.rows) rows.set(row.id, row)
  return (id) => rows.get(id)
}

/** Worth of an account per world in micro-dollars, or the id of a balance that stands in no row. */
export function worthOf(
  account: Pick<Account, 'cash' | 'balances'>,
  rowOf: RowOf,
): readonly bigint[] | number {
  const worth = Array<bigint>(WORLD_COUNT).fill(account.cash)
  for (const { id, quantity } of account.balances) {
    const row = rowOf(id)
    if (row === undefined) return id
    const size = quantity < 0n ? -quantity : quantity
    for (let s = 0; s < WORLD_COUNT; s++) {
      const charge = isStressWorld(s) ? size * row.addOn : 0n
      worth[s] = (worth[s] as bigint) + quantity * valueInWorld(row, s) - charge
    }
  }
  return worth
}
