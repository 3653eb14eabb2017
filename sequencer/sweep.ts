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
  SWEEP_SHAPES,
  sweepChunk,
  type SweepRule,
  type SweepState,
} from '../circuits/sweep.ts'
import { buildSweep } from '../circuits/sweep-witness.ts'
import { settlementsOf, type Row, type Settlements, type Table } from '../circuits/table.ts'
import { Tree } from '../circuits/tree.ts'
import type { CircuitKey } from '../prover/circuit-key.ts'
import type { CircuitInput, Groth16Proof } from '../prover/groth16.ts'
import type { StateHistory } from './history.ts'
import { proofWords, type SequencerL1 } from './l1.ts'

export type SweepKey = {
  /** Of the shape on L1. */
  readonly id: bigint
  /** Named as in SWEEP_SHAPES. */
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
  /** Accounts break a rule: no proof exists. Said of all of them, before anything is proven. */
  | { readonly state: 'unprovable'; readonly accounts: readonly Unprovable[] }

export type Unprovable = {
  readonly rule: SweepRule
  /** The first of its chunk. */
  readonly account: number
  readonly detail: string
}

type Record = {
  readonly table: bigint
  readonly time: bigint
  readonly isFixed: boolean
  readonly batch: bigint
  readonly settlementRoot: bigint
  readonly next: bigint
}

export class Sweeper {
  private readonly options: SweeperOptions

  constructor(options: SweeperOptions) {
    this.options = options
  }

  /** `time`: seconds of L1's latest block. Proves and submits all chunks that are left. */
  async run(time: bigint): Promise<SweepReport> {
    const first = await this.ask<Record>('sweep')
    if (first.table === 0n) return { state: 'idle', dueAt: null }
    if (!first.isFixed && time < first.time) return { state: 'idle', dueAt: first.time }
    const state = await this.stateOf(first)
    const broken = this.brokenIn(state, Number(first.next))
    if (broken.length > 0) return { state: 'unprovable', accounts: broken }
    for (let chunks = 1; ; chunks++) {
      await this.submitNext(state, await this.ask<Record>('sweep'))
      const { table } = await this.ask<Record>('sweep')
      if (table === 0n) return { state: 'complete', table: first.table, chunks }
      // A table of a later epoch began another sweep, which discharges this one.
      if (table !== first.table) return this.run(time)
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
    for (const [index, account] of accounts) tree.set(index, leafHash(account))
    const root = await this.ask<bigint>('roots', batch)
    if (tree.root !== root)
      throw new Error(`sweep: the state after batch ${batch} has root ${tree.root}, L1 ${root}`)
    const { callDelay } = await this.ask<{ callDelay: bigint }>('terms')
    const settlements = registerWithRoot(options.settled(), sweep.settlementRoot)
    return { tree, accounts, table, settlements, time: sweep.time, callDelay }
  }

  /** One account a chunk, where there is one: whoever flags them wants to know at once, not by turns. */
  private brokenIn(state: SweepState, next: number): readonly Unprovable[] {
    const broken: Unprovable[] = []
    const end = Math.max(...state.accounts.keys())
    for (let first = next; first <= end;) {
      const { shape } = this.shapeAt(first)
      const outcome = sweepChunk(shape, first, state)
      if (!outcome.ok) broken.push(outcome)
      first += accountsOf(shape)
    }
    return broken.map(({ rule, account, detail }) => ({ rule, account, detail }))
  }

  private async submitNext(state: SweepState, { next }: Record): Promise<void> {
    const { options } = this
    const first = Number(next)
    const { id, key, shape } = this.shapeAt(first)
    const outcome = sweepChunk(shape, first, state)
    if (!outcome.ok) throw new Error(`sweep: ${outcome.rule}: ${outcome.detail}`)
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

  /** The largest shape that may begin here. */
  private shapeAt(first: number) {
    const fitting = this.options.keys.flatMap(({ id, key }) => {
      const shape = SWEEP_SHAPES.find(({ name }) => name === key.name)
      return shape === undefined || first % accountsOf(shape) !== 0 ? [] : [{ id, key, shape }]
    })
    const [largest] = fitting.sort((a, b) => accountsOf(b.shape) - accountsOf(a.shape))
    if (largest === undefined) throw new Error(`sweep: no shape may begin at account ${first}`)
    return largest
  }

  private ask<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    return this.options.l1.contract.getFunction(name)(...args) as Promise<T>
  }

  private async send(...args: readonly unknown[]): Promise<void> {
    const { contract } = this.options.l1
    try {
      const sent = (await contract.getFunction('submitSweep')(...args)) as {
        wait: () => Promise<unknown>
      }
      await sent.wait()
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

/** The register as it was when its root was `root`: what settled since is left out. */
export function registerWithRoot(settled: readonly Row[], root: bigint): Settlements {
  for (let count = settled.length; count >= 0; count--) {
    const register = settlementsOf(settled.slice(0, count))
    if (register.tree.root === root) return register
  }
  throw new Error(`sweep: the register never had root ${root} here`)
}
