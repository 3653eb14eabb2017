/** World sets as data, and what they ask of the books that must not be free. */

import { readFileSync } from 'node:fs'
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { ROW_VALUE_COUNT } from '../../circuits/params.ts'
import { canonicalHash, canonicalJson, type Json } from '../../oracle/canonical.ts'
import type { ExposedSpec } from '../../oracle/instruments.ts'
import { valuesOf, type Holding } from '../../oracle/published/our-worlds.ts'
import { buildRows } from '../../oracle/table.ts'
import {
  parseWorldSet,
  shockOf,
  STANDARD_SET,
  thirdsOf,
  worldSet,
  type Market,
} from '../../oracle/worlds.ts'
import { MARKET, randomBook, TIME } from '../bench/random-books.ts'

const WIDE = worldSet('wide-32')
const SETS = [worldSet('standard-16'), worldSet('standard-32')]
const fileOf = (name: string): Record<string, Json> & { worlds: Record<string, Json>[] } =>
  JSON.parse(readFileSync(new URL(`../../oracle/world-sets/${name}.json`, import.meta.url), 'utf8'))

describe('sets', () => {
  test('their hashes are pinned: another number is another version', () => {
    expect([...SETS, WIDE].map(({ name, version, hash }) => [name, version, hash])).toEqual([
      ['standard-16', 3, '0x17321e1ebd82c5024032b55ddd5b8f57e6231d8eea014d01138f9dfe174b256c'],
      ['standard-32', 2, '0x679ea5c668bd019a449b8e485bd80df17d2d610420675901fe882a7a00baf2ea'],
      ['wide-32', 1, '0x0634af79d145a5c8937e6d46405bd8d4b3aa78824eba9ee29b494a7a142a3850'],
    ])
  })

  test('sixteen and thirty-two, the variation world included; the law has rows for sixteen', () => {
    expect(SETS.map(({ worlds }) => worlds.length + 1)).toEqual([16, 32])
    expect(STANDARD_SET.worlds).toHaveLength(ROW_VALUE_COUNT)
  })

  test('the hash does not depend on spaces or on the order of keys', () => {
    const json = fileOf('standard-16')
    const turned = Object.fromEntries(Object.entries(json).reverse()) as Json
    expect(parseWorldSet(JSON.parse(JSON.stringify(turned, null, 7)) as Json).hash).toBe(
      STANDARD_SET.hash,
    )
    expect(canonicalJson({ b: [1, 'x', null], a: { d: true, c: 0.5 } })).toBe(
      '{"a":{"c":0.5,"d":true},"b":[1,"x",null]}',
    )
    expect(() => canonicalJson(NaN)).toThrow(/no JSON number/)
    expect(canonicalHash('')).toMatch(/^0x[0-9a-f]{64}$/)
  })

  test('each set has tails with weights, skew both ways, twist both ways, rates both ways', () => {
    for (const { worlds } of SETS) {
      const stress = worlds.flatMap((world) => (world.kind === 'mark' ? [] : [world]))
      for (const field of ['skew', 'twist', 'rate', 'vol', 'move'] as const) {
        expect(Math.min(...stress.map((world) => world[field])), field).toBeLessThan(0)
        expect(Math.max(...stress.map((world) => world[field])), field).toBeGreaterThan(0)
      }
      for (const world of stress) expect(world.weight < 1).toBe(world.move !== 0)
    }
  })

  test('a tail moves a linear book by about a sixth of spot, less than any scan range but the lowest', () => {
    for (const { worlds } of SETS)
      for (const world of worlds)
        if (world.kind === 'tail') expect(Math.abs(world.move * world.weight)).toBeCloseTo(1 / 6, 2)
  })

  const change = (edit: (json: ReturnType<typeof fileOf>) => void): Json => {
    const json = fileOf('standard-16')
    edit(json)
    return json
  }
  const world = (fields: object) =>
    change((json) => void (json.worlds[3] = { name: 'w', ...fields }))

  test.each<[string, Json, RegExp]>([
    ['no object', [], /object/],
    ['an unknown field', change((json) => void (json['colour'] = 'red')), /unknown field colour/],
    ['no version', change((json) => void (json['version'] = 0)), /version/],
    ['no mark first', change((json) => void json.worlds.shift()), /mark is world 0/],
    ['two marks', change((json) => void (json.worlds[4] = { name: 'm', kind: 'mark' })), /mark/],
    ['no variation', change((json) => void json.worlds.pop()), /variation/],
    [
      'a name twice',
      change((json) => void (json.worlds[4] = json.worlds[5] as Record<string, Json>)),
      /twice/,
    ],
    ['a field that nobody reads', world({ volatility: 1 }), /unknown field volatility/],
    ['a move to zero', world({ move: -1 }), /move/],
    ['a scan beyond the range', world({ scan: 3.1 }), /scan/],
    ['a scan in words', world({ scan: 'down' }), /scan/],
    ['two moves', world({ scan: 1, move: 0.5 }), /not both/],
    ['a full skew', world({ skew: 1 }), /skew/],
    ['a full twist', world({ twist: -1 }), /twist/],
    ['a weight above 1', world({ weight: '3/2' }), /weight/],
    ['a weight of 0', world({ weight: '0' }), /weight/],
    ['a weight over 0', world({ weight: '1/0' }), /weight/],
    ['a weight that is a number', world({ weight: 0.5 }), /weight/],
    ['another kind', world({ kind: 'dream' }), /kind/],
  ])('%s is no set', (_name, json, why) => {
    expect(() => parseWorldSet(json)).toThrow(why)
  })
})

