/** Which keys of a member's seed its leaf on L1 has: what every command signs and opens with. */
import { existsSync } from 'node:fs'
import { genesisHead } from '../../circuits/account.ts'
import { Journal } from '../journal.ts'
import { domainOf } from '../l1/batch-words.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import { ownLeaf, type OwnLeaf } from '../l1/own-leaf.ts'
import type { KeyRing, KeysInForce } from '../key-ring.ts'
import { Undone } from './failures.ts'
import type { MemberStore, Rotating } from './store.ts'

export function accountOf({ name, stored }: MemberStore): number {
  if (stored.account === null)
    throw new Undone(`${name} has no account yet: cloister account new ${name}`)
  return stored.account
}

/** Opens the member's leaf and tells its journal what has settled. Throws OpenError. */
export function leafOf(store: MemberStore, ring: KeyRing, rebuilt: Rebuilt): OwnLeaf {
  const leaf = ownLeaf(rebuilt, accountOf(store), ring, store.keys)
  journalOf(store, ring)?.settle(leaf.account.head, leaf.batch)
  return leaf
}

/** Null where nothing was ever signed. */
export function journalOf({ stored, journalPath }: MemberStore, ring: KeyRing): Journal | null {
  const { account, chainId, contract } = stored
  if (account === null || !existsSync(journalPath)) return null
  const domain = domainOf(BigInt(chainId), contract)
  const head = genesisHead(domain, account, ring.at(0).ownerKeyHash)
  return Journal.open(journalPath, { domain, account, head })
}

/** A rotation by page changes both keys, one from L1 the owner key alone. */
export function isInstalled({ to, by }: Rotating, { owner, view }: KeysInForce): boolean {
  return owner === to && (by === 'l1' || view === to)
}

export function keysInWords({ owner, view }: KeysInForce): string {
  return owner === view
    ? `keys of rotation ${owner}`
    : `owner key of rotation ${owner}, view key of rotation ${view}`
}
