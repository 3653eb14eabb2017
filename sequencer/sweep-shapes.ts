/** The shapes in which a house may be swept: the law's own, and one for houses of few members. */
import { join } from 'node:path'
import { ESCAPE_SHAPES } from '../circuits/escape.ts'
import { SLOT_COUNT } from '../circuits/params.ts'
import { SWEEP_SHAPES, type SweepShape } from '../circuits/sweep.ts'
import { PROJECT_ROOT } from '../prover/artifacts.ts'

/**
 * Eight accounts that hold up to sixteen instruments together: a proof of it takes a tenth of what
 * one of the large shape takes, which has room for 128 accounts whether they are there or not.
 */
const SMALL: SweepShape = { name: 'sweep-small', levels: 1, parts: 1, rows: 16, flags: 8 }

/**
 * Eight accounts whatever they hold: one of them may hold more instruments than the other shapes have
 * rows, and a chunk that fits no shape leaves the house without sweeps until it freezes.
 */
const WIDE: SweepShape = {
  name: 'sweep-wide',
  levels: 1,
  parts: 1,
  rows: 8 * (SLOT_COUNT - 1),
  flags: 8,
}
const OWN = [SMALL, WIDE]

/** In the order of their ids on L1, from 1 on: only ever added to. */
export const HOUSE_SWEEP_SHAPES: readonly SweepShape[] = [...SWEEP_SHAPES, ...OWN]

/**
 * Enough for any account to leave, and for a house of any size to be swept, whatever its accounts hold:
 * eight that hold more instruments than the large shape has rows would leave it without sweeps.
 */
export const EXIT_CIRCUITS: readonly string[] = [
  ...ESCAPE_SHAPES.map(({ name }) => name),
  'sweep',
  'sweep-wide',
]

/** Id on L1 of the shape that sweeps any eight accounts: no house is sealed without a verifier of it. */
export const ANY_SWEEP_ID = BigInt(
  HOUSE_SWEEP_SHAPES.findIndex(({ name }) => name === 'sweep-wide') + 1,
)

/** The file with the main component, where it is not among the law's shapes. */
export function sweepEntryOf(name: string): string | undefined {
  return OWN.some((shape) => shape.name === name)
    ? join(PROJECT_ROOT, 'sequencer', 'shapes', `${name}.circom`)
    : undefined
}
