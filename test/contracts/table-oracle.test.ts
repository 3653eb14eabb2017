/** Tables that a quorum brings: what is taken, what is indicative, what is refused and by which rule. */
import { ethers } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { signDigest, tableDigest, type TableReport } from '../../oracle/signer/report.ts'
import { decodeHouseMarks, decodeMarks } from '../../oracle/signer/report.ts'
import { mustRefuse, now, provider, send } from './l1.ts'
import {
  BAND,
  BTC,
  confirmFirst,
  countedTables,
  createOracleWorld,
  createReport,
  ETH,
  KEYS,
  marksOf,
  post,
  signConfirmation,
  signReport,
  STRANGER,
  TIMING,
  wait,
  type OracleWorld,
} from './oracle-world.ts'

let world: OracleWorld
let start: string
const fresh = await createOracleWorld()
const first = await confirmFirst(fresh)
await wait(10n)

beforeEach(async () => {
  if (start !== undefined) await provider.send('evm_revert', [start])
  start = (await provider.send('evm_snapshot', [])) as string
  world = fresh
})

const refuse = (error: string, report: TableReport, signatures: readonly string[]) =>
  mustRefuse(error, world.anyone, world.oracle, 'post', report, signatures)
/** Well signed, so that nothing but the named rule can be what is broken. */
const refuseSigned = (error: string, report: TableReport) =>
  refuse(error, report, signReport(world, report))
const latest = async () => {
  const [number, time, isConfirmed] = await world.oracle.getFunction('latest')()
  return { number, time, isConfirmed }
}
const priceOf = async (id: number) => {
  const [, confirmed, candidate] = await world.oracle.getFunction('underlying')(id)
  return { confirmed, candidate }
}

const tablePostedIn = (receipt: ethers.TransactionReceipt) =>
  receipt.logs
    .map((log) => world.cloister.interface.parseLog(log))
    .find((event) => event?.name === 'TablePosted')!

describe('a table', () => {
  test('the contract hashes what the signers hash', async () => {
    const report = await createReport(world)
    expect(await world.oracle.getFunction('digestOf')(report)).toBe(
      tableDigest(world.domain, report),
    )
  })

  test('within the band is confirmed by three of five, and the house has its root', async () => {
    const report = await createReport(world, { btc: BTC + BTC / 50n })
    const receipt = await post(world, report)
    expect(await latest()).toEqual({ number: 2n, time: report.time, isConfirmed: true })
    expect(await countedTables(world)).toEqual([first.tableRoot, report.tableRoot])
    expect(await priceOf(1)).toEqual({ confirmed: BTC + BTC / 50n, candidate: 0n })
    const event = world.oracle.interface.parseLog(
      receipt.logs.find((log) => log.address === world.domain.contract)!,
    )!
    expect(event.name).toBe('Reported')
    expect(event.args['market']).toBe(report.market)
    expect(event.args['isConfirmed']).toBe(true)
    const inHouse = tablePostedIn(receipt)
    // In the form that the house documents, row by row what was signed.
    expect(decodeHouseMarks(inHouse.args['marks'])).toEqual(decodeMarks(report.marks))
    expect(decodeMarks(report.marks)).toHaveLength(15)
  })

  test('marks below zero stay below zero in the house', async () => {
    const report = await createReport(world)
    const marks = decodeMarks(report.marks).map(
      ({ id, status, mark }, i) => [id, status, i % 2 === 0 ? -mark - 1n : mark] as const,
    )
    const receipt = await post(world, { ...report, marks: marksOf(marks) })
    const inHouse = tablePostedIn(receipt)
    expect(
      decodeHouseMarks(inHouse.args['marks']).map(({ id, status, mark }) => [id, status, mark]),
    ).toEqual(marks)
  })

  test('by any three, and by all five', async () => {
    await post(world, await createReport(world), [KEYS[0]!, KEYS[2]!, KEYS[4]!])
    await wait(5n)
    await post(world, await createReport(world), KEYS)
    expect((await latest()).number).toBe(3n)
  })

  test('the first of all is indicative: nothing is near a price that was never confirmed', async () => {
    const other = await createOracleWorld()
    const report = await createReport(other)
    await post(other, report)
    expect(await countedTables(other)).toEqual([])
    expect((await other.oracle.getFunction('latest')())[2]).toBe(false)
    // Nor can a second saying it twice confirm the first.
    await wait(TIMING.agreementDelay)
    await post(other, await createReport(other))
    expect(await countedTables(other)).toEqual([])
  })
})

