/**
 * A payoff that the project does not have, as its own file would bring it: one function. All else, from
 * the listing to the settlement, must follow without a change anywhere.
 */
import { describe, expect, test } from 'vitest'
import { tableOf } from '../../circuits/table.ts'
import { black76 } from '../../oracle/black76.ts'
import { marketAt } from '../../oracle/day-2020-03-12.ts'
import { gapCharge } from '../../oracle/gap.ts'
import { greeksPerLot } from '../../oracle/greeks.ts'
import {
  addPayoff,
  checkInstrument,
  valuePerLot,
  type ExposedSpec,
} from '../../oracle/instruments.ts'
import { liquidationDistance, rowsOf } from '../../oracle/liquidation.ts'
import { marginOf, whatIf } from '../../oracle/margin.ts'
import type { View } from '../../oracle/market.ts'
import { DATED_TERMS, type Payoff } from '../../oracle/payoffs/payoff.ts'
import type { Dated, Exposure, Struck } from '../../oracle/payoffs/terms.ts'
import { list, specOf, type Terms } from '../../oracle/registry.ts'
import {
  computeTable,
  expiryOf,
  instrumentsBytes,
  readInstruments,
  settlementValue,
  underlyingOf,
} from '../../oracle/signer/engine.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import { marketDocument } from '../contracts/oracle-market.ts'

// ------------------------------------------------------------------- what the file would hold

type CappedCallSpec = Exposure &
  Dated &
  Struck & { readonly kind: 'capped-call'; readonly cap: bigint }

/** Dollars per unit: a call less the call at the cap. */
function cappedCallValue(spec: CappedCallSpec, view: View): number {
  const [low, high] = [spec.strike, spec.cap].map((micro) => {
    const strike = Number(micro) / 1e6
    return black76({
      side: 'call',
      forward: view.forward(spec.expiry),
      strike,
      vol: view.vol(strike, spec.expiry),
      years: view.years(spec.expiry),
      rate: view.rate(spec.expiry),
    })
  })
  return low! - high!
}

const cappedCall: Payoff<CappedCallSpec> = {
  kinds: ['capped-call'],
  terms: { ...DATED_TERMS, strike: 'price', cap: 'price' },
  value: cappedCallValue,
}

// ------------------------------------------------------------------- what the house makes of it

addPayoff(cappedCall)
const market = marketAt(2)
const expiry = Date.UTC(2020, 2, 27, 8) / 1000
const terms = {
  kind: 'capped-call',
  name: 'BTC-27MAR20-6000-7000-CC',
  underlying: 'BTC',
  lot: '0.01',
  expiry,
  settlement: { source: 'an index', windowSeconds: 1800 },
  strike: 6_000_000_000n,
  cap: 7_000_000_000n,
}
const spec = { ...terms, id: 1024 } as unknown as ExposedSpec
const legs = [6000, 7000].map((strike, i) => ({
  kind: 'call' as const,
  id: 1025 + i,
  name: `C${strike}`,
  underlying: 'BTC',
  lot: '0.01',
  expiry,
  strike: BigInt(strike) * 1_000_000n,
}))

describe('a capped call', () => {
  test('is listed, and read back from its specification', () => {
    const registry = list([], terms as unknown as Terms)
    expect(specOf(registry[0]!)).toEqual(spec)
    const without = (term: string) => ({ ...terms, [term]: undefined })
    for (const term of ['cap', 'strike', 'expiry', 'settlement'])
      expect(() => list([], without(term) as unknown as Terms), term).toThrow(RangeError)
    for (const change of [{ cap: 0n }, { cap: '7000' }, { barrier: 5n }])
      expect(() => list([], { ...terms, ...change } as unknown as Terms)).toThrow(RangeError)
    expect(() => checkInstrument(spec)).not.toThrow()
  })
  test('is worth one call less the other in every world of a table', () => {
    const [row, low, high] = rowsOf(market, [spec, ...legs], WORLDS)
    row!.values.forEach((value, s) => {
      const apart = low!.values[s]! - high!.values[s]! - value
      expect(apart >= -1n && apart <= 1n, `world ${s}`).toBe(true)
    })
    expect(row!.addOn).toBeGreaterThan(0n)
    expect(gapCharge(spec, market, WORLDS)).toBeGreaterThan(0)
  })
  test('has Greeks by differences that are those of the two calls', () => {
    const [own, low, high] = [spec, ...legs].map((one) => greeksPerLot(one, market))
    expect(own!.delta).toBeCloseTo(low!.delta - high!.delta, 7)
    expect(own!.gamma).toBeCloseTo(low!.gamma - high!.gamma, 8)
    expect(own!.vega / (low!.vega - high!.vega)).toBeCloseTo(1, 3)
    expect(own!.theta / (low!.theta - high!.theta)).toBeCloseTo(1, 3)
  })
  test('has margin, a what-if and a liquidation distance', () => {
    const rows = rowsOf(market, [spec], WORLDS)
    const rowOf = (id: number) => rows.find((row) => row.id === id)
    const account = { cash: 200_000_000n, balances: [{ id: spec.id, quantity: -20n }] }
    const margin = marginOf(account, rowOf)
    // It can never cost its seller more than the 1000 dollars of its cap, 10 a lot, and add-ons.
    expect(margin.excess).toBeGreaterThanOrEqual(-20n * rows[0]!.addOn)
    expect(margin.initial).toBeGreaterThan(0n)
    const mark = rows[0]!.values[0]!
    expect(
      whatIf(account, [{ instrument: spec.id, quantity: -500n, price: mark }], 0n, rowOf).refusedBy,
    ).toBe('AccountMustBeSolvent')
    const thin = { ...account, cash: account.cash - margin.excess }
    const distance = liquidationDistance(
      thin,
      { market, instruments: [spec], worlds: WORLDS },
      'BTC',
    )
    expect(distance.up).toBeGreaterThan(0)
    expect(distance.down).toBeNull()
  })
  test('travels in the documents of signers, is in their table, and settles', () => {
    const read = readInstruments(instrumentsBytes([spec]))
    expect(read).toEqual([spec])
    const table = computeTable(marketDocument(market.time), read, WORLDS)
    expect(tableOf(table.rows).root).toBe(table.root)
    expect([expiryOf(spec), underlyingOf(spec)]).toEqual([expiry, 'BTC'])
    const paid = (dollars: bigint) => settlementValue(spec, dollars * 1_000_000n, expiry)
    expect([5999n, 6000n, 6500n, 7000n, 90_000n].map(paid)).toEqual([
      0n,
      0n,
      5_000_000n,
      10_000_000n,
      10_000_000n,
    ])
  })
  test('is one meaning of its word for good, and shares no term with all others', () => {
    expect(() => addPayoff(cappedCall)).toThrow(/is taken/)
    expect(() => addPayoff({ ...cappedCall, kinds: ['cash'] } as never)).toThrow(/is taken/)
    const bent = { ...cappedCall, kinds: ['bent'], terms: { name: 'price' } } as never
    expect(() => addPayoff(bent)).toThrow(/all have the term name/)
    expect(() => valuePerLot({ ...spec, kind: 'unknown' } as never, market)).toThrow(/unknown kind/)
  })
})
