/**
 * The audit of a house from L1 alone: its state replayed, its proofs verified again, its vault
 * counted.
 */
import { FIRST_MEMBER_INDEX } from '../../circuits/params.ts'
import { shutdown } from '../../prover/groth16.ts'
import type { Progress } from '../l1/events.ts'
import { footprintOf, type Footprint } from '../l1/footprint.ts'
import { vaultOf, type Rebuilt, type TokenTotals } from '../l1/ledger.ts'
import { compareWithViews, replayFrom } from '../l1/rebuild.ts'
import { connect, ReadError, type Block, type L1, type Transport } from '../l1/rpc.ts'
import { Checks, type Check, type Section } from './checks.ts'
import { auditCode } from './code.ts'
import { keysOfCache, keysOfCheckout, type KeySource } from './keys.ts'
import { auditProofs, type ProofFigures } from './proofs.ts'
import { standingOf, type Standing } from './standing.ts'

export type AuditOptions = {
  /** An RPC address, or something that answers JSON-RPC calls. */
  readonly rpcUrl: string | Transport
  readonly contract: string
  readonly onProgress?: Progress
  /** Block of the contract's deployment, if known. */
  readonly fromBlock?: number
  readonly atBlock?: number
  /** False (--no-build) compiles nothing: keys come from the cache, or proofs are not verified. */
  readonly build?: boolean
  /** Verification keys from elsewhere, such as a ceremony; the default is this checkout. */
  readonly keySource?: KeySource
}

export type TokenReport = {
  readonly id: number
  readonly address: string
  /** Raw units in a lot. */
  readonly unit: bigint
  /** Lots. vault = owed + unconsumed + balances. */
  readonly vault: bigint
  readonly owed: bigint
  readonly unconsumed: bigint
  readonly balances: bigint
  readonly totals: TokenTotals
  /** Raw units that the token says the contract holds; null if it does not say. */
  readonly held: bigint | null
}
export type ShapeReport = {
  readonly id: number
  readonly name: string
  readonly keyHash: string
  readonly verifier: string
  readonly isDevelopmentKey: boolean
  readonly batches: number
}
export type AuditReport = {
  readonly contract: string
  readonly chainId: bigint
  readonly block: Block
  readonly verdict: 'held' | 'failed' | 'unread'
  readonly exitCode: 0 | 1 | 2
  readonly standing: Standing
  readonly checks: readonly Check[]
  /** Checks that held one by one without a line of their own. */
  readonly quietlyHeld: ReadonlyMap<Section, number>
  readonly hasDevelopmentKey: boolean
  readonly shapes: readonly ShapeReport[]
  readonly tokens: readonly TokenReport[]
  readonly proofs: ProofFigures
  readonly footprint: Footprint
  readonly figures: {
    readonly batches: bigint
    readonly lastBatchTime: bigint
    readonly root: bigint
    readonly members: bigint
    readonly leavesWritten: number
    readonly requests: number
    readonly requestsServed: bigint
    readonly deposits: number
    readonly withdrawals: number
    readonly tables: number
    readonly settlements: number
    readonly fee: bigint
  }
}

/**
 * Throws ReadError if L1 cannot be read at all; whatever was read and is wrong is in the report.
 */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const progress = options.onProgress ?? (() => {})
  const l1 = await connect(options.rpcUrl, options.contract, options.atBlock)
  const checks = new Checks()
  const rebuilt = await replayFrom(l1, options)
  reportFaults(rebuilt, checks)
  const views = await compareWithViews(l1, rebuilt, progress)
  for (const fault of views) checks.failed('record', fault.must, fault.detail)
  if (views.length === 0)
    checks.held(
      'record',
      'views of the contract',
      'roots, times, counts, tables, settlement values, ' +
        'withdrawal roots and totals stored in the contract equal those that its events give',
    )
  const standing = await standingOf(l1, rebuilt, checks, options)
  const tokens = await auditVault(l1, rebuilt, checks)
  await auditCode(l1, checks, options)
  const keySource =
    options.keySource ?? (options.build === false ? keysOfCache() : keysOfCheckout(progress))
  let proofs: ProofFigures
  try {
    proofs = await auditProofs(l1, rebuilt, keySource, checks, progress, options.fromBlock)
  } finally {
    // snarkjs keeps threads that would keep the process alive.
    await shutdown()
  }
  if (!(await l1.isHeadStillCanonical()))
    throw new ReadError(`block ${l1.head.number} was replaced during the audit; run it again`)
  return reportOf(l1, rebuilt, checks, { standing, tokens, proofs })
}

