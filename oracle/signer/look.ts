/** What a signer sees of the market at one moment, from its own sources, and what it saw before. */
import { accruedStates, givenOf, premiumOf, type FundingBase, type Seen } from './accrual.ts'
import { InputError } from './canonical.ts'
import { marketTime, type SignerConfig } from './config.ts'
import { decimalOfMicro, microOf } from './decimal.ts'
import { underlyingOf, type InstrumentSpec } from './engine.ts'
import type { MarketDocument, PerpetualState } from './market-document.ts'
import { observe, type Observed } from './observe.ts'
import { currentPolicy, underlyingsOf, type Policy } from './policy.ts'
import { SampleLog, type NamedSample } from './window.ts'

/** What a recorded day knows besides its prices; a signer of a live market has none of it. */
export type Recorded = {
  /** Market time of a second of L1's clock, where it does not simply run. */
  readonly marketTime?: (time: number) => number
  /** What the configuration says of the market, as it was at a market time. */
  readonly policyAt?: (marketTime: number) => Policy
}
export type Look = {
  readonly market: MarketDocument
  readonly observed: Readonly<Record<string, Observed>>
  /** What funding from quotes goes on from, and what was seen of each perpetual. */
  readonly base: FundingBase | null
  readonly seen: readonly Seen[]
}
export type LookoutOptions = {
  readonly config: SignerConfig
  readonly instruments: readonly InstrumentSpec[]
  readonly recorded?: Recorded
  /** What was seen before a restart, and where to write down what is seen. */
  readonly samples?: readonly NamedSample[]
  readonly keepSample?: (sample: NamedSample) => void
  /** The last confirmed table on L1: what funding that is computed from quotes goes on from. */
  readonly fundingBase?: () => Promise<FundingBase | null>
}

/**
 * No settlement window and no funding interval is longer, and no settlement waits longer: of a table's 256
 * rows the house's register may take 64 in each batchDelay (7 days). Who has forgotten a window by then
 * would take it for one that nobody saw, and an operator that converts nothing would choose the fallback.
 */
export const KEEP_SECONDS = 30 * 86_400

export class Lookout {
  readonly log: SampleLog
  private readonly options: LookoutOptions

  constructor(options: LookoutOptions) {
    this.options = options
    this.log = new SampleLog(KEEP_SECONDS, options.samples, options.keepSample)
    if (options.config.perpetuals !== null && options.fundingBase === undefined)
      throw new InputError('funding from quotes must have the last confirmed table of L1')
  }

  marketTime(time: number): number {
    const { config, recorded } = this.options
    return recorded?.marketTime?.(time) ?? marketTime(config.replay, time)
  }

  /** Of a second of L1's clock. */
  async look(time: number): Promise<Look> {
    const { config, recorded } = this.options
    const at = this.marketTime(time)
    const seen = await Promise.all(
      config.underlyings.map(async ({ name, sources }) => {
        const found = await observe(sources, at, config.observe, name, config.limits)
        // Kept at once: the silence of another's sources must not make a hole in this one's window.
        this.log.add(name, { price: found.price, time: at })
        return [name, found] as const
      }),
    )
    const prices = config.underlyings.map(({ id, name }, i) => {
      const price = (seen[i]?.[1] as Observed).price
      return { id, name, spot: decimalOfMicro(price) }
    })
    const policy = recorded?.policyAt?.(at) ?? (await currentPolicy(config.policy))
    const { rate, halted } = policy
    const underlyings = underlyingsOf(policy, prices)
    const market = { version: 2, time: at, rate, underlyings, perpetuals: [], halted } as const
    const observed = Object.fromEntries(seen)
    if (config.perpetuals === null) {
      const perpetuals = policy.perpetuals.map((one) => ({ ...one, accrual: null }))
      return { market: { ...market, perpetuals }, observed, base: null, seen: [] }
    }
    if (policy.perpetuals.length > 0)
      throw new InputError('perpetuals must have funding by policy or from quotes, not both')
    return this.withPerpetuals(market, observed, config.perpetuals)
  }

  private async withPerpetuals(
    market: MarketDocument,
    observed: Look['observed'],
    { maxBasis, markets }: NonNullable<SignerConfig['perpetuals']>,
  ): Promise<Look> {
    const { config, instruments, fundingBase } = this.options
    const base = (await fundingBase?.()) ?? null
    const found = await Promise.all(
      markets.map(async ({ id, sources }) => {
        const key = `premium of ${id}`
        const spec = instruments.find((one) => one.id === id)
        const spot = market.underlyings.find(({ name }) => name === underlyingOf(spec))?.spot
        if (spec?.kind !== 'perpetual' || spot === undefined)
          throw new InputError(`instrument ${id} must be a perpetual on a known underlying`)
        const { name } = spec
        const seen = (premium: bigint | null): Seen => ({ id, premium, samples: this.log.of(key) })
        // Nobody may trade it, so nobody need quote it: its basis stays where it was.
        if (market.halted.includes(id)) return { seen: seen(null), observed: {} }
        const quote = await observe(sources, market.time, config.observe, name, config.limits)
        const premium = premiumOf(quote.price, microOf(spot, 'spot'), maxBasis)
        this.log.add(key, { price: premium, time: market.time })
        return { seen: seen(premium), observed: { [name]: quote } }
      }),
    )
    const seen = found.map((one) => one.seen)
    return {
      market: { ...market, perpetuals: this.accrued(market, seen, base) },
      observed: Object.assign({}, observed, ...found.map((one) => one.observed)) as typeof observed,
      base,
      seen,
    }
  }

  /** The same look as of the time of an earlier report: another interval may have ended since. */
  asOf({ market, ...look }: Look, time: number): Look {
    const then = { ...market, time }
    if (this.options.config.perpetuals === null) return { ...look, market: then }
    return {
      ...look,
      market: { ...then, perpetuals: this.accrued(then, look.seen, look.base) },
    }
  }

  private accrued(
    market: MarketDocument,
    seen: readonly Seen[],
    base: FundingBase | null,
  ): readonly PerpetualState[] {
    const { config, instruments } = this.options
    const given = { ...givenOf(market, base, instruments), maxGap: config.maxGap }
    return accruedStates(seen, given)
  }
}
