/** What the house draws at random before it records it: nothing behind the journal draws anything. */
import { randomBytes } from 'node:crypto'
import { STAMP_RANDOM_BITS } from '../circuits/params.ts'

export const chance = (bytes: number): bigint => BigInt(`0x${randomBytes(bytes).toString('hex')}`)

/**
 * Without its top bit a stamp is of the first half of its second, so that those after it, each higher
 * than the last, stay within: one of the next second would be refused as not yet live.
 */
export const stampChance = (): bigint => chance(8) & ~(1n << BigInt(STAMP_RANDOM_BITS - 1))
