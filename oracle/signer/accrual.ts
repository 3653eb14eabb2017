/**
 * Funding of perpetuals from quotes. Time is cut into intervals that are the same for everybody. A
 * signer averages the premium that it saw over each; the first table after an interval has ended
 * raises the cumulative funding of the last confirmed table by the median of the averages, clamped.
 * So L1 is the memory of what was paid, and a signer needs no more than the quotes of one interval.
 */
import { FUNDING_TERMS, fundingOf, tickOf } from '../funding.ts'
import { InputError } from './canonical.ts'
import {
  BASIS,
  BILLION_DIGITS,
  decimalOf,
  decimalOfMicro,
  medianOf,
  microOf,
  scaledOf,
} from './decimal.ts'
import type { InstrumentSpec } from './engine.ts'
import type { MarketDocument, PerpetualState } from './market-document.ts'
import { Refusal } from './observe.ts'
import type { Sample } from './sources.ts'

/** The last confirmed table: what funding goes on from. */
export type FundingBase = { readonly number: number; readonly market: MarketDocument }

const BILLION = 10n ** BigInt(BILLION_DIGITS)
/** Less of an interval than this share of it seen, and a signer does not know its average. */
const COVERED = { part: 3n, of: 4n }
const INTERVAL = Number(FUNDING_TERMS.interval)
const MICRO_DIGITS = 6

/** The latest end of an interval at or before a time of the market. */
export function intervalEnd(time: number): number {
  return time - (time % INTERVAL)
}

/** Price over index less one in billionths, at most `maxBasis` basis points either way. */
export function premiumOf(price: bigint, index: bigint, maxBasis: number): bigint {
  const exact = ((price - index) * BILLION) / index
  const most = (BigInt(maxBasis) * BILLION) / BASIS
  return exact > most ? most : exact < -most ? -most : exact
}

/**
 * The average over [start, end) of the step function that each sample begins and that lasts for
 * maxGap at most, rounded towards zero; null if too little of the time is known.
 */
export function coveredAverage(
  samples: readonly Sample[],
  start: number,
  end: number,
  maxGap: number,
): bigint | null {
  let [sum, covered] = [0n, 0n]
  samples.forEach(({ price, time }, i) => {
    const until = Math.min(samples[i + 1]?.time ?? end, time + maxGap, end)
    const seconds = BigInt(Math.max(until - Math.max(time, start), 0))
    sum += price * seconds
    covered += seconds
  })
  return covered * COVERED.of >= BigInt(end - start) * COVERED.part ? sum / covered : null
}

/** What a signer knows of a perpetual at a look. */
export type Seen = {
  readonly id: number
  /** Premium now, in billionths; null where it is halted and nobody asks. */
  readonly premium: bigint | null
  /** Its premiums so far, in ascending order of time. */
  readonly samples: readonly Sample[]
}

type Given = {
  readonly time: number
  readonly base: FundingBase | null
  readonly halted: readonly number[]
  /** Spot by name. */
  readonly spots: ReadonlyMap<string, string>
  readonly instruments: readonly InstrumentSpec[]
}

/** The states of all perpetuals at a time of the market, as one signer has seen them. */
export function accruedStates(
  seen: readonly Seen[],
  given: Given & { readonly maxGap: number },
): readonly PerpetualState[] {
  const { time, base, halted, maxGap } = given
  return seen.map(({ id, premium, samples }) => {
    const end = intervalEnd(time)
    const isDue = isCharged(id, base, end, halted)
    const average = isDue ? coveredAverage(samples, end - INTERVAL, end, maxGap) : null
    const before = base?.market.perpetuals.find((one) => one.id === id)
    const state = {
      id,
      basis: premium === null ? (before?.basis ?? '0') : decimalOf(premium, BILLION_DIGITS),
      funding: '0',
      accrual: {
        base: base?.number ?? 0,
        premium: average === null ? null : decimalOf(average, BILLION_DIGITS),
      },
    }
    return withFunding(state, given)
  })
}

/**
 * Whether an interval has ended since the last confirmed table, for what was listed then. Of several
 * the last one is charged: what was not confirmed in time is not made up. What is halted pays none.
 */
function isCharged(
  id: number,
  base: FundingBase | null,
  end: number,
  halted: readonly number[],
): boolean {
  const wasListed = base?.market.perpetuals.some((one) => one.id === id) ?? false
  return wasListed && intervalEnd(base?.market.time ?? 0) < end && !halted.includes(id)
}

