/** The bytes in which a table's marks stand on L1. */
import { AbiCoder } from 'ethers'
import type { Table } from '../../circuits/table.ts'

/**
 * Marks and statuses as data on L1: 28-bit id, status, signed mark. The way out needs them, and it needs
 * the worlds root and the flags, without which the marks do not lead to the table's root: two words
 * behind the rows, where every decoder of the rows stops reading.
 */
export function marksData(table: Table): string {
  const coder = AbiCoder.defaultAbiCoder()
  const rows = coder.encode(
    ['tuple(uint32 id, uint8 status, int64 mark)[]'],
    [table.rows.map((row) => [row.id, row.status === 'live' ? 1 : 2, row.values[0]])],
  )
  return rows + coder.encode(['uint256', 'uint256'], [table.worlds.root, table.flags]).slice(2)
}
