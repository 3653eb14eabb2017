/** Before a page in a perpetual is signed: each rule by the trade that breaks it alone. */
import { describe, expect, it } from 'vitest'
import { documentHash } from '../../circuits/document.ts'
import {
  microsOfLot,
  readFundingTables,
  type FundingTable,
  type FundingTables,
} from '../../client/l1/oracle-tables.ts'
import { Interface } from '../../client/l1/ethers.ts'
import { checkFunding, checkHalts, fundingTermsIn } from '../../client/perpetual.ts'
import type { Entry } from '../../circuits/page.ts'
import type { TicketView } from '../../client/api.ts'
import { documentOf, lessFunding, rewritten } from '../../client/cli/trade-document.ts'

const PERP = 1038
const OTHER = 1039
const table = (number: number, funding: bigint, isConfirmed = true) => ({
  number,
  isConfirmed,
  funding: new Map([
    [PERP, funding],
    [OTHER, 5n],
  ]),
})
const TABLES: FundingTables = {
  perpetuals: new Set([PERP, OTHER]),
  tables: [table(1, 10n), table(2, 20n), table(3, -30n)],
}
const leg = (price: bigint, instrument = PERP) => ({ instrument, quantity: 4n, price })
const named = (price: bigint, funding: bigint, instrument = PERP) => ({
  instrument,
  price: `${price}`,
  funding: `${funding}`,
})
const text = (number: unknown, ...perpetuals: readonly unknown[]) =>
  JSON.stringify({ trade: 't', table: number, perpetuals })
const check = (document: string | null, price: bigint, tables = TABLES, more = [] as const) =>
  checkFunding(
    [leg(price), ...more],
    document === null ? 1n : documentHash(document),
    document,
    tables,
  )?.refused ?? null

