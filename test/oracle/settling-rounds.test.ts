/** Averages of windows in tables, end to end: five signers over HTTP, a collector, the contract, the verifier. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NoQuorum } from '../../oracle/collector/gather.ts'
import { postTable, type CollectorOptions } from '../../oracle/collector/rounds.ts'
import { computeTable, readMarket, STANDARD_WORLDS } from '../../oracle/signer/engine.ts'
import { OracleEvents } from '../../oracle/signer/l1-events.ts'
import { viewOfL1 } from '../../oracle/signer/l1-view.ts'
import { KEEP_SECONDS } from '../../oracle/signer/look.ts'
import {
  marketBytes,
  settlingIn,
  withSettling,
  type SettlingState,
} from '../../oracle/signer/market-document.ts'
import {
  decodeMarks,
  reportOf,
  settlementDigest,
  tableDigest,
  tableReportFrom,
  vetoDigest,
  type SettlementReport,
} from '../../oracle/signer/report.ts'
import { settlementBytes } from '../../oracle/signer/settlement.ts'
import { sampleFile } from '../../oracle/signer/sample-file.ts'
import { readSettlingView } from '../../oracle/verify/settling.ts'
import { verifySettlement } from '../../oracle/verify/settlement.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import { now, provider, send } from '../contracts/l1.ts'
import { TIMING, type OracleWorld } from '../contracts/oracle-world.ts'
import { until } from '../until.ts'
import { fiveSigners, forget, oneExpiring, WINDOW } from './five.ts'
import { lyingNode } from './lying-node.ts'
import { askSigner, CALM, type Node } from './signers.ts'

const GOOD = 1029
const EXPIRY = (await now()) + 20_000n
/** A put of this expiry, struck at 7000. */
const SPECS = oneExpiring(GOOD, EXPIRY)

const viewOf = ({ domain }: OracleWorld) => ({
  settlingView: () => readSettlingView(provider, domain.contract),
})

const five = await fiveSigners(SPECS, viewOf)
const { world, nodes, options, documents, signedBy, settleAs, proposed } = five

/** All sources say this from now on; these signers look. */
async function goTo(time: bigint, btc: string, seers: readonly number[] = [0, 1, 2, 3, 4]) {
  await five.goTo(time, { ...CALM, BTC: btc })
  for (const i of seers) await nodes[i]!.signer.observe(five.clock())
}
/** Through the window at 6400 for its first half, and 6000 for its second. */
async function watch(seers?: readonly number[]): Promise<void> {
  await goTo(EXPIRY - BigInt(WINDOW) - 10n, '6400', seers)
  await goTo(EXPIRY - 900n, '6000', seers)
  await goTo(EXPIRY - 1n, '6000', seers)
}
/** All through the window at 6100; nodes 3 and 4 see this instead. */
async function watchApart(other: string): Promise<void> {
  for (const at of [EXPIRY - BigInt(WINDOW) - 10n, EXPIRY - 900n, EXPIRY - 1n]) {
    await goTo(at, '6100', [0, 1, 2])
    for (const i of [3, 4]) {
      nodes[i]!.see({ ...CALM, BTC: other }, five.clock())
      await nodes[i]!.signer.observe(five.clock())
    }
  }
}
async function strike(report: SettlementReport): Promise<void> {
  const digest = vetoDigest(world.domain, settlementDigest(world.domain, report))
  await send(world.anyone, world.oracle, 'vetoSettlement', 1n, signedBy(4, digest))
}
const window = [Number(EXPIRY) - WINDOW, Number(EXPIRY)] as const
const paying = (price: string) => ({
  ...{ version: 1 as const, windowStart: window[0], windowEnd: window[1] },
  underlyings: [{ id: 1, name: 'BTC', price }],
})
/** Some seconds pass with each transaction: the average of a half is not exactly that of the prices. */
const AVERAGE = 6200
const round = (change: Partial<CollectorOptions> = {}) => postTable({ ...options, ...change })
const averages = (market: string): readonly SettlingState[] => settlingIn(readMarket(market))
const priceIn = (market: string): number | undefined => {
  const [one] = averages(market)
  return one === undefined ? undefined : Number(one.price)
}
const markOf = (marks: string) => decodeMarks(marks).find(({ id }) => id === GOOD)!.mark
/** What a put at 7000 on a hundredth pays at a price, in micros. */
const paidAt = (price: string | number) => BigInt(Math.round((7000 - Number(price)) * 1e4))
const verify = (number: bigint) => verifyTable({ provider, contract: options.contract, number })
/** What a signer would answer; where it refuses, nothing that could be read. */
const asNode = (i: number, path: string, body: unknown): Promise<unknown> =>
  askSigner(nodes[i]!, path, body === null ? undefined : body).catch(() => 'no')
