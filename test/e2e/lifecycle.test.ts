/** From the last trade of an option through expiry, settlement and conversion to money on L1. */
import { Contract } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rebuild } from '../../client/l1/rebuild.ts'
import { PERPETUAL_ID } from '../../oracle/day-2020-03-12.ts'
import { dayModelOf } from '../../oracle/day-model.ts'
import { verifySettlement } from '../../oracle/verify/settlement.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import { convertedCount } from '../../sequencer/converting.ts'
import type { SequencerL1 } from '../../sequencer/l1.ts'
import { provider } from '../contracts/l1.ts'
import { openHouse, type LifecycleHouse } from './lifecycle-house.ts'

const PUT = 1029
const FUTURE = 1024
const LIVE = 1025
const DOLLAR = 1_000_000n
const FUNDS = 100_000n * DOLLAR
/** (7000 - 5167.26) * 0.01: the price that was known through the whole window. */
const PUT_VALUE = 18_327_400n
const FUTURE_VALUE = 51_672_600n
let world: LifecycleHouse
const cashOf = (i: number): bigint => accountOf(i).cash
const accountOf = (i: number) => world.house.ledger.accounts.get(world.members[i]!.account)!
const lotsOf = (i: number, id: number): bigint =>
  accountOf(i).balances.find((b) => b.id === id)?.quantity ?? 0n

beforeAll(async () => {
  world = await openHouse(3)
})
afterAll(async () => {
  await world?.close()
})

