/**
 * Volatility over strikes and expiries: what the market quotes at some points, and a rule between
 * them. The strike is absolute ("sticky strike"): a move of the spot walks along the smile.
 */

/** Ascending strikes, in dollars per unit, with the volatility of one year at each. */
export type Smile = readonly { readonly strike: number; readonly vol: number }[]
/** Ascending expiries, in Unix seconds. */
export type VolGrid = readonly { readonly expiry: number; readonly smile: Smile }[]

/** Crashes unless expiries and strikes ascend and each volatility lies in [0, 100). */
export function checkVolGrid(grid: VolGrid, name: string): void {
  const fail = (why: string): never => {
    throw new RangeError(`${name} vol grid: ${why}`)
  }
  if (grid.length === 0) fail('it has no expiry')
  grid.forEach(({ expiry, smile }, i) => {
    if (!Number.isSafeInteger(expiry) || expiry <= (grid[i - 1]?.expiry ?? 0))
      fail(`expiry ${expiry} does not ascend`)
    if (smile.length === 0) fail(`expiry ${expiry} has no strike`)
    smile.forEach(({ strike, vol }, j) => {
      if (!(strike > (smile[j - 1]?.strike ?? 0) && strike < Infinity))
        fail(`strike ${strike} does not ascend`)
      if (!(vol >= 0 && vol < 100)) fail(`vol ${vol} is out of range`)
    })
  })
}

/**
 * The volatility of one year at a strike and an expiry.
 *
 * Within a smile: linear in the strike, flat beyond its ends. Between two expiries: linear in total
 * variance vol^2 * T, so that no forward variance is negative where the quotes have none; before the
 * first and after the last one: the volatility of that one.
 */
export function volOnGrid(grid: VolGrid, strike: number, expiry: number, time: number): number {
  const after = grid.findIndex((slice) => slice.expiry >= expiry)
  const far = grid[after === -1 ? grid.length - 1 : after]
  if (far === undefined) throw new RangeError('vol grid: it has no expiry')
  const near = after === -1 ? undefined : grid[after - 1]
  const farVol = volOnSmile(far.smile, strike)
  if (near === undefined || far.expiry === expiry) return farVol
  const nearVol = volOnSmile(near.smile, strike)
  const nearTime = near.expiry - time
  // A slice that has expired says nothing about the time that is left.
  if (nearTime <= 0) return farVol
  const share = (expiry - near.expiry) / (far.expiry - near.expiry)
  const farVariance = farVol * farVol * (far.expiry - time)
  const variance = (1 - share) * nearVol * nearVol * nearTime + share * farVariance
  return Math.sqrt(variance / (expiry - time))
}

function volOnSmile(smile: Smile, strike: number): number {
  const above = smile.findIndex((point) => point.strike >= strike)
  const right = smile[above === -1 ? smile.length - 1 : above]
  if (right === undefined) throw new RangeError('vol grid: an expiry has no strike')
  const left = above === -1 ? undefined : smile[above - 1]
  if (left === undefined) return right.vol
  const share = (strike - left.strike) / (right.strike - left.strike)
  return left.vol + share * (right.vol - left.vol)
}
