/** Nobody keeps a call waiting: neither by deposits, nor by requests on L1, nor by rescues of others. */
import { expect, test } from 'vitest'
import {
  activeMeta,
  batchKey,
  depositCommitment,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import type { BatchContext, Credit, KeyRequest } from '../../circuits/batch.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import { settlementsOf, tableOf } from '../../circuits/table.ts'
import { chooseBatch, type Waiting } from '../../sequencer/builder.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { row } from '../law/house.ts'
import { SHAPE } from './floor.ts'

const VIEW_KEY = 777n
const NOW = 1_584_000_000n
const FUTURE = 1024
const TIGHT = { ...SHAPE, rescues: 2, releases: 2 }
/** Maintenance of a lot breaks below -471,998 of cash, initial margin below -339,998. */
const BROKEN = -471_999n
const BELOW = -400_000n

const account = (cash: bigint): Account => ({
  ownerKeyHash: 1n,
  viewKeyHash: viewKeyHash(VIEW_KEY),
  head: 5n,
  meta: BigInt(STATUS.active) + 8n * (NOW - 100n),
  cash,
  balances: [{ id: FUTURE, quantity: 1n }],
  salt: 3n,
})
const context: BatchContext = {
  domain: 1n,
  batchNumber: 1n,
  time: NOW,
  fee: 100n,
  batchNonce: 1n,
  table: tableOf([row(FUTURE, 1_000_000n)]),
  settlements: settlementsOf([]),
}
function ledgerOf(...accounts: readonly Account[]): Ledger {
  const salt = saltOf(batchKey(VIEW_KEY, 0, 0n, 0n))
  const fee = {
    ...account(0n),
    ownerKeyHash: 0n,
    head: 0n,
    meta: activeMeta(0n),
    balances: [],
    salt,
  }
  const ledger = new Ledger(fee, VIEW_KEY)
  accounts.forEach((each, i) => {
    ledger.accounts.set(16 + i, each)
    ledger.viewKeys.set(16 + i, VIEW_KEY)
  })
  return ledger
}
const credit = (index: number): Credit => ({
  id: BigInt(index),
  commitment: depositCommitment(index, 1n),
  token: CASH_ID,
  amount: 1n,
  account: index,
  secret: 1n,
})
const rotation = (index: number): KeyRequest => ({
  kind: 'rotate',
  serial: BigInt(index),
  account: index,
  key: eighthOf(signingKey(new Uint8Array(32).fill(index))),
  viewKeyHash: 0n,
})
/** One account is broken; six others are what the hostile member has, at `cash` each. */
const crowd = (cash: bigint): Ledger =>
  ledgerOf(account(BROKEN), ...Array.from({ length: 6 }, () => account(cash)))
const OTHERS = [17, 18, 19, 20, 21, 22]
const calledIn = (ledger: Ledger, waiting: Waiting): readonly number[] => [
  ...(chooseBatch(ledger, waiting, TIGHT, context, () => 0).chosen?.plan.flags?.keys() ?? []),
]

test('deposits to as many accounts as a batch has do not keep the call away', () => {
  const credits = OTHERS.map(credit)
  expect(calledIn(crowd(0n), { requests: [], credits })).toEqual([16])
})

test('requests on L1 for as many accounts as a batch has do not keep the call away', () => {
  const requests = OTHERS.map(rotation)
  expect(calledIn(crowd(0n), { requests, credits: [] })).toEqual([16])
})

test('rotations of accounts below zero, which need a rescue each, leave a slot for the call', () => {
  const requests = OTHERS.map(rotation)
  const ledger = crowd(BELOW)
  const { chosen } = chooseBatch(ledger, { requests, credits: [] }, TIGHT, context, () => 0)
  expect([...(chosen?.plan.flags?.keys() ?? [])]).toEqual([16])
  expect(chosen?.plan.requests.length).toBe(1)
})

test('of requests that need too many rescues the last in the queue wait, whatever their indices', () => {
  const requests = [22, 17, 18].map(rotation)
  const { chosen } = chooseBatch(
    ledgerOf(account(0n), ...Array.from({ length: 6 }, () => account(BELOW))),
    { requests, credits: [] },
    TIGHT,
    context,
    () => 0,
  )
  expect(chosen?.plan.requests.map((r) => r.account)).toEqual([22, 17])
})
