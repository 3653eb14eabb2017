/** The latest leaf of an account under the keys of a seed, and which of them it has. */
import type { Account } from '../../circuits/account.ts'
import type { KeyRing, KeysInForce } from '../key-ring.ts'
import type { KeyRequest, Rebuilt } from './ledger.ts'
import { openAccount, OpenError, ownerKeyHashesOnL1 } from './open.ts'
import { openTouch, type KeyOrigin } from './own-account.ts'

export type ReadLeaf = {
  readonly account: Account
  readonly owner: KeyOrigin
  readonly view: number
  readonly batch: bigint
}
export type OwnLeaf = Pick<ReadLeaf, 'account' | 'batch'> & { readonly keys: KeysInForce }

/**
 * `near` are the keys to try first. Throws OpenError where the account has no leaf yet, and where no
 * view key of the seed opens it.
 */
export function readLeaf(
  rebuilt: Rebuilt,
  index: number,
  ring: KeyRing,
  near: KeysInForce,
): ReadLeaf {
  const touch = rebuilt.last(index)
  if (touch === undefined) {
    // Says why there is nothing to open.
    openAccount(rebuilt, index, ring.at(near.view).viewKey)
    throw new OpenError(`account ${index} has no leaf`)
  }
  const found = openTouch(touch, ring, near, ownerKeyHashesOnL1(rebuilt, index))
  const { account, viewRotation: view, ownerRotation: owner } = found
  return { account, owner, view, batch: touch.batchNumber }
}

/** As readLeaf; throws where the owner key, too, is none of this seed. */
export function ownLeaf(
  rebuilt: Rebuilt,
  index: number,
  ring: KeyRing,
  near: KeysInForce,
): OwnLeaf {
  const { account, owner, view, batch } = readLeaf(rebuilt, index, ring, near)
  if (owner !== 'L1') return { account, batch, keys: { owner, view } }
  throw new OpenError(
    `account ${index} has an owner key that is none of this seed: L1 was given it from elsewhere. ` +
      "The L1 owner's key takes the account back: cloister account rotate NAME --l1",
    batch,
  )
}

/** The rotations of an account that L1 was asked for, oldest first; `to` is null for a foreign key. */
export function rotationsOnL1(
  rebuilt: Rebuilt,
  index: number,
  ring: KeyRing,
  near: KeysInForce,
): readonly { readonly to: number | null; readonly servedBy: bigint | null }[] {
  const rotationOf = ({ x, y }: KeyRequest): number | null =>
    [...ring.order(near.owner)].find((n) => {
      const eighth = ring.eighthAt(n)
      return x === eighth.x && y === eighth.y
    }) ?? null
  return rebuilt.keyRequests
    .filter((request) => request.account === index && request.kind === 'rotate')
    .map((request) => ({ to: rotationOf(request), servedBy: request.servedBy }))
}