describe('signatures', () => {
  test('two of five are no quorum', async () => {
    const report = await createReport(world)
    await refuse('QuorumMustSign', report, signReport(world, report, KEYS.slice(0, 2)))
    await refuse('QuorumMustSign', report, [])
  })
  test('one signer does not count twice', async () => {
    const report = await createReport(world)
    const [a, b] = signReport(world, report) as [string, string]
    await refuse('SignersMustBeDistinct', report, [a, b, b])
    await refuse('SignersMustBeDistinct', report, [a, a, b])
  })
  test('in another order they are refused', async () => {
    const report = await createReport(world)
    const [a, b, c] = signReport(world, report) as [string, string, string]
    await refuse('SignersMustBeDistinct', report, [b, a, c])
    await refuse('SignersMustBeDistinct', report, [a, c, b])
  })
  test('of a stranger they are refused, also beside a quorum', async () => {
    const report = await createReport(world)
    const all = (keys: ethers.SigningKey[]) => signReport(world, report, keys)
    await refuse('SignerMustBeAuthorised', report, all([KEYS[0]!, KEYS[1]!, STRANGER]))
    await refuse('SignerMustBeAuthorised', report, all([...KEYS, STRANGER]))
  })
  test('the mirror with high s, 64 bytes, v of 0 and rubbish are no signatures', async () => {
    const report = await createReport(world)
    const [a, b, c] = signReport(world, report) as [string, string, string]
    const { r, s, v } = ethers.Signature.from(c)
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const mirror = ethers.concat([
      r,
      ethers.toBeHex(order - BigInt(s), 32),
      v === 27 ? '0x1c' : '0x1b',
    ])
    await refuse('SignatureMustBeValid', report, [a, b, mirror])
    await refuse('SignatureMustBeValid', report, [a, b, ethers.Signature.from(c).compactSerialized])
    await refuse('SignatureMustBeValid', report, [
      a,
      b,
      ethers.concat([r, s, v === 27 ? '0x00' : '0x01']),
    ])
    await refuse('SignatureMustBeValid', report, [a, b, '0x'])
    await refuse('SignatureMustBeValid', report, [a, b, `0x${'00'.repeat(65)}`])
  })
  test("for another chain, contract or number are somebody else's", async () => {
    const report = await createReport(world)
    const sign = (domain: typeof world.domain, other = report) =>
      KEYS.slice(0, 3).map((key) => signDigest(key, tableDigest(domain, other)))
    await refuse('SignerMustBeAuthorised', report, sign({ ...world.domain, chainId: 1n }))
    await refuse(
      'SignerMustBeAuthorised',
      report,
      sign({ ...world.domain, contract: ethers.getAddress(`0x${'11'.repeat(20)}`) }),
    )
    await refuse('SignerMustBeAuthorised', report, sign(world.domain, { ...report, number: 3n }))
  })
  test('cover every field: a change of any one voids them', async () => {
    const report = await createReport(world)
    const signatures = signReport(world, report)
    const references = report.references.map((one) => ({ ...one, price: one.price + 1n }))
    const changed: Partial<TableReport>[] = [
      { time: report.time - 1n },
      { tableRoot: report.tableRoot + 1n },
      { references },
      { marksRoot: report.marksRoot + 1n },
      { worldsRoot: report.worldsRoot + 1n },
      { market: `${report.market}20` },
      {
        marks: marksOf(
          decodeMarks(report.marks).map(({ id, mark }, i) => [id, i === 0 ? 2 : 1, mark]),
        ),
      },
    ]
    for (const change of changed) {
      await refuse('SignerMustBeAuthorised', { ...report, ...change }, signatures)
    }
  })
  test('a posted report cannot be posted again', async () => {
    const report = await createReport(world)
    await post(world, report)
    await refuseSigned('NumberMustBeNext', report)
    await refuseSigned('TimeMustAdvance', { ...report, number: 3n })
  })
  test('of signers who left count nothing', async () => {
    const keys = [KEYS[0]!, KEYS[1]!, STRANGER].sort((a, b) =>
      BigInt(ethers.computeAddress(a.publicKey)) < BigInt(ethers.computeAddress(b.publicKey))
        ? -1
        : 1,
    )
    await send(
      world.admin,
      world.oracle,
      'setSigners',
      keys.map((key) => ethers.computeAddress(key.publicKey)),
      2n,
      3n,
    )
    const report = await createReport(world)
    await refuse('SignerMustBeAuthorised', report, signReport(world, report, KEYS.slice(2, 4)))
    await post(world, report, KEYS.slice(0, 2))
  })
})

