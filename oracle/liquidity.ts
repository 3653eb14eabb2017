/** What closing out costs, from the depth of an order book: the liquidity add-on of a lot. */

/** Size in units of the underlying, offered within `distance` of the mid price (a fraction of it). */
export type DepthLevel = { readonly distance: number; readonly size: number }

/**
 * The average distance from the mid at which `size` units are bought or sold, walking the levels
 * outwards. What the book does not hold is charged at twice the distance of its last level: a book
 * that is too thin must not look cheap. The charge per lot is linear in the circuit, so `size` is a
 * position of the size that the house expects to close at once, not the member's own.
 */
export function closeOutCost(levels: readonly DepthLevel[], size: number): number {
  if (!(size > 0 && size < Infinity)) throw new RangeError(`depth: size ${size} is not positive`)
  let left = size
  let paid = 0
  let last = 0
  for (const level of levels) {
    if (!(level.distance > last && level.distance < 1 && level.size > 0 && level.size < Infinity))
      throw new RangeError(`depth: level ${level.distance} does not ascend, or has no size`)
    const taken = Math.min(left, level.size)
    paid += taken * level.distance
    left -= taken
    last = level.distance
  }
  if (last === 0) throw new RangeError('depth: an empty book has no cost')
  return Math.min((paid + left * 2 * last) / size, 0.999)
}