describe('a trade in a perpetual is signed', () => {
  it('at the named price less the funding of the latest table, or of the one before', () => {
    expect(check(text(3, named(1000n, -30n)), 1030n)).toBeNull()
    const same = { ...TABLES, tables: [...TABLES.tables, table(4, -30n)] }
    expect(check(text(3, named(1000n, -30n)), 1030n, same)).toBeNull()
    // Funding may pass the price: what is traded is then worth less than nothing.
    const deep = { ...TABLES, tables: [table(1, 1500n)] }
    expect(check(text(1, named(1000n, 1500n)), -500n, deep)).toBeNull()
  })

  it.each([
    ['without a document', null, 1030n, 'FundingMustBeNamed'],
    ['with a document of words', 'we trade', 1030n, 'FundingMustBeNamed'],
    ['with no table', text(undefined, named(1000n, -30n)), 1030n, 'FundingMustBeNamed'],
    ['with no leg named', text(3), 1030n, 'FundingMustBeNamed'],
    ['with another leg named', text(3, named(1000n, 5n, OTHER)), 1030n, 'FundingMustBeNamed'],
    ['named twice', text(3, named(1000n, -30n), named(1000n, -30n)), 1030n, 'FundingMustBeNamed'],
    [
      'at a funding in words',
      text(3, { ...named(1n, 1n), funding: 'none' }),
      1030n,
      'FundingMustBeNamed',
    ],
    ['at a table of long ago', text(1, named(1000n, 10n)), 990n, 'TableMustBeCurrent'],
    ['at a table to come', text(4, named(1000n, -30n)), 1030n, 'TableMustBeCurrent'],
    ['at a funding one above', text(3, named(1000n, -29n)), 1029n, 'FundingMustMatchTable'],
    ['at a funding one below', text(3, named(1000n, -31n)), 1031n, 'FundingMustMatchTable'],
    ["at another table's funding", text(3, named(1000n, 20n)), 980n, 'FundingMustMatchTable'],
    ['at a price one above', text(3, named(1000n, -30n)), 1031n, 'PriceMustBeLessFunding'],
    ['at a price one below', text(3, named(1000n, -30n)), 1029n, 'PriceMustBeLessFunding'],
    ['at the quoted price', text(3, named(1000n, -30n)), 1000n, 'PriceMustBeLessFunding'],
  ])('not %s', (_what, document, price, rule) => {
    expect(check(document, price)).toBe(rule)
  })

  it('not at the table before, once its funding has moved: who sells must not be paid it', () => {
    // 20 was paid by longs until table 2; -30 from table 3 on. Each side of the edge, by one.
    expect(check(text(2, named(1000n, 20n)), 980n)).toBe('TableMustBeCurrent')
    for (const moved of [-31n, -29n]) {
      const tables = { ...TABLES, tables: [...TABLES.tables, table(4, moved)] }
      expect(check(text(3, named(1000n, -30n)), 1030n, tables)).toBe('TableMustBeCurrent')
    }
    // Of an indicative table nothing is known yet.
    const open = { ...TABLES, tables: [...TABLES.tables, table(4, -29n, false)] }
    expect(check(text(3, named(1000n, -30n)), 1030n, open)).toBeNull()
    const gone = { ...TABLES, tables: [...TABLES.tables, { ...table(4, 0n), funding: new Map() }] }
    expect(check(text(3, named(1000n, -30n)), 1030n, gone)).toBe('TableMustBeCurrent')
  })

  it('not at an indicative table, and again once it is confirmed', () => {
    const with3 = (isConfirmed: boolean) => ({
      ...TABLES,
      tables: [table(1, 10n), table(2, 20n), table(3, -30n, isConfirmed)],
    })
    const document = text(3, named(1000n, -30n))
    expect(check(document, 1030n, with3(false))).toBe('TableMustBeCurrent')
    expect(check(document, 1030n, with3(true))).toBeNull()
  })

  it('not under the hash of another document', () => {
    const document = text(3, named(1000n, -30n))
    const payload = documentHash(document)
    expect(checkFunding([leg(1030n)], payload, document, TABLES)).toBeNull()
    expect(checkFunding([leg(1030n)], payload + 1n, document, TABLES)?.refused).toBe(
      'DocumentMustMatchPayload',
    )
  })

  it('with every leg named: the second of two is looked at, too', () => {
    const two = [leg(1030n), leg(995n, OTHER)]
    const document = (...terms: readonly unknown[]) => text(3, named(1000n, -30n), ...terms)
    const rule = (shown: string) =>
      checkFunding(two, documentHash(shown), shown, TABLES)?.refused ?? null
    expect(rule(document(named(1000n, 5n, OTHER)))).toBeNull()
    expect(rule(document())).toBe('FundingMustBeNamed')
    expect(rule(document(named(1000n, 6n, OTHER)))).toBe('FundingMustMatchTable')
  })

  it('while other instruments need no document, and padding is no leg', () => {
    expect(checkFunding([leg(5n, 1024)], 1n, null, TABLES)).toBeNull()
    expect(checkFunding([{ ...leg(5n), quantity: 0n }], 1n, null, TABLES)).toBeNull()
  })
})

describe('a halted instrument', () => {
  const halted = (number: number, ids: readonly number[], isConfirmed = true) => ({
    ...table(number, 0n, isConfirmed),
    halted: new Set(ids),
  })
  const rule = (tables: readonly FundingTable[], instrument = 1024, quantity = 1n) =>
    checkHalts([{ instrument, quantity, price: 1n }], { tables })?.refused ?? null

  it('of any kind is not traded, by the last confirmed table', () => {
    expect(rule([halted(1, []), halted(2, [1024])])).toBe('InstrumentMustNotBeHalted')
    expect(rule([halted(1, [1024]), halted(2, [])])).toBeNull()
    expect(rule([halted(1, [1024]), halted(2, [], false)])).toBe('InstrumentMustNotBeHalted')
    expect(rule([halted(1, []), halted(2, [1024], false)])).toBeNull()
    expect(rule([halted(2, [1024])], 1025)).toBeNull()
    expect(rule([halted(2, [0])], 0, 0n)).toBeNull()
    expect(rule([])).toBeNull()
  })
})

