/** Tokens that lie, refuse or shrink harm their own holders at most, never another token's. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { createBatch, submit } from './batch-data.ts'
import { deploy, send, setTime, type World } from './l1.ts'
import {
  MARKS,
  ask,
  claimEscape,
  freezeForNoBatch,
  memberWorld,
  paymentsTree,
  postTable,
  proofOf,
  setEscapeVerifier,
  standard,
} from './exits.ts'

const LOTS = 100n

/** The token is listed as 2 with 100 lots credited, 10 of them owed to alice; 50 lots of cash besides. */
async function tokenWorld(
  name: string,
  unit = 1n,
  args: readonly unknown[] = [],
): Promise<{
  world: World
  token: ethers.Contract
  claim: readonly unknown[]
}> {
  const world = await memberWorld(2, 50n)
  const { cloister, members, admin, address } = world
  const [alice] = members as [string]
  const token = await deploy(name, ...args)
  await send(admin, cloister, 'addToken', 2n, await token.getAddress(), unit, 1n << 40n)
  await send(alice, token, 'mint', alice, LOTS * unit)
  await send(alice, token, 'approve', address, ethers.MaxUint256)
  await send(alice, cloister, 'deposit', 2n, LOTS, 5n)
  const payment = { token: 2n, amount: 10n, to: ethers.getAddress(alice) }
  await submit(
    world,
    await createBatch(world, { shape: standard, depositIds: [2n], withdrawals: [payment] }),
  )
  const batch: bigint = await ask(world, 'batchNumber')
  const proof = proofOf(paymentsTree(world, batch, [payment]), 0)
  return { world, token, claim: [batch, 0n, 2n, 10n, payment.to, proof] }
}

/** Alice claims half of what all is worth, and the window ends. */
async function escaped(world: World): Promise<void> {
  await send(world.admin, await setEscapeVerifier(world), 'acceptAll')
  await postTable(world)
  await freezeForNoBatch(world)
  // The pot: 50 of cash, 90 lots of mark 3.
  await claimEscape(world, world.members[0]!, 16n, 160n)
  await setTime((await ask(world, 'escape')).claimsEndAt + 1n)
  await send(world.members[5]!, world.cloister, 'valuePot', MARKS)
}

const pay = (world: World, token: bigint, to = world.members[0]!) =>
  send(world.members[0]!, world.cloister, 'escapePay', 16n, token, to)

test.each([
  ['StingyToken', 'SafeERC20FailedOperation'],
  ['PausedToken', 'paused'],
])('%s: what is not paid stays payable, and the cash is paid', async (name, error) => {
  const { world, token, claim } = await tokenWorld(name)
  const [alice, bob] = world.members as [string, string]
  if (name === 'PausedToken') await send(bob, token, 'pause', true)
  await expect(send(bob, world.cloister, 'claim', ...claim)).rejects.toThrow(error)
  expect(await ask(world, 'owed', 2n)).toBe(10n)
  expect(await ask(world, 'isClaimed', claim[0], 0n)).toBe(false)
  await escaped(world)
  await expect(pay(world, 2n)).rejects.toThrow(error)
  expect(await ask(world, 'vault', 2n)).toBe(LOTS)
  const before: bigint = await world.dollar.getFunction('balanceOf')(alice)
  await pay(world, 1n)
  expect((await world.dollar.getFunction('balanceOf')(alice)) - before).toBe(25n * 100n)
  if (name !== 'PausedToken') return
  await send(bob, token, 'pause', false)
  await send(bob, world.cloister, 'claim', ...claim)
  await pay(world, 2n)
  expect(await token.getFunction('balanceOf')(alice)).toBe(10n + 45n)
})

test('a balance that shrank is short at the end, for its own token alone', async () => {
  const { world, token, claim } = await tokenWorld('RebaseToken')
  const [alice, bob] = world.members as [string, string]
  await send(bob, token, 'shrink', world.address, 60n)
  await send(bob, world.cloister, 'claim', ...claim)
  await escaped(world)
  await expect(pay(world, 2n)).rejects.toThrow('ERC20InsufficientBalance')
  await pay(world, 1n)
  // Once somebody makes up for it the share is paid in full.
  await send(bob, token, 'mint', world.address, 60n)
  await pay(world, 2n)
  expect(await token.getFunction('balanceOf')(alice)).toBe(10n + 45n)
})

test.each([
  ['0 decimals', 0, 1n],
  ['24 decimals', 24, 10n ** 18n],
  ['the widest unit', 24, (1n << 96n) - 1n],
])('%s: lots times unit, in and out', async (_, places, unit) => {
  const { world, token, claim } = await tokenWorld('DecimalsToken', unit, [places])
  const [alice] = world.members as [string]
  const held = (of: string): Promise<bigint> => token.getFunction('balanceOf')(of)
  expect(await held(world.address)).toBe(LOTS * unit)
  await send(alice, world.cloister, 'claim', ...claim)
  expect(await held(alice)).toBe(10n * unit)
  await escaped(world)
  await pay(world, 2n)
  expect(await held(alice)).toBe(55n * unit)
  expect(await held(world.address)).toBe(45n * unit)
})

test('a donation changes no total, no pot and no share', async () => {
  const { world, token } = await tokenWorld('RebaseToken')
  await send(world.members[1]!, token, 'mint', world.address, 1_000n)
  await escaped(world)
  expect(await ask(world, 'pot', 2n)).toBe(90n)
  await pay(world, 2n)
  expect(await token.getFunction('balanceOf')(world.members[0]!)).toBe(45n)
})
