/** What a member checks at the end of the day: its leaf against the root on L1, its worth in every world. */
import { rowLookup, settledRow, settlementsOf, tableOf, worthOf } from '../../circuits/table.ts'
import type { HouseStatus } from '../api.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { rebuild } from '../l1/rebuild.ts'
import type { Member } from '../member.ts'

export type MemberCheck = {
  readonly account: number
  readonly root: string
  readonly batches: number
  readonly cash: string
  readonly balances: readonly { readonly id: number; readonly quantity: string }[]
  readonly worth: readonly string[]
  readonly receipts: number
}

/** Rebuilds the tree from L1 alone, opens the own leaf with the own keys; throws where anything differs. */
export async function checkMember(member: Member, house: HouseStatus): Promise<MemberCheck> {
  const rebuilt = await rebuild(house.rpcUrl, house.contract)
  const account = member.sync(rebuilt)
  if (member.journal.state.pending.length > 0)
    throw new Error('the head on L1 is not the one that this member signed last')
  const published = await member.api.table()
  const table = tableOf(
    published.rows.map((row) => ({
      id: row.id,
      status: row.status,
      addOn: BigInt(row.addOn),
      values: row.values.map(BigInt),
    })),
  )
  const onL1 = rebuilt.tables.at(-1)
  if (onL1 === undefined || onL1.root !== table.root)
    throw new Error('the table that the house serves is not the one on L1')
  const settled = [...rebuilt.settlements].map(([id, value]) => settledRow(id, value))
  const worth = worthOf(account, rowLookup(table, settlementsOf(settled)))
  if (typeof worth === 'number') throw new Error(`instrument ${worth} is held and not in the table`)
  return {
    account: member.account,
    root: hexWord(rebuilt.tree.root),
    batches: rebuilt.batches.length,
    cash: account.cash.toString(),
    balances: account.balances.map((b) => ({ id: b.id, quantity: b.quantity.toString() })),
    worth: worth.map(String),
    receipts: member.journal.state.receipts.size,
  }
}
