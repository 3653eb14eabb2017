/** A member's own journal against L1: which of its pages a batch settled, and whether they explain it. */
import { CASH_ID } from '../../circuits/params.ts'
import { headAfter, livenessAt } from '../../circuits/page.ts'
import { readLines, type SignedPage } from '../journal-file.ts'

/** Pages by the head that they lead to; each one's head was computed again. */
export type KnownPages = ReadonlyMap<bigint, SignedPage>
export const NO_PAGES: KnownPages = new Map()

/** Every page that the file holds, re-signed ones on each of their heads. Throws on a damaged file. */
export function pagesOfJournal(path: string): KnownPages {
  const pages = new Map<bigint, SignedPage>()
  for (const line of readLines(path).lines) {
    const signed = line.type === 'page' ? [line] : line.type === 'rebase' ? line.pages : []
    for (const one of signed) {
      if (headAfter(one.previousHead, one.page) === one.head) pages.set(one.head, one)
    }
  }
  return pages
}

export type SettledPages = {
  /** In the order of the journal; those that the batch skipped, being expired, are not among them. */
  readonly live: readonly SignedPage[]
  readonly skipped: readonly SignedPage[]
}

/** The pages between two heads; null if the journal does not lead from one to the other. */
export function pagesBetween(
  known: KnownPages,
  from: bigint,
  to: bigint,
  time: bigint,
): SettledPages | null {
  const found: SignedPage[] = []
  for (let head = to; head !== from;) {
    const page = known.get(head)
    if (page === undefined) return null
    found.unshift(page)
    head = page.previousHead
  }
  const isLive = ({ page }: SignedPage): boolean => livenessAt(page.stamp, time) !== 'expired'
  return { live: found.filter(isLive), skipped: found.filter((page) => !isLive(page)) }
}

/** What live pages move on their side, fees not counted. */
export function movedBy(live: readonly SignedPage[]): readonly { id: number; lots: bigint }[] {
  return live.flatMap(({ page }) =>
    page.entries.flatMap(({ instrument, quantity, price }) => [
      { id: instrument, lots: quantity },
      { id: CASH_ID, lots: -quantity * price },
    ]),
  )
}

/** Pages signed on top of a head, in order: what waits to be settled. */
export function pendingOn(known: KnownPages, head: bigint): readonly SignedPage[] {
  const pending: SignedPage[] = []
  for (let at: bigint | undefined = head; at !== undefined;) {
    // Of two pages signed on one head the later one was signed because the first cannot settle.
    const next = [...known.values()].findLast(({ previousHead }) => previousHead === at)
    if (next !== undefined) pending.push(next)
    at = next?.head
  }
  return pending
}
