/** Development keys stay on local chains, unless somebody says in so many words that they may go. */
import { JsonRpcProvider, VoidSigner, type Signer } from 'ethers'
import { expect, it } from 'vitest'
import { shapeNamed, type ShapeKey } from '../../prover/artifacts.ts'
import type { CircuitKey } from '../../prover/circuit-key.ts'
import { deploy, FORGE_FLAG, type DeployOptions } from '../../sequencer/deploy.ts'

/** A chain that answers its id and nothing else: what comes after the guard fails by this name. */
class Behind extends Error {}
function chain(id: bigint): Signer {
  const provider = {
    getNetwork: async () => ({ chainId: id }),
    getBlock: async () => {
      throw new Behind('the guard let it pass')
    },
  } as unknown as JsonRpcProvider
  return new VoidSigner('0x0000000000000000000000000000000000000001', provider)
}

function tryOn(chainId: bigint, zkeyPath: string, more: Partial<DeployOptions> = {}) {
  const key = { shape: shapeNamed('mini'), zkeyPath } as ShapeKey
  return deploy({
    admin: chain(chainId),
    operator: '0x0000000000000000000000000000000000000002',
    oracle: '0x0000000000000000000000000000000000000003',
    verifiers: [{ key, contract: { abi: [], bytecode: '0x' } }],
    feeAccountViewKey: 1n,
    fee: 0n,
    refundDelaySeconds: 172_800n,
    ...more,
  })
}

const DEVELOPMENT = 'mini.development.zkey'

it.each([1n, 10n, 11155111n, 31336n, 31338n, 1336n, 1338n, 0n])(
  'chain %s refuses development keys and names the flag',
  async (chainId) => {
    await expect(tryOn(chainId, DEVELOPMENT)).rejects.toThrow(FORGE_FLAG)
  },
)

it.each([31337n, 1337n])('local chain %s takes development keys', async (chainId) => {
  await expect(tryOn(chainId, DEVELOPMENT)).rejects.toThrow(Behind)
})

it('the flag lets them go, and nothing but the flag', async () => {
  await expect(tryOn(1n, DEVELOPMENT, { letAnybodyForgeProofs: true })).rejects.toThrow(Behind)
  await expect(tryOn(1n, DEVELOPMENT, { letAnybodyForgeProofs: false })).rejects.toThrow(FORGE_FLAG)
})

it('a key of a ceremony may go anywhere', async () => {
  await expect(tryOn(1n, 'mini.zkey')).rejects.toThrow(Behind)
})

it('keys of claims and sweeps are judged alike', async () => {
  const exit = (zkeyPath: string) => ({
    exits: [
      { key: { name: 'escape', zkeyPath } as CircuitKey, contract: { abi: [], bytecode: '0x' } },
    ],
  })
  await expect(tryOn(1n, 'mini.zkey', exit('escape.zkey'))).rejects.toThrow(Behind)
  await expect(tryOn(1n, 'mini.zkey', exit('escape.development.zkey'))).rejects.toThrow(
    'anybody can forge proofs for escape.',
  )
})
