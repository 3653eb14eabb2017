/** The oracle of a house for try-outs: it goes on after a restart, also of another version. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ethers } from 'ethers'
import { afterAll, expect, test } from 'vitest'
import { documentHash } from '../../oracle/signer/canonical.ts'
import { worldsBytes } from '../../oracle/signer/engine.ts'
import { StandingOracle } from '../../oracle/standing-oracle.ts'
import { STANDARD_SET, worldSet } from '../../oracle/worlds.ts'
import { configuration, deploy, deployCloister, provider, send } from '../contracts/l1.ts'
import { startRpc } from './rpc.ts'

const rpc = await startRpc()
afterAll(() => rpc.close())

test('publishes its worlds where an earlier version published others, and posts tables again', async () => {
  const founder = ethers.Wallet.createRandom()
  const payer = ethers.Wallet.createRandom()
  for (const { address } of [founder, payer])
    await provider.send('hardhat_setBalance', [address, '0xde0b6b3a7640000'])
  const [admin] = (await provider.send('eth_accounts', [])) as string[]
  const cloister = await deployCloister(await configuration())
  const oracle = await deploy('TableOracle', await cloister.getAddress(), founder.address)
  const contract = await oracle.getAddress()
  await send(admin!, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), contract)
  const folder = mkdtempSync(join(tmpdir(), 'cloister-standing-'))
  const signerKeys = Array.from({ length: 5 }, (_, i) => ethers.id(`standing ${i}`))
  const options = {
    rpcUrl: rpc.url,
    oracle: contract,
    adminKey: founder.privateKey,
    payerKey: payer.privateKey,
    signerKeys,
    tables: join(folder, 'tables'),
    memory: folder,
  }
  const worldsHash = () => oracle.getFunction('worldsHash')() as Promise<string>
  const current = documentHash(worldsBytes(STANDARD_SET))
  const round = async (): Promise<number> => {
    const standing = await StandingOracle.open(options)
    try {
      return (await standing.table()).number
    } finally {
      await standing.close()
    }
  }
  expect(await round()).toBe(1)
  expect(await worldsHash()).toBe(current)
  const other = worldsBytes(worldSet('standard-32'))
  await new ethers.Contract(
    contract,
    ['function setWorlds(bytes document)'],
    founder.connect(provider),
  ).getFunction('setWorlds')(other)
  expect(await worldsHash()).toBe(documentHash(other))
  expect(await round()).toBe(2)
  expect(await worldsHash()).toBe(current)
  // And leaves alone what is as it should be.
  const count = await provider.getTransactionCount(founder.address)
  expect(await round()).toBe(3)
  expect(await provider.getTransactionCount(founder.address)).toBe(count)
  // A table that L1 refuses costs that table alone.
  const standing = await StandingOracle.open(options)
  const role = (await cloister.getFunction('ORACLE')()) as string
  try {
    await send(admin!, cloister, 'revokeRole', role, contract)
    await expect(standing.table()).rejects.toThrow()
    await send(admin!, cloister, 'grantRole', role, contract)
    expect((await standing.table()).number).toBe(4)
  } finally {
    await standing.close()
  }
})
