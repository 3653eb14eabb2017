/**
 * The operator's side of the sweep: proves every account solvent at the table and in the state that L1
 * fixed, chunk by chunk, and submits the proofs. It goes on wherever L1 says the sweep stands, so that a
 * restart costs the chunk under way and nothing else.
 */
import { randomBytes } from 'node:crypto'
import { leafHash, type Account } from '../circuits/account.ts'
import { FIELD_MODULUS, TREE_DEPTH } from '../circuits/params.ts'
import { statementOf } from '../circuits/statement.ts'
import {
  accountsOf,
  sweepChunk,
  type SweepOutcome,
  type SweepRule,
  type SweepShape,
  type SweepState,
} from '../circuits/sweep.ts'
import { buildSweep } from '../circuits/sweep-witness.ts'
import { settlementsOf, type Row, type Settlements, type Table } from '../circuits/table.ts'
import { Tree } from '../circuits/tree.ts'
import type { CircuitKey } from '../prover/circuit-key.ts'
import type { CircuitInput, Groth16Proof } from '../prover/groth16.ts'
import { proofWords } from '../prover/proof-words.ts'
import type { StateHistory } from './history.ts'
import type { SequencerL1 } from './l1.ts'
import { HOUSE_SWEEP_SHAPES } from './sweep-shapes.ts'

export type SweepKey = {
  /** Of the shape on L1. */
  readonly id: bigint
  /** Named as in HOUSE_SWEEP_SHAPES. */
  readonly key: CircuitKey
}
export type SweeperOptions = {
  readonly l1: Pick<SequencerL1, 'contract'>
  readonly chainId: bigint
  readonly contract: string
  readonly keys: readonly SweepKey[]
  readonly accounts: () => ReadonlyMap<number, Account>
  readonly history: StateHistory
  readonly tableByRoot: (root: bigint) => Table | undefined
  /** The register in order of posting. */
  readonly settled: () => readonly Row[]
  readonly prove: (key: CircuitKey, input: CircuitInput) => Promise<Groth16Proof>
  readonly log: (line: string) => void
}
export type SweepReport =
  /** No sweep is under way, or its state is not fixed before `dueAt` (seconds). */
  | { readonly state: 'idle'; readonly dueAt: bigint | null }
  | { readonly state: 'complete'; readonly table: bigint; readonly chunks: number }
  /**
   * Accounts break a rule: no proof exists, whatever batches do now, for the first that comes fixes the
   * state before itself. Said of all of them, before anything is proven.
   */
  | {
      readonly state: 'unprovable'
      readonly table: bigint
      readonly accounts: readonly Unprovable[]
    }

/** Which account, and why; by how much is its owner's affair, and in no log. */
export type Unprovable = { readonly rule: SweepRule; readonly account: number }

type Record = {
  readonly table: bigint
  readonly time: bigint
  readonly isFixed: boolean
  readonly batch: bigint
  readonly settlementRoot: bigint
  readonly next: bigint
}

type Chunk = SweepKey & { readonly shape: SweepShape; readonly outcome: SweepOutcome }

/** Accounts hashed, or chunks valued, before others have their turn on this thread. */
const ACCOUNTS_AT_ONCE = 64
/** A transaction that was not mined by then may be lost: L1 is asked again where the sweep stands. */
const MINED_WITHIN_MS = 120_000

export class Sweeper {
  private readonly options: SweeperOptions
  /** The last sweep that cannot be proven: it need not be looked at again. */
  private hopeless: Extract<SweepReport, { state: 'unprovable' }> | null = null

  constructor(options: SweeperOptions) {
    this.options = options
  }

  /**
   * `time`: seconds of L1's latest block. Proves and submits all chunks that are left. Rejects where L1
   * does not answer or refuses, where no proof can be made, or where the state is not the one of L1
   * (a batch was accepted and is not recorded yet): the same call again goes on from there.
   */
  async run(time: bigint): Promise<SweepReport> {
    const first = await this.ask<Record>('sweep')
    if (first.table === 0n || (await this.ask<boolean>('isFrozen')))
      return { state: 'idle', dueAt: null }
    if (!first.isFixed && time < first.time) return { state: 'idle', dueAt: first.time }
    if (this.hopeless?.table === first.table) return this.hopeless
    const state = await this.stateOf(first)
    const accounts = await this.brokenIn(state, Number(first.next))
    if (accounts.length > 0) {
      this.hopeless = { state: 'unprovable', table: first.table, accounts }
      return this.hopeless
    }
    for (let chunks = 1; ; chunks++) {
      const now = await this.ask<Record>('sweep')
      // Of a later epoch, which discharges this one; or somebody else has proven what was left.
      if (now.table !== first.table) return this.run(time)
      await this.submitNext(state, now)
      const { table } = await this.ask<Record>('sweep')
      if (table === 0n) return { state: 'complete', table: first.table, chunks }
    }
  }

