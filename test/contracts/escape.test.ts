/** After a freeze: claims, the value of the pot, shares, whatever the order. */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { valueOf } from '../../client/exit/due.ts'
import { PROOF, createBatch, submit } from './batch-data.ts'
import {
  DOLLAR_UNIT,
  TERMS,
  type World,
  deploy,
  mustRefuse,
  provider,
  send,
  setTime,
} from './l1.ts'
import {
  MARKS,
  ask,
  claimEscape,
  freezeForNoBatch,
  marksOf,
  memberWorld,
  postTable,
  setEscapeVerifier,
  standard,
} from './exits.ts'

const share = (pot: bigint, claim: bigint, all: bigint): bigint => (pot * claim) / all

/** Accounts 16, 17, 18; 1,000 lots of cash and 90 of token 2 (mark 3): the pot is worth 1,270. */
async function frozenWorld(): Promise<{ world: World; token: ethers.Contract }> {
  const world = await memberWorld(3, 1_000n)
  const { cloister, members, admin, address } = world
  const token = await deploy('VoidToken')
  await send(admin, cloister, 'addToken', 2n, await token.getAddress(), 7n, 10_000n)
  await send(members[0]!, token, 'mint', members[0]!, 700n)
  await send(members[0]!, token, 'approve', address, 700n)
  await send(members[0]!, cloister, 'deposit', 2n, 90n, 5n)
  await postTable(world)
  await submit(world, await createBatch(world, { shape: standard, depositIds: [2n] }))
  const verifier = await setEscapeVerifier(world)
  await send(admin, verifier, 'acceptAll')
  await freezeForNoBatch(world)
  return { world, token }
}

async function endWindow(world: World): Promise<void> {
  const { claimsEndAt } = await ask(world, 'escape')
  await setTime(claimsEndAt + 1n)
}

async function pay(world: World, who: number, token: bigint): Promise<bigint> {
  const to = ethers.Wallet.createRandom().address
  const receipt = await send(
    world.members[who]!,
    world.cloister,
    'escapePay',
    BigInt(16 + who),
    token,
    to,
  )
  const { args } = receipt.logs
    .map((log) => world.cloister.interface.parseLog(log))
    .find((event) => event?.name === 'EscapePaid')!
  expect([...args].slice(0, 3)).toEqual([BigInt(16 + who), token, to])
  if (token === 1n) {
    expect(await world.dollar.getFunction('balanceOf')(to)).toBe(args.amount * DOLLAR_UNIT)
  }
  return args.amount as bigint
}

test('a claim is made once by the L1 owner, and proven against what the freeze left', async () => {
  const world = await memberWorld(3)
  const verifier = await setEscapeVerifier(world)
  const settlement = 31_415n
  await send(world.oracle, world.cloister, 'postSettlement', [5_000n], [7n], settlement)
  await postTable(world)
  // What comes after the last confirmed table is not what claims are proven against.
  await postTable(world, false)
  await send(world.oracle, world.cloister, 'postSettlement', [5_001n], [7n], 27_182n)
  const root = 123_456n
  await submit(world, await createBatch(world, { shape: standard, newRoot: root }))
  await freezeForNoBatch(world)
  const [alice, bob] = world.members as [string, string]
  const refuse = (error: string, from: string, account: bigint, equity: bigint) =>
    mustRefuse(error, from, world.cloister, 'escapeClaim', 1n, account, equity, PROOF)
  const { root: tableRoot } = await ask(world, 'tables', 2n)
  await send(world.admin, verifier, 'expectClaim', [root, tableRoot, settlement, 16n, 500n])
  await refuse('CallerMustBeL1Owner', bob, 16n, 500n)
  for (const house of [0n, 15n]) await refuse('CallerMustBeL1Owner', alice, house, 500n)
  await refuse('ProofMustVerify', alice, 16n, 501n)
  await refuse('ProofMustVerify', bob, 17n, 500n)
  await mustRefuse('ShapeMustBeKnown', alice, world.cloister, 'escapeClaim', 2n, 16n, 500n, PROOF)
  await refuse('EquityMustBeInRange', alice, 16n, 1n << 109n)
  const receipt = await claimEscape(world, alice, 16n, 500n)
  expect([...world.cloister.interface.parseLog(receipt.logs[0]!)!.args]).toEqual([
    16n,
    ethers.getAddress(alice),
    500n,
    500n,
  ])
  await refuse('ClaimMustBeNew', alice, 16n, 500n)
  expect((await ask(world, 'escape')).claims).toBe(500n)
})

