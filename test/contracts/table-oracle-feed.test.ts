/** Price feeds: a sound one bounds the quorum, a broken one never blocks a post and confirms nothing. */
import { ethers } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { deploy, mustRefuse, now, provider, send } from './l1.ts'
import {
  BAND,
  BTC,
  confirmFirst,
  countedTables,
  createOracleWorld,
  createReport,
  post,
  signConfirmation,
  signReport,
  TIMING,
  wait,
} from './oracle-world.ts'
import { startOverEach } from './start-over.ts'

const MANNER = { answer: 0, revert: 1, short: 2, empty: 3, burn: 4, bomb: 5, slow: 6 } as const
const FEED_BTC = BTC * 100n

const feed = await deploy('TestFeed', 8, FEED_BTC)
const world = await createOracleWorld({ feed: await feed.getAddress() })
await confirmFirst(world)
await wait(10n)
startOverEach()
beforeEach(async () => {
  await send(world.admin, feed, 'set', FEED_BTC, await now())
})

const setBand = (change: object) =>
  send(world.admin, world.oracle, 'setBand', 1n, {
    ...BAND,
    feed: feed.target as string,
    ...change,
  })
const isConfirmedWith = async (btc = BTC): Promise<boolean> => {
  await post(world, await createReport(world, { btc }))
  return (await world.oracle.getFunction('latest')())[2]
}

describe('a sound feed', () => {
  test('near the price: confirmed', async () => expect(await isConfirmedWith()).toBe(true))

  test.each([
    [300n, true],
    [301n, false],
  ])('%s basis points off: %s', async (points, expected) => {
    // The report is off by that much from a feed that stays, and well within its own band.
    const off = (FEED_BTC * 10_000n) / (10_000n + points)
    await send(world.admin, feed, 'set', points === 300n ? off + 100n : off - 100n, await now())
    expect(await isConfirmedWith()).toBe(expected)
  })

  test.each([
    [0, BTC / 1_000_000n, true],
    [6, BTC, true],
    [7, BTC * 10n, true],
    [18, BTC * 10n ** 12n, true],
    [18, BTC, false],
    [6, BTC * 100n, false],
  ])('of %i decimals answering %s: %s', async (decimals, answer, expected) => {
    await send(world.admin, feed, 'setDecimals', decimals)
    await send(world.admin, feed, 'set', answer, await now())
    await setBand({})
    expect(await isConfirmedWith()).toBe(expected)
  })

  test('that changes its decimals later confirms nothing', async () => {
    await send(world.admin, feed, 'setDecimals', 18)
    await send(world.admin, feed, 'set', BTC * 10n ** 12n, await now())
    expect(await isConfirmedWith()).toBe(false)
  })

  test('three liars inside the band are stopped by the feed', async () => {
    expect(await isConfirmedWith(BTC + BTC / 25n)).toBe(false)
  })

  test('nor do they creep past it, in steps of a percent', async () => {
    const said: boolean[] = []
    for (const percent of [1n, 2n, 3n, 4n, 5n])
      said.push(await isConfirmedWith(BTC + (BTC * percent) / 100n))
    expect(said).toEqual([true, true, true, false, false])
    const [, confirmed] = await world.oracle.getFunction('underlying')(1n)
    expect(confirmed).toBe(BTC + (BTC * 3n) / 100n)
  })

  test('nor does a lie said twice pass it', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await isConfirmedWith(BTC + BTC / 25n)).toBe(false)
      await wait(TIMING.agreementDelay)
      await send(world.admin, feed, 'set', FEED_BTC, await now())
    }
  })
})

