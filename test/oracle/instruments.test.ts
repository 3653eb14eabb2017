/** Each payoff in each state of the market, and the market as a payoff sees it under shock. */

import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { black76 } from '../../oracle/black76.ts'
import { marketAt } from '../../oracle/day-2020-03-12.ts'
import { gapCharge } from '../../oracle/gap.ts'
import { valuePerLot, type ExposedSpec, type OptionSpec } from '../../oracle/instruments.ts'
import { NO_SHOCK, viewOf, type Market } from '../../oracle/market.ts'
import { buildTable, worldValue } from '../../oracle/table.ts'
import { WORLDS, worldSet } from '../../oracle/worlds.ts'

const day = marketAt(2)
const YEAR = 365 * 86_400
const expiry = day.time + YEAR / 4
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
