/** Random markets and books for measuring worlds: two underlyings, futures, calls, puts, perpetuals. */
import type { ExposedSpec } from '../../oracle/instruments.ts'
import type { Market } from '../../oracle/market.ts'
import type { Holding, PricedBook } from '../../oracle/published/our-worlds.ts'

/** Mulberry32: a book can be named by its seed. */
export function random(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export const TIME = 1_700_000_000
const DAY = 86_400
const NAMES = ['BTC', 'ETH'] as const
const SPOT = { BTC: 60_000, ETH: 3_000 }

export const MARKET: Market<string> = {
  time: TIME,
  rate: 0.05,
  spot: SPOT,
  vol: { BTC: 0.6, ETH: 0.75 },
  scanRange: { BTC: 0.18, ETH: 0.2 },
  liquidity: { BTC: 0.0005, ETH: 0.001 },
}

export type Style = 'options' | 'spreads' | 'mixed'

/** One underlying and options only; two-legged spreads; or anything with anything. */
export function randomBook(seed: number, style: Style): PricedBook {
  const next = random(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const days = (): number => pick([1, 3, 7, 14, 30, 60, 90, 180, 360])
  const lots = (): number => Math.round(1 + next() * 20) * (next() < 0.5 ? -1 : 1)
  const name = pick(NAMES)
  const holding = (id: number, underlying: 'BTC' | 'ETH', quantity: number): Holding => {
    const scale = underlying === 'BTC' ? 1 : 20
    const base = { id: 1024 + id, name: `R${id}`, underlying, lot: '1' } as const
    const expiry = TIME + days() * DAY
    const strike = BigInt(Math.round(SPOT[underlying] * (0.5 + next()))) * 1_000_000n
    const spec: ExposedSpec =
      style === 'mixed' && next() < 0.3
        ? { ...base, kind: 'future', expiry }
        : { ...base, kind: next() < 0.5 ? 'call' : 'put', expiry, strike }
    return { quantity: quantity * scale, spec }
  }
  if (style === 'spreads') {
    const first = holding(0, name, lots())
    const second = holding(1, name, 1)
    // Same side, opposite sign, and of the same order: verticals, calendars and diagonals.
    const ratio = pick([1, 1, 1, 0.5, 2])
    const spec = { ...second.spec, kind: first.spec.kind } as ExposedSpec
    const near = pick(['strike', 'expiry', 'both'])
    const merged = {
      ...spec,
      ...(near === 'strike' ? same(first.spec, 'strike') : {}),
      ...(near === 'expiry' ? same(first.spec, 'expiry') : {}),
    } as ExposedSpec
    return {
      market: MARKET,
      holdings: [first, { quantity: -ratio * first.quantity, spec: merged }],
    }
  }
  const count = 1 + Math.floor(next() * 6)
  const holdings = Array.from({ length: count }, (_, i) =>
    holding(i, style === 'mixed' ? pick(NAMES) : name, lots()),
  )
  return { market: MARKET, holdings }
}

function same(spec: ExposedSpec, field: 'strike' | 'expiry'): object {
  return { [field]: (spec as unknown as Record<string, unknown>)[field] }
}
