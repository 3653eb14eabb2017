/** What `cloister changes` reads: every announcement, what it says, and what became of it. */
import { ethers } from 'ethers'
import { expect, test } from 'vitest'
import { renderChanges } from '../../client/cli/changes.ts'
import { readChanges, type ChangeControl } from '../../client/l1/changes.ts'
import { provider, send, TERMS } from '../contracts/l1.ts'
import { LOCK_RULES, HOUSE_RULES, ORACLE_RULES } from '../contracts/admin-rules.ts'
import {
  announce,
  carryOut,
  createSealed,
  createUnsealed,
  DELAY,
  LIFE,
  wait,
  type Change,
  type SealedWorld,
} from '../contracts/sealed.ts'

const transport = (method: string, params: readonly unknown[]) => provider.send(method, [...params])
const read = (world: SealedWorld): Promise<ChangeControl> => readChanges(transport, world.address)
const statesOf = async (world: SealedWorld) => (await read(world)).changes.map(({ state }) => state)

test('a house that is not sealed says so, and that nothing was announced', async () => {
  const world = await createUnsealed()
  const found = await read(world)
  expect(found).toMatchObject({ isSealed: false, isPaused: false, delay: DELAY, changes: [] })
  expect(renderChanges(world.address, found)).toContain('NOT SEALED')
  expect(renderChanges(world.address, found)).toContain('nothing was ever announced')
})

test('each announcement in words, and what became of it', async () => {
  const world = await createSealed()
  const fee: Change = { to: world.cloister, name: 'setFee', args: [7n] }
  const mode: Change = { to: world.tableOracle, name: 'setWorlds', args: ['0x7b7d'] }
  const [first] = [await announce(world, fee), await announce(world, mode)]
  await send(world.guardian, world.cloister, 'pause')
  const found = await read(world)
  expect(found).toMatchObject({ isSealed: true, isPaused: true })
  expect(found.changes.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  expect(found.changes[0]).toMatchObject({
    id: first,
    calls: [{ target: world.address, says: 'setFee(fee "7")' }],
  })
  const text = renderChanges(world.address, found)
  expect(text).toContain('in 30.0 days')
  const leaveBy = found.changes[0]!.dueAt! - TERMS.forceDelay - TERMS.tableDelay
  expect(text).toContain(
    `forced exit until ${new Date(Number(leaveBy) * 1000).toISOString().slice(0, 19)}`,
  )
  // Where no time is left none is promised.
  const late = { ...found, now: leaveBy + 60n }
  expect(renderChanges(world.address, late)).not.toContain('forced exit until')
  expect(text).toContain('every way out is open')
  await send(world.guardian, world.lock, 'cancel', found.changes[1]!.id)
  expect(await statesOf(world)).toEqual(['waiting', 'cancelled'])
  await wait(DELAY)
  expect(await statesOf(world)).toEqual(['due', 'cancelled'])
  await carryOut(world, fee)
  expect(await statesOf(world)).toEqual(['done', 'cancelled'])
  await announce(world, mode)
  await wait(DELAY + LIFE + 1n)
  expect(await statesOf(world)).toEqual(['done', 'lapsed'])
})

test('a call that no contract of a house has is shown as it is', async () => {
  const world = await createSealed()
  const data = '0xdeadbeef'
  const zero = ethers.ZeroHash
  const args = [world.stranger, 0n, data, zero, zero, DELAY]
  await send(world.founder, world.lock, 'schedule', ...args)
  const found = await read(world)
  expect(found.changes[0]!.calls[0]).toMatchObject({ says: null, data })
  expect(renderChanges(world.address, found)).toContain(`UNKNOWN CALL ${data}`)
})

test('whatever the lock alone may do can be said in words', async () => {
  const world = await createSealed()
  const rules = [HOUSE_RULES, ORACLE_RULES, LOCK_RULES]
  const contracts = [world.cloister, world.tableOracle, world.lock]
  for (const [i, each] of rules.entries()) {
    for (const [signature, { by, args }] of Object.entries(each)) {
      if (by !== 'lock') continue
      const name = signature.slice(0, signature.indexOf('('))
      await announce(world, { to: contracts[i]!, name, args: await args!(world) })
      const { changes } = await read(world)
      expect(changes.at(-1)!.calls[0]!.says, signature).toMatch(new RegExp(`^${name}\\(`))
    }
  }
})

test('an address without a house is no house', async () => {
  await expect(readChanges(transport, ethers.toBeHex(2n ** 150n, 20))).rejects.toThrow(
    'there is no lock()',
  )
})
