/** Margin in words: the answer of cloister risk account, from data alone. */
import { describe, expect, it } from 'vitest'
import { rowLookup, settlementsOf, tableOf } from '../../circuits/table.ts'
import { exposuresOf, marginReport } from '../../client/cli/risk-account.ts'
import { rowsUnder } from '../../client/cli/table-on-l1.ts'
import { main } from '../../client/cli/main.ts'
import { MODE, STATUS } from '../../circuits/params.ts'
import { standingOf, whyReduceOnly, type TableStanding } from '../../client/l1/table-standing.ts'
import type { Leg } from '../../oracle/margin.ts'
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

const LIFE = 172_800n
const FRESH: TableStanding = {
  number: 7n,
  time: 1000n,
  until: 1000n + LIFE,
  now: 1060n,
  isConfirmed: true,
  isLatest: true,
  isHalted: false,
}

describe('the model of a table', () => {
  it('is found by its root, and by no other', () => {
    expect(model.market).toEqual(marketAt(2))
    expect(dayModelOf(table.root + 1n)).toBeNull()
  })
})

describe('the report', () => {
  const { text, json, code } = marginReport('ANN', account, rowOf, model, [], 0n, FRESH)

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
    const cash = marginReport('ANN', { cash: 7n, balances: [] }, rowOf, model, [], 0n, FRESH)
    expect(cash.text).toContain('no world is worse than the mark')
    expect(cash.json['initial']).toBe('0')
  })

  it('says so where the market is not known', () => {
    const unknown = marginReport('ANN', account, rowOf, null, [], 0n, FRESH)
    expect(unknown.text).toContain('not known here')
    expect(unknown.json['exposures']).toBeNull()
  })
})

describe('what if', () => {
  const price = rowOf(1031)?.values[0] as bigint

  it('of an account that is called, liquidated or leaving: it may only reduce, as the house says', () => {
    const buy = [{ instrument: 1031, quantity: 1n, price }]
    const rich = { cash: 10n ** 12n, balances: [] }
    const asked = (status: number) =>
      marginReport(
        'ANN',
        { ...rich, meta: BigInt(status) + 8n * 77n },
        rowOf,
        model,
        buy,
        0n,
        FRESH,
      )
    expect(asked(STATUS.active).text).not.toContain('may be reduced')
    expect(JSON.stringify(asked(STATUS.active).json)).not.toContain('ReduceOnlyMustReduce')
    for (const status of [STATUS.called, STATUS.liquidating, STATUS.exiting]) {
      expect(asked(status).text).toContain('may be reduced: the account is called')
      expect(JSON.stringify(asked(status).json)).toContain('ReduceOnlyMustReduce')
    }
  })

  it('a trade that fits: accepted, with the integers per world', () => {
    const buy = [{ instrument: 1031, quantity: 5n, price }]
    const { text, json, code } = marginReport('ANN', account, rowOf, model, buy, 100n, FRESH)
    expect(code).toBeUndefined()
    expect(text).toContain('The trade would be accepted.')
    expect((json['whatIf'] as { difference: string[] }).difference).toHaveLength(16)
  })

  it('a trade that does not: the rule, and exit code 1', () => {
    const sell = [{ instrument: 1031, quantity: -1000n, price }]
    const { text, code } = marginReport('ANN', account, rowOf, model, sell, 100n, FRESH)
    expect(code).toBe(1)
    expect(text).toContain('would be refused by AccountMustBeSolvent. After it, without a fee:')
  })

  it('says of a world below zero that its change is shown, and of no other trade', () => {
    const ask = (quantity: bigint) => {
      const legs = [{ instrument: 1031, quantity, price }]
      return marginReport('ANN', account, rowOf, model, legs, 100n, FRESH)
    }
    const words = 'of a world that is worth less than zero after it, the change'
    const { text, json } = ask(-1000n)
    expect(text).toContain(words)
    const { difference, after } = json['whatIf'] as {
      readonly difference: readonly string[]
      readonly after: { readonly worth: readonly { readonly microDollars: string }[] }
    }
    const before = (json['worth'] as { readonly microDollars: string }[]).map((w) => w.microDollars)
    const changes = after.worth.map(({ microDollars }, s) =>
      BigInt(microDollars) < 0n
        ? BigInt(microDollars) - BigInt(before[s] ?? 0)
        : BigInt(microDollars),
    )
    expect(difference).toEqual(changes.map(String))
    expect(ask(5n).text).toContain('After it and its fee:')
    expect(ask(5n).text).not.toContain(words)
  })
})

