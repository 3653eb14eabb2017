/** Documents, decimals and reports: one form of each, and nothing read that is not exactly that. */
import { fc } from '../property.ts'
import { describe, expect, test } from 'vitest'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { recordedPerpetuals } from '../../oracle/day-replay.ts'
import { buildTable } from '../../oracle/table.ts'
import { STANDARD_SET, worldSet, WORLDS } from '../../oracle/worlds.ts'
import {
  canonicalJson,
  documentBytes,
  documentHash,
  InputError,
  readDocument,
} from '../../oracle/signer/canonical.ts'
import {
  canonicalDecimal,
  decimalOfMicro,
  isWithin,
  medianOf,
  microOf,
  priceOf,
} from '../../oracle/signer/decimal.ts'
import {
  computeTable,
  instrumentsBytes,
  marketBytes,
  readInstruments,
  readMarket,
  readWorlds,
  settlementValue,
  worldsBytes,
  type UnderlyingState,
} from '../../oracle/signer/engine.ts'
import {
  decodeMarks,
  encodeMarks,
  reportOf,
  stringify,
  tableReportFrom,
} from '../../oracle/signer/report.ts'
import { DATED, marketDocument } from '../contracts/oracle-market.ts'

const hex = (text: string): string => `0x${Buffer.from(text).toString('hex')}`

describe('canonical JSON', () => {
  test('sorts keys, has no spaces, and no number but whole ones', () => {
    expect(canonicalJson({ b: [1, 'x', null, true], a: { d: -5, c: 'ü' } })).toBe(
      '{"a":{"c":"ü","d":-5},"b":[1,"x",null,true]}',
    )
    for (const bad of [0.5, NaN, Infinity, 2 ** 53, -0]) {
      expect(() => canonicalJson({ a: bad })).toThrow(InputError)
    }
  })
  test('is read back only in its one form', () => {
    expect(readDocument(hex('{"a":1,"b":"2"}'))).toEqual({ a: 1, b: '2' })
    for (const other of [
      '{"b":"2","a":1}',
      '{"a":1, "b":"2"}',
      '{"a":1,"a":1,"b":"2"}',
      '{"a":1e0,"b":"2"}',
      '{"a":1.0,"b":"2"}',
      '{"a":1,"b":"2"}\n',
      '',
      'x',
      '{"a":0.5}',
      '{"a":9007199254740993}',
    ]) {
      expect(() => readDocument(hex(other)), other).toThrow(InputError)
    }
    expect(() => readDocument('0xff')).toThrow(InputError)
    expect(() => readDocument(`0x${'20'.repeat(65_537)}`)).toThrow(/bytes/)
  })
})

describe('prices', () => {
  test.each([
    ['1', 1_000_000n],
    ['7662.73', 7_662_730_000n],
    ['0.000001', 1n],
    ['0.0000005', 1n],
    ['0.0000015', 2n],
    ['9223372036854.775807', (1n << 63n) - 1n],
    ['007.50', 7_500_000n],
  ])('"%s" is %s micros', (text, micro) => expect(priceOf(text, 'p')).toBe(micro))
  test.each([
    '',
    '0',
    '0.0',
    '0.0000004',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1e3',
    '1E3',
    '0x10',
    'NaN',
    'Infinity',
    '1,000',
    '.5',
    '5.',
    '١',
    '9223372036854.775808',
    '99999999999999',
    `1.${'0'.repeat(19)}`,
    null,
    undefined,
    1,
    {},
    ['1'],
  ])('%j is none', (given) => expect(() => priceOf(given, 'p')).toThrow(InputError))
  test('millions of digits are refused before they become a number', () => {
    expect(() => priceOf('9'.repeat(4_000_000), 'p')).toThrow(InputError)
  })
  test('the one form of a decimal', () => {
    for (const good of ['0', '1', '-1', '0.05', '-0.05', '12.5', '1000000']) {
      expect(canonicalDecimal(good, 'd')).toBe(good)
    }
    for (const bad of ['-0', '0.0', '1.0', '01', '1.50', '.5', '5.', '1e3', '+1', '', 5]) {
      expect(() => canonicalDecimal(bad, 'd'), String(bad)).toThrow(InputError)
    }
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: (1n << 63n) - 1n }),
        (micro) => microOf(canonicalDecimal(decimalOfMicro(micro), 'd'), 'd') === micro,
      ),
    )
    expect(() => microOf('0.0000001', 'd')).toThrow(InputError)
  })
  test('median and band', () => {
    expect(medianOf([5n])).toBe(5n)
    expect(medianOf([9n, 1n, 5n])).toBe(5n)
    expect(medianOf([1n, 4n])).toBe(2n)
    expect(() => medianOf([])).toThrow('there must be at least one value')
    expect([isWithin(105n, 100n, 500n), isWithin(106n, 100n, 500n)]).toEqual([true, false])
    expect([isWithin(95n, 100n, 500n), isWithin(94n, 100n, 500n)]).toEqual([true, false])
    expect(isWithin(0n, 0n, 10_000n)).toBe(false)
  })
})

