/** The setters of the oracle, their bounds, and who may call them. */
import { ethers } from 'ethers'
import { describe, expect, test } from 'vitest'
import { TABLE_ROW_COUNT } from '../../circuits/params.ts'
import { addressOfKey, decodeMarks, type TableReport } from '../../oracle/signer/report.ts'
import { mustRefuse, now, send, setTime } from './l1.ts'
import {
  BAND,
  confirmFirst,
  createOracleWorld,
  createReport,
  KEYS,
  marksOf,
  post,
  signReport,
  TIMING,
  wait,
} from './oracle-world.ts'
import { startOverEach } from './start-over.ts'

const world = await createOracleWorld()
const { oracle, admin, anyone } = world
const addresses = KEYS.map(addressOfKey)
const HOUR = 3600n
startOverEach()
const refuse = (error: string, name: string, ...args: unknown[]) =>
  mustRefuse(error, admin, oracle, name, ...args)

test("every setter is the admin's", async () => {
  const calls: [string, unknown[]][] = [
    ['setSigners', [addresses, 3n, 4n]],
    ['setTiming', [TIMING]],
    ['addUnderlying', ['SOL', BAND]],
    ['setBand', [1n, BAND]],
    ['retireUnderlying', [1n]],
    ['setWorlds', ['0x7b7d']],
    ['list', [[], '0x7b7d']],
  ]
  for (const [name, args] of calls) {
    await mustRefuse('AccessControlUnauthorizedAccount', anyone, oracle, name, ...args)
    await send(admin, oracle, name, ...args)
  }
})

describe('signers', () => {
  test('ascend, so each is there once', async () => {
    const [a, b, c] = addresses as [string, string, string]
    await refuse('SignersMustAscend', 'setSigners', [a, c, b], 2n, 3n)
    await refuse('SignersMustAscend', 'setSigners', [a, a, b], 2n, 3n)
    await refuse('SignersMustAscend', 'setSigners', [ethers.ZeroAddress, a, b], 2n, 3n)
  })
  test.each([
    [2n, 4n],
    [3n, 3n],
    [3n, 2n],
    [3n, 6n],
    [5n, 6n],
    [0n, 4n],
    [0n, 0n],
  ])('quorums %s and %s of five are refused', async (quorum, large) => {
    await refuse('QuorumMustBeMajority', 'setSigners', addresses, quorum, large)
  })
  test.each([
    [3n, 4n],
    [3n, 5n],
    [4n, 5n],
  ])('quorums %s and %s of five are taken', async (quorum, large) => {
    await send(admin, oracle, 'setSigners', addresses, quorum, large)
    expect([...(await oracle.getFunction('quorums')())]).toEqual([5n, quorum, large])
  })
  test('half of them are no quorum', async () => {
    await refuse('QuorumMustBeMajority', 'setSigners', addresses.slice(0, 4), 2n, 3n)
    await send(admin, oracle, 'setSigners', addresses.slice(0, 4), 3n, 4n)
  })
  test('none at all, and more than 63, are refused', async () => {
    await refuse('QuorumMustBeMajority', 'setSigners', [], 0n, 0n)
    const many = Array.from({ length: 64 }, (_, i) =>
      ethers.zeroPadValue(ethers.toBeHex(i + 1), 20),
    )
    await refuse('QuorumMustBeMajority', 'setSigners', many, 33n, 34n)
    await send(admin, oracle, 'setSigners', many.slice(0, 63), 32n, 33n)
  })
  test('a new set replaces the old', async () => {
    await send(admin, oracle, 'setSigners', addresses.slice(0, 3), 2n, 3n)
    const isSigner = (address: string) => oracle.getFunction('isSigner')(address)
    expect(await Promise.all(addresses.map(isSigner))).toEqual([true, true, true, false, false])
  })
})

