/** The register never fills faster than the house converts: no account is left that no batch can touch. */
import { beforeEach, describe, expect, test } from 'vitest'
import { TREE_ARITY, WINDOW_COUNT, WINDOW_DEPTH } from '../../circuits/params.ts'
import { TERMS, createWorld, mustRefuse, now, send, setTime } from './l1.ts'
import { createRandom } from './random.ts'
import { startOverEach } from './start-over.ts'

const WINDOW = TREE_ARITY ** WINDOW_DEPTH
const world = await createWorld()
const { cloister, oracle, operator, members } = world
let next = 1024
startOverEach()
beforeEach(async () => {
  next = 1024
})

const idsOf = (count: number) => Array.from({ length: count }, () => BigInt(next++))
const settle = (count: number) => {
  const ids = idsOf(count)
  return send(
    oracle,
    cloister,
    'postSettlement',
    ids,
    ids.map(() => 1n),
    7n,
  )
}
const refuse = (count: number) => {
  const ids = Array.from({ length: count }, (_, i) => 100_000n + BigInt(i))
  return mustRefuse(
    'SettlementMustHaveRoom',
    oracle,
    cloister,
    'postSettlement',
    ids,
    ids.map(() => 1n),
    7n,
  )
}
const room = async () => Number(await cloister.getFunction('settlementRoom')())
const confirm = (count: number) => send(operator, cloister, 'confirmConverted', BigInt(count))

test('what a batch opens may be filled at once, and not one entry more', async () => {
  expect(WINDOW * WINDOW_COUNT).toBe(128)
  expect(await room()).toBe(128)
  await refuse(129)
  await settle(100)
  await refuse(29)
  await settle(28)
  expect(await room()).toBe(0)
  await refuse(1)
})

test('a third window opens when all of the first is converted, and not with one entry left', async () => {
  await settle(128)
  await confirm(63)
  await refuse(1)
  await confirm(64)
  expect(await room()).toBe(64)
  await settle(64)
  await refuse(1)
  await confirm(191)
  expect(await room()).toBe(64)
  await settle(64)
  await confirm(256)
  expect(await room()).toBe(128)
  await settle(128)
  await refuse(1)
})

describe('an operator', () => {
  test('that says nothing holds up no settlement for longer than batchDelay', async () => {
    await settle(70)
    const openedAt = await now()
    // What fills the same window later begins no delay anew.
    await setTime(openedAt + TERMS.batchDelay / 2n)
    await settle(58)
    await setTime(openedAt + TERMS.batchDelay - 2n)
    await refuse(1)
    await setTime(openedAt + TERMS.batchDelay)
    expect(await room()).toBe(64)
    await refuse(65)
    await settle(1)
    // The window that was opened now begins its own.
    expect(await room()).toBe(63)
    await settle(63)
    await refuse(1)
  })
  test('confirms what is in the register, and more than before', async () => {
    const refused = (count: bigint) =>
      mustRefuse('ConversionMustAdvance', operator, cloister, 'confirmConverted', count)
    await refused(0n)
    await refused(1n)
    await settle(3)
    await refused(4n)
    await confirm(3)
    await refused(3n)
    await refused(2n)
    expect(await cloister.getFunction('convertedCount')()).toBe(3n)
  })
  test('is the only one that confirms', async () => {
    await settle(3)
    for (const from of [members[0]!, oracle])
      await mustRefuse('AccessControlUnauthorizedAccount', from, cloister, 'confirmConverted', 1n)
  })
})

test('in no history are entries that may be unconverted in more windows than a batch opens', async () => {
  const random = createRandom(77)
  // Entries by window, and since when the one after each has been open.
  let [count, confirmed] = [0, 0]
  const openedAt: bigint[] = []
  for (let step = 0; step < 60; step++) {
    const kind = random(4)
    if (kind === 0) await setTime((await now()) + BigInt(random(Number(TERMS.batchDelay))))
    else if (kind === 1 && confirmed < count) {
      confirmed += 1 + random(count - confirmed)
      await confirm(confirmed)
    } else {
      const free = await room()
      await refuse(free + 1)
      if (free === 0) continue
      count += 1 + random(Math.min(free, 90))
      await settle(count - (next - 1024))
      const time = await now()
      while (openedAt.length * WINDOW < count) openedAt.push(time)
    }
    const time = await now()
    const isDone = (window: number) =>
      (window + 1) * WINDOW <= confirmed ||
      (openedAt[window + 1] !== undefined && time >= openedAt[window + 1]! + TERMS.batchDelay)
    const open = openedAt.filter((_, window) => !isDone(window)).length
    expect(open).toBeLessThanOrEqual(WINDOW_COUNT)
  }
  expect(count).toBeGreaterThan(500)
})