const saidBy = async (i: number): Promise<readonly SettlingState[]> =>
  (await nodes[i]!.signer.settling(five.clock(), [GOOD])).settling
/** A table with these averages at another price, or without any. */
async function proposeTo(
  node: Node,
  number: bigint,
  known: readonly SettlingState[],
  price: number | null,
): Promise<unknown> {
  const { market } = await node.signer.observe(five.clock())
  const given = price === null ? [] : known.map((one) => ({ ...one, price: textOf(price) }))
  const rows = SPECS.flatMap(({ kind, id }) => (kind === 'cash' ? [] : [id]))
  const proposal = marketBytes(withSettling(market, given))
  return askSigner(node, '/report', {
    number: `${number}`,
    time: five.clock(),
    rows,
    proposal,
  })
}
const textOf = (price: number): string => String(Math.round(price * 1e6) / 1e6)

/** Signs anything; says this of the window. */
const liarAt = (i: number, price: (own: string) => string) =>
  five.liar(i, async (path, body) => {
    const said = await asNode(i, path, body)
    if (path !== '/settling' || said === 'no') return said
    const { settling, ...rest } = said as { settling: readonly SettlingState[] }
    return { ...rest, settling: settling.map((one) => ({ ...one, price: price(one.price) })) }
  })

describe('from the window to the register', () => {
  test('a table before it, in it, after it, and the settlement: one price, to the micro', async () => {
    await goTo(EXPIRY - BigInt(WINDOW) - 10n, '6300')
    const before = await round()
    expect(averages(before.report.market)).toEqual([])
    await goTo(EXPIRY - BigInt(WINDOW) + 90n, '6300')
    const early = await round()
    expect(priceIn(early.report.market)).toBe(6300)
    await goTo(EXPIRY - 900n, '6000')
    await goTo(EXPIRY - 450n, '6000')
    const late = await round()
    // 900 of 1350 seconds at 6300; each transaction takes a second of this clock.
    expect(priceIn(late.report.market)).toBeCloseTo(6200, 0)
    expect((await verify(late.report.number)).holds).toBe(true)
    await goTo(EXPIRY + 10n, '6000')
    const first = await round()
    const [whole] = averages(first.report.market)
    expect(Number(whole!.price)).toBeCloseTo(6150, 0)
    expect(markOf(first.report.marks)).toBe(paidAt(whole!.price))
    // The market goes on; the row does not.
    await goTo(EXPIRY + 600n, '6250')
    const next = await round()
    expect(averages(next.report.market)).toEqual([whole])
    expect(markOf(next.report.marks)).toBe(paidAt(whole!.price))
    expect((await verify(next.report.number)).holds).toBe(true)
    const { values } = await proposed()
    expect(values).toEqual([markOf(next.report.marks)])
    const verified = await verifySettlement(provider, options.contract, 1n)
    expect(verified.holds).toBe(true)
    await goTo((await now()) + TIMING.challengeDelay, '6200')
    expect((await five.tend()).did).toBe('finalised')
    await goTo((await now()) + 60n, '6200')
    expect(averages((await round()).report.market)).toEqual([])
  })

  test('a settlement that is proposed first is what the tables say until it is final', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const { values } = await proposed()
    // One of five has another average, within the tolerance; without L1 the median could move.
    for (const node of nodes.slice(0, 2)) forget(node)
    await goTo(EXPIRY + 60n, '6050')
    const { report, answers } = await round()
    expect(answers.every((one) => 'digest' in one)).toBe(true)
    expect([markOf(report.marks)]).toEqual(values)
    expect((await verify(report.number)).holds).toBe(true)
  })

  test('pays what the tables said, whoever is asked then', async () => {
    // Nodes 3 and 4 see 0.2 % more, within the tolerance: their median would be another.
    await watchApart('6112.2')
    await goTo(EXPIRY + 10n, '6100')
    const { report } = await round({ peers: nodes.slice(0, 3) })
    expect([priceIn(report.market), markOf(report.marks)]).toEqual([6100, 9_000_000n])
    const { values } = await proposed(nodes.slice(2))
    expect(values).toEqual([9_000_000n])
    // Nor does one sign another near it: what rows were valued at is what is paid.
    const proposal = settlementBytes(paying('6112.2'))
    const body = { serial: 1n, ids: [GOOD], settled: [], window, proposal, isConfirmation: false }
    for (const node of [nodes[0]!, nodes[4]!])
      await expect(askSigner(node, '/settlement', body)).rejects.toThrow('AverageMustBeKept')
  })

  test('what is struck is no average any more', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const report = await proposed()
    await goTo(EXPIRY + 60n, '6050')
    const held = await round()
    expect(averages(held.report.market)).toHaveLength(1)
    for (const node of nodes) forget(node)
    await strike(report)
    await goTo(EXPIRY + 120n, '6050')
    expect(averages((await round()).report.market)).toEqual([])
  })

  test('nor does verify miss it: who sees another then says that', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const report = await proposed()
    await goTo(EXPIRY + 60n, '6050')
    const held = await round()
    await strike(report)
    await goTo(EXPIRY + 120n, '6050')
    const liars = await Promise.all(
      [0, 1, 2].map((i) => liarAt(i, (own) => textOf(Number(own) + 1))),
    )
    const next = await round({ peers: [...liars, ...nodes.slice(3)] })
    expect(priceIn(next.report.market)).not.toBe(priceIn(held.report.market))
    const { holds, checks } = await verify(next.report.number)
    expect(checks.filter((one) => !one.holds)).toEqual([])
    expect(holds).toBe(true)
  })
})