/** The state with the funding that follows from its premium and the base. */
export function withFunding(state: PerpetualState, given: Given): PerpetualState {
  const { id, accrual } = state
  const { base, halted, time } = given
  const before = base?.market.perpetuals.find((one) => one.id === id)?.funding ?? '0'
  const premium = accrual?.premium ?? null
  if (premium === null) return { ...state, funding: before }
  if (!isCharged(id, base, intervalEnd(time), halted))
    throw new InputError(`perpetual ${id} must pay no funding in this table`)
  const spec = given.instruments.find((one) => one.id === id)
  if (spec?.kind !== 'perpetual') throw new InputError(`instrument ${id} must be a perpetual`)
  const spot = given.spots.get(spec.underlying)
  if (spot === undefined) throw new InputError(`a market must have ${spec.underlying}`)
  const index = microOf(spot, `spot of ${spec.underlying}`)
  const price = index + (index * scaledOf(premium, BILLION_DIGITS, 'premium')) / BILLION
  const terms = { ...FUNDING_TERMS, tick: tickOf(spec) }
  const paid = fundingOf({ price, index, seconds: FUNDING_TERMS.interval }, terms)
  const funding = scaledOf(before, MICRO_DIGITS, 'funding') + paid
  return { ...state, funding: decimalOfMicro(funding) }
}

/** The terms of accrual that a market document itself says. */
export function givenOf(
  market: MarketDocument,
  base: FundingBase | null,
  instruments: readonly InstrumentSpec[],
): Given {
  const spots = new Map(market.underlyings.map(({ name, spot }) => [name, spot]))
  return { time: market.time, base, halted: market.halted, spots, instruments }
}

/** A market whose perpetuals have the medians of those given, and the funding that follows. */
export function medianPerpetuals(
  market: MarketDocument,
  group: readonly MarketDocument[],
  base: FundingBase | null,
  instruments: readonly InstrumentSpec[],
): readonly PerpetualState[] {
  const given = givenOf(market, base, instruments)
  return market.perpetuals.map((state, i) => {
    const { accrual } = state
    if (accrual === null) return state
    const states = group.map(({ perpetuals }) => perpetuals[i] as PerpetualState)
    const median = (texts: readonly string[]): string =>
      decimalOf(
        medianOf(texts.map((text) => scaledOf(text, BILLION_DIGITS, 'basis'))),
        BILLION_DIGITS,
      )
    const premium =
      accrual.premium === null ? null : median(states.map((one) => one.accrual?.premium ?? '0'))
    const basis = median(states.map((one) => one.basis))
    return withFunding({ ...state, basis, accrual: { ...accrual, premium } }, given)
  })
}

/** All that must be the same to the byte: quotes and what follows from them are left out. */
export function withoutQuotes(states: readonly PerpetualState[]): readonly PerpetualState[] {
  return states.map((state) => {
    const { accrual } = state
    if (accrual === null) return state
    const premium = accrual.premium === null ? null : '0'
    return { ...state, basis: '0', funding: '0', accrual: { ...accrual, premium } }
  })
}

/** Refuses a proposal whose quotes are far from one's own, or whose funding does not follow. */
export function requirePerpetualsNear(
  market: MarketDocument,
  own: readonly PerpetualState[],
  given: Given,
  tolerances: { readonly basis: number; readonly premium: number },
): void {
  const billionths = (text: string): bigint => scaledOf(text, BILLION_DIGITS, 'premium')
  const requireNear = (id: number, a: string, b: string, tolerance: number): void => {
    const distance = billionths(a) - billionths(b)
    const size = distance < 0n ? -distance : distance
    if (size * BASIS > BigInt(tolerance) * BILLION)
      throw new Refusal('ProposalMustBeNear', `premium ${a} of perpetual ${id}, not ${b}`)
  }
  market.perpetuals.forEach((state, i) => {
    const mine = own[i] as PerpetualState
    if (state.accrual === null) return
    requireNear(state.id, state.basis, mine.basis, tolerances.basis)
    const { premium } = state.accrual
    if (premium !== null)
      requireNear(state.id, premium, mine.accrual?.premium ?? '0', tolerances.premium)
    const { funding } = withFunding(state, given)
    if (funding !== state.funding)
      throw new Refusal(
        'FundingMustFollowPremium',
        `${state.funding} of perpetual ${state.id}, not ${funding}`,
      )
  })
}
