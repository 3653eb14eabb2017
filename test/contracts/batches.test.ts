import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { FIELD_MODULUS, SHAPES } from '../../circuits/params.ts'
import { wordCount } from '../../circuits/words.ts'
import { keyOf } from './points.ts'
import {
  type Batch,
  batchArguments,
  createBatch,
  statementOf,
  submit,
  wordsOf,
} from './batch-data.ts'
import {
  KEY_HASH,
  SHAPE_IDS,
  type World,
  createWorld,
  mustRefuse,
  now,
  provider,
  register,
  send,
  setTime,
} from './l1.ts'

const ask = (world: World, name: string, ...args: unknown[]) =>
  world.cloister.getFunction(name)(...args)

function refuse(world: World, error: string, batch: Batch): Promise<ethers.Result> {
  return mustRefuse(error, world.operator, world.cloister, 'submitBatch', ...batchArguments(batch))
}

async function callOf(world: World, batch: Batch): Promise<object> {
  const data = world.cloister.interface.encodeFunctionData('submitBatch', batchArguments(batch))
  return { from: world.operator, to: world.address, data }
}

async function accepting(): Promise<World> {
  const world = await createWorld()
  await send(world.admin, world.verifier, 'acceptAll')
  return world
}

/** A batch with something in every part: deposits, both kinds of request, withdrawals. */
async function fullBatch(world: World, name = 'standard'): Promise<Batch> {
  const [alice, bob] = world.members as [string, string]
  await send(alice, world.cloister, 'deposit', 1n, 500n, 71n)
  await send(bob, world.cloister, 'deposit', 1n, 600n, 72n)
  await register(world, alice, keyOf(1), 11n)
  await send(alice, world.cloister, 'rotate', 16n, ...keyOf(2))
  const shape = SHAPES.find((each) => each.name === name)!
  return createBatch(world, {
    shape,
    depositIds: [1n, 2n],
    requestCount: 2n,
    withdrawals: [{ token: 1n, amount: 300n, to: bob }],
  })
}

test.each(SHAPES.map(({ name }) => name))(
  '%s: L1 puts the statement that the twins compute',
  async (name) => {
    const world = await createWorld()
    const batch = await fullBatch(world, name)
    const words = await wordsOf(world, batch)
    expect(words.length).toBe(wordCount(batch.shape))
    const statement = await statementOf(world, batch, words)
    await refuse(world, 'ProofMustVerify', batch)
    await send(world.admin, world.verifier, 'expectStatement', ...statement)
    const receipt = await submit(world, batch)

    const event = world.cloister.interface.parseLog(receipt.logs.at(-1)!)!
    expect(event.name).toBe('Batch')
    const shapeId = SHAPE_IDS[name as keyof typeof SHAPE_IDS]
    expect([...event.args].slice(0, 5)).toEqual([
      1n,
      shapeId,
      batch.newRoot,
      batch.commitment,
      statement[1],
    ])
    expect(event.args.words).toBe(ethers.concat(words.map((word) => ethers.toBeHex(word, 32))))
    const record = await ask(world, 'batches', 1n)
    expect([...record].slice(0, 5)).toEqual([batch.newRoot, 1n, batch.time, 17n, 2n])
    expect(await ask(world, 'batchNumber')).toBe(1n)
    expect(await ask(world, 'accountCount')).toBe(17n)
    expect((await ask(world, 'deposits', 1n)).status).toBe(2n)
    expect(await ask(world, 'unconsumedDeposits', 1n)).toBe(0n)
    expect(await ask(world, 'owed', 1n)).toBe(300n)
    // The chain goes on from the new root, and the queue from the request after the last one served.
    await register(world, world.members[1]!, keyOf(3), 12n)
    const next = await createBatch(world, { shape: batch.shape, requestCount: 1n })
    const [, , oldRoot] = (await wordsOf(world, next)).slice(2)
    expect(oldRoot).toBe(batch.newRoot)
    await send(
      world.admin,
      world.verifier,
      'expectStatement',
      ...(await statementOf(world, next, await wordsOf(world, next))),
    )
    await submit(world, next)
  },
)

