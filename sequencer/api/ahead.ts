/**
 * Signatures looked at before a page is recorded, beside the one thread of the house. Only a cache is
 * filled: the core asks the same question in its turn, on whatever head the page then stands.
 */
import type { Point, Signature } from '../../circuits/eddsa.ts'
import { checkPage, headAfter } from '../../circuits/page.ts'
import { isSigned, keepVerified, type SignedPage } from '../admission.ts'
import type { House } from '../house.ts'
import type { Helpers } from '../helpers/helpers.ts'

/**
 * Pages of one request that are looked at together: a head takes 0.3 ms to compute, and a helper takes
 * the questions of all in the order in which they come.
 */
export const AT_ONCE = 8

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
  const isList = pages.length > 1
  if (helpers.isIdle && !isList) return []
  const owner = house.ledger.ownerKeys.get(account)
  if (owner === undefined) return []
  const { time, fee } = house.conditions()
  const look = async ({ page, signature, previousHead }: SignedPage): Promise<Verified | null> => {
    const previous = previousHead ?? house.ledger.headOf(account)
    // What is refused for its form is refused without a look at its signature.
    if (previous === undefined || checkPage(page, time, fee) !== null) return null
    const head = headAfter(previous, page)
    const said = await helpers.verify(account, owner, head, signature)
    if (said !== null) keepVerified(signature, { owner, head, isRight: said })
    // Hundreds in one go, when they are recorded, would hold up everybody.
    const isRight = said ?? (isList && (await isSignedInTurn(owner, head, signature)))
    return isRight ? { head, owner } : null
  }
  const found: (Verified | null)[] = []
  for (let first = 0; first < pages.length; first += AT_ONCE) {
    found.push(...(await Promise.all(pages.slice(first, first + AT_ONCE).map(look))))
    // The list is refused for it, whatever the rest is.
    if (found.includes(null)) break
  }
  return found
}

async function isSignedInTurn(owner: Point, head: bigint, signature: Signature): Promise<boolean> {
  await othersTurn()
  return isSigned(owner, head, signature)
}

export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
