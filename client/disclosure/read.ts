/** What an auditor reads with a grant, every word of it held against L1. */
import type { EventLog } from '../l1/event-log.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import { openWithBatchKey, OpenError } from '../l1/open.ts'
import { visitsOf, type Opened } from '../l1/own-account.ts'
import { GrantError, type Grant, type GrantKey } from './grant.ts'

/** Before L1 is read: the node and the contract must be those that the grant is for. */
export function checkPlace(grant: Grant, chainId: bigint, contract: string): void {
  if (grant.chainId !== chainId)
    throw new GrantError(
      `the grant is for chain ${grant.chainId}, this node is of chain ${chainId}`,
    )
  if (BigInt(grant.contract) !== BigInt(contract))
    throw new GrantError(`the grant is for the house ${grant.contract}, not for ${contract}`)
}

export type ReadGrant = {
  /** The position when the period began; null if no batch had touched the account before. */
  readonly before: Opened | null
  readonly inside: readonly Opened[]
}

/**
 * Decrypts what the grant opens. Throws GrantError if a key opens nothing, or if L1 has a batch of
 * the period, or a later one before it, that the grant leaves out: then the reader does not see
 * all that the file says.
 */
export function readGrant(rebuilt: Rebuilt, log: EventLog, grant: Grant): ReadGrant {
  const { account, period, keys } = grant
  if (BigInt(account) >= rebuilt.accountCount)
    throw new GrantError(
      `account ${account} does not exist: accounts end before ${rebuilt.accountCount}`,
    )
  if (period.to > rebuilt.batchNumber)
    throw new GrantError(
      `the period ends with batch ${period.to}, L1 has ${rebuilt.batchNumber}: is the node behind?`,
    )
  const visits = visitsOf(rebuilt, log, account)
  const byBatch = new Map(visits.map((visit) => [visit.touch.batchNumber, visit]))
  const opened = keys.map((key): Opened => {
    const visit = byBatch.get(key.batch)
    if (visit === undefined)
      throw new GrantError(`batch ${key.batch} did not touch account ${account}`)
    return { ...visit, account: openKey(visit.touch, key) }
  })
  const due = visits.filter(({ touch }) => touch.batchNumber <= period.to)
  const expected = [
    ...due.filter(({ touch }) => touch.batchNumber < period.from).slice(-1),
    ...due.filter(({ touch }) => touch.batchNumber >= period.from),
  ].map(({ touch }) => touch.batchNumber)
  const missing = expected.filter((batch) => !keys.some((key) => key.batch === batch))
  if (missing.length > 0)
    throw new GrantError(
      `the grant leaves out batch ${missing.join(', ')}, which touched account ${account}: the ` +
        'period is not disclosed completely',
    )
  return {
    before: opened.find((_, i) => keys[i]?.isBefore === true) ?? null,
    inside: opened.filter((_, i) => keys[i]?.isBefore === false),
  }
}

function openKey(touch: Opened['touch'], key: GrantKey): Opened['account'] {
  if (touch.batchNonce !== key.batchNonce)
    throw new GrantError(`batch ${key.batch} has another nonce on L1 than in the grant`, key.batch)
  try {
    return openWithBatchKey(touch, key.batchKey, key)
  } catch (error) {
    if (error instanceof OpenError) throw new GrantError(error.message, error.batch)
    throw error
  }
}
