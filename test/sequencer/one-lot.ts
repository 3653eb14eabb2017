/** Accounts of one lot whose cash alone says how they stand, and batches about them. */
import {
  depositCommitment,
  viewKeyHash,
  type Account,
  feeAccountOf,
} from '../../circuits/account.ts'
import type { BatchContext, Credit, KeyRequest } from '../../circuits/batch.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import { settlementsOf, tableOf } from '../../circuits/table.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { row } from '../law/house.ts'
import { SHAPE } from './floor.ts'

const VIEW_KEY = 777n
export const NOW = 1_584_000_000n
export const FUTURE = 1024
/** Two calls and two releases a batch. */
export const TIGHT = { ...SHAPE, rescues: 2, releases: 2 }
/** Maintenance of a lot breaks below -471,998 of cash, initial margin below -339,998. */
export const BROKEN = -471_999n
export const BELOW = -400_000n

export const account = (
  cash: bigint,
  status: keyof typeof STATUS = 'active',
  since = NOW - 100n,
): Account => ({
  ownerKeyHash: 1n,
  viewKeyHash: viewKeyHash(VIEW_KEY),
  head: 5n,
  meta: BigInt(STATUS[status]) + 8n * since,
  cash,
  balances: [{ id: FUTURE, quantity: 1n }],
  salt: 3n,
})
/** A lot is worth 1,000,000 and, in the worst world, 660,000 less an add-on of 2. */
export const context: BatchContext = {
  domain: 1n,
  batchNumber: 1n,
  time: NOW,
  fee: 100n,
  batchNonce: 1n,
  table: tableOf([row(FUTURE, 1_000_000n)]),
  settlements: settlementsOf([]),
}
export function ledgerOf(...accounts: readonly Account[]): Ledger {
  const ledger = new Ledger(feeAccountOf(VIEW_KEY, 0n), VIEW_KEY)
  accounts.forEach((each, i) => {
    ledger.accounts.set(16 + i, each)
    ledger.viewKeys.set(16 + i, VIEW_KEY)
  })
  return ledger
}
export const credit = (index: number, amount = 1n): Credit => ({
  id: BigInt(index),
  commitment: depositCommitment(index, 1n),
  token: CASH_ID,
  amount,
  account: index,
  secret: 1n,
})
export const rotation = (index: number): KeyRequest => ({
  kind: 'rotate',
  serial: BigInt(index),
  account: index,
  key: eighthOf(signingKey(new Uint8Array(32).fill(index))),
  viewKeyHash: 0n,
})
