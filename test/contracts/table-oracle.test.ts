/** Tables that a quorum brings: what counts at once, what is indicative, and what makes it count. */
import { ethers } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  decodeHouseMarks,
  decodeMarks,
  tableDigest,
  type TableReport,
} from '../../oracle/signer/report.ts'
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
  mustRefusePost,
  post,
  signConfirmation,
  signReport,
  TIMING,
  wait,
} from './oracle-world.ts'
import { startOverEach } from './start-over.ts'

const world = await createOracleWorld()
const first = await confirmFirst(world)
await wait(10n)
startOverEach()

/** Well signed unless told otherwise, so that nothing but the named rule can be what is broken. */
const refuse = (error: string, report: TableReport, signatures?: readonly string[]) =>
  mustRefusePost(world, error, report, signatures)

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
  test('three creep, where no feed contradicts: one band a report and a second, to any price', async () => {
    // As docs/oracle.md says, under its limits: bands are for what honest signers see wrongly.
    const reports = 16
    await wait(BigInt(reports))
    const from = (await now()) - BigInt(reports) + 1n
    let btc = BTC
    for (let i = 0; i < reports; i++) {
      btc += (btc * BAND.band) / 10_000n
      await post(world, await createReport(world, { btc, time: from + BigInt(i) }))
      expect(await priceOf(1)).toMatchObject({ confirmed: btc })
    }
    expect(Number(btc) / Number(BTC)).toBeGreaterThan(2)
    // A report of no later second is not the next step: so many as maxAge has seconds, at most.
    const same = await createReport(world, { btc, time: from + BigInt(reports) - 1n })
    await refuse('TimeMustAdvance', same)
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
    await refuse('ReferencesMustBeComplete', await createReport(world))
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
    await refuse('UnderlyingMustBeKnown', report)
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
