/** What a house may hold its cash in: on a public chain no play money, and nothing of another size than it seems. */
import { Contract } from 'ethers'
import { expect, it } from 'vitest'
import { deploy, type DeployOptions } from '../../sequencer/deploy.ts'
import { MINT_FLAG } from '../../sequencer/deploy-token.ts'
import { contractsOf } from '../../sequencer/solidity.ts'

// Before the chain of this process is made.
process.env['CLOISTER_TEST_CHAIN_ID'] = '7'
const { deploy: deployTest, provider } = await import('../contracts/l1.ts')
const admin = await provider.getSigner(0)
const own = await admin.getAddress()
const contracts = contractsOf()

async function house(more: Partial<DeployOptions>) {
  const deployment = await deploy({
    admin,
    operator: own,
    oracle: own,
    verifiers: [],
    feeAccountViewKey: 1n,
    fee: 0n,
    refundDelaySeconds: 172_800n,
    ...more,
  })
  const cloister = new Contract(deployment.contract, contracts['Cloister']!.abi as never, admin)
  return { deployment, token: await cloister.getFunction('tokens')(1n) }
}
const cash = async (decimals: number): Promise<string> =>
  (await deployTest('CashToken', decimals, 10n ** 30n)).getAddress()
const nonceOf = () => provider.getTransactionCount(own)

/** Refused in these words, and before anything was deployed. */
async function refused(more: Partial<DeployOptions>, words: string): Promise<void> {
  const before = await nonceOf()
  await expect(house(more)).rejects.toThrow(words)
  expect(await nonceOf()).toBe(before)
}

it('no token named is none on a public chain, unless the flag says what it means', async () => {
  await refused({}, `a token must be named on this chain`)
  await refused({ token: null }, MINT_FLAG)
  const { token, deployment } = await house({ letAnybodyMintDollars: true })
  expect([token.token, token.unit]).toEqual([deployment.token, 1n])
})

it('play money is none either, under whatever address it was deployed', async () => {
  const address = await (await deployTest('TestDollar')).getAddress()
  const named = { address, decimals: 6 }
  await refused({ token: named }, 'must have value')
  const { token } = await house({ token: named, letAnybodyMintDollars: true })
  expect(token.token).toBe(address)
})

it.each([
  [6, 1n],
  [18, 10n ** 12n],
  [34, 10n ** 28n],
])('a lot is a millionth of a token of %s decimals', async (decimals, unit) => {
  const address = await cash(decimals)
  const { deployment, token } = await house({ token: { address, decimals } })
  expect([deployment.token, token.token, token.unit]).toEqual([address, address, unit])
})

it('refuses a token without room for a lot, or whose unit would not fit', async () => {
  for (const decimals of [0, 5, 35])
    await refused(
      { token: { address: await cash(decimals), decimals } },
      'must have 6 to 34 decimals',
    )
})

it('refuses decimals that are not as named', async () => {
  const address = await cash(18)
  for (const decimals of [6, 17, 19])
    await refused({ token: { address, decimals } }, `${address} says 18, not ${decimals}`)
})

it('refuses what is no token', async () => {
  await refused({ token: { address: own, decimals: 6 } }, 'must be a contract')
  const verifier = await (await deployTest('ExpectingVerifier')).getAddress()
  await refused({ token: { address: verifier, decimals: 6 } }, 'must be an ERC-20')
})
