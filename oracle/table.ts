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
import { checkInstrument, isExpired, UNDERLYINGS, valuePerLot } from './instruments.ts'
import type { CashSpec, InstrumentSpec } from './instruments.ts'
import { coverOf, stateUnder } from './worlds.ts'
import type { Market, World } from './worlds.ts'

export type TableRow = {
  readonly id: number
  readonly status: 'LIVE' | 'EXPIRED'
  /** Micro-dollars, charged per |lot| in the stress worlds. */
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
  market: Market,
  instruments: readonly InstrumentSpec[],
  worlds: readonly World[],
): readonly TableRow[] {
  checkMarket(market)
  checkWorlds(worlds)
  instruments.forEach(checkInstrument)
  const sorted = [...instruments].sort((a, b) => a.id - b.id)
  sorted.forEach((spec, i) => {
    if (spec.id === sorted[i - 1]?.id) throw new RangeError(`table: id ${spec.id} appears twice`)
  })
  return sorted.filter((spec) => spec.kind !== 'cash').map((spec) => buildRow(market, spec, worlds))
}

function buildRow(
  market: Market,
  spec: Exclude<InstrumentSpec, CashSpec>,
  worlds: readonly World[],
): TableRow {
  const mark = valuePerLot(spec, market)
  const values = worlds.map((world) => {
    if (world.kind === 'mark') return roundMark(mark, spec)
    const stressed = valuePerLot(spec, stateUnder(world, market))
    return roundStress(mark + coverOf(world) * (stressed - mark), spec)
  })
  const expired = isExpired(spec, market.time)
  // What has expired is paid out, not sold: no liquidity is needed for it.
  const liquidity = expired ? 0 : market.liquidity[spec.underlying]
  const notional = Number(spec.lot) * market.spot[spec.underlying]
  bounded(notional * MICRO, spec, VALUE_UPPER_BOUND)
  return {
    id: spec.id,
    status: expired ? 'EXPIRED' : 'LIVE',
    addOn: roundAddOn(liquidity * notional, spec),
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

/** A feed that fails shows itself as zero or NaN; such a market must not become a table. */
function checkMarket(market: Market): void {
  const fail = (why: string): never => {
    throw new RangeError(`market: ${why}`)
  }
  if (!Number.isSafeInteger(market.time) || market.time <= 0) fail(`bad time ${market.time}`)
  if (!(Math.abs(market.rate) < 1)) fail(`bad rate ${market.rate}`)
  for (const name of UNDERLYINGS) {
    const spot = market.spot[name]
    const vol = market.vol[name]
    const scanRange = market.scanRange[name]
    const liquidity = market.liquidity[name]
    if (!(spot > 0 && spot < Infinity)) fail(`${name} spot ${spot} is not a price`)
    if (!(vol >= 0 && vol < 100)) fail(`${name} vol ${vol} is out of range`)
    if (!(scanRange > 0 && scanRange < 1)) fail(`${name} scan range ${scanRange} is out of (0, 1)`)
    if (!(liquidity >= 0 && liquidity < 1)) fail(`${name} liquidity ${liquidity} is out of [0, 1)`)
  }
}

function checkWorlds(worlds: readonly World[]): void {
  if (worlds.length !== ROW_VALUE_COUNT) {
    throw new RangeError(`worlds: ${worlds.length} where a row has ${ROW_VALUE_COUNT}`)
  }
  worlds.forEach((world, i) => {
    if ((world.kind === 'mark') !== (i === 0)) {
      throw new RangeError(`worlds: ${i} is ${world.name}; the mark is world 0 and no other`)
    }
  })
}
