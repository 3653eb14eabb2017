/** What the tests of the way out share: members with accounts, money credited, tables, time. */
import { ethers } from 'ethers'
import { MerkleTree } from 'merkletreejs'
import { SHAPES } from '../../circuits/params.ts'
import { keyOf } from './points.ts'
import { PROOF, createBatch, submit } from './batch-data.ts'
import { type World, createWorld, deploy, now, register, send, sendPaid, setTime } from './l1.ts'

export const GROUND = {
  none: 0,
  forcedExit: 1,
  queueFull: 2,
  noBatch: 3,
  noTable: 4,
  noSweep: 5,
} as const
export const standard = SHAPES.find(({ name }) => name === 'standard')!

export const ask = (world: World, name: string, ...args: unknown[]) =>
  world.cloister.getFunction(name)(...args)

/** Marks as the oracle posts them: rows, then worlds root and flags. */
export function marksOf(
  rows: readonly (readonly [bigint, bigint, bigint])[],
  worldsRoot = 7n,
  flags = 0n,
): string {
  const coder = ethers.AbiCoder.defaultAbiCoder()
  return (
    coder.encode(['tuple(uint32 id, uint8 status, int64 mark)[]'], [rows]) +
    coder.encode(['uint256', 'uint256'], [worldsRoot, flags]).slice(2)
  )
}
export const MARKS = marksOf([
  [2n, 1n, 3n],
  [1024n, 1n, -5n],
])

/** Who owns account 16 + i: members take turns when there are more accounts. */
export function memberOf(world: World, i: number): string {
  return world.members[i % world.members.length]!
}

/** The first `count` members own the accounts from 16 on, registered; 1,000 lots of cash are credited. */
export async function memberWorld(count = 3, cash = 1_000n): Promise<World> {
  const world = await createWorld()
  await send(world.admin, world.verifier, 'acceptAll')
  for (let i = 0; i < count; i++) await register(world, memberOf(world, i), keyOf(i), 5n)
  await send(world.members[0]!, world.cloister, 'deposit', 1n, cash, 5n)
  const first = await createBatch(world, {
    shape: standard,
    depositIds: [1n],
    requestCount: BigInt(Math.min(2, count)),
  })
  await submit(world, first)
  for (let served = 2; served < count; served += 2) {
    await submit(
      world,
      await createBatch(world, {
        shape: standard,
        requestCount: BigInt(Math.min(2, count - served)),
      }),
    )
  }
  return world
}

export async function postTable(world: World, isConfirmed = true, marks = MARKS): Promise<void> {
  const number: bigint = await ask(world, 'tableNumber')
  await send(
    world.oracle,
    world.cloister,
    'postTable',
    900n + number + 1n,
    1n,
    ethers.ZeroHash,
    marks,
    isConfirmed,
  )
}

export async function forceExit(
  world: World,
  from: string,
  account: bigint,
  token = 1n,
  to = from,
): Promise<ethers.TransactionReceipt> {
  const { price } = await ask(world, 'forcedExitQueue')
  return sendPaid(from, price, world.cloister, 'forceExit', account, token, to)
}

export async function wait(seconds: bigint): Promise<void> {
  await setTime((await now()) + seconds)
}

export type Payment = { readonly token: bigint; readonly amount: bigint; readonly to: string }

/** The tree of a batch's payments, as merkletreejs makes it. */
export function paymentsTree(
  world: World,
  batch: bigint,
  payments: readonly Payment[],
): MerkleTree {
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

export function proofOf(tree: MerkleTree, slot: number): string[] {
  return tree.getHexProof(tree.getLeaves()[slot]!, slot)
}

/** A verifier of claims that accepts all, or only what it is told. */
export async function setEscapeVerifier(world: World): Promise<ethers.Contract> {
  const verifier = await deploy('ExpectingEscapeVerifier')
  await send(
    world.admin,
    world.cloister,
    'addEscapeShape',
    1n,
    await verifier.getAddress(),
    ethers.id('escape key'),
    true,
    'escape',
  )
  return verifier
}

/** A deposit that no batch credits starts no clock; no batch for too long does. */
export async function freezeForNoBatch(world: World): Promise<void> {
  const { batchDelay } = await ask(world, 'terms')
  await wait(batchDelay + 1n)
  await send(world.members[9]!, world.cloister, 'freeze', GROUND.noBatch, 0n)
}

export function claimEscape(
  world: World,
  from: string,
  account: bigint,
  equity: bigint,
): Promise<ethers.TransactionReceipt> {
  return send(from, world.cloister, 'escapeClaim', 1n, account, equity, PROOF)
}
