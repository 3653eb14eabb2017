import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { createBatch, submit } from './batch-data.ts'
import {
  DOLLAR_UNIT,
  LOT_CAP,
  REFUND_DELAY,
  type World,
  createWorld,
  deploy,
  mustRefuse,
  now,
  send,
  setTime,
} from './l1.ts'

const ask = (world: World, name: string, ...args: unknown[]) =>
  world.cloister.getFunction(name)(...args)

async function addToken(world: World, name: string, id: bigint): Promise<ethers.Contract> {
  const token = await deploy(name)
  await send(world.admin, world.cloister, 'addToken', id, await token.getAddress(), 100n, LOT_CAP)
  const alice = world.members[0]!
  await send(alice, token, 'mint', alice, 1_000_000n)
  await send(alice, token, 'approve', world.address, ethers.MaxUint256)
  return token
}

test('a deposit is pulled exactly and kept for the batches', async () => {
  const world = await createWorld()
  const alice = world.members[0]!
  await send(alice, world.cloister, 'deposit', 1n, 500n, 99n)
  await send(alice, world.cloister, 'deposit', 1n, 1n, FIELD_MODULUS - 1n)
  expect(await world.dollar.getFunction('balanceOf')(world.address)).toBe(501n * DOLLAR_UNIT)
  expect(await ask(world, 'vault', 1n)).toBe(501n)
  expect(await ask(world, 'unconsumedDeposits', 1n)).toBe(501n)
  expect(await ask(world, 'depositCount')).toBe(2n)
  expect([...(await ask(world, 'deposits', 1n))]).toEqual([
    99n,
    ethers.getAddress(alice),
    0n,
    1n,
    500n,
    1n,
  ])
})

test('a deposit keeps its bounds', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const alice = members[0]!
  const refuse = (error: string, ...args: unknown[]) =>
    mustRefuse(error, alice, cloister, 'deposit', ...args)
  await refuse('TokenMustBeKnown', 2n, 1n, 1n)
  await refuse('AmountMustBeInRange', 1n, 0n, 1n)
  await refuse('AmountMustBeInRange', 1n, 1n << 55n, 1n)
  await refuse('AmountMustBeInRange', 1n, ethers.MaxUint256, 1n)
  await refuse('CommitmentMustBeNonzero', 1n, 1n, 0n)
  await refuse('WordMustBeBelowModulus', 1n, 1n, FIELD_MODULUS)
  await refuse('WordMustBeBelowModulus', 1n, 1n, FIELD_MODULUS + 1n)
  await send(alice, cloister, 'deposit', 1n, 1n, 1n)
  await refuse('DepositMustFitCap', 1n, LOT_CAP, 1n)
  await expect(send(members[9]!, cloister, 'deposit', 1n, 1n, 1n)).rejects.toThrow(
    /ERC20InsufficientAllowance/,
  )
})

test('a token that lies about what it moved is refused', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const alice = members[0]!
  const refuse = (error: string, id: bigint) =>
    mustRefuse(error, alice, cloister, 'deposit', id, 10n, 1n)
  await addToken(world, 'FeeToken', 2n)
  expect([...(await refuse('DepositMustBeExact', 2n))]).toEqual([1000n, 990n])
  await addToken(world, 'FalseToken', 3n)
  await refuse('SafeERC20FailedOperation', 3n)
  await addToken(world, 'IdleToken', 4n)
  expect([...(await refuse('DepositMustBeExact', 4n))]).toEqual([1000n, 0n])
  const thief = await addToken(world, 'ThiefToken', 5n)
  await send(alice, thief, 'mint', world.address, 5n)
  await refuse('DepositMustBeExact', 5n)
})

test('a token that returns nothing but pays is taken, and paid back', async () => {
  const world = await createWorld()
  const alice = world.members[0]!
  const token = await addToken(world, 'VoidToken', 2n)
  await send(alice, world.cloister, 'deposit', 2n, 10n, 1n)
  await send(alice, world.cloister, 'requestRefund', 1n)
  await setTime((await now()) + REFUND_DELAY)
  await send(alice, world.cloister, 'takeRefund', 1n)
  expect(await token.getFunction('balanceOf')(alice)).toBe(1_000_000n)
})

