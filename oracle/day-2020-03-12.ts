/**
 * The market of 12 March 2020, the day on which bitcoin lost two fifths: prices as facts, the rest
 * as stated assumptions.
 */

import { ln } from './elementary.ts'
import { cumulativeFunding, FUNDING_TERMS, type Premium } from './funding.ts'
import type { InstrumentSpec, OptionSpec, PerUnderlying, Underlying } from './instruments.ts'
import type { Perpetual } from './market.ts'
import { rangeOfVariance } from './scan-range.ts'
import type { Market } from './worlds.ts'

const DAY_START = Date.UTC(2020, 2, 12) / 1000
const CANDLE_SECONDS = 4 * 3600
export const EXPIRY_13MAR20 = Date.UTC(2020, 2, 13, 8) / 1000
const EXPIRY_27MAR20 = Date.UTC(2020, 2, 27, 8) / 1000
const EXPIRY_26JUN20 = Date.UTC(2020, 5, 26, 8) / 1000

/**
 * Closes of the six candles that open at 00, 04, 08, 12, 16 and 20 h.
 * Source: 4-hour candles of a public exchange (BTC and ETH against USDT), 2020-03-12 UTC.
 */
const CLOSES: PerUnderlying<readonly number[]> = {
  BTC: [7662.73, 7392.13, 6067.01, 6132.13, 6037.45, 4800.0],
  ETH: [183.08, 171.61, 136.59, 141.1, 138.37, 107.82],
}
export const STEP_COUNT = 6

/**
 * Spot at 13 March 08:00, when the same-day instruments expire.
 * Source: 4-hour candles of a public exchange, close of the one of 2020-03-13 04:00 UTC.
 */
export const EXPIRY_SPOT: PerUnderlying<number> = { BTC: 5385.87, ETH: 127.28 }

/**
 * Daily close of 11 March, and the deviation of daily log returns up to it (EWMA, lambda 0.94).
 * Source: daily candles of the same exchange since 2017-08-17.
 */
const PREVIOUS_CLOSE: PerUnderlying<number> = { BTC: 7934.52, ETH: 194.61 }
const PREVIOUS_DEVIATION: PerUnderlying<number> = { BTC: 0.03301, ETH: 0.05705 }

/** Assumption: one volatility per underlying and step, rising as the day goes wrong. */
const VOLS: PerUnderlying<readonly number[]> = {
  BTC: [0.75, 0.9, 1.6, 1.5, 1.5, 2.0],
  ETH: [0.9, 1.1, 1.9, 1.8, 1.8, 2.3],
}
/** Assumption: what it cost to finance dollars, all day. */
const RATE = 0.05
/** Assumption: the cost of closing out, 5 and 10 basis points. */
const LIQUIDITY: PerUnderlying<number> = { BTC: 0.0005, ETH: 0.001 }

/**
 * Assumption: by how many basis points the perpetual was quoted over the index at the close of each
 * candle, the last two being those of 13 March 04:00 and 08:00. In the crash it fell below.
 */
const PERPETUAL_PREMIUMS: readonly number[] = [10, 12, -150, -60, -40, -120, -50, -20]
/** Close of 13 March 04:00; source as above. */
const NIGHT_CLOSE_BTC = 5167.26
/** What a table says of a perpetual: quoted price over spot, less one; micro-dollars a unit. */
export type PerpetualQuote = { readonly basis: number; readonly funding: bigint }

/** Quote and funding of BTC-PERP as of a time of the recorded day; it was listed at the first close. */
export function perpetualQuoteAt(time: number): PerpetualQuote {
  const closes = [...CLOSES.BTC, NIGHT_CLOSE_BTC, EXPIRY_SPOT.BTC]
  const passed = Math.floor((time - DAY_START) / CANDLE_SECONDS)
  const last = Math.min(passed, closes.length) - 1
  if (last < 0) throw new RangeError(`the perpetual is not listed yet at ${time}`)
  const premiums = closes.slice(0, last + 1).map((close, i): Premium => {
    const index = BigInt(Math.round(close * 1e6))
    const over = BigInt(at(PERPETUAL_PREMIUMS, i))
    const price = index + (index * over) / 10_000n
    return { price, index, seconds: BigInt(CANDLE_SECONDS) }
  })
  return {
    basis: at(PERPETUAL_PREMIUMS, last) / 10_000,
    funding: cumulativeFunding(premiums.slice(1), FUNDING_TERMS),
  }
}

/** As the engine takes it. */
export function perpetualOf({ basis, funding }: PerpetualQuote): Perpetual {
  return { basis, funding: Number(funding) / 1e6 }
}

/** Which candle's close each of the day's five rounds of trading takes its table from. */
export const ROUND_STEPS: readonly number[] = [0, 1, 2, 5, 5]

