/** End to end: five signers over HTTP, a collector, the oracle contract, and the house behind it. */
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SigningKey, ethers } from 'ethers'
import { describe, expect, test } from 'vitest'
import { tableOf } from '../../circuits/table.ts'
import { gatherTable, NoQuorum, type Peer } from '../../oracle/collector/gather.ts'
import { confirmTable, openReport, postTable, readState } from '../../oracle/collector/rounds.ts'
import { computeTable, marketBytes, STANDARD_WORLDS } from '../../oracle/signer/engine.ts'
import { registerRoot } from '../../oracle/signer/register.ts'
import {
  reportOf,
  signDigest,
  tableDigest,
  type Domain,
  type TableReport,
} from '../../oracle/signer/report.ts'
import { readInputs } from '../../oracle/verify/inputs.ts'
import { verifySettlement } from '../../oracle/verify/settlement.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import { DATED, marketDocument } from '../contracts/oracle-market.ts'
import { now, provider, send } from '../contracts/l1.ts'
import { BTC, countedTables, KEYS, LISTED, TIMING, wait } from '../contracts/oracle-world.ts'
import { fiveSigners } from './five.ts'
import { CALM, LIMITS, type Prices } from './signers.ts'

const SHORT = 1029
const EXPIRY = (await now()) + 20_000n
// One put expires on the clock of this chain, under a document that says so, too.
const SPECS = DATED.map((spec) =>
  spec.id === SHORT && 'expiry' in spec
    ? { ...spec, expiry: Number(EXPIRY) }
    : 'expiry' in spec
      ? { ...spec, expiry: Number(EXPIRY) + 40_000_000 }
      : spec,
)
const LIST = SPECS.filter(({ kind }) => kind !== 'cash')

const five = await fiveSigners(SPECS)
const { world, nodes, options, documents, look, pass, tend } = five

const rootOf = (prices: Prices = CALM): bigint => {
  const market = marketDocument(five.clock(), micro(prices.BTC), micro(prices.ETH))
  return computeTable(market, LIST, STANDARD_WORLDS).root
}
const micro = (text: string): bigint => BigInt(Math.round(Number(text) * 1e6))
const counted = () => countedTables(world)
const roundWith = (peers: readonly Peer[], timeoutMs = LIMITS.timeoutMs) =>
  postTable({ ...options, peers, limits: { timeoutMs, bytes: 100_000 } })

/** Signs whatever report it likes, well, with a key of the set. */
async function liar(
  key: SigningKey,
  lie: (report: TableReport) => TableReport,
  observe: (time: number) => unknown = (time) => ({ market: marketDocument(time) }),
): Promise<Peer> {
  return five.liarOf(key, (path, body) => {
    if (path.startsWith('/observation')) return observe(five.clock())
    const { number, time } = body as { number: string; time: number }
    const market = marketDocument(time)
    const table = computeTable(market, LIST, STANDARD_WORLDS)
    const honest = reportOf(table, {
      number: BigInt(number),
      time: BigInt(time),
      ...documents,
      market,
    })
    const report = lie(honest)
    const digest = tableDigest(world.domain, report)
    return { signer: '', report, digest, signature: signDigest(key, digest) }
  })
}