describe('who has not seen the window', () => {
  test('signs no average of its own accord, and goes on once L1 carries it', async () => {
    await watch([0, 1, 2])
    await goTo(EXPIRY + 10n, '6000')
    const first = await round()
    expect(first.answers.map((one) => 'digest' in one)).toEqual([true, true, true, false, false])
    expect(first.answers[3]).toMatchObject({
      problem: expect.stringContaining('AverageMustBeKnown') as string,
    })
    expect(first.isConfirmed).toBe(true)
    // Two of those who saw it are gone; what they said stands on L1.
    await goTo(EXPIRY + 70n, '6000')
    const peers = nodes.slice(2)
    const second = await round({ peers })
    expect(second.answers.every((one) => 'digest' in one)).toBe(true)
    expect(averages(second.report.market)).toEqual(averages(first.report.market))
    const { values } = await proposed(peers)
    expect(values).toEqual([markOf(first.report.marks)])
  })

  test('holds up no table: what fewer than a quorum know is left out', async () => {
    await watch([0, 1])
    await goTo(EXPIRY + 10n, '6000')
    const { report, answers } = await round()
    expect(answers.every((one) => 'digest' in one)).toBe(true)
    expect(averages(report.market)).toEqual([])
    expect(markOf(report.marks)).toBe(paidAt(6000))
  })

  test('nor where a liar makes two of them a quorum: the round after goes on without', async () => {
    await watch([0, 1])
    await goTo(EXPIRY + 10n, '6000')
    const liar = await five.liar(2, async (path, body) => {
      if (path === '/settling') return askSigner(nodes[0]!, path, body)
      return asNode(2, path, body)
    })
    const peers = [nodes[0]!, nodes[1]!, liar, nodes[3]!, nodes[4]!]
    await expect(round({ peers })).rejects.toThrow(NoQuorum)
    await goTo(EXPIRY + 70n, '6000')
    const { report, isConfirmed } = await round({ peers, isBare: true })
    expect([isConfirmed, averages(report.market)]).toEqual([true, []])
  })

  test('after a restart in the middle: with its samples it knows, without them it does not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cloister-settling-'))
    const file = (i: number) => join(folder, `${i}.jsonl`)
    const sit = async (i: number) => {
      return five.another(i, { ...viewOf(world), ...sampleFile(file(i), KEEP_SECONDS) })
    }
    const both = [await sit(0), await sit(1)]
    const look = async (time: bigint, btc: string, seats: readonly Node[]) => {
      await goTo(time, btc, [2, 3, 4])
      for (const seat of seats) {
        seat.see({ ...CALM, BTC: btc }, five.clock())
        await seat.signer.observe(five.clock())
      }
    }
    await look(EXPIRY - BigInt(WINDOW) - 10n, '6400', both)
    await look(EXPIRY - 900n, '6000', both)
    rmSync(file(1))
    const again = [await sit(0), await sit(1)]
    await look(EXPIRY - 450n, '6000', again)
    const ask = async (node: Node) => {
      const body = { time: five.clock(), rows: [GOOD] }
      return ((await askSigner(node, '/settling', body)) as { settling: unknown[] }).settling
    }
    expect(await ask(again[0]!)).toHaveLength(1)
    expect(await ask(again[1]!)).toEqual([])
    await look(EXPIRY + 10n, '6000', again)
    const { answers, report } = await round({ peers: [...again, ...nodes.slice(2)] })
    expect(answers.map((one) => 'digest' in one)).toEqual([true, false, true, true, true])
    expect(priceIn(report.market)).toBeCloseTo(AVERAGE, 0)
  })
})

