/** The registry of instruments, and the cost of closing out. */

import { keccak256, toUtf8Bytes } from 'ethers'
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { canonicalHash, canonicalJson } from '../../oracle/canonical.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import { checkInstrument, type OptionSpec } from '../../oracle/instruments.ts'
import { closeOutCost } from '../../oracle/liquidity.ts'
import {
  list,
  specificationHash,
  specificationOf,
  specOf,
  type Listing,
  type Registry,
  type Terms,
} from '../../oracle/registry.ts'

const settlement = { source: 'index', windowSeconds: 1800 }
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
