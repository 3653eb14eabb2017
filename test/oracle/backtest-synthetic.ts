/** Series whose breaches are known before they are counted; every random number has a seed. */
import { DAY_SECONDS, type Close } from '../../oracle/scan-range.ts'
import type { Series } from '../../oracle/backtest/series.ts'

export const START = Date.UTC(2020, 0, 1) / 1000

/** A generator of numbers in [0, 1): a linear congruential one, good enough to shuffle days. */
export function uniform(seed: number): () => number {
  let state = BigInt(seed)
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n)
    return Number(state >> 11n) / 2 ** 53
  }
}

/** Box and Muller. */
export function normal(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

export function seriesOf(prices: readonly number[], barSeconds = DAY_SECONDS): Series {
  const closes: Close[] = prices.map((price, i) => ({ time: START + (i + 1) * barSeconds, price }))
  return { name: 'synthetic', closes, barSeconds }
}

export type Known = { readonly series: Series; readonly isBreach: readonly boolean[] }

/**
 * Returns that are shocks times the deviation that the EWMA rule gives at the close before. A shock
 * is 4.5 with the probability that `chance` gives from the day before, else 0.9: with a threshold
 * of 3 the breaches are exactly the large ones. `isBreach[i]` is that of the move that ends at
 * close i.
 */
export function knownBreaches(
  count: number,
  seed: number,
  chance: (wasBreach: boolean) => number,
): Known {
  const random = uniform(seed)
  const [lambda, seedDays] = [0.94, 30]
  const prices = [100]
  const isBreach = [false]
  let variance = 1e-8
  for (let day = 1; day < count; day++) {
    // Thirty equal moves fix the seed; what follows is the recursion in its textbook form.
    const isSeed = day <= seedDays
    const isLarge = !isSeed && random() < chance(isBreach.at(-1)!)
    const size = isSeed ? 1 : isLarge ? 4.5 : 0.9
    const move = (random() < 0.5 ? -1 : 1) * size * Math.sqrt(variance)
    prices.push(prices.at(-1)! * Math.exp(move))
    isBreach.push(isLarge)
    if (!isSeed) variance = lambda * variance + (1 - lambda) * move * move
  }
  return { series: seriesOf(prices), isBreach }
}

/** GARCH(1,1) with normal shocks: deviation 3 % a day in the long run, persistence 0.98. */
export function garch(count: number, seed: number, barsPerDay = 1): Series {
  const shock = normal(uniform(seed))
  const mean = 0.0009 / barsPerDay
  const prices = [100]
  let variance = mean
  for (let i = 1; i < count; i++) {
    const move = Math.sqrt(variance) * shock()
    prices.push(prices.at(-1)! * Math.exp(move))
    variance = 0.02 * mean + 0.08 * move * move + 0.9 * variance
  }
  return seriesOf(prices, DAY_SECONDS / barsPerDay)
}