function reportFaults(rebuilt: Rebuilt, checks: Checks): void {
  for (const fault of rebuilt.faults)
    checks.failed('state', fault.must, `block ${fault.block}: ${fault.detail}`)
  const broken = new Set(rebuilt.faults.map((fault) => fault.must))
  const say = (name: string, musts: readonly string[], detail: string): void => {
    if (!musts.some((must) => broken.has(must))) checks.held('state', name, detail)
  }
  say(
    'genesis',
    [
      'GenesisMustExist',
      'GenesisMustBeOnce',
      'GenesisRootMustHoldOneLeaf',
      'EventsMustBeginWithGenesis',
    ],
    'the first tree holds the fee account and nothing else',
  )
  say(
    'roots',
    [
      'RootMustFollowLeaves',
      'RootsMustChain',
      'BatchesMustBeInOrder',
      'WordsMustFitShape',
      'ShapeMustBeKnown',
      'LeafMustNotVanish',
      'LeafMustBeEmptyBeforeRegistration',
      'AccountsMustAscend',
    ],
    `all ${rebuilt.batches.length} roots follow from the leaves on L1, each from the one before`,
  )
  say(
    'tables',
    ['TablesMustBeInOrder', 'TableMustBeCurrent', 'TableMustMatch'],
    `${rebuilt.tables.length} tables in order; each batch used the latest or the one before, as ` +
      'posted',
  )
  say(
    'settlements',
    ['SettlementMustBeFinal', 'SettlementRootMustFollowValues', 'SettlementRootMustBeCurrent'],
    `${rebuilt.settlements.size} settlement values, none changed; the register's root follows ` +
      'from them',
  )
  say(
    'requests',
    [
      'RequestsMustBeInOrder',
      'RequestMustBeServed',
      'RequestKindMustBeKnown',
      'CountMustFollowRegistrations',
    ],
    `${rebuilt.served} of ${rebuilt.keyRequests.length} requests of the queue served, in order, ` +
      'as they were posted',
  )
  say(
    'deposits and withdrawals',
    [
      'DepositMustBeOpen',
      'DepositMustBeNew',
      'WithdrawalMustBePayable',
      'WithdrawalMustBeFunded',
      'WithdrawalsMustFillFirstSlots',
      'ClaimMustMatchWithdrawal',
      'RefundMustBeRequested',
    ],
    `${rebuilt.deposits.size} deposits credited or refunded at most once; ` +
      `${rebuilt.withdrawals.size} withdrawals paid at most once`,
  )
}

async function auditVault(
  l1: L1,
  rebuilt: Rebuilt,
  checks: Checks,
): Promise<readonly TokenReport[]> {
  const reports: TokenReport[] = []
  for (const { id, address, unit } of rebuilt.tokens.values()) {
    const [view] = (await l1.view('tokens', [id])) as readonly (readonly unknown[])[]
    const [vault, owed, unconsumed] = [view?.[2], view?.[3], view?.[4]] as [bigint, bigint, bigint]
    const totals = rebuilt.totalsOf(id)
    const { balances } = vaultOf(totals)
    checks.expect(
      'vault',
      `split of token ${id}`,
      vault === owed + unconsumed + balances && balances >= 0n,
      `vault ${vault} = owed ${owed} + unconsumed ${unconsumed} + balances ${balances} lots`,
      `vault ${vault}, but owed ${owed} + unconsumed ${unconsumed} + balances ${balances} = ` +
        `${owed + unconsumed + balances} lots`,
    )
    const name = `holding of token ${id}`
    const held = await checks.attempt('vault', name, () => l1.balanceOf(address, l1.contract))
    if (held !== null)
      checks.expect(
        'vault',
        name,
        held >= vault * unit,
        `the contract holds ${held} raw units, the vault is ${vault * unit}`,
        `the contract holds ${held} raw units, less than the vault of ${vault * unit}`,
      )
    reports.push({ id, address, unit, vault, owed, unconsumed, balances, totals, held })
  }
  return reports
}

function reportOf(
  l1: L1,
  rebuilt: Rebuilt,
  checks: Checks,
  { standing, tokens, proofs }: Pick<AuditReport, 'standing' | 'tokens' | 'proofs'>,
): AuditReport {
  const { contract, chainId, head } = l1
  const verdict = checks.has('failed') ? 'failed' : checks.has('unread') ? 'unread' : 'held'
  const shapes = [...rebuilt.shapes.values()].map(
    ({ id, name, keyHash, verifier, isDevelopmentKey }) => ({
      id,
      name,
      keyHash,
      verifier,
      isDevelopmentKey,
      batches: rebuilt.batches.filter((b) => b.event.shapeId === id).length,
    }),
  )
  return {
    contract,
    chainId,
    block: head,
    verdict,
    exitCode: verdict === 'held' ? 0 : verdict === 'failed' ? 1 : 2,
    standing,
    checks: checks.list,
    quietlyHeld: checks.quietlyHeld,
    hasDevelopmentKey: shapes.some((s) => s.isDevelopmentKey),
    shapes,
    tokens,
    proofs,
    footprint: footprintOf(rebuilt),
    figures: {
      batches: rebuilt.batchNumber,
      lastBatchTime: rebuilt.time,
      root: rebuilt.root,
      members: rebuilt.accountCount - BigInt(FIRST_MEMBER_INDEX),
      leavesWritten: rebuilt.batches.reduce((sum, batch) => sum + batch.touchedCount, 0),
      requests: rebuilt.keyRequests.length,
      requestsServed: rebuilt.served,
      deposits: rebuilt.deposits.size,
      withdrawals: rebuilt.withdrawals.size,
      tables: rebuilt.tables.length,
      settlements: rebuilt.settlements.size,
      fee: rebuilt.fee ?? 0n,
    },
  }
}