describe('the document of a trade', () => {
  const entries = (price: bigint, instrument = PERP) => [{ instrument, quantity: 4n, price }]
  const agreement = (prices: readonly Entry[]) => ({
    trade: 'mine',
    proposer: 20,
    counterparty: 21,
    entries: prices,
  })
  const ticketOf = (document: string, prices: readonly Entry[], role: TicketView['role']) =>
    ({
      id: 't1',
      clientId: 'mine',
      role,
      counterparty: role === 'proposer' ? 21 : 20,
      payload: `${documentHash(document)}`,
      entries: prices.map(({ instrument, quantity, price }) => ({
        instrument,
        price: `${price}`,
        quantity: `${role === 'proposer' ? quantity : -quantity}`,
      })),
    }) as unknown as TicketView

  it('is the same from both sides, at the newest table or the one before, and at no other', () => {
    for (const [tables, at] of [
      [TABLES, 3],
      [{ ...TABLES, tables: TABLES.tables.slice(0, 2) }, 2],
    ] as const) {
      const { entries: net, terms } = lessFunding(entries(1000n), tables)
      expect(terms?.table).toBe(at)
      const document = documentOf(agreement(net), terms)
      expect(checkFunding(net, documentHash(document), document, tables)).toBeNull()
      expect(rewritten(ticketOf(document, net, 'counterparty'), 21, TABLES)).toBe(document)
      expect(rewritten(ticketOf(document, net, 'proposer'), 20, TABLES)).toBe(document)
      expect(rewritten(ticketOf(document, net, 'counterparty'), 22, TABLES)).toBeNull()
      const later = { ...TABLES, tables: [...TABLES.tables, table(4, 1n), table(5, 2n)] }
      expect(rewritten(ticketOf(document, net, 'counterparty'), 21, later)).toBeNull()
    }
  })
  it('of other instruments names no table, and is known without one', () => {
    const { entries: same, terms } = lessFunding(entries(7n, 1024), TABLES)
    expect([same, terms]).toEqual([entries(7n, 1024), null])
    const document = documentOf(agreement(same), terms)
    expect(rewritten(ticketOf(document, same, 'counterparty'), 21, { ...TABLES, tables: [] })).toBe(
      document,
    )
  })
  it('stays at its table when it is asked for again', () => {
    const first = lessFunding(entries(1000n), { ...TABLES, tables: TABLES.tables.slice(0, 2) })
    const document = documentOf(agreement(first.entries), first.terms)
    expect(lessFunding(entries(1000n), TABLES, document)).toEqual(first)
  })
  it('is not written where no table is confirmed, or none has the funding', () => {
    const indicative = { ...TABLES, tables: [table(1, 1n, false)] }
    expect(() => lessFunding(entries(1n), indicative)).toThrow(/confirmed table/)
    const empty = { ...TABLES, tables: [{ ...table(1, 1n), funding: new Map() }] }
    expect(() => lessFunding(entries(1n), empty)).toThrow(/no funding of BTC-PERP/)
  })
})

