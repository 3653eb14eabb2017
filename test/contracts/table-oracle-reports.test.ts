/** What a report must be to be taken: signed by a quorum, the next, complete, over current documents. */
import { ethers } from 'ethers'
import { describe, test } from 'vitest'
import {
  decodeMarks,
  signDigest,
  tableDigest,
  type TableReport,
} from '../../oracle/signer/report.ts'
import { now, send } from './l1.ts'
import {
  BTC,
  confirmFirst,
  createOracleWorld,
  createReport,
  ETH,
  KEYS,
  marksOf,
  mustRefusePost,
  post,
  signReport,
  STRANGER,
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
    await refuse('NumberMustBeNext', report)
    await refuse('TimeMustAdvance', { ...report, number: 3n })
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
      await refuse('NumberMustBeNext', await createReport(world, { number }))
    }
  })
  test('time is after the last, not ahead, and not too old', async () => {
    await refuse('TimeMustAdvance', await createReport(world, { time: first.time }))
    await refuse('TimeMustAdvance', await createReport(world, { time: first.time - 1n }))
    await wait(1000n)
    const block = await now()
    // eth_call runs in a block of its own, whose time is at most a second later.
    await refuse('TimeMustNotBeAhead', await createReport(world, { time: block + 30n }))
    await refuse('TimeMustBeFresh', await createReport(world, { time: block - TIMING.maxAge - 1n }))
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
    await refuse('MarksMustBeComplete', await changed((rows) => rows.slice(1)))
    await refuse('MarksMustBeComplete', await changed((rows) => rows.slice(0, -1)))
    await refuse('MarksMustBeComplete', await changed((rows) => rows.filter((_, i) => i !== 7)))
    await refuse('MarksMustBeRows', await changed(() => []))
  })
  test('a row more, twice, out of order, of cash or of id 0 is refused', async () => {
    await refuse('MarksMustBeListed', await changed((rows) => [...rows, [1038, 1, 5n]]))
    await refuse('MarksMustAscend', await changed((rows) => [rows[0], rows[0], ...rows]))
    await refuse('MarksMustAscend', await changed((rows) => [...rows].reverse()))
    await refuse('MarksMustAscend', await changed((rows) => [[0, 1, 5n], ...rows]))
    await refuse('MarksMustBeListed', await changed((rows) => [[1, 1, 5n], ...rows]))
  })
  test('a row that is listed is not replaced by one that is not', async () => {
    await refuse(
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
      await refuse('MarkStatusMustBeKnown', await changed(last([status, 5n])))
    }
    for (const mark of [bound, -bound, -(1n << 63n)]) {
      await refuse('MarkMustFitWidth', await changed(last([1, mark])))
    }
    await post(world, await changed(last([2, 1n - bound])))
  })
  test('bytes that are no whole rows are refused', async () => {
    const report = await createReport(world)
    await refuse('MarksMustBeRows', { ...report, marks: report.marks.slice(0, -2) })
    await refuse('MarksMustBeRows', { ...report, marks: `${report.marks}00` })
  })
})

describe('reference prices', () => {
  const withReferences = async (references: TableReport['references']) => ({
    ...(await createReport(world)),
    references,
  })
  test('zero is no price', async () => {
    await refuse(
      'PriceMustNotBeZero',
      await withReferences([
        { underlying: 1, price: 0n },
        { underlying: 2, price: ETH },
      ]),
    )
    await refuse(
      'PriceMustNotBeZero',
      await withReferences([
        { underlying: 1, price: BTC },
        { underlying: 2, price: 0n },
      ]),
    )
  })
  test('a price that cannot be said is missing, and a missing one is refused', async () => {
    await refuse('ReferencesMustBeComplete', await withReferences([]))
    await refuse('ReferencesMustBeComplete', await withReferences([{ underlying: 1, price: BTC }]))
    await refuse('ReferencesMustBeComplete', await withReferences([{ underlying: 2, price: ETH }]))
  })
  test('twice, out of order, or of an unknown underlying is refused', async () => {
    const [a, b] = [
      { underlying: 1, price: BTC },
      { underlying: 2, price: ETH },
    ]
    await refuse('ReferencesMustAscend', await withReferences([a, a, b]))
    await refuse('ReferencesMustAscend', await withReferences([b, a]))
    await refuse('ReferencesMustAscend', await withReferences([{ ...a, underlying: 0 }, b]))
    await refuse('UnderlyingMustBeKnown', await withReferences([a, { ...b, underlying: 3 }]))
    await refuse('UnderlyingMustBeKnown', await withReferences([a, { ...b, underlying: 257 }]))
  })
})

describe('documents', () => {
  test('only the current world set and specifications count', async () => {
    const report = await createReport(world)
    await refuse('WorldsMustBeCurrent', { ...report, worldsHash: ethers.id('others') })
    await refuse('InstrumentsMustBeCurrent', {
      ...report,
      instrumentsHash: ethers.id('others'),
    })
    await refuse('DocumentMustBeInRange', { ...report, market: '0x' })
  })
})