test('times that would disarm a rule are refused', async () => {
  for (const key of ['maxAge', 'confirmWindow', 'settlementWindow', 'challengeDelay']) {
    await refuse('TimingMustBeInRange', 'setTiming', { ...TIMING, [key]: 0n })
  }
  // A report outlives no listing that stands between two under one document.
  await refuse('TimingMustBeInRange', 'setTiming', { ...TIMING, maxAge: HOUR + 1n })
  await send(admin, oracle, 'setTiming', { ...TIMING, maxAge: HOUR })
})

describe('underlyings', () => {
  test('have a band, and a jump band not below it', async () => {
    await refuse('BandMustBeInRange', 'addUnderlying', 'SOL', { ...BAND, band: 0n })
    await refuse('BandMustBeInRange', 'setBand', 1n, { ...BAND, jumpBand: BAND.band - 1n })
    await send(admin, oracle, 'setBand', 1n, { ...BAND, jumpBand: BAND.band })
  })
  test('are 255 at most: a bit of one word stands for each', async () => {
    for (let id = 3; id <= 255; id++) await send(admin, oracle, 'addUnderlying', 'X', BAND)
    await refuse('UnderlyingsMustFit', 'addUnderlying', 'X', BAND)
    await send(admin, oracle, 'retireUnderlying', 255n)
    await refuse('UnderlyingsMustFit', 'addUnderlying', 'X', BAND)
  })
  test('are numbered from 1; retired ones are gone', async () => {
    await send(admin, oracle, 'addUnderlying', 'SOL', BAND)
    expect(await oracle.getFunction('underlyingCount')()).toBe(3n)
    await send(admin, oracle, 'retireUnderlying', 2n)
    for (const id of [0n, 2n, 4n, 256n, 257n]) {
      await refuse('UnderlyingMustBeKnown', 'setBand', id, BAND)
      await refuse('UnderlyingMustBeKnown', 'retireUnderlying', id)
    }
  })
})

