import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { CALL_SECONDS, FIELD_MODULUS } from '../../circuits/params.ts'
import { createBatch, submit } from './batch-data.ts'
import {
  FEE,
  KEY_HASH,
  REFUND_DELAY,
  configuration,
  createWorld,
  TERMS,
  deploy,
  deployCloister,
  mustRefuse,
  send,
} from './l1.ts'

test('the constructor fixes genesis and says what readers need', async () => {
  const cloister = await deployCloister(await configuration())
  const address = await cloister.getAddress()
  const [event] = await cloister.queryFilter('Genesis')
  expect([...(event as ethers.EventLog).args]).toEqual([4242n, 1n, 2n, 3n])
  expect(await cloister.getFunction('roots')(0n)).toBe(4242n)
  expect(await cloister.getFunction('accountCount')()).toBe(16n)
  expect(await cloister.getFunction('refundDelay')()).toBe(REFUND_DELAY)
  const preimage = ethers.AbiCoder.defaultAbiCoder().encode(
    ['uint256', 'address'],
    [31337n, address],
  )
  const domain = BigInt(ethers.keccak256(preimage)) % FIELD_MODULUS
  expect(await cloister.getFunction('domain')()).toBe(domain)
})

test('the constructor refuses aliases and a refund that comes before a page dies', async () => {
  const roots = [
    'genesisRoot',
    'feeAccountLeaf',
    'feeAccountViewKeyHash',
    'feeAccountMeta',
    'settlementRoot',
  ]
  const refuse = async (error: string, overrides: object) =>
    expect(deployCloister(await configuration(overrides))).rejects.toThrow(error)
  for (const name of roots) await refuse('WordMustBeBelowModulus', { [name]: FIELD_MODULUS })
  const year = 365n * 86_400n
  const bad: readonly [keyof typeof TERMS, bigint][] = [
    ['refundDelay', 65_536n],
    ['refundDelay', year + 1n],
    ['batchDelay', 65_536n],
    ['batchDelay', year + 1n],
    ['tableLife', 0n],
    ['tableDelay', TERMS.tableLife],
    ['tableDelay', year + 1n],
    ['forceDelay', 0n],
    ['fullDelay', 0n],
    ['fullDelay', year + 1n],
    ['unwindDelay', TERMS.forceDelay - 1n],
    ['unwindDelay', year + 1n],
    ['flagDelay', 0n],
    ['flagDelay', TERMS.sweepEpoch / 2n + 1n],
    ['lateSweepDelay', 2n * TERMS.sweepEpoch - 1n],
    ['sweepDelay', TERMS.lateSweepDelay],
    ['sweepDelay', year + 1n],
    ['callDelay', 0n],
    ['callDelay', BigInt(CALL_SECONDS) + TERMS.flagDelay - 1n],
    ['callDelay', year + 1n],
    ['claimsWindow', 86_399n],
    ['claimsWindow', year + 1n],
    ['forcePrice', 0n],
    ['forcePrice', 1n << 64n],
  ]
  for (const [name, value] of bad) {
    await refuse('TermsMustFit', { terms: { ...TERMS, [name]: value } })
  }
  // The bound itself is one: half of an epoch for flags, half of it for proofs.
  await deployCloister(
    await configuration({
      terms: {
        ...TERMS,
        flagDelay: TERMS.sweepEpoch / 2n,
        callDelay: BigInt(CALL_SECONDS) + TERMS.sweepEpoch / 2n,
      },
    }),
  )
  await refuse('FeeMustBeInRange', { fee: 1n << 40n })
})

