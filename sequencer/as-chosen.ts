/** Whether a batch that was proven may still be sent: behind another it may have waited for minutes. */
import type { OpenBatch } from './answers.ts'
import type { House } from './house.ts'
import { unsweepable } from './sweepable.ts'

/** Of the batch that L1 gets next, by what the house has just heard of L1. */
export async function isAsChosen(
  house: Pick<House, 'core' | 'l1' | 'options'>,
  { plan, trace, tableNumber }: OpenBatch,
): Promise<boolean> {
  const { core, l1, options } = house
  const { fee, mode = 'normal', settlements } = plan.context
  const isKnown =
    core.isCurrent(tableNumber) &&
    core.settlements.tree.root === settlements.tree.root &&
    // A change may have come with the batch before this one, or behind it.
    core.fee === fee
  if (!isKnown) return false
  // The table that the house works by is another one by now, and its age is not this one's.
  const isOther = mode === 'normal' && tableNumber !== core.tableNumber
  if (isOther && (await l1.tableAge?.(tableNumber)) === 'old') return false
  // A sweep that began meanwhile would be lost by it, and L1 would take it all the same.
  const { sweep } = (await l1.duties?.()) ?? {}
  const table = sweep === undefined ? undefined : options.tableByRoot(sweep.root)
  return table === undefined || table.root !== sweep?.root || unsweepable(trace, table) === null
}
