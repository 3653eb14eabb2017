/** Asking a Solidity verifier on a chain within this process. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { BrowserProvider, ContractFactory, type Contract } from 'ethers'
import { PROJECT_ROOT } from '../artifacts.ts'
import { compileSolidity } from '../solidity.ts'
import type { VerifierCall } from './forge.ts'

type Hardhat = {
  readonly network: { readonly provider: ConstructorParameters<typeof BrowserProvider>[0] }
}
export type DeployedVerifier = (call: VerifierCall) => Promise<boolean>

let provider: BrowserProvider | undefined

function chain(): BrowserProvider {
  if (provider !== undefined) return provider
  process.env['HARDHAT_CONFIG'] ??= join(PROJECT_ROOT, 'hardhat.config.cjs')
  process.env['HARDHAT_DISABLE_TELEMETRY_PROMPT'] = 'true'
  const hardhat = createRequire(import.meta.url)('hardhat') as Hardhat
  provider = new BrowserProvider(hardhat.network.provider, undefined, { cacheTimeout: -1 })
  return provider
}

export async function deployVerifier(name: string, source: string): Promise<DeployedVerifier> {
  const compiled = compileSolidity({ [`${name}.sol`]: source })[name]
  if (compiled === undefined) throw new Error(`the source has no contract ${name}`)
  const signer = await chain().getSigner(0)
  const factory = new ContractFactory(compiled.abi as never, compiled.bytecode, signer)
  const contract = (await factory.deploy()) as Contract
  await contract.waitForDeployment()
  return async ({ a, b, c, signals }) =>
    (await contract.getFunction('verifyProof').staticCall(a, b, c, signals)) === true
}
