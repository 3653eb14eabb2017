/** Settlement values: proposed by the quorum, open to a veto for a delay, then final for ever. */
import { id, SigningKey } from 'ethers'
import { describe, expect, test } from 'vitest'
import { emptyRoot } from '../../circuits/tree.ts'
import { FIELD_MODULUS, SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import {
  addressOfKey,
  settlementDigest,
  signDigest,
  type SettlementReport,
} from '../../oracle/signer/report.ts'
import { registerRoot } from '../../oracle/signer/register.ts'
import { settlementReportOf } from '../../oracle/signer/settlement.ts'
import { confirmationDigest } from '../../oracle/signer/report.ts'
import { mustRefuse, now, provider, send } from './l1.ts'
import {
  confirmFirst,
  countedTables,
  createOracleWorld,
  createReport,
  KEYS,
  LISTED,
  post,
  signReport,
  signSettlement,
  signVeto,
  TIMING,
  wait,
  type OracleWorld,
} from './oracle-world.ts'
import { startOverEach } from './start-over.ts'

const EMPTY = emptyRoot(SETTLEMENT_DEPTH)
const EXPIRED = [1024, 1029]
const MARKET_EXPIRY = Date.UTC(2020, 2, 13, 8) / 1000
const WINDOW = Number(TIMING.settlementWindow)
const EXPIRY = (await now()) + 100_000n

// The two that expire do so on the clock of this chain; the document keeps the market's.
const world: OracleWorld = await createOracleWorld({
  settlementRoot: EMPTY,
  expiryOf: (spec) => (EXPIRED.includes(spec.id) ? EXPIRY : spec.kind === 'token' ? 0n : 1n << 40n),
})
const { oracle, cloister, anyone, admin } = world
await confirmFirst(world)
await wait(EXPIRY - (await now()) + 60n)

startOverEach()

function reportFor(price = '5385.87', serial = 1n): SettlementReport {
  return settlementReportOf(INSTRUMENTS, {
    serial,
    ids: EXPIRED,
    settled: [],
    window: [Number(EXPIRY) - WINDOW, Number(EXPIRY)],
    document: {
      version: 1,
      windowStart: MARKET_EXPIRY - WINDOW,
      windowEnd: MARKET_EXPIRY,
      underlyings: [
        { id: 1, name: 'BTC', price },
        { id: 2, name: 'ETH', price: '127.28' },
      ],
    },
  })
}
const report = reportFor()
const settle = (given = report) =>
  send(anyone, oracle, 'settle', given, signSettlement(world, given))
const refuse = (error: string, name: string, ...args: unknown[]) =>
  mustRefuse(error, anyone, oracle, name, ...args)
const refuseSigned = (error: string, change: Partial<SettlementReport>) => {
  const given = { ...report, ...change }
  return refuse(error, 'settle', given, signSettlement(world, given))
}
const signLarge = (given: SettlementReport, keys = KEYS.slice(0, 4)) =>
  keys.map((key) =>
    signDigest(key, confirmationDigest(world.domain, settlementDigest(world.domain, given))),
  )
const valueOf = async (id: number) => [...(await cloister.getFunction('settlement')(id))]
const dueTime = async () => (await oracle.getFunction('pendingSettlement')())[1] as bigint

test('the contract hashes what the signers hash', async () => {
  expect(await oracle.getFunction('settlementDigestOf')(report)).toBe(
    settlementDigest(world.domain, report),
  )
})

test('a change of signers, times or documents does not touch what is pending; the new signers may strike it', async () => {
  await settle()
  const dueAt = await dueTime()
  const fresh = Array.from({ length: 5 }, (_, i) => new SigningKey(id(`fresh ${i}`))).sort(
    (a, b) => (BigInt(addressOfKey(a)) < BigInt(addressOfKey(b)) ? -1 : 1),
  )
  const change = (name: string, ...args: unknown[]) => send(admin, oracle, name, ...args)
  await change('setSigners', fresh.map(addressOfKey), 3n, 4n)
  await change('setTiming', { ...TIMING, challengeDelay: 1n, settlementWindow: 1n })
  await change('setWorlds', '0x7b7d')
  await change('list', [], '0x7b7d')
  expect(await dueTime()).toBe(dueAt)
  await refuse('SettlementMustBeDue', 'finaliseSettlement', report)
  // Who was a signer once strikes nothing any more.
  await refuse('SignerMustBeAuthorised', 'vetoSettlement', 1n, signVeto(world, report))
  const snapshot = await provider.send('evm_snapshot', [])
  await send(anyone, oracle, 'vetoSettlement', 1n, signVeto(world, report, fresh.slice(0, 4)))
  await provider.send('evm_revert', [snapshot])
  await wait(dueAt - (await now()))
  await send(anyone, oracle, 'finaliseSettlement', report)
  expect(await valueOf(1024)).toEqual([true, 53_858_700n])
})

test('after its delay the values are in the register, and their rows leave the table', async () => {
  await settle()
  expect(await valueOf(1024)).toEqual([false, 0n])
  await wait((await dueTime()) - (await now()))
  await send(anyone, oracle, 'finaliseSettlement', report)
  expect(await valueOf(1024)).toEqual([true, 53_858_700n])
  expect(await valueOf(1029)).toEqual([true, 16_141_300n])
  expect(await cloister.getFunction('settlementRoot')()).toBe(
    registerRoot([
      { id: 1024, value: 53_858_700n },
      { id: 1029, value: 16_141_300n },
    ]),
  )
  const kept = LISTED.filter(({ id }) => !EXPIRED.includes(id))
  const full = await createReport(world)
  const before = (await countedTables(world)).length
  await refuse('MarksMustBeListed', 'post', full, signReport(world, full))
  const specs = await createReport(world, { listed: kept })
  // Their specifications stay in the document: only the rows are gone.
  const next = { ...specs, instrumentsHash: full.instrumentsHash }
  await post(world, next)
  expect(await countedTables(world)).toHaveLength(before + 1)
})

describe('before it is final', () => {
  test('nobody is paid, a second too early', async () => {
    await settle()
    await wait((await dueTime()) - (await now()) - 10n)
    await refuse('SettlementMustBeDue', 'finaliseSettlement', report)
    await refuse('SettlementMustNotBePending', 'settle', report, signSettlement(world, report))
  })
  test('only what was proposed becomes final', async () => {
    await settle()
    await wait(TIMING.challengeDelay)
    await refuse('SettlementMustMatch', 'finaliseSettlement', reportFor('5000'))
    await refuse('SettlementMustMatch', 'finaliseSettlement', { ...report, values: [1n, 2n] })
  })
  test('the large quorum strikes it, and its signatures are void for ever', async () => {
    await settle()
    await refuse('QuorumMustSign', 'vetoSettlement', 1n, signVeto(world, report, KEYS.slice(0, 3)))
    await refuse('SignerMustBeAuthorised', 'vetoSettlement', 1n, signLarge(report))
    await send(anyone, oracle, 'vetoSettlement', 1n, signVeto(world, report))
    await refuse('SettlementMustBePending', 'vetoSettlement', 1n, signVeto(world, report))
    await wait(TIMING.challengeDelay)
    await refuse('SettlementMustBePending', 'finaliseSettlement', report)
    await refuse('SettlementMustBeNext', 'settle', report, signSettlement(world, report))
    const again = reportFor('5385.87', 2n)
    await settle(again)
    await refuse('SignerMustBeAuthorised', 'vetoSettlement', 2n, signVeto(world, report))
  })
  test('a guardian strikes it alone, and can do nothing else', async () => {
    const [, , , , , , guardian] = (await provider.send('eth_accounts', [])) as string[]
    await settle()
    await refuse('QuorumMustSign', 'vetoSettlement', 1n, [])
    const role = await oracle.getFunction('GUARDIAN')()
    await send(admin, oracle, 'grantRole', role, guardian)
    await mustRefuse(
      'QuorumMustSign',
      guardian!,
      oracle,
      'replaceSettlement',
      reportFor('1', 2n),
      [],
    )
    await mustRefuse('AccessControlUnauthorizedAccount', guardian!, oracle, 'setWorlds', '0x01')
    await send(guardian!, oracle, 'vetoSettlement', 1n, [])
    expect((await oracle.getFunction('pendingSettlement')())[2]).toBe(false)
  })
  test('a guardian that strikes everything does not strike what the large quorum put there', async () => {
    const [, , , , , , guardian] = (await provider.send('eth_accounts', [])) as string[]
    await send(admin, oracle, 'grantRole', await oracle.getFunction('GUARDIAN')(), guardian)
    const strike = (serial: bigint) => send(guardian!, oracle, 'vetoSettlement', serial, [])
    await settle()
    await strike(1n)
    await settle(reportFor('5385.87', 2n))
    const again = reportFor('5385.87', 3n)
    await send(anyone, oracle, 'replaceSettlement', again, signLarge(again))
    await mustRefuse('QuorumMustSign', guardian!, oracle, 'vetoSettlement', 3n, [])
    const snapshot = await provider.send('evm_snapshot', [])
    // The large quorum itself may, and what comes then is the guardian's to strike again.
    await send(anyone, oracle, 'vetoSettlement', 3n, signVeto(world, again))
    await settle(reportFor('5385.87', 4n))
    await strike(4n)
    await provider.send('evm_revert', [snapshot])
    await wait(TIMING.challengeDelay)
    await send(anyone, oracle, 'finaliseSettlement', again)
    expect((await valueOf(1024))[0]).toBe(true)
  })
  test('the large quorum replaces it, and the delay begins again', async () => {
    await settle()
    await wait(TIMING.challengeDelay / 2n)
    const better = reportFor('5400', 2n)
    await refuse('QuorumMustSign', 'replaceSettlement', better, signLarge(better, KEYS.slice(0, 3)))
    await refuse(
      'SignerMustBeAuthorised',
      'replaceSettlement',
      better,
      signSettlement(world, better, KEYS.slice(0, 4)),
    )
    await send(anyone, oracle, 'replaceSettlement', better, signLarge(better))
    await wait(TIMING.challengeDelay / 2n + 10n)
    await refuse('SettlementMustBeDue', 'finaliseSettlement', better)
    await refuse('SettlementMustMatch', 'finaliseSettlement', report)
    await wait(TIMING.challengeDelay / 2n)
    await send(anyone, oracle, 'finaliseSettlement', better)
    expect(await valueOf(1024)).toEqual([true, 54_000_000n])
  })
})

describe('once due', () => {
  test('it can neither be struck nor replaced, and once final never changed', async () => {
    await settle()
    await wait(TIMING.challengeDelay)
    const other = reportFor('1', 2n)
    await refuse('SettlementMustNotBeDue', 'vetoSettlement', 1n, signVeto(world, report))
    await refuse('SettlementMustNotBeDue', 'replaceSettlement', other, signLarge(other))
    await send(anyone, oracle, 'finaliseSettlement', report)
    await refuse('SettlementMustBePending', 'finaliseSettlement', report)
    const again = { ...other, previousRoot: report.newRoot }
    await refuse('SettlementMustBeListed', 'settle', again, signSettlement(world, again))
    await mustRefuse(
      'ListingMustBeNew',
      admin,
      oracle,
      'list',
      [{ id: 1024n, expiry: 9n, specification: id('another') }],
      '0x7b7d',
    )
  })
})

test('a register that moved meanwhile is not overwritten', async () => {
  await settle()
  await wait(TIMING.challengeDelay)
  // Nobody but the oracle can post there; the admin takes the right for once.
  await send(admin, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), admin)
  await send(admin, cloister, 'postSettlement', [9999n], [1n], 5n)
  await refuse('RegisterMustMatch', 'finaliseSettlement', report)
})

