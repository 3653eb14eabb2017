/**
 * What is known of settlement prices while a window runs, and from its end until the register has its
 * values: the average that each signer saw. Once a confirmed table, or a proposed settlement, says the
 * average of a whole window, L1 is its memory: later tables and the settlement repeat it.
 */
import type { UnderlyingConfig } from './config.ts'
import { decimalOfMicro, isWithin, medianOf, microOf } from './decimal.ts'
import { underlyingOf, type InstrumentSpec } from './engine.ts'
import {
  settlingIn,
  settlingKey,
  type MarketDocument,
  type SettlingState,
} from './market-document.ts'
import { Refusal } from './observe.ts'
import { termsOfSettlement } from './settlement.ts'
import { timeWeighted, type SampleLog } from './window.ts'

/** What L1 says of settlements. */
export type SettlingView = {
  /** The window of the contract: what was listed with another ends in no average. */
  readonly windowSeconds: number
  /** Prices of whole windows that L1 carries, by key. */
  readonly pins: ReadonlyMap<string, string>
}
export type KnownSettling = SettlingState & { readonly isPinned: boolean }

/** The windows that have begun of these instruments, without a price, each once and in order. */
export function windowsBegun(
  specs: readonly InstrumentSpec[],
  idOf: (name: string) => number | undefined,
  time: number,
): readonly Omit<SettlingState, 'price'>[] {
  const found = new Map<string, Omit<SettlingState, 'price'>>()
  for (const spec of specs) {
    const terms = termsOfSettlement(spec)
    const underlying = idOf(underlyingOf(spec) ?? '')
    if (terms === null || underlying === undefined || !('expiry' in spec)) continue
    const { windowSeconds, source } = terms
    if (windowSeconds === 0 || time <= spec.expiry - windowSeconds) continue
    const window = { underlying, expiry: spec.expiry, windowSeconds, source }
    found.set(settlingKey(window), window)
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, window]) => window)
}

/**
 * What one signer can say of these instruments' windows: what L1 carries, unless its own eyes say
 * otherwise by far; else what it saw itself. What it did not see is left out.
 */
export function knownSettling(
  specs: readonly InstrumentSpec[],
  time: number,
  { windowSeconds, pins }: SettlingView,
  seen: {
    readonly log: SampleLog
    readonly underlyings: readonly UnderlyingConfig[]
    readonly maxGap: number
    readonly tolerance: number
  },
): readonly KnownSettling[] {
  const { log, underlyings, maxGap, tolerance } = seen
  const idOf = (name: string) => underlyings.find((one) => one.name === name)?.id
  return windowsBegun(specs, idOf, time).flatMap((window): readonly KnownSettling[] => {
    const found = underlyings.find(({ id }) => id === window.underlying)
    // Averages of other windows and sources are not what these instruments will be paid by.
    if (found?.index !== window.source || window.windowSeconds !== windowSeconds) return []
    const [start, end] = [window.expiry - windowSeconds, Math.min(window.expiry, time)]
    const own = averageSeen(log, found.name, start, end, maxGap)
    const pin = time < window.expiry ? undefined : pins.get(settlingKey(window))
    const known = pinnedOr(own, pin, tolerance)
    return known === null ? [] : [{ ...window, ...known }]
  })
}

/** In micros, or null where the samples do not cover it. */
function averageSeen(
  log: SampleLog,
  name: string,
  start: number,
  end: number,
  maxGap: number,
): bigint | null {
  try {
    return timeWeighted(log.of(name), start, end, maxGap)
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

/**
 * What L1 has was within the tolerance of one honest signer, not of all: at the edge of one's band it lies
 * outside another's, and if these two did not keep the same, two liars could fall silent then and leave no
 * quorum for anything. With this many tolerances whoever agrees with whom signed it keeps it as well.
 */
export const KEPT_TOLERANCES = 3

/**
 * The price that counts for one signer: that of L1 if it has one and its own average is none or not far,
 * so that tables and settlement say one thing; else its own.
 */
export function pinnedOr(
  own: bigint | null,
  pin: string | undefined,
  tolerance: number,
): { readonly price: string; readonly isPinned: boolean } | null {
  const isPinned =
    pin !== undefined &&
    (own === null || isWithin(microOf(pin, 'price'), own, BigInt(KEPT_TOLERANCES * tolerance)))
  if (isPinned) return { price: pin, isPinned }
  return own === null || own === 0n ? null : { price: decimalOfMicro(own), isPinned }
}

/**
 * Refuses averages that are not what one knows. One that is left out is no reason to refuse, or who
 * forgot a window could stop all tables: the row then follows the price of now; but what L1 carries stays.
 */
export function requireSettling(
  market: MarketDocument,
  known: readonly KnownSettling[],
  tolerance: number,
): void {
  const given = new Map(settlingIn(market).map((one) => [settlingKey(one), one.price] as const))
  const mine = new Map(known.map((one) => [settlingKey(one), one] as const))
  for (const [key, price] of given) {
    const own = mine.get(key)
    if (own === undefined)
      throw new Refusal('AverageMustBeKnown', `${price} in the window of ${key}`)
    const isNear = isWithin(microOf(price, 'price'), microOf(own.price, 'price'), BigInt(tolerance))
    if (!own.isPinned && !isNear)
      throw new Refusal('ProposalMustBeNear', `average ${price} of ${key}, not ${own.price}`)
  }
  for (const [key, { isPinned, price }] of mine)
    if (isPinned && given.get(key) !== price)
      throw new Refusal('AverageMustBeKept', `${price} of ${key}, as L1 has it`)
}

/**
 * Of each average that a quorum knows the median; or what L1 has of a whole window, unless a quorum says
 * otherwise: two that lie and one that has not read L1 would move the median, which nobody else signs.
 */
export function medianSettling(
  answers: readonly (readonly SettlingState[])[],
  quorum: number,
  kept: readonly SettlingState[] = [],
): readonly SettlingState[] {
  const found = new Map<string, SettlingState[]>()
  for (const answer of answers)
    for (const one of answer)
      found.set(settlingKey(one), [...(found.get(settlingKey(one)) ?? []), one])
  return [...found.entries()]
    .filter(([, list]) => list.length >= quorum)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, list]) => {
      const pin = kept.find((one) => settlingKey(one) === key)
      if (pin !== undefined && list.filter(({ price }) => price !== pin.price).length < quorum)
        return pin
      const price = medianOf(list.map((one) => microOf(one.price, 'price')))
      return { ...(list[0] as SettlingState), price: decimalOfMicro(price) }
    })
}

/** What L1 has of those windows that are over. */
export function keptIn(
  windows: readonly Omit<SettlingState, 'price'>[],
  time: number,
  pins: ReadonlyMap<string, string>,
): readonly SettlingState[] {
  return windows.flatMap((window): readonly SettlingState[] => {
    const price = time < window.expiry ? undefined : pins.get(settlingKey(window))
    return price === undefined ? [] : [{ ...window, price }]
  })
}
