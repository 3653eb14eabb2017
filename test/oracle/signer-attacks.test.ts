/** End to end: what one lying signer, a collector or an eavesdropper may try with a round's words. */
import { beforeEach, describe, expect, test } from 'vitest'
import { gatherTable, medianSettlement } from '../../oracle/collector/gather.ts'
import { postTable, readState, TableMustWait } from '../../oracle/collector/rounds.ts'
import {
  computeTable,
  marketBytes,
  readMarket,
  STANDARD_WORLDS,
} from '../../oracle/signer/engine.ts'
import { registerRoot } from '../../oracle/signer/register.ts'
import {
  reportOf,
  signDigest,
  signerOf,
  tableDigest,
  type TableReport,
} from '../../oracle/signer/report.ts'
import {
  readSettlement,
  settlementBytes,
  type SettlementDocument,
} from '../../oracle/signer/settlement.ts'
import { verifySettlement } from '../../oracle/verify/settlement.ts'
import { DATED, marketDocument } from '../contracts/oracle-market.ts'
import { now, provider, send } from '../contracts/l1.ts'
import { countedTables, KEYS, TIMING } from '../contracts/oracle-world.ts'
import { fiveSigners } from './five.ts'
import { CALM, LIMITS, type Prices } from './signers.ts'

const SHORT = 1029
const EXPIRY = (await now()) + 20_000n
/** It expires before any signer looked, so nobody can average its window. */
const UNSEEN = 1028
const later = (id: number) => (id === SHORT ? 0 : id === UNSEEN ? -5_000 : 40_000_000)
const SPECS = DATED.map((spec) =>
  'expiry' in spec ? { ...spec, expiry: Number(EXPIRY) + later(spec.id) } : spec,
)
const LIST = SPECS.filter(({ kind }) => kind !== 'cash')

const five = await fiveSigners(SPECS)
const { world, nodes, options, documents, look, pass } = five

const rootOf = () => computeTable(marketDocument(five.clock()), LIST, STANDARD_WORLDS).root
const counted = () => countedTables(world)
/** The first of the list lies; what it is given to change is its own node's. */
const withFirst = (lie: Parameters<typeof five.withLiarAt>[1]) => five.withLiarAt(0, lie)

describe('the first signer of the list', () => {
  test.each([-7, 7, 1_000_000_000])(
    "says a time %i s off: the others' table stands",
    async (off) => {
      const peers = await withFirst((path, said) =>
        path.startsWith('/observation')
          ? { ...said, market: { ...(said['market'] as object), time: five.clock() + off } }
          : said,
      )
      const { report } = await postTable({ ...options, peers })
      expect(report.tableRoot).toBe(rootOf())
      expect((await counted()).at(-1)).toBe(rootOf())
    },
  )
  test.each([0, 8])(
    'signs with another recovery byte (%i): its word does not spoil the call',
    async (more) => {
      const peers = await withFirst((path, said) => {
        const signature = String(said['signature'])
        const last = Number(`0x${signature.slice(-2)}`) - 27 + (more === 0 ? 0 : 27 + more)
        return path === '/report'
          ? { ...said, signature: signature.slice(0, -2) + last.toString(16).padStart(2, '0') }
          : said
      })
      const { report, answers } = await postTable({ ...options, peers })
      expect(answers.map((one) => 'digest' in one)).toEqual([false, true, true, true, true])
      expect(report.tableRoot).toBe(rootOf())
    },
  )
  test('the contract takes no other recovery byte either', () => {
    const digest = `0x${'ab'.repeat(32)}`
    const good = signDigest(KEYS[0]!, digest)
    expect(signerOf(digest, good)).toBe(nodes[0]!.address)
    for (const last of ['00', '01', '02', '1a', '1d', '23', '24', 'ff'])
      expect(signerOf(digest, good.slice(0, -2) + last)).toBeNull()
  })
  test('quotes a perpetual finer than a premium is: it is no market', () => {
    const state = { id: 1100, basis: '0.001', funding: '0', accrual: { base: 1, premium: null } }
    const bytes = (change: object) =>
      marketBytes({ ...marketDocument(5), perpetuals: [{ ...state, ...change }] })
    expect(readMarket(bytes({})).perpetuals).toHaveLength(1)
    expect(() => readMarket(bytes({ basis: '0.0000000001' }))).toThrow('at most 9 digits')
    expect(() => readMarket(bytes({ funding: '0.0000001' }))).toThrow('at most 6 digits')
  })
})

