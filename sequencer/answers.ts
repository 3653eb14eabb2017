/** What the core answers to each kind of record. */
import type { BatchPlan, BatchTrace } from '../circuits/batch.ts'
import type { Shape } from '../circuits/params.ts'
import type { Rejection } from '../circuits/rules.ts'
import type { Tree } from '../circuits/tree.ts'
import type { Unprovable } from './builder.ts'
import type { Admitted, Refusal, Ticket } from './ticket.ts'
import type { Kind } from './journal/record.ts'

/** A batch between its choice and the word of L1. There are two at most: one on its way, one behind. */
export type OpenBatch = {
  readonly shape: Shape
  readonly plan: BatchPlan
  readonly trace: BatchTrace
  readonly salt: bigint
  readonly tableNumber: bigint
  readonly confirmedTableRoot: bigint
  readonly accountCountBefore: bigint
  /** Of live pages, and of skipped ones. */
  readonly trades: ReadonlySet<string>
  readonly skipped: ReadonlySet<string>
  /** The state that it is built on; not changed by building. */
  readonly tree: Tree
  /** Of one behind another: what could not settle is dropped once L1 has accepted the other. */
  readonly unprovable: readonly Unprovable[]
  isProven: boolean
  proveSeconds: number
}
/** A batch in numbers, without what only the prover's side knows. */
export type SettledBatch = {
  readonly number: bigint
  readonly shape: string
  readonly trades: number
  readonly legs: number
  readonly pages: number
  readonly pageSlots: number
  readonly accounts: number
  readonly proveSeconds: number
  readonly gas: bigint
  readonly root: bigint
}
export type Chosen = {
  readonly open: OpenBatch | null
  readonly unprovable: readonly Unprovable[]
}
/** What applying a record of each kind tells whoever recorded it. */
export type Answers = {
  readonly genesis: null
  readonly proposal: Ticket | Refusal
  readonly affirmation: Ticket | Refusal
  readonly rejection: Ticket | Refusal
  readonly page: Admitted | Refusal
  readonly resigned: Rejection | { readonly head: bigint; readonly time: bigint }
  readonly told: null
  readonly viewKey: null
  readonly opening: null
  readonly l1: null
  readonly tableAge: null
  readonly tick: null
  readonly batch: Chosen
  readonly proven: null
  readonly sent: null
  readonly accepted: SettledBatch
  readonly withdrawn: null
}
export type Answer = Answers[Kind]