test('what the register has a value of is never listed, whoever posted it', async () => {
  // As a founder could, before the seal: trades in it would be paid at a value known before.
  await send(admin, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), admin)
  await send(admin, cloister, 'postSettlement', [9999n], [1n], 5n)
  const listing = (number: bigint) =>
    [[{ id: number, expiry: 9n, specification: id('a future') }], '0x7b7d'] as const
  await mustRefuse('ListingMustBeNew', admin, oracle, 'list', ...listing(9999n))
  await send(admin, oracle, 'list', ...listing(10_000n))
})

describe('what is not proposed', () => {
  test('too few, doubled, strange or re-ordered signatures', async () => {
    const [a, b, c] = signSettlement(world, report) as [string, string, string]
    await refuse('QuorumMustSign', 'settle', report, [a, b])
    await refuse('SignersMustBeDistinct', 'settle', report, [a, b, b])
    await refuse('SignersMustBeDistinct', 'settle', report, [b, a, c])
    await refuse('SignerMustBeAuthorised', 'settle', { ...report, values: [1n, 2n] }, [a, b, c])
  })
  test('another serial, root, window or expiry', async () => {
    await refuseSigned('SettlementMustBeNext', { serial: 0n })
    await refuseSigned('SettlementMustBeNext', { serial: 2n })
    await refuseSigned('RegisterMustMatch', { previousRoot: EMPTY + 1n })
    await refuseSigned('WindowMustMatch', { windowStart: report.windowStart + 1n })
    await refuseSigned('WindowMustMatch', { windowStart: report.windowStart - 1n })
    await refuseSigned('WindowMustMatch', { windowStart: report.windowEnd })
    await refuseSigned('ExpiryMustMatch', {
      windowStart: report.windowStart - 1n,
      windowEnd: report.windowEnd - 1n,
    })
    const later = (await now()) + 1000n
    await refuseSigned('ExpiryMustHavePassed', {
      windowStart: later - TIMING.settlementWindow,
      windowEnd: later,
    })
    await refuseSigned('DocumentMustBeInRange', { data: '0x' })
  })
  /** What is proposed and then refused by the house would be pending for good. */
  test('more than the register has room for; as much is', async () => {
    await send(admin, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), admin)
    const fill = (count: number) => {
      const ids = Array.from({ length: count }, (_, i) => BigInt(9000 + i))
      return send(
        admin,
        cloister,
        'postSettlement',
        ids,
        ids.map(() => 1n),
        EMPTY,
      )
    }
    const snapshot = await provider.send('evm_snapshot', [])
    await fill(127)
    await refuse('SettlementMustHaveRoom', 'settle', report, signSettlement(world, report))
    await provider.send('evm_revert', [snapshot])
    await fill(126)
    await settle()
    await wait(TIMING.challengeDelay)
    await send(anyone, oracle, 'finaliseSettlement', report)
    expect(await cloister.getFunction('settlementRoom')()).toBe(0n)
  })
  /** Once due it could be neither posted nor struck, and nothing would ever be settled again. */
  test('what the house would never take', async () => {
    await refuseSigned('SettlementRootMustBeWord', { newRoot: FIELD_MODULUS })
    await settle({ ...report, newRoot: FIELD_MODULUS - 1n })
    await wait(TIMING.challengeDelay)
    await send(anyone, oracle, 'finaliseSettlement', { ...report, newRoot: FIELD_MODULUS - 1n })
  })
  test('ids twice, out of order, unlisted, not expired, or values that do not fit', async () => {
    const lists = (ids: bigint[], values: bigint[]) => ({ ids, values })
    await refuseSigned('SettlementListsMustMatch', lists([], []))
    await refuseSigned('SettlementListsMustMatch', lists([1024n, 1029n], [1n]))
    await refuseSigned('SettlementIdsMustAscend', lists([1029n, 1024n], [1n, 1n]))
    await refuseSigned('SettlementIdsMustAscend', lists([1024n, 1024n], [1n, 1n]))
    await refuseSigned('SettlementMustBeListed', lists([1050n], [1n]))
    await refuseSigned('ExpiryMustMatch', lists([1025n], [1n]))
    await refuseSigned('ExpiryMustMatch', lists([2n], [1n]))
    await refuseSigned('SettlementMustFitWidth', lists([1024n], [1n << 48n]))
    await refuseSigned('SettlementMustFitWidth', lists([1024n], [-(1n << 48n)]))
  })
})
