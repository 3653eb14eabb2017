/** What is known of a settlement price: the value of its rows, the document, and what one signer says of it. */
import { describe, expect, test } from 'vitest'
import { greeksPerLot } from '../../oracle/greeks.ts'
import { valuePerLot, type ExposedSpec, type OptionSpec } from '../../oracle/instruments.ts'
import type { Market } from '../../oracle/market.ts'
import { buildTable } from '../../oracle/table.ts'
import {
  computeTable,
  marketBytes,
  readMarket,
  settlementValue,
  STANDARD_WORLDS,
  type InstrumentSpec,
  type MarketDocument,
} from '../../oracle/signer/engine.ts'
import {
  settlingKey,
  withSettling,
  type SettlingState,
} from '../../oracle/signer/market-document.ts'
import {
  keptIn,
  knownSettling,
  medianSettling,
  requireSettling,
} from '../../oracle/signer/settling.ts'
import { goesBare, NoQuorum } from '../../oracle/collector/gather.ts'
import { SampleLog } from '../../oracle/signer/window.ts'
import { agreed } from '../../oracle/signer/agreement.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import { marketDocument } from '../contracts/oracle-market.ts'
import { fc } from '../property.ts'

const EXPIRY = 1_600_000_000
const WINDOW = 1800
const settlement = { source: 'an index', windowSeconds: WINDOW }
const common = { underlying: 'BTC', lot: '0.01', expiry: EXPIRY, settlement }
const call: OptionSpec = { ...common, kind: 'call', id: 2001, name: 'C', strike: 6_000_000_000n }
const put: OptionSpec = { ...common, kind: 'put', id: 2002, name: 'P', strike: 6_000_000_000n }
const future = { ...common, kind: 'future', id: 2003, name: 'F' } as const
const digital: ExposedSpec = {
  ...common,
  ...{ kind: 'digital', id: 2004, name: 'D', side: 'call', strike: 6_000_000_000n },
}
const ALL: readonly ExposedSpec[] = [call, put, future, digital]
const state = (change: Partial<SettlingState> = {}): SettlingState => ({
  ...{ underlying: 1, expiry: EXPIRY, windowSeconds: WINDOW, source: 'an index' },
  ...{ price: '6400', ...change },
})
const documentAt = (time: number, settling: readonly SettlingState[] = [], btc = 5_000_000_000n) =>
  withSettling(marketDocument(time, btc), settling)
const rowsOf = (market: MarketDocument, specs: readonly InstrumentSpec[] = ALL) =>
  computeTable(market, specs, STANDARD_WORLDS).rows

describe('a whole window', () => {
  const rows = rowsOf(documentAt(EXPIRY + 100_000, [state()]))

  test('makes a row what will be paid, in all worlds, whatever the price of now', () => {
    for (const [i, spec] of ALL.entries()) {
      const paid = settlementValue(spec, 6_400_000_000n, EXPIRY)
      expect(rows[i]!.values.every((value) => value === paid)).toBe(true)
      // Two micros are the rounding's: nothing else is uncertain.
      expect(rows[i]!.addOn).toBe(2n)
      expect(rows[i]!.status).toBe('expired')
    }
    expect(rows.map(({ values }) => values[0])).toEqual([4_000_000n, 0n, 64_000_000n, 10_000n])
    expect(rowsOf(documentAt(EXPIRY + 9e6, [state()], 1n))).toEqual(rows)
  })

  test('is none of another expiry, window, source or underlying, nor of what names no terms', () => {
    const bare = rowsOf(documentAt(EXPIRY + 100_000))
    const { settlement: _settlement, ...unnamed } = call
    const others: readonly Partial<SettlingState>[] = [
      { expiry: EXPIRY + 1 },
      { windowSeconds: WINDOW + 1 },
      { source: 'another' },
      { underlying: 2 },
    ]
    for (const other of others)
      expect(rowsOf(documentAt(EXPIRY + 100_000, [state(other)]))).toEqual(bare)
    expect(rowsOf(documentAt(EXPIRY + 100_000, [state()]), [unnamed])).toEqual(
      rowsOf(documentAt(EXPIRY + 100_000), [unnamed]),
    )
  })

  test('pays to the micro what the settlement pays, for any price, long and short', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (micros) => {
        const price = documentAt(EXPIRY, [state({ price: decimal(BigInt(micros)) })])
        for (const [i, row] of rowsOf(price).entries()) {
          const paid = settlementValue(ALL[i]!, BigInt(micros), EXPIRY)
          expect(row.values[0]).toBe(paid)
          for (const value of row.values.slice(1)) {
            expect(value - row.addOn).toBeLessThanOrEqual(paid)
            expect(-value - row.addOn).toBeLessThanOrEqual(-paid)
          }
        }
      }),
    )
  })

  test('is no hedge of what still moves: a future that has expired offsets no future that has not', () => {
    const later = { ...future, id: 2005, name: 'L', expiry: EXPIRY + 1e6 }
    const need = (settling: readonly SettlingState[]) => {
      const [a, b] = rowsOf(documentAt(EXPIRY, settling), [future, later])
      const worth = a!.values.map((value, i) => value - b!.values[i]!)
      return Number(worth[0]! - worth.reduce((low, one) => (one < low ? one : low))) / 1e6
    }
    // 50 dollars a lot; at the price of now the pair would ask for nothing but the carry.
    expect(need([])).toBeLessThan(1)
    expect(need([state()])).toBeGreaterThan(15)
  })
})

