/** An operator and an oracle that work together to keep members in; and terms that would do it alone. */
import { expect, test } from 'vitest'
import { createBatch, submit } from './batch-data.ts'
import { type World, TERMS, mustRefuse, now, provider, sendPaid, send, setTime } from './l1.ts'
import { GROUND, ask, memberOf, memberWorld, postTable, standard } from './exits.ts'

const DAY = 86_400n
const holds = (world: World, ground: number, serial = 0n): Promise<boolean> =>
  ask(world, 'groundHolds', ground, serial)

/** All places are the operator's; it serves one and takes the place again behind it. */
async function seizedQueue(spare: number) {
  const world = await memberWorld(64 + spare)
  const riches = `0x${(10n ** 27n).toString(16)}`
  for (const member of world.members) await provider.send('hardhat_setBalance', [member, riches])
  let next = 0
  const enter = async () => {
    const i = next++
    await sendPaid(
      memberOf(world, i),
      10n ** 21n,
      world.cloister,
      'forceExit',
      BigInt(16 + i),
      1n,
      memberOf(world, i),
    )
  }
  for (let i = 0; i < 64; i++) await enter()
  return { world, enter }
}

/** A moment of service, in which `served` requests are paid, and none behind it. */
async function serveInAMoment(world: World, served: number, enter: () => Promise<void>) {
  await postTable(world)
  for (let i = 0; i < served; i++) {
    await submit(
      world,
      await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [0n] }),
    )
    await enter()
  }
  await postTable(world, false)
}

test('hold the clock of service and the queue of forced exits: not for ever', async () => {
  const { world, enter } = await seizedQueue(14)
  const fullAt = await now()
  const before: bigint = await ask(world, 'serviceTime')
  await postTable(world, false)
  const limit = TERMS.fullDelay + TERMS.tableDelay
  for (let day = 2n; day < limit / DAY; day += 2n) {
    await setTime(fullAt + day * DAY)
    await serveInAMoment(world, 3, enter)
  }
  // The clock of service hardly ran, no request is late, there is a batch and a table.
  await setTime(fullAt + limit)
  expect((await ask(world, 'serviceTime')) - before).toBeLessThan(TERMS.fullDelay / 10n)
  expect((await ask(world, 'forcedExitQueue')).pending).toBe(64n)
  const served: bigint = await ask(world, 'served')
  for (const ground of Object.values(GROUND)) expect(await holds(world, ground, served)).toBe(false)
  await setTime(fullAt + limit + 1n)
  await send(world.members[9]!, world.cloister, 'freeze', GROUND.queueFull, 0n)
})

test('nor is an operator frozen for it that left room for an hour while the oracle was silent', async () => {
  const { world, enter } = await seizedQueue(2)
  await submit(
    world,
    await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [0n] }),
  )
  const servedAt = await now()
  await postTable(world, false)
  // The clock of service stands; the place is there all the same.
  await setTime(servedAt + 3_599n)
  expect((await ask(world, 'forcedExitQueue')).fullSince).not.toBe(0n)
  await setTime(servedAt + 3_600n)
  expect((await ask(world, 'forcedExitQueue')).fullSince).toBe(0n)
  await enter()
  const fullAt = await now()
  await setTime(fullAt + 6n * DAY)
  await postTable(world)
  await postTable(world, false)
  await setTime(fullAt + TERMS.fullDelay + TERMS.tableDelay)
  await mustRefuse(
    'GroundMustHold',
    world.members[9]!,
    world.cloister,
    'freeze',
    GROUND.queueFull,
    0n,
  )
})