const DAY = 86_400
const base = { underlying: 'BTC', lot: '1' } as const
const option = (id: number, kind: 'call' | 'put', strike: number, days: number): ExposedSpec => ({
  ...base,
  id,
  name: `O${id}`,
  kind,
  strike: BigInt(strike) * 1_000_000n,
  expiry: TIME + days * DAY,
})
const future = (id: number, days: number, underlying = 'BTC'): ExposedSpec => ({
  ...base,
  id,
  name: `F${id}`,
  underlying,
  kind: 'future',
  expiry: TIME + days * DAY,
})
const hold = (quantity: number, spec: ExposedSpec): Holding => ({ quantity, spec })
const initial = (holdings: readonly Holding[], set = STANDARD_SET): number => {
  const values = valuesOf({ market: MARKET, holdings }, set)
  return (values[0] as number) - Math.min(...values)
}

describe.each(SETS.map((set) => [set.name, set] as const))('%s', (_name, set) => {
  test('a box spread is a loan and margins like one', () => {
    const box = [
      hold(1, option(1, 'call', 50_000, 180)),
      hold(-1, option(2, 'call', 70_000, 180)),
      hold(-1, option(3, 'put', 50_000, 180)),
      hold(1, option(4, 'put', 70_000, 180)),
    ]
    // 20,000 dollars half a year away: a tenth a year on it, compounded.
    const loan = 20_000 * Math.exp(-0.05 * (180 / 365))
    expect(initial(box, set)).toBeCloseTo(loan * (1 - Math.exp(-0.1 * (180 / 365))), 4)
    const sold = box.map(({ quantity, spec }) => hold(-quantity, spec))
    expect(initial(sold, set)).toBeCloseTo(loan * (Math.exp(0.1 * (180 / 365)) - 1), 4)
  })

  test('a calendar of futures pays for the financing between its legs, both ways', () => {
    for (const sign of [1, -1]) {
      const margin = initial([hold(sign, future(1, 30)), hold(-sign, future(2, 210))], set)
      // Half a year at a tenth on 60,000.
      expect(margin).toBeGreaterThan(2_500)
      expect(margin).toBeLessThan(4_500)
    }
  })

  test('a calendar of options is not free, also where all vegas cancel', () => {
    for (const sign of [1, -1])
      for (const ratio of [0.25, 0.5, 1, 2, 4]) {
        const legs = [
          hold(sign, option(1, 'call', 60_000, 20)),
          hold(-sign * ratio, option(2, 'call', 60_000, 160)),
        ]
        const alone = Math.min(...legs.map((leg) => initial([leg], set)))
        expect(initial(legs, set)).toBeGreaterThan(0.1 * alone)
      }
  })

  test('a risk reversal hedged by a future is not free: the skew may turn either way', () => {
    for (const sign of [1, -1]) {
      const legs = [
        hold(sign, option(1, 'call', 75_000, 60)),
        hold(-sign, option(2, 'put', 48_000, 60)),
        hold(-sign * 0.5, future(3, 60)),
      ]
      expect(initial(legs, set)).toBeGreaterThan(1_000)
    }
  })

  test('a hedged pair in one underlying gets its offset, and no more than its financing', () => {
    const alone = initial([hold(1, future(1, 30))], set)
    const pair = initial([hold(1, future(1, 30)), hold(-1, future(2, 60))], set)
    expect(alone).toBeCloseTo(60_000 * Math.exp(0.05 * (30 / 365)) * 0.18, 4)
    expect(pair).toBeGreaterThan(0)
    expect(pair).toBeLessThan(0.06 * alone)
  })

  test.each([1, -1])(
    'a pair across underlyings keeps two thirds of both ranges, and one and a third of the wider (%i)',
    (sign) => {
      const [btc, eth] = [hold(sign, future(1, 30)), hold(-20 * sign, future(2, 30, 'ETH'))]
      const pair = initial([btc, eth], set)
      // The rate moves the forwards of both, by less than a hundredth.
      const moved = 60_000 * Math.max((2 / 3) * (0.18 + 0.2), 0.2 + 0.18 / 3)
      expect(pair / moved).toBeGreaterThan(0.96)
      expect(pair / moved).toBeLessThan(1.02)
      // Above the larger of the two alone, below both together.
      expect(pair).toBeGreaterThan(initial([eth], set))
      expect(pair).toBeLessThan(initial([btc], set) + initial([eth], set))
    },
  )

  test('options on one underlying are no hedge of those on another: one may move, the other not', () => {
    // With worlds that move all prices equally far, a straddle against a straddle was nearly free.
    const kinds = [['call', 'put'], ['call'], ['put']] as const
    for (const days of [3, 14, 30])
      for (const sides of kinds)
        for (const sign of [1, -1]) {
          const legs = (underlying: string, strike: number, quantity: number) =>
            sides.map((side, i) =>
              hold(quantity, {
                ...option(1 + i, side, strike, days),
                underlying,
                id: 2000 + 10 * strike + i,
              }),
            )
          const bought = legs('BTC', 60_000, sign)
          const sold = legs('ETH', 3_000, -20 * sign)
          const short = sign === 1 ? sold : bought
          const what = `${sides.join(' and ')} of ${days} d, ${sign}`
          const share = initial([...bought, ...sold], set) / initial(short, set)
          expect(share, what).toBeGreaterThan(days === 30 ? 0.4 : 0.5)
        }
  })

  test('joining books never costs more than keeping them apart', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        const [one, two] = [randomBook(a, 'mixed').holdings, randomBook(b, 'mixed').holdings]
        const apart = initial(one, set) + initial(two, set)
        expect(initial([...one, ...two], set)).toBeLessThanOrEqual(apart * (1 + 1e-9) + 1e-6)
      }),
      { numRuns: 30 },
    )
  })

  test('twice the book is twice the margin', () => {
    const { holdings } = randomBook(7, 'options')
    const doubled = holdings.map(({ quantity, spec }) => hold(2 * quantity, spec))
    expect(initial(doubled, set) / initial(holdings, set)).toBeCloseTo(2, 12)
  })
})

