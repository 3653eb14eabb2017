/** Reduce-only: what a page may do while the house halts, or takes no new risk. */
import type { Account } from '../circuits/account.ts'
import { isReduction, reductionsOf } from '../circuits/exit.ts'
import { CASH_ID } from '../circuits/params.ts'

type Holdings = Pick<Account, 'balances'>

/** The first instrument besides cash that breaks ReduceOnlyMustReduce, as the law has it; or null. */
export function growing(before: Holdings, after: Holdings): number | null {
  const changes = reductionsOf(0, before.balances, after.balances, [])
  return changes.find((change) => change.id !== CASH_ID && !isReduction(change))?.id ?? null
}
