/** Reduce-only: what a page may do while the house halts, or takes no new risk. */
import type { Account } from '../circuits/account.ts'
import { CASH_ID } from '../circuits/params.ts'

type Holdings = Pick<Account, 'balances'>

const quantityIn = ({ balances }: Holdings, id: number): bigint =>
  balances.find((balance) => balance.id === id)?.quantity ?? 0n

/** The first instrument besides cash that does not move towards zero with its sign kept; or null. */
export function growing(before: Holdings, after: Holdings): number | null {
  const ids = new Set([...before.balances, ...after.balances].map(({ id }) => id))
  ids.delete(CASH_ID)
  for (const id of ids) {
    const [old, now] = [quantityIn(before, id), quantityIn(after, id)]
    const isReduced = old >= 0n ? now >= 0n && now <= old : now <= 0n && now >= old
    if (!isReduced) return id
  }
  return null
}
