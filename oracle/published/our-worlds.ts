/** Published books under the worlds of this house: the same books, our rule. */

import { ln } from '../elementary.ts'
import { gapCharge } from '../gap.ts'
import { isExpired, type ExposedSpec } from '../instruments.ts'
import { MAINTENANCE } from '../margin.ts'
import { checkMarket, yearsLeft, type Market, type RatePoint } from '../market.ts'
import { worldValue } from '../table.ts'
import type { VolGrid } from '../vol-grid.ts'
import type { WorldSet } from '../worlds.ts'
import { entriesFrom, listed, pmrmBook } from './books.ts'
import type { Book, BookExpiry } from './pmrm.ts'
import { MalformedBooks, UnpublishedInput } from './reading.ts'

export type BookMargin =
  | {
      readonly id: string
      /** Dollars, as all amounts here. */
      readonly mark: number
      /** What is charged in the stress worlds for the gaps between them (gap.ts). */
      readonly addOn: number
      /** The value in each world of the set, less the add-on; the last is the variation world. */
      readonly worlds: readonly { readonly name: string; readonly value: number }[]
      readonly worst: { readonly name: string; readonly value: number }
      readonly initial: number
      readonly maintenance: number
    }
  | { readonly id: string; readonly worlds: null; readonly reason: string }

/** Quantities of units may be fractions here; a lot is one unit. */
export type Holding = { readonly quantity: number; readonly spec: ExposedSpec }
export type PricedBook = {
  readonly market: Market<string>
  readonly holdings: readonly Holding[]
}

/** Any time will do: a book counts seconds from its own. */
const TIME = 1_700_000_000
const MICRO = 1e6
const FIRST_ID = 1024

/**
 * The market that a book implies: its spot, a carry that gives its forwards, a discount curve from
 * its discount factors, a grid of its volatilities. No depth is published, so closing out is not charged.
 */
export function priceBook(book: Book, scanRange: number): PricedBook {
  const { spot, perpetuals, perpetualPrice } = book
  const expiries = [...book.expiries].sort((a, b) => a.seconds - b.seconds)
  const underlying = 'BOOK'
  const options = expiries.flatMap((expiry) =>
    expiry.options.map((option) => ({ ...option, expiry: at(expiry) })),
  )
  const holdings = options.map(({ quantity, side, strike, expiry }, i): Holding => {
    const terms = { id: FIRST_ID + 1 + i, name: `${side} ${strike}`, underlying, lot: '1' } as const
    return { quantity, spec: { ...terms, kind: side, expiry, strike: micro(strike) } }
  })
  const perpetual: Holding = {
    quantity: perpetuals,
    spec: { kind: 'perpetual', id: FIRST_ID, name: 'PERPETUAL', underlying, lot: '1' },
  }
  // Paid for at its price, a perpetual is worth nothing at the mark, as the published books have it.
  const funded = { basis: perpetualPrice / spot - 1, funding: perpetualPrice }
  const curve = (rate: (expiry: BookExpiry, years: number) => number): readonly RatePoint[] =>
    expiries
      .filter((expiry) => at(expiry) > TIME)
      .map((expiry) => ({ expiry: at(expiry), rate: rate(expiry, yearsLeft(at(expiry), TIME)) }))
  const carry = curve(({ forward }, years) => ln(forward / spot) / years)
  const discount = curve((expiry, years) => -ln(expiry.discount) / years)
  const volGrid = gridOf(expiries)
  const market: Market<string> = {
    time: TIME,
    rate: 0,
    spot: { [underlying]: spot },
    vol: { [underlying]: 0 },
    scanRange: { [underlying]: scanRange },
    liquidity: { [underlying]: 0 },
    ...(volGrid.length === 0 ? {} : { volGrid: { [underlying]: volGrid } }),
    ...(carry.length === 0 ? {} : { carry: { [underlying]: carry } }),
    ...(discount.length === 0 ? {} : { discount: { [underlying]: discount } }),
    ...(perpetuals === 0 ? {} : { perpetuals: { [FIRST_ID]: funded } }),
  }
  return { market, holdings: perpetuals === 0 ? holdings : [perpetual, ...holdings] }
}