describe('the house of a recorded day', () => {
  it('takes tables from the oracle alone: the admin that deployed it cannot post', async () => {
    const abi = [
      'function ORACLE() view returns (bytes32)',
      'function hasRole(bytes32, address) view returns (bool)',
      'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
    ]
    const house = new Contract(world.contract, abi, provider)
    const role = await house.getFunction('ORACLE')()
    const granted = await house.queryFilter(house.filters['RoleGranted']!(role))
    expect(granted.length).toBe(2)
    for (const event of granted) {
      const { account } = (event as unknown as { args: { account: string } }).args
      expect(await house.getFunction('hasRole')(role, account)).toBe(
        account === world.oracleContract,
      )
    }
  })

  it('confirms the first table by the large quorum; then members come, pay in and trade', async () => {
    expect(await world.oracle.table(0)).toEqual({ number: 1, wasIndicative: true, signatures: 5 })
    expect(world.notes.at(-1)).toContain('second look')
    for (const member of world.members) {
      await member.register()
      await member.door.mint(FUNDS)
      await member.deposit(1, FUNDS)
    }
    await world.house.runBatch()
    expect(world.house.mode).toBe('normal')
    const [a, b, c] = world.members as [
      (typeof world.members)[0],
      (typeof world.members)[0],
      (typeof world.members)[0],
    ]
    await world.trade(a, b, PUT, 100n, 2n * DOLLAR)
    await world.trade(c, a, FUTURE, 40n, 76n * DOLLAR)
    await world.trade(b, c, LIVE, 10n, 76n * DOLLAR)
    expect(await world.house.runBatch()).toMatchObject({ trades: 3 })
    expect([lotsOf(0, PUT), lotsOf(1, PUT), lotsOf(2, FUTURE)]).toEqual([100n, -100n, 40n])
  })

  it('signs no perpetual whose document names no funding', async () => {
    const [a, b] = world.members
    await expect(world.trade(a!, b!, PERPETUAL_ID, 1n, 76_703_900n)).rejects.toThrow(
      'FundingMustBeNamed',
    )
  })

  it('settles what expires at the average of its window, after the challenge delay', async () => {
    const before = Number((await provider.getBlock('latest'))!.timestamp)
    const settled = await world.oracle.settle()
    expect(settled.values).toEqual([
      { id: FUTURE, value: String(FUTURE_VALUE) },
      { id: PUT, value: String(PUT_VALUE) },
    ])
    expect(world.notes.filter((line) => line.includes('challenge delay'))).toHaveLength(1)
    // The window is 1,800 s, the delay 7,200 s: neither was skipped.
    expect(Number((await provider.getBlock('latest'))!.timestamp) - before).toBeGreaterThanOrEqual(
      9000,
    )
    const verified = await verifySettlement(provider, world.oracleContract, 1n)
    expect(verified.holds).toBe(true)
    const table = await verifyTable({ provider, contract: world.oracleContract })
    // Fourteen rows: what has settled has left the table.
    expect(table).toMatchObject({ holds: true, isConfirmed: true, rowCount: 14 })
    const { tables } = await rebuild(world.rpcUrl, world.contract)
    expect(dayModelOf(tables.at(-1)!.root)?.instruments.some(({ id }) => id === PUT)).toBe(false)
  })

  it('trades what has settled no more, by the name of the rule', async () => {
    const [a, b] = world.members
    await world.house.watch()
    await expect(world.trade(a!, b!, PUT, 1n, DOLLAR)).rejects.toThrow(
      'SettledBalanceMustBeConverted',
    )
  })

  it('pays the winner on L1: signed before the batch that converts, claimed after it', async () => {
    const [winner] = world.members
    const proceeds = 100n * PUT_VALUE
    const cash = [0, 1, 2].map(cashOf)
    const sum = () => [0, 1, 2].reduce((all, i) => all + cashOf(i), 0n)
    const all = sum()
    // More than all it has is refused, its proceeds are not.
    const to = BigInt(winner!.door.address)
    expect((await winner!.withdraw(1, 2n * FUNDS, to)).rule).toBe('WithdrawalMustLeaveSolvent')
    expect((await winner!.withdraw(1, proceeds, to)).state).toBe('accepted')
    const report = await world.house.runBatch()
    expect(report).toMatchObject({ trades: 0, pages: 1 })
    // Everybody who held something was touched, with or without a page.
    for (const i of [0, 1, 2]) for (const id of [PUT, FUTURE]) expect(lotsOf(i, id)).toBe(0n)
    const flows = [100n * PUT_VALUE - 40n * FUTURE_VALUE, -100n * PUT_VALUE, 40n * FUTURE_VALUE]
    const fee = 100n
    expect([0, 1, 2].map((i) => cashOf(i) - cash[i]!)).toEqual([
      flows[0]! - proceeds - fee,
      flows[1]!,
      flows[2]!,
    ])
    expect(sum()).toBe(all - proceeds - fee)
    // What had not expired is held as before.
    expect([lotsOf(1, LIVE), lotsOf(2, LIVE)]).toEqual([10n, -10n])

    const rebuilt = await rebuild(world.rpcUrl, world.contract)
    expect(rebuilt.faults).toEqual([])
    expect(rebuilt.tree.root).toBe(report!.root)
    expect([...rebuilt.settlements]).toEqual([
      [FUTURE, FUTURE_VALUE],
      [PUT, PUT_VALUE],
    ])
    const before = await winner!.door.tokenBalance()
    await winner!.door.claim([...rebuilt.withdrawals.values()], 0)
    expect((await winner!.door.tokenBalance()) - before).toBe(proceeds)
    await expect(winner!.door.claim([...rebuilt.withdrawals.values()], 0)).rejects.toThrow()
  })

  it("tells L1 what is converted, under the operator's key, beside its batches", async () => {
    const { house } = world
    const l1 = house.l1 as SequencerL1
    expect(convertedCount(house.ledger.accounts.values(), house.core.settlements)).toBe(2)
    expect(await l1.convertedOnL1()).toBe(0)
    await l1.confirmConverted(2)
    expect(await l1.convertedOnL1()).toBe(2)
    await world.trade(world.members[1]!, world.members[2]!, LIVE, 1n, 50n * DOLLAR)
    expect(await house.runBatch()).toMatchObject({ trades: 1 })
  })
})
