/**
 * The table: one row of integers per instrument. All rounding of the house happens here.
 *
 * Stress worlds (1..14) are rounded down, which is against a long. A short gains by that less than
 * one micro-dollar per lot, and every |lot| pays the add-on in the stress worlds, which is at least
 * two: one for the rounding, one for the floating-point error before it (below 2^48 an ulp is at
 * most 2^-5, and the notional of a lot is held below that, too). So in no stress world does
 * rounding favour the holder, long or short. The mark is rounded to the nearest: it is one number
 * for both sides of every trade, so what one side gains by it the other loses.
 */

import { ADD_ON_BITS, ROW_VALUE_COUNT, VALUE_BITS } from '../circuits/params.ts'
import { checkInstrument, isExpired, payoffOf, unitsOf, valuePerLot } from './instruments.ts'
import type { ExposedSpec, InstrumentSpec } from './instruments.ts'
import { gapCharge } from './gap.ts'
import { checkMarket, entryOf, SECONDS_PER_DAY, type Market } from './market.ts'
import { SCAN_PARAMETERS } from './scan-range.ts'
import { inseparable, shockOf, weightOf, type World } from './worlds.ts'

export type TableRow = {
  readonly id: number
  readonly status: 'LIVE' | 'EXPIRED'
  /** Micro-dollars per |lot| in the stress worlds: closing out, the gap between worlds, rounding. */
  readonly addOn: bigint
  /** Worlds 0..14, in micro-dollars per lot. */
  readonly values: readonly bigint[]
}

/** Micro-dollars per lot. */
export const ROUNDING_ADD_ON = 2

const MICRO = 1e6
const VALUE_UPPER_BOUND = 2 ** VALUE_BITS
const ADD_ON_UPPER_BOUND = 2 ** ADD_ON_BITS

/** Rows in ascending order of id. Cash has no row: the circuit counts it at 1 in every world. */
export function buildTable(
  market: Market<string>,
  instruments: readonly InstrumentSpec[],
  worlds: readonly World[],
): readonly TableRow[] {
  if (worlds.length !== ROW_VALUE_COUNT)
    throw new RangeError(`worlds: ${worlds.length} where a row has ${ROW_VALUE_COUNT}`)
  return buildRows(market, instruments, worlds)
}

/** The same for any number of worlds: what the trade-off of larger sets is measured with. */
export function buildRows(
  market: Market<string>,
  instruments: readonly InstrumentSpec[],
  worlds: readonly World[],
): readonly TableRow[] {
  checkMarket(market)
  checkWorlds(worlds)
  instruments.forEach(checkInstrument)
  const names = instruments.flatMap((spec) => (spec.kind === 'cash' ? [] : [spec.underlying]))
  const pair = inseparable(worlds, names)
  if (pair !== null)
    throw new RangeError(
      `worlds: ${pair.join(' and ')} must part in one of them to be in one table`,
    )
  const sorted = [...instruments].sort((a, b) => a.id - b.id)
  sorted.forEach((spec, i) => {
    if (spec.id === sorted[i - 1]?.id) throw new RangeError(`table: id ${spec.id} appears twice`)
  })
  return sorted.flatMap((spec) => (spec.kind === 'cash' ? [] : [buildRow(market, spec, worlds)]))
}

/** Dollars per lot in a world, unrounded: a world of weight 1/3 counts a third of its distance. */
export function worldValue(spec: ExposedSpec, market: Market<string>, world: World): number {
  const mark = valuePerLot(spec, market)
  if (world.kind === 'mark') return mark
  const scanRange = { [spec.underlying]: rangeOf(spec, market) }
  const stressed = valuePerLot(spec, market, shockOf(world, { scanRange }, spec.underlying))
  return mark + weightOf(world) * (stressed - mark)
}

/** Below 1: no price falls by more than itself. */
const WIDEST_RANGE = 0.95

/**
 * The scan range. What has expired pays by the price of then, and its row follows the price of now until
 * the register has its value: these two drift apart for as long as that takes, by the root of the time.
 * The scan range is a move of two days, so from the third day on it is widened to that of all days since.
 */
function rangeOf(spec: ExposedSpec, market: Market<string>): number {
  const range = entryOf(market.scanRange, spec.underlying, 'scan range')
  const since = 'expiry' in spec ? (market.time - spec.expiry) / SECONDS_PER_DAY : 0
  const { liquidationDays } = SCAN_PARAMETERS
  if (since <= liquidationDays) return range
  return Math.max(range, Math.min(range * Math.sqrt(since / liquidationDays), WIDEST_RANGE))
}

function buildRow(market: Market<string>, spec: ExposedSpec, worlds: readonly World[]): TableRow {
  const values = worlds.map((world) => {
    const value = worldValue(spec, market, world)
    return world.kind === 'mark' ? roundMark(value, spec) : roundStress(value, spec)
  })
  const expired = isExpired(spec, market.time)
  const liquidity = entryOf(market.liquidity, spec.underlying, 'liquidity')
  const spot = entryOf(market.spot, spec.underlying, 'spot')
  const price = payoffOf(spec.kind).notional ?? spot
  const notional = unitsOf(spec) * price
  bounded(notional * MICRO, spec, VALUE_UPPER_BOUND)
  // Value and funding cancel, so funding alone must keep its ulp below the add-on's part, too.
  if (spec.kind === 'perpetual') {
    const funding = market.perpetuals?.[spec.id]?.funding ?? 0
    bounded(unitsOf(spec) * funding * MICRO, spec, VALUE_UPPER_BOUND)
  }
  return {
    id: spec.id,
    status: expired ? 'EXPIRED' : 'LIVE',
    // What has expired is paid out, not sold, and is a straight line until then.
    addOn: roundAddOn(expired ? 0 : liquidity * notional + gapCharge(spec, market, worlds), spec),
    values,
  }
}

function roundMark(dollars: number, spec: InstrumentSpec): bigint {
  return BigInt(bounded(Math.round(dollars * MICRO), spec, VALUE_UPPER_BOUND))
}

function roundStress(dollars: number, spec: InstrumentSpec): bigint {
  return BigInt(bounded(Math.floor(dollars * MICRO), spec, VALUE_UPPER_BOUND))
}

function roundAddOn(dollars: number, spec: InstrumentSpec): bigint {
  const micro = Math.ceil(dollars * MICRO) + ROUNDING_ADD_ON
  return BigInt(bounded(micro, spec, ADD_ON_UPPER_BOUND))
}

function bounded(micro: number, spec: InstrumentSpec, upperBound: number): number {
  // Written so that NaN fails, too.
  if (!(Math.abs(micro) < upperBound)) {
    throw new RangeError(`table: ${micro} micro-dollars for ${spec.name} is out of range`)
  }
  return micro
}

function checkWorlds(worlds: readonly World[]): void {
  worlds.forEach((world, i) => {
    if ((world.kind === 'mark') !== (i === 0)) {
      throw new RangeError(`worlds: ${i} is ${world.name}; the mark is world 0 and no other`)
    }
  })
}
