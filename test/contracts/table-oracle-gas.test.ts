/** What the oracle costs on L1: 50 instruments, two underlyings with a feed each, calldata and events. */
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import type { InstrumentSpec } from '../../oracle/signer/engine.ts'
import type { TableReport } from '../../oracle/signer/report.ts'
import { deploy, now, send } from './l1.ts'
import { measure, thousands } from './gas.ts'
import {
  BAND,
  BTC,
  confirmFirst,
  createOracleWorld,
  createReport,
  ETH,
  LISTED,
  post,
  signConfirmation,
  signReport,
  WORLDS,
  wait,
  documentHash,
} from './oracle-world.ts'
import { instrumentsBytes } from '../../oracle/signer/engine.ts'

/** Options of the recorded day under new ids and strikes, until there are 50 rows. */
const option = LISTED.find((spec) => spec.kind === 'call')!
const FIFTY: readonly InstrumentSpec[] = [
  ...LISTED,
  ...Array.from(
    { length: 50 - LISTED.length },
    (_, i) =>
      ({
        ...option,
        id: 1100 + i,
        name: `${option.name}-${i}`,
        strike: BigInt(4000 + 100 * i) * 1_000_000n,
      }) as InstrumentSpec,
  ),
]

const sentences: string[] = []
/** `npm run test:long` prints what docs/oracle.md quotes. */
const print = (text: string): void => {
  if (process.env['CLOISTER_LONG'] !== undefined) console.log(text)
}
/** Signatures, addresses and times change a figure by some tens: it is bounded from both sides. */
async function say(
  what: string,
  call: Parameters<typeof measure>[0],
  bound: number,
): Promise<void> {
  const gas = await measure(call)
  sentences.push(`${what} costs ${thousands(gas)} gas`)
  expect(gas, what).toBeLessThanOrEqual(bound)
  expect(gas, what).toBeGreaterThan(bound * 0.9)
}
const bytes = (hex: string): number => (hex.length - 2) / 2

test('gas and bytes of tables with 50 instruments', async () => {
  const feeds = [await deploy('TestFeed', 8, BTC * 100n), await deploy('TestFeed', 8, ETH * 100n)]
  const world = await createOracleWorld({ listed: FIFTY, isFlagged: true })
  await confirmFirst(world, { listed: FIFTY })
  await wait(60n)
  const make = (given: object = {}) => createReport(world, { ...given, listed: FIFTY })
  const first: TableReport = await make()
  await say('a confirmed table of 50 instruments, three signatures', post(world, first), 258_000)
  for (const [i, feed] of feeds.entries()) {
    await send(world.admin, world.oracle, 'setBand', BigInt(i + 1), { ...BAND, feed: feed.target })
  }
  const refresh = async () => {
    await wait(60n)
    await send(world.admin, feeds[0]!, 'set', BTC * 100n, await now())
    await send(world.admin, feeds[1]!, 'set', ETH * 100n, await now())
  }
  await refresh()
  await say('the same with two feeds', post(world, await make()), 287_000)
  await refresh()
  const jump = await make({ btc: BTC * 2n })
  await say('an indicative one', post(world, jump), 240_000)
  await say(
    'its confirmation by four',
    send(world.anyone, world.oracle, 'confirm', jump.number, signConfirmation(world, jump)),
    112_000,
  )
  expect(documentHash(WORLDS)).toBe(first.worldsHash)
  const data = world.oracle.interface.encodeFunctionData('post', [first, signReport(world, first)])
  sentences.push(
    `it carries ${bytes(first.market)} bytes of market, ${bytes(first.marks)} of marks, ` +
      `${bytes(data)} of calldata`,
    `world set ${bytes(WORLDS)} bytes, 50 specifications ${bytes(instrumentsBytes(FIFTY))} bytes, ` +
      'each published once',
  )
  print(sentences.join('\n'))
})

test('the same before the house of today, its event of marks included', async () => {
  const world = await createOracleWorld({ listed: FIFTY })
  await confirmFirst(world, { listed: FIFTY })
  await wait(60n)
  await say(
    'a confirmed table of 50 instruments in the house itself',
    post(world, await createReport(world, { listed: FIFTY })),
    330_000,
  )
  print(sentences.at(-1) ?? '')
})

test('the contracts fit the size that L1 allows', async () => {
  const hre = createRequire(import.meta.url)('hardhat') as {
    artifacts: { readArtifact: (name: string) => Promise<{ deployedBytecode: string }> }
  }
  for (const name of ['TableOracle']) {
    const { deployedBytecode } = await hre.artifacts.readArtifact(name)
    print(`${name}: ${bytes(deployedBytecode)} bytes`)
    expect(bytes(deployedBytecode)).toBeLessThan(24_576)
  }
})
