/** A deployment to a chain that is not local, from the library to the seal. */
import { Contract, Interface } from 'ethers'
import { expect, it } from 'vitest'
import { shapeNamed, type ShapeKey } from '../../prover/artifacts.ts'
import {
  changeDelayOf,
  deploy,
  sealHouse,
  termsOf,
  type DeployOptions,
} from '../../sequencer/deploy.ts'
import { ANY_SWEEP_ID, EXIT_CIRCUITS } from '../../sequencer/sweep-shapes.ts'
import { contractsOf } from '../../sequencer/solidity.ts'

// Before the chain of this process is made.
process.env['CLOISTER_TEST_CHAIN_ID'] = '7'
const { provider } = await import('../contracts/l1.ts')
const [admin, operator, guardian] = await Promise.all([0, 1, 2].map((i) => provider.getSigner(i)))
const contracts = contractsOf()
const DAY = 86_400n

async function house(more: Partial<DeployOptions> = {}) {
  const deployment = await deploy({
    admin: admin!,
    operator: await operator!.getAddress(),
    oracle: null,
    guardian: await guardian!.getAddress(),
    verifiers: [],
    letAnybodyMintDollars: true,
    feeAccountViewKey: 1n,
    fee: 0n,
    refundDelaySeconds: 2n * DAY,
    ...more,
  })
  const at = (name: string, address: string) =>
    new Contract(address, contracts[name]!.abi as never, admin)
  const cloister = at('Cloister', deployment.contract)
  return {
    deployment,
    cloister,
    oracle: at('TableOracle', deployment.oracle!),
    lock: at('ChangeLock', await cloister.getFunction('lock')()),
  }
}

/** As it stands in what the node says of a refusal. */
const errorOf = (contract: string, error: string): string =>
  new Interface(contracts[contract]!.abi as never).getError(error)!.selector

/** Stands for a verifier: the house asks only whether there is code. */
const verifier = (zkeyPath: string) => ({
  key: { shape: shapeNamed('mini'), zkeyPath, keyHash: '11'.repeat(32) } as ShapeKey,
  contract: contracts['TestDollar']!,
})

it('begins closed under its founder, and is sealed under the lock of 40 days', async () => {
  const { deployment, cloister, oracle, lock } = await house()
  expect(deployment.chainId).toBe(7n)
  const asked = async (name: string) => cloister.getFunction(name)()
  expect([await asked('isPaused'), await asked('isSealed')]).toEqual([true, false])
  expect(await lock.getFunction('getMinDelay')()).toBe(40n * DAY)
  expect(await lock.getFunction('floor')()).toBe(24n * DAY)
  const isAdmin = async (of: Contract, who: string) =>
    of.getFunction('hasRole')(await of.getFunction('ADMIN')(), who)
  const founder = await admin!.getAddress()
  expect([await isAdmin(cloister, founder), await isAdmin(oracle, founder)]).toEqual([true, true])
  const seal = () => sealHouse(deployment, { admin: admin!, guardian: guardian! })
  // Eight accounts that hold many instruments could then never be swept. Another shape is not enough.
  const add = (id: bigint, accounts: bigint) =>
    cloister.getFunction('addSweepShape')(
      id,
      accounts,
      deployment.token,
      `0x${'11'.repeat(32)}`,
      false,
      'x',
    )
  await expect(seal()).rejects.toThrow('must have a verifier of sweep-wide')
  await add(3n, 128n)
  await expect(seal()).rejects.toThrow('must have a verifier of sweep-wide')
  await add(ANY_SWEEP_ID, 8n)
  // Sealed without a verifier of claims it could be frozen, and never claimed from.
  await expect(seal()).rejects.toThrow(errorOf('Cloister', 'WayOutMustHaveVerifier'))
  const way = ['addEscapeShape', 1n, deployment.token, `0x${'11'.repeat(32)}`, false, 'x'] as const
  await cloister.getFunction(way[0])(...way.slice(1))
  await seal()
  expect([await asked('isPaused'), await asked('isSealed')]).toEqual([false, true])
  for (const contract of [cloister, oracle]) {
    expect(await isAdmin(contract, founder)).toBe(false)
    expect(await isAdmin(contract, await lock.getAddress())).toBe(true)
  }
  await expect(cloister.getFunction('setFee')(1n)).rejects.toThrow(
    errorOf('Cloister', 'AccessControlUnauthorizedAccount'),
  )
})

it('gives the guardian its veto over settlements, before it is too late for it', async () => {
  const { oracle } = await house()
  const role = await oracle.getFunction('GUARDIAN')()
  const has = (who: string): Promise<boolean> => oracle.getFunction('hasRole')(role, who)
  expect(await has(await guardian!.getAddress())).toBe(true)
  expect(await has(await admin!.getAddress())).toBe(false)
})

it('takes development keys by the flag alone, and the flag reaches the contract', async () => {
  const verifiers = [verifier('mini.development.zkey')]
  await expect(house({ verifiers })).rejects.toThrow('anybody can forge proofs for mini')
  const { cloister } = await house({ verifiers, letAnybodyForgeProofs: true })
  expect((await cloister.getFunction('shapes')(1n)).isDevelopmentKey).toBe(true)
  // Keys of a ceremony need none.
  const { cloister: other } = await house({ verifiers: [verifier('mini.zkey')] })
  expect((await other.getFunction('shapes')(1n)).isDevelopmentKey).toBe(false)
})

it('refuses a delay that is shorter than the way out', async () => {
  await expect(house({ changeDelaySeconds: 24n * DAY - 1n })).rejects.toThrow(
    errorOf('ChangeLock', 'DelayMustCoverWayOut'),
  )
  await house({ changeDelaySeconds: 24n * DAY })
})

it('never proposes a delay that the contract would refuse', () => {
  const terms = termsOf(2n * DAY)
  expect(changeDelayOf(terms)).toBe(40n * DAY)
  expect(changeDelayOf({ ...terms, claimsWindow: 30n * DAY })).toBe(40n * DAY)
  expect(changeDelayOf({ ...terms, claimsWindow: 60n * DAY })).toBe(70n * DAY)
  expect(changeDelayOf({ ...terms, fullDelay: 60n * DAY })).toBe(97n * DAY)
  expect(changeDelayOf({ ...terms, refundDelay: 80n * DAY })).toBe(80n * DAY)
})

it('leaves 30 days to begin to leave in, however long a forced exit takes', () => {
  for (const change of [
    {},
    { forceDelay: 9n * DAY },
    { fullDelay: 20n * DAY },
    { tableDelay: 0n },
  ]) {
    const terms = { ...termsOf(2n * DAY), ...change } as ReturnType<typeof termsOf>
    const { forceDelay = 0n, fullDelay = 0n, tableDelay = 0n } = terms
    const slowest = (forceDelay > fullDelay ? forceDelay : fullDelay) + tableDelay
    expect(changeDelayOf(terms) - slowest).toBeGreaterThanOrEqual(30n * DAY)
  }
})

it('has what any account needs in the list that `all` stands for', () => {
  expect(EXIT_CIRCUITS).toEqual(['escape', 'escape-settled', 'sweep', 'sweep-wide'])
  // Ids on L1 are for good.
  expect(ANY_SWEEP_ID).toBe(5n)
})
