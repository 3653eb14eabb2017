/** The recorded day as the signers of an embedded house replay it: clock, policy, perpetuals. */
import {
  EXPIRY_13MAR20,
  marketAt,
  PERPETUAL_ID,
  perpetualOf,
  perpetualQuoteAt,
  STEP_COUNT,
} from './day-2020-03-12.ts'
import type { Underlying } from './instruments.ts'
import { decimalOfMicro } from './signer/decimal.ts'
import type { PerpetualState } from './signer/engine.ts'
import type { Policy } from './signer/policy.ts'

/** Quotes and funding, in ascending order of id. */
export function recordedPerpetuals(marketTime: number): readonly PerpetualState[] {
  const quote = perpetualQuoteAt(marketTime)
  const { basis } = perpetualOf(quote)
  return [{ id: PERPETUAL_ID, basis: String(basis), funding: decimalOfMicro(quote.funding) }]
}

/** Vol and scan range of the last close that had happened; the day's last ones hold on. */
export function recordedPolicy(policy: Policy, marketTime: number): Policy {
  const first = marketAt(0).time
  const candle = Math.floor((marketTime - first) / (marketAt(1).time - first))
  const market = marketAt(Math.min(candle, STEP_COUNT - 1))
  const underlyings = policy.underlyings.map((state) => ({
    ...state,
    vol: String(market.vol[state.name as Underlying]),
    scanRange: String(market.scanRange[state.name as Underlying]),
  }))
  return { ...policy, underlyings, perpetuals: recordedPerpetuals(marketTime) }
}

/** Seconds of the market's clock before an expiry, and of L1's as well. */
export const SETTLEMENT_WINDOW = 1800
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
    if (time >= this.expiryOnL1 - SETTLEMENT_WINDOW)
      throw new RangeError('the rounds took so long that the expiry has begun')
    this.stops.push({ at: time, market: marketAt(step).time })
  }

  readonly marketTime = (time: number): number => {
    const left = this.expiryOnL1 - time
    if (left <= SETTLEMENT_WINDOW) return EXPIRY_13MAR20 - Math.max(left, 0)
    const stop = this.stops.findLast(({ at }) => at <= time)
    if (stop === undefined) throw new RangeError(`the replay begins after ${time}`)
    return stop.market
  }

  /** Seconds of L1 at which an instrument of the recorded day expires. */
  readonly onL1 = (marketExpiry: number): number =>
    this.expiryOnL1 + (marketExpiry - EXPIRY_13MAR20)
}
