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
import { verifierSource, type ShapeKey } from '../prover/artifacts.ts'
import { compileSolidity, projectSources, type CompiledContract } from './solidity.ts'

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

/** The project's contracts by name. Cloister carries the ABI of both halves: callers see one house. */
export function contractsOf(): Record<string, CompiledContract> {
  const contracts = compileSolidity(projectSources())
  const { Cloister: core, CloisterExtension: extension } = contracts
  if (core === undefined || extension === undefined) throw new Error('deploy: no contracts')
  return { ...contracts, Cloister: { ...core, abi: mergedAbi(core.abi, extension.abi) } }
}

/** The entries of both, each once; the constructor is the first one's. */
export function mergedAbi(
  core: readonly unknown[],
  extension: readonly unknown[],
): readonly unknown[] {
  const keyOf = (entry: unknown): string => JSON.stringify(entry)
  const seen = new Set(core.map(keyOf))
  const isNew = (entry: unknown): boolean =>
    (entry as { type: string }).type !== 'constructor' && !seen.has(keyOf(entry))
  return [...core, ...extension.filter(isNew)]
}

const HOUR = 3_600n
const DAY = 24n * HOUR

/** What a house is deployed with: seconds, and the wei that a forced exit costs at rest. */
export function termsOf(refundDelay: bigint): Record<string, bigint> {
  return {
    refundDelay,
    forceDelay: 3n * DAY,
    fullDelay: 3n * DAY,
    unwindDelay: 7n * DAY,
    batchDelay: 7n * DAY,
    tableDelay: 7n * DAY,
    sweepDelay: 21n * DAY,
    tableLife: 2n * DAY,
    lateSweepDelay: 14n * DAY,
    sweepEpoch: DAY,
    flagDelay: HOUR,
    callDelay: DAY,
    claimsWindow: 14n * DAY,
    forcePrice: 10n ** 15n,
  }
}

/** A chain other than a local one must never trust a development key. */
const LOCAL_CHAINS: readonly bigint[] = [31337n, 1337n]

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
  if (!LOCAL_CHAINS.includes(chainId)) {
    throw new Error(
      `development keys are for local chains only (31337, 1337); this is chain ${chainId}`,
    )
  }
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
  const terms = termsOf(options.refundDelaySeconds)
  const extension = await create(admin, contracts['CloisterExtension'] as CompiledContract, terms)
  const configuration = {
    admin: await admin.getAddress(),
    operator: options.operator,
    oracle: options.oracle,
    genesisRoot: tree.root,
    feeAccountLeaf: leafHash(feeAccount),
    feeAccountViewKeyHash: feeAccount.viewKeyHash,
    feeAccountMeta: feeAccount.meta,
    settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    fee: options.fee,
    terms,
  }
  const house = await create(
    admin,
    contracts['Cloister'] as CompiledContract,
    configuration,
    await extension.getAddress(),
  )
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
        true,
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
