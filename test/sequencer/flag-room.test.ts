/** Nobody keeps a call waiting: neither by deposits, nor by requests on L1, nor by rescues of others. */
import { expect, test } from 'vitest'
import { chooseBatch, type Waiting } from '../../sequencer/builder.ts'
import { convertedCount, unconvertedWindows } from '../../sequencer/converting.ts'
import type { Ledger } from '../../sequencer/ledger.ts'
import { settledRow, settlementsOf } from '../../circuits/table.ts'
import { account, BELOW, BROKEN, context, credit, ledgerOf, rotation, TIGHT } from './one-lot.ts'

/** One account is broken; six others are what the hostile member has, at `cash` each. */
const crowd = (cash: bigint): Ledger =>
  ledgerOf(account(BROKEN), ...Array.from({ length: 6 }, () => account(cash)))
const OTHERS = [17, 18, 19, 20, 21, 22]
const calledIn = (ledger: Ledger, waiting: Waiting): readonly number[] => [
  ...(chooseBatch(ledger, waiting, TIGHT, context, () => 0).chosen?.plan.flags?.keys() ?? []),
]

test('deposits to as many accounts as a batch has do not keep the call away', () => {
  const credits = OTHERS.map((index) => credit(index))
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

test('of deposits that need too many rescues the latest wait, whatever their indices', () => {
  const below = ledgerOf(...Array.from({ length: 4 }, () => account(BELOW)))
  const credits = [19, 16, 17].map((index, i) => ({ ...credit(index), id: BigInt(i + 1) }))
  const { chosen } = chooseBatch(below, { requests: [], credits }, TIGHT, context, () => 0)
  expect(chosen?.plan.credits.map((c) => c.account)).toEqual([19, 16])
})

/** What settled in these windows of the register, and is held by account 16. */
const heldIn = (windows: readonly number[], entries: number) => {
  const held = windows.map((window) => ({ id: 2000 + 64 * window, quantity: 1n }))
  const settled = Array.from({ length: entries }, (_, i) => settledRow(2000 + i, 1n))
  const ledger = ledgerOf({ ...account(9n), balances: held }, account(9n))
  const settlements = settlementsOf(settled)
  const requests = [16, 17].map(rotation)
  const waiting = { requests, credits: [] }
  const { chosen } = chooseBatch(ledger, waiting, TIGHT, { ...context, settlements }, () => 0)
  return { ledger, settlements, served: chosen?.plan.requests.length ?? 0, chosen }
}

test.each([[[0, 1]], [[1, 2]], [[0]], [[2]]])(
  'who holds what settled in windows %j is served, and has cash for it',
  (windows) => {
    const { served, chosen } = heldIn(windows, 192)
    expect(served).toBeGreaterThan(0)
    const after = chosen?.trace.members.find(({ index }) => index === 16)?.after
    expect([after?.balances, after?.cash]).toEqual([[], 9n + BigInt(windows.length)])
  },
)

test('in three windows it would stop the queue: L1 does not let it come to that', () => {
  const { served, ledger, settlements } = heldIn([0, 1, 2], 129)
  expect(served).toBe(0)
  expect(unconvertedWindows(ledger.accounts, settlements)).toBe(3)
  // L1 opens the third window only when this is 64 (test/contracts/settlement-room.test.ts).
  expect(convertedCount(ledger.accounts.values(), settlements)).toBe(0)
})