describe('time and number', () => {
  test('number is the next, neither less nor more', async () => {
    for (const number of [0n, 1n, 3n]) {
      await refuseSigned('NumberMustBeNext', await createReport(world, { number }))
    }
  })
  test('time is after the last, not ahead, and not too old', async () => {
    await refuseSigned('TimeMustAdvance', await createReport(world, { time: first.time }))
    await refuseSigned('TimeMustAdvance', await createReport(world, { time: first.time - 1n }))
    await wait(1000n)
    const block = await now()
    // eth_call runs in a block of its own, whose time is at most a second later.
    await refuseSigned('TimeMustNotBeAhead', await createReport(world, { time: block + 30n }))
    await refuseSigned(
      'TimeMustBeFresh',
      await createReport(world, { time: block - TIMING.maxAge - 1n }),
    )
    await post(world, await createReport(world, { time: block - TIMING.maxAge + 5n }))
  })
})

describe('marks', () => {
  const rowsOf = (report: TableReport) =>
    decodeMarks(report.marks).map(({ id, status, mark }) => [id, status, mark] as const)
  const changed = async (change: (rows: (readonly [number, number, bigint])[]) => unknown[]) => {
    const report = await createReport(world)
    return { ...report, marks: marksOf(change([...rowsOf(report)]) as never) }
  }
  test('a missing row is refused, wherever it is missing', async () => {
    await refuseSigned('MarksMustBeComplete', await changed((rows) => rows.slice(1)))
    await refuseSigned('MarksMustBeComplete', await changed((rows) => rows.slice(0, -1)))
    await refuseSigned(
      'MarksMustBeComplete',
      await changed((rows) => rows.filter((_, i) => i !== 7)),
    )
    await refuseSigned('MarksMustBeRows', await changed(() => []))
  })
  test('a row more, twice, out of order, of cash or of id 0 is refused', async () => {
    await refuseSigned('MarksMustBeListed', await changed((rows) => [...rows, [1038, 1, 5n]]))
    await refuseSigned('MarksMustAscend', await changed((rows) => [rows[0], rows[0], ...rows]))
    await refuseSigned('MarksMustAscend', await changed((rows) => [...rows].reverse()))
    await refuseSigned('MarksMustAscend', await changed((rows) => [[0, 1, 5n], ...rows]))
    await refuseSigned('MarksMustBeListed', await changed((rows) => [[1, 1, 5n], ...rows]))
  })
  test('a row that is listed is not replaced by one that is not', async () => {
    await refuseSigned(
      'MarksMustBeListed',
      await changed((rows) => [...rows.slice(0, -1), [1038, 1, 5n]]),
    )
  })
  test('statuses are live and expired, marks are below 2^48 both ways', async () => {
    const bound = 1n << 48n
    const last =
      (row: readonly [number, bigint]) => (rows: (readonly [number, number, bigint])[]) => [
        ...rows.slice(0, -1),
        [1037, ...row],
      ]
    for (const status of [0, 3, 255]) {
      await refuseSigned('MarkStatusMustBeKnown', await changed(last([status, 5n])))
    }
    for (const mark of [bound, -bound, -(1n << 63n)]) {
      await refuseSigned('MarkMustFitWidth', await changed(last([1, mark])))
    }
    await post(world, await changed(last([2, 1n - bound])))
  })
  test('bytes that are no whole rows are refused', async () => {
    const report = await createReport(world)
    await refuseSigned('MarksMustBeRows', { ...report, marks: report.marks.slice(0, -2) })
    await refuseSigned('MarksMustBeRows', { ...report, marks: `${report.marks}00` })
  })
})

