/** Numbers of others: every published book, SPAN's arrays, Deribit's vector; and files that are none. */

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { entriesFrom, pmrmBook, scenariosOf } from '../../oracle/published/books.ts'
import { marginsOf } from '../../oracle/published/our-worlds.ts'
import { bookMark, scenarioProfit, skewScenarios } from '../../oracle/published/pmrm.ts'
import { inverseMargin, inverseProfits, scanRisk } from '../../oracle/published/span.ts'
import { worldSet } from '../../oracle/worlds.ts'

const FOLDER = new URL('../../../shared/vectors/margin/', import.meta.url)
const isThere = existsSync(FOLDER)
if (!isThere)
  console.log('published margin vectors are absent: ../shared/vectors/margin is skipped')
const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8')

type Result = readonly [move: string | number, direction: number, profit: string]
type Expected = {
  readonly reg: readonly Result[]
  readonly tail: readonly Result[]
  readonly skew: readonly (readonly [string, string])[]
  readonly MTM: number
}

/** 1e-4 of the figure or a cent, whichever is more, was asked for; far less is reached. */
function expectProfit(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(
    Math.max(1e-10 * Math.abs(expected), 1e-8),
  )
}

describe.skipIf(!isThere)('published books', () => {
  const entries = isThere ? entriesFrom(read('portfolio-scenarios.json')) : []
  const all = isThere ? scenariosOf(read('portfolio-scenarios.json')) : []

  test('all are computed, none lacks an input', () => {
    expect(entries.length).toBeGreaterThanOrEqual(6)
    expect(all.map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
    expect(all.filter(({ scenarios }) => scenarios === null)).toEqual([])
  })

  test.each(entries.map((entry) => [entry.id, entry] as const))(
    '%s: every scenario',
    (id, entry) => {
      const expected = entry.fields['expected'] as Expected
      const scenarios = all.find((book) => book.id === id)?.scenarios as readonly number[]
      const results = [...expected.reg, ...expected.tail]
      expect(scenarios).toHaveLength(results.length)
      results.forEach(([, , profit], i) => expectProfit(scenarios[i] as number, Number(profit)))
    },
  )

  test.each(entries.map((entry) => [entry.id, entry] as const))(
    '%s: mark and skews',
    (_id, entry) => {
      const expected = entry.fields['expected'] as Expected
      const book = pmrmBook(entry)
      expectProfit(bookMark(book), expected.MTM)
      const skews = skewScenarios(book).map((s) => [s.direction, scenarioProfit(book, s)] as const)
      expect(skews.map(([direction]) => direction)).toEqual(expected.skew.map(([name]) => name))
      expected.skew.forEach(([, profit], i) =>
        expectProfit(skews[i]?.[1] as number, Number(profit)),
      )
    },
  )

  test('without a published result the order is that of the file', () => {
    const bare = (JSON.parse(read('portfolio-scenarios.json')) as { expected?: unknown }[]).map(
      ({ expected: _, ...book }) => book,
    )
    expect(scenariosOf(JSON.stringify(bare))).toEqual(all)
  })

  test('under our worlds: the mark is theirs, and our worst loss is of the order of theirs', () => {
    for (const name of ['standard-16', 'standard-32'] as const) {
      const margins = marginsOf(read('portfolio-scenarios.json'), worldSet(name), 0.18)
      margins.forEach((margin, i) => {
        if (margin.worlds === null) throw new Error(margin.reason)
        const expected = entries[i]?.fields['expected'] as Expected
        expectProfit(margin.mark, expected.MTM)
        expect(margin.worlds).toHaveLength(name === 'standard-16' ? 16 : 32)
        expect(margin.initial).toBeCloseTo(margin.mark - margin.worst.value, 8)
        expect(margin.maintenance).toBeCloseTo(0.8 * margin.initial, 8)
        const theirs = -Math.min(...[...expected.reg, ...expected.tail].map(([, , p]) => Number(p)))
        expect(margin.initial / theirs).toBeGreaterThan(0.7)
        expect(margin.initial / theirs).toBeLessThan(2.5)
      })
    }
  })

  test('SPAN, exactly', () => {
    const books = JSON.parse(read('span-sp500.json')) as {
      id: string
      expected: { scan_risk: number }
    }[]
    const computed = scenariosOf(read('span-sp500.json'))
    expect(computed.length).toBeGreaterThan(0)
    books.forEach(({ id, expected }, i) => {
      expect(computed[i]?.id).toBe(id)
      expect(scanRisk(computed[i]?.scenarios ?? [])).toBe(expected.scan_risk)
    })
  })

  test('Deribit, to 1e-9', () => {
    const [book] = JSON.parse(read('deribit-erm.json')) as {
      inputs: Record<string, number> & { pos: Record<string, number> }
      expected: Record<string, number>
    }[]
    if (book === undefined) throw new Error('no book')
    const { inputs, expected } = book
    const margin = inverseMargin({
      range: inputs['price_range'] as number,
      buckets: inputs['buckets'] as number,
      quantities: Object.values(inputs.pos),
      rollShock: inputs['roll_shock'] as number,
      marketMakerMargin: inputs['mmp_margin'] as number,
      openOrdersMargin: inputs['open_orders_margin'] as number,
      maintenanceFactor: inputs['mm_factor'] as number,
    })
    expect(Math.abs(margin.worst / (expected['worst_case'] as number) - 1)).toBeLessThan(1e-9)
    // The response rounds its sums: they hold to 1e-9 of a bitcoin, not of themselves.
    const gap = (actual: number, name: string): number =>
      Math.abs(actual - (expected[name] as number))
    expect(gap(margin.matrix, 'risk_matrix_margin')).toBeLessThan(1e-9)
    expect(gap(margin.initial, 'initial_margin')).toBeLessThan(1e-9)
    expect(gap(margin.maintenance, 'maintenance_margin')).toBeLessThan(1e-9)
    expect(scenariosOf(read('deribit-erm.json'))[0]?.scenarios).toHaveLength(9)
  })
})

test('an inverse future loses more of itself in a fall than it gains in a rise', () => {
  const [down, flat, up] = inverseProfits({ range: 0.5, buckets: 1, quantities: [1] })
  expect([down, flat, up]).toEqual([-1, 0, expect.closeTo(1 / 3, 15)])
})

/** One short put, in the published format. */
function bookWith(inputs: object = {}, parameters: object = {}): string {
  return JSON.stringify([
    {
      id: 'b1',
      inputs: {
        spot: 100,
        perps: 0,
        perp_price: 0,
        options: [[-1, 'P', 90, 864_000, 0.5, 0.99]],
        forwards: { '864000': [100.5, 0.1] },
        parameters: {
          Scenarios: [
            { SpotShock: 0.8, VolShockDirection: 'Up', DampeningFactor: 1 },
            { SpotShock: 1, VolShockDirection: 'Down', DampeningFactor: 0.5 },
            { SpotShock: 1, VolShockDirection: 'LINEAR', DampeningFactor: 1 },
          ],
          VolShock: {
            VOLRANGEUP: 0.5,
            MIN_VOL_EVAL_SHOCKED: 0.45,
            VOLRANGEDOWN: 0.275,
            SHORTTERMPOWER: 0.3,
            LONGTERMPOWER: 0.13,
            DTE_FLOOR: 1,
          },
          Margin: {
            SHORT_RATE_MULTSCALE: 0.5,
            LONG_RATE_MULTSCALE: 1,
            SHORT_RATE_ADDSCALE: 0.08,
            LONG_RATE_ADDSCALE: 0.08,
            BASE_STATIC_DISCOUNT: 0.95,
            BASE_STATIC_DISCOUNT_NEG: 1.04,
          },
          ...parameters,
        },
        ...inputs,
      },
    },
  ])
}

describe('files', () => {
  test('a perpetual alone: quantity times move, dampened, and no skews in the answer', () => {
    const text = bookWith({ options: [], forwards: {}, perps: -2, perp_price: 101 })
    expect(scenariosOf(text)).toEqual([{ id: 'b1', scenarios: [expect.closeTo(40.4, 10), 0] }])
    const [margin] = marginsOf(text, worldSet('standard-16'), 0.3)
    if (margin === undefined || margin.worlds === null) throw new Error('no margin')
    expect(margin.mark).toBe(0)
    expect(margin.worst).toEqual({ name: 'up 3/3, vol up', value: expect.closeTo(-60.6, 10) })
  })

  test('the lowest evaluated volatility counts in a rise', () => {
    const calm = bookWith({ options: [[-1, 'P', 90, 864_000, 0.1, 0.99]] })
    const floor = bookWith(
      { options: [[-1, 'P', 90, 864_000, 0.1, 0.99]] },
      {
        VolShock: {
          VOLRANGEUP: 0.5,
          MIN_VOL_EVAL_SHOCKED: 0,
          VOLRANGEDOWN: 0.275,
          SHORTTERMPOWER: 0.3,
          LONGTERMPOWER: 0.13,
          DTE_FLOOR: 1,
        },
      },
    )
    const first = (text: string): number => scenariosOf(text)[0]?.scenarios?.[0] as number
    expect(first(calm)).toBeLessThan(first(floor))
  })

  test.each([
    ['a forward that is missing', bookWith({ forwards: {} }), /forward of expiry 864000/],
    ['no parameters', bookWith({ parameters: null }), /inputs.parameters is not published/],
    ['no shock sizes', bookWith({}, { VolShock: undefined }), /VolShock is not published/],
    ['no volatility', bookWith({ options: [[1, 'C', 90, 864_000, null, 1]] }), /volatility/],
    ['collateral of another token', bookWith({ collaterals: [['wstETH', 3]] }), /collaterals/],
  ])('%s: the book is listed with the reason, the others go on', (_name, text, why) => {
    const two = [
      ...(JSON.parse(text) as object[]),
      { ...(JSON.parse(bookWith()) as object[])[0], id: 'b2' },
    ]
    const [lacking, whole] = scenariosOf(JSON.stringify(two))
    expect(lacking).toEqual({ id: 'b1', scenarios: null, reason: expect.stringMatching(why) })
    expect(whole?.scenarios).toHaveLength(2)
  })

  test.each([
    ['no JSON', '{"id":', /must be JSON/],
    ['no list', '{}', /must be a list/],
    ['no object', '[1]', /book 0 must be an object/],
    ['no id', '[{}]', /must have an id/],
    ['an id twice', JSON.stringify([...JSON.parse(bookWith()), ...JSON.parse(bookWith())]), /own/],
    ['a negative spot', bookWith({ spot: -1 }), /book b1: inputs.spot must be positive/],
    ['an infinite spot', bookWith().replace('"spot":100', '"spot":1e999'), /finite/],
    ['a spot in words', bookWith({ spot: 'high' }), /inputs.spot must be a finite number/],
    [
      'a negative volatility',
      bookWith({ options: [[1, 'C', 90, 864_000, -0.1, 1]] }),
      /volatility/,
    ],
    ['a strike of 0', bookWith({ options: [[1, 'C', 0, 864_000, 0.1, 1]] }), /strike/],
    ['another side', bookWith({ options: [[1, 'X', 90, 864_000, 0.1, 1]] }), /C or P/],
    ['time before expiry', bookWith({ options: [[1, 'C', 90, -5, 0.1, 1]] }), /seconds/],
    [
      'two discount factors',
      bookWith({
        options: [
          [1, 'C', 90, 864_000, 0.1, 1],
          [1, 'C', 95, 864_000, 0.1, 0.9],
        ],
      }),
      /one discount factor/,
    ],
    [
      'another direction',
      bookWith(
        {},
        {
          Scenarios: [{ SpotShock: 1, VolShockDirection: 'Sideways', DampeningFactor: 1 }],
        },
      ),
      /VolShockDirection/,
    ],
    [
      'a spot shock of 0',
      bookWith(
        {},
        {
          Scenarios: [{ SpotShock: 0, VolShockDirection: 'Up', DampeningFactor: 1 }],
        },
      ),
      /SpotShock/,
    ],
  ])('%s is malformed', (_name, text, why) => {
    expect(() => scenariosOf(text)).toThrow(why)
  })

  test('an expired option counts what it pays, and no volatility is enough', () => {
    const expired = bookWith({
      options: [
        [1, 'P', 90, 0, 0.5, 1],
        [1, 'C', 90, 864_000, 0, 0.99],
      ],
      forwards: { '0': [100, 0.1], '864000': [100.5, 0.1] },
    })
    for (const book of scenariosOf(expired))
      for (const profit of book.scenarios ?? []) expect(Number.isFinite(profit)).toBe(true)
    const [margin] = marginsOf(expired, worldSet('standard-32'), 0.18)
    expect(margin?.worlds?.every(({ value }) => Number.isFinite(value))).toBe(true)
  })
})
