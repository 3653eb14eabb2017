/** How far an underlying may move before an account's maintenance breaks, found on the model. */

import type { Row } from '../circuits/table.ts'
import type { InstrumentSpec } from './instruments.ts'
import { marginOf, type Holdings } from './margin.ts'
import { entryOf, type Market } from './market.ts'
import { buildTable } from './table.ts'
import type { World } from './worlds.ts'

export type Model = {
  readonly market: Market<string>
  readonly instruments: readonly InstrumentSpec[]
  readonly worlds: readonly World[]
  /** Rows of the settlement register, if any: they win over the model. */
  readonly settled?: readonly Row[]
}

export type LiquidationDistance = {
  /** The smallest fall, as a fraction of spot below zero, or null where none breaks it. */
  readonly down: number | null
  readonly up: number | null
}

/** No fall is as large as this, and no rise that is looked for is larger. */
const LOWEST_MOVE = -0.99
const HIGHEST_MOVE = 9
/** Moves that are tried, ever wider, before the first one that breaks is narrowed down. */
const STEPS = 60
const NARROWINGS = 40

/**
 * Volatilities, scan ranges and everything else stay as they are. Between two moves that are tried a
 * book may break and recover; the steps are below 1 % of spot as far as 10 % down, and 2 % up.
 */
export function liquidationDistance(
  account: Holdings,
  model: Model,
  underlying: string,
): LiquidationDistance {
  if (marginAfter(account, model, underlying, 0) < 0n) return { down: 0, up: 0 }
  const breaks = (move: number): boolean => {
    try {
      return marginAfter(account, model, underlying, move) < 0n
    } catch (error) {
      // A price at which a lot is worth more than a row can carry has no table: the search ends there.
      if (error instanceof RangeError) return false
      throw error
    }
  }
  return { down: firstBreak(breaks, LOWEST_MOVE), up: firstBreak(breaks, HIGHEST_MOVE) }
}

/** The cushion over maintenance when the underlying has moved by a fraction of spot. */
export function marginAfter(
  account: Holdings,
  { market, instruments, worlds, settled = [] }: Model,
  underlying: string,
  move: number,
): bigint {
  const spot = entryOf(market.spot, underlying, 'spot') * (1 + move)
  const moved = { ...market, spot: { ...market.spot, [underlying]: spot } }
  const held = new Set(account.balances.map(({ id }) => id))
  const rows = rowsOf(
    moved,
    instruments.filter(({ id }) => held.has(id)),
    worlds,
  )
  // No root is needed here, so none is hashed.
  const byId = new Map([...rows, ...settled].map((row) => [row.id, row]))
  return marginOf(account, (id) => byId.get(id)).cushion
}

/** The table of the oracle in the words of the law. */
export function rowsOf(
  market: Market<string>,
  instruments: readonly InstrumentSpec[],
  worlds: readonly World[],
): readonly Row[] {
  return buildTable(market, instruments, worlds).map((row) => ({
    ...row,
    status: row.status === 'LIVE' ? 'live' : 'expired',
  }))
}

function firstBreak(breaks: (move: number) => boolean, end: number): number | null {
  let safe = 0
  for (let step = 1; step <= STEPS; step++) {
    const share = step / STEPS
    const move = end * share * share
    if (breaks(move)) return narrowed(breaks, safe, move)
    safe = move
  }
  return null
}

/** The breaking end of an interval that holds and breaks at its ends. */
function narrowed(breaks: (move: number) => boolean, safe: number, broken: number): number {
  let [good, bad] = [safe, broken]
  for (let i = 0; i < NARROWINGS; i++) {
    const middle = (good + bad) / 2
    if (breaks(middle)) bad = middle
    else good = middle
  }
  return bad
}