describe('reference prices', () => {
  const withReferences = async (references: TableReport['references']) => ({
    ...(await createReport(world)),
    references,
  })
  test('zero is no price', async () => {
    await refuseSigned(
      'PriceMustNotBeZero',
      await withReferences([
        { underlying: 1, price: 0n },
        { underlying: 2, price: ETH },
      ]),
    )
    await refuseSigned(
      'PriceMustNotBeZero',
      await withReferences([
        { underlying: 1, price: BTC },
        { underlying: 2, price: 0n },
      ]),
    )
  })
  test('a price that cannot be said is missing, and a missing one is refused', async () => {
    await refuseSigned('ReferencesMustBeComplete', await withReferences([]))
    await refuseSigned(
      'ReferencesMustBeComplete',
      await withReferences([{ underlying: 1, price: BTC }]),
    )
    await refuseSigned(
      'ReferencesMustBeComplete',
      await withReferences([{ underlying: 2, price: ETH }]),
    )
  })
  test('twice, out of order, or of an unknown underlying is refused', async () => {
    const [a, b] = [
      { underlying: 1, price: BTC },
      { underlying: 2, price: ETH },
    ]
    await refuseSigned('ReferencesMustAscend', await withReferences([a, a, b]))
    await refuseSigned('ReferencesMustAscend', await withReferences([b, a]))
    await refuseSigned('ReferencesMustAscend', await withReferences([{ ...a, underlying: 0 }, b]))
    await refuseSigned('UnderlyingMustBeKnown', await withReferences([a, { ...b, underlying: 3 }]))
    await refuseSigned(
      'UnderlyingMustBeKnown',
      await withReferences([a, { ...b, underlying: 257 }]),
    )
  })
})

describe('documents', () => {
  test('only the current world set and specifications count', async () => {
    const report = await createReport(world)
    await refuseSigned('WorldsMustBeCurrent', { ...report, worldsHash: ethers.id('others') })
    await refuseSigned('InstrumentsMustBeCurrent', {
      ...report,
      instrumentsHash: ethers.id('others'),
    })
    await refuseSigned('DocumentMustBeInRange', { ...report, market: '0x' })
  })
})

describe('the band', () => {
  test.each([
    ['up to its edge', BTC + BTC / 20n, true],
    ['down to its edge', BTC - BTC / 20n, true],
    ['one micro above it', BTC + BTC / 20n + 1n, false],
    ['one micro below it', BTC - BTC / 20n - 1n, false],
    ['ten times', BTC * 10n, false],
    ['a tenth', BTC / 10n, false],
  ])('a price %s', async (_name, btc, isConfirmed) => {
    const before = await countedTables(world)
    await post(world, await createReport(world, { btc }))
    expect((await latest()).isConfirmed).toBe(isConfirmed)
    expect(await priceOf(1)).toEqual(
      isConfirmed ? { confirmed: btc, candidate: 0n } : { confirmed: BTC, candidate: btc },
    )
    expect(await countedTables(world)).toHaveLength(before.length + (isConfirmed ? 1 : 0))
  })

  test('one underlying outside is enough', async () => {
    await post(world, await createReport(world, { eth: ETH * 2n }))
    expect((await latest()).isConfirmed).toBe(false)
  })

  test('what all five signed is no confirmation either', async () => {
    await post(world, await createReport(world, { btc: BTC * 10n }), KEYS)
    expect((await latest()).isConfirmed).toBe(false)
  })

  test('after an indicative table one near the last confirmed counts at once', async () => {
    await post(world, await createReport(world, { btc: BTC * 10n }))
    await wait(1n)
    const back = await createReport(world)
    await post(world, back)
    expect(await countedTables(world)).toEqual([first.tableRoot, back.tableRoot])
    expect(await priceOf(1)).toEqual({ confirmed: BTC, candidate: 0n })
  })
})