describe('a broken feed: posted, not confirmed', () => {
  const before = (what: string, act: () => Promise<unknown>) =>
    test(what, async () => {
      await act()
      const count = (await countedTables(world)).length
      expect(await isConfirmedWith()).toBe(false)
      expect(await countedTables(world)).toHaveLength(count)
      // The large quorum goes on without it.
      const number = (await world.oracle.getFunction('latest')())[0]
      expect(number).toBe(2n)
    })
  const set = (answer: bigint, age: bigint) => async () =>
    send(world.admin, feed, 'set', answer, (await now()) - age)
  before('zero', set(0n, 0n))
  before('negative', set(-FEED_BTC, 0n))
  before('the least of all numbers', set(-(1n << 255n), 0n))
  before('the largest of all numbers', set((1n << 255n) - 1n, 0n))
  before('frozen a second too long', set(FEED_BTC, BAND.feedMaxAge + 1n))
  before('from the future', set(FEED_BTC, -1000n))
  before('never updated', () => send(world.admin, feed, 'set', FEED_BTC, 0n))
  before('never updated, however old it may be', async () => {
    await setBand({ feedMaxAge: (1n << 32n) - 1n })
    await send(world.admin, feed, 'set', FEED_BTC, 0n)
  })
  before('answered in an earlier round', () => send(world.admin, feed, 'setRounds', 10n, 9n))
  before('round 0', () => send(world.admin, feed, 'setRounds', 0n, 0n))
  for (const manner of ['revert', 'short', 'empty', 'burn', 'bomb'] as const) {
    before(manner, () => send(world.admin, feed, 'setManner', MANNER[manner]))
  }
  before('gone', () => provider.send('hardhat_setCode', [feed.target, '0x']))

  test('as old as allowed it is still good', async () => {
    await send(world.admin, feed, 'set', FEED_BTC, (await now()) - BAND.feedMaxAge + 10n)
    expect(await isConfirmedWith()).toBe(true)
  })

  test('the large quorum confirms past it', async () => {
    await send(world.admin, feed, 'setManner', MANNER.revert)
    const report = await createReport(world)
    await post(world, report)
    await send(
      world.anyone,
      world.oracle,
      'confirm',
      report.number,
      signConfirmation(world, report),
    )
    expect((await world.oracle.getFunction('latest')())[2]).toBe(true)
  })

  test('a bomb costs the poster no more than its bound', async () => {
    const gasOf = async () => {
      await wait(1n)
      await send(world.admin, feed, 'set', FEED_BTC, await now())
      return (await post(world, await createReport(world))).gasUsed
    }
    await send(world.admin, feed, 'setManner', MANNER.revert)
    await gasOf()
    const cheap = await gasOf()
    await send(world.admin, feed, 'setManner', MANNER.bomb)
    expect(await gasOf()).toBeLessThan(cheap + 110_000n)
  })
})

test('no amount of gas makes a sound feed look broken, however slow it is', async () => {
  await send(world.admin, feed, 'setManner', MANNER.slow)
  const report = await createReport(world)
  const data = world.oracle.interface.encodeFunctionData('post', [
    report,
    signReport(world, report),
  ])
  const tryWith = async (gas: bigint) => {
    const point = (await provider.send('evm_snapshot', [])) as string
    let outcome: 'confirmed' | 'indicative' | 'refused' = 'refused'
    try {
      const hash = await provider.send('eth_sendTransaction', [
        { from: world.anyone, to: world.domain.contract, data, gas: ethers.toQuantity(gas) },
      ])
      const receipt = await provider.getTransactionReceipt(hash)
      const isConfirmed = (await world.oracle.getFunction('latest')())[2]
      if (receipt?.status === 1) outcome = isConfirmed ? 'confirmed' : 'indicative'
    } catch {
      /* refused */
    }
    await provider.send('evm_revert', [point])
    return outcome
  }
  const outcomes = new Set<string>()
  for (let gas = 100_000n; gas <= 500_000n; gas += 5_000n) outcomes.add(await tryWith(gas))
  expect(outcomes).toEqual(new Set(['refused', 'confirmed']))
})

describe('a feed is configured', () => {
  test('with a band, an age, and decimals that it has', async () => {
    const refuse = (error: string, change: object) =>
      mustRefuse(error, world.admin, world.oracle, 'setBand', 1n, {
        ...BAND,
        feed: feed.target,
        ...change,
      })
    await refuse('BandMustBeInRange', { feedBand: 0n })
    await refuse('BandMustBeInRange', { feedMaxAge: 0n })
    await send(world.admin, feed, 'setDecimals', 19)
    await refuse('FeedMustAnswer', {})
  })
})
