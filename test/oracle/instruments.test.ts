/** Each payoff in each state of the market; the registry; the cost of closing out. */

import { keccak256, toUtf8Bytes } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { black76 } from '../../oracle/black76.ts'
import { canonicalHash, canonicalJson } from '../../oracle/canonical.ts'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { gapCharge } from '../../oracle/gap.ts'
import {
  checkInstrument,
  valuePerLot,
  type ExposedSpec,
  type OptionSpec,
} from '../../oracle/instruments.ts'
import { closeOutCost } from '../../oracle/liquidity.ts'
import { NO_SHOCK, viewOf, type Market } from '../../oracle/market.ts'
import {
  list,
  specificationHash,
  specificationOf,
  specOf,
  type Listing,
  type Registry,
  type Terms,
} from '../../oracle/registry.ts'
import { buildTable, worldValue } from '../../oracle/table.ts'
import { WORLDS, worldSet } from '../../oracle/worlds.ts'

const day = marketAt(2)
const YEAR = 365 * 86_400
const expiry = day.time + YEAR / 4
const settlement = { source: 'index', windowSeconds: 1800 }
const base = { id: 2000, name: 'X', underlying: 'BTC', lot: '0.01' } as const
const market: Market<string> = {
  ...day,
  spot: { BTC: 6000, ETH: 150 },
  perpetuals: { 2000: { basis: 0.001, funding: 250 } },
}

