/**
 * Opens an account from what L1 carries: by its owner with the view key, by an auditor with a batch
 * key.
 */
import {
  batchKey,
  decryptAccount,
  leafHash,
  ownerKeyHash,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import { timesEight } from '../../circuits/eddsa.ts'
import { FEE_ACCOUNT_INDEX } from '../../circuits/params.ts'
import type { Rebuilt, Touch } from './ledger.ts'

/**
 * The account is on L1, and these keys do not open it; the message says which of them did not fit.
 */
export class OpenError extends Error {
  /** The batch whose words do not open, where it is one batch. */
  readonly batch: bigint | null
  constructor(message: string, batch: bigint | null = null) {
    super(message)
    this.batch = batch
  }
}

export type Opened = { readonly account: Account; readonly touch: Touch }

/**
 * Owner keys that L1 itself was asked to install; keys installed by a page only their owner knows.
 */
export function ownerKeyHashesOnL1(rebuilt: Rebuilt, index: number): readonly bigint[] {
  return rebuilt.keyRequests
    .filter((r) => r.account === index && r.kind !== 'forcedExit' && r.servedBy !== null)
    .map(({ x, y }) => ownerKeyHash(timesEight({ x, y })))
    .reverse()
}

/**
 * The account as of the latest batch. `candidates` are hashes of owner keys to try besides those
 * that L1 shows; after a rotation by page the new key's must be among them.
 */
export function openAccount(
  rebuilt: Rebuilt,
  index: number,
  viewKey: bigint,
  candidates: readonly bigint[] = [],
): Account {
  const touch = rebuilt.last(index)
  if (touch === undefined) return openUntouched(rebuilt, index, viewKey)
  const found = openTouch(rebuilt, touch, viewKey, candidates)
  if (found.account === null) throw new OpenError(`account ${index}: ${found.why}`)
  return found.account
}

/**
 * The account after each batch that touched it and that one of the view keys opens, oldest first.
 */
export function history(
  rebuilt: Rebuilt,
  index: number,
  viewKeys: readonly bigint[],
  candidates: readonly bigint[] = [],
): readonly Opened[] {
  const touches = rebuilt.touches.get(index) ?? []
  return touches.map((touch) => {
    const tries = viewKeys.map((viewKey) => openTouch(rebuilt, touch, viewKey, candidates))
    const opened = tries.find((found) => found.account !== null)
    if (opened !== undefined) return { account: opened.account, touch }
    // A leaf that does not match says more than a ciphertext that does not open.
    const failed = tries.filter((found) => found.account === null)
    const why = (failed.find((found) => found.isDecrypted) ?? failed[0])?.why
    throw new OpenError(`account ${index}: ${why ?? 'no view key given'}`)
  })
}

/** What a batch key discloses: one account after one batch. Key hashes come with the disclosure. */
export function openWithBatchKey(
  touch: Touch,
  key: bigint,
  keyHashes: Pick<Account, 'ownerKeyHash' | 'viewKeyHash'>,
): Account {
  const account = decrypted(touch, key, keyHashes)
  const where = `account ${touch.index} in batch ${touch.batchNumber}`
  if (account === null)
    throw new OpenError(`${where}: the batch key does not open the ciphertext`, touch.batchNumber)
  if (leafHash(account) !== touch.leaf) {
    throw new OpenError(
      `${where}: the ciphertext opens, but the leaf on L1 is another: other key hashes, or altered words`,
      touch.batchNumber,
    )
  }
  return account
}

function decrypted(
  touch: Touch,
  key: bigint,
  keyHashes: Pick<Account, 'ownerKeyHash' | 'viewKeyHash'>,
): Account | null {
  try {
    return decryptAccount(touch.cipher, key, keyHashes)
  } catch {
    // Words under another key pack to no balances but with a chance of 2^-28 and less.
    return null
  }
}

type Try =
  | { readonly account: Account }
  | { readonly account: null; readonly isDecrypted: boolean; readonly why: string }

function openTouch(
  rebuilt: Rebuilt,
  touch: Touch,
  viewKey: bigint,
  candidates: readonly bigint[],
): Try {
  const { index, batchNumber, batchNonce } = touch
  const key = batchKey(viewKey, index, batchNumber, batchNonce)
  const viewHash = viewKeyHash(viewKey)
  const opened = decrypted(touch, key, { ownerKeyHash: 0n, viewKeyHash: viewHash })
  if (opened === null) {
    const registered = rebuilt.registrations.get(index)?.viewKeyHash
    const why =
      registered === undefined || registered === viewHash
        ? ''
        : '; it is not the one of the registration either'
    return {
      account: null,
      isDecrypted: false,
      why: `the view key does not open the ciphertext of batch ${batchNumber}${why}`,
    }
  }
  const owners =
    index === FEE_ACCOUNT_INDEX ? [0n] : [...candidates, ...ownerKeyHashesOnL1(rebuilt, index)]
  for (const owner of owners) {
    const account = { ...opened, ownerKeyHash: owner }
    if (leafHash(account) === touch.leaf) return { account }
  }
  return {
    account: null,
    isDecrypted: true,
    why:
      `the view key opens the ciphertext of batch ${batchNumber}, but the leaf on L1 belongs to ` +
      `none of the ${owners.length} owner keys tried (was the owner key rotated?)`,
  }
}

/**
 * No batch has written the account yet: the fee account at genesis, or a registration that waits.
 */
function openUntouched(rebuilt: Rebuilt, index: number, viewKey: bigint): Account {
  const { genesis } = rebuilt
  if (index === FEE_ACCOUNT_INDEX && genesis !== null) {
    const account: Account = {
      ownerKeyHash: 0n,
      viewKeyHash: viewKeyHash(viewKey),
      head: 0n,
      meta: genesis.feeAccountMeta,
      cash: 0n,
      balances: [],
      salt: saltOf(batchKey(viewKey, FEE_ACCOUNT_INDEX, 0n, 0n)),
    }
    if (account.viewKeyHash !== genesis.feeAccountViewKeyHash) {
      throw new OpenError('account 0: the view key is not the one whose hash the genesis names')
    }
    if (leafHash(account) !== genesis.feeAccountLeaf) {
      throw new OpenError(
        'account 0: the view key fits, but the genesis leaf is not an empty fee account under it',
      )
    }
    return account
  }
  const isQueued = rebuilt.registrations.has(index)
  throw new OpenError(
    isQueued
      ? `account ${index} is registered on L1, but no batch has served the request yet`
      : `account ${index} does not exist: accounts end before ${rebuilt.accountCount}`,
  )
}
