/** What the way out costs on L1, as sentences. In a file of its own: it moves the clock far. */
import { expect, test } from 'vitest'
import { gasWorld, measure, thousands } from './gas.ts'
import { keyOf } from './points.ts'
import { PROOF, createBatch, submit } from './batch-data.ts'
import { KEY_HASH, TERMS, deploy, register, send, setTime } from './l1.ts'
import {
  GROUND,
  MARKS,
  ask,
  claimEscape,
  forceExit,
  postTable,
  setEscapeVerifier,
  wait,
} from './exits.ts'

test('the way out', async () => {
  const { world, shape } = await gasWorld('standard')
  const { cloister, members, admin } = world
  const [alice] = members as [string]
  const sentences: string[] = []
  const say = async (what: string, call: Parameters<typeof measure>[0]) => {
    sentences.push(`${what} costs ${thousands(await measure(call))} gas`)
  }
  const stub = await (await deploy('StubVerifier')).getAddress()
  await send(admin, cloister, 'addSweepShape', 1n, 128n, stub, KEY_HASH, true, 'sweep')
  await send(admin, await setEscapeVerifier(world), 'acceptAll')
  await register(world, alice, keyOf(1), keyOf(2)[0])
  await submit(world, await createBatch(world, { shape, requestCount: 1n }))
  await say('a forced exit', forceExit(world, alice, 16n))
  await say(
    'a standard batch that serves it',
    submit(world, await createBatch(world, { shape, requestCount: 1n, forcedPayments: [1000n] })),
  )
  await wait(TERMS.sweepEpoch)
  await postTable(world)
  await wait(TERMS.flagDelay)
  await say(
    'a standard batch that fixes the state of a sweep',
    submit(world, await createBatch(world, { shape })),
  )
  await say(
    'the sweep of 128 accounts',
    send(alice, cloister, 'submitSweep', 1n, 0n, 0n, keyOf(9)[0], PROOF),
  )
  await postTable(world)
  await wait(TERMS.batchDelay)
  await say('a freeze', send(alice, cloister, 'freeze', GROUND.noBatch, 0n))
  await say('a claim of equity, without the pairings', claimEscape(world, alice, 16n, 1_000_000n))
  await say('valuing the pot', send(alice, cloister, 'valuePot', MARKS))
  await setTime((await ask(world, 'escape')).claimsEndAt + 1n)
  await say('a share of one token', send(alice, cloister, 'escapePay', 16n, 1n, members[7]))
  expect(sentences.join('\n')).toMatchSnapshot()
})
