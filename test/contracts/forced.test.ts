/** Forced exits on L1: asked for by the owner, priced, served in order, paid like withdrawals. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import {
  type Batch,
  batchArguments,
  createBatch,
  statementOf,
  submit,
  wordsOf,
} from './batch-data.ts'
import {
  TERMS,
  type World,
  deploy,
  mustRefuse,
  mustRefusePaid,
  now,
  provider,
  register,
  send,
  sendPaid,
  setTime,
} from './l1.ts'
import { keyOf } from './points.ts'
import {
  ask,
  forceExit,
  memberWorld,
  paymentsTree,
  postTable,
  proofOf,
  standard,
  wait,
  type Payment,
} from './exits.ts'

const HOUR = 3_600n
const refuseBatch = async (world: World, error: string, over: Partial<Batch>) =>
  mustRefuse(
    error,
    world.operator,
    world.cloister,
    'submitBatch',
    ...batchArguments(await createBatch(world, { shape: standard, ...over })),
  )
const priceOf = async (world: World): Promise<bigint> => (await ask(world, 'forcedExitQueue')).price

test('a forced exit is asked for by the L1 owner, one at a time, of a listed token', async () => {
  const world = await memberWorld()
  const { cloister, members } = world
  const [alice, bob] = members as [string, string]
  const price = TERMS.forcePrice
  const refuse = (error: string, from: string, wei: bigint, ...args: unknown[]) =>
    mustRefusePaid(error, from, wei, cloister, 'forceExit', ...args)
  await refuse('CallerMustBeL1Owner', bob, price, 16n, 1n, bob)
  await refuse('CallerMustBeL1Owner', alice, price, 3n, 1n, alice)
  await refuse('CallerMustBeL1Owner', alice, price, 999n, 1n, alice)
  await refuse('TokenMustBeKnown', alice, price, 16n, 2n, alice)
  await refuse('TokenMustBeKnown', alice, price, 16n, 0n, alice)
  await refuse('RecipientMustBeNonzero', alice, price, 16n, 1n, ethers.ZeroAddress)
  expect([...(await refuse('PriceMustBePaid', alice, price - 1n, 16n, 1n, alice))]).toEqual([
    price,
    price - 1n,
  ])
  const receipt = await sendPaid(alice, price, cloister, 'forceExit', 16n, 1n, bob)
  const [queued, asked] = receipt.logs.map((log) => cloister.interface.parseLog(log)!)
  expect([...queued!.args]).toEqual([3n, 16n, 3n, 1n, BigInt(bob), 0n])
  expect([...asked!.args]).toEqual([3n, 16n, 1n, ethers.getAddress(bob), price])
  const request = await ask(world, 'request', 3n)
  expect([request.kind, request.account, request.x, request.y]).toEqual([3n, 16n, 1n, BigInt(bob)])
  expect(request.requestedAt).toBe(await ask(world, 'serviceTime'))
  await refuse('ForcedExitMustNotBePending', alice, 10n * price, 16n, 1n, alice)
  // Served, the same token waits; the wait is to the second.
  await submit(
    world,
    await createBatch(world, { shape: standard, requestCount: 1n, forcedPayments: [0n] }),
  )
  const dueAt =
    (await provider.getBlock(receipt.blockNumber))!.timestamp + Number(TERMS.unwindDelay)
  expect([
    ...(await refuse('ForcedExitMustAwaitUnwind', alice, 10n * price, 16n, 1n, alice)),
  ]).toEqual([BigInt(dueAt)])
  await setTime(BigInt(dueAt) - 2n)
  await refuse('ForcedExitMustAwaitUnwind', alice, price, 16n, 1n, alice)
  await setTime(BigInt(dueAt))
  await forceExit(world, alice, 16n)
})

test('the price is burned, the rest returned; it rises by an eighth and halves in an hour', async () => {
  const world = await memberWorld(4)
  const { cloister, members, address } = world
  const [alice, bob, carol, dave] = members as [string, string, string, string]
  const burned = () => provider.getBalance(ethers.ZeroAddress)
  const before = [await provider.getBalance(alice), await burned()] as const
  const receipt = await sendPaid(alice, 10n ** 18n, cloister, 'forceExit', 16n, 1n, alice)
  const spent = receipt.gasUsed * receipt.gasPrice
  expect(await provider.getBalance(alice)).toBe(before[0] - spent - TERMS.forcePrice)
  expect((await burned()) - before[1]).toBe(TERMS.forcePrice)
  expect(await provider.getBalance(address)).toBe(0n)

  const asked = await now()
  const at = async (time: bigint): Promise<bigint> => {
    await setTime(time)
    return priceOf(world)
  }
  const model = (last: bigint, elapsed: bigint): bigint => {
    const halved = ((last * 9n) / 8n) >> (elapsed / HOUR)
    const price = halved - (halved * (elapsed % HOUR)) / (2n * HOUR)
    return price > TERMS.forcePrice ? price : TERMS.forcePrice
  }
  expect(await at(asked + 1n)).toBe(model(TERMS.forcePrice, 1n))
  await sendPaid(bob, 10n ** 18n, cloister, 'forceExit', 17n, 1n, bob)
  const second = await now()
  const paid = model(TERMS.forcePrice, second - asked)
  expect(paid).toBeGreaterThan(TERMS.forcePrice)
  for (const elapsed of [10n, 400n, HOUR - 1n, HOUR, HOUR + 1n, 5n * HOUR]) {
    expect(await at(second + elapsed)).toBe(model(paid, elapsed))
  }
  expect(await at(second + 200n * HOUR)).toBe(TERMS.forcePrice)
  // A price far up comes down by the same rule, and never below the one at rest.
  for (const [who, account] of [
    [carol, 18n],
    [dave, 19n],
  ] as const)
    await forceExit(world, who, account)
  expect(await priceOf(world)).toBeGreaterThan(TERMS.forcePrice)
})

test('a payer that takes no change must pay exactly', async () => {
  const world = await memberWorld()
  // A contract without a way to receive ETH becomes the L1 owner.
  const payer = await deploy('ReentrantToken')
  const at = await payer.getAddress()
  await send(world.members[0]!, world.cloister, 'offerL1Owner', 16n, at)
  await send(
    world.members[0]!,
    payer,
    'act',
    world.address,
    world.cloister.interface.encodeFunctionData('acceptL1Owner', [16n]),
  )
  await provider.send('hardhat_setBalance', [at, '0xde0b6b3a7640000'])
  await mustRefusePaid(
    'EtherMustBeAccepted',
    at,
    TERMS.forcePrice + 1n,
    world.cloister,
    'forceExit',
    16n,
    1n,
    at,
  )
})

test('served in order, with what L1 says is free, and paid behind the withdrawals', async () => {
  const world = await memberWorld(3, 1_000n)
  const { cloister, members } = world
  const [alice, bob, carol] = members as [string, string, string]
  const dave = ethers.getAddress(members[7]!)
  await forceExit(world, alice, 16n, 1n, dave)
  await forceExit(world, bob, 17n, 1n, bob)
  expect((await ask(world, 'forcedExitQueue')).pending).toBe(2n)
  // One number for each forced exit that is served, within what is free.
  await refuseBatch(world, 'ForcedPaymentsMustMatch', { requestCount: 1n })
  await refuseBatch(world, 'ForcedPaymentsMustMatch', {
    requestCount: 1n,
    forcedPayments: [1n, 1n],
  })
  await refuseBatch(world, 'ForcedPaymentsMustMatch', { requestCount: 0n, forcedPayments: [1n] })
  await refuseBatch(world, 'WithdrawalMustBeFunded', { requestCount: 1n, forcedPayments: [1_001n] })
  expect([
    ...(await refuseBatch(world, 'WithdrawalMustBeFunded', {
      requestCount: 2n,
      forcedPayments: [600n, 401n],
    })),
  ]).toEqual([1n, 401n, 400n])
  await refuseBatch(world, 'AmountMustBeInRange', { requestCount: 1n, forcedPayments: [1n << 55n] })
  // Forced before voluntary: what they take, a withdrawal cannot have.
  const voluntary = { token: 1n, amount: 100n, to: ethers.getAddress(carol) }
  expect([
    ...(await refuseBatch(world, 'WithdrawalMustBeFunded', {
      requestCount: 2n,
      forcedPayments: [600n, 301n],
      withdrawals: [voluntary],
    })),
  ]).toEqual([1n, 100n, 99n])
  // The words are L1's, the amounts the prover's, and all of them are in the statement.
  const world2 = await createBatch(world, {
    shape: standard,
    requestCount: 2n,
    forcedPayments: [600n, 300n],
    withdrawals: [voluntary],
  })
  const words = await wordsOf(world, world2)
  expect(words.slice(32, 44)).toEqual([
    3n + 8n * 3n,
    16n,
    1n,
    BigInt(dave),
    1_000n,
    600n,
    3n + 8n * 4n,
    17n,
    1n,
    BigInt(bob),
    400n,
    300n,
  ])
  const receipt = await submit(world, world2)
  const event = cloister.interface.parseLog(receipt.logs.at(-1)!)!
  expect(event.args.words).toBe(ethers.concat(words.map((word) => ethers.toBeHex(word, 32))))
  expect((await ask(world, 'forcedExitQueue')).pending).toBe(0n)
  expect(await ask(world, 'owed', 1n)).toBe(1_000n)

  const batch: bigint = await ask(world, 'batchNumber')
  const payments: Payment[] = [
    voluntary,
    { token: 1n, amount: 600n, to: dave },
    { token: 1n, amount: 300n, to: ethers.getAddress(bob) },
  ]
  const tree = paymentsTree(world, batch, payments)
  expect((await ask(world, 'batches', batch)).withdrawalsRoot).toBe(tree.getHexRoot())
  for (const [slot, { token, amount, to }] of payments.entries()) {
    const claim = [batch, slot, token, amount, to, proofOf(tree, slot)]
    await send(members[9]!, cloister, 'claim', ...claim)
    await mustRefuse('WithdrawalMustBeUnclaimed', members[9]!, cloister, 'claim', ...claim)
  }
  expect(await world.dollar.getFunction('balanceOf')(dave)).toBe(60_000n)
  expect([await ask(world, 'owed', 1n), await ask(world, 'vault', 1n)]).toEqual([0n, 0n])
})

test('L1 puts the statement of a batch with every kind of request', async () => {
  const fresh = await memberWorld(0, 50n)
  const { members } = fresh
  expect(await ask(fresh, 'served')).toBe(0n)
  await register(fresh, members[0]!, keyOf(1), 5n)
  await forceExit(fresh, members[0]!, 16n)
  const batch = await createBatch(fresh, {
    shape: standard,
    requestCount: 2n,
    forcedPayments: [7n],
  })
  const statement = await statementOf(fresh, batch, await wordsOf(fresh, batch))
  const verifier = await deploy('ExpectingVerifier')
  await send(fresh.admin, verifier, 'expectStatement', ...statement)
  await send(
    fresh.admin,
    fresh.cloister,
    'addShape',
    70n,
    8n,
    4n,
    4n,
    2n,
    await verifier.getAddress(),
    ethers.id('a verifying key'),
    true,
    'strict',
  )
  const [header, ...rest] = batchArguments(batch) as [object, ...unknown[]]
  const strict = { ...header, shapeId: 70n }
  const other = [...rest]
  other[2] = [8n]
  await mustRefuse(
    'ProofMustVerify',
    fresh.operator,
    fresh.cloister,
    'submitBatch',
    strict,
    ...other,
  )
  await send(fresh.operator, fresh.cloister, 'submitBatch', strict, ...rest)
})

test('while the table is indicative or old nothing is paid, and the clock of service stands still', async () => {
  const world = await memberWorld()
  const { members, cloister, oracle } = world
  const alice = members[0]!
  await forceExit(world, alice, 16n)
  const withdrawals = [{ token: 1n, amount: 1n, to: alice }]
  const refused = async (tableNumber: bigint) => {
    await refuseBatch(world, 'WithdrawalMustAwaitConfirmedTable', { tableNumber, withdrawals })
    await refuseBatch(world, 'WithdrawalMustAwaitConfirmedTable', {
      tableNumber,
      requestCount: 1n,
      forcedPayments: [0n],
    })
  }
  const clock = (): Promise<bigint> => ask(world, 'serviceTime')
  const modeOf = async (tableNumber: bigint): Promise<bigint | undefined> =>
    (await wordsOf(world, await createBatch(world, { tableNumber })))[3]
  expect(await modeOf(1n)).toBe(0n)
  const started = await clock()
  await wait(100n)
  expect((await clock()) - started).toBe(100n)

  await postTable(world, false)
  const stopped = await clock()
  expect(stopped - started).toBeGreaterThanOrEqual(100n)
  await wait(50_000n)
  expect(await clock()).toBe(stopped)
  for (const number of [1n, 2n]) {
    expect(await modeOf(number)).toBe(1n)
    await refused(number)
    await submit(world, await createBatch(world, { shape: standard, tableNumber: number }))
  }
  expect((await wordsOf(world, await createBatch(world)))[8]).toBe(900n)
  await mustRefuse('TableMustBeCurrent', oracle, cloister, 'confirmTable', 1n)
  await mustRefuse('TableMustBeCurrent', oracle, cloister, 'confirmTable', 0n)
  await send(oracle, cloister, 'confirmTable', 2n)
  await mustRefuse('TableMustBeIndicative', oracle, cloister, 'confirmTable', 2n)
  expect(await clock()).toBe(stopped)
  await wait(10n)
  expect(await clock()).toBe(stopped + 10n)
  expect(await modeOf(2n)).toBe(0n)

  // A table counts from its posting: it grows old by that, and then as if it were indicative.
  const { time } = await ask(world, 'tables', 2n)
  await setTime(time + TERMS.tableLife - 3n)
  await submit(world, await createBatch(world, { shape: standard, withdrawals }))
  await setTime(time + TERMS.tableLife)
  expect(await modeOf(2n)).toBe(0n)
  await setTime(time + TERMS.tableLife + 1n)
  const old = await clock()
  await wait(1_000n)
  expect(await clock()).toBe(old)
  expect(await modeOf(2n)).toBe(1n)
  await refused(2n)
  await postTable(world)
  await submit(
    world,
    await createBatch(world, {
      shape: standard,
      requestCount: 1n,
      forcedPayments: [5n],
      tableNumber: 3n,
    }),
  )
})

test('a table that is confirmed when it is too old serves nobody, not even in that block', async () => {
  for (const age of [TERMS.tableLife, TERMS.tableLife + 1n]) {
    const world = await memberWorld()
    await postTable(world, false)
    const { time } = await ask(world, 'tables', 2n)
    await setTime(time + age - 1n)
    const started = await ask(world, 'serviceTime')
    const batch = await createBatch(world, {
      shape: standard,
      withdrawals: [{ token: 1n, amount: 1n, to: world.operator }],
    })
    await provider.send('evm_setNextBlockTimestamp', [`0x${(time + age).toString(16)}`])
    await provider.send('evm_setAutomine', [false])
    const sendTo = async (from: string, name: string, args: readonly unknown[]) =>
      (await provider.getSigner(from)).sendTransaction({
        to: world.address,
        gasLimit: 3_000_000n,
        data: world.cloister.interface.encodeFunctionData(name, args),
      })
    const sent = [
      await sendTo(world.oracle, 'confirmTable', [2n]),
      await sendTo(world.operator, 'submitBatch', batchArguments(batch)),
    ]
    await provider.send('evm_mine', [])
    await provider.send('evm_setAutomine', [true])
    const receipts = await Promise.all(sent.map(({ hash }) => provider.getTransactionReceipt(hash)))
    expect(receipts[0]?.blockNumber).toBe(receipts[1]?.blockNumber)
    expect(receipts.map((r) => r?.status)).toEqual([1, age === TERMS.tableLife ? 1 : 0])
    expect(await ask(world, 'serviceTime')).toBe(started)
    await wait(100n)
    expect(await ask(world, 'serviceTime')).toBe(started)
  }
})

test('an older confirmed table serves while the latest is confirmed, by its own age', async () => {
  const world = await memberWorld()
  const withdrawals = [{ token: 1n, amount: 1n, to: world.members[0]! }]
  const { time } = await ask(world, 'tables', 1n)
  await setTime(time + TERMS.tableLife - 50n)
  await postTable(world)
  await submit(world, await createBatch(world, { shape: standard, tableNumber: 1n, withdrawals }))
  await setTime(time + TERMS.tableLife + 1n)
  await refuseBatch(world, 'WithdrawalMustAwaitConfirmedTable', { tableNumber: 1n, withdrawals })
  await submit(world, await createBatch(world, { shape: standard, tableNumber: 2n, withdrawals }))
})

test('the admin sets the mode, which is in every statement', async () => {
  const world = await memberWorld()
  await mustRefuse('ModeMustBeKnown', world.admin, world.cloister, 'setMode', 2n)
  await send(world.admin, world.cloister, 'setMode', 1n)
  const batch = await createBatch(world, {
    shape: standard,
    withdrawals: [{ token: 1n, amount: 1n, to: world.operator }],
  })
  expect((await wordsOf(world, batch))[3]).toBe(1n)
  // Reducing risk is no reason to keep anybody in: payments go on at a confirmed table.
  const receipt = await submit(world, batch)
  const { words } = world.cloister.interface.parseLog(receipt.logs.at(-1)!)!.args
  expect(BigInt(ethers.dataSlice(words, 96, 128))).toBe(1n)
})

test('a shape whose payments do not fit one word of claims is refused', async () => {
  const world = await memberWorld(0)
  const at = await world.verifier.getAddress()
  await mustRefuse(
    'ShapeMustFitWords',
    world.admin,
    world.cloister,
    'addShape',
    90n,
    3n,
    2n,
    128n,
    128n,
    at,
    ethers.ZeroHash,
    true,
    'x',
  )
  await send(
    world.admin,
    world.cloister,
    'addShape',
    90n,
    3n,
    2n,
    128n,
    127n,
    at,
    ethers.ZeroHash,
    true,
    'x',
  )
  await wait(1n)
})
