/** Numbers drawn from a recorded seed: as good as random to whoever has not seen it, and repeatable. */
import { createHash } from 'node:crypto'
import type { RandomBelow } from './room.ts'

const RANGE = 2 ** 48

/** Uniform: numbers of the last incomplete range are drawn again. */
export function drawsFrom(seed: Uint8Array): RandomBelow {
  let counter = 0
  return (bound) => {
    const limit = RANGE - (RANGE % bound)
    for (;;) {
      const count = Buffer.alloc(4)
      count.writeUInt32BE(counter++)
      const drawn = createHash('sha256').update(seed).update(count).digest().readUIntBE(0, 6)
      if (drawn < limit) return drawn % bound
    }
  }
}
