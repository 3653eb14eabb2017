/** Deploys a clearing house to a chain: token, verifiers of the shapes, the contract, and its genesis account. */
import {
  BrowserProvider,
  ContractFactory,
  JsonRpcProvider,
  type Contract,
  type Signer,
} from 'ethers'
import { TREE_DEPTH, SETTLEMENT_DEPTH } from '../circuits/params.ts'
import {
  activeMeta,
  batchKey,
  leafHash,
  saltOf,
  viewKeyHash,
  type Account,
} from '../circuits/account.ts'
import { emptyRoot, Tree } from '../circuits/tree.ts'
import { isDevelopmentKey, verifierSource, type ShapeKey } from '../prover/artifacts.ts'
import { compileSolidity, type CompiledContract } from '../prover/solidity.ts'
import { projectSources } from './solidity.ts'

export type Deployment = {
  readonly contract: string
  readonly token: string
  readonly chainId: bigint
  readonly feeAccount: Account
  readonly shapeIds: ReadonlyMap<string, bigint>
}
export type CompiledVerifier = { readonly key: ShapeKey; readonly contract: CompiledContract }
export type DeployOptions = {
  readonly admin: Signer
  readonly operator: string
  readonly oracle: string
  readonly verifiers: readonly CompiledVerifier[]
  readonly feeAccountViewKey: bigint
  /** Micro-dollars per page. */
  readonly fee: bigint
  readonly refundDelaySeconds: bigint
  /** Deploys development keys to a public chain: whatever the house holds there can be stolen. */
  readonly letAnybodyForgeProofs?: boolean
}

/** Solidity verifiers of development keys, compiled. The compiler holds the thread: call it before connecting. */
export async function compileVerifiers(
  keys: readonly ShapeKey[],
): Promise<readonly CompiledVerifier[]> {
  const made: CompiledVerifier[] = []
  for (const key of keys) {
    const { name, source } = await verifierSource(key)
    made.push({
      key,
      contract: compileSolidity({ [`${name}.sol`]: source })[name] as CompiledContract,
    })
  }
  return made
}

export function contractsOf(): Record<string, CompiledContract> {
  return compileSolidity(projectSources())
}

/** Of the environment; it says what it means, so that nobody sets it by habit. */
export const FORGE_FLAG = 'CLOISTER_LET_ANYBODY_FORGE_PROOFS'
/** A chain other than a local one must never trust a development key. */
const LOCAL_CHAINS: readonly bigint[] = [31337n, 1337n]

function assertKeysFit(
  chainId: bigint,
  {
    verifiers,
    letAnybodyForgeProofs = false,
  }: Pick<DeployOptions, 'verifiers' | 'letAnybodyForgeProofs'>,
): void {
  const forgeable = verifiers.filter(({ key }) => isDevelopmentKey(key))
  if (LOCAL_CHAINS.includes(chainId) || forgeable.length === 0 || letAnybodyForgeProofs) return
  throw new Error(
    `development keys must stay on local chains (31337, 1337); this is chain ${chainId}, and ` +
      `anybody can forge proofs for ${forgeable.map(({ key }) => key.shape.name).join(', ')}. ` +
      'Make keys by `cloister ceremony`; only a deployment that never holds value may set ' +
      `${FORGE_FLAG}=1`,
  )
}

async function create(
  signer: Signer,
  { abi, bytecode }: CompiledContract,
  ...args: unknown[]
): Promise<Contract> {
  const made = await new ContractFactory(abi as never, bytecode, signer).deploy(...args)
  await made.waitForDeployment()
  return made as Contract
}

export async function deploy(options: DeployOptions): Promise<Deployment> {
  const { admin, verifiers } = options
  const { chainId } = await (admin.provider as JsonRpcProvider | BrowserProvider).getNetwork()
  assertKeysFit(chainId, options)
  const contracts = contractsOf()
  const block = await admin.provider?.getBlock('latest')
  const feeAccount: Account = {
    ownerKeyHash: 0n,
    viewKeyHash: viewKeyHash(options.feeAccountViewKey),
    head: 0n,
    meta: activeMeta(BigInt(block?.timestamp ?? 0)),
    cash: 0n,
    balances: [],
    salt: saltOf(batchKey(options.feeAccountViewKey, 0, 0n, 0n)),
  }
  const tree = new Tree(TREE_DEPTH)
  tree.set(0, leafHash(feeAccount))
  const token = await create(admin, contracts['TestDollar'] as CompiledContract)
  const house = await create(admin, contracts['Cloister'] as CompiledContract, {
    admin: await admin.getAddress(),
    operator: options.operator,
    oracle: options.oracle,
    genesisRoot: tree.root,
    feeAccountLeaf: leafHash(feeAccount),
    feeAccountViewKeyHash: feeAccount.viewKeyHash,
    feeAccountMeta: feeAccount.meta,
    settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    fee: options.fee,
    refundDelay: options.refundDelaySeconds,
  })
  // One lot of cash is one micro-dollar, the smallest unit of a token with 6 decimals.
  await (
    await house.getFunction('addToken')(1, await token.getAddress(), 1, (1n << 55n) - 1n)
  ).wait()
  const shapeIds = new Map<string, bigint>()
  for (const [i, { key, contract }] of verifiers.entries()) {
    const verifier = await create(admin, contract)
    const { members, deposits, withdrawals, requests } = key.shape
    const id = BigInt(i + 1)
    await (
      await house.getFunction('addShape')(
        id,
        members,
        deposits,
        withdrawals,
        requests,
        await verifier.getAddress(),
        `0x${key.keyHash}`,
        isDevelopmentKey(key),
        key.shape.name,
      )
    ).wait()
    shapeIds.set(key.shape.name, id)
  }
  return {
    contract: await house.getAddress(),
    token: await token.getAddress(),
    chainId,
    feeAccount,
    shapeIds,
  }
}