describe('four underlyings in wide-32', () => {
  const NAMES = ['BTC', 'ETH', 'SOL', 'XRP']
  const SPOT: Readonly<Record<string, number>> = { BTC: 60_000, ETH: 3_000, SOL: 150, XRP: 2 }
  const per = <T>(value: T) => Object.fromEntries(NAMES.map((name) => [name, value]))
  const market: Market<string> = {
    ...{ time: TIME, rate: 0.05, spot: SPOT, vol: per(0.7) },
    ...{ scanRange: per(0.2), liquidity: per(0) },
  }
  const pairs = NAMES.flatMap((a) => NAMES.filter((b) => b !== a).map((b) => [a, b] as const))
  const scans = WIDE.worlds.filter((world) => world.kind === 'scan')
  const moved = (a: string, b: string) =>
    scans.map((world) => `${thirdsOf(world, a)} ${thirdsOf(world, b)}`)

  test('each pair falls and rises together, goes opposite ways whole, and one far while the other little', () => {
    for (const [a, b] of pairs)
      for (const both of ['3 3', '-3 -3', '3 -3', '-3 3', '3 -1', '-3 1', '2 -2', '-2 2'])
        expect(moved(a, b), `${a} and ${b}: ${both}`).toContain(both)
  })

  test('each sees all prices at both volatilities, as in standard-32', () => {
    for (const name of NAMES)
      for (const vol of [0.5, -0.5]) {
        const at = scans
          .filter((world) => world.kind === 'scan' && world.vol === vol)
          .map((world) => thirdsOf(world, name))
        expect([...new Set(at)].filter((thirds) => thirds !== 0).sort((x, y) => x - y)).toEqual([
          -3, -2, -1, 1, 2, 3,
        ])
      }
  })

  test('makes a table of three or four, and of no fifth; the standard sets of no third', () => {
    const futures = [...NAMES, 'DOGE'].map((underlying, i) => ({
      ...({ kind: 'future', id: 2000 + i, name: underlying, underlying, lot: '1' } as const),
      expiry: TIME,
    }))
    const wider = { ...market, spot: { ...SPOT, DOGE: 1 }, vol: { ...market.vol, DOGE: 1 } }
    const fifth = {
      ...wider,
      ...{ scanRange: { ...market.scanRange, DOGE: 0.3 }, liquidity: { ...per(0), DOGE: 0 } },
    }
    expect(buildRows(market, futures.slice(0, 3), WIDE.worlds)).toHaveLength(3)
    expect(buildRows(market, futures.slice(0, 4), WIDE.worlds)).toHaveLength(4)
    expect(() => buildRows(fifth, futures, WIDE.worlds)).toThrow('XRP and DOGE must part')
    for (const { worlds } of SETS.slice(0, 2))
      expect(() => buildRows(market, futures.slice(0, 3), worlds)).toThrow('BTC and SOL must part')
  })

  test('nothing on one is a hedge of anything on another: futures, straddles, calls, puts', () => {
    const unit = (name: string) => 60_000 / (SPOT[name] as number)
    const leg = (underlying: string, quantity: number, side: 'call' | 'put' | null): Holding => {
      const base = { id: 2000, name: 'L', underlying, lot: '1', expiry: TIME + 14 * 86_400 }
      const strike = BigInt(Math.round((SPOT[underlying] as number) * 1e6))
      const spec: ExposedSpec =
        side === null ? { ...base, kind: 'future' } : { ...base, kind: side, strike }
      return { quantity: quantity * unit(underlying), spec }
    }
    const need = (holdings: readonly Holding[]) => {
      const values = valuesOf({ market, holdings }, WIDE)
      return values[0]! - Math.min(...values)
    }
    for (const [a, b] of pairs)
      for (const sides of [[null], ['call'], ['put'], ['call', 'put']] as const) {
        const legs = (name: string, sign: number) => sides.map((side) => leg(name, sign, side))
        const share = need([...legs(a, 1), ...legs(b, -1)]) / need(legs(b, -1))
        expect(share, `${a} against ${b}: ${sides.join()}`).toBeGreaterThan(0.45)
      }
  })
})

