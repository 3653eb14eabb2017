/** Nobody keeps a call waiting: neither by deposits, nor by requests on L1, nor by rescues of others. */
import { expect, test } from 'vitest'
import { chooseBatch, type Waiting } from '../../sequencer/builder.ts'
import type { Ledger } from '../../sequencer/ledger.ts'
import { account, BELOW, BROKEN, context, credit, ledgerOf, rotation, TIGHT } from './one-lot.ts'

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
