/**
 * What wide-32 sees of random books over two, three and four underlyings, beside standard-32: worst loss
 * of the set, with the charge for gaps, over that of dense states. Usage: tsx test/bench/wide-worlds.ts [books]
 */
import { gapsOf, valuesOf, type PricedBook } from '../../oracle/published/our-worlds.ts'
import { worldSet, type Market, type World, type WorldSet } from '../../oracle/worlds.ts'
import { random, TIME } from './random-books.ts'
import { tableText } from './table.ts'

const NAMES = ['BTC', 'ETH', 'SOL', 'XRP'] as const
const SPOT: Readonly<Record<string, number>> = { BTC: 60_000, ETH: 3_000, SOL: 150, XRP: 2 }
const MARKET: Market<string> = {
  time: TIME,
  rate: 0.05,
  spot: SPOT,
  vol: { BTC: 0.6, ETH: 0.75, SOL: 0.9, XRP: 0.9 },
  scanRange: { BTC: 0.18, ETH: 0.2, SOL: 0.25, XRP: 0.25 },
  liquidity: { BTC: 0, ETH: 0, SOL: 0, XRP: 0 },
}
const SETS = [worldSet('wide-32'), worldSet('standard-32')]
const THIRDS = [-3, -2, -1, 0, 1, 2, 3]
const VOLS = [-0.5, 0, 0.5]

function state(scan: Readonly<Record<string, number>>, vol: number): World {
  const still = { move: 0, skew: 0, twist: 0, rate: 0, weight: 1 }
  return { kind: 'scan', name: 'state', scan, vol, ...still }
}

/** 25 prices of all together, at three volatilities; tails and rates. */
const TOGETHER: readonly World[] = [
  { kind: 'mark', name: 'mark' },
  ...Array.from({ length: 25 }, (_, i) => (i - 12) / 4).flatMap((thirds) =>
    VOLS.map((vol) => state({ '*': thirds }, vol)),
  ),
  ...worldSet('standard-32').worlds.filter(
    (world) => world.kind === 'tail' || (world.kind === 'scan' && world.rate !== 0),
  ),
]

/** Each underlying at any of seven prices, whatever the others do; of four a thousand such states. */
function apart(names: readonly string[]): readonly World[] {
  const next = random(7)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const all = names.reduce<readonly Readonly<Record<string, number>>[]>(
    (found, name) => found.flatMap((one) => THIRDS.map((thirds) => ({ ...one, [name]: thirds }))),
    [{ '*': 0 }],
  )
  if (all.length <= 343)
    return [...TOGETHER, ...all.flatMap((scan) => VOLS.map((vol) => state(scan, vol)))]
  return [...TOGETHER, ...Array.from({ length: 1000 }, () => state(pick(all), pick(VOLS)))]
}

/** Two days of Student's t with four degrees of freedom; the scan range is four scales and cuts it. */
function correlated(names: readonly string[], rho: number): readonly World[] {
  const next = random(11)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  const within = (value: number, bound: number): number => Math.max(-bound, Math.min(bound, value))
  const states = Array.from({ length: 1000 }, () => {
    const common = normal()
    const square = [1, 2, 3, 4].reduce((sum) => sum + normal() ** 2, 0) / 4
    const size = 1 / Math.sqrt(Math.max(square, 0.05))
    const moves = names.map((name) => {
      const z = Math.sqrt(rho) * common + Math.sqrt(1 - rho) * normal()
      return [name, within(0.75 * z * size, 3)] as const
    })
    const vol = within(0.25 * size * (0.9 * normal() - 0.4 * common), 0.5)
    return state({ '*': 0, ...Object.fromEntries(moves) }, vol)
  })
  return [{ kind: 'mark', name: 'mark' }, ...states]
}

/** One position at least in each underlying, of about the same size in dollars. */
function bookOf(seed: number, names: readonly string[]): PricedBook {
  const next = random(seed * 7919)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const count = names.length + Math.floor(next() * 4)
  const holdings = Array.from({ length: count }, (_, i) => {
    const underlying = names[i] ?? pick(names)
    const spot = SPOT[underlying] as number
    const lots = Math.round(1 + next() * 20) * (next() < 0.5 ? -1 : 1)
    const base = { id: 1024 + i, name: `R${i}`, underlying, lot: '1' } as const
    const expiry = TIME + pick([1, 3, 7, 14, 30, 60, 90, 180]) * 86_400
    const strike = BigInt(Math.round(spot * (0.6 + 0.8 * next()) * 1e6))
    const kind = pick(['future', 'call', 'put'] as const)
    const spec = kind === 'future' ? { ...base, kind, expiry } : { ...base, kind, expiry, strike }
    return { quantity: lots * (60_000 / spot), spec }
  })
  return { market: MARKET, holdings }
}

/** The loss that so large a share of the states exceeds; of none, the worst. */
function lossOf(book: PricedBook, worlds: readonly World[], share = 0): number {
  const [mark = 0, ...values] = valuesOf(book, { ...(SETS[1] as WorldSet), worlds })
  const sorted = values.map((value) => mark - value).sort((a, b) => b - a)
  return sorted[Math.floor(share * sorted.length)] as number
}

export function wideReport(count: number): string {
  const lines = [2, 3, 4].flatMap((size) => {
    const names = NAMES.slice(0, size)
    const grids = [
      ['together', TOGETHER, 0],
      ['apart', apart(names), 0],
      ['t, 0.5', correlated(names, 0.5), 0.003],
      ['t, 0.8', correlated(names, 0.8), 0.003],
    ] as const
    return grids.flatMap(([grid, worlds, share]) => {
      const ratios = SETS.map(() => [] as number[])
      for (let seed = 1; seed <= count; seed++) {
        const book = bookOf(seed, names)
        const full = lossOf(book, worlds, share)
        if (full < 1) continue
        SETS.forEach((set, i) =>
          ratios[i]?.push((lossOf(book, set.worlds) + gapsOf(book, set)) / full),
        )
      }
      return SETS.map(({ name }, i) => {
        const sorted = [...(ratios[i] ?? [])].sort((a, b) => a - b)
        const at = (part: number): string =>
          (sorted[Math.floor(part * (sorted.length - 1))] as number).toFixed(2)
        const below = sorted.filter((ratio) => ratio < 0.9).length / sorted.length
        const figures = [at(0), at(0.1), at(0.5), `${(100 * below).toFixed(0)} %`]
        return [String(size), grid, name, ...figures]
      })
    })
  })
  const head = ['underlyings', 'states', 'set', 'lowest', '1 in 10', 'median', 'below 0.9']
  return tableText(head, lines)
}

if (import.meta.filename === process.argv[1])
  console.log(wideReport(Number(process.argv[2] ?? '100')))
