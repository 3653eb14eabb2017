import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { SETTLEMENT_ROOT, createWorld, mustRefuse, now, send } from './l1.ts'

test('tables are numbered and carry their marks in an event', async () => {
  const { cloister, oracle } = await createWorld()
  const receipt = await send(oracle, cloister, 'postTable', 5n, 6n, ethers.id('w'), '0xabcd', true)
  const event = cloister.interface.parseLog(receipt.logs[0]!)!
  expect([...event.args]).toEqual([2n, 5n, 6n, ethers.id('w'), await now(), '0xabcd'])
  expect(await cloister.getFunction('tableNumber')()).toBe(2n)
  expect([...(await cloister.getFunction('tables')(2n))]).toEqual([
    5n,
    await now(),
    true,
    ethers.keccak256('0xabcd'),
    SETTLEMENT_ROOT,
  ])
  await mustRefuse(
    'WordMustBeBelowModulus',
    oracle,
    cloister,
    'postTable',
    FIELD_MODULUS,
    6n,
    ethers.ZeroHash,
    '0x',
    true,
  )
  await mustRefuse(
    'WordMustBeBelowModulus',
    oracle,
    cloister,
    'postTable',
    5n,
    FIELD_MODULUS,
    ethers.ZeroHash,
    '0x',
    true,
  )
})

test('a settlement value is set once and never changed', async () => {
  const { cloister, oracle } = await createWorld()
  const refuse = (error: string, ids: bigint[], values: bigint[], root = 1n) =>
    mustRefuse(error, oracle, cloister, 'postSettlement', ids, values, root)
  expect(await cloister.getFunction('settlementRoot')()).toBe(SETTLEMENT_ROOT)
  const bound = 1n << 48n
  await send(
    oracle,
    cloister,
    'postSettlement',
    [1024n, 2000n, (1n << 28n) - 1n],
    [0n, 1n - bound, bound - 1n],
    8n,
  )
  expect(await cloister.getFunction('settlementRoot')()).toBe(8n)
  expect([...(await cloister.getFunction('settlement')(1024n))]).toEqual([true, 0n])
  expect([...(await cloister.getFunction('settlement')(2000n))]).toEqual([true, 1n - bound])
  expect([...(await cloister.getFunction('settlement')(2001n))]).toEqual([false, 0n])
  await refuse('SettlementMustBeNew', [1024n], [0n])
  await refuse('SettlementMustBeNew', [3000n, 2000n], [1n, 1n])
  await refuse('SettlementMustBeNew', [3000n, 3000n], [1n, 1n])
  await refuse('SettlementIdMustBeInRange', [1023n], [0n])
  await refuse('SettlementIdMustBeInRange', [1n << 28n], [0n])
  await refuse('SettlementMustFitWidth', [3000n], [bound])
  await refuse('SettlementMustFitWidth', [3000n], [-bound])
  await refuse('SettlementMustFitWidth', [3000n], [-(1n << 255n)])
  await refuse('SettlementListsMustMatch', [3000n], [])
  await refuse('WordMustBeBelowModulus', [3000n], [1n], FIELD_MODULUS)
})