describe('honest signers', () => {
  test('of one mind: the house has the root that anybody computes', async () => {
    const { isConfirmed } = await postTable(options)
    expect(isConfirmed).toBe(true)
    expect((await counted()).at(-1)).toBe(rootOf())
  })
  test('leave every world of the table for who needs it', async () => {
    const tables = mkdtempSync(join(tmpdir(), 'cloister-tables-'))
    const { report } = await postTable({ ...options, tables })
    const inputs = readInputs(join(tables, `${report.tableRoot}.json`))
    expect(tableOf(inputs.rows[0]!).root).toBe(report.tableRoot)
    expect(await verifyTable({ provider, contract: world.domain.contract, inputs })).toMatchObject({
      holds: true,
      differences: [],
      notes: [],
    })
  })
  test('who see slightly different prices sign the median', async () => {
    nodes.forEach((node, i) => node.see({ ...CALM, BTC: `60${65 + i}` }, five.clock()))
    const { report, isConfirmed } = await postTable(options)
    expect(isConfirmed).toBe(true)
    expect(report.references[0]!.price).toBe(6_067_000_000n)
  })
  test('one who sees something else by more than the tolerance does not sign', async () => {
    nodes[0]!.see({ ...CALM, BTC: '6200' }, five.clock())
    const { answers } = await postTable(options)
    expect(answers.map((one) => 'digest' in one)).toEqual([false, true, true, true, true])
  })
  test('two may be gone or hang, three may not', async () => {
    const gone: Peer = { url: 'http://127.0.0.1:1', address: nodes[0]!.address }
    const hanging = await five.liar(1, () => new Promise(() => {}))
    const before = (await counted()).length
    await expect(roundWith([gone, hanging, gone, nodes[3]!, nodes[4]!], 4000)).rejects.toThrow(
      NoQuorum,
    )
    expect(await counted()).toHaveLength(before)
    await roundWith([gone, hanging, nodes[2]!, nodes[3]!, nodes[4]!], 20_000)
    expect((await counted()).at(-1)).toBe(rootOf())
  })
})

describe('one or two lying signers', () => {
  const withLiars = async (
    lie: (report: TableReport) => TableReport,
    observe?: (time: number) => unknown,
  ): Promise<readonly Peer[]> => [
    await liar(KEYS[0]!, lie, observe),
    await liar(KEYS[1]!, lie, observe),
    ...nodes.slice(2),
  ]
  const honestRootStands = async (peers: readonly Peer[]) => {
    const { report } = await roundWith(peers)
    expect(report.tableRoot).toBe(rootOf())
    expect((await counted()).at(-1)).toBe(rootOf())
  }
  test('sign another root for the same market', async () =>
    honestRootStands(await withLiars((report) => ({ ...report, tableRoot: 5n }))))
  test('sign ten times the price', async () =>
    honestRootStands(
      await withLiars((report) => ({
        ...report,
        references: report.references.map((one) => ({ ...one, price: one.price * 10n })),
      })),
    ))
  test('see ten times the price: the median is between honest ones', async () =>
    honestRootStands(
      await withLiars(
        (report) => report,
        (time) => ({ market: marketDocument(time, BTC * 10n) }),
      ),
    ))
  test('see nothing, rubbish, zero, or a policy of their own', async () => {
    const market = marketDocument(0)
    for (const seen of [
      {},
      { market: null },
      { market: { ...market, time: 0.5 } },
      'rubbish',
      { market: { ...market, rate: '9' } },
      {
        market: {
          ...market,
          underlyings: market.underlyings.map((one) => ({ ...one, spot: '0' })),
        },
      },
      { market: { ...market, underlyings: [] } },
    ]) {
      await pass(1n)
      await honestRootStands(
        await withLiars(
          (report) => report,
          () => seen,
        ),
      )
    }
  })
  test('send what another signed, or a body without end', async () => {
    const thief = await five.liar(0, (path, body) => five.rawOf(2, path, body))
    const bloated = await five.liar(1, () => ' '.repeat(1_000_000))
    await honestRootStands([thief, bloated, ...nodes.slice(2)])
  })
  test("a stranger in the collector's list does not spoil the call", async () => {
    const strange = await liar(new SigningKey(ethers.id('a stranger')), (report) => report)
    await honestRootStands([strange, ...nodes])
  })
})

