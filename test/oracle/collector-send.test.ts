/** A collector whose transaction L1 does not take: it gives the round up, clears its way and goes on. */
import { ethers } from 'ethers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sendTo } from '../../oracle/collector/send.ts'
import { provider } from '../contracts/l1.ts'
import {
  confirmFirst,
  createOracleWorld,
  createReport,
  KEYS,
  wait,
} from '../contracts/oracle-world.ts'
import { signDigest, tableDigest } from '../../oracle/signer/report.ts'
import { startRpc, type RpcNode } from './rpc.ts'

let rpc: RpcNode
let node: ethers.JsonRpcProvider
const mining = (isOn: boolean) => provider.send('evm_setAutomine', [isOn])
beforeAll(async () => {
  rpc = await startRpc()
  node = new ethers.JsonRpcProvider(rpc.url, undefined, { cacheTimeout: -1, pollingInterval: 50 })
})
afterAll(async () => {
  await mining(true)
  node.destroy()
  rpc.close()
})

test('what is stuck is waited for no longer than told, and the next round clears it away', async () => {
  const world = await createOracleWorld()
  await confirmFirst(world)
  await wait(10n)
  const wallet = ethers.Wallet.createRandom(node)
  await provider.send('hardhat_setBalance', [wallet.address, '0x8ac7230489e80000'])
  const contract = await world.oracle.getAddress()
  const options = { provider: node, wallet, contract, waitMs: 1500 }
  const post = async () => {
    const report = await createReport(world)
    const digest = tableDigest(world.domain, report)
    return [report, KEYS.slice(0, 3).map((key) => signDigest(key, digest))] as const
  }
  const number = async () => (await world.oracle.getFunction('latest')())[0] as bigint

  await mining(false)
  const stale = await post()
  await expect(sendTo(options, 'post', ...stale)).rejects.toThrow('L1 has not taken post in 1.5 s')
  expect(await node.getTransactionCount(wallet.address, 'pending')).toBe(1)
  // Nobody mines: what clears the way is not taken either, and each try offers more.
  const offered = async (): Promise<bigint> => {
    const { transactions } = (await provider.send('eth_getBlockByNumber', ['pending', true])) as {
      transactions: { from: string; nonce: string; maxFeePerGas: string; input: string }[]
    }
    const mine = transactions.filter(({ from }) => from === wallet.address.toLowerCase())
    expect(mine.map(({ nonce, input }) => [nonce, input])).toEqual([['0x0', '0x']])
    return BigInt(mine[0]!.maxFeePerGas)
  }
  await expect(sendTo(options, 'post', ...stale)).rejects.toThrow('what clears nonce 0')
  const first = await offered()
  await expect(sendTo(options, 'post', ...stale)).rejects.toThrow('what clears nonce 0')
  expect(await offered()).toBeGreaterThan(first)

  await mining(true)
  await provider.send('evm_mine', [])
  expect(await number()).toBe(1n)
  // The way is clear: the round of now is posted, and the one of then is not.
  await wait(1n)
  const patient = { ...options, waitMs: 600_000 }
  expect(await sendTo(patient, 'post', ...(await post()))).toBeGreaterThan(100_000n)
  expect(await number()).toBe(2n)
  expect(await node.getTransactionCount(wallet.address)).toBe(2)
})

test('what L1 refuses is refused by name, and clears nothing', async () => {
  const world = await createOracleWorld()
  const wallet = ethers.Wallet.createRandom(node)
  await provider.send('hardhat_setBalance', [wallet.address, '0x8ac7230489e80000'])
  const contract = await world.oracle.getAddress()
  const report = await createReport(world)
  await expect(sendTo({ provider: node, wallet, contract }, 'post', report, [])).rejects.toThrow(
    /QuorumMustSign|revert/,
  )
  expect(await node.getTransactionCount(wallet.address, 'pending')).toBe(0)
})
