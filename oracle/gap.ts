/**
 * What may be lost between the worlds: a charge per |lot| of every payoff that is not linear.
 *
 * A few worlds are points of a grid, and a book can be made that gains at each of them and loses in
 * between: with sixteen worlds and seventeen positions linear algebra promises one. Between two
 * neighbouring prices of the grid a book that holds at both can lose no more than the sum of its
 * payoffs' distances from the straight line. So each payoff is charged a share of its largest
 * distance, over the scan range and at three volatilities: up, as quoted, and down.
 */

import { payoffOf, valuePerLot, type ExposedSpec } from './instruments.ts'
import { entryOf, NO_SHOCK, type Market, type Shock } from './market.ts'
import { thirdsOf, type World } from './worlds.ts'

/**
 * All of the distance would bound every book; it would also ask more of a spread than of its loss.
 * docs/risk.md has what a crafted book can lose at none, half and all of it.
 */
export const GAP_SHARE = 0.5

/** Prices looked at from one end of the scan range to the other, both ends included. */
const PRICES = 25

type Node = { readonly thirds: number; readonly value: number }

/** Dollars per lot, at least 0; 0 for payoffs that are straight lines in the price. */
export function gapCharge(
  spec: ExposedSpec,
  market: Market<string>,
  worlds: readonly World[],
): number {
  if (payoffOf(spec.kind).isLinear === true) return 0
  const range = entryOf(market.scanRange, spec.underlying, 'scan range')
  const valueAt = (thirds: number, shock: Partial<Shock>): number =>
    valuePerLot(spec, market, {
      ...NO_SHOCK,
      isStress: true,
      ...shock,
      price: 1 + (thirds * range) / 3,
    })
  const { underlying } = spec
  const [up, down] = [1, -1].map((sign) => branch(worlds, underlying, sign, valueAt))
  if (!up || !down) return 0
  // The quoted volatility lies between the two, at this share from below: 1.5 and 1/1.5 make 0.4.
  const share = (1 - 1 / (1 + down.size)) / (1 + up.size - 1 / (1 + down.size))
  let widest = 0
  for (let i = 0; i < PRICES; i++) {
    const thirds = (6 * i) / (PRICES - 1) - 3
    const [high, low] = [onLine(up.nodes, thirds), onLine(down.nodes, thirds)]
    widest = Math.max(
      widest,
      Math.abs(valueAt(thirds, { vol: up.size }) - high),
      Math.abs(valueAt(thirds, { vol: -down.size }) - low),
      Math.abs(valueAt(thirds, {}) - share * high - (1 - share) * low),
    )
  }
  return GAP_SHARE * widest
}

/**
 * The worlds that move the price of an underlying at a higher, or lower, volatility: nodes of one
 * line, whatever they do to the other underlyings.
 */
function branch(
  worlds: readonly World[],
  underlying: string,
  sign: number,
  valueAt: (thirds: number, shock: Partial<Shock>) => number,
): { readonly size: number; readonly nodes: readonly Node[] } | null {
  const nodes = new Map<number, Node>()
  let size = 0
  for (const world of worlds) {
    if (world.kind !== 'scan' || world.vol * sign <= 0) continue
    size = Math.max(size, Math.abs(world.vol))
    // Rates are left out: they move what is between two expiries, not between two prices.
    const { vol, skew, twist } = world
    const thirds = thirdsOf(world, underlying)
    if (!nodes.has(thirds))
      nodes.set(thirds, { thirds, value: valueAt(thirds, { vol, skew, twist }) })
  }
  if (nodes.size < 2) return null
  return { size, nodes: [...nodes.values()].sort((a, b) => a.thirds - b.thirds) }
}

/** On the line through the nodes; beyond its ends the last segment goes on. */
function onLine(nodes: readonly Node[], thirds: number): number {
  const found = nodes.findIndex((node) => node.thirds >= thirds)
  const right = Math.max(found === -1 ? nodes.length - 1 : found, 1)
  const [a, b] = [nodes[right - 1] as Node, nodes[right] as Node]
  return a.value + ((thirds - a.thirds) / (b.thirds - a.thirds)) * (b.value - a.value)
}
