/** A batch from its choice to what is said of it once L1 has accepted it. */
import type { BatchTrace } from '../circuits/batch.ts'
import type { OpenBatch, SettledBatch } from './answers.ts'
import type { Book } from './book.ts'
import type { Chosen } from './builder.ts'
import type { InputOf } from './journal/record.ts'

/** `book` is the ledger: pages stay there until L1 has accepted the batch. */
export function openBatchOf(
  chosen: Chosen,
  book: Book,
  parts: Omit<OpenBatch, 'plan' | 'trace' | 'trades' | 'skipped' | 'isProven' | 'proveSeconds'>,
): OpenBatch {
  return {
    ...chosen,
    ...parts,
    trades: tradesOf(book, chosen.trace, true),
    skipped: tradesOf(book, chosen.trace, false),
    isProven: false,
    proveSeconds: 0,
  }
}

/** Names of what the pages of a batch belong to: of the live ones, or of the skipped. */
function tradesOf(book: Book, trace: BatchTrace, isLive: boolean): ReadonlySet<string> {
  const pages = trace.pages.filter((use) => use.isLive === isLive).map(({ page }) => page)
  return new Set(
    pages.flatMap((page) =>
      book.pendingOf(page.account).flatMap((p) => (p.page === page ? [p.trade] : [])),
    ),
  )
}

export function settledOf(
  { trace, shape, proveSeconds }: OpenBatch,
  { number, root, gas }: InputOf<'accepted'>,
): SettledBatch {
  const live = trace.pages.filter((u) => u.isLive && u.page.kind === 'trade')
  const filled = live.flatMap((u) => u.page.entries.filter((e) => e.quantity !== 0n))
  return {
    number,
    shape: shape.name,
    trades: live.length / 2,
    legs: filled.length / 2,
    pages: trace.pages.filter((u) => u.isLive).length,
    pageSlots: shape.pages,
    accounts: trace.members.length,
    proveSeconds,
    gas,
    root,
  }
}

/** At a batch a minute three months of them, and 30 MB; older ones are read from L1. */
export const SETTLED_KEPT = 131_072

/** Of a list that would grow by one a batch for ever: the oldest quarter goes when there are too many. */
export function keepLatest(list: unknown[], most: number): void {
  if (list.length > most) list.splice(0, Math.ceil(most / 4))
}

/** Without what follows from the rest, or is said elsewhere: for comparing one replay with another. */
export function plainOf(batch: OpenBatch | null) {
  return batch === null ? null : { ...batch, plan: null, trace: null, tree: null }
}
