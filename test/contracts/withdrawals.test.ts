import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { MerkleTree } from 'merkletreejs'
import { SHAPES } from '../../circuits/params.ts'
import { batchArguments, createBatch, submit } from './batch-data.ts'
import { DOLLAR_UNIT, type World, createWorld, mustRefuse, send } from './l1.ts'

type Payment = { readonly token: bigint; readonly amount: bigint; readonly to: string }
const shape = SHAPES.find(({ name }) => name === 'standard')!
const ask = (world: World, name: string, ...args: unknown[]) =>
  world.cloister.getFunction(name)(...args)

/** 1,000 lots, credited, in the vault. */
async function fundedWorld(): Promise<World> {
  const world = await createWorld()
  await send(world.admin, world.verifier, 'acceptAll')
  await send(world.members[0]!, world.cloister, 'deposit', 1n, 1000n, 5n)
  await submit(world, await createBatch(world, { depositIds: [1n] }))
  return world
}

function keccakTree(world: World, batch: bigint, payments: readonly Payment[]): MerkleTree {
  const leaves = payments.map(({ token, amount, to }, slot) =>
    ethers.keccak256(
      ethers.keccak256(
        ethers.AbiCoder.defaultAbiCoder().encode(
          ['address', 'uint256', 'uint256', 'uint256', 'uint256', 'address'],
          [world.address, batch, slot, token, amount, to],
        ),
      ),
    ),
  )
  return new MerkleTree(leaves, ethers.keccak256, { sortPairs: true })
}

test.each([1, 2, 3, 4])(
  '%i withdrawals are owed, proven with merkletreejs and paid once',
  async (count) => {
    const world = await fundedWorld()
    const payments = Array.from({ length: count }, (_, i) => ({
      token: 1n,
      amount: BigInt(10 + i),
      to: ethers.getAddress(world.members[5 + i]!),
    }))
    await submit(world, await createBatch(world, { shape, withdrawals: payments }))
    const tree = keccakTree(world, 2n, payments)
    expect((await ask(world, 'batches', 2n)).withdrawalsRoot).toBe(tree.getHexRoot())
    const total = payments.reduce((sum, { amount }) => sum + amount, 0n)
    expect(await ask(world, 'owed', 1n)).toBe(total)
    for (const [slot, { token, amount, to }] of payments.entries()) {
      const leaf = await ask(world, 'withdrawalLeaf', 2n, slot, token, amount, to)
      const proof = tree.getHexProof(leaf)
      const call = (...args: unknown[]) =>
        [world.members[9]!, world.cloister, 'claim', ...args] as const
      await mustRefuse('WithdrawalMustBeInBatch', ...call(2n, slot, token, amount + 1n, to, proof))
      await mustRefuse(
        'WithdrawalMustBeInBatch',
        ...call(2n, slot, token, amount, world.operator, proof),
      )
      await mustRefuse('WithdrawalMustBeInBatch', ...call(2n, slot + 256, token, amount, to, proof))
      await mustRefuse('WithdrawalMustBeInBatch', ...call(1n, slot, token, amount, to, proof))
      await mustRefuse(
        'WithdrawalMustBeInBatch',
        ...call(2n, slot, token, amount, to, [...proof, leaf]),
      )
      await send(...call(2n, slot, token, amount, to, proof))
      expect(await world.dollar.getFunction('balanceOf')(to)).toBe(amount * DOLLAR_UNIT)
      expect(await ask(world, 'isClaimed', 2n, slot)).toBe(true)
      await mustRefuse('WithdrawalMustBeUnclaimed', ...call(2n, slot, token, amount, to, proof))
    }
    expect(await ask(world, 'owed', 1n)).toBe(0n)
    expect(await ask(world, 'vault', 1n)).toBe(1000n - total)
  },
)

test('a batch without withdrawals pays nothing, whatever is shown', async () => {
  const world = await fundedWorld()
  for (const proof of [[], [ethers.ZeroHash]]) {
    await mustRefuse(
      'WithdrawalMustBeInBatch',
      world.operator,
      world.cloister,
      'claim',
      1n,
      0n,
      1n,
      1n,
      world.operator,
      proof,
    )
    await mustRefuse(
      'WithdrawalMustBeInBatch',
      world.operator,
      world.cloister,
      'claim',
      9n,
      0n,
      1n,
      1n,
      world.operator,
      proof,
    )
  }
})

test('what is owed and what is not yet credited cannot be withdrawn', async () => {
  const world = await fundedWorld()
  const to = world.members[5]!
  const refuse = async (error: string, payments: readonly Payment[], depositIds: bigint[] = []) =>
    mustRefuse(
      error,
      world.operator,
      world.cloister,
      'submitBatch',
      ...batchArguments(await createBatch(world, { shape, withdrawals: payments, depositIds })),
    )
  const pay = (amount: bigint, token = 1n): Payment => ({ token, amount, to })
  await send(world.members[0]!, world.cloister, 'deposit', 1n, 50n, 5n)
  expect([...(await refuse('WithdrawalMustBeFunded', [pay(1001n)]))]).toEqual([1n, 1001n, 1000n])
  expect([...(await refuse('WithdrawalMustBeFunded', [pay(600n), pay(401n)]))]).toEqual([
    1n,
    401n,
    400n,
  ])
  await refuse('WithdrawalMustBeFunded', [pay(1051n)], [2n])
  await refuse('AmountMustBeInRange', [pay(0n)])
  await refuse('AmountMustBeInRange', [pay(1n << 55n)])
  await refuse('AmountMustBeInRange', [pay((1n << 64n) + 1n)])
  await refuse('TokenMustBeKnown', [pay(1n, 2n)])
  await refuse('TokenMustBeKnown', [pay(1n, 0n)])
  await refuse('RecipientMustBeNonzero', [{ token: 1n, amount: 1n, to: ethers.ZeroAddress }])
  await submit(world, await createBatch(world, { shape, withdrawals: [pay(600n), pay(400n)] }))
  expect([...(await refuse('WithdrawalMustBeFunded', [pay(1n)]))]).toEqual([1n, 1n, 0n])
  // A deposit that the same batch credits counts.
  await submit(
    world,
    await createBatch(world, { shape, withdrawals: [pay(50n)], depositIds: [2n] }),
  )
})
