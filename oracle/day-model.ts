/** Which market of the recorded day a table was made from: recomputed, not believed. */

import { tableOf } from '../circuits/table.ts'
import { INSTRUMENTS, marketAt, STEP_COUNT } from './day-2020-03-12.ts'
import { rowsOf, type Model } from './liquidation.ts'
import { WORLDS } from './worlds.ts'

/** The model whose table has this root, or null if none of the day's has. */
export function dayModelOf(root: bigint): Model | null {
  for (let step = 0; step < STEP_COUNT; step++) {
    const market = marketAt(step)
    const rows = rowsOf(market, INSTRUMENTS, WORLDS)
    if (tableOf(rows).root === root) return { market, instruments: INSTRUMENTS, worlds: WORLDS }
  }
  return null
}
