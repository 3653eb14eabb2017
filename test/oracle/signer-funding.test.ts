/** Funding from quotes, end to end: five signers over HTTP, a collector, the contract, the verifier. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tableOf } from '../../circuits/table.ts'
import { fundingOf, FUNDING_TERMS } from '../../oracle/funding.ts'
import { confirmTable, postTable, type CollectorOptions } from '../../oracle/collector/rounds.ts'
import { INSTRUMENTS, PERPETUAL_ID } from '../../oracle/day-2020-03-12.ts'
import { withFunding, givenOf } from '../../oracle/signer/accrual.ts'
import { configFrom } from '../../oracle/signer/config.ts'
import {
  computeTable,
  instrumentsBytes,
  marketBytes,
  readMarket,
  STANDARD_WORLDS,
  type MarketDocument,
} from '../../oracle/signer/engine.ts'
import { KEEP_SECONDS } from '../../oracle/signer/look.ts'
import {
  decodeMarks,
  reportOf,
  signDigest,
  tableDigest,
  type TableReport,
} from '../../oracle/signer/report.ts'
import { sampleFile } from '../../oracle/signer/sample-file.ts'
import { serveSigner } from '../../oracle/signer/server.ts'
import { Signer } from '../../oracle/signer/signer.ts'
import { fundingBaseIn, readHistory } from '../../oracle/verify/chain.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import { now, provider, send, setTime } from '../contracts/l1.ts'
import { createOracleWorld, KEYS, WORLDS, type OracleWorld } from '../contracts/oracle-world.ts'
import { CALM, configOf, LIMITS, writePrices } from './signers.ts'

const INTERVAL = Number(FUNDING_TERMS.interval)
const SPOT = 6_067_010_000n
const PERP = INSTRUMENTS.find(({ id }) => id === PERPETUAL_ID)!
const FUTURE = { ...INSTRUMENTS.find(({ id }) => id === 1025)!, expiry: Number(await now()) + 1e8 }
const SPECS = [INSTRUMENTS[0]!, FUTURE, PERP] as typeof INSTRUMENTS
const documents = { worlds: WORLDS, instruments: instrumentsBytes(SPECS) }

type Seat = { signer: Signer; url: string; close: () => Promise<void>; folder: string }
let world: OracleWorld
let clock = 0
let halted: readonly number[] = []
const seats: Seat[] = []
let options: CollectorOptions

const base = async () => fundingBaseIn(await readHistory(provider, world.domain.contract))
const perpOf = (market: MarketDocument) => market.perpetuals[0]!
const marketOf = (report: TableReport) => perpOf(readMarket(report.market))

async function sit(i: number, isForgetful = false): Promise<Seat> {
  const old = seats[i]
  await old?.close()
  const folder = old?.folder ?? mkdtempSync(join(tmpdir(), 'cloister-funding-'))
  const samples = join(folder, 'samples.jsonl')
  if (isForgetful) rmSync(samples, { force: true })
  const sources = [1, 2, 3].map((n) => ({
    kind: 'file',
    path: `PERP-${n}.json`,
    price: 'price',
    time: 'time',
  }))
  const change = {
    clockSlack: 30,
    tolerance: 50,
    perpetuals: { tolerance: 5, maxBasis: 500, markets: [{ id: PERPETUAL_ID, sources }] },
  }
  const given = configOf(world.domain, folder, change) as { policy: object }
  const policy = join(folder, 'policy.json')
  writeFileSync(policy, JSON.stringify({ ...given.policy, halted }))
  const config = configFrom({ ...given, policy }, folder)
  const signer = new Signer({
    config,
    documents,
    key: KEYS[i]!,
    clock: () => clock,
    fundingBase: base,
    ...sampleFile(samples, KEEP_SECONDS),
  })
  const app = await serveSigner(signer, { port: 0 })
  seats[i] = {
    signer,
    url: app.listeningOrigin,
    folder,
    close: async () => {
      await app.close()
    },
  }
  return seats[i]
}

/** All sources say this premium from now on, and all signers look. */
async function look(premium: number, eyes = seats, btc = 6067.01): Promise<void> {
  clock = Number(await now())
  for (const { folder } of seats) {
    writePrices(folder, { ...CALM, BTC: `${btc}` }, clock)
    for (const n of [1, 2, 3])
      writeFileSync(
        join(folder, `PERP-${n}.json`),
        JSON.stringify({ price: (btc * (1 + premium)).toFixed(6), time: clock }),
      )
  }
  for (const { signer } of eyes) await signer.observe(clock)
}
/** The next end of an interval after the chain's time. */
const boundary = async () => {
  const time = Number(await now())
  return time - (time % INTERVAL) + INTERVAL
}
/** Looks every two hours through one whole interval, from its first second to its last. */
async function wholeInterval(premiums: readonly number[], eyes = seats): Promise<void> {
  const start = await boundary()
  for (const [i, premium] of premiums.entries()) {
    const at = BigInt(start + (i * INTERVAL) / premiums.length)
    if (at > (await now())) await setTime(at)
    await look(premium, eyes)
  }
  await setTime(BigInt(start + INTERVAL + 10))
  await look(premiums.at(-1)!, eyes)
}
const peers = () => seats.map(({ url }, i) => ({ url, address: seats[i]!.signer.address }))
const round = () => postTable({ ...options, peers: peers() })
const signers = (answers: Awaited<ReturnType<typeof round>>['answers']) =>
  answers.map((one) => 'digest' in one)
