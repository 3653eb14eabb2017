/** What a chain that is not local refuses: the contract itself, whatever deploys it. */
import { ethers } from 'ethers'
import { expect, test } from 'vitest'
import type { World } from './l1.ts'

// Before the chain of this process is made.
process.env['CLOISTER_TEST_CHAIN_ID'] = '7'
const l1 = await import('./l1.ts')
const { createBatch, batchArguments } = await import('./batch-data.ts')
const {
  configuration,
  deploy,
  deployCloister,
  mustRefuse,
  provider,
  send,
  KEY_HASH,
  LOT_CAP,
  TERMS,
} = l1

const WAY_OUT = TERMS.forceDelay + TERMS.tableDelay + TERMS.claimsWindow
const [founder, operator, , guardian, member] = (await provider.send('eth_accounts', [])) as [
  string,
  string,
  string,
  string,
  string,
]
const bare = async (overrides: object = {}) =>
  deployCloister(await configuration({ guardian, changeDelay: WAY_OUT, ...overrides }))
/** A verifier of claims stands for the way out, without which no public house is sealed. */
const seal = async (house: ethers.Contract) => {
  const at = await (await deploy('ExpectingEscapeVerifier')).getAddress()
  await send(founder, house, 'addEscapeShape', 1n, at, KEY_HASH, false, 'escape')
  await send(founder, house, 'seal')
}
const lockOf = async (house: ethers.Contract) =>
  new ethers.Contract(
    await house.getFunction('lock')(),
    (await deploy('ChangeLock', 0n, 0n, founder, founder)).interface,
    provider,
  )

test('the chain is the one that it must be', async () => {
  expect((await provider.getNetwork()).chainId).toBe(7n)
})

test('no delay is shorter than T_force and the way out', async () => {
  await expect(bare({ changeDelay: WAY_OUT - 1n })).rejects.toThrow('DelayMustCoverWayOut')
  await expect(bare({ changeDelay: 0n })).rejects.toThrow('DelayMustCoverWayOut')
  const lock = await lockOf(await bare())
  expect([await lock.getFunction('floor')(), await lock.getFunction('getMinDelay')()]).toEqual([
    WAY_OUT,
    WAY_OUT,
  ])
  // A deposit that no batch credits must be back as well.
  const terms = { ...TERMS, refundDelay: WAY_OUT + 5n }
  await expect(bare({ terms, changeDelay: WAY_OUT + 4n })).rejects.toThrow('DelayMustCoverWayOut')
  await bare({ terms, changeDelay: WAY_OUT + 5n })
  // Who finds the queue full waits for that ground instead.
  const full = { ...TERMS, fullDelay: TERMS.forceDelay + 50n }
  await expect(bare({ terms: full, changeDelay: WAY_OUT + 49n })).rejects.toThrow(
    'DelayMustCoverWayOut',
  )
  await bare({ terms: full, changeDelay: WAY_OUT + 50n })
})

test('nor ever becomes so: an announced change of the delay stops at the way out', async () => {
  const house = await bare({ changeDelay: WAY_OUT + 100n })
  const lock = await lockOf(house)
  const of = async (delay: bigint) =>
    [
      await lock.getAddress(),
      0n,
      lock.interface.encodeFunctionData('updateDelay', [delay]),
      ethers.ZeroHash,
      ethers.ZeroHash,
    ] as const
  // Nothing is announced before the seal: it would be due when the first member comes.
  await mustRefuse(
    'HouseMustBeSealed',
    founder,
    lock,
    'schedule',
    ...(await of(WAY_OUT)),
    WAY_OUT + 100n,
  )
  await mustRefuse(
    'HouseMustBeSealed',
    founder,
    lock,
    'scheduleBatch',
    [],
    [],
    [],
    ethers.ZeroHash,
    ethers.ZeroHash,
    WAY_OUT + 100n,
  )
  await seal(house)
  for (const delay of [WAY_OUT - 1n, WAY_OUT]) {
    await send(founder, lock, 'schedule', ...(await of(delay)), WAY_OUT + 100n)
  }
  await l1.setTime((await l1.now()) + WAY_OUT + 100n)
  expect([
    ...(await mustRefuse(
      'DelayMustCoverWayOut',
      member,
      lock,
      'execute',
      ...(await of(WAY_OUT - 1n)),
    )),
  ]).toEqual([WAY_OUT - 1n, WAY_OUT])
  await send(member, lock, 'execute', ...(await of(WAY_OUT)))
  expect(await lock.getFunction('getMinDelay')()).toBe(WAY_OUT)
})

test('nothing comes in before the seal, and only then the guardian opens', async () => {
  const house = await bare()
  const dollar = await deploy('TestDollar')
  const verifier = await deploy('ExpectingVerifier')
  await send(founder, verifier, 'acceptAll')
  await send(founder, house, 'addToken', 1n, await dollar.getAddress(), 1n, LOT_CAP)
  await send(
    founder,
    house,
    'addShape',
    1n,
    3n,
    2n,
    1n,
    2n,
    await verifier.getAddress(),
    KEY_HASH,
    false,
    'mini',
  )
  await send(member, dollar, 'mint', member, 100n)
  await send(member, dollar, 'approve', await house.getAddress(), 100n)
  const refuse = (from: string, name: string, ...args: unknown[]) =>
    mustRefuse('PausedMustNotContinue', from, house, name, ...args)
  const world = { cloister: house, address: await house.getAddress() } as World
  await refuse(member, 'deposit', 1n, 1n, 1n)
  await refuse(member, 'register', 1n, 1n, 1n, '0x')
  await refuse(operator, 'submitBatch', ...batchArguments(await createBatch(world)))
  await mustRefuse('HouseMustBeSealed', guardian, house, 'unpause')
  await mustRefuse('WayOutMustHaveVerifier', founder, house, 'seal')
  await seal(house)
  await refuse(member, 'deposit', 1n, 1n, 1n)
  await send(guardian, house, 'unpause')
  await send(member, house, 'deposit', 1n, 1n, 1n)
  await mustRefuse(
    'AccessControlUnauthorizedAccount',
    founder,
    house,
    'addToken',
    2n,
    member,
    1n,
    1n,
  )
})

test('development keys are refused, of batches, sweeps and claims', async () => {
  const at = await (await deploy('ExpectingVerifier')).getAddress()
  const additions = (isDevelopment: boolean) =>
    [
      ['addShape', 1n, 3n, 2n, 1n, 2n, at, KEY_HASH, isDevelopment, 'x'],
      ['addSweepShape', 1n, 8n, at, KEY_HASH, isDevelopment, 'x'],
      ['addEscapeShape', 1n, at, KEY_HASH, isDevelopment, 'x'],
    ] as const
  const house = await bare()
  for (const [name, ...args] of additions(true)) {
    await mustRefuse('DevelopmentKeyMustStayLocal', founder, house, name, ...args)
  }
  for (const [name, ...args] of additions(false)) await send(founder, house, name, ...args)
  // Only a house whose deployment says what it means takes them.
  const forced = await bare({ letAnybodyForgeProofs: true })
  for (const [name, ...args] of additions(true)) await send(founder, forced, name, ...args)
})
