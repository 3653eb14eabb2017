/** An account of one's own on L1: what L1 refuses costs that transaction alone. */
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accountOn, type OwnAccount } from '../../client/l1/ethers.ts'
import { deploy, provider } from '../contracts/l1.ts'
import { bridgeL1 } from './bridge.ts'

const ABI = [
  'function mint(address to, uint256 amount)',
  'function transfer(address to, uint256 amount) returns (bool)',
  'function balanceOf(address) view returns (uint256)',
]
let node: Awaited<ReturnType<typeof bridgeL1>>
let own: OwnAccount
beforeAll(async () => {
  node = await bridgeL1()
  own = accountOn(node.url, Wallet.createRandom().privateKey)
  await provider.send('hardhat_setBalance', [own.address, '0xde0b6b3a7640000'])
})
afterAll(() => {
  own.close()
  node.close()
})

it('goes on after a transaction that was refused, with no gap before the next', async () => {
  const dollar = own.contract(await (await deploy('TestDollar')).getAddress(), ABI)
  await dollar.send('mint', own.address, 5n)
  for (let i = 0; i < 2; i++)
    await expect(dollar.send('transfer', `0x${'11'.repeat(20)}`, 7n)).rejects.toThrow()
  await dollar.send('mint', own.address, 2n)
  await dollar.send('transfer', `0x${'11'.repeat(20)}`, 7n)
  expect(await dollar.read('balanceOf', own.address)).toBe(0n)
  expect(await provider.getTransactionCount(own.address)).toBe(3)
})