const verify = (number: bigint) =>
  verifyTable({ provider, contract: world.domain.contract, number })
/** What an interval at this average costs, in micro-dollars a unit. */
const cost = (billionths: bigint) =>
  fundingOf(
    {
      price: SPOT + (SPOT * billionths) / 1_000_000_000n,
      index: SPOT,
      seconds: FUNDING_TERMS.interval,
    },
    FUNDING_TERMS,
  )
const micro = (text: string) => BigInt(Math.round(Number(text) * 1e6))

beforeAll(async () => {
  world = await createOracleWorld({ listed: SPECS.slice(1) })
  for (const i of KEYS.keys()) await sit(i)
  options = {
    provider,
    wallet: await provider.getSigner(world.anyone),
    contract: world.domain.contract,
    peers: [],
    limits: LIMITS,
  }
  // Wherever in an interval of the clock this day began.
  await setTime(BigInt((await boundary()) + 3_600))
  await look(0.001)
  const { report } = await round()
  expect(marketOf(report)).toMatchObject({ funding: '0', accrual: { base: 0, premium: null } })
  await setTime((await now()) + 60n)
  await look(0.001)
  await confirmTable({ ...options, peers: peers() }, report)
})
afterAll(async () => {
  for (const { close } of seats) await close()
})

describe('an interval', () => {
  test('that nobody has seen from its beginning costs nothing', async () => {
    await setTime(BigInt((await boundary()) + 10))
    await look(0.001)
    const { report, isConfirmed } = await round()
    expect(isConfirmed).toBe(true)
    expect(marketOf(report)).toMatchObject({ funding: '0', accrual: { base: 1, premium: null } })
  })
  test('costs its average premium, once, to the micro-dollar; verify says so', async () => {
    await wholeInterval([0.001, 0.001, 0.003, 0.003])
    const { report, isConfirmed } = await round()
    expect(isConfirmed).toBe(true)
    const state = marketOf(report)
    // Prices have six digits, so premiums are near 0.002 and not quite it.
    expect(Math.abs(Number(state.accrual!.premium) - 0.002)).toBeLessThan(1e-6)
    const paid = cost(BigInt(Math.round(Number(state.accrual!.premium) * 1e9)))
    expect(micro(state.funding)).toBe(paid)
    expect(Number(state.funding)).toBeCloseTo(12.134, 2)
    expect(await verify(report.number)).toMatchObject({ holds: true })
    // The next table of the same interval repeats it.
    await setTime((await now()) + 60n)
    await look(0.004)
    const { report: next } = await round()
    expect(marketOf(next)).toMatchObject({
      funding: state.funding,
      accrual: { base: Number(report.number), premium: null },
    })
    // The mark is the quote less the funding, to the micro-dollar a lot.
    const { mark } = decodeMarks(next.marks).find(({ id }) => id === PERPETUAL_ID)!
    const quote = 6067.01 * (1 + Number(marketOf(next).basis))
    expect(mark).toBe(BigInt(Math.round((quote - Number(state.funding)) * 1e4)))
    expect(await verify(next.number)).toMatchObject({ holds: true })
  })
  test('of shorts paying, beyond the clamp: three quarters of a percent and no more', async () => {
    const before = micro(perpOf((await base())!.market).funding)
    await wholeInterval([-0.02, -0.02, -0.02, -0.02])
    const { report } = await round()
    const cap = (SPOT * 75n) / 10_000n
    expect(micro(marketOf(report).funding) - before).toBe(-(cap - (cap % 100n)))
    expect(await verify(report.number)).toMatchObject({ holds: true })
  })
  test('that passed without a table is not made up: the last one counts', async () => {
    const before = micro(perpOf((await base())!.market).funding)
    await wholeInterval([0.005, 0.005, 0.005, 0.005])
    await wholeInterval([0.001, 0.001, 0.001, 0.001])
    const { report } = await round()
    const paid = micro(marketOf(report).funding) - before
    expect(Number(paid)).toBeCloseTo(6.067e6, -4)
  })
})