describe('a node of L1 that lies to a signer', () => {
  const liesOf = (lie: ReturnType<typeof lyingNode>['lie'], seen: number) => [
    // As it was before the table with the average; and as it is, without that table, or any event.
    () => (lie.head = () => seen - 8),
    () => (lie.logs = (logs) => logs.filter(({ blockNumber }) => Number(blockNumber) < seen)),
    () => (lie.logs = () => []),
  ]
  test('does not make it sign a table, or a settlement, without what L1 has', async () => {
    const node = lyingNode()
    const { contract } = options
    const events = new OracleEvents(node.provider, contract, 3)
    const seat = await five.another(
      0,
      viewOfL1(node.provider, contract, documents.instruments, events),
    )
    const begin = EXPIRY - BigInt(WINDOW) - 10n
    for (const [at, btc] of [[begin, '6400'] as const, [EXPIRY - 900n, '6000'] as const]) {
      await goTo(at, btc)
      seat.see({ ...CALM, BTC: btc }, five.clock())
      await seat.signer.observe(five.clock())
    }
    await goTo(EXPIRY + 10n, '6000')
    const { report } = await round()
    const seen = await provider.getBlockNumber()
    for (const seconds of [70n, 130n]) {
      await provider.send('hardhat_mine', ['0x4'])
      await goTo(EXPIRY + seconds, '6000')
      seat.see({ ...CALM, BTC: '6000' }, five.clock())
      const body = { time: five.clock(), rows: [GOOD] }
      expect(await askSigner(seat, '/settling', body)).toMatchObject({
        settling: averages(report.market),
      })
    }
    const number = report.number + 1n
    const propose = (price: number | null) =>
      proposeTo(seat, number, averages(report.market), price)
    node.takeAsked()
    await propose(priceIn(report.market)!)
    await expect(propose(null)).rejects.toThrow('AverageMustBeKept')
    // What is deep was not asked for again.
    expect(node.takeAsked().every(([first]) => first > seen)).toBe(true)
    // Near what it saw itself: without what L1 has it would sign that.
    const proposal = settlementBytes(paying(textOf(priceIn(report.market)! + 1)))
    const body = { serial: 1n, ids: [GOOD], settled: [], window, proposal, isConfirmation: false }
    for (const tell of liesOf(node.lie, seen)) {
      tell()
      // It stays by what it remembers, or says nothing at all.
      const refusal = /AverageMustBeKept|L1 must (be at block|show every event)/
      await expect(propose(null)).rejects.toThrow(refusal)
      await expect(askSigner(seat, '/settlement', body)).rejects.toThrow(refusal)
      node.tellTruth()
    }
    await propose(priceIn(report.market)!)
  })
})