test('any two words swapped, or one changed, make another statement', async () => {
  const world = await createWorld()
  const batch = await fullBatch(world)
  const statement = await statementOf(world, batch, await wordsOf(world, batch))
  await send(world.admin, world.verifier, 'expectStatement', ...statement)
  const { accountWords } = batch
  for (const [i, j] of [
    [1, 2],
    [11, 21],
    [0, 10],
    [88, 89],
  ] as const) {
    const swapped = [...accountWords]
    ;[swapped[i], swapped[j]] = [accountWords[j]!, accountWords[i]!]
    await refuse(world, 'ProofMustVerify', { ...batch, accountWords: swapped })
  }
  for (const changed of [
    { newRoot: batch.newRoot + 1n },
    { time: batch.time - 1n },
    { batchNonce: batch.batchNonce + 1n },
    { commitment: batch.commitment + 1n },
    { requestCount: 1n },
    { depositIds: [1n] },
    { depositIds: [2n] },
    { withdrawals: [{ ...batch.withdrawals[0]!, amount: 301n }] },
    { withdrawals: [{ ...batch.withdrawals[0]!, to: world.members[0]! }] },
    { withdrawals: [] },
  ]) {
    await refuse(world, 'ProofMustVerify', { ...batch, ...changed })
  }
  await submit(world, batch)
})

test('the statement changes with everything that L1 fills in', async () => {
  const world = await createWorld()
  const batch = await fullBatch(world)
  await send(
    world.admin,
    world.verifier,
    'expectStatement',
    ...(await statementOf(world, batch, await wordsOf(world, batch))),
  )
  const changes: readonly [string, string, readonly unknown[]][] = [
    [world.oracle, 'postSettlement', [[], [], 1n]],
  ]
  for (const [from, name, args] of changes) {
    const snapshot = await provider.send('evm_snapshot', [])
    await send(from, world.cloister, name, ...args)
    await refuse(world, 'ProofMustVerify', batch)
    await provider.send('evm_revert', [snapshot])
  }
  // What comes later in the queues, a new table beside the named one, and a change of the fee, which
  // is for the batches after this one, change nothing.
  await send(world.admin, world.cloister, 'setFee', 1n)
  await register(world, world.members[2]!, keyOf(5), 9n)
  await send(world.members[0]!, world.cloister, 'deposit', 1n, 1n, 1n)
  await send(world.oracle, world.cloister, 'postTable', 950n, 1n, ethers.ZeroHash, '0x', true)
  await submit(world, batch)
})

test('every word is below the modulus, the last one too', async () => {
  const world = await accepting()
  const batch = await createBatch(world, { shape: SHAPES.find(({ name }) => name === 'standard')! })
  await refuse(world, 'WordMustBeBelowModulus', {
    ...batch,
    newRoot: batch.newRoot + FIELD_MODULUS,
  })
  await refuse(world, 'WordMustBeBelowModulus', { ...batch, batchNonce: FIELD_MODULUS })
  await refuse(world, 'WordMustBeBelowModulus', { ...batch, batchNonce: ethers.MaxUint256 })
  await refuse(world, 'WordMustBeBelowModulus', { ...batch, commitment: FIELD_MODULUS })
  for (let i = 0; i < batch.accountWords.length; i++) {
    const accountWords = batch.accountWords.with(
      i,
      FIELD_MODULUS + (batch.accountWords[i] as bigint),
    )
    await refuse(world, 'WordMustBeBelowModulus', { ...batch, accountWords })
  }
  await submit(world, {
    ...batch,
    newRoot: FIELD_MODULUS - 1n,
    accountWords: batch.accountWords.with(5, FIELD_MODULUS - 1n),
  })
})

test('a batch fits its shape', async () => {
  const world = await accepting()
  const batch = await createBatch(world)
  const payment = { token: 1n, amount: 1n, to: world.operator }
  await refuse(world, 'AccountWordsMustFitShape', {
    ...batch,
    accountWords: batch.accountWords.slice(1),
  })
  await refuse(world, 'AccountWordsMustFitShape', {
    ...batch,
    accountWords: [...batch.accountWords, 0n],
  })
  await refuse(world, 'DepositsMustFitShape', { ...batch, depositIds: [1n, 2n, 3n] })
  await refuse(world, 'WithdrawalsMustFitShape', { ...batch, withdrawals: [payment, payment] })
  const [header, ...rest] = batchArguments(batch)
  await mustRefuse(
    'ShapeMustBeKnown',
    world.operator,
    world.cloister,
    'submitBatch',
    { ...(header as object), shapeId: 77n },
    ...rest,
  )
})