describe('documents of the engine', () => {
  test('read back to the very numbers', () => {
    expect(readWorlds(worldsBytes(STANDARD_SET))).toEqual(WORLDS)
    expect(readInstruments(instrumentsBytes(INSTRUMENTS))).toEqual(INSTRUMENTS)
    const market = marketDocument(1_584_000_000)
    expect(readMarket(marketBytes(market))).toEqual(market)
  })
  test("the table of the documents is the engine's, to the last integer", () => {
    const { rate, vol, scanRange, liquidity, time, spot } = marketAt(2)
    const underlyings = (['BTC', 'ETH'] as const).map((name, i) => ({
      id: i + 1,
      name,
      spot: String(spot[name]),
      vol: String(vol[name]),
      scanRange: String(scanRange[name]),
      liquidity: String(liquidity[name]),
      volGrid: [],
      carry: [],
      discount: [],
    }))
    const market = readMarket(
      marketBytes({
        version: 2,
        time,
        rate: String(rate),
        underlyings,
        halted: [],
        perpetuals: recordedPerpetuals(time).map((one) => ({ ...one, accrual: null })),
      }),
    )
    const table = computeTable(
      market,
      readInstruments(instrumentsBytes(INSTRUMENTS)),
      readWorlds(worldsBytes(STANDARD_SET)),
    )
    const rows = buildTable(marketAt(2), INSTRUMENTS, WORLDS)
    expect(table.rows.map(({ values, addOn }) => [values, addOn])).toEqual(
      rows.map(({ values, addOn }) => [values, addOn]),
    )
  })
  test('a world set has one hash: of its file, of its document, and on L1', () => {
    for (const name of ['standard-16', 'standard-32'] as const) {
      const set = worldSet(name)
      expect(documentHash(worldsBytes(set))).toBe(set.hash)
      expect(readWorlds(worldsBytes(set))).toEqual(set.worlds)
    }
    expect(documentHash(worldsBytes(worldSet('standard-32')))).not.toBe(STANDARD_SET.hash)
  })
  test('a world set is read in its one form, and by the rules of a set', () => {
    const { document } = STANDARD_SET
    const change = (from: string, to: string) => {
      expect(document).toContain(from)
      return document.replace(from, to)
    }
    expect(() => readWorlds(hex(change('"move":3', '"move":3.0')))).toThrow(/canonical/)
    expect(() => readWorlds(hex(`${document} `))).toThrow(/canonical/)
    expect(() => readWorlds(hex('{'))).toThrow(/canonical/)
    expect(() => readWorlds('0xff')).toThrow(InputError)
    expect(() => readWorlds(hex(change('"move":3', '"move":300')))).toThrow(/out of/)
    expect(() => readWorlds(hex(change('"kind":"variation"', '"kind":"else"')))).toThrow(RangeError)
  })
  test('a market with a price missing, zero, doubled, unsorted or unknown is none', () => {
    const market = marketDocument(1_584_000_000)
    const [btc, eth] = market.underlyings as [never, never]
    const of = (underlyings: unknown[]) => documentBytes({ ...market, underlyings } as never)
    const table = (underlyings: unknown[]) => () =>
      computeTable(readMarket(of(underlyings)), DATED, WORLDS)
    expect(table([btc, eth])).not.toThrow()
    expect(table([btc])).toThrow(/ETH/)
    expect(table([])).toThrow(RangeError)
    expect(table([eth, btc])).toThrow(/ascend/)
    expect(table([btc, btc, eth])).toThrow(/ascend/)
    expect(table([btc, { ...(btc as object), id: 2 }])).toThrow(/once/)
    for (const spot of ['0', '-1', '1.0', '0.0000001', 'NaN', '1e3']) {
      expect(table([{ ...(btc as object), spot }, eth]), spot).toThrow(InputError)
    }
    expect(table([{ ...(btc as object), more: 1 }, eth])).toThrow(/must have/)
    expect(table([{ ...(btc as object), vol: '-1' }, eth])).toThrow(/vol/)
  })
  test('grids and funding are read in their one form', () => {
    const market = marketDocument(1_584_000_000)
    const [btc, eth] = market.underlyings as [UnderlyingState, UnderlyingState]
    const smile = [
      { strike: '5000', vol: '0.9' },
      { strike: '8000', vol: '0.7' },
    ]
    const full = {
      ...market,
      underlyings: [{ ...btc, volGrid: [{ expiry: 1_585_000_000, smile }] }, eth],
      perpetuals: [{ id: 1100, basis: '-0.001', funding: '12.5', accrual: null }],
    }
    expect(readMarket(marketBytes(full))).toEqual(full)
    const bad: object[] = [
      { perpetuals: [{ id: 1100, basis: 0.5, funding: '1', accrual: null }] },
      { perpetuals: [{ id: 1100, basis: '0.50', funding: '1', accrual: null }] },
      { perpetuals: [2, 2].map((id) => ({ id, basis: '0', funding: '1', accrual: null })) },
      { perpetuals: [{ id: 2, basis: '0', funding: '1', accrual: { base: 1 } }] },
      { perpetuals: [{ id: 2, basis: '0', funding: '1', accrual: { base: 1, premium: '1e3' } }] },
      {
        perpetuals: [
          { id: 2, basis: '0', funding: '1', accrual: { base: 1, premium: '0.0000000001' } },
        ],
      },
      { halted: [0] },
      { halted: [3, 3] },
      { halted: ['3'] },
      { version: 1 },
      { perpetuals: [{ id: 2, basis: '0' }] },
      { perpetuals: null },
      {
        underlyings: [
          { ...btc, volGrid: [{ expiry: 5, smile: [{ strike: '1', vol: '1e3' }] }] },
          eth,
        ],
      },
      { underlyings: [{ ...btc, volGrid: [{ expiry: -5, smile }] }, eth] },
    ]
    for (const change of bad) {
      const bytes = () => documentBytes({ ...market, ...change } as never)
      expect(() => readMarket(bytes()), JSON.stringify(change)).toThrow(InputError)
    }
  })
  test('settlement values are what a lot pays at the average', () => {
    const spec = (id: number) => INSTRUMENTS.find((one) => one.id === id)!
    const at = Date.UTC(2020, 2, 13, 8) / 1000
    expect(settlementValue(spec(1024), 5_385_870_000n, at)).toBe(53_858_700n)
    expect(settlementValue(spec(1029), 5_385_870_000n, at)).toBe(16_141_300n)
    expect(settlementValue(spec(1029), 7_000_000_001n, at)).toBe(0n)
    expect(() => settlementValue(spec(1024), 5_385_870_000n, at - 1)).toThrow(/expired/)
    expect(() => settlementValue(spec(2), 5_385_870_000n, at)).toThrow(/expired/)
  })
})

