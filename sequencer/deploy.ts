/** Deploys a clearing house to a chain: token, verifiers of the shapes, the contract, and its genesis account. */
import { TREE_DEPTH, SETTLEMENT_DEPTH } from '../circuits/params.ts'
import { leafHash, type Account, feeAccountOf } from '../circuits/account.ts'
import { emptyRoot, Tree } from '../circuits/tree.ts'
import { isDevelopmentKey, verifierSource, type ShapeKey } from '../prover/artifacts.ts'
import { compileSolidity, type CompiledContract } from '../prover/solidity.ts'
import { addExitShapes, type CompiledExit, type ExitShapes } from './deploy-exits.ts'
import { cashTokenOf, type NamedToken } from './deploy-token.ts'
import {
  chainIdOf,
  contractAt,
  deployContract,
  roleNamed,
  timeOf,
  type DeployedContract,
  type Sender,
} from './l1.ts'
import { contractsOf } from './solidity.ts'
import { ANY_SWEEP_ID } from './sweep-shapes.ts'

export type Deployment = {
  readonly contract: string
  /** Who posts tables and settlement values; undefined where a deployment does not say. */
  readonly oracle?: string
  readonly token: string
  readonly chainId: bigint
  readonly feeAccount: Account
  readonly shapeIds: ReadonlyMap<string, bigint>
  readonly exits?: ExitShapes
}
export type CompiledVerifier = { readonly key: ShapeKey; readonly contract: CompiledContract }
export type DeployOptions = {
  readonly admin: Sender
  readonly operator: string
  /** Who posts tables; null: a TableOracle is deployed, which alone may do so. */
  readonly oracle: string | null
  readonly verifiers: readonly CompiledVerifier[]
  /** Verifiers of claims and sweeps; without them nobody can claim after a freeze. */
  readonly exits?: readonly CompiledExit[]
  readonly feeAccountViewKey: bigint
  /** Micro-dollars per page. */
  readonly fee: bigint
  readonly refundDelaySeconds: bigint
  /** Who pauses, sets the mode and cancels announced changes; the admin unless named. */
  readonly guardian?: string
  /** Between the announcement of a change and the change, once the house is sealed; `changeDelayOf` unless named. */
  readonly changeDelaySeconds?: bigint
  /** What cash is held in; null or absent: a TestDollar is deployed, on a local chain. */
  readonly token?: NamedToken | null
  /** Lets a house on a public chain hold a TestDollar: what it holds is worth nothing. */
  readonly letAnybodyMintDollars?: boolean
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

/**
 * Between an announcement and its change: 30 days to decide, and the longest that a forced exit then takes
 * until it is served or anybody may freeze. What a freeze finds no change touches any more, so the window
 * of claims counts only where the floor of the lock, which has it, is higher.
 */
export function changeDelayOf(terms: Record<string, bigint>): bigint {
  const { forceDelay = 0n, fullDelay = 0n, tableDelay = 0n } = terms
  const { claimsWindow = 0n, refundDelay = 0n } = terms
  const served = (forceDelay > fullDelay ? forceDelay : fullDelay) + tableDelay
  return [30n * DAY + served, served + claimsWindow, refundDelay].reduce((a, b) => (a > b ? a : b))
}

/** Of the environment; it says what it means, so that nobody sets it by habit. */
export const FORGE_FLAG = 'CLOISTER_LET_ANYBODY_FORGE_PROOFS'
/** A chain other than a local one must never trust a development key. */
const LOCAL_CHAINS: readonly bigint[] = [31337n, 1337n]

function assertKeysFit(
  chainId: bigint,
  {
    verifiers,
    exits = [],
    letAnybodyForgeProofs = false,
  }: Pick<DeployOptions, 'verifiers' | 'exits' | 'letAnybodyForgeProofs'>,
): void {
  const forgeable = [
    ...verifiers.filter(({ key }) => isDevelopmentKey(key)).map(({ key }) => key.shape.name),
    ...exits.filter(({ key }) => isDevelopmentKey(key)).map(({ key }) => key.name),
  ]
  if (LOCAL_CHAINS.includes(chainId) || forgeable.length === 0 || letAnybodyForgeProofs) return
  throw new Error(
    `development keys must stay on local chains (31337, 1337); this is chain ${chainId}, and ` +
      `anybody can forge proofs for ${forgeable.join(', ')}. ` +
      'Make keys by `cloister ceremony`; only a deployment that never holds value may set ' +
      `${FORGE_FLAG}=1`,
  )
}

/**
 * Deploys and configures; the admin is still who deployed, so that the oracle can be configured. A house
 * on a public chain takes nothing in before `sealHouse`.
 */
export async function deploy(options: DeployOptions): Promise<Deployment> {
  const { admin, verifiers } = options
  const chainId = await chainIdOf(admin)
  assertKeysFit(chainId, options)
  const contracts = contractsOf()
  const feeAccount = feeAccountOf(options.feeAccountViewKey, await timeOf(admin))
  const tree = new Tree(TREE_DEPTH)
  tree.set(0, leafHash(feeAccount))
  const token = await cashTokenOf({
    admin,
    isLocal: LOCAL_CHAINS.includes(chainId),
    named: options.token ?? null,
    letAnybodyMintDollars: options.letAnybodyMintDollars ?? false,
  })
  const terms = termsOf(options.refundDelaySeconds)
  const extension = await deployContract(
    admin,
    contracts['CloisterExtension'] as CompiledContract,
    terms,
  )
  const configuration = {
    admin: await admin.getAddress(),
    operator: options.operator,
    // TableOracle must know the house first: until then the admin keeps its place.
    oracle: options.oracle ?? (await admin.getAddress()),
    guardian: options.guardian ?? (await admin.getAddress()),
    letAnybodyForgeProofs: options.letAnybodyForgeProofs ?? false,
    genesisRoot: tree.root,
    feeAccountLeaf: leafHash(feeAccount),
    feeAccountViewKeyHash: feeAccount.viewKeyHash,
    feeAccountMeta: feeAccount.meta,
    settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    fee: options.fee,
    changeDelay: options.changeDelaySeconds ?? changeDelayOf(terms),
    terms,
  }
  const house = await deployContract(
    admin,
    contracts['Cloister'] as CompiledContract,
    configuration,
    extension.address,
  )
  const oracle = options.oracle ?? (await deployTableOracle(admin, house, configuration.guardian))
  // One lot of cash is one micro-dollar.
  await house.send('addToken', 1, token.address, token.unit, (1n << 55n) - 1n)
  const shapeIds = new Map<string, bigint>()
  for (const [i, { key, contract }] of verifiers.entries()) {
    const verifier = await deployContract(admin, contract)
    const { name, members, deposits, withdrawals, requests } = key.shape
    const id = BigInt(i + 1)
    const sizes = [members, deposits, withdrawals, requests]
    const keyHash = `0x${key.keyHash}`
    const isDevelopment = isDevelopmentKey(key)
    await house.send('addShape', id, ...sizes, verifier.address, keyHash, isDevelopment, name)
    shapeIds.set(name, id)
  }
  const exits = await addExitShapes(admin, house, options.exits ?? [])
  return {
    contract: house.address,
    oracle,
    token: token.address,
    chainId,
    feeAccount,
    shapeIds,
    exits,
  }
}

/**
 * The oracle's contract takes the place of the admin: from then on nobody else can post. The guardian
 * may strike its settlements: against three liars of five nobody else can.
 */
async function deployTableOracle(
  admin: Sender,
  house: DeployedContract,
  guardian: string,
): Promise<string> {
  const own = await admin.getAddress()
  const contract = contractsOf()['TableOracle'] as CompiledContract
  const oracle = await deployContract(admin, contract, house.address, own)
  const { address } = oracle
  await oracle.send('grantRole', roleNamed('GUARDIAN'), guardian)
  await house.send('grantRole', roleNamed('ORACLE'), address)
  await house.send('revokeRole', roleNamed('ORACLE'), own)
  return address
}

/**
 * The lock becomes the only admin, of the house and of its oracle, for good; then the guardian opens it.
 * Throws if some accounts could never be swept: a new verifier would take the delay of a change.
 */
export async function sealHouse(
  { contract }: Pick<Deployment, 'contract'>,
  { admin, guardian }: { readonly admin: Sender; readonly guardian: Sender },
): Promise<void> {
  const { abi } = contractsOf()['Cloister'] as CompiledContract
  const house = contractAt(admin, abi, contract)
  const { verifier } = (await house.read('sweepShapes', ANY_SWEEP_ID)) as { verifier: string }
  if (BigInt(verifier) === 0n)
    throw new Error(
      'a house must have a verifier of sweep-wide before it is sealed: eight accounts that hold ' +
        'many instruments could not be swept without',
    )
  await house.send('seal')
  await contractAt(guardian, abi, contract).send('unpause')
}