describe('listings', () => {
  const document = '0x7b7d'
  const specification = ethers.id('a specification')
  const of = (id: bigint, expiry = 0n) => ({ id, expiry, specification })
  const list = (id: bigint, expiry = 0n) => ['list', [of(id, expiry)], document] as const
  const asked = (name: string, ...args: unknown[]) => oracle.getFunction(name)(...args)
  const propose = (added: readonly object[], bytes = document) =>
    send(admin, oracle, 'list', added, bytes)
  /** A report with a row of each of these besides those that are listed from the start. */
  const reportWith = async (ids: readonly bigint[], bytes = document): Promise<TableReport> => {
    const report = await createReport(world)
    const rows = [
      ...decodeMarks(report.marks).map(({ id, status, mark }) => [id, status, mark] as const),
      ...ids.map((id) => [Number(id), 1, 0n] as const),
    ]
    return {
      ...report,
      instrumentsHash: ethers.keccak256(bytes),
      marks: marksOf(rows.sort(([a], [b]) => a - b)),
    }
  }
  const adopt = async (ids: readonly bigint[], bytes = document) => {
    await wait(1n)
    return post(world, await reportWith(ids, bytes))
  }

  test('have ids from 2 to 2^28 - 1, never used before', async () => {
    for (const id of [0n, 1n, 1n << 28n]) await refuse('ListingIdMustBeInRange', ...list(id))
    await refuse('ListingMustBeNew', ...list(1024n))
    // A token has no expiry, by which it would be known.
    await refuse('ListingMustBeNew', ...list(2n))
    // The house settles no token: such a report would wait for ever, and all others behind it.
    for (const id of [3n, 1023n]) await refuse('TokenMustNotExpire', ...list(id, 9n))
    await propose([of(3n), of((1n << 28n) - 1n, 9n)])
    await adopt([3n, (1n << 28n) - 1n])
    expect(await asked('listedCount')).toBe(17n)
    expect(await asked('isListed', (1n << 28n) - 1n)).toBe(true)
    expect(await asked('isListed', (1n << 28n) - 2n)).toBe(false)
  })
  test('are the next ones: what was passed over is never listed, but for tokens', async () => {
    const first = (await asked('nextInstrument')) as bigint
    const ascending = (...added: readonly object[]) =>
      refuse('ListingIdMustAscend', 'list', added, document)
    await ascending(of(first + 7n, 9n), of(first + 6n, 9n))
    await ascending(of(first, 9n), of(first, 9n))
    await ascending(of(3n), of(3n))
    await ascending(of(4n), of(3n))
    await ascending(of(first, 9n), of(3n))
    await propose([of(7n), of(first + 5n, 9n)])
    expect(await asked('nextInstrument')).toBe(first)
    await adopt([7n, first + 5n])
    expect(await asked('nextInstrument')).toBe(first + 6n)
    const next = (id: bigint) => refuse('ListingIdMustAscend', 'list', [of(id, 9n)], '0x7b207d')
    for (const id of [first, first + 4n]) await next(id)
    await refuse('ListingMustBeNew', 'list', [of(first + 5n, 9n)], '0x7b207d')
    await propose([of(5n), of(first + 6n)], '0x7b207d')
    await adopt([5n, 7n, first + 5n, first + 6n], '0x7b207d')
    expect(await asked('nextInstrument')).toBe(first + 7n)
  })
  test('bind a specification to the id, whatever documents come later', async () => {
    await refuse(
      'ListingMustHaveSpecification',
      'list',
      [{ ...of(5000n, 9n), specification: ethers.ZeroHash }],
      document,
    )
    await propose([of(5000n, 9n)])
    expect(await asked('specificationOf', 5000n)).toBe(ethers.ZeroHash)
    await adopt([5000n])
    expect([await asked('specificationOf', 5000n), await asked('expiryOf', 5000n)]).toEqual([
      specification,
      9n,
    ])
    await propose([], '0x7b7b7d7d')
    await adopt([5000n], '0x7b7b7d7d')
    expect(await asked('specificationOf', 5000n)).toBe(specification)
    await refuse('ListingMustBeNew', ...list(5000n, 9n))
    expect(await asked('specificationOf', 5001n)).toBe(ethers.ZeroHash)
  })
  test('publish the document whose hash counts once a quorum has signed over it', async () => {
    const before = await asked('instrumentsHash')
    await refuse('DocumentMustBeInRange', 'list', [], '0x')
    await refuse('DocumentMustBeInRange', 'setWorlds', `0x${'00'.repeat(65_536)}`)
    const { logs } = await propose([])
    const named = (found: typeof logs) => found.map((log) => oracle.interface.parseLog(log)?.name)
    expect(named(logs)).toEqual(['InstrumentsProposed'])
    expect([await asked('instrumentsHash'), await asked('proposedHash')]).toEqual([
      before,
      ethers.keccak256(document),
    ])
    expect(named((await adopt([])).logs)).toContain('InstrumentsSet')
    expect([await asked('instrumentsHash'), await asked('proposedHash')]).toEqual([
      ethers.keccak256(document),
      ethers.ZeroHash,
    ])
    // Reports over it need nobody's word any more: it must not bring in anything else.
    await refuse('DocumentMustBeNew', ...list(5000n))
  })
  test('hold up no table: reports over the document before are taken, whatever is proposed', async () => {
    await confirmFirst(world)
    for (const bytes of ['0x00', '0x01', '0x02']) {
      await propose(
        Array.from({ length: 64 }, (_, i) => of(6000n + BigInt(i))),
        bytes,
      )
      await wait(1n)
      await post(world, await createReport(world))
      await wait(HOUR)
    }
    expect(await asked('listedCount')).toBe(15n)
    // Of another document, of the new one without its rows, of the old one with them.
    await wait(1n)
    const report = await createReport(world)
    const refused = async (error: string, given: TableReport) =>
      mustRefuse(error, anyone, oracle, 'post', given, signReport(world, given))
    await refused('InstrumentsMustBeCurrent', {
      ...report,
      instrumentsHash: ethers.keccak256('0x01'),
    })
    await refused('InstrumentsMustBeCurrent', { ...report, instrumentsHash: ethers.ZeroHash })
    await refused('MarksMustBeComplete', { ...report, instrumentsHash: ethers.keccak256('0x02') })
    const { marks } = await reportWith([6000n])
    await refused('MarksMustBeListed', { ...report, marks })
    expect(await asked('proposedHash')).toBe(ethers.keccak256('0x02'))
  })
  test('nothing proposed is nothing: a report over no document lists nothing', async () => {
    const report = { ...(await createReport(world)), instrumentsHash: ethers.ZeroHash }
    await mustRefuse(
      'InstrumentsMustBeCurrent',
      anyone,
      oracle,
      'post',
      report,
      signReport(world, report),
    )
  })
  test('change under no document that a quorum may have signed over already', async () => {
    await propose([of(5000n, 9n)])
    await wait(HOUR)
    const report = await reportWith([5000n])
    // With the quorum's signatures under way, another expiry under the same document would be for good.
    await refuse('DocumentMustBeNew', ...list(5000n, 10n))
    await post(world, report)
    expect(await asked('expiryOf', 5000n)).toBe(9n)
  })
  test('of a document that another has taken the place of can be proposed again', async () => {
    await propose([of(5000n, 9n)])
    await wait(HOUR)
    await propose([], '0x00')
    await wait(HOUR)
    await propose([of(5000n, 10n)])
    await adopt([5000n])
    expect(await asked('expiryOf', 5000n)).toBe(10n)
  })
  test('cost the report that lists them a fifth of a block at most, in a table that is full then', async () => {
    const ids: bigint[] = []
    let gas = 0n
    for (const count of [49, 64, 64, 64]) {
      const fresh = Array.from({ length: count }, (_, i) => 8000n + BigInt(ids.length + i))
      ids.push(...fresh)
      const bytes = ethers.toBeHex(count + ids.length, 32)
      await propose(
        fresh.map((id) => of(id, (1n << 64n) - 1n)),
        bytes,
      )
      gas = (await adopt(ids, bytes)).gasUsed
    }
    expect(await asked('listedCount')).toBe(256n)
    await refuse('ListedMustFitTable', ...list(9000n))
    expect(gas).toBeLessThan(6_000_000n)
    expect(gas).toBeGreaterThan(3_000_000n)
  })
  test("need the quorum's signatures to be adopted", async () => {
    await propose([of(5000n)])
    await wait(1n)
    const report = await reportWith([5000n])
    await mustRefuse(
      'QuorumMustSign',
      anyone,
      oracle,
      'post',
      report,
      signReport(world, report, KEYS.slice(0, 2)),
    )
    expect(await asked('isListed', 5000n)).toBe(false)
  })
  test('stand for an hour before another takes their place, and then take it whole', async () => {
    await propose([of(5000n)])
    const at = await now()
    await wait(HOUR - 1n)
    const [until] = [...(await refuse('ListingMustWait', 'list', [], '0x00'))]
    expect(until).toBe(at + HOUR)
    await setTime(at + HOUR)
    await propose([of(5001n)], '0x00')
    await adopt([5001n], '0x00')
    expect([await asked('isListed', 5000n), await asked('isListed', 5001n)]).toEqual([false, true])
    // What was adopted holds nobody up.
    await propose([of(5002n)], '0x01')
  })
  test('are at most 64 at a time, and as many as a table has rows', async () => {
    expect(TABLE_ROW_COUNT).toBe(256)
    const ids: bigint[] = []
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => of(6000n + BigInt(ids.length + i)))
    expect([...(await refuse('ListingMustBeShort', 'list', many(65), document))]).toEqual([65n])
    for (const count of [64, 64, 64, 48]) {
      const [added, bytes] = [many(count), `0x${ids.length.toString(16).padStart(4, '0')}`]
      await propose(added, bytes)
      ids.push(...added.map(({ id }) => id))
      await adopt(ids, bytes)
    }
    expect(await asked('listedCount')).toBe(255n)
    expect([...(await refuse('ListedMustFitTable', 'list', many(2), document))]).toEqual([257n])
    await propose(many(1))
    await adopt([...ids, 6240n])
    expect(await asked('listedCount')).toBe(256n)
    await refuse('ListedMustFitTable', 'list', [of(7000n)], '0x00')
    await propose([], '0x00')
  })
})
