/** The engine's integers in the circuit: accepted as its witness, and no others. */

import { beforeAll, describe, expect, test } from 'vitest'
import { WORLD_COUNT } from '../../circuits/params.ts'
import { rowLookup, settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import { INSTRUMENTS, marketAt } from '../../oracle/day-2020-03-12.ts'
import { rowsOf } from '../../oracle/liquidation.ts'
import { whatIf, type Holdings } from '../../oracle/margin.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import { circuitNamed, type Circuit } from '../law/circuit.ts'
import { signalsOf } from '../law/house.ts'
import { draftOf, inputOf, reseal } from '../law/reseal.ts'
import { funded, MINI, slotOf } from '../law/scenes.ts'

const tables = [0, 2, 5].map((step) => rowsOf(marketAt(step), INSTRUMENTS, WORLDS))
const lookup = (rows: readonly Row[]) => rowLookup(tableOf(rows), settlementsOf([]))

describe('the circuit', () => {
  let circuit: Circuit
  beforeAll(async () => {
    circuit = await circuitNamed('mini')
  })
  const HELD = [1025, 1030, 1033]

  /** Random trades between two members under a table of the day: what the law made of them. */
  function traded(seed: number) {
    const scene = funded()
    const { house, a, b } = scene
    house.rows = (tables[seed % 3] as readonly Row[]).filter(
      ({ id }) => id === 2 || HELD.includes(id),
    )
    const rowOf = lookup(house.rows)
    const entries = HELD.slice(0, 1 + (seed % 3)).map((instrument, i) => ({
      instrument,
      quantity: BigInt(((seed * 37 + i * 61) % 90) - 45) || 1n,
      price: rowOf(instrument)?.values[0] as bigint,
    }))
    house.trade(a, b, entries)
    const before = new Map(house.accounts)
    const plan = house.plan()
    const outcome = house.execute(plan)
    const sides = [a.index, b.index].map((index, side) => {
      const legs = entries.map((e) => ({ ...e, quantity: side === 0 ? e.quantity : -e.quantity }))
      return { index, whatIf: whatIf(before.get(index) as Holdings, legs, house.fee, rowOf) }
    })
    return { house, outcome, sides }
  }

  test.each([1, 2, 3, 4, 5, 6])('accepts the very integers of the engine, book %d', (seed) => {
    const { house, outcome, sides } = traded(seed)
    expect(sides.map((side) => side.whatIf.refusedBy)).toEqual([null, null])
    if (!outcome.ok) throw new Error(outcome.rejection.detail)
    const draft = draftOf(signalsOf(house.build(MINI, outcome.trace)))
    for (const { index, whatIf } of sides) {
      const slot = slotOf(draft, index)
      const member = outcome.trace.members.find((m) => m.index === index)
      expect(member?.difference).toEqual(whatIf.difference)
      expect(draft.difference[slot]).toEqual(whatIf.difference)
      // The witness is built from the engine's integers, and from nothing else that says worth.
      draft.difference[slot] = [...whatIf.difference]
    }
    expect(circuit.failedRule(inputOf(reseal(draft)))).toBeNull()
  })

  test('refuses any other integer', () => {
    const { house, outcome, sides } = traded(5)
    if (!outcome.ok) throw new Error(outcome.rejection.detail)
    for (const world of [0, 7, WORLD_COUNT - 1]) {
      const draft = draftOf(signalsOf(house.build(MINI, outcome.trace)))
      const { index, whatIf } = sides[0] as (typeof sides)[0]
      draft.difference[slotOf(draft, index)] = whatIf.difference.map((d, s) =>
        s === world ? d + 1n : d,
      )
      expect(circuit.failedRule(inputOf(reseal(draft)))).toBe('WorthMustFollowTable')
    }
  })
})
