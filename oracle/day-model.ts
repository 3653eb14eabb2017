/** Which market of the recorded day a table was made from: recomputed, not believed. */

import { tableOf } from '../circuits/table.ts'
import { INSTRUMENTS, marketAt, marketAtExpiry, STEP_COUNT } from './day-2020-03-12.ts'
import { isExpired } from './instruments.ts'
import { rowsOf, type Model } from './liquidation.ts'
import { WORLDS } from './worlds.ts'

/** The model whose table has this root, or null if none of the day's has. */
export function dayModelOf(root: bigint): Model | null {
  const expiry = marketAtExpiry()
  const models = [...Array.from({ length: STEP_COUNT }, (_, step) => marketAt(step)), expiry].map(
    (market): Model => ({ market, instruments: INSTRUMENTS, worlds: WORLDS }),
  )
  // What has settled has left the table.
  const left = INSTRUMENTS.filter((spec) => !isExpired(spec, expiry.time))
  for (const model of [...models, { market: expiry, instruments: left, worlds: WORLDS }]) {
    if (tableOf(rowsOf(model.market, model.instruments, WORLDS)).root === root) return model
  }
  return null
}