describe('a restart in the middle of an interval', () => {
  const half = async (isForgetful: boolean, who: readonly number[]) => {
    const start = await boundary()
    await setTime(BigInt(start))
    await look(0.001)
    await setTime(BigInt(start + INTERVAL / 4))
    await look(0.001)
    for (const i of who) await sit(i, isForgetful)
    await setTime(BigInt(start + INTERVAL / 2))
    await look(0.003)
    await setTime(BigInt(start + (3 * INTERVAL) / 4))
    await look(0.003)
    await setTime(BigInt(start + INTERVAL + 10))
    await look(0.003)
    return round()
  }
  test('with its file: it has forgotten nothing and signs', async () => {
    const { report, answers } = await half(false, [0, 1, 2, 3, 4])
    expect(signers(answers)).toEqual([true, true, true, true, true])
    expect(Number(marketOf(report).accrual!.premium)).toBeCloseTo(0.002, 6)
  })
  test('without: it does not know the average and does not sign; the others do', async () => {
    const { report, answers } = await half(true, [0, 1])
    expect(signers(answers)).toEqual([false, false, true, true, true])
    expect(answers[0]).toMatchObject({ problem: expect.stringContaining('PolicyMustMatch') })
    expect(Number(marketOf(report).accrual!.premium)).toBeCloseTo(0.002, 6)
    // From the next table on it goes along: what was paid stands on L1.
    await setTime((await now()) + 60n)
    await look(0.003)
    expect(signers((await round()).answers)).toEqual([true, true, true, true, true])
  })
  test('of most: the interval costs nothing, and tables go on', async () => {
    const before = perpOf((await base())!.market).funding
    const { report, answers } = await half(true, [0, 1, 2, 3])
    expect(signers(answers)).toEqual([true, true, true, true, false])
    expect(marketOf(report)).toMatchObject({ funding: before, accrual: { premium: null } })
    expect(await verify(report.number)).toMatchObject({ holds: true })
  })
  test('in the middle of a line: what was cut short is left out', async () => {
    const path = join(seats[0]!.folder, 'samples.jsonl')
    const whole = readFileSync(path, 'utf8')
    writeFileSync(path, `${whole}{"name":"BT`)
    expect(sampleFile(path, KEEP_SECONDS).samples.length).toBe(whole.split('\n').length - 1)
    expect(readFileSync(path, 'utf8')).toBe(whole)
    writeFileSync(path, `{"name":"BTC"}\n${whole}`)
    expect(() => sampleFile(path, KEEP_SECONDS)).toThrow(/line 1/)
    writeFileSync(path, whole)
    const none = join(seats[0]!.folder, 'none.jsonl')
    expect(sampleFile(none, 5).samples).toEqual([])
    expect(existsSync(none)).toBe(true)
  })
})

describe('a second look', () => {
  test('after an interval has ended confirms what was said before it', async () => {
    await wholeInterval([0.001, 0.001, 0.001, 0.001])
    await round()
    const start = await boundary()
    await setTime(BigInt(start - 30))
    // A tenth more is beyond the band: indicative until the large quorum has looked again.
    await look(0.001, seats, 6700)
    const { report, isConfirmed } = await round()
    expect(isConfirmed).toBe(false)
    const before = await base()
    expect(marketOf(report)).toMatchObject({ accrual: { base: before!.number, premium: null } })
    await setTime(BigInt(start + 40))
    await look(0.001, seats, 6700)
    await confirmTable({ ...options, peers: peers() }, report)
    expect((await base())!.number).toBe(Number(report.number))
    // And back, in the same way, for the tests that follow.
    await setTime((await now()) + 60n)
    await look(0.001)
    const { report: back } = await round()
    await setTime((await now()) + 60n)
    await look(0.001)
    await confirmTable({ ...options, peers: peers() }, back)
    expect(await verify(back.number)).toMatchObject({ holds: true })
  })
})

