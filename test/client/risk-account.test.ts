/** Margin in words: the answer of cloister risk account, from data alone. */
import { describe, expect, it } from 'vitest'
import { rowLookup, settlementsOf, tableOf } from '../../circuits/table.ts'
import { exposuresOf, marginReport } from '../../client/cli/risk-account.ts'
import { rowsUnder } from '../../client/cli/table-on-l1.ts'
import { main } from '../../client/cli/main.ts'
import type { Rebuilt } from '../../client/l1/rebuild.ts'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { dayModelOf } from '../../oracle/day-model.ts'
import { rowsOf } from '../../oracle/liquidation.ts'
import { WORLDS } from '../../oracle/worlds.ts'

const table = tableOf(rowsOf(marketAt(2), INSTRUMENTS, WORLDS))
const rowOf = rowLookup(table, settlementsOf([]))
const model = dayModelOf(table.root)
if (model === null) throw new Error('the day must know its own tables')
// Ten short puts at 6000 and five futures, on 200 dollars.
const account = {
  cash: 200_000_000n,
  balances: [
    { id: 1025, quantity: 5n },
    { id: 1031, quantity: -10n },
  ],
}

describe('the model of a table', () => {
  it('is found by its root, and by no other', () => {
    expect(model.market).toEqual(marketAt(2))
    expect(dayModelOf(table.root + 1n)).toBeNull()
  })
})

describe('the report', () => {
  const { text, json, code } = marginReport('ANN', account, rowOf, model, [], 0n)

  it('says equity, requirements, excess, positions, Greeks and distance in words', () => {
    expect(code).toBeUndefined()
    for (const words of [
      'equity',
      'initial margin',
      'worst world: down 3/3, vol up',
      'maintenance margin',
      'excess',
      'cushion',
      'BTC-27MAR20-6000-P',
      'delta',
      'vega',
      'theta',
      'maintenance breaks if it falls',
      'no rise',
    ])
      expect(text).toContain(words)
  })

  it('is the same in JSON, in whole micro-dollars', () => {
    const { equity, initial, excess, positions } = json as Record<string, string> & {
      positions: { contribution: string }[]
    }
    expect(BigInt(equity as string) - BigInt(initial as string)).toBe(BigInt(excess as string))
    const parts = positions.reduce((sum, { contribution }) => sum + BigInt(contribution), 0n)
    expect(parts).toBe(BigInt(initial as string))
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
  })

  it('counts Greeks in units: five hundredths long, ten short puts longer still', () => {
    const [btc] = exposuresOf(account, model)
    expect(btc?.underlying).toBe('BTC')
    expect(btc?.greeks.delta).toBeGreaterThan(0.05)
    expect(btc?.greeks.delta).toBeLessThan(0.151)
    expect(btc?.greeks.gamma).toBeLessThan(0)
    expect(btc?.greeks.vega).toBeLessThan(0)
    expect(btc?.greeks.theta).toBeGreaterThan(0)
  })

  it('of cash alone asks for nothing', () => {
    const cash = marginReport('ANN', { cash: 7n, balances: [] }, rowOf, model, [], 0n)
    expect(cash.text).toContain('no world is worse than the mark')
    expect(cash.json['initial']).toBe('0')
  })

  it('says so where the market is not known', () => {
    const unknown = marginReport('ANN', account, rowOf, null, [], 0n)
    expect(unknown.text).toContain('not known here')
    expect(unknown.json['exposures']).toBeNull()
  })
})

describe('what if', () => {
  const price = rowOf(1031)?.values[0] as bigint

  it('a trade that fits: accepted, with the integers per world', () => {
    const buy = [{ instrument: 1031, quantity: 5n, price }]
    const { text, json, code } = marginReport('ANN', account, rowOf, model, buy, 100n)
    expect(code).toBeUndefined()
    expect(text).toContain('The trade would be accepted.')
    expect((json['whatIf'] as { difference: string[] }).difference).toHaveLength(16)
  })

  it('a trade that does not: the rule, and exit code 1', () => {
    const sell = [{ instrument: 1031, quantity: -1000n, price }]
    const { text, code } = marginReport('ANN', account, rowOf, model, sell, 100n)
    expect(code).toBe(1)
    expect(text).toContain('would be refused by AccountMustBeSolvent')
  })
})

describe('the rows', () => {
  const view = {
    number: '1',
    root: '0',
    rows: table.rows.map(({ id, addOn, values }) => ({
      id,
      status: 'live' as const,
      addOn: `${addOn}`,
      values: values.map(String),
    })),
  }
  const l1 = (root: bigint) =>
    ({ tables: [{ root }], settlements: new Map([[1025, 7n]]) }) as unknown as Rebuilt

  it('count under the root on L1 only; a settled value wins', () => {
    const rows = rowsUnder(l1(table.root), view)
    if (typeof rows === 'string') throw new Error(rows)
    expect(rows.rowOf(1031)?.values).toEqual(rowOf(1031)?.values)
    expect(rows.rowOf(1025)).toMatchObject({ status: 'settled', addOn: 0n })
    const [first, ...others] = view.rows
    const bent = { ...view, rows: [{ ...first!, addOn: '0' }, ...others] }
    expect(rowsUnder(l1(table.root), bent)).toContain('not the latest one on L1')
    expect(rowsUnder(l1(1n), view)).toContain('not the latest one on L1')
  })
})

describe('the command', () => {
  it.each([
    [['risk', 'account'], /missing required argument/],
    [['risk', 'account', 'NOBODY', '--trade', 'x'], /is no leg/],
    [['risk', 'account', 'NOBODY', '--dir', '/nowhere/at/all'], /cloister account new/],
  ])('%j could not be done', async (argv, why) => {
    let err = ''
    expect(
      await main(argv, {
        out: () => {},
        err: (t) => {
          err += t
        },
      }),
    ).toBe(2)
    expect(err).toMatch(why)
  })
})