describe('what a round has signed', () => {
  const gathered = async () => {
    const { domain, quorum, next: number, time, history } = await readState(options)
    return gatherTable(nodes, {
      domain,
      quorum,
      number,
      time,
      rows: history.listed,
      limits: LIMITS,
    })
  }
  const post = (report: TableReport, signatures: readonly string[]) =>
    send(world.anyone, world.oracle, 'post', report, signatures)

  test('counts in one order alone, and once', async () => {
    const { report, signatures } = await gathered()
    expect(signatures).toHaveLength(5)
    const before = await counted()
    await expect(post(report, [...signatures].reverse())).rejects.toThrow('SignersMustBeDistinct')
    await expect(post(report, [signatures[0]!, signatures[0]!, signatures[1]!])).rejects.toThrow(
      'SignersMustBeDistinct',
    )
    await expect(post(report, signatures.slice(0, 2))).rejects.toThrow('Quorum')
    expect(await counted()).toEqual(before)
    await post(report, signatures.slice(2))
    expect(await counted()).toEqual([...before, report.tableRoot])
    await expect(post(report, signatures)).rejects.toThrow('NumberMustBeNext')
    await expect(
      send(world.anyone, world.oracle, 'confirm', report.number, signatures),
    ).rejects.toThrow('ReportMustBeIndicative')
  })
  test('and was held back is neither posted after a later one nor when it is old', async () => {
    const early = await gathered()
    await pass(30n)
    const late = await gathered()
    await post(late.report, late.signatures)
    await expect(post(early.report, early.signatures)).rejects.toThrow('NumberMustBeNext')
    // Under the next number the signatures are of another report.
    const number = late.report.number + 1n
    await expect(post({ ...early.report, number }, early.signatures)).rejects.toThrow(
      /TimeMustAdvance|SignerMustBeAuthorised/,
    )
    await pass(30n)
    const old = await gathered()
    await pass(TIMING.maxAge + 10n)
    const before = await counted()
    await expect(post(old.report, old.signatures)).rejects.toThrow('TimeMustBeFresh')
    expect(await counted()).toEqual(before)
  })
  test('is no confirmation, and no answer to a later question', async () => {
    await look({ ...CALM, BTC: '4100' })
    const { report, signatures } = await gathered()
    await post(report, signatures)
    await expect(
      send(world.anyone, world.oracle, 'confirm', report.number, signatures),
    ).rejects.toThrow('SignerMustBeAuthorised')
    const before = await counted()
    await pass(30n)
    // A signer that replays what the first round had is left out of the second.
    const said = { signer: '', report, digest: '', signature: signatures[0] }
    const peers = await withFirst((path, own) => (path === '/report' ? said : own))
    const { answers, report: next } = await postTable({ ...options, peers })
    expect(answers[0]).toHaveProperty('problem')
    expect(await counted()).toEqual([...before, next.tableRoot])
  })
  test('for this contract counts at no other', async () => {
    const { report, signatures } = await gathered()
    const other = tableDigest({ ...world.domain, contract: world.anyone }, report)
    expect(signerOf(other, signatures[0]!)).not.toBe(nodes[0]!.address)
    const again = reportOf(computeTable(readMarket(report.market), LIST, STANDARD_WORLDS), {
      number: report.number,
      time: report.time,
      ...documents,
      market: readMarket(report.market),
    })
    expect(tableDigest(world.domain, again)).toBe(tableDigest(world.domain, report))
  })
})

describe('a true fall, while two signers deny the large quorum', () => {
  const fallen: Prices = { ...CALM, BTC: '4100' }
  const patient = () => postTable({ ...options, isPatient: true })
  const fall = async () => {
    await look(fallen)
    expect((await patient()).isConfirmed).toBe(false)
  }
  test('is confirmed by the next table that agrees, however often the collector comes', async () => {
    const before = (await counted()).length
    await fall()
    for (let i = 0; i < 2; i++) {
      await pass(15n, fallen)
      await expect(patient()).rejects.toThrow(TableMustWait)
    }
    await pass(TIMING.agreementDelay - 30n, fallen)
    expect((await patient()).isConfirmed).toBe(true)
    expect(await counted()).toHaveLength(before + 2)
  })
  test('is never, where every round is posted: the delay begins anew', async () => {
    await fall()
    for (let i = 0; i < 6; i++) {
      await pass(15n, fallen)
      expect((await postTable(options)).isConfirmed).toBe(false)
    }
  })
  test('that is over, or goes on, is posted at once', async () => {
    await fall()
    await pass(15n, { ...CALM, BTC: '3500' })
    expect((await patient()).isConfirmed).toBe(false)
    await pass(15n)
    expect((await patient()).isConfirmed).toBe(true)
    expect((await counted()).at(-1)).toBe(rootOf())
  })
})

