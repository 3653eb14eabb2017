/** The sweep on L1: which table and which state are proven, chunk by chunk, and what lateness does. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { SWEEP_WORDS } from '../../circuits/sweep.ts'
import { evaluateWords } from '../../circuits/words.ts'
import { PROOF, createBatch, submit } from './batch-data.ts'
import {
  KEY_HASH,
  TERMS,
  type World,
  deploy,
  mustRefuse,
  now,
  provider,
  register,
  send,
  setTime,
} from './l1.ts'
import { ask, memberWorld, postTable, standard, wait } from './exits.ts'
import { keyOf } from './points.ts'

const EIGHT = 1n
const SIXTEEN = 2n

async function sweepWorld(
  isAccepting = true,
): Promise<{ world: World; verifier: ethers.Contract }> {
  const world = await memberWorld(5)
  const verifier = await deploy('ExpectingVerifier')
  if (isAccepting) await send(world.admin, verifier, 'acceptAll')
  const at = await verifier.getAddress()
  for (const [id, accounts] of [
    [EIGHT, 8n],
    [SIXTEEN, 16n],
  ] as const) {
    await send(
      world.admin,
      world.cloister,
      'addSweepShape',
      id,
      accounts,
      at,
      KEY_HASH,
      true,
      `${id}`,
    )
  }
  return { world, verifier }
}
const prove = (world: World, shape = EIGHT, flagged = 0n, shortfall = 0n) =>
  send(world.members[9]!, world.cloister, 'submitSweep', shape, flagged, shortfall, 4n, PROOF)
const refuse = (world: World, error: string, shape = EIGHT, flagged = 0n, shortfall = 0n, c = 4n) =>
  mustRefuse(
    error,
    world.members[9]!,
    world.cloister,
    'submitSweep',
    shape,
    flagged,
    shortfall,
    c,
    PROOF,
  )

test('the first confirmed table of an epoch begins a sweep; an indicative one does not', async () => {
  const { world } = await sweepWorld()
  const { time } = await ask(world, 'tables', 1n)
  const sweep = () => ask(world, 'sweep')
  expect((await sweep()).table).toBe(1n)
  expect((await sweep()).time).toBe(time + TERMS.flagDelay)
  await setTime(time + TERMS.sweepEpoch - 10n)
  await postTable(world)
  expect((await sweep()).table).toBe(1n)
  await setTime(time + TERMS.sweepEpoch)
  await postTable(world, false)
  expect((await sweep()).table).toBe(1n)
  await send(world.oracle, world.cloister, 'confirmTable', 3n)
  expect((await sweep()).table).toBe(3n)
  expect((await sweep()).time).toBe((await now()) + TERMS.flagDelay)
})

test('the state is the latest at the end of the flag delay, whoever fixes it', async () => {
  const { world } = await sweepWorld()
  const { time } = await ask(world, 'sweep')
  await refuse(world, 'SweepMustBeDue')
  await submit(world, await createBatch(world, { shape: standard, newRoot: 71n }))
  const batch: bigint = await ask(world, 'batchNumber')
  await setTime(time - 2n)
  await refuse(world, 'SweepMustBeDue')
  const snapshot = await provider.send('evm_snapshot', [])
  // By the first batch that comes at or after it, which does not count.
  await setTime(time)
  await register(world, world.members[0]!, keyOf(9), 1n)
  await submit(world, await createBatch(world, { shape: standard, newRoot: 72n, requestCount: 1n }))
  const fixed = await ask(world, 'sweep')
  expect([fixed.isFixed, fixed.batch, fixed.accountCount]).toEqual([true, batch, 21n])
  await submit(world, await createBatch(world, { shape: standard, newRoot: 73n }))
  expect((await ask(world, 'sweep')).batch).toBe(batch)
  await provider.send('evm_revert', [snapshot])
  // By the first proof, if no batch came.
  await setTime(time + 10_000n)
  await prove(world)
  expect((await ask(world, 'sweep')).batch).toBe(batch)
  await submit(world, await createBatch(world, { shape: standard, newRoot: 73n }))
  expect((await ask(world, 'sweep')).batch).toBe(batch)
})

test('L1 puts the words itself: root, table, register, place, time', async () => {
  const { world, verifier } = await sweepWorld(false)
  const { cloister, oracle, admin } = world
  await wait(TERMS.sweepEpoch)
  await send(oracle, cloister, 'postSettlement', [5_000n], [7n], 314n)
  await postTable(world)
  await send(oracle, cloister, 'postSettlement', [5_001n], [7n], 315n)
  await submit(world, await createBatch(world, { shape: standard, newRoot: 4_321n }))
  const { table, time } = await ask(world, 'sweep')
  await setTime(time)
  for (const first of [0n, 8n]) {
    const words: Record<(typeof SWEEP_WORDS)[number], bigint> = {
      root: 4_321n,
      tableRoot: (await ask(world, 'tables', table)).root,
      settlementRoot: 314n,
      first,
      time,
      callDelay: TERMS.callDelay,
      flagged: 2n,
      shortfall: 99n,
    }
    const list = SWEEP_WORDS.map((name) => words[name])
    const prefix = [
      BigInt(ethers.id('cloister.v1')),
      31337n,
      BigInt(world.address),
      BigInt(KEY_HASH),
      4n,
    ]
    const preimage = ethers.concat([...prefix, ...list].map((word) => ethers.toBeHex(word, 32)))
    const x = BigInt(ethers.keccak256(preimage)) % FIELD_MODULUS
    await refuse(world, 'ProofMustVerify', EIGHT, 2n, 99n)
    await send(admin, verifier, 'expectStatement', 4n, x, evaluateWords(list, x))
    await refuse(world, 'ProofMustVerify', EIGHT, 1n, 99n)
    await refuse(world, 'ProofMustVerify', EIGHT, 2n, 98n)
    await refuse(world, 'ProofMustVerify', EIGHT, 2n, 99n, 5n)
    const receipt = await prove(world, EIGHT, 2n, 99n)
    expect([...cloister.interface.parseLog(receipt.logs.at(-1)!)!.args]).toEqual([
      table,
      first,
      first + 8n,
      2n,
      99n,
    ])
  }
})

test('chunks follow each other to the last account, and then the sweep is complete', async () => {
  const { world } = await sweepWorld()
  const { cloister } = world
  const { time } = await ask(world, 'sweep')
  await setTime(time)
  await refuse(world, 'ShapeMustBeKnown', 9n)
  await refuse(world, 'SweepSumsMustBeInRange', EIGHT, 9n)
  await refuse(world, 'SweepSumsMustBeInRange', EIGHT, 0n, 1n << 120n)
  await refuse(world, 'WordMustBeBelowModulus', EIGHT, 0n, 0n, FIELD_MODULUS)
  await prove(world, EIGHT, 1n, 10n)
  await refuse(world, 'SweepMustBeAligned', SIXTEEN)
  await prove(world, EIGHT, 0n, 0n)
  // 21 accounts: the third chunk ends it.
  const before = await ask(world, 'serviceTime')
  const receipt = await prove(world, SIXTEEN, 2n, 5n)
  const event = cloister.interface.parseLog(receipt.logs.at(-1)!)!
  expect([event.name, ...event.args]).toEqual([
    'SweepCompleted',
    1n,
    await ask(world, 'batchNumber'),
    3n,
    15n,
  ])
  const { table, sweptAt } = await ask(world, 'sweep')
  expect(table).toBe(0n)
  expect(sweptAt).toBeLessThan(before)
  await refuse(world, 'SweepMustBeUnderWay')
  await postTable(world)
  await refuse(world, 'SweepMustBeUnderWay')
  await wait(TERMS.sweepEpoch)
  await postTable(world)
  await refuse(world, 'SweepMustBeDue')
})

test('a sweep of a later epoch discharges an unfinished one', async () => {
  const { world } = await sweepWorld()
  await setTime((await ask(world, 'sweep')).time)
  await prove(world, EIGHT, 1n, 1n)
  await wait(TERMS.sweepEpoch)
  await postTable(world)
  const { table, next, isFixed, flagged, time } = await ask(world, 'sweep')
  expect([table, next, isFixed, flagged]).toEqual([2n, 0n, false, 0n])
  await setTime(time)
  const started: bigint = await ask(world, 'serviceTime')
  for (const shape of [SIXTEEN, EIGHT]) await prove(world, shape)
  const { sweptAt } = await ask(world, 'sweep')
  expect(sweptAt).toBeGreaterThanOrEqual(started - TERMS.flagDelay - 2n)
})

test('a shape of sweeps is added once, with a verifier and a multiple of eight', async () => {
  const { world, verifier } = await sweepWorld()
  const at = await verifier.getAddress()
  const add = (error: string, id: bigint, accounts: bigint, to: string, from = world.admin) =>
    mustRefuse(error, from, world.cloister, 'addSweepShape', id, accounts, to, KEY_HASH, true, 'x')
  await add('ShapeMustBeNew', EIGHT, 8n, at)
  for (const accounts of [0n, 4n, 9n, 4_096n]) await add('ShapeMustFitWords', 3n, accounts, at)
  await add('VerifierMustBeContract', 3n, 8n, world.admin)
  await add('AccessControlUnauthorizedAccount', 3n, 8n, at, world.operator)
})
