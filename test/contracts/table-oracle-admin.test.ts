/** The setters of the oracle, their bounds, and who may call them. */
import { ethers } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { addressOfKey } from '../../oracle/signer/report.ts'
import { mustRefuse, provider, send } from './l1.ts'
import { BAND, createOracleWorld, KEYS, TIMING } from './oracle-world.ts'

const world = await createOracleWorld()
const { oracle, admin, anyone } = world
const addresses = KEYS.map(addressOfKey)
let start: string
beforeEach(async () => {
  if (start !== undefined) await provider.send('evm_revert', [start])
  start = (await provider.send('evm_snapshot', [])) as string
})
const refuse = (error: string, name: string, ...args: unknown[]) =>
  mustRefuse(error, admin, oracle, name, ...args)

test('every setter is the admin\'s', async () => {
  const calls: [string, unknown[]][] = [
    ['setSigners', [addresses, 3n, 4n]], ['setTiming', [TIMING]], ['addUnderlying', ['SOL', BAND]],
    ['setBand', [1n, BAND]], ['retireUnderlying', [1n]], ['setWorlds', ['0x7b7d']],
    ['list', [[], '0x7b7d']],
  ]
  for (const [name, args] of calls) {
    await mustRefuse('AccessControlUnauthorizedAccount', anyone, oracle, name, ...args)
    await send(admin, oracle, name, ...args)
  }
})

describe('signers', () => {
  test('ascend, so each is there once', async () => {
    const [a, b, c] = addresses as [string, string, string]
    await refuse('SignersMustAscend', 'setSigners', [a, c, b], 2n, 3n)
    await refuse('SignersMustAscend', 'setSigners', [a, a, b], 2n, 3n)
    await refuse('SignersMustAscend', 'setSigners', [ethers.ZeroAddress, a, b], 2n, 3n)
  })
  test.each([
    [2n, 4n], [3n, 3n], [3n, 2n], [3n, 6n], [5n, 6n], [0n, 4n], [0n, 0n],
  ])('quorums %s and %s of five are refused', async (quorum, large) => {
    await refuse('QuorumMustBeMajority', 'setSigners', addresses, quorum, large)
  })
  test.each([[3n, 4n], [3n, 5n], [4n, 5n]])('quorums %s and %s of five are taken',
    async (quorum, large) => {
      await send(admin, oracle, 'setSigners', addresses, quorum, large)
      expect([...(await oracle.getFunction('quorums')())]).toEqual([5n, quorum, large])
    })
  test('half of them are no quorum', async () => {
    await refuse('QuorumMustBeMajority', 'setSigners', addresses.slice(0, 4), 2n, 3n)
    await send(admin, oracle, 'setSigners', addresses.slice(0, 4), 3n, 4n)
  })
  test('none at all, and more than 63, are refused', async () => {
    await refuse('QuorumMustBeMajority', 'setSigners', [], 0n, 0n)
    const many = Array.from({ length: 64 }, (_, i) => ethers.zeroPadValue(ethers.toBeHex(i + 1), 20))
    await refuse('QuorumMustBeMajority', 'setSigners', many, 33n, 34n)
    await send(admin, oracle, 'setSigners', many.slice(0, 63), 32n, 33n)
  })
  test('a new set replaces the old', async () => {
    await send(admin, oracle, 'setSigners', addresses.slice(0, 3), 2n, 3n)
    const isSigner = (address: string) => oracle.getFunction('isSigner')(address)
    expect(await Promise.all(addresses.map(isSigner))).toEqual([true, true, true, false, false])
  })
})

test('times that would disarm a rule are refused', async () => {
  for (const key of ['maxAge', 'confirmWindow', 'settlementWindow', 'challengeDelay']) {
    await refuse('TimingMustBeInRange', 'setTiming', { ...TIMING, [key]: 0n })
  }
})