test('the pot is valued by the marks of the last confirmed table, once', async () => {
  const { world } = await frozenWorld()
  const any = world.members[8]!
  await mustRefuse('MarksMustMatchTable', any, world.cloister, 'valuePot', '0x')
  await mustRefuse('MarksMustMatchTable', any, world.cloister, 'valuePot', `${MARKS}00`)
  await send(any, world.cloister, 'valuePot', MARKS)
  expect((await ask(world, 'escape')).potValue).toBe(1_000n + 90n * 3n)
  await mustRefuse('PotMustNotBeValued', any, world.cloister, 'valuePot', MARKS)
})

test.each([
  ['no marks at all', '0x', 0n],
  ['half a row', MARKS.slice(0, 2 + 2 * 150), 0n],
  [
    'a token without a row',
    marksOf([
      [3n, 1n, 9n],
      [1024n, 1n, 5n],
    ]),
    0n,
  ],
  ['a worlds root that reads like the token', marksOf([[3n, 1n, 9n]], 2n, 5n), 0n],
  ['rows without the words behind them', marksOf([[2n, 1n, 3n]]).slice(0, -128), 270n],
  ['a negative mark', marksOf([[2n, 1n, -3n]]), 0n],
  [
    'a mark too wide',
    `0x${'00'.repeat(64)}${'00'.repeat(31)}02${'00'.repeat(32)}${'ff'.repeat(32)}`,
    0n,
  ],
  ['the widest mark', marksOf([[2n, 1n, (1n << 48n) - 1n]]), 90n * ((1n << 48n) - 1n)],
  [
    'a row behind others',
    marksOf([
      [1n, 1n, 7n],
      [2n, 1n, 4n],
    ]),
    360n,
  ],
  [
    'two rows of one token',
    marksOf([
      [2n, 1n, 4n],
      [2n, 1n, 9n],
    ]),
    360n,
  ],
  [
    "a row behind one that is no token's",
    marksOf([
      [1024n, 1n, 5n],
      [2n, 1n, 4n],
    ]),
    360n,
  ],
  [
    'rows that do not ascend',
    marksOf([
      [3n, 1n, 9n],
      [2n, 1n, 4n],
    ]),
    0n,
  ],
])('marks never hold up the way out: %s', async (_, marks, value) => {
  const world = await memberWorld(1, 10n)
  const token = await deploy('VoidToken')
  const alice = world.members[0]!
  await send(world.admin, world.cloister, 'addToken', 2n, await token.getAddress(), 1n, 10_000n)
  await send(alice, token, 'mint', alice, 90n)
  await send(alice, token, 'approve', world.address, 90n)
  await send(alice, world.cloister, 'deposit', 2n, 90n, 5n)
  await submit(world, await createBatch(world, { shape: standard, depositIds: [2n] }))
  await postTable(world, true, marks)
  await freezeForNoBatch(world)
  await send(alice, world.cloister, 'valuePot', marks)
  expect((await ask(world, 'escape')).potValue).toBe(10n + value)
  expect(
    valueOf(
      new Map([
        [1, 10n],
        [2, 90n],
      ]),
      marks,
    ),
  ).toBe(10n + value)
})

