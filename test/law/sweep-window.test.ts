/**
 * Between the table of a sweep and the state that is proven at it members trade at later tables. What is lawful there
 * can be broken at the table of the sweep, and then the law itself lets nobody flag it.
 */
import { expect, test } from 'vitest'
import type { BatchPlan } from '../../circuits/batch.ts'
import { SLOT_COUNT } from '../../circuits/params.ts'
import { leafHash, type Account } from '../../circuits/account.ts'
import { sweepChunk, SWEEP_SHAPES, type SweepShape } from '../../circuits/sweep.ts'
import { settlementsOf, tableOf, type Row, type Table } from '../../circuits/table.ts'
import { HOUSE_SWEEP_SHAPES } from '../../sequencer/sweep-shapes.ts'
import { row } from './house.ts'
import { funded, settle, type Scene } from './scenes.ts'

const mini = SWEEP_SHAPES.find(({ name }) => name === 'sweep-mini') as SweepShape
const sweptAt = ({ house }: Scene, table: Table, shape = mini): string => {
  const outcome = sweepChunk(shape, 16, {
    tree: house.tree,
    accounts: house.accounts,
    table,
    settlements: settlementsOf(house.settled),
    time: house.time + 3600n,
    callDelay: 86_400n,
  })
  return outcome.ok ? 'swept' : outcome.rule
}
const ruleOf = ({ house }: Scene, plan: BatchPlan): string => {
  const outcome = house.execute(plan)
  return outcome.ok ? 'accepted' : outcome.rejection.rule
}
const marked = (rows: readonly Row[], marks: ReadonlyMap<number, bigint>): Row[] =>
  rows.map((r) => (marks.has(r.id) ? row(r.id, marks.get(r.id) as bigint) : r))

test('a spread that is solvent now and was not at the table of the sweep can neither be called nor swept', () => {
  const scene = funded()
  const { house, a, b } = scene
  house.rows = marked(
    house.rows,
    new Map([
      [1024, 50_000_000n],
      [1025, 50_500_000n],
    ]),
  )
  const sweepTable = tableOf(house.rows)
  // A later table: the two are worth the same, so that the spread asks for its add-ons alone.
  house.rows = marked(
    house.rows,
    new Map([
      [1024, 50_250_000n],
      [1025, 50_250_000n],
    ]),
  )
  house.time += 600n
  const entries = [
    { instrument: 1024, quantity: 30_000n, price: 50_250_000n },
    { instrument: 1025, quantity: -30_000n, price: 50_250_000n },
  ]
  house.trade(a, b, entries)
  settle(house, house.plan())
  a.pending.length = b.pending.length = 0
  expect(ruleOf(scene, house.plan({ flags: new Map([[a.index, 'call']]) }))).toBe(
    'CallMustBeProven',
  )
  expect(sweptAt(scene, tableOf(house.rows))).toBe('swept')
  expect(sweptAt(scene, sweepTable)).toBe('MaintenanceMustHold')
})

test('one lot of what was listed after the table of the sweep stops it', () => {
  const scene = funded()
  const { house, a, b } = scene
  const sweepTable = tableOf(house.rows)
  house.rows = [...house.rows, row(1027, 1_000_000n)]
  house.trade(a, b, [{ instrument: 1027, quantity: 1n, price: 1_000_000n }])
  settle(house, house.plan())
  expect(sweptAt(scene, sweepTable)).toBe('InstrumentMustBeListed')
})

test('who is called at the table of the sweep and released at a later one stops it', () => {
  const scene = funded()
  const { house, a } = scene
  const account: Account = {
    ...(house.accounts.get(a.index) as Account),
    cash: -30_000_000n,
    balances: [{ id: 1024, quantity: 1n }],
  }
  house.accounts.set(a.index, account)
  house.tree.set(a.index, leafHash(account))
  const sweepTable = tableOf(house.rows)
  settle(house, house.plan({ flags: new Map([[a.index, 'call']]) }))
  expect(sweptAt(scene, sweepTable)).toBe('swept')
  house.rows = marked(house.rows, new Map([[1024, 100_000_000n]]))
  settle(house, house.plan({ flags: new Map([[a.index, 'release']]) }))
  expect(sweptAt(scene, sweepTable)).toBe('MaintenanceMustHold')
})

test('some shape of the house sweeps eight accounts that hold as many instruments as they can', () => {
  const scene = funded()
  const { house } = scene
  const slots = SLOT_COUNT - 1
  const ids = Array.from({ length: 8 * slots }, (_, i) => 1100 + i)
  house.rows = ids.map((id) => row(id, 1_000_000n))
  for (let i = 0; i < 8; i++) {
    const some = house.accounts.get(16) as Account
    const balances = ids.slice(i * slots, (i + 1) * slots).map((id) => ({ id, quantity: 1n }))
    const account: Account = { ...some, cash: 1n << 40n, balances }
    house.accounts.set(16 + i, account)
    house.tree.set(16 + i, leafHash(account))
  }
  const fits = HOUSE_SWEEP_SHAPES.filter((shape) => {
    try {
      return sweptAt(scene, tableOf(house.rows), shape) === 'swept'
    } catch {
      return false
    }
  })
  expect(fits.map(({ name }) => name)).toEqual(['sweep-wide'])
})
