/** A token that calls back during every payment finds every door that moves money closed. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { PROOF, createBatch, submit } from './batch-data.ts'
import { TERMS, deploy, provider, send, setTime, type World } from './l1.ts'
import {
  MARKS,
  ask,
  freezeForNoBatch,
  memberWorld,
  postTable,
  setEscapeVerifier,
  standard,
} from './exits.ts'

const CLOSED = ethers.id('ReentrancyGuardReentrantCall()').slice(0, 10)

/** The token owns account 16, so that only the guard stands in its way. */
async function hostileWorld(): Promise<{
  world: World
  token: ethers.Contract
  at: string
  act: (name: string, ...args: unknown[]) => Promise<unknown>
  tryAll: (
    calls: readonly (readonly [string, ...unknown[]])[],
    outer: () => Promise<unknown>,
  ) => Promise<void>
}> {
  const world = await memberWorld(2, 500n)
  const { cloister, members, address, admin } = world
  const [alice] = members as [string]
  const token = await deploy('ReentrantToken')
  const at = await token.getAddress()
  await send(admin, cloister, 'addToken', 2n, at, 1n, 100_000n)
  await provider.send('hardhat_setBalance', [at, '0xde0b6b3a7640000'])
  const data = (name: string, args: readonly unknown[]) =>
    cloister.interface.encodeFunctionData(name, args)
  const act = (name: string, ...args: unknown[]) =>
    send(alice, token, 'act', address, data(name, args))
  await send(alice, cloister, 'offerL1Owner', 16n, at)
  await act('acceptL1Owner', 16n)
  await send(alice, token, 'mint', at, 10_000n)
  await send(
    alice,
    token,
    'act',
    at,
    token.interface.encodeFunctionData('approve', [address, 10_000n]),
  )
  const tryAll = async (
    calls: readonly (readonly [string, ...unknown[]])[],
    outer: () => Promise<unknown>,
  ) => {
    for (const [name, ...args] of calls) {
      const snapshot = await provider.send('evm_snapshot', [])
      await send(alice, token, 'callBack', address, data(name, args))
      await outer()
      expect(await token.getFunction('succeeded')(), name).toBe(false)
      expect(await token.getFunction('answer')(), name).toBe(CLOSED)
      await provider.send('evm_revert', [snapshot])
    }
    await outer()
  }
  return { world, token, at, act, tryAll }
}

test('during a deposit, a refund, a claim: deposit, refund, claim, forced exit', async () => {
  const { world, at, act, tryAll } = await hostileWorld()
  const deposit = ['deposit', 2n, 1n, 1n] as const
  const force = ['forceExit', 16n, 2n, at] as const
  await tryAll([deposit, force], () => act('deposit', 2n, 20n, 1n))
  await act('deposit', 2n, 30n, 1n)
  await act('requestRefund', 3n)
  await submit(
    world,
    await createBatch(world, {
      shape: standard,
      depositIds: [2n],
      withdrawals: [{ token: 2n, amount: 4n, to: at }],
    }),
  )
  const claim = ['claim', await ask(world, 'batchNumber'), 0n, 2n, 4n, at, []] as const
  await setTime((await ask(world, 'deposits', 3n)).refundRequestedAt + TERMS.refundDelay)
  await tryAll([['takeRefund', 3n], deposit, force, claim], () => act('takeRefund', 3n))
  await tryAll([claim, deposit, force], () => act(...claim))
  expect(await ask(world, 'vault', 2n)).toBe(16n)
})

test('during a share of the pot: the same share, another one, a refund, a claim', async () => {
  const { world, token, at, act, tryAll } = await hostileWorld()
  const verifier = await setEscapeVerifier(world)
  await send(world.admin, verifier, 'acceptAll')
  await act('deposit', 2n, 100n, 1n)
  await act('deposit', 2n, 30n, 1n)
  await submit(
    world,
    await createBatch(world, {
      shape: standard,
      depositIds: [2n],
      withdrawals: [{ token: 2n, amount: 10n, to: at }],
    }),
  )
  const claim = ['claim', await ask(world, 'batchNumber'), 0n, 2n, 10n, at, []] as const
  await postTable(world)
  await freezeForNoBatch(world)
  await act('escapeClaim', 1n, 16n, 770n, PROOF)
  await setTime((await ask(world, 'escape')).claimsEndAt + 1n)
  await act('valuePot', MARKS)
  // 500 of cash and 90 of mark 3: worth 770, all of it claimed.
  const share = ['escapePay', 16n, 2n, at] as const
  await tryAll([share, ['escapePay', 16n, 1n, at], ['takeRefund', 3n], claim], () => act(...share))
  expect(await ask(world, 'vault', 2n)).toBe(40n)
  await tryAll([['escapePay', 16n, 1n, at], claim], () => act('takeRefund', 3n))
  await act(...claim)
  expect(await ask(world, 'vault', 2n)).toBe(0n)
  expect(await token.getFunction('balanceOf')(world.address)).toBe(0n)
})

test('a caller that is paid its change cannot ask again on the way', async () => {
  const world = await memberWorld(1)
  const greedy = await deploy('GreedyOwner', world.address)
  const at = await greedy.getAddress()
  const [alice] = world.members as [string]
  await send(alice, world.cloister, 'offerL1Owner', 16n, at)
  await send(alice, greedy, 'accept', 16n)
  await provider.send('hardhat_setBalance', [at, '0xde0b6b3a7640000'])
  await send(alice, greedy, 'force', 16n, 1n)
  expect(await greedy.getFunction('answer')()).toBe(CLOSED)
  expect(await ask(world, 'requestCount')).toBe(2n)
})
