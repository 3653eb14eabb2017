/** What a batch and every other call cost on L1, as sentences: calldata and event included. */
import { expect, test } from 'vitest'
import { type ShapeName, gasWorld, measure, payments, thousands } from './gas.ts'
import { keyOf } from './points.ts'
import { createBatch, submit } from './batch-data.ts'
import { register, send } from './l1.ts'

test.each<[ShapeName, number]>([
  ['standard', 450_000],
  ['large', 512_000],
])('%s batch', async (name, bound) => {
  const { world, shape } = await gasWorld(name)
  // A trade is one leg seen from both sides; packages of two legs on average, as costs are given.
  const trades = shape.pages
  const say = (what: string, gas: number) => {
    expect(gas).toBeLessThanOrEqual(bound)
    return (
      `a full ${name} batch of ${shape.pages} pages (${shape.pages / 2} packages, ${trades} trades) ${what} costs ` +
      `${thousands(gas)} gas, ${thousands(Math.ceil(gas / trades))} a trade`
    )
  }
  const plain = await measure(submit(world, await createBatch(world, { shape })))
  expect(say('without withdrawals', plain)).toMatchSnapshot()
  const paid = await measure(
    submit(world, await createBatch(world, { shape, withdrawals: payments(world, 1) })),
  )
  expect(say('with one withdrawal', paid)).toMatchSnapshot()
})

test('a standard batch with every slot of L1 in use', async () => {
  const { world, shape } = await gasWorld('standard')
  const depositIds: bigint[] = []
  for (let i = 0; i < shape.deposits; i++) {
    const receipt = await send(world.members[0]!, world.cloister, 'deposit', 1n, 1000n, keyOf(i)[0])
    depositIds.push(
      world.cloister.interface.parseLog(
        receipt.logs.find(({ address }) => address === world.address)!,
      )!.args.id,
    )
  }
  await register(world, world.members[0]!, keyOf(1), keyOf(9)[0])
  await send(world.members[0]!, world.cloister, 'rotate', 16n, ...keyOf(2))
  const batch = await createBatch(world, {
    shape,
    depositIds,
    requestCount: 2n,
    withdrawals: payments(world, shape.withdrawals),
  })
  const gas = await measure(submit(world, batch))
  const what = 'a standard batch with 4 deposits, 2 requests and 4 withdrawals'
  expect(`${what} costs ${thousands(gas)} gas`).toMatchSnapshot()
})

test('the other calls', async () => {
  const { world } = await gasWorld('standard')
  const { cloister, members, oracle } = world
  const alice = members[0]!
  const sentences: string[] = []
  const say = async (what: string, call: Parameters<typeof measure>[0]) => {
    sentences.push(`${what} costs ${thousands(await measure(call))} gas`)
  }
  await say('a registration', register(world, alice, keyOf(1), keyOf(2)[0]))
  await say('a rotation on L1', send(alice, cloister, 'rotate', 16n, ...keyOf(3)))
  await say('a deposit', send(alice, cloister, 'deposit', 1n, 1000n, keyOf(4)[0]))
  await say('a request for a refund', send(alice, cloister, 'requestRefund', 2n))
  await say(
    'a table with 1,024 bytes of marks',
    send(
      oracle,
      cloister,
      'postTable',
      keyOf(5)[0],
      keyOf(6)[0],
      '0x' + '11'.repeat(32),
      '0x' + '11'.repeat(1024),
      true,
    ),
  )
  await say(
    'a settlement of one instrument',
    send(oracle, cloister, 'postSettlement', [5000n], [-123456n], keyOf(7)[0]),
  )
  const [payment] = payments(world, 1)
  await submit(world, await createBatch(world, { withdrawals: [payment!] }))
  await say(
    'the claim of the only withdrawal of a batch',
    send(alice, cloister, 'claim', 2n, 0n, 1n, payment!.amount, payment!.to, []),
  )
  expect(sentences.join('\n')).toMatchSnapshot()
})
