/**
 * A journal that is ahead of the house, or aside from it: pages that never arrived or cannot settle are
 * left out, and what stood behind them is signed anew.
 */
import type { SigningKey } from '../circuits/eddsa.ts'
import { headAfter } from '../circuits/page.ts'
import { HouseError, isRefused, type HouseApi, type PageAnswer } from './api.ts'
import type { Journal, SignedPage } from './journal.ts'

/** What has become of pages that were signed and not settled, by their names in the journal. */
export type Realigned = {
  readonly isChanged: boolean
  readonly signedAnew: readonly string[]
  /** In the journal no more: they never arrived, or cannot settle. */
  readonly lost: readonly string[]
}

/** The house may cut a journal again while it is being signed anew. */
export const RESIGN_ATTEMPTS = 5

/**
 * Brings the journal to the head that the house has: pages that never arrived or cannot settle
 * are left out, pages behind them are signed anew with their stamps. Only heads and pages of this
 * journal are believed. True if something has changed.
 * @param take What is done with the answer to the pages signed anew, of which the last is given.
 */
export async function realign(
  journal: Journal,
  api: Pick<HouseApi, 'account' | 'resign'>,
  key: SigningKey,
  take: (answer: PageAnswer, last: SignedPage) => Promise<void>,
): Promise<boolean> {
  for (let attempt = 0; attempt < RESIGN_ATTEMPTS; attempt++) {
    const view = await api.account()
    if (view.head === null) throw new HouseError('no batch has registered this account yet')
    const wanted = new Set(view.resign)
    const head = BigInt(view.head)
    journal.refresh()
    const { state } = journal
    const isHere = head === state.settledHead || state.pending.some((p) => p.head === head)
    if (!isHere) journal.follow(head)
    const before = journal.state.pending.findIndex((p) => p.head === head) + 1
    const later = journal.state.pending.slice(before)
    const without = later.filter((p) => !wanted.has(headAfter(0n, p.page).toString()))
    if (without.length === 0 && later.length === 0) return !isHere || attempt > 0
    const pages = journal.rebase(
      without.map((p) => p.clientId),
      key,
    )
    const again = pages.slice(before)
    if (again.length === 0) return true
    const answer = await api.resign(again)
    if (isRefused(answer)) continue
    await take(answer, again.at(-1) as SignedPage)
    return true
  }
  throw new HouseError('the house asks again and again for pages to be signed anew')
}

/** What became of pages that were pending before the journal was realigned. */
export function fateOf(
  before: readonly SignedPage[],
  now: readonly SignedPage[],
): Omit<Realigned, 'isChanged'> {
  const after = new Map(now.map((p) => [p.clientId, p.head]))
  const signedAnew = before.filter(
    ({ clientId, head }) => after.has(clientId) && after.get(clientId) !== head,
  )
  const lost = before.filter(({ clientId }) => !after.has(clientId))
  const namesOf = (pages: readonly SignedPage[]) => pages.map(({ clientId }) => clientId)
  return { signedAnew: namesOf(signedAnew), lost: namesOf(lost) }
}