describe('agreement of the next', () => {
  const fall = BTC - (BTC * 30n) / 100n
  test('confirms both, once enough time has passed', async () => {
    const indicative = await createReport(world, { btc: fall })
    await post(world, indicative)
    await wait(TIMING.agreementDelay)
    const next = await createReport(world, { btc: fall + fall / 50n })
    await post(world, next)
    expect(await countedTables(world)).toEqual([
      first.tableRoot,
      indicative.tableRoot,
      next.tableRoot,
    ])
    expect(await priceOf(1)).toEqual({ confirmed: fall + fall / 50n, candidate: 0n })
  })
  test('is of the whole report: one price back, the other still away, is no agreement', async () => {
    for (const [then, later] of [
      [{ btc: fall, eth: ETH * 2n }, { btc: fall }],
      [{ btc: fall, eth: ETH * 2n }, { eth: ETH * 2n }],
    ]) {
      await wait(1n)
      await post(world, await createReport(world, then))
      await wait(TIMING.agreementDelay)
      await post(world, await createReport(world, later))
      expect((await latest()).isConfirmed).toBe(false)
    }
    expect(await countedTables(world)).toEqual([first.tableRoot])
  })
  test('a second too early confirms nothing', async () => {
    const indicative = await createReport(world, { btc: fall })
    await post(world, indicative)
    await wait(TIMING.agreementDelay)
    await post(
      world,
      await createReport(world, { btc: fall, time: indicative.time + TIMING.agreementDelay - 1n }),
    )
    expect(await countedTables(world)).toEqual([first.tableRoot])
  })
  test('a next that is off by one micro more than the band does not agree', async () => {
    await post(world, await createReport(world, { btc: fall }))
    await wait(TIMING.agreementDelay)
    await post(world, await createReport(world, { btc: fall + fall / 20n + 1n }))
    expect(await countedTables(world)).toEqual([first.tableRoot])
  })
  test('beyond the jump band saying it twice, or ten times, is not enough', async () => {
    for (let i = 0; i < 10; i++) {
      await post(world, await createReport(world, { btc: BTC * 10n }))
      await wait(TIMING.agreementDelay)
    }
    expect(await countedTables(world)).toEqual([first.tableRoot])
    expect(await priceOf(1)).toEqual({ confirmed: BTC, candidate: BTC * 10n })
  })
  test('the jump band holds to its edge', async () => {
    const half = BTC / 2n
    for (const [btc, isConfirmed] of [
      [half - 1n, false],
      [half, true],
    ] as const) {
      const point = (await provider.send('evm_snapshot', [])) as string
      await post(world, await createReport(world, { btc }))
      await wait(TIMING.agreementDelay)
      await post(world, await createReport(world, { btc }))
      expect((await latest()).isConfirmed).toBe(isConfirmed)
      await provider.send('evm_revert', [point])
    }
  })
})

describe('the large quorum', () => {
  let jump: TableReport
  beforeEach(async () => {
    jump = await createReport(world, { btc: BTC * 10n })
    await post(world, jump)
  })
  const confirm = (signatures: readonly string[], number = jump.number) =>
    send(world.anyone, world.oracle, 'confirm', number, signatures)
  const refuseConfirm = (error: string, signatures: readonly string[], number = jump.number) =>
    mustRefuse(error, world.anyone, world.oracle, 'confirm', number, signatures)

  test('confirms any price', async () => {
    await confirm(signConfirmation(world, jump))
    expect(await countedTables(world)).toEqual([first.tableRoot, jump.tableRoot])
    expect(await priceOf(1)).toEqual({ confirmed: BTC * 10n, candidate: 0n })
    expect(await priceOf(2)).toEqual({ confirmed: ETH, candidate: 0n })
  })
  test('three are not four, and a signature of the report is not a confirmation', async () => {
    await refuseConfirm('QuorumMustSign', signConfirmation(world, jump, KEYS.slice(0, 3)))
    await refuseConfirm('SignerMustBeAuthorised', signReport(world, jump, KEYS.slice(0, 4)))
  })
  test('confirms once, only the latest, and only in time', async () => {
    const signatures = signConfirmation(world, jump)
    await refuseConfirm('ReportMustBeLatest', signatures, 1n)
    await refuseConfirm('ReportMustBeLatest', signatures, 3n)
    const point = (await provider.send('evm_snapshot', [])) as string
    await confirm(signatures)
    await refuseConfirm('ReportMustBeIndicative', signatures)
    await provider.send('evm_revert', [point])
    const again = (await provider.send('evm_snapshot', [])) as string
    await wait(TIMING.confirmWindow + 1n)
    await refuseConfirm('ConfirmationMustBeInTime', signatures)
    await provider.send('evm_revert', [again])
    await wait(1n)
    await post(world, await createReport(world, { btc: BTC * 9n }))
    await refuseConfirm('ReportMustBeLatest', signatures)
    // Nor does the word on one report confirm another.
    await refuseConfirm('SignerMustBeAuthorised', signatures, 3n)
  })
})