/** The market at the close of candle `step`: 0 is 04:00, 5 is midnight. */
export function marketAt(step: number): Market {
  if (!Number.isInteger(step) || step < 0 || step >= STEP_COUNT) {
    throw new RangeError(`the day has candles 0 to ${STEP_COUNT - 1}, not ${step}`)
  }
  const spot = perUnderlying((name) => at(CLOSES[name], step))
  const time = DAY_START + (step + 1) * CANDLE_SECONDS
  return {
    time,
    rate: RATE,
    spot,
    vol: perUnderlying((name) => at(VOLS[name], step)),
    scanRange: perUnderlying((name) => scanRange(name, spot[name])),
    liquidity: LIQUIDITY,
    perpetuals: { [PERPETUAL_ID]: perpetualOf(perpetualQuoteAt(time)) },
  }
}

/**
 * The market at 13 March 08:00, when the same-day instruments have just expired; vols are the day's
 * last.
 */
export function marketAtExpiry(): Market {
  const perpetual = perpetualOf(perpetualQuoteAt(EXPIRY_13MAR20))
  return {
    ...marketAt(STEP_COUNT - 1),
    time: EXPIRY_13MAR20,
    spot: EXPIRY_SPOT,
    perpetuals: { [PERPETUAL_ID]: perpetual },
  }
}

/**
 * 0.75 * max(10 %, 3 * sigma * sqrt(2)) + 0.25 * 30 %: two days at three deviations, held up by a
 * floor and damped by a constant so that margins do not chase the market. The day so far counts as
 * one return.
 */
function scanRange(name: Underlying, spot: number): number {
  const dayReturn = ln(spot / PREVIOUS_CLOSE[name])
  const deviation = PREVIOUS_DEVIATION[name]
  const variance = 0.94 * deviation * deviation + 0.06 * dayReturn * dayReturn
  return rangeOfVariance(variance)
}

function perUnderlying<T>(value: (name: Underlying) => T): PerUnderlying<T> {
  return { BTC: value('BTC'), ETH: value('ETH') }
}

function at(values: readonly number[], index: number): number {
  const value = values[index]
  if (value === undefined) throw new RangeError(`no entry ${index} among ${values.length}`)
  return value
}

/** Half an hour of the recorded prices before the expiry. */
export const RECORDED_INDEX = 'recorded 12 March 2020'
const settlement = { source: RECORDED_INDEX, windowSeconds: 1800 }
const BTC = { underlying: 'BTC', lot: '0.01', settlement } as const
const ETH = { underlying: 'ETH', lot: '0.1', settlement } as const
const MICRO = 1_000_000n
/** Of BTC-PERP. */
export const PERPETUAL_ID = 1038

function option27Mar(
  id: number,
  of: typeof BTC | typeof ETH,
  dollars: bigint,
  kind: OptionSpec['kind'],
): OptionSpec {
  const name = `${of.underlying}-27MAR20-${dollars}-${kind === 'call' ? 'C' : 'P'}`
  return { ...of, kind, id, name, strike: dollars * MICRO, expiry: EXPIRY_27MAR20 }
}

/** All that the house clears on the day: cash, a token, five futures, nine options, a perpetual. */
export const INSTRUMENTS: readonly InstrumentSpec[] = [
  { kind: 'cash', id: 1, name: 'TEST-USD' },
  {
    kind: 'token',
    id: 2,
    name: 'TEST-ETH',
    underlying: 'ETH',
    lot: '0.001',
    haircut: '0.05',
  },
  { ...BTC, kind: 'future', id: 1024, name: 'BTC-13MAR20', expiry: EXPIRY_13MAR20 },
  { ...BTC, kind: 'future', id: 1025, name: 'BTC-27MAR20', expiry: EXPIRY_27MAR20 },
  { ...BTC, kind: 'future', id: 1026, name: 'BTC-26JUN20', expiry: EXPIRY_26JUN20 },
  { ...ETH, kind: 'future', id: 1027, name: 'ETH-27MAR20', expiry: EXPIRY_27MAR20 },
  { ...ETH, kind: 'future', id: 1028, name: 'ETH-26JUN20', expiry: EXPIRY_26JUN20 },
  {
    ...BTC,
    kind: 'put',
    id: 1029,
    name: 'BTC-13MAR20-7000-P',
    strike: 7000n * MICRO,
    expiry: EXPIRY_13MAR20,
  },
  option27Mar(1030, BTC, 5000n, 'put'),
  option27Mar(1031, BTC, 6000n, 'put'),
  option27Mar(1032, BTC, 7000n, 'put'),
  option27Mar(1033, BTC, 6000n, 'call'),
  option27Mar(1034, BTC, 8000n, 'call'),
  option27Mar(1035, ETH, 120n, 'put'),
  option27Mar(1036, ETH, 160n, 'put'),
  option27Mar(1037, ETH, 160n, 'call'),
  { kind: 'perpetual', id: PERPETUAL_ID, name: 'BTC-PERP', underlying: 'BTC', lot: '0.01' },
]
