import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { GENERATOR, IDENTITY, SUBGROUP_ORDER, addPoints, keyOf, multiplyPoint } from './points.ts'
import { createBatch, submit } from './batch-data.ts'
import { countersign, createWorld, mustRefuse, provider, register, send } from './l1.ts'

test('a registration takes the next index and stands in the queue as it was signed', async () => {
  const world = await createWorld()
  const {
    cloister,
    members: [alice, bob],
  } = world as typeof world & { members: string[] }
  await register(world, alice!, keyOf(1), 11n)
  await register(world, bob!, keyOf(2), 12n)
  expect(await cloister.getFunction('nextAccount')()).toBe(18n)
  expect(await cloister.getFunction('requestCount')()).toBe(2n)
  expect((await cloister.getFunction('account')(17n)).l1Owner).toBe(ethers.getAddress(bob!))
  const queued = await cloister.getFunction('request')(1n)
  expect([...queued].toSpliced(2, 1)).toEqual([1n, 17n, ...keyOf(2), 12n])
})

test('only what an operator countersigned for this owner is registered, and once', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const [alice, bob] = members as [string, string]
  const key = keyOf(3)
  const signature = await countersign(world, alice, key, 5n)
  const refuse = (from: string, x: bigint, viewKeyHash: bigint, signed: string) =>
    mustRefuse(
      'RegistrationMustBeCountersigned',
      from,
      cloister,
      'register',
      x,
      key[1],
      viewKeyHash,
      signed,
    )
  await refuse(bob, key[0], 5n, signature)
  await refuse(alice, FIELD_MODULUS - key[0], 5n, signature)
  await refuse(alice, key[0], 6n, signature)
  await refuse(alice, key[0], 5n, '0x')
  await refuse(alice, key[0], 5n, '0x' + '00'.repeat(65))
  await refuse(alice, key[0], 5n, await countersign(world, alice, key, 5n, bob))
  await send(alice, cloister, 'register', ...key, 5n, signature)
  await refuse(alice, key[0], 5n, signature)
})

test('a key is a point of the curve whose eightfold is not the identity', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const alice = members[0]!
  const refuse = async (error: string, key: readonly [bigint, bigint]) =>
    mustRefuse(error, alice, cloister, 'register', ...key, 5n, '0x')
  const good = keyOf(4)
  await refuse('KeyMustBeOnCurve', [good[0], good[1] + 1n])
  await refuse('KeyMustBeOnCurve', [0n, 0n])
  await refuse('WordMustBeBelowModulus', [good[0] + FIELD_MODULUS, good[1]])
  await refuse('WordMustBeBelowModulus', [good[0], good[1] + FIELD_MODULUS])
  await mustRefuse(
    'WordMustBeBelowModulus',
    alice,
    cloister,
    'register',
    ...good,
    FIELD_MODULUS,
    '0x',
  )
  // All eight points of small order, the identity and (0, -1) among them.
  const torsion = multiplyPoint(GENERATOR, SUBGROUP_ORDER)
  let point = IDENTITY
  const seen = new Set<string>()
  for (let i = 0; i < 8; i++) {
    seen.add(String(point))
    await refuse('KeyMustBeInSubgroup', point)
    point = addPoints(point, torsion)
  }
  expect(seen.size).toBe(8)
  // A good point plus a small one is on the curve, and its eightfold is good.
  await register(world, alice, addPoints(good, torsion), 5n)
})

test('the last index is given once, and no index after it', async () => {
  const world = await createWorld()
  const { cloister, address, members } = world
  // nextAccount is the last plain slot that Registry declares: found by its value, 16.
  let slot = -1
  for (let i = 0; i < 40; i++) {
    if (BigInt(await provider.getStorage(address, i)) === 16n) slot = i
  }
  expect(slot).toBeGreaterThan(-1)
  const last = (1n << 18n) - 1n
  await provider.send('hardhat_setStorageAt', [
    address,
    ethers.toQuantity(slot),
    ethers.toBeHex(last, 32),
  ])
  await register(world, members[0]!, keyOf(1), 5n)
  expect((await cloister.getFunction('account')(last)).l1Owner).toBe(ethers.getAddress(members[0]!))
  const signature = await countersign(world, members[0]!, keyOf(1), 5n)
  await mustRefuse(
    'AccountMustBeAvailable',
    members[0]!,
    cloister,
    'register',
    ...keyOf(1),
    5n,
    signature,
  )
})

test('only the L1 owner rotates, one rotation at a time', async () => {
  const world = await createWorld()
  const { cloister, verifier, members } = world
  const [alice, bob] = members as [string, string]
  await send(world.admin, verifier, 'acceptAll')
  await register(world, alice, keyOf(1), 11n)
  await mustRefuse('CallerMustBeL1Owner', bob, cloister, 'rotate', 16n, ...keyOf(2))
  await mustRefuse('CallerMustBeL1Owner', alice, cloister, 'rotate', 17n, ...keyOf(2))
  await mustRefuse('CallerMustBeL1Owner', alice, cloister, 'rotate', 0n, ...keyOf(2))
  await mustRefuse('KeyMustBeInSubgroup', alice, cloister, 'rotate', 16n, ...IDENTITY)
  await mustRefuse('KeyMustBeOnCurve', alice, cloister, 'rotate', 16n, 1n, 1n)
  await send(alice, cloister, 'rotate', 16n, ...keyOf(2))
  expect([...(await cloister.getFunction('request')(1n))].toSpliced(2, 1)).toEqual([
    2n,
    16n,
    ...keyOf(2),
    0n,
  ])
  await mustRefuse('RotationMustNotBePending', alice, cloister, 'rotate', 16n, ...keyOf(3))
  await submit(world, await createBatch(world, { requestCount: 1n }))
  await mustRefuse('RotationMustNotBePending', alice, cloister, 'rotate', 16n, ...keyOf(3))
  await submit(world, await createBatch(world, { requestCount: 1n }))
  await send(alice, cloister, 'rotate', 16n, ...keyOf(3))
})

test('an account changes hands on L1 in two steps', async () => {
  const world = await createWorld()
  const { cloister, members } = world
  const [alice, bob, carol] = members as [string, string, string]
  await register(world, alice, keyOf(1), 11n)
  await mustRefuse('CallerMustBeL1Owner', bob, cloister, 'offerL1Owner', 16n, bob)
  await mustRefuse('CallerMustBeNextL1Owner', bob, cloister, 'acceptL1Owner', 16n)
  await send(alice, cloister, 'offerL1Owner', 16n, bob)
  await mustRefuse('CallerMustBeNextL1Owner', carol, cloister, 'acceptL1Owner', 16n)
  await send(bob, cloister, 'acceptL1Owner', 16n)
  await mustRefuse('CallerMustBeL1Owner', alice, cloister, 'rotate', 16n, ...keyOf(2))
  await mustRefuse('CallerMustBeNextL1Owner', bob, cloister, 'acceptL1Owner', 16n)
  await send(bob, cloister, 'rotate', 16n, ...keyOf(2))
})