test('a token is listed once, under an id of tokens, with a unit and a cap', async () => {
  const { cloister, admin, address, dollar } = await createWorld()
  const add = (error: string, ...args: unknown[]) =>
    mustRefuse(error, admin, cloister, 'addToken', ...args)
  const other = await (await deploy('TestDollar')).getAddress()
  await add('TokenIdMustBeInRange', 0n, other, 1n, 1n)
  await add('TokenIdMustBeInRange', 1024n, other, 1n, 1n)
  await add('TokenMustBeNew', 1n, other, 1n, 1n)
  await add('TokenMustBeNew', 2n, await dollar.getAddress(), 1n, 1n)
  await add('TokenMustBeContract', 2n, ethers.ZeroAddress, 1n, 1n)
  await add('TokenMustBeContract', 2n, admin, 1n, 1n)
  await add('UnitMustBeInRange', 2n, other, 0n, 1n)
  await add('UnitMustBeInRange', 2n, other, 1n << 96n, 1n)
  await add('CapMustBeInRange', 2n, other, 1n, 0n)
  await add('CapMustBeInRange', 2n, other, 1n, 1n << 55n)
  await send(admin, cloister, 'addToken', 1023n, other, (1n << 96n) - 1n, (1n << 55n) - 1n)
  const token = await cloister.getFunction('tokens')(1023n)
  expect([...token]).toEqual([other, (1n << 96n) - 1n, 0n, 0n, 0n, (1n << 55n) - 1n])
  expect(address).not.toBe(other)
})

test('a shape is added once, with a verifier that is a contract', async () => {
  const { cloister, admin, verifier } = await createWorld()
  const at = await verifier.getAddress()
  const add = (error: string, id: bigint, sizes: readonly bigint[], to: string) =>
    mustRefuse(error, admin, cloister, 'addShape', id, ...sizes, to, KEY_HASH, false, 'x')
  await add('ShapeMustBeNew', 1n, [3n, 2n, 1n, 2n], at)
  await add('VerifierMustBeContract', 9n, [3n, 2n, 1n, 2n], admin)
  for (const sizes of [
    [0n, 2n, 1n, 2n],
    [256n, 2n, 1n, 2n],
    [3n, 256n, 1n, 2n],
    [3n, 2n, 256n, 2n],
    [3n, 2n, 1n, 256n],
  ]) {
    await add('ShapeMustFitWords', 9n, sizes, at)
  }
  // Readers of the events keep ids as plain numbers.
  await add('ShapeMustFitWords', 1n << 32n, [3n, 2n, 1n, 2n], at)
  const last = [(1n << 32n) - 1n, 3n, 2n, 1n, 2n, at, KEY_HASH, false, 'x'] as const
  await send(admin, cloister, 'addShape', ...last)
  const receipt = await send(
    admin,
    cloister,
    'addShape',
    9n,
    3n,
    2n,
    1n,
    2n,
    at,
    KEY_HASH,
    true,
    'nine',
  )
  const event = cloister.interface.parseLog(receipt.logs[0]!)!
  expect([...event.args]).toEqual([9n, 'nine', at, KEY_HASH, true])
  expect([...(await cloister.getFunction('shapes')(9n))]).toEqual([
    at,
    3n,
    2n,
    1n,
    2n,
    true,
    KEY_HASH,
  ])
})

test("the fee keeps its width, and is the batches' after the next", async () => {
  const world = await createWorld()
  const { cloister, admin, verifier } = world
  await send(admin, verifier, 'acceptAll')
  const ask = (name: string): Promise<bigint> => cloister.getFunction(name)()
  await mustRefuse('FeeMustBeInRange', admin, cloister, 'setFee', 1n << 40n)
  expect([await ask('fee'), await ask('nextFee')]).toEqual([FEE, FEE])
  await send(admin, cloister, 'setFee', 7n)
  // The last word counts; what was said before never came into force.
  const told = await send(admin, cloister, 'setFee', (1n << 40n) - 1n)
  expect(told.logs.map((log) => cloister.interface.parseLog(log)!.name)).toEqual(['FeeChanging'])
  expect([await ask('fee'), await ask('nextFee')]).toEqual([FEE, (1n << 40n) - 1n])
  const { logs } = await submit(world, await createBatch(world))
  // Behind the batch, so that whoever replays the log in order has the fee of each.
  expect(logs.map((log) => cloister.interface.parseLog(log)!.name)).toEqual(['Batch', 'FeeSet'])
  expect([await ask('fee'), await ask('nextFee')]).toEqual([(1n << 40n) - 1n, (1n << 40n) - 1n])
  const later = await submit(world, await createBatch(world))
  expect(later.logs.length).toBe(1)
})