describe('three lying signers are a quorum, and yet', () => {
  const three = async (lie: (report: TableReport) => TableReport) =>
    Promise.all(KEYS.slice(0, 3).map((key) => liar(key, lie)))
  /** What they all sign is posted without the collector's own checks. */
  const bring = async (lie: (report: TableReport) => TableReport) => {
    const { domain, next: number, time } = await readState(options)
    const market = marketDocument(time)
    const table = computeTable(market, LIST, STANDARD_WORLDS)
    const report = lie(reportOf(table, { number, time: BigInt(time), ...documents, market }))
    const digest = tableDigest(domain as Domain, report)
    return send(world.anyone, world.oracle, 'post', report, five.signedBy(3, digest))
  }
  test('ten times the price moves nobody: it is indicative, and the next honest table counts', async () => {
    const before = await counted()
    await bring((report) => ({
      ...report,
      tableRoot: 5n,
      references: report.references.map((one) => ({ ...one, price: one.price * 10n })),
    }))
    expect(await counted()).toEqual(before)
    await pass(60n)
    await postTable(options)
    expect(await counted()).toEqual([...before, rootOf()])
  })
  test('a missing row, a doubled row, a zero price: refused by name', async () => {
    const before = await counted()
    const refusal = (lie: (report: TableReport) => TableReport) => expect(bring(lie)).rejects
    await refusal((report) => ({ ...report, marks: `0x${report.marks.slice(2 + 26)}` })).toThrow(
      'MarksMustBeComplete',
    )
    await refusal((report) => ({
      ...report,
      marks: `${report.marks.slice(0, 28)}${report.marks.slice(2)}`,
    })).toThrow('MarksMustAscend')
    await refusal((report) => ({
      ...report,
      references: report.references.map((one) => ({ ...one, price: 0n })),
    })).toThrow('PriceMustNotBeZero')
    expect(await counted()).toEqual(before)
  })
  test('the collector brings no table that does not follow from its inputs', async () => {
    const before = await counted()
    for (const lie of [{ tableRoot: 5n }, { marksRoot: 5n }, { worldsRoot: 5n }]) {
      const peers = await three((report) => ({ ...report, ...lie }))
      await expect(roundWith(peers)).rejects.toThrow('must be what its inputs give')
    }
    expect(await counted()).toEqual(before)
  })
  test('the collector takes no report but of the market it proposed', async () => {
    const peers = await three((report) => ({
      ...report,
      market: `${report.market.slice(0, -2)}20`,
    }))
    const { domain, quorum, next: number, time, history } = await readState(options)
    await expect(
      gatherTable(peers, { domain, quorum, number, time, rows: history.listed }),
    ).rejects.toThrow('proposed one')
  })
})

describe('bad data that all signers see', () => {
  test.each(['0', 'NaN', '-1', '', '1e400'])('a price of "%s" is no table', async (price) => {
    const before = await counted()
    await look({ ...CALM, BTC: price })
    await expect(postTable(options)).rejects.toThrow('SourcesMustSuffice')
    expect(await counted()).toEqual(before)
  })
  test('frozen sources are no table', async () => {
    const stale = five.clock()
    await pass(200n)
    for (const node of nodes) node.see(CALM, stale)
    await expect(postTable(options)).rejects.toThrow('SourcesMustSuffice')
  })
  test('ten times the price, seen by all, for an hour, moves nobody', async () => {
    const before = await counted()
    const wrong = { ...CALM, BTC: '60670.10' }
    for (let i = 0; i < 5; i++) {
      await pass(600n, wrong)
      expect((await postTable(options)).isConfirmed).toBe(false)
    }
    expect(await counted()).toEqual(before)
    await pass(60n)
    expect((await postTable(options)).isConfirmed).toBe(true)
    expect(await counted()).toEqual([...before, rootOf()])
  })
})