  /** What L1 fixed; until somebody fixes it, the latest state, which the first proof fixes. */
  private async stateOf(sweep: Record): Promise<SweepState> {
    const { options } = this
    const batch = sweep.isFixed ? sweep.batch : await this.ask<bigint>('batchNumber')
    const [tableRoot] = await this.ask<readonly [bigint]>('tables', sweep.table)
    const table = options.tableByRoot(tableRoot)
    if (table === undefined)
      throw new Error(`sweep: the rows of table ${sweep.table} are not known here`)
    const accounts = options.history.at(batch, options.accounts())
    if (sweep.isFixed) options.history.keepFrom(batch)
    const tree = new Tree(TREE_DEPTH)
    let count = 0
    for (const [index, account] of accounts) {
      tree.set(index, leafHash(account))
      if (++count % ACCOUNTS_AT_ONCE === 0) await othersTurn()
    }
    const root = await this.ask<bigint>('roots', batch)
    if (tree.root !== root)
      throw new Error(`sweep: the state after batch ${batch} has root ${tree.root}, L1 ${root}`)
    const { callDelay } = await this.ask<{ callDelay: bigint }>('terms')
    const settlements = registerWithRoot(options.settled(), sweep.settlementRoot)
    return { tree, accounts, table, settlements, time: sweep.time, callDelay }
  }

  /** One account a chunk, where there is one: whoever flags them wants to know at once, not by turns. */
  private async brokenIn(state: SweepState, next: number): Promise<readonly Unprovable[]> {
    const broken: Unprovable[] = []
    let end = 0
    for (const index of state.accounts.keys()) end = index > end ? index : end
    for (let first = next; first <= end;) {
      const { shape, outcome } = this.chunkAt(first, state)
      if (!outcome.ok) broken.push({ rule: outcome.rule, account: outcome.account })
      first += accountsOf(shape)
      await othersTurn()
    }
    return broken
  }

  private async submitNext(state: SweepState, { next }: Record): Promise<void> {
    const { options } = this
    const first = Number(next)
    const { id, key, shape, outcome } = this.chunkAt(first, state)
    if (!outcome.ok) throw new Error(`sweep: ${outcome.rule}: account ${outcome.account}`)
    const salt = BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS
    const built = buildSweep(outcome.trace, salt)
    const scope = {
      chainId: options.chainId,
      contract: BigInt(options.contract),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const proof = await options.prove(key, built.finish(x, y) as CircuitInput)
    const [flagged, shortfall] = built.words.slice(-2)
    await this.send(id, flagged, shortfall, built.commitment, proofWords(proof))
    options.log(`sweep: accounts ${first} to ${first + accountsOf(shape) - 1} proven solvent`)
  }

  /** In the largest shape that may begin here and has room for what these accounts hold. */
  private chunkAt(first: number, state: SweepState): Chunk {
    const { keys } = this.options
    const aligned = keys.flatMap(({ id, key }) => {
      const shape = HOUSE_SWEEP_SHAPES.find(({ name }) => name === key.name)
      return shape === undefined || first % accountsOf(shape) !== 0 ? [] : [{ id, key, shape }]
    })
    if (aligned.length === 0) throw new Error(`sweep: no shape may begin at account ${first}`)
    for (const each of aligned.sort((a, b) => accountsOf(b.shape) - accountsOf(a.shape))) {
      try {
        return { ...each, outcome: sweepChunk(each.shape, first, state) }
      } catch {
        // It has no room for what these accounts hold, or for their flags: a smaller one may.
      }
    }
    throw new Error(`sweep: no shape has room for what the accounts from ${first} on hold`)
  }

  private ask<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    return this.options.l1.contract.getFunction(name)(...args) as Promise<T>
  }

  private async send(...args: readonly unknown[]): Promise<void> {
    const { contract } = this.options.l1
    try {
      const sent = (await contract.getFunction('submitSweep')(...args)) as {
        wait: (confirmations: number, timeout: number) => Promise<unknown>
      }
      await sent.wait(1, MINED_WITHIN_MS)
    } catch (error) {
      const data = (error as { data?: string }).data
      const parsed = typeof data === 'string' ? contract.interface.parseError(data) : null
      if (parsed === null) throw error
      throw new Error(`L1 refused the sweep: ${parsed.name}(${parsed.args.join(', ')})`, {
        cause: error,
      })
    }
  }
}

/** Members and batches go on while a sweep of many accounts is put together. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The register as it was when its root was `root`: what settled since is left out. */
export function registerWithRoot(settled: readonly Row[], root: bigint): Settlements {
  for (let count = settled.length; count >= 0; count--) {
    const register = settlementsOf(settled.slice(0, count))
    if (register.tree.root === root) return register
  }
  throw new Error(`sweep: the register never had root ${root} here`)
}