describe('what L1 says', () => {
  const EVENTS = new Interface([
    'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
    'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
    'event InstrumentsSet(bytes32 indexed instrumentsHash)',
    'event InstrumentsProposed(bytes32 indexed instrumentsHash, ' +
      '(uint32 id, uint64 expiry, bytes32 specification)[] added, ' +
      'bytes document)',
    'event Reported(uint256 indexed number, bytes32 digest, uint256 time, bool isConfirmed, ' +
      'uint256 tableRoot, bytes32 worldsHash, bytes32 instrumentsHash, ' +
      '(uint32 underlying, uint64 price)[] references, bytes market)',
    'event Confirmed(uint256 indexed number)',
  ])
  const [house, oracle, other] = ['11', '22', '33'].map((two) => `0x${two.repeat(20)}`) as [
    string,
    string,
    string,
  ]
  const word = `0x${'00'.repeat(32)}`
  const role = '0x68e79a7bf1e0bc45d0a330c573bc367f9cf464fd326078812f301165fbda4ef1'
  const bytes = (value: unknown) => `0x${Buffer.from(JSON.stringify(value)).toString('hex')}`
  const log = (name: string, ...args: readonly unknown[]) => EVENTS.encodeEventLog(name, args)
  const instruments = bytes({
    instruments: [
      { id: '1024', kind: 'future', lot: '0.01' },
      { id: '1038', kind: 'perpetual', lot: '0.01' },
    ],
  })
  const report = (number: number, funding: string) =>
    log(
      'Reported',
      number,
      word,
      1,
      false,
      1,
      word,
      word,
      [],
      bytes({ perpetuals: [{ id: 1038, basis: '0.001', funding }] }),
    )
  const chain =
    (roles: readonly unknown[], said: readonly unknown[]) =>
    async (_method: string, [filter]: readonly unknown[]): Promise<unknown> =>
      (filter as { address: string }).address === house ? roles : said

  it('is read from who has the role now, table by table', async () => {
    const roles = [
      log('RoleGranted', role, other, house),
      log('RoleGranted', role, oracle, house),
      log('RoleRevoked', role, other, house),
    ]
    const said = [
      log('InstrumentsProposed', word, [], instruments),
      log('InstrumentsSet', word),
      report(1, '0'),
      report(2, '-18.3162'),
      log('Confirmed', 1),
    ]
    const read = await readFundingTables(chain(roles, said), house)
    expect([...read.perpetuals]).toEqual([1038])
    expect(read.tables.map((t) => [t.number, t.isConfirmed, t.funding.get(1038)])).toEqual([
      [1, true, 0n],
      [2, false, -183_162n],
    ])
    // A lister's document alone, of whatever lots, changes no funding that members sign.
    const lie = log(
      'InstrumentsProposed',
      `0x${'22'.repeat(32)}`,
      [],
      bytes({ instruments: [{ kind: 'perpetual', id: 1038, lot: '1' }] }),
    )
    const lied = await readFundingTables(
      chain(roles, [said[0]!, said[1]!, lie, ...said.slice(2)]),
      house,
    )
    expect(lied).toEqual(read)
  })

  it('of halts, of multipliers, and of a funding that no lot can pay', async () => {
    const roles = [log('RoleGranted', role, oracle, house)]
    const listed = bytes({
      instruments: [
        { id: '1038', kind: 'perpetual', lot: '0.01' },
        { id: '1039', kind: 'perpetual', lot: '0.5', multiplier: '0.02' },
        { id: '1040', kind: 'perpetual', lot: '0.001' },
      ],
    })
    const market = bytes({
      halted: [1024],
      perpetuals: [1038, 1039, 1040].map((id) => ({ id, basis: '0', funding: '12.0001' })),
    })
    const said = [
      log('InstrumentsProposed', word, [], listed),
      log('InstrumentsSet', word),
      log('Reported', 1, word, 1, true, 1, word, word, [], market),
    ]
    const { tables } = await readFundingTables(chain(roles, said), house)
    // A thousandth of 12.0001 dollars is no whole number of micro-dollars: there is none to trade at.
    expect([...tables[0]!.funding]).toEqual([
      [1038, 120_001n],
      [1039, 120_001n],
    ])
    expect([...tables[0]!.halted!]).toEqual([1024])
  })

  it('is not believed where nobody, or more than one, has the role', async () => {
    const two = [oracle, other].map((account) => log('RoleGranted', role, account, house))
    await expect(readFundingTables(chain([], []), house)).rejects.toThrow(/one contract/)
    await expect(readFundingTables(chain(two, []), house)).rejects.toThrow(/one contract/)
  })

  it.each([
    ['7401', '0.01', 74_010_000n],
    ['-18.3162', '0.01', -183_162n],
    ['-0.0001', '0.01', -1n],
    ['0', '0.01', 0n],
    ['12', '1', 12_000_000n],
  ])('%s a unit at %s units a lot is %s', (dollars, lot, micros) => {
    expect(microsOfLot(dollars, lot)).toBe(micros)
  })
  it('is refused where a lot would be no whole number of micro-dollars, or is no decimal', () => {
    expect(() => microsOfLot('0.00001', '0.01')).toThrow(/whole/)
    expect(() => microsOfLot('1e3', '0.01')).toThrow(/decimal/)
  })
})

it('terms that are not in form are none', () => {
  for (const value of [
    'null',
    '1',
    '[]',
    '{}',
    '{"table":1}',
    '{"table":1.5,"perpetuals":[]}',
    '{"table":1,"perpetuals":[null]}',
    '{"table":1,"perpetuals":[{"instrument":"1"}]}',
  ])
    expect(fundingTermsIn(value)).toBeNull()
})