describe('a true fall of a third', () => {
  const fallen: Prices = { ...CALM, BTC: '4100' }
  test("is indicative, then confirmed by the large quorum's second look", async () => {
    const before = await counted()
    await look(fallen)
    const { report, isConfirmed } = await postTable(options)
    const root = rootOf(fallen)
    expect(isConfirmed).toBe(false)
    expect(await counted()).toEqual(before)
    await expect(confirmTable(options, report)).rejects.toThrow('ConfirmationMustWait')
    await pass(60n, fallen)
    await confirmTable(options, report)
    expect(await counted()).toEqual([...before, root])
  })
  test('or by the next table that agrees', async () => {
    const before = await counted()
    await look(fallen)
    await postTable(options)
    const first = rootOf(fallen)
    await pass(TIMING.agreementDelay, { ...fallen, BTC: '4150' })
    expect((await postTable(options)).isConfirmed).toBe(true)
    expect(await counted()).toEqual([...before, first, rootOf({ ...fallen, BTC: '4150' })])
  })
  describe('after a restart of the collector, which has nothing but L1', () => {
    const restarted = () => ({
      ...options,
      tables: mkdtempSync(join(tmpdir(), 'cloister-tables-')),
    })
    test('is offered for the second look, and is the very report', async () => {
      const before = await counted()
      await look(fallen)
      const { report } = await postTable(options)
      await pass(60n, fallen)
      const again = restarted()
      const open = await openReport(again)
      expect(open).toEqual(report)
      // The house is given its rows, should the first collector have died before it could.
      expect(readdirSync(again.tables)).toEqual([`${report.tableRoot}.json`])
      await confirmTable(again, open!)
      expect(await counted()).toEqual([...before, report.tableRoot])
      expect(await openReport(again)).toBeNull()
    })
    test('is forgotten when it may be confirmed no more, or another came', async () => {
      await look(fallen)
      await postTable(options)
      const point = await provider.send('evm_snapshot', [])
      await pass(TIMING.confirmWindow - 10n, fallen)
      expect((await openReport(options))?.number).toBeDefined()
      await pass(20n, fallen)
      expect(await openReport(options)).toBeNull()
      await provider.send('evm_revert', [point])
      await pass(60n)
      expect((await postTable(options)).isConfirmed).toBe(true)
      expect(await openReport(options)).toBeNull()
    })
    test('is not offered if three liars signed what does not follow', async () => {
      await look(fallen)
      const { domain, quorum, next: number, time, history } = await readState(options)
      const { report } = await gatherTable(nodes, {
        domain,
        quorum,
        number,
        time,
        rows: history.listed,
        limits: options.limits!,
      })
      const lie = { ...report, tableRoot: report.tableRoot + 1n }
      const digest = tableDigest(domain, lie)
      await send(world.anyone, world.oracle, 'post', lie, five.signedBy(3, digest))
      await expect(openReport(options)).rejects.toThrow('must be what its inputs give')
    })
  })
  test('is not confirmed by signers who see it gone', async () => {
    await look(fallen)
    const { report } = await postTable(options)
    await pass(60n)
    await expect(confirmTable(options, report)).rejects.toThrow('ProposalMustBeNear')
  })
})

describe('expiry', () => {
  test('the average of the window settles, after its delay, and the row leaves the table', async () => {
    const windowStart = EXPIRY - TIMING.settlementWindow
    // 6000 until 590 s of the window have passed, 6600 then; looked at every five minutes.
    await wait(windowStart - 10n - (await now()))
    for (let at = windowStart - 10n; at < EXPIRY; at += 300n) {
      const early = at < windowStart + 600n - 10n
      const prices = { ...CALM, BTC: early ? '6000' : '6600' }
      if (at === windowStart - 10n) await look(prices)
      else await pass(300n, prices)
      for (const { signer } of nodes) await signer.observe(five.clock())
    }
    await pass(400n)
    expect((await tend()).did).toBe('proposed')
    const verified = await verifySettlement(provider, world.domain.contract, 1n)
    expect(verified).toMatchObject({ holds: true, state: 'pending' })
    expect(verified.notes[0]).toContain('BTC averaged 6403.333333; too few confirmed tables')
    expect((await tend()).did).toBe('waited')
    await pass(TIMING.challengeDelay)
    const tended = await tend()
    if (tended.did !== 'finalised') throw new Error(tended.did)
    const value = tended.report.values[0]!
    // 590 s at 6000 and 1,210 s at 6600 average 6403.333333; the put is at 7000, the lot 0.01.
    expect(value).toBe(5_966_667n)
    const [isSet, posted] = await world.cloister.getFunction('settlement')(SHORT)
    expect([isSet, posted]).toEqual([true, value])
    expect(await world.cloister.getFunction('settlementRoot')()).toBe(
      registerRoot([{ id: SHORT, value }]),
    )
    expect((await tend()).did).toBe('nothing')
    await pass(60n)
    const { report } = await postTable(options)
    expect((report.marks.length - 2) / 26).toBe(LISTED.length - 1)
    expect(marketBytes(marketDocument(five.clock()))).toBe(report.market)
  })
})
