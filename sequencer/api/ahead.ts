/**
 * Signatures looked at before a page is recorded, beside the one thread of the house. Only a cache is
 * filled: the core asks the same question in its turn, on whatever head the page then stands.
 */
import type { Point } from '../../circuits/eddsa.ts'
import { checkPage, headAfter } from '../../circuits/page.ts'
import { keepVerified, type SignedPage } from '../admission.ts'
import type { House } from '../house.ts'
import type { Helpers } from '../helpers/helpers.ts'

/** Pages between which others are served: a head takes 0.3 ms to compute. */
const AT_ONCE = 8

export type Verified = { readonly head: bigint; readonly owner: Point }

/**
 * Pages of one account in journal order; those of later calls do not overtake them. Returns of each
 * page that was looked at under what its signature was found right, or null.
 */
export async function verifyAhead(
  house: House,
  helpers: Helpers,
  account: number,
  pages: readonly SignedPage[],
): Promise<readonly (Verified | null)[]> {
  if (helpers.isIdle) return []
  const owner = house.ledger.ownerKeys.get(account)
  if (owner === undefined) return []
  const { time, fee } = house.conditions()
  const asked: Promise<Verified | null>[] = []
  for (const [i, { page, signature, previousHead }] of pages.entries()) {
    const previous = previousHead ?? house.ledger.headOf(account)
    // What is refused for its form is refused without a look at its signature.
    if (previous === undefined || checkPage(page, time, fee) !== null) break
    if (i > 0 && i % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
    const head = headAfter(previous, page)
    asked.push(
      helpers.verify(account, owner, head, signature).then((isRight) => {
        if (isRight !== null) keepVerified(signature, { owner, head, isRight })
        return isRight === true ? { head, owner } : null
      }),
    )
  }
  return Promise.all(asked)
}
