/** What if = what the house says: the same rule on random books, in both modes, halts included. */
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { genesisAccount } from './accounts.ts'
import {
  worthOf,
  rowLookup,
  settledRow,
  settlementsOf,
  tableOf,
  type Row,
} from '../../circuits/table.ts'
import type { Page } from '../../circuits/page.ts'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { rowsOf } from '../../oracle/liquidation.ts'
import { whatIf, type Leg } from '../../oracle/margin.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import { checkEffect } from '../../sequencer/admission.ts'
import type { Ledger } from '../../sequencer/ledger.ts'

const FEE = 100n
const HALTED = 1031
const SETTLED = 1024
const rows: readonly Row[] = rowsOf(marketAt(2), INSTRUMENTS, WORLDS).map((row) =>
  row.id === HALTED ? { ...row, status: 'expired' as const } : row,
)
const rowOf = rowLookup(tableOf(rows), settlementsOf([settledRow(SETTLED, 50_000_000n)]))
const ids = [2, 1025, 1026, 1027, 1029, 1030, 1033, 1038]

const anyLots = fc.bigInt({ min: -40n, max: 40n })
const anyLeg: fc.Arbitrary<Leg> = fc.record({
  instrument: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: fc.constantFrom(HALTED, SETTLED) },
  ),
  quantity: anyLots.filter((lots) => lots !== 0n),
  price: fc.bigInt({ min: 0n, max: 90_000_000n }),
})
const anyBook = fc.record({
  cash: fc.bigInt({ min: -(10n ** 9n), max: 3n * 10n ** 9n }),
  balances: fc
    .tuple(fc.subarray(ids.slice(1)), fc.array(anyLots, { minLength: 8, maxLength: 8 }))
    .map(([held, lots]) =>
      held.map((id, i) => ({ id, quantity: lots[i]! })).filter(({ quantity }) => quantity !== 0n),
    ),
})

describe('a hypothetical trade', () => {
  test.each(['normal', 'reduceOnly'] as const)(
    'gets the answer of the house in mode %s',
    (mode) => {
      const seen = new Map<string, number>()
      fc.assert(
        fc.property(
          anyBook,
          fc.uniqueArray(anyLeg, {
            minLength: 1,
            maxLength: 3,
            selector: ({ instrument }) => instrument,
          }),
          (book, legs) => {
            const page = {
              kind: 'trade',
              account: 20,
              counterparty: 21,
              stamp: 0n,
              maxFee: FEE,
              payload: 0n,
              entries: legs,
            } as unknown as Page
            const ledger = { projected: () => genesisAccount(book) } as unknown as Ledger
            const house = checkEffect(ledger, page, { time: 0n, fee: FEE, rowOf, mode })
            const { refusedBy, account, difference } = whatIf(book, legs, FEE, rowOf, mode)
            expect(refusedBy).toBe(house?.rule ?? null)
            seen.set(refusedBy ?? 'accepted', (seen.get(refusedBy ?? 'accepted') ?? 0) + 1)
            if (refusedBy !== null) return
            // What is accepted has no negative difference, and without a rescue it is the worth itself.
            expect(difference.every((d) => d >= 0n)).toBe(true)
            const worth = worthOf(account, rowOf) as readonly bigint[]
            if (worth.every((w) => w >= 0n)) expect(difference).toEqual(worth)
          },
        ),
        { numRuns: 1500, seed: 7 },
      )
      // A test that never saw a rule says nothing of it.
      const rules = [
        'accepted',
        'AccountMustBeSolvent',
        'TokenMustNotBeNegative',
        'InstrumentMustBeListed',
        'SettledBalanceMustBeConverted',
      ]
      for (const rule of mode === 'normal' ? rules : [...rules, 'ReduceOnlyMustReduce'])
        if (!(mode === 'reduceOnly' && rule === 'AccountMustBeSolvent'))
          expect(seen.get(rule) ?? 0, rule).toBeGreaterThan(0)
    },
  )
})

describe('an isolated margin is an account of its own', () => {
  const short = { id: 1033, quantity: -40n }
  const mark = (id: number) => rowOf(id)!.values[0] as bigint
  test('what it may lose is what is in it; the other account is not asked', () => {
    const isolated = { cash: 60_000_000n, balances: [] }
    const rich = { cash: 10n ** 10n, balances: [] }
    const sell = [{ instrument: short.id, quantity: short.quantity, price: mark(short.id) }]
    expect(whatIf(isolated, sell, 0n, rowOf).refusedBy).toBe('AccountMustBeSolvent')
    const { refusedBy, after } = whatIf(rich, sell, 0n, rowOf)
    expect(refusedBy).toBeNull()
    // Moved into an account with just that much it fits, and with a micro-dollar less it does not.
    const enough = after.initial
    expect(whatIf({ cash: enough, balances: [] }, sell, 0n, rowOf)).toMatchObject({
      refusedBy: null,
    })
    expect(whatIf({ cash: enough - 1n, balances: [] }, sell, 0n, rowOf).refusedBy).toBe(
      'AccountMustBeSolvent',
    )
  })
  test('and asks for no less than the same book within one account: joining is the offset', () => {
    const call = { instrument: 1033, quantity: -10n, price: mark(1033) }
    const hedge = { instrument: 1025, quantity: 5n, price: mark(1025) }
    const rich = { cash: 10n ** 10n, balances: [] }
    const initial = (...legs: readonly Leg[]) => whatIf(rich, legs, 0n, rowOf).after.initial
    expect(initial(call, hedge)).toBeLessThan(initial(call) + initial(hedge))
  })
})
