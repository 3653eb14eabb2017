/** What the builder leaves out so that the rest of a batch can settle. */
import { expect, test } from 'vitest'
import {
  activeMeta,
  batchKey,
  depositCommitment,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import type { BatchContext, Credit } from '../../circuits/batch.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { SLOT_COUNT } from '../../circuits/params.ts'
import { settledRow, settlementsOf, tableOf } from '../../circuits/table.ts'
import { chooseBatch } from '../../sequencer/builder.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { row } from '../law/house.ts'
import { SHAPE } from './floor.ts'

const VIEW_KEY = 777n
const WIDE = { ...SHAPE, rows: 32, deposits: 4 }
const HELD = Array.from({ length: SLOT_COUNT - 1 }, (_, i) => 1024 + i)

const account = (ids: readonly number[], cash = 10n ** 12n): Account => ({
  ownerKeyHash: 1n,
  viewKeyHash: viewKeyHash(VIEW_KEY),
  head: 5n,
  meta: activeMeta(0n),
  cash,
  balances: ids.map((id) => ({ id, quantity: 1n })),
  salt: saltOf(batchKey(VIEW_KEY, 0, 0n, 0n)),
})
const credit = (id: bigint, index: number, token: number): Credit => ({
  id,
  commitment: depositCommitment(index, id),
  token,
  amount: 5n,
  account: index,
  secret: id,
})
const context = (settled: readonly number[] = []): BatchContext => ({
  domain: 1n,
  batchNumber: 1n,
  time: 1_584_000_000n,
  fee: 100n,
  batchNonce: 1n,
  table: tableOf([row(2, 1_000_000n), ...HELD.map((id) => row(id, 1_000_000n))]),
  settlements: settlementsOf(settled.map((id) => settledRow(id, 1_000_000n))),
})
function ledgerOf(...accounts: readonly Account[]): Ledger {
  const ledger = new Ledger({ ...account([], 0n), ownerKeyHash: 0n, head: 0n }, VIEW_KEY)
  accounts.forEach((each, i) => {
    ledger.accounts.set(16 + i, each)
    ledger.viewKeys.set(16 + i, VIEW_KEY)
  })
  return ledger
}

test('a deposit that an account has no slot for waits, and others are credited', () => {
  const ledger = ledgerOf(account(HELD), account([]))
  const credits = [credit(1n, 16, 2), credit(2n, 17, 2)]
  const { chosen, setAside } = chooseBatch(
    ledger,
    { requests: [], credits },
    WIDE,
    context(),
    () => 0,
  )
  expect(chosen?.plan.credits.map(({ id }) => id)).toEqual([2n])
  expect(setAside).toMatchObject([{ rule: 'BalancesMustBeWellFormed', account: 16 }])
  // With one slot left it is credited.
  const roomy = ledgerOf(account(HELD.slice(1)), account([]))
  const all = chooseBatch(roomy, { requests: [], credits }, WIDE, context(), () => 0)
  expect(all.chosen?.plan.credits.map(({ id }) => id)).toEqual([1n, 2n])
  expect(all.setAside).toEqual([])
})

test('a holder that cannot be converted does not hold up the others', () => {
  const [first = 0, second = 0] = HELD
  // Its cash would leave its range.
  const full = account([first], (1n << 55n) - 1n)
  const ledger = ledgerOf(full, account([first]), account([second]))
  const waiting = { requests: [], credits: [] }
  const { chosen, setAside } = chooseBatch(ledger, waiting, WIDE, context([first]), () => 0)
  expect(setAside).toMatchObject([{ rule: 'BalancesMustBeWellFormed', account: 16 }])
  expect(chosen?.trace.members.map(({ index }) => index)).toEqual([17, 18])
  expect(chosen?.trace.members[0]?.after.balances).toEqual([])
  // Only the first holds a settled instrument: the other is cover.
  expect(chosen?.trace.members[1]?.after.balances).toEqual([{ id: second, quantity: 1n }])
})

test('a registration whose view key is not held stops the queue, and is said', () => {
  const key = eighthOf(signingKey(new Uint8Array(32).fill(4)))
  const requests = [
    { kind: 'register' as const, serial: 0n, account: 16, key, viewKeyHash: viewKeyHash(9n) },
  ]
  const choose = () => chooseBatch(ledgerOf(), { requests, credits: [] }, WIDE, context(), () => 0)
  expect(choose).toThrow('no batch can be built: ViewKeyMustBeHeld')
})
