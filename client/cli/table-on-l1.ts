/** The table that the house serves, believed as far as L1 has its root. */
import { rowLookup, settledRow, settlementsOf, tableOf } from '../../circuits/table.ts'
import type { Row, RowOf, Table } from '../../circuits/table.ts'
import type { TableView } from '../api.ts'
import type { Rebuilt } from '../l1/rebuild.ts'
import { findHouse, type Common } from './day.ts'
import { Undone } from './failures.ts'

export type RowsOnL1 = {
  readonly number: bigint
  readonly table: Table
  readonly settled: readonly Row[]
  readonly rowOf: RowOf
}

/** What the house serves, if it is the house of this contract. */
export async function servedTable(
  options: Common,
  contract: string,
): Promise<{ readonly view: TableView; readonly fee: bigint }> {
  const house = await findHouse(options)
  if (BigInt(house.status.contract) !== BigInt(contract))
    throw new Undone('the running house is another one')
  return { view: await house.api.table(), fee: BigInt(house.status.fee) }
}

/**
 * Rows that the house serves count only under a root on L1: that of the latest table, or of the one
 * before, by which a house values while the latest is not confirmed. Else it is said why not.
 */
export function rowsUnder(
  { tables, settlements }: Pick<Rebuilt, 'tables' | 'settlements'>,
  view: TableView,
): RowsOnL1 | string {
  const rows = view.rows.map(({ id, status, addOn, values }) => ({
    id,
    status,
    addOn: BigInt(addOn),
    values: values.map(BigInt),
  }))
  const table = tableOf(rows)
  const posted = tables.slice(-2).find(({ root }) => root === table.root)
  if (posted === undefined)
    return 'the table that the house serves is not the latest one on L1, nor the one before'
  const settled = [...settlements].map(([id, value]) => settledRow(id, value))
  return { number: posted.number, table, settled, rowOf: rowLookup(table, settlementsOf(settled)) }
}