test('a refund is requested by the depositor, and taken once after the delay', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const [alice, bob] = members as [string, string]
  const before = await world.dollar.getFunction('balanceOf')(alice)
  await send(alice, cloister, 'deposit', 1n, 500n, 99n)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'requestRefund', 0n)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'requestRefund', 2n)
  await mustRefuse('CallerMustBeDepositor', bob, cloister, 'requestRefund', 1n)
  await mustRefuse('RefundMustBeRequested', alice, cloister, 'takeRefund', 1n)
  await send(alice, cloister, 'requestRefund', 1n)
  const requestedAt = await now()
  await mustRefuse('RefundMustNotBeRequested', alice, cloister, 'requestRefund', 1n)
  await mustRefuse('RefundMustBeDue', alice, cloister, 'takeRefund', 1n)
  await setTime(requestedAt + REFUND_DELAY - 1n)
  await mustRefuse('RefundMustBeDue', alice, cloister, 'takeRefund', 1n)
  await setTime(requestedAt + REFUND_DELAY)
  await mustRefuse('CallerMustBeDepositor', bob, cloister, 'takeRefund', 1n)
  await send(alice, cloister, 'takeRefund', 1n)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'takeRefund', 1n)
  expect(await world.dollar.getFunction('balanceOf')(alice)).toBe(before)
  expect(await ask(world, 'vault', 1n)).toBe(0n)
  expect(await ask(world, 'unconsumedDeposits', 1n)).toBe(0n)
})

test('a requested refund may still be consumed, and then not be taken; nor the other way round', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const alice = members[0]!
  await send(world.admin, world.verifier, 'acceptAll')
  for (const commitment of [7n, 8n]) await send(alice, cloister, 'deposit', 1n, 500n, commitment)
  for (const id of [1n, 2n]) await send(alice, cloister, 'requestRefund', id)
  await submit(world, await createBatch(world, { depositIds: [1n] }))
  await setTime((await now()) + REFUND_DELAY)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'takeRefund', 1n)
  await send(alice, cloister, 'takeRefund', 2n)
  const late = await createBatch(world, { depositIds: [2n] })
  await expect(submit(world, late)).rejects.toThrow(/DepositMustBeOpen/)
  expect(await ask(world, 'vault', 1n)).toBe(500n)
  expect(await ask(world, 'unconsumedDeposits', 1n)).toBe(0n)
})

test('a token that calls back finds the door closed', async () => {
  const world = await createWorld()
  const { cloister, members, address } = world
  const token = await addToken(world, 'ReentrantToken', 2n)
  const alice = members[0]!
  const at = await token.getAddress()
  const data = (name: string, ...args: unknown[]) =>
    cloister.interface.encodeFunctionData(name, args)
  const closed = ethers.id('ReentrancyGuardReentrantCall()').slice(0, 10)
  const mustBeClosed = async () => {
    expect(await token.getFunction('succeeded')()).toBe(false)
    expect(await token.getFunction('answer')()).toBe(closed)
  }
  await send(alice, token, 'callBack', address, data('deposit', 2n, 1n, 1n))
  await send(alice, cloister, 'deposit', 2n, 10n, 1n)
  await mustBeClosed()
  // The token is a depositor itself, so that only the guard stands before a second refund.
  await send(alice, token, 'callBack', ethers.ZeroAddress, '0x')
  await send(alice, token, 'mint', at, 10_000n)
  await send(
    alice,
    token,
    'act',
    at,
    token.interface.encodeFunctionData('approve', [address, 10_000n]),
  )
  await send(alice, token, 'act', address, data('deposit', 2n, 20n, 1n))
  await send(alice, token, 'act', address, data('requestRefund', 2n))
  await setTime((await now()) + REFUND_DELAY)
  await send(alice, token, 'callBack', address, data('takeRefund', 2n))
  await send(alice, token, 'act', address, data('takeRefund', 2n))
  await mustBeClosed()
  expect(await token.getFunction('balanceOf')(address)).toBe(1_000n)
  expect(await ask(world, 'vault', 2n)).toBe(10n)
  // The same during a claim.
  await send(world.admin, world.verifier, 'acceptAll')
  await submit(
    world,
    await createBatch(world, {
      depositIds: [1n],
      withdrawals: [{ token: 2n, amount: 4n, to: alice }],
    }),
  )
  const payment = [1n, 0n, 2n, 4n, alice, []]
  await send(alice, token, 'callBack', address, data('claim', ...payment))
  await send(alice, cloister, 'claim', ...payment)
  await mustBeClosed()
  expect(await ask(world, 'vault', 2n)).toBe(6n)
})