describe('underlyings', () => {
  test('have a band, and a jump band not below it', async () => {
    await refuse('BandMustBeInRange', 'addUnderlying', 'SOL', { ...BAND, band: 0n })
    await refuse('BandMustBeInRange', 'setBand', 1n, { ...BAND, jumpBand: BAND.band - 1n })
    await send(admin, oracle, 'setBand', 1n, { ...BAND, jumpBand: BAND.band })
  })
  test('are 255 at most: a bit of one word stands for each', async () => {
    for (let id = 3; id <= 255; id++) await send(admin, oracle, 'addUnderlying', 'X', BAND)
    await refuse('UnderlyingsMustFit', 'addUnderlying', 'X', BAND)
    await send(admin, oracle, 'retireUnderlying', 255n)
    await refuse('UnderlyingsMustFit', 'addUnderlying', 'X', BAND)
  })
  test('are numbered from 1; retired ones are gone', async () => {
    await send(admin, oracle, 'addUnderlying', 'SOL', BAND)
    expect(await oracle.getFunction('underlyingCount')()).toBe(3n)
    await send(admin, oracle, 'retireUnderlying', 2n)
    for (const id of [0n, 2n, 4n, 256n, 257n]) {
      await refuse('UnderlyingMustBeKnown', 'setBand', id, BAND)
      await refuse('UnderlyingMustBeKnown', 'retireUnderlying', id)
    }
  })
})

describe('listings', () => {
  const document = '0x7b7d'
  const specification = ethers.id('a specification')
  const of = (id: bigint, expiry = 0n) => ({ id, expiry, specification })
  const list = (id: bigint, expiry = 0n) => ['list', [of(id, expiry)], document] as const
  test('have ids from 2 to 2^28 - 1, never used before', async () => {
    for (const id of [0n, 1n, 1n << 28n]) await refuse('ListingIdMustBeInRange', ...list(id))
    await refuse('ListingMustBeNew', ...list(1024n))
    // A token has no expiry, by which it would be known.
    await refuse('ListingMustBeNew', ...list(2n))
    await refuse('ListingMustBeNew', 'list', [of(5000n, 9n), of(5000n, 9n)], document)
    // The house settles no token: such a report would wait for ever, and all others behind it.
    for (const id of [3n, 1023n]) await refuse('TokenMustNotExpire', ...list(id, 9n))
    await send(admin, oracle, 'list', [of(3n), of((1n << 28n) - 1n, 9n)], document)
    expect(await oracle.getFunction('listedCount')()).toBe(17n)
    expect(await oracle.getFunction('isListed')((1n << 28n) - 1n)).toBe(true)
    expect(await oracle.getFunction('isListed')((1n << 28n) - 2n)).toBe(false)
  })
  test('are the next ones: what was passed over is never listed, but for tokens', async () => {
    const next = oracle.getFunction('nextInstrument')
    const first = (await next()) as bigint
    await send(admin, oracle, ...list(first + 5n, 9n))
    expect(await next()).toBe(first + 6n)
    for (const id of [first, first + 4n]) await refuse('ListingIdMustAscend', ...list(id, 9n))
    await refuse('ListingIdMustAscend', 'list', [of(first + 7n, 9n), of(first + 6n, 9n)], document)
    await send(admin, oracle, ...list(7n))
    await send(admin, oracle, ...list(5n))
    expect(await next()).toBe(first + 6n)
  })
  test('bind a specification to the id, whatever documents come later', async () => {
    await refuse('ListingMustHaveSpecification', 'list',
      [{ ...of(5000n, 9n), specification: ethers.ZeroHash }], document)
    await send(admin, oracle, ...list(5000n, 9n))
    await send(admin, oracle, 'list', [], '0x7b7b7d7d')
    expect(await oracle.getFunction('specificationOf')(5000n)).toBe(specification)
    await refuse('ListingMustBeNew', ...list(5000n, 9n))
    expect(await oracle.getFunction('specificationOf')(5001n)).toBe(ethers.ZeroHash)
  })
  test('publish the document whose hash counts from now on', async () => {
    await send(admin, oracle, 'list', [], document)
    expect(await oracle.getFunction('instrumentsHash')()).toBe(ethers.keccak256(document))
    await refuse('DocumentMustBeInRange', 'list', [], '0x')
    await refuse('DocumentMustBeInRange', 'setWorlds', `0x${'00'.repeat(65_536)}`)
  })
})
