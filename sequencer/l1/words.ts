/** What comes from L1 and goes to it, as plain values. */
import type { KeyRequest } from '../../circuits/batch.ts'
import type { ExitRequest } from '../../circuits/exit.ts'
import type { Row } from '../../circuits/table.ts'
import type { Groth16Proof } from '../../prover/groth16.ts'

export type L1Deposit = {
  readonly id: bigint
  readonly token: number
  readonly amount: bigint
  readonly commitment: bigint
}
export type L1Table = { readonly number: bigint; readonly root: bigint; readonly time: bigint }
/** A request as it waits in the queue: what a forced exit may take is known when it is served. */
export type QueuedRequest = KeyRequest | Omit<ExitRequest, 'freeVault'>
/** Everything new since the last look, in order. */
export type L1News = {
  readonly requests: readonly QueuedRequest[]
  readonly deposits: readonly L1Deposit[]
  readonly refundRequests: readonly bigint[]
  readonly settled: readonly Row[]
  /** Posted, whether confirmed or not. */
  readonly tables: readonly L1Table[]
  /** Numbers of tables that were confirmed. */
  readonly confirmed: readonly bigint[]
  /** What the admin has set the mode to; null if nothing. */
  readonly mode: bigint | null
  /** Absent if nothing was said of the fee. */
  readonly fees?: Fees
  /** The first block that was not looked at. */
  readonly nextBlock?: number
  /** Hash of the block before it: by it a later look knows whether that block still is. */
  readonly blockHash?: string
  /** There is more in the blocks that count: too much for one record, or for one answer of a node. */
  readonly isPart?: true
  /** Of a part that has tables: the number of L1's latest, since later ones come in later parts. */
  readonly latestTable?: bigint
}
/** What L1 has said last of its fee, in micro-dollars a page. */
export type Fees = {
  /** Of the next batch; null if it is as it was. */
  readonly fee: bigint | null
  /** Set, and of every batch after the next one; null if nothing waits. */
  readonly next: bigint | null
}
export type Duties = {
  /** For ever: there is nothing left to do. */
  readonly isFrozen: boolean
  /** The guardian has paused the house: L1 takes no batch until it goes on. */
  readonly isPaused: boolean
  /** L1 refuses batches that pay withdrawals, until a sweep is complete. */
  readonly areWithdrawalsHeld: boolean
  /** Without a batch, be there anything for it or not, anybody may freeze the house before long. */
  readonly isBatchDue: boolean
  /** Its table, while the state that will be proven at it is not fixed. */
  readonly sweep?: { readonly number: bigint; readonly root: bigint }
}
/** Of the table that a batch would name: `ending` may be too old before the batch is accepted. */
export type TableAge = 'young' | 'ending' | 'old'
/** A batch is proven and accepted within these, where all is well. */
export const PROOF_SECONDS = 600n

/** Of a table, in seconds since it was posted. */
export function ageOf(seconds: bigint, life: bigint): TableAge {
  if (seconds > life) return 'old'
  const last = life / 4n < PROOF_SECONDS ? life / 4n : PROOF_SECONDS
  return life - seconds < last ? 'ending' : 'young'
}

/** The contract's own word that it does not take a batch; nothing of that batch is out any more. */
export class BatchRefused extends Error {}
export type Submission = {
  readonly shapeId: bigint
  readonly time: bigint
  readonly newRoot: bigint
  readonly tableNumber: bigint
  readonly batchNonce: bigint
  readonly requestCount: number
  readonly depositIds: readonly bigint[]
  readonly withdrawals: readonly {
    readonly token: number
    readonly amount: bigint
    readonly to: bigint
  }[]
  /** Lots paid to each forced exit that the batch serves, in the order of the queue. */
  readonly forcedPayments?: readonly bigint[]
  readonly accountWords: readonly bigint[]
  readonly commitment: bigint
  readonly proof: Groth16Proof
}

export function addressOf(word: bigint): string {
  return `0x${word.toString(16).padStart(40, '0')}`
}
