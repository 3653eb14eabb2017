/** The state of the house from L1 alone, held against what the contract itself has stored. */
import { domainOf } from './batch-words.ts'
import { readEvents, type Progress } from './events.ts'
import {
  vaultOf,
  type BatchSummary,
  type Fault,
  type Rebuilt,
  type WithdrawalRecord,
} from './ledger.ts'
import { replay } from './replay.ts'
import { connect, ReadError, type L1, type Transport } from './rpc.ts'
import { withdrawalsRoot } from './withdrawals.ts'

export { history, openAccount, openWithBatchKey } from './open.ts'
export type { Rebuilt } from './ledger.ts'

export type RebuildOptions = {
  readonly onProgress?: Progress
  /** Block of the contract's deployment, if known; reading from 0 is right and slower. */
  readonly fromBlock?: number
  /** Read L1 as of this block instead of the latest. */
  readonly atBlock?: number
}

/** L1 was read, and what it carries does not hold together. */
export class FaultError extends Error {
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    const [first] = faults
    super(
      `L1 does not hold together: ${first?.must} (block ${first?.block}): ${first?.detail}` +
        (faults.length > 1 ? `; ${faults.length - 1} more` : ''),
    )
    this.faults = faults
  }
}

/** Everything, or an error: ReadError if L1 cannot be read, FaultError if it is not in order. */
export async function rebuild(
  rpc: string | Transport,
  contract: string,
  options: RebuildOptions = {},
): Promise<Rebuilt> {
  const l1 = await connect(rpc, contract, options.atBlock)
  const rebuilt = await replayFrom(l1, options)
  const faults = [...rebuilt.faults, ...(await compareWithViews(l1, rebuilt, options.onProgress))]
  if (!(await l1.isHeadStillCanonical())) {
    throw new ReadError(`block ${l1.head.number} was replaced while it was read; try again`)
  }
  if (faults.length > 0) throw new FaultError(faults)
  return rebuilt
}

/** Reads the events and replays them; faults are in the result. */
export async function replayFrom(l1: L1, options: RebuildOptions = {}): Promise<Rebuilt> {
  const progress = options.onProgress ?? (() => {})
  const events = await readEvents(l1, options.fromBlock ?? 0, progress)
  if (events.length === 0) {
    throw new ReadError(
      `${l1.contract} has emitted nothing on chain ${l1.chainId} up to block ${l1.head.number}`,
    )
  }
  const total = events.filter((event) => event.kind === 'batch').length
  const rebuilt = replay(events, {
    domain: domainOf(l1.chainId, l1.contract),
    onBatch: (number) => {
      if (number % 100n === 0n) progress(`replayed ${number} of ${total} batches`)
    },
  })
  progress(`replayed ${total} batches, ${rebuilt.accountCount - 16n} accounts`)
  return rebuilt
}

/** Requests under way together: the round trip, not the node, is what 1,000 batches wait for. */
const VIEWS_AT_ONCE = 8

/**
 * The contract's own record against the events: roots, times, counts, tables, settlements, totals.
 * Batches up to `after` were compared before, at a block that is still part of the chain.
 */
