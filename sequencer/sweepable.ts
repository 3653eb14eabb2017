/**
 * A sweep proves a state at a table that is older than it. What is lawful at the table of a batch may be
 * broken at that one, or stand in no row of it; no law flags it then, and the whole sweep is lost. So
 * until its state is fixed the house makes no account so, be it by trades, deposits, exits or releases.
 */
import type { Account } from '../circuits/account.ts'
import type { BatchTrace } from '../circuits/batch.ts'
import { statusOf } from '../circuits/exit.ts'
import { STATUS } from '../circuits/params.ts'
import type { Rejection } from '../circuits/rules.ts'
import { lackOf, marginsOf } from '../circuits/sweep.ts'
import { rowLookup, type RowOf, type Table } from '../circuits/table.ts'

type Obstacle = 'unlisted' | 'broken' | null

function obstacleOf(account: Account, rowOf: RowOf): Obstacle {
  const margins = marginsOf(account, rowOf)
  if (typeof margins === 'number') return 'unlisted'
  const status = statusOf(account.meta)
  const isFlagged = status === STATUS.called || status === STATUS.liquidating
  return isFlagged || lackOf(margins) === 0n ? null : 'broken'
}

/** The first account that the batch would take out of the sweep at `table`; null if it takes none. */
export function unsweepable(trace: BatchTrace, table: Table): Rejection | null {
  const rowOf = rowLookup(table, trace.plan.context.settlements)
  for (const { index, before, after, flag } of trace.members) {
    const obstacle = obstacleOf(after, rowOf)
    if (obstacle === null) continue
    // Who was so before stays so whatever this batch does: only a call at that table helps.
    if (before !== null && obstacleOf(before, rowOf) !== null) continue
    const detail = `${obstacle} at the table of the sweep, whose state is not fixed yet`
    if (flag?.step === 'release') return { rule: 'ReleaseMustBeProven', detail, account: index }
    const rule = obstacle === 'unlisted' ? 'InstrumentMustBeListed' : 'AccountMustBeSolvent'
    return { rule, detail, account: index }
  }
  return null
}