describe('what if L1 takes no new risk', () => {
  const price = rowOf(1031)?.values[0] as bigint
  const more = [{ instrument: 1025, quantity: 1n, price: rowOf(1025)?.values[0] as bigint }]
  const less = [{ instrument: 1031, quantity: 5n, price }]
  const ask = (legs: readonly Leg[], change: Partial<TableStanding>) =>
    marginReport('ANN', account, rowOf, model, legs, 100n, { ...FRESH, ...change })

  it.each<[string, Partial<TableStanding>, RegExp]>([
    ['its table is too old', { now: 1001n + LIFE }, /table 7 is too old.*1970-01-03T00:16:40/],
    ['its table is not confirmed', { isConfirmed: false }, /not confirmed yet/],
    ['a later table waits', { isLatest: false }, /not the latest/],
    ['the house is halted', { isHalted: true }, /halted/],
  ])('as %s: said aloud, opening refused, closing not', (_what, change, words) => {
    const { text, json, code } = ask(more, change)
    expect(text).toMatch(words)
    expect(text).toContain('would be refused by ReduceOnlyMustReduce')
    expect([code, (json['table'] as { reduceOnly: string }).reduceOnly]).toEqual([
      1,
      expect.stringMatching(words),
    ])
    expect(ask(less, change).code).toBeUndefined()
    expect(ask(more, {}).code).toBeUndefined()
  })

  it('up to the last second of a table, and not one later', () => {
    expect(whyReduceOnly({ ...FRESH, now: FRESH.until })).toBeNull()
    expect(whyReduceOnly({ ...FRESH, now: FRESH.until + 1n })).toContain('too old')
  })

  it('is read from the record: the time of posting, what was confirmed, the mode', () => {
    const record = {
      tables: [
        { number: 1n, time: 50n },
        { number: 2n, time: 90n },
      ],
      confirmed: new Set([1n]),
      mode: 1n,
    } as unknown as Rebuilt
    expect(standingOf(record, 1n, 10n, 95n)).toEqual({
      number: 1n,
      time: 50n,
      until: 60n,
      now: 95n,
      isConfirmed: true,
      isLatest: false,
      isHalted: MODE.reduceOnly === 1,
    })
    expect(standingOf({ ...record, mode: BigInt(MODE.normal) }, 2n, 10n, 95n)).toMatchObject({
      isConfirmed: false,
      isLatest: true,
      isHalted: false,
    })
    expect(() => standingOf(record, 3n, 10n, 95n)).toThrow(/no table 3/)
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
  const l1 = (...roots: readonly bigint[]) =>
    ({
      tables: roots.map((root, i) => ({ number: BigInt(i + 1), root })),
      settlements: new Map([[1025, 7n]]),
    }) as unknown as Rebuilt

  it('count under the root on L1 only; a settled value wins', () => {
    const rows = rowsUnder(l1(table.root), view)
    if (typeof rows === 'string') throw new Error(rows)
    expect(rows.rowOf(1031)?.values).toEqual(rowOf(1031)?.values)
    expect(rows.rowOf(1025)).toMatchObject({ status: 'settled', addOn: 0n })
    const [first, ...others] = view.rows
    const bent = { ...view, rows: [{ ...first!, addOn: '0' }, ...others] }
    expect(rowsUnder(l1(table.root), bent)).toContain('not the latest one on L1')
    expect(rowsUnder(l1(1n), view)).toContain('not the latest one on L1')
    // By the one before a house values while the latest is not confirmed; by none that is older.
    expect(rowsUnder(l1(5n, table.root, 6n), view)).toMatchObject({ number: 2n })
    expect(rowsUnder(l1(table.root, 5n, 6n), view)).toContain('nor the one before')
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