describe('reports', () => {
  const market = marketDocument(1_584_000_000)
  const table = computeTable(market, DATED, WORLDS)
  const [worlds, instruments] = [worldsBytes(STANDARD_SET), instrumentsBytes(DATED)]
  const report = reportOf(table, { number: 7n, time: 5n, worlds, instruments, market })

  test('travel as JSON and come back', () => {
    expect(tableReportFrom(JSON.parse(stringify(report)))).toEqual(report)
    const wire = JSON.parse(stringify(report)) as Record<string, unknown>
    for (const [key, value] of [
      ['number', 7],
      ['number', '0x7'],
      ['time', '1'.repeat(79)],
      ['market', '0xF'],
      ['worldsHash', '0x00'],
      ['references', 5],
      ['marks', '00'],
      ['references', [{ underlying: '1', price: '5' }]],
    ] as const) {
      expect(() => tableReportFrom({ ...wire, [key]: value }), key).toThrow(InputError)
    }
    const { number: _, ...less } = wire
    expect(() => tableReportFrom(less)).toThrow(InputError)
    expect(() => tableReportFrom({ ...wire, more: 1 })).toThrow(InputError)
  })
  test('marks of both signs pack into 13 bytes', () => {
    const rows = table.rows.map((row, i) => ({
      ...row,
      values: [(i % 2 === 0 ? -1n : 1n) * ((1n << 48n) - 1n), ...row.values.slice(1)],
    }))
    const marks = decodeMarks(encodeMarks(rows))
    expect(marks.map(({ mark }) => mark)).toEqual(rows.map(({ values }) => values[0]))
    expect(() => decodeMarks('0x00')).toThrow(/13 bytes/)
  })
})
