/** The grounds to freeze, each to the second, and what a freeze ends. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { PROOF, batchArguments, createBatch, submit } from './batch-data.ts'
import {
  TERMS,
  type World,
  countersign,
  createWorld,
  deploy,
  mustRefuse,
  mustRefusePaid,
  now,
  provider,
  send,
  sendPaid,
  setTime,
} from './l1.ts'
import { keyOf } from './points.ts'
import {
  GROUND,
  ask,
  forceExit,
  freezeForNoBatch,
  memberOf,
  memberWorld,
  paymentsTree,
  postTable,
  proofOf,
  standard,
  wait,
} from './exits.ts'

const holds = (world: World, ground: number, serial = 0n): Promise<boolean> =>
  ask(world, 'groundHolds', ground, serial)
const freeze = (world: World, ground: number, serial = 0n) =>
  send(world.members[9]!, world.cloister, 'freeze', ground, serial)
const refuseFreeze = (world: World, ground: number, serial = 0n) =>
  mustRefuse('GroundMustHold', world.members[9]!, world.cloister, 'freeze', ground, serial)

/** A new table before the last one is old: the clock of service never stops. */
async function keepServing(world: World, seconds: bigint): Promise<void> {
  for (let left = seconds; left > 0n; left -= TERMS.tableLife / 2n) {
    const step = left < TERMS.tableLife / 2n ? left : TERMS.tableLife / 2n
    await wait(step - 1n)
    await postTable(world)
  }
}

test('no ground, an unknown one, or one that does not hold freezes nothing', async () => {
  const world = await memberWorld()
  for (const ground of Object.values(GROUND)) await refuseFreeze(world, ground)
  // No value of the enumeration: the compiler's own check, without a word.
  await expect(send(world.members[9]!, world.cloister, 'freeze', 6, 0n)).rejects.toThrow(
    '"data": "0x"',
  )
  expect(await ask(world, 'isFrozen')).toBe(false)
})

test('a forced exit that is not served in time, by the clock of service', async () => {
  const world = await memberWorld()
  const [alice, bob] = world.members as [string, string]
  await forceExit(world, alice, 16n)
  await forceExit(world, bob, 17n)
  const { requestedAt } = await ask(world, 'request', 3n)
  // The clock stands while the table is indicative: nobody could have been served.
  await postTable(world, false)
  await wait(TERMS.forceDelay - 3_600n)
  await refuseFreeze(world, GROUND.forcedExit, 3n)
  await postTable(world)
  const served: bigint = await ask(world, 'serviceTime')
  await wait((requestedAt as bigint) + TERMS.forceDelay - served)
  expect(await ask(world, 'serviceTime')).toBe(requestedAt + TERMS.forceDelay)
  expect(await holds(world, GROUND.forcedExit, 3n)).toBe(false)
  await wait(1n)
  expect(await holds(world, GROUND.forcedExit, 3n)).toBe(true)
  // Other requests and other numbers are no ground; nor is one that is served.
  for (const serial of [0n, 2n, 5n, ethers.MaxUint256])
    await refuseFreeze(world, GROUND.forcedExit, serial)
  const snapshot = await provider.send('evm_snapshot', [])
  await submit(
    world,
    await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [0n] }),
  )
  await refuseFreeze(world, GROUND.forcedExit, 3n)
  await provider.send('evm_revert', [snapshot])
  const receipt = await freeze(world, GROUND.forcedExit, 3n)
  const event = world.cloister.interface.parseLog(receipt.logs[0]!)!
  expect([...event.args]).toEqual([
    BigInt(GROUND.forcedExit),
    await ask(world, 'batchNumber'),
    3n,
    (await now()) + TERMS.claimsWindow,
  ])
})

test('an oracle that holds the clock of service holds no forced exit for ever', async () => {
  const world = await memberWorld()
  await forceExit(world, world.members[0]!, 16n)
  const askedAt = await now()
  const { requestedAt } = await ask(world, 'request', 3n)
  const limit = TERMS.forceDelay + TERMS.tableDelay
  // Confirmed tables often enough, each with an indicative one right behind it; and batches.
  for (let day = 2n; day < limit / 86_400n; day += 2n) {
    await setTime(askedAt + day * 86_400n)
    await postTable(world)
    await postTable(world, false)
    await submit(
      world,
      await createBatch(world, { shape: standard, tableNumber: await ask(world, 'tableNumber') }),
    )
  }
  await setTime(askedAt + limit)
  expect((await ask(world, 'serviceTime')) - requestedAt).toBeLessThan(TERMS.forceDelay)
  for (const ground of Object.values(GROUND)) await refuseFreeze(world, ground, 3n)
  await setTime(askedAt + limit + 1n)
  for (const serial of [0n, 2n, 4n]) await refuseFreeze(world, GROUND.forcedExit, serial)
  await freeze(world, GROUND.forcedExit, 3n)
})