describe('who lies about funding', () => {
  const proposalOf = async (change: (market: MarketDocument) => MarketDocument) => {
    const { market } = await seats[0]!.signer.observe(clock)
    return seats[1]!.signer.report(
      999n,
      clock,
      [FUTURE.id, PERPETUAL_ID],
      marketBytes(change(market)),
    )
  }
  const withState = (market: MarketDocument, state: object): MarketDocument => ({
    ...market,
    perpetuals: [{ ...perpOf(market), ...state }],
  })

  test('as collector: the premium within its tolerance, the funding that follows, or nothing', async () => {
    await wholeInterval([0.001, 0.001, 0.001, 0.001])
    const from = await base()
    const said = async (shift: bigint, change: object = {}) =>
      proposalOf((market) => {
        const { accrual } = perpOf(market)
        const premium = String((Math.round(Number(accrual!.premium) * 1e9) + Number(shift)) / 1e9)
        const moved = { ...perpOf(market), accrual: { ...accrual!, premium } }
        const state = withFunding(moved, givenOf(market, from, SPECS))
        return withState(market, { ...state, ...change })
      })
    // Five basis points are 500,000 billionths.
    await expect(said(500_001n)).rejects.toThrow('ProposalMustBeNear')
    await expect(said(-500_001n)).rejects.toThrow('ProposalMustBeNear')
    await expect(said(0n, { funding: '99' })).rejects.toThrow('FundingMustFollowPremium')
    await expect(said(0n, { basis: '0.04' })).rejects.toThrow('ProposalMustBeNear')
    await expect(said(0n, { accrual: { base: 1, premium: '0.001' } })).rejects.toThrow(
      'PolicyMustMatch',
    )
    await expect(said(0n, { accrual: { base: from!.number, premium: null } })).rejects.toThrow(
      'PolicyMustMatch',
    )
    await expect(said(0n, { accrual: null })).rejects.toThrow('PolicyMustMatch')
    await expect(said(0n, { id: 1025 })).rejects.toThrow('PolicyMustMatch')
    await expect(said(500_000n)).resolves.toMatchObject({ signer: seats[1]!.signer.address })
    await setTime((await now()) + 60n)
    await look(0.001)
  })
  test('as two of five: the median is an honest one', async () => {
    const { report, answers } = await (async () => {
      for (const { folder } of seats.slice(0, 2))
        for (const n of [1, 2, 3])
          writeFileSync(
            join(folder, `PERP-${n}.json`),
            JSON.stringify({ price: '9999', time: clock + 1 }),
          )
      await setTime((await now()) + 1n)
      clock = Number(await now())
      for (const { folder } of seats.slice(2)) {
        for (const n of [1, 2, 3])
          writeFileSync(
            join(folder, `PERP-${n}.json`),
            JSON.stringify({ price: '6073.077', time: clock }),
          )
      }
      return round()
    })()
    expect(signers(answers)).toEqual([false, false, true, true, true])
    expect(Number(marketOf(report).basis)).toBeCloseTo(0.001, 4)
  })
  test('as a quorum: L1 takes it, and verify names it', async () => {
    await setTime((await now()) + 60n)
    await look(0.001)
    const { market } = await seats[0]!.signer.observe(clock)
    const lied = withState(market, { funding: '1000' })
    const table = computeTable(lied, SPECS.slice(1), STANDARD_WORLDS)
    const { number } = (await base())!
    const report = reportOf(table, {
      number: BigInt(number) + 1n,
      time: BigInt(clock),
      ...documents,
      market: lied,
    })
    const digest = tableDigest(world.domain, report)
    await send(
      world.anyone,
      world.oracle,
      'post',
      report,
      KEYS.slice(0, 3).map((key) => signDigest(key, digest)),
    )
    const { holds, checks } = await verify(report.number)
    expect(holds).toBe(false)
    expect(checks.filter((one) => !one.holds)).toEqual([
      {
        what: `funding of perpetual ${PERPETUAL_ID}`,
        posted: '1000',
        holds: false,
        expected: perpOf(market).funding,
      },
    ])
  })
})

describe('a halted instrument', () => {
  test('keeps its value, says so in its row, needs no quotes and pays no funding', async () => {
    const before = perpOf((await base())!.market)
    halted = [PERPETUAL_ID, 7777]
    for (const i of KEYS.keys()) await sit(i)
    const start = await boundary()
    await setTime(BigInt(start + INTERVAL + 10))
    clock = Number(await now())
    for (const { folder } of seats) writePrices(folder, CALM, clock)
    const { report, isConfirmed, answers } = await round()
    expect([isConfirmed, signers(answers)]).toEqual([true, [true, true, true, true, true]])
    expect(marketOf(report)).toMatchObject({
      basis: before.basis,
      funding: before.funding,
      accrual: { premium: null },
    })
    expect(decodeMarks(report.marks).map(({ status }) => status)).toEqual([1, 2])
    expect(await verify(report.number)).toMatchObject({ holds: true })
    // But for the word, the rows are those of a market without the halt.
    const market = readMarket(report.market)
    const [open, shut] = [{ ...market, halted: [] }, market].map(
      (one) => tableOf(computeTable(one, SPECS.slice(1), STANDARD_WORLDS).rows).rows,
    )
    expect(shut!.map(({ values, addOn }) => [values, addOn])).toEqual(
      open!.map(({ values, addOn }) => [values, addOn]),
    )
    expect(shut!.map(({ status }) => status)).toEqual(['live', 'expired'])
  })
})
