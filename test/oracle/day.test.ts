/** The trades of 12 March 2020: in form, near the mark, and everybody solvent all day. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseDayTrades } from '../../client/day/csv.ts'
import type { DayTrade } from '../../client/day/csv.ts'
import { SLOT_COUNT, TOKEN_UPPER_BOUND } from '../../circuits/params.ts'
import {
  EXPIRY_13MAR20,
  INSTRUMENTS,
  marketAt,
  marketAtExpiry,
  PERPETUAL_ID,
  perpetualQuoteAt,
  ROUND_STEPS,
  STEP_COUNT,
} from '../../oracle/day-2020-03-12.ts'
import { buildTable } from '../../oracle/table.ts'
import type { TableRow } from '../../oracle/table.ts'
import { WORLDS } from '../../oracle/worlds.ts'

const MEMBERS = ['ALDER', 'BIRCH', 'CEDAR', 'ELM', 'HAZEL', 'LARCH', 'MAPLE', 'ROWAN']
const DEPOSIT = 250_000_000_000n
const WORLD_COUNT = WORLDS.length + 1

const file = new URL('../../client/day/trades-2020-03-12.csv', import.meta.url)
const trades = parseDayTrades(readFileSync(file, 'utf8')).filter(
  (trade) => trade.expect === 'settle',
)
const idOf = new Map(INSTRUMENTS.map((spec) => [spec.name, spec.id]))
/** The market of each candle, and the morning after, when the first instruments expire. */
const markets = [...Array.from({ length: STEP_COUNT }, (_, i) => marketAt(i)), marketAtExpiry()]
const EXPIRY_STEP = STEP_COUNT
const tables = markets.map((_, step) => tableAt(step))

function tableAt(step: number): ReadonlyMap<number, TableRow> {
  const rows = buildTable(markets[step]!, INSTRUMENTS, WORLDS)
  return new Map(rows.map((row) => [row.id, row]))
}

function rowOf(step: number, id: number): TableRow {
  const row = tables[step]?.get(id)
  if (row === undefined) throw new Error(`no row ${id} at step ${step}`)
  return row
}

function stepOf(round: number): number {
  const step = ROUND_STEPS[round - 1]
  if (step === undefined) throw new Error(`no round ${round}`)
  return step
}

/** Funding of a lot at a step: what a perpetual is traded below its quoted price. */
function fundingOf(step: number, id: number): bigint {
  return id === PERPETUAL_ID ? perpetualQuoteAt(markets[step]!.time).funding / 100n : 0n
}

type Account = { readonly cash: bigint; readonly lots: ReadonlyMap<number, bigint> }

function after(account: Account, trade: DayTrade, sign: bigint): Account {
  const lots = new Map(account.lots)
  let cash = account.cash
  for (const leg of trade.legs) {
    const id = idOf.get(leg.instrument)
    if (id === undefined) throw new Error(`line ${trade.line}: no instrument ${leg.instrument}`)
    const quantity = (lots.get(id) ?? 0n) + sign * leg.quantity
    if (quantity === 0n) lots.delete(id)
    else lots.set(id, quantity)
    cash -= sign * leg.quantity * (leg.price - fundingOf(stepOf(trade.round), id))
  }
  return { cash, lots }
}

/** What the circuit sums: the add-on counts in the stress worlds; tokens do not in the last. */
function valueIn(world: number, account: Account, step: number): bigint {
  const isStress = world > 0 && world < WORLD_COUNT - 1
  let value = account.cash
  for (const [id, quantity] of account.lots) {
    const row = rowOf(step, id)
    const isUncounted = world === WORLD_COUNT - 1 && id < TOKEN_UPPER_BOUND
    const perLot = row.values[world === WORLD_COUNT - 1 ? 0 : world] as bigint
    if (!isUncounted) value += quantity * perLot
    if (isStress) value -= (quantity < 0n ? -quantity : quantity) * row.addOn
  }
  return value
}

function worst(account: Account, step: number): bigint {
  const values = Array.from({ length: WORLD_COUNT }, (_, world) => valueIn(world, account, step))
  return values.reduce((a, b) => (b < a ? b : a))
}

/** Each member's account after each round: element 0 is after round 1. */
function accountsByRound(): readonly ReadonlyMap<string, Account>[] {
  let accounts = new Map<string, Account>(
    MEMBERS.map((name) => [name, { cash: DEPOSIT, lots: new Map<number, bigint>() }]),
  )
  return ROUND_STEPS.map((_, i) => {
    accounts = new Map(accounts)
    for (const trade of trades.filter(({ round }) => round === i + 1)) {
      for (const [name, sign] of [
        [trade.buyer, 1n],
        [trade.seller, -1n],
      ] as const) {
        accounts.set(name, after(accounts.get(name) as Account, trade, sign))
      }
    }
    return accounts
  })
}