describe('shocks', () => {
  const at = (name: string) => {
    const found = STANDARD_SET.worlds.find((world) => world.name === name)
    if (found === undefined) throw new Error(name)
    return found
  }

  test('an underlying that a world does not name moves with the others', () => {
    const market = { scanRange: { BTC: 0.3, ETH: 0.3, SOL: 0.6 } }
    const world = at('ETH up 2/3, others down 2/3, rate up')
    expect(shockOf(world, market, 'BTC').price).toBeCloseTo(0.8, 12)
    expect(shockOf(world, market, 'ETH').price).toBeCloseTo(1.2, 12)
    expect(shockOf(world, market, 'SOL').price).toBeCloseTo(0.6, 12)
    expect(() => shockOf(world, market, 'XRP')).toThrow(/no scan range of XRP/)
  })
})

test('of two underlyings that move alike in every world there is no table', () => {
  const named = (...names: string[]) => names.map((name, i) => future(2000 + i, 30, name))
  const market = {
    ...MARKET,
    spot: { ...MARKET.spot, SOL: 100 },
    vol: { ...MARKET.vol, SOL: 1 },
    scanRange: { ...MARKET.scanRange, SOL: 0.3 },
    liquidity: { ...MARKET.liquidity, SOL: 0 },
  }
  for (const { worlds } of SETS) {
    expect(buildRows(market, named('BTC', 'ETH'), worlds)).toHaveLength(2)
    expect(buildRows(market, named('SOL', 'ETH'), worlds)).toHaveLength(2)
    expect(buildRows(market, named('SOL', 'SOL', 'ETH'), worlds)).toHaveLength(3)
    expect(() => buildRows(market, named('BTC', 'ETH', 'SOL'), worlds)).toThrow(
      'worlds: BTC and SOL must part in one of them to be in one table',
    )
    const told = worlds.map((world) =>
      world.kind === 'scan' && world.name === 'down 3/3, vol down'
        ? { ...world, scan: { '*': -3, SOL: 1 } }
        : world,
    )
    const isTold = told.some((world, i) => world !== worlds[i])
    expect(isTold).toBe(true)
    expect(buildRows(market, named('BTC', 'ETH', 'SOL'), told)).toHaveLength(3)
  }
})

test('random books: standard-16 sees nearly what standard-32 sees', () => {
  // The figures of the dense grid are in docs/risk.md; this holds the order of the two.
  let [low, count] = [0, 0]
  for (let seed = 1; seed <= 60; seed++) {
    const { holdings } = randomBook(seed, 'options')
    const ratio = initial(holdings, SETS[0]) / initial(holdings, SETS[1])
    count++
    if (ratio < 0.9) low++
  }
  expect(low / count).toBeLessThan(0.2)
})