test('marks of any length are valued for less gas than they were posted for', async () => {
  const world = await memberWorld(1, 10n)
  for (let id = 2n; id <= 17n; id++) {
    const token = await (await deploy('VoidToken')).getAddress()
    await send(world.admin, world.cloister, 'addToken', id, token, 1n, 10_000n)
  }
  // Zeros are the cheapest to post; they are rows of no token.
  const marks = `0x${'00'.repeat(64 + 96 * 2_000)}`
  const posted = await send(
    world.oracle,
    world.cloister,
    'postTable',
    5n,
    1n,
    ethers.ZeroHash,
    marks,
    true,
  )
  await freezeForNoBatch(world)
  const valued = await send(world.members[0]!, world.cloister, 'valuePot', marks)
  expect(valued.gasUsed).toBeLessThan(posted.gasUsed)
})

test('nobody gets more than all of a claim because others sleep', async () => {
  const { world } = await frozenWorld()
  const { cloister, members } = world
  await claimEscape(world, members[0]!, 16n, 635n)
  const refuse = (error: string, ...args: unknown[]) =>
    mustRefuse(error, members[0]!, cloister, 'escapePay', ...args)
  await refuse('ClaimsMustHaveEnded', 16n, 1n, members[0]!)
  await endWindow(world)
  await refuse('PotMustBeValued', 16n, 1n, members[0]!)
  await send(members[0]!, cloister, 'valuePot', MARKS)
  await refuse('CallerMustBeL1Owner', 17n, 1n, members[0]!)
  await refuse('TokenMustBeKnown', 16n, 3n, members[0]!)
  await refuse('RecipientMustBeNonzero', 16n, 1n, ethers.ZeroAddress)
  await mustRefuse('ClaimMustBeMade', members[1]!, cloister, 'escapePay', 17n, 1n, members[1]!)
  // Half of the pot's value is claimed: half of each token is paid, 500 + 45 * 3 = 635.
  expect(await pay(world, 0, 1n)).toBe(500n)
  expect(await pay(world, 0, 2n)).toBe(45n)
  await refuse('ShareMustBeUnpaid', 16n, 1n, members[0]!)
  await refuse('ShareMustBeUnpaid', 16n, 2n, members[0]!)
  expect(await ask(world, 'pot', 1n)).toBe(1_000n)
  expect(await ask(world, 'vault', 1n)).toBe(500n)
  // Who comes late shares what remains, at no better rate: of 700 claimed 635 count.
  const receipt = await claimEscape(world, members[1]!, 17n, 700n)
  expect([...cloister.interface.parseLog(receipt.logs[0]!)!.args].slice(2)).toEqual([700n, 635n])
  expect(await pay(world, 1, 1n)).toBe(500n)
  const last = await claimEscape(world, members[2]!, 18n, 5n)
  expect(cloister.interface.parseLog(last.logs[0]!)!.args.amount).toBe(0n)
  expect(await pay(world, 2, 1n)).toBe(0n)
  expect(await pay(world, 1, 2n)).toBe(45n)
  expect([await ask(world, 'vault', 1n), await ask(world, 'vault', 2n)]).toEqual([0n, 0n])
})

test('claims above the pot are cut alike, and leave nothing to late ones', async () => {
  const { world } = await frozenWorld()
  const { cloister, members } = world
  await claimEscape(world, members[0]!, 16n, 1_000n)
  await claimEscape(world, members[1]!, 17n, 1_540n)
  await endWindow(world)
  await mustRefuse('PotMustBeValued', members[2]!, cloister, 'escapeClaim', 1n, 18n, 9n, PROOF)
  await send(members[0]!, cloister, 'valuePot', MARKS)
  const late = await claimEscape(world, members[2]!, 18n, 10n ** 9n)
  expect(cloister.interface.parseLog(late.logs[0]!)!.args.amount).toBe(0n)
  for (const [who, claim] of [
    [0, 1_000n],
    [1, 1_540n],
  ] as const) {
    expect(await pay(world, who, 1n)).toBe(share(1_000n, claim, 2_540n))
    expect(await pay(world, who, 2n)).toBe(share(90n, claim, 2_540n))
  }
  expect(await pay(world, 2, 1n)).toBe(0n)
})