describe('payoffs', () => {
  test('a token: spot at the mark, less its haircut under stress', () => {
    const spec: ExposedSpec = { ...base, id: 5, kind: 'token', lot: '0.001', haircut: '0.1' }
    expect(valuePerLot(spec, market)).toBeCloseTo(6, 12)
    expect(valuePerLot(spec, market, { ...NO_SHOCK, isStress: true })).toBeCloseTo(5.4, 12)
    expect(valuePerLot(spec, market, { ...NO_SHOCK, isStress: true, price: 0.5 })).toBeCloseTo(
      2.7,
      12,
    )
  })

  test('a dated future: spot carried to its expiry; a multiplier multiplies', () => {
    const spec: ExposedSpec = { ...base, kind: 'future', expiry }
    expect(valuePerLot(spec, market)).toBeCloseTo(60 * Math.exp(0.05 / 4), 10)
    expect(valuePerLot({ ...spec, multiplier: '2.5' }, market)).toBeCloseTo(
      150 * Math.exp(0.05 / 4),
      10,
    )
    const carry = {
      BTC: [
        { expiry: expiry - 100, rate: 0.1 },
        { expiry: expiry + 100, rate: 0.2 },
      ],
    }
    expect(valuePerLot(spec, { ...market, carry })).toBeCloseTo(60 * Math.exp(0.15 / 4), 10)
    expect(valuePerLot({ ...spec, expiry: day.time - 1 }, market)).toBeCloseTo(60, 12)
  })

  test('a perpetual: quoted price less cumulative funding, also below zero', () => {
    const spec: ExposedSpec = { ...base, kind: 'perpetual' }
    expect(valuePerLot(spec, market)).toBeCloseTo((6000 * 1.001 - 250) / 100, 10)
    const paid = { ...market, perpetuals: { 2000: { basis: 0, funding: 7000 } } }
    expect(valuePerLot(spec, paid)).toBeCloseTo(-10, 10)
    expect(valuePerLot(spec, paid, { ...NO_SHOCK, price: 1.2 })).toBeCloseTo(2, 10)
    expect(() => valuePerLot(spec, day)).toThrow(/no funding of perpetual 2000/)
    // Two holders who differ by funding differ by it in every world alike.
    const moved = { ...market, perpetuals: { 2000: { basis: 0.001, funding: 260 } } }
    const gap = WORLDS.map(
      (world) => worldValue(spec, market, world) - worldValue(spec, moved, world),
    )
    for (const g of gap) expect(g).toBeCloseTo(0.1, 10)
  })

  test('a call and a put: Black-76 on the forward, with the volatility of their strike', () => {
    const volGrid = {
      BTC: [
        {
          expiry,
          smile: [
            { strike: 5000, vol: 1 },
            { strike: 7000, vol: 0.6 },
          ],
        },
      ],
    }
    const spec: OptionSpec = { ...base, kind: 'put', expiry, strike: 5_500_000_000n }
    const forward = 6000 * Math.exp(0.05 / 4)
    const price = black76({ side: 'put', forward, strike: 5500, vol: 0.9, years: 0.25, rate: 0.05 })
    expect(valuePerLot(spec, { ...market, volGrid })).toBeCloseTo(price / 100, 12)
    expect(valuePerLot({ ...spec, expiry: day.time }, market)).toBe(0)
    expect(valuePerLot({ ...spec, kind: 'call', expiry: day.time }, market)).toBeCloseTo(5, 12)
  })

  test('a digital: between nothing and its payment, the whole of it when expired in the money', () => {
    const spec: ExposedSpec = {
      ...base,
      kind: 'digital',
      side: 'call',
      expiry,
      strike: 5_500_000_000n,
      lot: '1',
      multiplier: '100',
    }
    expect(valuePerLot(spec, market)).toBeGreaterThan(30)
    expect(valuePerLot(spec, market)).toBeLessThan(70)
    expect(valuePerLot({ ...spec, expiry: day.time }, market)).toBe(100)
    expect(valuePerLot({ ...spec, side: 'put', expiry: day.time }, market)).toBe(0)
    const [row] = buildTable(market, [spec], WORLDS)
    // The cost of closing out counts on the payment, not on the bitcoin.
    const gap = gapCharge(spec, market, WORLDS)
    expect(gap).toBeGreaterThan(0)
    expect(row?.addOn).toBe(BigInt(Math.ceil((0.0005 * 100 + gap) * 1e6) + 2))
  })

  const vols = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 10, noNaN: true }))
  const anyMarket = fc.record({
    spot: fc.double({ min: 1e-4, max: 1e7, noNaN: true }),
    vol: vols,
    near: vols,
    scan: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    rate: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
    carry: fc.double({ min: -1, max: 1, noNaN: true }),
    basis: fc.double({ min: -0.9, max: 0.9, noNaN: true }),
    funding: fc.double({ min: -1e5, max: 1e5, noNaN: true }),
    seconds: fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -YEAR, max: 5 * YEAR })),
    strike: fc.bigInt({ min: 1n, max: (1n << 53n) - 1n }),
    isGrid: fc.boolean(),
  })

  test('no NaN and no infinity leaves any payoff in any world of any set', () => {
    fc.assert(
      fc.property(anyMarket, (any) => {
        const at = Math.max(day.time + any.seconds, 1)
        const some: Market<string> = {
          time: day.time,
          rate: any.rate,
          spot: { BTC: any.spot },
          vol: { BTC: any.vol },
          scanRange: { BTC: any.scan },
          liquidity: { BTC: 0.01 },
          carry: { BTC: [{ expiry: at, rate: any.carry }] },
          perpetuals: { 2000: { basis: any.basis, funding: any.funding } },
          ...(any.isGrid
            ? {
                volGrid: {
                  BTC: [
                    {
                      expiry: day.time + 86_400,
                      smile: [
                        { strike: 1, vol: any.near },
                        { strike: 1e6, vol: any.vol },
                      ],
                    },
                    { expiry: day.time + YEAR, smile: [{ strike: any.spot, vol: any.vol }] },
                  ],
                },
              }
            : {}),
        }
        const dated = { ...base, expiry: at }
        const specs: readonly ExposedSpec[] = [
          { ...base, id: 5, kind: 'token', haircut: '0.3' },
          { ...base, kind: 'perpetual' },
          { ...dated, kind: 'future' },
          { ...dated, kind: 'call', strike: any.strike },
          { ...dated, kind: 'put', strike: any.strike },
          { ...dated, kind: 'digital', side: 'call', strike: any.strike },
          { ...dated, kind: 'digital', side: 'put', strike: any.strike },
        ]
        for (const spec of specs)
          for (const world of worldSet('standard-32').worlds)
            expect(
              Number.isFinite(worldValue(spec, some, world)),
              `${spec.kind} ${world.name}`,
            ).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})

describe('a view under shock', () => {
  const shock = (change: object) => viewOf(market, 'BTC', { ...NO_SHOCK, ...change })
  const days = (n: number): number => day.time + n * 86_400

  test('volatility moves by its whole shock at 30 days, more before, less after, no more within a day', () => {
    const flat = market.vol['BTC'] as number
    const factor = (n: number, vol: number) => shock({ vol }).vol(6000, days(n)) / flat
    expect(factor(30, 0.5)).toBeCloseTo(1.5, 12)
    expect(factor(30, -0.5)).toBeCloseTo(1 / 1.5, 12)
    expect(factor(7, 0.5)).toBeCloseTo(1 + 0.5 * (30 / 7) ** 0.3, 12)
    expect(factor(365, 0.5)).toBeCloseTo(1 + 0.5 * (30 / 365) ** 0.13, 12)
    expect(factor(0.25, 0.5)).toBeCloseTo(factor(1, 0.5), 12)
    for (const n of [0, 1, 30, 1000]) expect(factor(n, 0.5) * factor(n, -0.5)).toBeCloseTo(1, 12)
  })

  test('a skew turns about the forward and is capped; its mirror turns the other way', () => {
    const flat = market.vol['BTC'] as number
    const forward = shock({}).forward(days(30))
    const at = (strike: number, skew: number) => shock({ skew }).vol(strike, days(30)) / flat
    expect(at(forward, 0.15)).toBeCloseTo(1, 12)
    expect(at(1e9, 0.15)).toBeCloseTo(1.15, 12)
    expect(at(1, 0.15)).toBeCloseTo(0.85, 12)
    expect(at(1, -0.15)).toBeCloseTo(1.15, 12)
    expect(at(forward * 1.1, 0.15)).toBeGreaterThan(1)
    expect(at(forward * 1.1, 0.15)).toBeLessThan(1.15)
  })

  test('a twist lifts the short end, lowers the long one, and leaves 60 days', () => {
    const flat = market.vol['BTC'] as number
    const at = (n: number) => shock({ twist: 0.2 }).vol(6000, days(n)) / flat
    expect(at(60)).toBeCloseTo(1, 12)
    expect(at(0)).toBeCloseTo(1.2, 12)
    expect(at(10)).toBeGreaterThan(1.1)
    expect(at(360)).toBeLessThan(0.9)
    expect(at(1e5)).toBeGreaterThan(0.8)
  })

  test('what the market does not have is named', () => {
    expect(() => viewOf(market, 'SOL')).toThrow(/no spot of SOL/)
    expect(() => viewOf(market, 'toString')).toThrow(/no spot/)
  })
})

const call: Terms = {
  kind: 'call',
  name: 'BTC-27MAR20-6000-C',
  underlying: 'BTC',
  lot: '0.01',
  expiry: 1_585_296_000,
  strike: 6_000_000_000n,
  settlement,
}

describe('the registry', () => {
  const [perpetual, token]: readonly [Terms, Terms] = [
    { kind: 'perpetual', name: 'BTC-PERP', underlying: 'BTC', lot: '0.01' },
    { kind: 'token', name: 'WETH', underlying: 'ETH', lot: '0.001', haircut: '0.1' },
  ]
  const registry: Registry = [call, token, perpetual].reduce<Registry>(list, [])

  test('ids ascend, tokens in their own range, and come back as the same instruments', () => {
    expect(registry.map(({ id }) => id)).toEqual([1024, 2, 1025])
    expect(registry.map(specOf)).toEqual([
      { ...call, id: 1024 },
      { ...token, id: 2 },
      { ...perpetual, id: 1025 },
    ])
    registry.map(specOf).forEach(checkInstrument)
  })

  test('the specification is canonical JSON, and its hash is pinned', () => {
    expect(registry[0]?.specification).toBe(
      '{"expiry":1585296000,"kind":"call","lot":"0.01","name":"BTC-27MAR20-6000-C","settlement":' +
        '{"source":"index","windowSeconds":1800},"strike":"6000000000","underlying":"BTC","version":1}',
    )
    expect(registry[0]?.hash).toBe(
      '0xf545376e72460e078ad22761d58bc8dea12c0a25962f9e2e353bb8cc75187e4a',
    )
    expect(registry[0]?.hash).toBe(canonicalHash(specificationOf(call)))
    expect(registry[0]?.hash).toBe(keccak256(toUtf8Bytes(registry[0]?.specification ?? '')))
  })

  test('any other term is another hash; the id is not part of it', () => {
    const changes: readonly Partial<OptionSpec>[] = [
      { name: 'B' },
      { underlying: 'ETH' },
      { lot: '0.1' },
      { multiplier: '2' },
      { expiry: 1_585_296_001 },
      { strike: 1n },
      { kind: 'put' },
      { settlement: { ...settlement, windowSeconds: 60 } },
      { settlement: { ...settlement, source: 'other' } },
    ]
    const hashes = changes.map((change) => specificationHash({ ...call, ...change } as Terms))
    expect(new Set([...hashes, specificationHash(call)]).size).toBe(changes.length + 1)
    expect(specificationHash({ ...call, id: 7 } as Terms)).toBe(specificationHash(call))
  })

  test('nothing is listed twice, and no name', () => {
    expect(() => list(registry, call)).toThrow(/has id 1024 already/)
    expect(() => list(registry, { ...call, lot: '1' } as Terms)).toThrow(/name .* is taken/)
  })

  test.each<[string, object, RegExp]>([
    ['a lot as a number', { lot: 0.01 }, /lot must be a text/],
    ['no settlement source', { settlement: undefined }, /settlement source/],
    ['a window of a week', { settlement: { source: 'x', windowSeconds: 604_800 } }, /window/],
    ['a settlement with more', { settlement: { ...settlement, trust: 'me' } }, /settlement has/],
    ['an unknown kind', { kind: 'asian' }, /unknown kind asian/],
    ['an unknown field', { barrier: '7000' }, /unknown field barrier/],
    ['a strike as text', { strike: '6000' }, /strike/],
    ['a strike of zero', { strike: 0n }, /strike/],
    ['an empty name', { name: '' }, /name/],
    ['an underlying in small letters', { underlying: 'btc' }, /underlying/],
    ['a multiplier of zero', { multiplier: '0' }, /multiplier/],
    ['an expiry in the middle of a second', { expiry: 1.5 }, /expiry/],
  ])('%s is refused', (_name, change, why) => {
    expect(() => list([], { ...call, ...change } as unknown as Terms)).toThrow(why)
  })

  test('a listing that was tampered with is no instrument', () => {
    const listing = registry[0] as Listing
    const bent = (change: Partial<Listing>) => () => specOf({ ...listing, ...change })
    expect(bent({ hash: `0x${'0'.repeat(64)}` })).toThrow(/another than the one bound/)
    const other = listing.specification.replace('6000000000', '6000000001')
    expect(bent({ specification: other })).toThrow(/another than the one bound/)
    expect(bent({ specification: ` ${listing.specification}` })).toThrow(/canonical/)
    expect(
      bent({ specification: listing.specification.replace('"version":1', '"version":2') }),
    ).toThrow(/version/)
    const twice = listing.specification.replace('{"expiry"', '{"expiry":1,"expiry"')
    expect(bent({ specification: twice })).toThrow(/canonical/)
  })

  test('the instruments of the day can be listed, in the order of their ids', () => {
    const exposed = INSTRUMENTS.flatMap((spec) => (spec.kind === 'cash' ? [] : [spec]))
    const listed = exposed.reduce<Registry>(
      (before, { id: _, ...terms }) => list(before, terms as Terms),
      [],
    )
    expect(listed.map(({ id }) => id)).toEqual(exposed.map(({ id }) => id))
    expect(listed.map(specOf)).toEqual(exposed)
    expect(canonicalJson(listed.map(({ hash }) => hash))).toContain('0x')
  })
})

describe('closing out', () => {
  const book = [
    { distance: 0.001, size: 2 },
    { distance: 0.002, size: 3 },
    { distance: 0.01, size: 5 },
  ]

  test('costs the average distance of what is taken', () => {
    expect(closeOutCost(book, 1)).toBeCloseTo(0.001, 15)
    expect(closeOutCost(book, 2)).toBeCloseTo(0.001, 15)
    expect(closeOutCost(book, 5)).toBeCloseTo((2 * 0.001 + 3 * 0.002) / 5, 15)
    expect(closeOutCost(book, 10)).toBeCloseTo((0.002 + 0.006 + 0.05) / 10, 15)
    // Ten more than the book holds, at twice its last distance.
    expect(closeOutCost(book, 20)).toBeCloseTo((0.058 + 10 * 0.02) / 20, 15)
  })

  test('never costs less for more, and fits a market', () => {
    const size = fc.double({ min: 0.001, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [less, more] = [
          closeOutCost(book, Math.min(a, b)),
          closeOutCost(book, Math.max(a, b)),
        ]
        expect(more).toBeGreaterThanOrEqual(less - 1e-15)
        expect(more).toBeLessThan(1)
      }),
    )
  })

  test.each<[string, typeof book, number]>([
    ['an empty book', [], 1],
    ['a size of zero', book, 0],
    ['a size of NaN', book, NaN],
    ['levels out of order', [...book].reverse(), 8],
    ['a level without size', [{ distance: 0.1, size: 0 }], 1],
    ['a level at the price itself', [{ distance: 0, size: 1 }], 1],
  ])('%s is refused', (_name, levels, size) => {
    expect(() => closeOutCost(levels, size)).toThrow(/depth/)
  })
})