describe('a settlement', () => {
  const swapped = (document: SettlementDocument): SettlementDocument => {
    const [btc, eth] = document.underlyings
    return {
      ...document,
      underlyings: [
        { ...btc!, name: eth!.name },
        { ...eth!, name: btc!.name },
      ],
    }
  }
  const windowStart = EXPIRY - TIMING.settlementWindow
  const window = [Number(windowStart), Number(EXPIRY)] as const
  beforeEach(async () => {
    await five.goTo(windowStart - 10n)
    for (const { signer } of nodes) await signer.observe(five.clock())
    await pass(TIMING.settlementWindow / 2n)
    for (const { signer } of nodes) await signer.observe(five.clock())
    await pass(TIMING.settlementWindow)
  })
  test('at the price of another underlying: no signer signs it, and verify finds one that is', async () => {
    const own = await nodes[0]!.signer.averages(...window)
    const proposal = settlementBytes(swapped(own))
    // As collector.
    await expect(nodes[1]!.signer.settlement(1n, [SHORT], [], window, proposal)).rejects.toThrow(
      'NamesMustMatch',
    )
    await expect(
      nodes[1]!.signer.settlementConfirmation(1n, [SHORT], [], window, proposal),
    ).rejects.toThrow('NamesMustMatch')
    // Signed by three all the same.
    await five.settleAs(3, [SHORT], window, swapped(own))
    const verified = await verifySettlement(provider, world.domain.contract, 1n)
    expect(verified.holds).toBe(false)
    expect(verified.checks.filter(({ holds }) => !holds).map(({ what }) => what)).toEqual([
      'name of underlying 1',
      'name of underlying 2',
    ])
  })
  test.each([
    ['names swapped', swapped],
    ['another window', (one: SettlementDocument) => ({ ...one, windowStart: one.windowStart + 1 })],
    [
      'one underlying left out',
      (one: SettlementDocument) => ({ ...one, underlyings: one.underlyings.slice(1) }),
    ],
    [
      'ten times the price',
      (one: SettlementDocument) => ({
        ...one,
        underlyings: one.underlyings.map((each) => ({ ...each, price: '60670.1' })),
      }),
    ],
  ])("with %s from the first signer: the others' stands", async (_what, change) => {
    const peers = await withFirst((path, said) =>
      path.startsWith('/averages') && 'document' in said
        ? { ...said, document: change(said['document'] as SettlementDocument) }
        : said,
    )
    const report = await five.proposed(peers)
    // What nobody saw does not hold up what everybody saw.
    expect(report.ids).toEqual([BigInt(SHORT)])
    // The put is at 7000, the lot 0.01, the price 6067.01.
    expect(report.values).toEqual([9_329_900n])
    expect(report.newRoot).toBe(registerRoot([{ id: SHORT, value: 9_329_900n }]))
    expect(await verifySettlement(provider, world.domain.contract, 1n)).toMatchObject({
      holds: true,
    })
  })
  test('waits while the register has no room, and takes what there is room for', async () => {
    const { cloister } = world
    const admin = world.admin
    await send(admin, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), admin)
    const root = await cloister.getFunction('settlementRoot')()
    const ids = Array.from({ length: 128 }, (_, i) => BigInt(9000 + i))
    await send(
      admin,
      cloister,
      'postSettlement',
      ids,
      ids.map(() => 1n),
      root,
    )
    expect(await five.tend()).toEqual({ did: 'held', count: 2 })
    const operator = ((await provider.send('eth_accounts', [])) as string[])[1]!
    await send(operator, cloister, 'confirmConverted', 64n)
    expect((await five.tend()).did).toBe('proposed')
  })
  test('needs the averages of what expires alone', async () => {
    const { signer } = nodes[1]!
    const own = await signer.averages(...window)
    const only = (i: number) =>
      settlementBytes({ ...own, underlyings: own.underlyings.slice(i, i + 1) })
    const { report } = await signer.settlement(1n, [SHORT], [], window, only(0))
    expect(report.values).toEqual([9_329_900n])
    await expect(signer.settlement(1n, [SHORT], [], window, only(1))).rejects.toThrow('a price')
  })
  test('takes the median of what a quorum knows under one name and in one window', () => {
    const made = (price: string, name = 'BTC', more: readonly string[] = [], end = 9) =>
      readSettlement(
        settlementBytes({
          version: 1,
          windowStart: 1,
          windowEnd: end,
          underlyings: [
            { id: 1, name, price },
            ...more.map((one) => ({ id: 2, name: 'ETH', price: one })),
          ],
        }),
      )
    expect(medianSettlement([made('9', 'ETH'), made('7'), made('5'), made('6')], 3)).toEqual(
      made('6'),
    )
    expect(medianSettlement([made('9', 'ETH'), made('7'), made('5')], 3)).toBeNull()
    expect(medianSettlement([made('9', 'BTC', [], 8), made('7'), made('5')], 3)).toBeNull()
    // What two alone saw is left out; what three saw is not.
    expect(
      medianSettlement([made('7', 'BTC', ['2']), made('5', 'BTC', ['2']), made('6')], 3),
    ).toEqual(made('6'))
    expect(
      medianSettlement(
        [made('7', 'BTC', ['2']), made('5', 'BTC', ['4']), made('6', 'BTC', ['3'])],
        3,
      ),
    ).toEqual(made('6', 'BTC', ['3']))
  })
})

describe('sources of one underlying that fall silent', () => {
  test('make no hole in what is kept of another', async () => {
    const { signer } = nodes[0]!
    const known = (name: string) => signer.log.of(name).length
    const [btc, eth] = [known('BTC'), known('ETH')]
    nodes[0]!.see({ ...CALM, ETH: 'NaN' }, five.clock())
    await expect(signer.observe(five.clock())).rejects.toThrow('SourcesMustSuffice')
    // The refusal does not wait for the other's sources.
    await expect.poll(() => [known('BTC'), known('ETH')]).toEqual([btc + 1, eth])
  })
})