describe('lying signers', () => {
  const lie = () => createReport(world, { btc: BTC / 10n })
  test('one and two are no quorum, and cannot join honest signatures to their own report', async () => {
    const honest = await createReport(world)
    const lied = await lie()
    await refuse('QuorumMustSign', lied, signReport(world, lied, KEYS.slice(0, 2)))
    await refuse('SignerMustBeAuthorised', lied, [
      ...signReport(world, lied, KEYS.slice(0, 2)),
      ...signReport(world, honest, [KEYS[2]!]),
    ])
    expect(await countedTables(world)).toEqual([first.tableRoot])
  })
  test('three move nothing beyond the jump band, and two honest ones cannot be outvoted there', async () => {
    const lied = await lie()
    await post(world, lied)
    await mustRefuse(
      'QuorumMustSign',
      world.anyone,
      world.oracle,
      'confirm',
      lied.number,
      signConfirmation(world, lied, KEYS.slice(0, 3)),
    )
    expect(await countedTables(world)).toEqual([first.tableRoot])
  })
})

describe('underlyings that come and go', () => {
  test('a new one must be confirmed by the large quorum first, with all the rest', async () => {
    await send(world.admin, world.oracle, 'addUnderlying', 'SOL', BAND)
    const withThird = async () => {
      const report = await createReport(world)
      return { ...report, references: [...report.references, { underlying: 3, price: 5n }] }
    }
    await refuseSigned('ReferencesMustBeComplete', await createReport(world))
    const report = await withThird()
    await post(world, report)
    expect((await latest()).isConfirmed).toBe(false)
    await send(world.anyone, world.oracle, 'confirm', 2n, signConfirmation(world, report))
    await wait(1n)
    await post(world, await withThird())
    expect((await latest()).isConfirmed).toBe(true)
  })
  test('one added after an indicative report gets no price by its confirmation', async () => {
    const jump = await createReport(world, { btc: BTC * 10n })
    await post(world, jump)
    await send(world.admin, world.oracle, 'addUnderlying', 'SOL', BAND)
    await send(world.anyone, world.oracle, 'confirm', 2n, signConfirmation(world, jump))
    expect(await priceOf(3)).toEqual({ confirmed: 0n, candidate: 0n })
  })
  test('a retired one is not carried any more', async () => {
    await send(world.admin, world.oracle, 'retireUnderlying', 2n)
    const report = await createReport(world)
    await refuseSigned('UnderlyingMustBeKnown', report)
    await post(world, { ...report, references: report.references.slice(0, 1) })
    expect((await latest()).isConfirmed).toBe(true)
  })
})

describe('a house that knows the flag', () => {
  test('in which another posted: what is not the latest any more is not confirmed', async () => {
    const other = await createOracleWorld({ isFlagged: true })
    const report = await createReport(other)
    await post(other, report)
    await send(other.anyone, other.house, 'postTable', 5n, 6n, ethers.ZeroHash, '0x', true)
    await mustRefuse(
      'ReportMustBeLatest',
      other.anyone,
      other.oracle,
      'confirm',
      1n,
      signConfirmation(other, report),
    )
    // Nor does the word on this report confirm what another posted.
    await mustRefuse(
      'ReportMustBeLatest',
      other.anyone,
      other.oracle,
      'confirm',
      2n,
      signConfirmation(other, report),
    )
    await wait(1n)
    await mustRefuse(
      'NumberMustBeNext',
      other.anyone,
      other.oracle,
      'post',
      ...(await (async () => {
        const late = await createReport(other, { number: 2n })
        return [late, signReport(other, late)] as const
      })()),
    )
  })

  test('gets indicative tables, flagged, and their confirmation', async () => {
    const other = await createOracleWorld({ isFlagged: true })
    const flag = (number: bigint) => other.house.getFunction('isConfirmed')(number)
    await confirmFirst(other)
    expect(await flag(1n)).toBe(true)
    await wait(1n)
    const fall = BTC - BTC / 4n
    const indicative = await createReport(other, { btc: fall })
    await post(other, indicative)
    expect(await other.house.getFunction('roots')(2n)).toBe(indicative.tableRoot)
    expect(await flag(2n)).toBe(false)
    await wait(TIMING.agreementDelay)
    await post(other, await createReport(other, { btc: fall }))
    expect([await flag(2n), await flag(3n)]).toEqual([true, true])
  })
})
