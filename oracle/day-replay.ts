/** The recorded day as the signers of an embedded house replay it: clock, policy, perpetuals. */
import {
  EXPIRY_13MAR20,
  marketAt,
  PERPETUAL_ID,
  perpetualQuoteAt,
  STEP_COUNT,
} from './day-2020-03-12.ts'
import { UNDERLYINGS } from './instruments.ts'
import { decimalOfMicro } from './signer/decimal.ts'
import type { GivenPerpetual } from './signer/market-document.ts'
import type { Policy } from './signer/policy.ts'

/** Quotes and funding, in ascending order of id. */
export function recordedPerpetuals(marketTime: number): readonly GivenPerpetual[] {
  const { basis, funding } = perpetualQuoteAt(marketTime)
  return [{ id: PERPETUAL_ID, basis: String(basis), funding: decimalOfMicro(funding) }]
}

/** All but prices as of the last close that had happened; the day's last ranges hold on. */
export function recordedPolicy(marketTime: number): Policy {
  const first = marketAt(0).time
  const candle = Math.floor((marketTime - first) / (marketAt(1).time - first))
  const { rate, vol, scanRange, liquidity } = marketAt(Math.min(candle, STEP_COUNT - 1))
  return {
    rate: String(rate),
    underlyings: UNDERLYINGS.map((name) => ({
      name,
      vol: String(vol[name]),
      scanRange: String(scanRange[name]),
      liquidity: String(liquidity[name]),
      volGrid: [],
      carry: [],
      discount: [],
    })),
    perpetuals: recordedPerpetuals(marketTime),
    halted: [],
  }
}

/** Seconds of the market's clock before an expiry, and of L1's as well. */
export const SETTLEMENT_WINDOW = 1800
/** The signers look this long before the window: what they saw last must not be of the evening. */
export const WATCH_BEFORE = 600
/** How far the expiry lies ahead on L1: more than the rounds before it take on any machine. */
const UNTIL_EXPIRY = 4 * 3600

/**
 * The market's clock stands at the close of a candle until the next round begins, however long that
 * takes. Over the settlement window it runs as L1's does, and then stands at the expiry.
 */
export class ReplayClock {
  readonly expiryOnL1: number
  private readonly stops: { readonly at: number; readonly market: number }[]

  constructor(startedAt: number) {
    this.expiryOnL1 = startedAt + UNTIL_EXPIRY
    this.stops = [{ at: 0, market: marketAt(0).time }]
  }

  /** From this second of L1 on the market stands at the close of a candle. */
  stopAt(time: number, step: number): void {
    if (time >= this.expiryOnL1 - SETTLEMENT_WINDOW - WATCH_BEFORE)
      throw new RangeError('the rounds took so long that the expiry has begun')
    this.stops.push({ at: time, market: marketAt(step).time })
  }

  readonly marketTime = (time: number): number => {
    const left = this.expiryOnL1 - time
    if (left <= SETTLEMENT_WINDOW + WATCH_BEFORE) return EXPIRY_13MAR20 - Math.max(left, 0)
    const stop = this.stops.findLast(({ at }) => at <= time)
    if (stop === undefined) throw new RangeError(`the replay begins after ${time}`)
    return stop.market
  }

  /** Seconds of L1 at which an instrument of the recorded day expires. */
  readonly onL1 = (marketExpiry: number): number =>
    this.expiryOnL1 + (marketExpiry - EXPIRY_13MAR20)
}