/** 66 accounts, all places taken; `serve` pays the next, `enter` takes a place at whatever it costs. */
async function fullQueue() {
  const world = await memberWorld(66)
  const { cloister, members } = world
  const riches = `0x${(10n ** 27n).toString(16)}`
  for (const member of members) await provider.send('hardhat_setBalance', [member, riches])
  const enter = (i: number) =>
    sendPaid(
      memberOf(world, i),
      10n ** 21n,
      cloister,
      'forceExit',
      BigInt(16 + i),
      1n,
      memberOf(world, i),
    )
  for (let i = 0; i < 63; i++) await enter(i)
  expect((await ask(world, 'forcedExitQueue')).fullSince).toBe(0n)
  await enter(63)
  const serve = async () =>
    submit(
      world,
      await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [0n] }),
    )
  return { world, enter, serve }
}

test('a queue that is full for too long; room for an hour starts the clock anew', async () => {
  const { world, enter, serve } = await fullQueue()
  const queue = await ask(world, 'forcedExitQueue')
  expect([queue.pending, queue.capacity]).toEqual([64n, 64n])
  expect(queue.fullSince).toBe((await ask(world, 'serviceTime')) + 1n)
  const l1Owner = memberOf(world, 64)
  await mustRefusePaid(
    'QueueMustHaveRoom',
    l1Owner,
    10n ** 24n,
    world.cloister,
    'forceExit',
    80n,
    1n,
    l1Owner,
  )
  await wait(TERMS.fullDelay)
  expect(await holds(world, GROUND.queueFull)).toBe(false)
  await wait(1n)
  expect(await holds(world, GROUND.queueFull)).toBe(true)
  await serve()
  const servedAt = await now()
  await setTime(servedAt + 3_599n)
  expect(await holds(world, GROUND.queueFull)).toBe(true)
  await setTime(servedAt + 3_600n)
  expect(await holds(world, GROUND.queueFull)).toBe(false)
  expect((await ask(world, 'forcedExitQueue')).fullSince).toBe(0n)
  await postTable(world)
  await enter(64)
  await refuseFreeze(world, GROUND.queueFull)
  await wait(TERMS.fullDelay + 1n)
  await freeze(world, GROUND.queueFull)
})

test('an operator that serves one and takes its place at once keeps nobody out for long', async () => {
  const { world, enter, serve } = await fullQueue()
  const { fullSince } = await ask(world, 'forcedExitQueue')
  await wait(TERMS.fullDelay / 2n)
  await serve()
  // The place is there for less than an hour, and taken again, by whoever it may be.
  await wait(3_500n)
  await enter(64)
  await wait(TERMS.fullDelay / 2n - 100n)
  await serve()
  await enter(65)
  expect((await ask(world, 'forcedExitQueue')).fullSince).toBe(fullSince)
  await freeze(world, GROUND.queueFull)
})

test('no batch for too long, also none at all', async () => {
  for (const world of [await createWorld(), await memberWorld()]) {
    const { time } = await ask(world, 'batches', await ask(world, 'batchNumber'))
    await setTime(time + TERMS.batchDelay)
    await refuseFreeze(world, GROUND.noBatch)
    await setTime(time + TERMS.batchDelay + 1n)
    await freeze(world, GROUND.noBatch)
    expect(await ask(world, 'isFrozen')).toBe(true)
  }
})

test('before a table is confirmed no batch credits anything: there would be no way out for it', async () => {
  const world = await createWorld('ExpectingVerifier', TERMS, false)
  const { cloister, operator, members } = world
  await send(world.admin, world.verifier, 'acceptAll')
  await send(members[0]!, cloister, 'deposit', 1n, 1_000n, 5n)
  const batch = await createBatch(world, { shape: standard, depositIds: [1n] })
  await mustRefuse(
    'FirstTableMustBeConfirmed',
    operator,
    cloister,
    'submitBatch',
    ...batchArguments(batch),
  )
  await send(world.oracle, cloister, 'confirmTable', 1n)
  await submit(world, batch)
})

test('no confirmed table for too long: an indicative one is none', async () => {
  const world = await memberWorld()
  const { time } = await ask(world, 'tables', 1n)
  await wait(1_000n)
  await postTable(world, false)
  await setTime(time + TERMS.tableDelay)
  expect(await holds(world, GROUND.noTable)).toBe(false)
  await setTime(time + TERMS.tableDelay + 1n)
  await freeze(world, GROUND.noTable)
})

