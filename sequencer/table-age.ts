/**
 * How old L1 finds the table that the house works by. L1 fixes the mode of a batch by it: at an old table
 * it takes nothing but reductions and pays nothing out, so the house must not admit or build anything else.
 */
import type { House } from './house.ts'
import type { TableAge } from './l1.ts'

/** Looks, and records what changes what may be admitted, so that a replay admits the same. */
export async function checkAge(
  house: Pick<House, 'core' | 'l1' | 'submit' | 'options'>,
): Promise<TableAge> {
  const { core, l1, options } = house
  const { tableNumber: number } = core
  if (number === 0n || l1.tableAge === undefined) return 'young'
  const age = await l1.tableAge(number)
  const isOld = age === 'old'
  if (isOld !== core.isTableOld && number === core.tableNumber) {
    await house.submit({ kind: 'tableAge', number, isOld })
    if (isOld) options.log(`table ${number} is too old for L1: only reductions until the next one`)
  }
  return age
}
