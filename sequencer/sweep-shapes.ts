/** The shapes in which a house may be swept: the law's own, and one for houses of few members. */
import { join } from 'node:path'
import { SWEEP_SHAPES, type SweepShape } from '../circuits/sweep.ts'
import { PROJECT_ROOT } from '../prover/artifacts.ts'

/**
 * Eight accounts that hold up to sixteen instruments together: a proof of it takes a tenth of what
 * one of the large shape takes, which has room for 128 accounts whether they are there or not.
 */
const SMALL: SweepShape = { name: 'sweep-small', levels: 1, parts: 1, rows: 16, flags: 8 }

/** In the order of their ids on L1, from 1 on: only ever added to. */
export const HOUSE_SWEEP_SHAPES: readonly SweepShape[] = [...SWEEP_SHAPES, SMALL]

/** The file with the main component, where it is not among the law's shapes. */
export function sweepEntryOf(name: string): string | undefined {
  return name === SMALL.name
    ? join(PROJECT_ROOT, 'sequencer', 'shapes', `${SMALL.name}.circom`)
    : undefined
}
