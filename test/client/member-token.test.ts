/** A member's money in a token whose smallest unit is not a lot. */
import { Contract } from 'ethers'
import { afterAll, expect, it } from 'vitest'
import { depositCommitment } from '../../circuits/account.ts'
import { MemberL1 } from '../../client/l1/member-l1.ts'
import { addressOf } from '../../client/l1/ethers.ts'
import { deploy } from '../../sequencer/deploy.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { bridgeL1 } from './bridge.ts'
import { deploy as deployTest, provider, send } from '../contracts/l1.ts'

const KEY = `0x${'0c'.repeat(32)}`
const TRILLION = 10n ** 12n

const { url, close } = await bridgeL1()
const members: MemberL1[] = []
afterAll(() => {
  members.forEach((member) => member.close())
  close()
})

it('is allowed to the house in units, counted in lots, and never minted', async () => {
  const admin = await provider.getSigner(0)
  const own = await admin.getAddress()
  const cash = await deployTest('CashToken', 18, 1_000n * TRILLION)
  const deployment = await deploy({
    admin,
    operator: own,
    oracle: own,
    verifiers: [],
    feeAccountViewKey: 1n,
    fee: 0n,
    refundDelaySeconds: 172_800n,
    token: { address: await cash.getAddress(), decimals: 18 },
  })
  const member = new MemberL1(url, deployment.contract, deployment.token, KEY)
  members.push(member)
  const address = addressOf(KEY)
  await provider.send('hardhat_setBalance', [address, '0xde0b6b3a7640000'])
  await send(own, cash, 'transfer', address, 7n * TRILLION)
  expect(await member.isPlayMoney()).toBe(false)
  const id = await member.deposit(1, 5n, depositCommitment(16, 9n))
  expect(id).toBe(1n)
  expect(await member.tokenBalance()).toBe(2n * TRILLION)
  expect(await cash.getFunction('balanceOf')(deployment.contract)).toBe(5n * TRILLION)
  const abi = contractsOf()['Cloister']!.abi as never
  const house = new Contract(deployment.contract, abi, provider)
  expect(await house.getFunction('unconsumedDeposits')(1n)).toBe(5n)
  // Not one lot more than the member has.
  const lacking = cash.interface.getError('ERC20InsufficientBalance')?.selector
  await expect(member.deposit(1, 3n, depositCommitment(16, 10n))).rejects.toThrow(lacking)
})

it('is minted where it is play money, and says so by its name', async () => {
  const dollar = await deployTest('TestDollar')
  const member = new MemberL1(url, await dollar.getAddress(), await dollar.getAddress(), KEY)
  members.push(member)
  await provider.send('hardhat_setBalance', [addressOf(KEY), '0xde0b6b3a7640000'])
  expect(await member.isPlayMoney()).toBe(true)
  await member.mint(3n)
  expect(await member.tokenBalance()).toBe(3n)
})
