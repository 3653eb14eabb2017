/**
 * The worlds of a table, as data: joint states of all prices and volatilities in which an account
 * must be worth at least zero. World 0 is the mark. World 15, the variation world (tokens at zero,
 * everything else at its mark), is not listed: the circuit derives it from world 0.
 */

import type { MarketState, PerUnderlying } from './instruments.ts'

/** The market as quoted, and how far it is assumed to move before a default is closed out. */
export type Market = MarketState & {
  /** The largest price move of the scan worlds, as a fraction of spot. */
  readonly scanRange: PerUnderlying<number>
  /** What closing out costs besides, as a fraction of the underlying's spot value in a lot. */
  readonly liquidity: PerUnderlying<number>
}

export type World =
  | { readonly kind: 'mark'; readonly name: string }
  | {
      readonly kind: 'scan'
      readonly name: string
      /** The price move in thirds of the scan range, as in SPAN: -3 is the whole range down. */
      readonly thirds: PerUnderlying<number>
      readonly volFactor: number
      /**
       * Added to the financing rate. Without a financing world a box spread would need no margin.
       */
      readonly rateShift: number
    }
  | {
      readonly kind: 'tail'
      readonly name: string
      /** The price move of both underlyings as a fraction of spot, whatever the scan range. */
      readonly move: number
      readonly volFactor: number
      /**
       * The share of the change from the mark that counts: SPAN's cover fraction of extreme moves.
       */
      readonly cover: number
    }

const VOL_UP = 1.5
const VOL_DOWN = 1 / 1.5
const VOL_TAIL = 2
const RATE_SHIFT = 0.1
const TAIL_COVER = 1 / 3

const both = (value: number): PerUnderlying<number> => ({ BTC: value, ETH: value })

function scan(
  name: string,
  thirds: PerUnderlying<number>,
  volFactor: number,
  rateShift = 0,
): World {
  return { kind: 'scan', name, thirds, volFactor, rateShift }
}

function tail(name: string, move: number): World {
  return { kind: 'tail', name, move, volFactor: VOL_TAIL, cover: TAIL_COVER }
}

export const WORLDS: readonly World[] = [
  { kind: 'mark', name: 'mark' },
  scan('vol up, rate up', both(0), VOL_UP, RATE_SHIFT),
  scan('vol down, rate down', both(0), VOL_DOWN, -RATE_SHIFT),
  scan('down 1/3, vol up', both(-1), VOL_UP),
  scan('up 1/3, vol down', both(1), VOL_DOWN),
  scan('down 2/3, vol up', both(-2), VOL_UP),
  scan('up 2/3, vol down', both(2), VOL_DOWN),
  scan('down 3/3, vol up', both(-3), VOL_UP),
  scan('down 3/3, vol down', both(-3), VOL_DOWN),
  scan('up 3/3, vol up', both(3), VOL_UP),
  scan('up 3/3, vol down', both(3), VOL_DOWN),
  tail('tail -66 %', -0.66),
  tail('tail +100 %', 1),
  // De-correlated worlds bound what a long in one underlying may offset of a short in the other.
  scan('BTC down 2/3, ETH up 2/3', { BTC: -2, ETH: 2 }, VOL_UP),
  scan('BTC up 2/3, ETH down 2/3', { BTC: 2, ETH: -2 }, VOL_UP),
]

/** The state of the market that a world imagines. */
export function stateUnder(world: World, market: Market): MarketState {
  const { time, rate, spot, vol } = market
  const scaled = (values: PerUnderlying<number>, factor: PerUnderlying<number>) => ({
    BTC: values.BTC * factor.BTC,
    ETH: values.ETH * factor.ETH,
  })
  switch (world.kind) {
    case 'mark':
      return { time, rate, spot, vol }
    case 'scan': {
      const { thirds, volFactor, rateShift } = world
      const priceFactor = {
        BTC: 1 + (thirds.BTC * market.scanRange.BTC) / 3,
        ETH: 1 + (thirds.ETH * market.scanRange.ETH) / 3,
      }
      return {
        time,
        rate: rate + rateShift,
        spot: scaled(spot, priceFactor),
        vol: scaled(vol, both(volFactor)),
      }
    }
    case 'tail':
      return {
        time,
        rate,
        spot: scaled(spot, both(1 + world.move)),
        vol: scaled(vol, both(world.volFactor)),
      }
  }
}

/** The share of a world's distance from the mark that the table counts. */
export function coverOf(world: World): number {
  switch (world.kind) {
    case 'mark':
    case 'scan':
      return 1
    case 'tail':
      return world.cover
  }
}