export async function compareWithViews(
  l1: L1,
  rebuilt: Rebuilt,
  progress: Progress = () => {},
  after = 0n,
): Promise<readonly Fault[]> {
  const faults: Fault[] = []
  const same = (what: string, view: unknown, expected: unknown): void => {
    if (view === expected) return
    faults.push({
      must: 'ViewMustMatchEvents',
      detail: `${what}: the contract says ${view}, its events give ${expected}`,
      block: l1.head.number,
    })
  }
  const one = async (name: string, ...args: readonly unknown[]): Promise<unknown> =>
    (await l1.view(name, args))[0]
  same('domain', await one('domain'), domainOf(l1.chainId, l1.contract))
  same('batchNumber', await one('batchNumber'), rebuilt.batchNumber)
  same('fee', await one('fee'), rebuilt.fee)
  same('accountCount', await one('accountCount'), rebuilt.accountCount)
  same('requestCount', await one('requestCount'), BigInt(rebuilt.keyRequests.length))
  same('served', await one('served'), rebuilt.served)
  same('depositCount', await one('depositCount'), BigInt(rebuilt.deposits.size))
  same('tableNumber', await one('tableNumber'), BigInt(rebuilt.tables.length))
  same('settlementRoot', await one('settlementRoot'), rebuilt.registerRoot)
  const tokens = await Promise.all(
    [...rebuilt.tokens.values()].map(async (token) => ({
      ...token,
      stored: (await one('tokens', token.id)) as readonly unknown[],
    })),
  )
  const confirmed = await one('confirmedTableNumber')
  // From here on what is asked for stays as it is, and may take hours.
  await compareBatches(l1, rebuilt, same, progress, after)
  // A house posts a table a minute: those up to the last compared batch's were compared with it.
  const known = rebuilt.summaries.find(({ number }) => number === after)?.tableNumber ?? 0n
  // The one that claims are made at is looked at each time, whoever told of it before.
  const tables = rebuilt.tables.filter(({ number }) => number >= known || number === confirmed)
  await together(tables, async (table) => {
    const [root, time] = await l1.record('tables', [table.number])
    same(`root of table ${table.number}`, root, table.root)
    same(`time of table ${table.number}`, time, table.time)
  })
  // Of the values that have the register's root nothing more needs to be asked.
  const isBound = rebuilt.settlementTree.root === rebuilt.registerRoot
  await together(isBound ? [] : [...rebuilt.settlements], async ([id, value]) => {
    const [isSet, stored] = await l1.record('settlement', [id])
    same(`settlement value of instrument ${id}`, isSet === true ? stored : 'not set', value)
  })
  for (const { id, address, unit, stored } of tokens) {
    const [token, storedUnit, vault, owed, unconsumed] = stored
    const expected = vaultOf(rebuilt.totalsOf(id))
    same(`address of token ${id}`, token, address)
    same(`unit of token ${id}`, storedUnit, unit)
    same(`vault of token ${id}`, vault, expected.vault)
    same(`owed of token ${id}`, owed, expected.owed)
    same(`unconsumed of token ${id}`, unconsumed, expected.unconsumed)
  }
  return faults
}

async function compareBatches(
  l1: L1,
  rebuilt: Rebuilt,
  same: (what: string, view: unknown, expected: unknown) => void,
  progress: Progress,
  after: bigint,
): Promise<void> {
  const [genesis] = (await l1.record('batches', [0])) as readonly (readonly unknown[])[]
  same('root of batch 0', genesis?.[0], rebuilt.genesis?.root)
  const owed = new Map<bigint, WithdrawalRecord[]>()
  for (const withdrawal of rebuilt.withdrawals.values())
    owed.set(withdrawal.batch, [...(owed.get(withdrawal.batch) ?? []), withdrawal])
  const left = rebuilt.summaries.filter(({ number }) => number > after)
  let done = 0
  const compare = async (batch: BatchSummary): Promise<void> => {
    const { number } = batch
    const [record] = (await l1.record('batches', [number])) as readonly (readonly unknown[])[]
    const [root, tableNumber, time, accountCount, served, storedRoot] = record ?? []
    same(`root of batch ${number}`, root, batch.root)
    same(`table of batch ${number}`, tableNumber, batch.tableNumber)
    same(`time of batch ${number}`, time, batch.time)
    same(`account count of batch ${number}`, accountCount, batch.accountCount)
    same(`served requests of batch ${number}`, served, batch.served)
    const expected = withdrawalsRoot(l1.contract, owed.get(number) ?? [])
    same(`withdrawals root of batch ${number}`, storedRoot, expected)
    if (++done % 100 === 0)
      progress(`compared ${done} of ${left.length} batches with the contract's record`)
  }
  await together(left, compare)
}

async function together<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < list.length; i += VIEWS_AT_ONCE)
    await Promise.all(list.slice(i, i + VIEWS_AT_ONCE).map(work))
}
