/** What is due is found by looking at what changed, and is what valuing everybody anew finds. */
import { expect, test } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import type { BatchContext } from '../../circuits/batch.ts'
import { brokenWorld, holdsDerivatives, isCallDue } from '../../circuits/flag.ts'
import { statusOf } from '../../circuits/exit.ts'
import { CALL_SECONDS, STATUS } from '../../circuits/params.ts'
import { lackOf, marginsOfWorth } from '../../circuits/sweep.ts'
import { rowLookup, settledRow, settlementsOf, tableOf, worthOf } from '../../circuits/table.ts'
import { dueFlags, type DueFlag } from '../../sequencer/flagging.ts'
import { createRandom } from '../contracts/random.ts'
import { row } from '../law/house.ts'
import { account, context as oneLot, NOW } from './one-lot.ts'

/** Every account valued anew, rule by rule: what the quick one is held against. */
function slowly(accounts: ReadonlyMap<number, Account>, context: BatchContext): readonly DueFlag[] {
  const rowOf = rowLookup(context.table, context.settlements)
  const { time, mode = 'normal', isTableConfirmed = true } = context
  const due: DueFlag[] = []
  for (const [index, each] of accounts) {
    const worth = worthOf(each, rowOf)
    if (index < 16 || typeof worth === 'number') continue
    const [status, isNormal] = [statusOf(each.meta), mode === 'normal']
    const lack = lackOf(marginsOfWorth(worth))
    const isFlagged = status === STATUS.called || status === STATUS.liquidating
    if (brokenWorld(worth) !== null) {
      if (!isTableConfirmed) continue
      if (status === STATUS.active || status === STATUS.exiting)
        due.push({ index, step: 'call', lack })
      else if (isNormal && isCallDue(each.meta, time)) due.push({ index, step: 'liquidate', lack })
    } else if (isNormal && worth.every((w) => w >= 0n)) {
      if (isFlagged || (status === STATUS.exiting && !holdsDerivatives(each)))
        due.push({ index, step: 'release', lack })
    }
  }
  return due.sort((a, b) => (a.lack === b.lack ? a.index - b.index : a.lack > b.lack ? -1 : 1))
}

const IDS = [1024, 1025, 1026]
const STATUSES = ['active', 'called', 'liquidating', 'exiting'] as const

test('is what valuing everybody finds, whatever changed since the last look', () => {
  const random = createRandom(4711)
  const some = (): Account => {
    const ids = IDS.filter(() => random(2) === 0)
    const since = NOW - BigInt(random(2 * CALL_SECONDS))
    const made = account(BigInt(random(3_000_000)) - 1_500_000n, STATUSES[random(4)], since)
    const balances = ids.map((id) => ({ id, quantity: BigInt(random(5)) - 2n }))
    return { ...made, balances: balances.filter(({ quantity }) => quantity !== 0n) }
  }
  const accounts = new Map(Array.from({ length: 40 }, (_, i) => [10 + i, some()] as const))
  const priced = () =>
    tableOf(IDS.filter(() => random(8) > 0).map((id) => row(id, BigInt(600_000 + random(900_000)))))
  let context: BatchContext = { ...oneLot, table: priced() }
  const [kinds, seen] = [new Set<string>(), { due: 0, mixed: 0 }]
  for (let step = 0; step < 400; step++) {
    const kind = random(8)
    if (kind < 3) accounts.set(10 + random(45), some())
    else if (kind === 3) context = { ...context, table: priced() }
    else if (kind === 4) context = { ...context, time: NOW + BigInt(random(CALL_SECONDS)) }
    else if (kind === 5) context = { ...context, mode: random(2) === 0 ? 'normal' : 'reduceOnly' }
    else if (kind === 6) context = { ...context, isTableConfirmed: random(3) > 0 }
    else {
      const settled = IDS.filter(() => random(3) === 0)
      const rows = settled.map((id) => settledRow(id, BigInt(random(2_000_000))))
      context = { ...context, settlements: settlementsOf(rows) }
    }
    const found = dueFlags(accounts, context)
    expect(found, `step ${step}`).toEqual(slowly(accounts, context))
    // Asked again it says the same.
    expect(dueFlags(accounts, context)).toEqual(found)
    found.forEach((flag) => kinds.add(flag.step))
    seen.due += found.length
  }
  expect([...kinds].sort()).toEqual(['call', 'liquidate', 'release'])
  expect(seen.due).toBeGreaterThan(1_000)
})

test('values nobody twice at one table and register, and everybody at another', () => {
  let reads = 0
  const watched = (cash: bigint): Account => {
    const { cash: _, ...rest } = account(cash)
    return Object.defineProperty(rest, 'cash', {
      enumerable: true,
      get: () => {
        reads++
        return cash
      },
    }) as Account
  }
  const accounts = new Map(Array.from({ length: 100 }, (_, i) => [16 + i, watched(9n)] as const))
  const look = (context: BatchContext): number => {
    reads = 0
    dueFlags(accounts, context)
    return reads
  }
  const first = look(oneLot)
  expect(first).toBeGreaterThanOrEqual(100)
  expect(look(oneLot)).toBe(0)
  expect(look({ ...oneLot, time: NOW + 10n ** 6n })).toBe(0)
  expect(look({ ...oneLot, mode: 'reduceOnly', isTableConfirmed: false })).toBe(0)
  accounts.set(20, watched(8n))
  expect(look(oneLot)).toBe(first / 100)
  expect(look({ ...oneLot, settlements: settlementsOf([]) })).toBe(first)
  expect(look({ ...oneLot, table: tableOf(oneLot.table.rows) })).toBe(first)
})
