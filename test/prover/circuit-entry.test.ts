import { describe, expect, it } from 'vitest'
import { ESCAPE_SHAPES } from '../../circuits/escape.ts'
import { keysOfCheckout } from '../../client/audit/keys.ts'
import { entryOfCircuit } from '../../prover/circuit-key.ts'
import { HOUSE_SWEEP_SHAPES, sweepEntryOf } from '../../sequencer/sweep-shapes.ts'

describe('the file of a circuit', () => {
  it.each([...ESCAPE_SHAPES, ...HOUSE_SWEEP_SHAPES].map(({ name }) => name))(
    'that a house may have a verifier of is found by its name alone: %s',
    (name) => {
      const entry = entryOfCircuit(name)
      expect(entry).toContain(`/shapes/${name}.circom`)
      if (sweepEntryOf(name) !== undefined) expect(entry).toBe(sweepEntryOf(name))
    },
  )

  it('is never looked for elsewhere, whatever name L1 has', async () => {
    for (const name of ['', 'nothing', '../shapes/escape', 'Escape', 'escape.circom', 'a/b']) {
      expect(entryOfCircuit(name)).toBeNull()
      expect(await keysOfCheckout(() => {})({ name })).toBeNull()
    }
  })
})