test('a batch serves a prefix of the queue and no request twice', async () => {
  const world = await accepting()
  const { members } = world
  expect([
    ...(await refuse(
      world,
      'RequestsMustBeQueued',
      await createBatch(world, { requestCount: 1n }),
    )),
  ]).toEqual([1n, 0n])
  for (let i = 0; i < 3; i++) await register(world, members[i]!, keyOf(i), 5n)
  await refuse(world, 'RequestsMustFitShape', await createBatch(world, { requestCount: 3n }))
  await refuse(
    world,
    'RequestsMustBeQueued',
    await createBatch(world, { requestCount: ethers.MaxUint256 }),
  )
  await submit(world, await createBatch(world, { requestCount: 2n }))
  expect([await ask(world, 'served'), await ask(world, 'accountCount')]).toEqual([2n, 18n])
  await refuse(world, 'RequestsMustBeQueued', await createBatch(world, { requestCount: 2n }))
  await submit(world, await createBatch(world, { requestCount: 0n }))
  await submit(world, await createBatch(world, { requestCount: 1n }))
  expect([await ask(world, 'served'), await ask(world, 'accountCount')]).toEqual([3n, 19n])
})

test('a deposit is credited once, from an ascending list', async () => {
  const world = await accepting()
  for (let i = 0; i < 3; i++) await send(world.members[0]!, world.cloister, 'deposit', 1n, 10n, 5n)
  await refuse(world, 'DepositIdsMustAscend', await createBatch(world, { depositIds: [1n, 1n] }))
  await refuse(world, 'DepositIdsMustAscend', await createBatch(world, { depositIds: [2n, 1n] }))
  await refuse(world, 'DepositIdsMustAscend', await createBatch(world, { depositIds: [0n] }))
  await refuse(world, 'DepositMustBeOpen', await createBatch(world, { depositIds: [4n] }))
  await submit(world, await createBatch(world, { depositIds: [1n, 3n] }))
  await refuse(world, 'DepositMustBeOpen', await createBatch(world, { depositIds: [1n] }))
  await refuse(world, 'DepositMustBeOpen', await createBatch(world, { depositIds: [2n, 3n] }))
  expect(await ask(world, 'unconsumedDeposits', 1n)).toBe(10n)
})

test('time never goes back, is never ahead, and lags by less than the life of a page', async () => {
  const world = await accepting()
  const genesis = (await ask(world, 'batches', 0n)).time as bigint
  await refuse(world, 'TimeMustNotGoBack', await createBatch(world, { time: genesis - 1n }))
  await refuse(
    world,
    'TimeMustNotBeAhead',
    await createBatch(world, { time: (await now()) + 1_000n }),
  )
  const start = await now()
  await submit(world, await createBatch(world, { time: start }))
  await refuse(world, 'TimeMustNotGoBack', await createBatch(world, { time: start - 1n }))
  // eth_call sees the time of the latest block: the last second that is recent, and the next.
  await setTime(start + 65_535n)
  await provider.send('eth_call', [
    await callOf(world, await createBatch(world, { time: start })),
    'latest',
  ])
  await setTime(start + 65_536n)
  await refuse(world, 'TimeMustBeRecent', await createBatch(world, { time: start }))
  await submit(world, await createBatch(world, { time: start + 10n }))
})

test('the table is the latest or the one before, and never an older one than before', async () => {
  const world = await accepting()
  const post = () =>
    send(world.oracle, world.cloister, 'postTable', 5n, 6n, ethers.ZeroHash, '0x', true)
  await refuse(world, 'TableMustBeCurrent', await createBatch(world, { tableNumber: 0n }))
  await refuse(world, 'TableMustBeCurrent', await createBatch(world, { tableNumber: 2n }))
  await post()
  await submit(world, await createBatch(world, { tableNumber: 1n }))
  await submit(world, await createBatch(world, { tableNumber: 2n }))
  await refuse(world, 'TableMustNotGoBack', await createBatch(world, { tableNumber: 1n }))
  await post()
  await refuse(world, 'TableMustBeCurrent', await createBatch(world, { tableNumber: 1n }))
  await submit(world, await createBatch(world, { tableNumber: 2n }))
  await post()
  await refuse(world, 'TableMustBeCurrent', await createBatch(world, { tableNumber: 2n }))
})

test('the key of the shape is in the statement', async () => {
  const world = await createWorld()
  const { cloister, admin, verifier } = world
  const batch = await createBatch(world)
  await send(
    admin,
    verifier,
    'expectStatement',
    ...(await statementOf(world, batch, await wordsOf(world, batch))),
  )
  await send(
    admin,
    cloister,
    'addShape',
    50n,
    3n,
    2n,
    1n,
    2n,
    await verifier.getAddress(),
    ethers.id('other'),
    true,
    'twin',
  )
  const [header, ...rest] = batchArguments(batch)
  const twin = { ...(header as object), shapeId: 50n }
  await mustRefuse('ProofMustVerify', world.operator, cloister, 'submitBatch', twin, ...rest)
  expect(KEY_HASH).not.toBe(ethers.id('other'))
  await submit(world, batch)
})