describe('who lies about an average', () => {
  test.each([1, 2])('%i of five move nothing, far off or within the band', async (count) => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    await round({ isBare: true })
    const honest = await saidBy(0)
    for (const price of ['1', '99999999', (Number(honest[0]!.price) * 1.004).toFixed(2)]) {
      const liars = await Promise.all(
        Array.from({ length: count }, (_, i) => liarAt(i, () => String(Number(price)))),
      )
      await goTo((await now()) + 60n, '6000')
      const { report } = await round({ peers: [...liars, ...nodes.slice(count)] })
      expect(averages(report.market)).toEqual(honest)
    }
  })

  test('a collector that shifts one by more than the tolerance, or leaves out what L1 has, is refused', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const { report } = await round()
    await goTo(EXPIRY + 70n, '6000')
    const number = report.number + 1n
    const propose = (price: number | null) =>
      proposeTo(nodes[0]!, number, averages(report.market), price)
    const kept = priceIn(report.market)!
    await expect(propose(null)).rejects.toThrow('AverageMustBeKept')
    await expect(propose(kept + 0.000001)).rejects.toThrow('AverageMustBeKept')
    await expect(propose(kept * 1.01)).rejects.toThrow('AverageMustBeKept')
    await propose(kept)
  })

  test('a collector that goes without averages keeps those of L1', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const first = await round()
    await goTo(EXPIRY + 70n, '6000')
    const { report } = await round({ isBare: true })
    expect(averages(report.market)).toEqual(averages(first.report.market))
  })

  test('at the edge of what one honest signer takes, two fall silent: the others keep it', async () => {
    await watchApart('6090')
    await goTo(EXPIRY + 10n, '6100')
    // Half a per cent over what node 2 saw, and more than that over what nodes 3 and 4 did.
    const edge = 6130.5
    const state = await saidBy(2)
    const number = (await round({ isBare: true })).report.number + 1n
    await goTo(EXPIRY + 70n, '6100')
    const signed = (await proposeTo(nodes[2]!, number, state, edge)) as {
      report: never
      signature: string
    }
    await expect(proposeTo(nodes[3]!, number, state, edge)).rejects.toThrow('ProposalMustBeNear')
    const report = tableReportFrom(signed.report)
    const digest = tableDigest(world.domain, report)
    const signatures = [...signedBy(2, digest), signed.signature]
    await send(world.anyone, world.oracle, 'post', report, signatures)
    await goTo(EXPIRY + 130n, '6100')
    const peers = nodes.slice(2)
    const next = await round({ peers })
    expect(priceIn(next.report.market)).toBe(edge)
    const { values } = await proposed(peers)
    expect(values).toEqual([paidAt(edge)])
  })

  test('two, and one honest that does not read L1: tables and settlement repeat what that has', async () => {
    const view = () => Promise.resolve({ windowSeconds: WINDOW, pins: new Map<string, string>() })
    const blind = await five.another(2, { settlingView: view })
    const go = async (at: bigint) => {
      await goTo(at, '6100')
      blind.see({ ...CALM, BTC: '6112.2' }, five.clock())
      await blind.signer.observe(five.clock())
    }
    for (const at of [EXPIRY - BigInt(WINDOW) - 10n, EXPIRY - 900n, EXPIRY - 1n]) await go(at)
    await go(EXPIRY + 10n)
    const first = await round()
    expect(priceIn(first.report.market)).toBe(6100)
    const liars = await Promise.all(
      [0, 1].map((i) =>
        five.liar(i, async (path, body) => {
          if (path === '/report' || path === '/settlement') return 'no'
          const said = JSON.stringify(await asNode(i, path, body))
          return path.startsWith('/observation') ? said : said.replaceAll('"6100"', '"9999999"')
        }),
      ),
    )
    const peers = [...liars, blind, ...nodes.slice(3)]
    await go(EXPIRY + 70n)
    await expect(round({ peers })).rejects.toThrow('AverageMustBeKept')
    await go(EXPIRY + 130n)
    expect(priceIn((await round({ peers, isBare: true })).report.market)).toBe(6100)
    const { values } = await proposed(peers)
    expect(values).toEqual([paidAt(6100)])
  })

  test('one that takes its time is asked everything at once', async () => {
    await goTo(EXPIRY - BigInt(WINDOW) - 10n, '6100')
    await goTo(EXPIRY - 900n, '6100')
    let asked = 0
    const slow = await five.liar(0, async (path, body) => {
      if (path === '/settling') asked++
      // It says what it sees once it is asked the other question, too.
      if (path.startsWith('/observation')) await until(() => asked > 0)
      return asNode(0, path, body)
    })
    const { report } = await round({ peers: [slow, ...nodes.slice(1)] })
    expect([priceIn(report.market), asked]).toEqual([6100, 1])
  })

  test('as a quorum: L1 takes it, and verify names what does not follow', async () => {
    await watch()
    await goTo(EXPIRY + 10n, '6000')
    const kept = await round()
    await goTo(EXPIRY + 70n, '6000')
    const { market } = await nodes[0]!.signer.observe(five.clock())
    const [own] = averages(kept.report.market)
    const lied = withSettling(market, [
      { ...own!, source: 'my friend' },
      { ...own!, price: '6400' },
    ])
    const [specs, number] = [SPECS.filter(({ kind }) => kind !== 'cash'), kept.report.number + 1n]
    const given = { number, time: BigInt(five.clock()), ...documents, market: lied }
    const report = reportOf(computeTable(lied, specs, STANDARD_WORLDS), given)
    const digest = tableDigest(world.domain, report)
    await send(world.anyone, world.oracle, 'post', report, signedBy(3, digest))
    const wrong = async () => (await verify(number)).checks.filter(({ holds }) => !holds)
    const of = `underlying 1 to ${EXPIRY}`
    const expected = [
      { what: `rows for the window of ${of}`, expected: 'some', posted: 'none', holds: false },
      { what: `average of ${of}`, expected: own!.price, posted: '6400', holds: false },
    ]
    expect(await wrong()).toEqual(expected)
    // Nor does it become right by a settlement that they propose after it.
    await settleAs(3, [GOOD], window, paying('6400'))
    expect(await wrong()).toEqual(expected)
  })
})
