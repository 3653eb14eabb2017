/**
 * What the next batch is chosen and built on: the state after the last batch that L1 accepted or, while
 * one is on its way there, what that one will make of it. The ledger itself never runs ahead of L1, so
 * nothing is ever undone: what is withdrawn was only ever on a fork.
 */
import type { Credit } from '../circuits/batch.ts'
import type { Tree } from '../circuits/tree.ts'
import type { OpenBatch } from './answers.ts'
import { leavesOf, type Book } from './book.ts'
import type { QueuedRequest } from './l1.ts'

/** What goes on with each batch besides the book. */
export type Counts = {
  readonly batchNumber: bigint
  /** Seconds of the last batch: time never goes back. */
  readonly lastTime: bigint
  readonly accountCount: bigint
  /** L1 requests that no batch has served, in their order. */
  readonly requests: readonly QueuedRequest[]
}
export type Ground = Counts & {
  readonly book: Book
  /** Made when it is asked for: a fork hashes what the batch before has changed. */
  readonly tree: () => Tree
  /** Deposits whose opening is known. */
  readonly credits: readonly Credit[]
}

export function numberOf({ plan }: Pick<OpenBatch, 'plan'>): bigint {
  return plan.context.batchNumber
}

export function countsAfter(counts: Counts, { plan }: Pick<OpenBatch, 'plan'>): Counts {
  const registered = plan.requests.filter((r) => r.kind === 'register')
  return {
    batchNumber: plan.context.batchNumber,
    lastTime: plan.context.time,
    accountCount: counts.accountCount + BigInt(registered.length),
    requests: counts.requests.slice(plan.requests.length),
  }
}

/** As the ground will be when L1 has accepted the batch; the ground itself stays as it is. */
export function forkOf(ground: Ground, { plan, trace }: Pick<OpenBatch, 'plan' | 'trace'>): Ground {
  const book = ground.book.fork()
  book.take(trace)
  // An opening is used up with its first deposit.
  const used = new Set(plan.credits.map(({ commitment }) => commitment))
  return {
    ...countsAfter(ground, { plan }),
    book,
    tree: () => {
      const tree = ground.tree().overlay()
      tree.setAll(leavesOf(trace))
      return tree
    },
    credits: ground.credits.filter(({ commitment }) => !used.has(commitment)),
  }
}

/**
 * Lots of a token that L1 can pay out after the batch, where it could pay `before`: what it credits is
 * the house's from then on, what it pays out is the owners'. The circuit takes this number, exactly.
 */
export function freeAfter({ plan, trace }: OpenBatch, token: number, before: bigint): bigint {
  const sum = (list: readonly { readonly token: number; readonly amount: bigint }[]): bigint =>
    list.reduce((lots, part) => (part.token === token ? lots + part.amount : lots), 0n)
  const forced = trace.members.flatMap((m) => (m.forced === null ? [] : [m.forced]))
  return before + sum(plan.credits) - sum(trace.payouts) - sum(forced)
}