test('no complete sweep for too long: first withdrawals wait, then anybody freezes', async () => {
  const world = await memberWorld()
  const withdrawals = [{ token: 1n, amount: 1n, to: world.operator }]
  await keepServing(world, TERMS.lateSweepDelay - 10_000n)
  const batch = () => createBatch(world, { shape: standard, withdrawals })
  const started = await ask(world, 'serviceTime')
  await wait(TERMS.lateSweepDelay - started - 5n)
  await submit(world, await batch())
  await wait(10n)
  await mustRefuse(
    'WithdrawalMustAwaitSweep',
    world.operator,
    world.cloister,
    'submitBatch',
    ...batchArguments(await batch()),
  )
  // A forced exit does not wait for the operator's sweep.
  await forceExit(world, world.members[0]!, 16n)
  await submit(
    world,
    await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [5n] }),
  )
  await keepServing(world, TERMS.sweepDelay - (await ask(world, 'serviceTime')))
  while ((await ask(world, 'serviceTime')) < TERMS.sweepDelay) await wait(1n)
  await postTable(world)
  await wait(2n)
  await freeze(world, GROUND.noSweep)
})

test('a freeze is final: nothing goes on but claims, refunds and the owners of accounts', async () => {
  const world = await memberWorld()
  const { cloister, members, admin, operator, oracle, address } = world
  const [alice, bob] = members as [string, string]
  await send(alice, cloister, 'deposit', 1n, 300n, 6n)
  const payment = { token: 1n, amount: 40n, to: ethers.getAddress(bob) }
  await submit(world, await createBatch(world, { shape: standard, withdrawals: [payment] }))
  const batchNumber: bigint = await ask(world, 'batchNumber')
  await freezeForNoBatch(world)
  const refuse = (from: string, name: string, ...args: unknown[]) =>
    mustRefuse('FrozenMustNotContinue', from, cloister, name, ...args)
  await refuse(operator, 'submitBatch', ...batchArguments(await createBatch(world)))
  await refuse(alice, 'deposit', 1n, 1n, 1n)
  await refuse(alice, 'rotate', 16n, ...keyOf(3))
  const signature = await countersign(world, alice, keyOf(4), 5n)
  await refuse(alice, 'register', ...keyOf(4), 5n, signature)
  await mustRefusePaid(
    'FrozenMustNotContinue',
    alice,
    10n ** 18n,
    cloister,
    'forceExit',
    16n,
    1n,
    alice,
  )
  await refuse(oracle, 'postTable', 1n, 1n, ethers.ZeroHash, '0x', true)
  await refuse(oracle, 'confirmTable', 1n)
  await refuse(oracle, 'postSettlement', [], [], 1n)
  await refuse(admin, 'addToken', 5n, address, 1n, 1n)
  await refuse(admin, 'addShape', 99n, 1n, 1n, 1n, 1n, address, ethers.ZeroHash, true, 'x')
  await refuse(admin, 'addSweepShape', 99n, 8n, address, ethers.ZeroHash, true, 'x')
  await refuse(admin, 'addEscapeShape', 9n, address, ethers.ZeroHash, true, 'x')
  await refuse(operator, 'submitSweep', 1n, 0n, 0n, 1n, PROOF)
  await refuse(members[5]!, 'freeze', GROUND.noBatch, 0n)
  // Money that is somebody's already goes out at once, and only to whom it belongs.
  await mustRefuse('CallerMustBeDepositor', bob, cloister, 'takeRefund', 2n)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'takeRefund', 1n)
  await send(alice, cloister, 'takeRefund', 2n)
  await mustRefuse('DepositMustBeOpen', alice, cloister, 'takeRefund', 2n)
  const tree = paymentsTree(world, batchNumber, [payment])
  await send(members[4]!, cloister, 'claim', batchNumber, 0n, 1n, 40n, payment.to, proofOf(tree, 0))
  expect(await ask(world, 'vault', 1n)).toBe(960n)
  expect(await ask(world, 'pot', 1n)).toBe(960n)
  await send(alice, cloister, 'offerL1Owner', 16n, members[3]!)
  await send(members[3]!, cloister, 'acceptL1Owner', 16n)
})

test('before a freeze there is no claim, no valuing, no share', async () => {
  const world = await memberWorld()
  const alice = world.members[0]!
  const refuse = (name: string, ...args: unknown[]) =>
    mustRefuse('HouseMustBeFrozen', alice, world.cloister, name, ...args)
  await refuse('escapeClaim', 1n, 16n, 1n, PROOF)
  await refuse('valuePot', '0x')
  await refuse('escapePay', 16n, 1n, alice)
  const at = await (await deploy('ExpectingEscapeVerifier')).getAddress()
  const rest = [ethers.ZeroHash, true, 'x'] as const
  const { admin, cloister } = world
  await mustRefuse('VerifierMustBeContract', admin, cloister, 'addEscapeShape', 1n, alice, ...rest)
  await mustRefuse(
    'AccessControlUnauthorizedAccount',
    alice,
    cloister,
    'addEscapeShape',
    1n,
    at,
    ...rest,
  )
  await send(admin, cloister, 'addEscapeShape', 1n, at, ...rest)
  await mustRefuse('ShapeMustBeNew', admin, cloister, 'addEscapeShape', 1n, at, ...rest)
  expect(await ask(world, 'escapeVerifiers', 1n)).toBe(at)
})
