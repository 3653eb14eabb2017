/** Before a page in a perpetual is signed: each rule by the trade that breaks it alone. */
import { describe, expect, it } from 'vitest'
import { documentHash } from '../../circuits/document.ts'
import { microsOfLot, readFundingTables, type FundingTables } from '../../client/l1/oracle-tables.ts'
import { Interface } from '../../client/l1/ethers.ts'
import { checkFunding, fundingTermsIn } from '../../client/perpetual.ts'

const PERP = 1038
const OTHER = 1039
const table = (number: number, funding: bigint, isConfirmed = true) => ({
  number,
  isConfirmed,
  funding: new Map([[PERP, funding], [OTHER, 5n]]),
})
const TABLES: FundingTables = {
  perpetuals: new Set([PERP, OTHER]),
  tables: [table(1, 10n), table(2, 20n), table(3, -30n)],
}
const leg = (price: bigint, instrument = PERP) => ({ instrument, quantity: 4n, price })
const named = (price: bigint, funding: bigint, instrument = PERP) => ({
  instrument, price: `${price}`, funding: `${funding}`,
})
const text = (number: unknown, ...perpetuals: readonly unknown[]) =>
  JSON.stringify({ trade: 't', table: number, perpetuals })
const check = (document: string | null, price: bigint, tables = TABLES, more = [] as const) =>
  checkFunding([leg(price), ...more], document === null ? 1n : documentHash(document), document,
    tables)?.refused ?? null

describe('a trade in a perpetual is signed', () => {
  it('at the named price less the funding of the latest table, or of the one before', () => {
    expect(check(text(3, named(1000n, -30n)), 1030n)).toBeNull()
    expect(check(text(2, named(1000n, 20n)), 980n)).toBeNull()
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
    ['at a funding in words', text(3, { ...named(1n, 1n), funding: 'none' }), 1030n,
      'FundingMustBeNamed'],
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

  it('not at an indicative table, and again once it is confirmed', () => {
    const with3 = (isConfirmed: boolean) => ({
      ...TABLES, tables: [table(1, 10n), table(2, 20n), table(3, -30n, isConfirmed)],
    })
    const document = text(3, named(1000n, -30n))
    expect(check(document, 1030n, with3(false))).toBe('TableMustBeCurrent')
    expect(check(document, 1030n, with3(true))).toBeNull()
  })

  it('not under the hash of another document', () => {
    const document = text(3, named(1000n, -30n))
    const payload = documentHash(document)
    expect(checkFunding([leg(1030n)], payload, document, TABLES)).toBeNull()
    expect(checkFunding([leg(1030n)], payload + 1n, document, TABLES)?.refused)
      .toBe('DocumentMustMatchPayload')
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

describe('what L1 says', () => {
  const EVENTS = new Interface([
    'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
    'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
    'event InstrumentsSet(bytes32 indexed instrumentsHash, ' +
    '(uint32 id, uint64 expiry, bytes32 specification)[] added, ' +
      'bytes document)',
    'event Reported(uint256 indexed number, bytes32 digest, uint256 time, bool isConfirmed, ' +
      'uint256 tableRoot, bytes32 worldsHash, bytes32 instrumentsHash, ' +
      '(uint32 underlying, uint64 price)[] references, bytes market)',
    'event Confirmed(uint256 indexed number)',
  ])
  const [house, oracle, other] = ['11', '22', '33'].map((two) => `0x${two.repeat(20)}`) as
    [string, string, string]
  const word = `0x${'00'.repeat(32)}`
  const role = '0x68e79a7bf1e0bc45d0a330c573bc367f9cf464fd326078812f301165fbda4ef1'
  const bytes = (value: unknown) => `0x${Buffer.from(JSON.stringify(value)).toString('hex')}`
  const log = (name: string, ...args: readonly unknown[]) => EVENTS.encodeEventLog(name, args)
  const instruments = bytes({ instruments: [
    { id: '1024', kind: 'future', lot: '0.01' }, { id: '1038', kind: 'perpetual', lot: '0.01' },
  ] })
  const report = (number: number, funding: string) => log('Reported', number, word, 1, false, 1,
    word, word, [], bytes({ perpetuals: [{ id: 1038, basis: '0.001', funding }] }))
  const chain = (roles: readonly unknown[], said: readonly unknown[]) =>
    async (_method: string, [filter]: readonly unknown[]): Promise<unknown> =>
      (filter as { address: string }).address === house ? roles : said

  it('is read from who has the role now, table by table', async () => {
    const roles = [log('RoleGranted', role, other, house), log('RoleGranted', role, oracle, house),
      log('RoleRevoked', role, other, house)]
    const said = [log('InstrumentsSet', word, [], instruments), report(1, '0'),
      report(2, '-18.3162'), log('Confirmed', 1)]
    const read = await readFundingTables(chain(roles, said), house)
    expect([...read.perpetuals]).toEqual([1038])
    expect(read.tables.map((t) => [t.number, t.isConfirmed, t.funding.get(1038)]))
      .toEqual([[1, true, 0n], [2, false, -183_162n]])
  })

  it('is not believed where nobody, or more than one, has the role', async () => {
    const two = [oracle, other].map((account) => log('RoleGranted', role, account, house))
    await expect(readFundingTables(chain([], []), house)).rejects.toThrow(/one contract/)
    await expect(readFundingTables(chain(two, []), house)).rejects.toThrow(/one contract/)
  })

  it.each([
    ['7401', '0.01', 74_010_000n], ['-18.3162', '0.01', -183_162n], ['-0.0001', '0.01', -1n],
    ['0', '0.01', 0n], ['12', '1', 12_000_000n],
  ])('%s a unit at %s units a lot is %s', (dollars, lot, micros) => {
    expect(microsOfLot(dollars, lot)).toBe(micros)
  })
  it('is refused where a lot would be no whole number of micro-dollars, or is no decimal', () => {
    expect(() => microsOfLot('0.00001', '0.01')).toThrow(/whole/)
    expect(() => microsOfLot('1e3', '0.01')).toThrow(/decimal/)
  })
})

it('terms that are not in form are none', () => {
  for (const value of ['null', '1', '[]', '{}', '{"table":1}', '{"table":1.5,"perpetuals":[]}',
    '{"table":1,"perpetuals":[null]}', '{"table":1,"perpetuals":[{"instrument":"1"}]}'])
    expect(fundingTermsIn(value)).toBeNull()
})