function at({ seconds }: BookExpiry): number {
  return TIME + Math.round(seconds)
}

function micro(strike: number): bigint {
  return BigInt(Math.round(strike * MICRO))
}

function gridOf(expiries: readonly BookExpiry[]): VolGrid {
  return expiries.map((expiry) => {
    const points = new Map<number, number>()
    for (const { strike, vol } of expiry.options) {
      const key = Number(micro(strike)) / MICRO
      if ((points.get(key) ?? vol) !== vol)
        throw new UnpublishedInput(`one volatility for strike ${strike} is not published`)
      points.set(key, vol)
    }
    const smile = [...points].sort(([a], [b]) => a - b).map(([strike, vol]) => ({ strike, vol }))
    return { expiry: at(expiry), smile }
  })
}

/** The value of a priced book in each world of a set, the variation world included, in dollars. */
export function valuesOf({ market, holdings }: PricedBook, set: WorldSet): readonly number[] {
  const values = set.worlds.map((world) =>
    holdings.reduce(
      (sum, { quantity, spec }) => sum + quantity * worldValue(spec, market, world),
      0,
    ),
  )
  // No tokens are in these books: the variation world is the mark.
  return [...values, values[0] as number]
}

/** What the positions of a book are charged for the gaps between the worlds, in dollars. */
export function gapsOf({ market, holdings }: PricedBook, set: WorldSet): number {
  return holdings.reduce(
    // As in a table: what has expired is paid out, and is a straight line until then.
    (sum, { quantity, spec }) =>
      isExpired(spec, market.time)
        ? sum
        : sum + Math.abs(quantity) * gapCharge(spec, market, set.worlds),
    0,
  )
}

/** Far from the spot a forward is another underlying's, or a slip; and its rate is no number. */
const FORWARD_FACTOR = 1000

function requireForwardsNear({ spot, expiries }: Book): void {
  const requireNear = (what: string, ratio: number, of: string): void => {
    if (!(ratio > 1 / FORWARD_FACTOR && ratio < FORWARD_FACTOR))
      throw new MalformedBooks(
        `${what} must be within a factor of ${FORWARD_FACTOR} of ${of}, not ${ratio} times it`,
      )
  }
  for (const { forward, discount, seconds } of expiries) {
    requireNear(`the forward of expiry ${seconds}`, forward / spot, 'inputs.spot')
    requireNear(`the discount factor of expiry ${seconds}`, discount, 'one')
  }
}

export function bookMargin(book: Book, set: WorldSet, scanRange: number): BookMargin {
  requireForwardsNear(book)
  const priced = priceBook(book, scanRange)
  // The rates of the curves are what the forwards and factors give, and those have been looked at:
  // minutes before an expiry a sound forward is a rate of any size.
  const { carry: _carry, discount: _discount, ...quoted } = priced.market
  checkMarket(quoted)
  const addOn = gapsOf(priced, set)
  const bare = valuesOf(priced, set)
  const isStress = (s: number): boolean => s > 0 && s < bare.length - 1
  const values = bare.map((value, s) => (isStress(s) ? value - addOn : value))
  if (values.some((value) => !Number.isFinite(value)))
    throw new MalformedBooks('every world must have a finite value')
  const names = [...set.worlds.map((world) => world.name), 'variation']
  const worlds = values.map((value, s) => ({ name: names[s] as string, value }))
  const worst = worlds.reduce((low, world) => (world.value < low.value ? world : low))
  const mark = values[0] as number
  const initial = mark - worst.value
  const share = Number(MAINTENANCE.numerator) / Number(MAINTENANCE.denominator)
  return { id: book.id, mark, addOn, worlds, worst, initial, maintenance: share * initial }
}

/** Crashes with MalformedBooks; a book of another rule or without an input is listed with why. */
export function marginsOf(text: string, set: WorldSet, scanRange: number): readonly BookMargin[] {
  return entriesFrom(text).map((entry) =>
    listed<BookMargin>(
      entry,
      () => bookMargin(pmrmBook(entry), set, scanRange),
      (reason) => ({ id: entry.id, worlds: null, reason }),
    ),
  )
}
