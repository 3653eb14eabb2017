/** Whether L1 knows the account that a member's directory speaks of. */
import type { KeyRing } from '../key-ring.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import { Undone } from './failures.ts'

type Known = {
  readonly name: string
  /** As the directory has it; null before the first registration was written down. */
  readonly account: number | null
  readonly ring: Pick<KeyRing, 'at' | 'eighthAt'>
  readonly l1Address: string
}

/**
 * The account that L1 has registered with the first keys of the seed, or null. Throws Undone where the
 * directory has one that L1 has not: a local chain that is begun anew has its contracts at the same
 * addresses, and the account was of the chain before.
 */
export function registeredAccount(
  rebuilt: Rebuilt,
  { name, account, ring, l1Address }: Known,
): number | null {
  const { x, y } = ring.eighthAt(0)
  const { viewKeyHash } = ring.at(0)
  const own = [...rebuilt.registrations.values()].filter(
    (r) => r.x === x && r.y === y && r.viewKeyHash === viewKeyHash,
  )
  if (account === null)
    return own.find((r) => rebuilt.l1Owners.get(r.account) === l1Address)?.account ?? null
  if (own.some((r) => r.account === account)) return account
  throw new Undone(
    `${name} has account ${account} of a house that was at this address before, and none of this one ` +
      '(was a local chain begun anew?): use another name or another --dir',
  )
}