const decimal = (micros: bigint): string =>
  `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, '0')}`.replace(/\.?0+$/, '')

describe('a window that runs', () => {
  const market = (share: number, price = 6400, spot = 5000): Market<string> => ({
    time: EXPIRY - Math.round((1 - share) * WINDOW),
    rate: 0,
    spot: { BTC: spot },
    vol: { BTC: 0.8 },
    scanRange: { BTC: 0.3 },
    liquidity: { BTC: 0 },
    ...(share === 0
      ? {}
      : { settling: [{ ...state(), underlying: 'BTC', price, share } as never] }),
  })
  const futureRow = (share: number) =>
    buildTable(market(share), [future], WORLDS)[0]!.values.map((micro) => Number(micro) / 1e4)

  test('counts what has passed as it was, and lets what is to come move', () => {
    expect(futureRow(0)[0]).toBe(5000)
    expect(futureRow(0.25)[0]).toBe(0.25 * 6400 + 0.75 * 5000)
    expect(futureRow(0.75)[0]).toBe(0.75 * 6400 + 0.25 * 5000)
    for (const share of [0, 0.25, 0.75, 1]) {
      const values = futureRow(share)
      const moves = values.map((value) => value - values[0]!)
      const least = Math.min(...moves)
      expect(least).toBeCloseTo(-(1 - share) * 0.3 * 5000, 3)
      expect(Math.max(...moves)).toBeCloseTo((1 - share) * 0.3 * 5000, 3)
    }
  })

  test('has no jump where it begins, and none where it ends', () => {
    for (const spec of [call, put, digital]) {
      const at = (share: number, change: object = {}) =>
        valuePerLot(spec, { ...market(share, 5990, 5990), ...change })
      expect(at(1e-9, { time: EXPIRY - WINDOW })).toBeCloseTo(at(0, { time: EXPIRY - WINDOW }), 6)
      expect(at(1 - 1e-9, { time: EXPIRY - 1 })).toBeCloseTo(at(1), 6)
    }
  })

  test('never understates: whatever the rest of the window does within the scan range is covered', () => {
    const anyBook = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 3, maxLength: 3 })
    const anyShare = fc.double({ min: 0.01, max: 1, noNaN: true })
    const anyMove = fc.double({ min: -1, max: 1, noNaN: true })
    const anyPrice = fc.integer({ min: 4500, max: 6900 })
    const single = fc.constantFrom(call, put, future)
    fc.assert(
      fc.property(
        single,
        anyBook,
        anyShare,
        anyMove,
        anyPrice,
        (spec, [lots], share, move, past) => {
          const [row] = buildTable(market(share, past, 6000), [spec], WORLDS)
          const average = share * past + (1 - share) * 6000 * (1 + 0.3 * move)
          const paid = Number(settlementValue(spec, BigInt(Math.round(average * 1e6)), EXPIRY))
          const worst = row!.values.reduce(
            (low, value, s) =>
              Math.min(
                low,
                lots! * Number(value) - (s === 0 ? 0 : Math.abs(lots!) * Number(row!.addOn)),
              ),
            Infinity,
          )
          expect(lots! * paid).toBeGreaterThanOrEqual(worst - Math.abs(lots!))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('takes the Greeks with it: delta is of what is to come, and of a whole window there is none', () => {
    expect(greeksPerLot(future, market(0.25)).delta).toBeCloseTo(0.0075, 9)
    expect(greeksPerLot(call, market(0.5, 9000, 9000)).delta).toBeCloseTo(0.005, 6)
    expect(greeksPerLot(call, market(1))).toEqual({ delta: 0, gamma: 0, vega: 0, theta: 0 })
  })

  test('that has no price, or more than all of it passed, crashes', () => {
    const broken = (change: object) => () =>
      buildTable(
        { ...market(0.5), settling: [{ ...market(0.5).settling![0]!, ...change }] },
        [call],
        WORLDS,
      )
    for (const price of [0, -1, NaN, Infinity]) expect(broken({ price })).toThrow(/average/)
    for (const share of [0, -0.1, 1.01, NaN]) expect(broken({ share })).toThrow(/window share/)
  })
})

describe('the document', () => {
  const time = EXPIRY - 10
  const read = (settling: readonly SettlingState[], at = time) =>
    readMarket(marketBytes({ ...marketDocument(at), version: 3, settling } as MarketDocument))

  test('has version 3 where a window has begun, and is the one of before elsewhere', () => {
    const some = withSettling(marketDocument(time), [state()])
    expect(readMarket(marketBytes(some))).toEqual(some)
    expect(some.version).toBe(3)
    expect(withSettling(some, [])).toEqual(marketDocument(time))
    expect(() => read([])).toThrow('must have a window')
    const marked = { ...marketDocument(time), settling: [] } as MarketDocument
    expect(() => readMarket(marketBytes(marked))).toThrow('market must have')
    // Averages are no policy: whoever has none agrees on all the rest.
    expect(agreed(some)).toBe(agreed(marketDocument(time)))
  })

  test.each<[string, readonly SettlingState[], number?]>([
    ['must have begun', [state()], EXPIRY - WINDOW],
    ['must have begun', [state({ windowSeconds: 0 })], EXPIRY + 1],
    ['each once', [state(), state({ price: '6401' })]],
    ['must ascend', [state({ underlying: 2 }), state()]],
    ['underlying 3', [state({ underlying: 3 })]],
    ['price', [state({ price: '0' })]],
    ['price', [state({ price: '6400.0' })]],
    ['price', [state({ price: '-1' })]],
  ])('refuses what has another form: %s', (problem, settling, at = time) => {
    expect(() => read(settling, at)).toThrow(problem)
  })

  test('the first second of a window has an average, the second before has none', () => {
    expect(read([state()], EXPIRY - WINDOW + 1)).toMatchObject({ version: 3 })
  })
})

describe('a signer', () => {
  const underlyings = [
    { id: 1, name: 'BTC', index: 'an index', sources: [] },
    { id: 2, name: 'ETH', index: null, sources: [] },
  ]
  const samples = (from: number, to: number, price = 6_400_000_000n) =>
    Array.from({ length: (to - from) / 60 + 1 }, (_, i) => ({
      ...{ name: 'BTC', price, time: from + 60 * i },
    }))
  const known = (
    time: number,
    log = samples(EXPIRY - WINDOW, EXPIRY),
    change: { windowSeconds?: number; pins?: ReadonlyMap<string, string> } = {},
    specs: readonly InstrumentSpec[] = ALL,
  ) =>
    knownSettling(
      specs,
      time,
      { windowSeconds: WINDOW, pins: new Map(), ...change },
      { log: new SampleLog(1e6, log), underlyings, maxGap: 120, tolerance: 50 },
    ).map(({ price, isPinned }) => [price, isPinned])

  test('knows the average so far, of what it has seen without a hole, from the first second on', () => {
    expect(known(EXPIRY - WINDOW)).toEqual([])
    expect(known(EXPIRY - WINDOW + 1)).toEqual([['6400', false]])
    expect(known(EXPIRY + 1e6)).toEqual([['6400', false]])
    const half = samples(EXPIRY - WINDOW / 2, EXPIRY)
    expect(known(EXPIRY, half)).toEqual([])
    const rising = [
      ...samples(EXPIRY - WINDOW, EXPIRY - 960),
      ...samples(EXPIRY - 900, EXPIRY, 6_500_000_000n),
    ]
    expect(known(EXPIRY - 900, rising)).toEqual([['6400', false]])
    expect(known(EXPIRY - 450, rising)).toEqual([['6433.333333', false]])
    expect(known(EXPIRY, rising)).toEqual([['6450', false]])
  })

  test('says nothing of another window than the contract has, nor of a source that is not its own', () => {
    expect(known(EXPIRY, undefined, { windowSeconds: WINDOW + 1 })).toEqual([])
    const other = { ...call, settlement: { ...settlement, source: 'another' } }
    expect(known(EXPIRY, undefined, {}, [other])).toEqual([])
    expect(known(EXPIRY, undefined, {}, [{ ...call, underlying: 'ETH' }])).toEqual([])
    expect(known(EXPIRY, undefined, {}, [{ ...call, underlying: 'DOGE' }])).toEqual([])
  })

  test('repeats what L1 has of a whole window, and remembers by it; unless its eyes say otherwise', () => {
    const pin = (price: string) => ({ pins: new Map([[settlingKey(state()), price]]) })
    expect(known(EXPIRY, undefined, pin('6401'))).toEqual([['6401', true]])
    expect(known(EXPIRY, [], pin('6401'))).toEqual([['6401', true]])
    // Three times fifty basis points of 6400 are 96 dollars.
    expect(known(EXPIRY, undefined, pin('6496'))).toEqual([['6496', true]])
    expect(known(EXPIRY, undefined, pin('6496.000001'))).toEqual([['6400', false]])
    // While it runs, what was said a minute ago is not what is so now.
    expect(known(EXPIRY - 1, undefined, pin('6401'))).toEqual([['6400', false]])
    expect(known(EXPIRY - 1, [], pin('6401'))).toEqual([])
  })

  test('signs what is near, knows what it signs, and never drops what L1 has', () => {
    const market = (...settling: SettlingState[]) => documentAt(EXPIRY, settling)
    const own = (isPinned: boolean) => [{ ...state(), isPinned }]
    const check = (given: MarketDocument, mine: ReturnType<typeof own>) => () =>
      requireSettling(given, mine, 50)
    expect(check(market(state({ price: '6432' })), own(false))).not.toThrow()
    expect(check(market(state({ price: '6432.000001' })), own(false))).toThrow('ProposalMustBeNear')
    expect(check(market(), own(false))).not.toThrow()
    expect(check(market(state()), [])).toThrow('AverageMustBeKnown')
    expect(check(market(state()), own(true))).not.toThrow()
    expect(check(market(state({ price: '6400.000001' })), own(true))).toThrow('AverageMustBeKept')
    expect(check(market(), own(true))).toThrow('AverageMustBeKept')
  })

  test('counts once: the median is of what a quorum knows, and one that lies is outvoted', () => {
    const said = (...prices: string[]) => prices.map((price) => [state({ price })])
    expect(medianSettling(said('1', '6400', '6402', '6401', '9999999'), 3)).toEqual([
      state({ price: '6401' }),
    ])
    expect(medianSettling(said('6400', '6401'), 3)).toEqual([])
    expect(medianSettling([...said('6400', '6401'), [state({ source: 'x' })]], 3)).toEqual([])
  })

  test('is proposed what L1 has, unless a quorum says otherwise', () => {
    const said = (...prices: string[]) => prices.map((price) => [state({ price })])
    const kept = [state({ price: '6400' })]
    // Two that lie and one that has not read L1: the median is that one's.
    expect(medianSettling(said('6400', '6400', '6401', '9999', '9999'), 4, kept)).toEqual(kept)
    expect(medianSettling(said('6400', '6400', '6400', '9999', '9999'), 3, kept)).toEqual(kept)
    expect(medianSettling(said('6400', '6400', '6500', '6501', '6502'), 3, kept)).toEqual([
      state({ price: '6500' }),
    ])
    expect(medianSettling(said('6400', '6400'), 3, kept)).toEqual([])
    const pins = new Map([[settlingKey(state()), '6400']])
    expect(keptIn([state()], EXPIRY, pins)).toEqual(kept)
    expect(keptIn([state()], EXPIRY - 1, pins)).toEqual([])
  })
})

describe('a collector whose averages find no quorum', () => {
  const peer = { url: '', address: '0x0000000000' }
  const failed = (...problems: string[]) =>
    new NoQuorum(
      'x',
      problems.map((problem) => ({ peer, problem })),
    )

  test.each([
    ['AverageMustBeKnown: 1 in the window of 2'],
    ['ProposalMustBeNear: average 1 of 2, not 3'],
    ['AverageMustBeKept: 1 of 2, as L1 has it'],
  ])('goes on without them: %s', (problem) => {
    expect(goesBare(failed('no answer in time', problem), false)).toBe(true)
  })

  test('never twice in a row, whatever one of them says, and for nothing else', () => {
    expect(goesBare(failed('AverageMustBeKnown: 1'), true)).toBe(false)
    expect(goesBare(failed('ProposalMustBeNear: 1 of underlying 1, not 2'), false)).toBe(false)
    expect(goesBare(new Error('AverageMustBeKnown: 1'), false)).toBe(false)
  })
})