describe('the trades', () => {
  test('at least 66 in five rounds, in batches that fit 64 page slots with two withdrawals', () => {
    expect(trades.length).toBeGreaterThanOrEqual(66)
    const counts = ROUND_STEPS.map((_, i) => trades.filter((t) => t.round === i + 1).length)
    expect(counts.reduce((a, b) => a + b)).toBe(trades.length)
    expect(Math.min(...counts)).toBeGreaterThan(0)
    const [one, two, three, four, five] = counts as [number, number, number, number, number]
    for (const pages of [2 * (one + two), 2 * (three + four), 2 * five + 2])
      expect(pages).toBeLessThanOrEqual(64)
  })

  test('in order of rounds, each between two different members', () => {
    trades.forEach((trade, i) => {
      expect(trade.round).toBeGreaterThanOrEqual(trades[i - 1]?.round ?? 1)
      expect(MEMBERS).toContain(trade.buyer)
      expect(MEMBERS).toContain(trade.seller)
      expect(trade.buyer).not.toBe(trade.seller)
    })
  })

  test('single legs, spreads and packages of three; every derivative trades', () => {
    for (const legCount of [1, 2, 3]) {
      expect(trades.filter((t) => t.legs.length === legCount).length).toBeGreaterThanOrEqual(8)
    }
    const traded = new Set(trades.flatMap((trade) => trade.legs.map((leg) => leg.instrument)))
    const derivatives = INSTRUMENTS.filter((spec) => spec.id >= TOKEN_UPPER_BOUND)
    expect([...traded].sort()).toEqual(derivatives.map((spec) => spec.name).sort())
    for (const trade of trades) {
      expect(new Set(trade.legs.map((leg) => leg.instrument)).size).toBe(trade.legs.length)
      for (const leg of trade.legs) expect(leg.quantity).not.toBe(0n)
    }
  })

  test('none is in what has expired when its batch is made', () => {
    const expiring = INSTRUMENTS.filter((s) => 'expiry' in s && s.expiry <= EXPIRY_13MAR20)
    expect(expiring.map(({ name }) => name)).toEqual(['BTC-13MAR20', 'BTC-13MAR20-7000-P'])
    for (const trade of trades.filter(({ round }) => round === 5))
      for (const leg of trade.legs)
        expect(expiring.map(({ name }) => name)).not.toContain(leg.instrument)
  })

  test('within a cent and 2 % of the mark at the candle of their round', () => {
    for (const trade of trades) {
      for (const leg of trade.legs) {
        const id = idOf.get(leg.instrument) ?? 0
        const step = stepOf(trade.round)
        const mark = (rowOf(step, id).values[0] as bigint) + fundingOf(step, id)
        const gap = leg.price > mark ? leg.price - mark : mark - leg.price
        expect(50n * gap, `${trade.tradeId} ${leg.instrument}`).toBeLessThanOrEqual(
          mark + 50n * 10_000n,
        )
        expect(leg.price % 10_000n).toBe(0n)
      }
    }
  })
})

describe('the members', () => {
  const rounds = accountsByRound()

  test('each is solvent in all worlds after each round, and until the next one trades', () => {
    rounds.forEach((accounts, i) => {
      const until = ROUND_STEPS[i + 1] ?? EXPIRY_STEP
      for (let step = stepOf(i + 1); step <= until; step++) {
        for (const [name, account] of accounts) {
          expect(worst(account, step), `${name} round ${i + 1} step ${step}`).toBeGreaterThan(0n)
        }
      }
    })
  })

  test('no account holds more than its slots, cash excepted', () => {
    for (const accounts of rounds) {
      for (const account of accounts.values()) {
        expect(account.lots.size).toBeLessThanOrEqual(SLOT_COUNT - 1)
      }
    }
  })

  test('money and lots are conserved', () => {
    for (const accounts of rounds) {
      const all = [...accounts.values()]
      expect(all.reduce((sum, account) => sum + account.cash, 0n)).toBe(8n * DEPOSIT)
      for (const id of idOf.values()) {
        expect(all.reduce((sum, { lots }) => sum + (lots.get(id) ?? 0n), 0n)).toBe(0n)
      }
    }
  })
})

describe('the parser', () => {
  const header = 'trade_id,round,buyer,seller,legs,note,expect'
  const parse = (...rows: string[]) => parseDayTrades([header, ...rows].join('\n'))

  test('reads exact micro-dollars and signed lots', () => {
    const [trade] = parse('T1,2,ELM,LARCH,A-1:-5@0.000001;B:7@12.5;C:1@3,a note,settle', '')
    expect(trade?.line).toBe(2)
    expect(trade?.legs).toEqual([
      { instrument: 'A-1', quantity: -5n, price: 1n },
      { instrument: 'B', quantity: 7n, price: 12_500_000n },
      { instrument: 'C', quantity: 1n, price: 3_000_000n },
    ])
  })

  test.each([
    ['T1,0,A,B,X:1@1,,settle', /line 3: round/],
    ['T1,1,a,B,X:1@1,,settle', /line 3: buyer/],
    ['T1,1,A,,X:1@1,,settle', /line 3: seller/],
    ['T1,1,A,B,,,settle', /line 3: legs/],
    ['T1,1,A,B,X:1@1,', /line 3: 6 fields/],
    ['T1,1,A,B,X:1@1,a,b,settle', /line 3: 8 fields/],
    ['T1,1,A,B,X:1@1,,', /line 3: expect/],
    ['T1,1,A,B,X:1.5@1,,settle', /line 3: leg "X:1.5@1"/],
    ['T1,1,A,B,X:1@1.1234567,,settle', /line 3: leg/],
    ['T1,1,A,B,X:1@-1,,settle', /line 3: leg/],
    ['T1,1,A,B,X:1@1;X:1@1;X:1@1;X:1@1,,settle', /line 3: 4 legs/],
    ['T0,1,A,B,X:1@1,,settle', /line 3: trade_id T0 stands in line 2/],
  ])('refuses %s', (row, why) => {
    expect(() => parse('T0,1,A,B,X:1@1,fine,settle', row)).toThrow(why)
  })

  test('refuses another header', () => {
    expect(() => parseDayTrades('id,round\n')).toThrow(/line 1: the header/)
  })
})