test('the last second of the window is within it', async () => {
  const { world } = await frozenWorld()
  const { claimsEndAt, frozenAt } = await ask(world, 'escape')
  expect(claimsEndAt - frozenAt).toBe(TERMS.claimsWindow)
  await provider.send('evm_setNextBlockTimestamp', [`0x${claimsEndAt.toString(16)}`])
  await claimEscape(world, world.members[0]!, 16n, 5n)
  const { claims, lateClaims } = await ask(world, 'escape')
  expect([claims, lateClaims]).toEqual([5n, 0n])
})

test('an empty pot and no claims divide by nothing', async () => {
  const world = await memberWorld(1, 1n)
  const alice = world.members[0]!
  await submit(
    world,
    await createBatch(world, {
      shape: standard,
      withdrawals: [{ token: 1n, amount: 1n, to: alice }],
    }),
  )
  const verifier = await setEscapeVerifier(world)
  await send(world.admin, verifier, 'acceptAll')
  await postTable(world)
  await freezeForNoBatch(world)
  await claimEscape(world, alice, 16n, 0n)
  await endWindow(world)
  await send(alice, world.cloister, 'valuePot', MARKS)
  expect(await pay(world, 0, 1n)).toBe(0n)
  expect(await ask(world, 'owed', 1n)).toBe(1n)
})

test('every order of claims and payments ends alike', async () => {
  const { world } = await frozenWorld()
  const claims = [333n, 701n, 52n]
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]
  const results = new Set<string>()
  for (const [i, order] of orders.entries()) {
    const snapshot = await provider.send('evm_snapshot', [])
    for (const who of order)
      await claimEscape(world, world.members[who]!, BigInt(16 + who), claims[who]!)
    await endWindow(world)
    await send(world.members[5]!, world.cloister, 'valuePot', MARKS)
    const paid: bigint[][] = [[], [], []]
    for (const who of orders[(i * 5 + 3) % 6]!) {
      for (const token of i % 2 === 0 ? [1n, 2n] : [2n, 1n]) {
        paid[who]![Number(token)] = await pay(world, who, token)
      }
    }
    results.add(
      JSON.stringify(paid, (_, value: unknown) =>
        typeof value === 'bigint' ? value.toString() : value,
      ),
    )
    await provider.send('evm_revert', [snapshot])
  }
  expect(results.size).toBe(1)
  const [first] = results
  const all = 1_270n
  expect(JSON.parse(first!)).toEqual(
    claims.map((claim) => [
      null,
      String(share(1_000n, claim, all)),
      String(share(90n, claim, all)),
    ]),
  )
})

test('a token that refuses one recipient holds up nothing else, and that share can go elsewhere', async () => {
  const world = await memberWorld(2, 100n)
  const [alice, bob] = world.members as [string, string]
  const picky = await deploy('BlacklistToken')
  await send(world.admin, world.cloister, 'addToken', 2n, await picky.getAddress(), 1n, 10_000n)
  await send(alice, picky, 'mint', alice, 100n)
  await send(alice, picky, 'approve', world.address, 100n)
  await send(alice, world.cloister, 'deposit', 2n, 100n, 5n)
  await submit(world, await createBatch(world, { shape: standard, depositIds: [2n] }))
  const verifier = await setEscapeVerifier(world)
  await send(world.admin, verifier, 'acceptAll')
  await postTable(world)
  await freezeForNoBatch(world)
  await claimEscape(world, alice, 16n, 200n)
  await claimEscape(world, bob, 17n, 200n)
  await endWindow(world)
  await send(bob, world.cloister, 'valuePot', MARKS)
  await send(alice, picky, 'ban', alice)
  await expect(send(alice, world.cloister, 'escapePay', 16n, 2n, alice)).rejects.toThrow('banned')
  expect(await ask(world, 'vault', 2n)).toBe(100n)
  expect(await pay(world, 1, 2n)).toBe(50n)
  expect(await pay(world, 0, 1n)).toBe(50n)
  expect(await pay(world, 0, 2n)).toBe(50n)
})
