/** What is asked and drawn before a batch is chosen: from the record alone the core chooses it again. */
import { randomBytes } from 'node:crypto'
import { FIELD_MODULUS, type Shape } from '../circuits/params.ts'
import type { OpenBatch } from './answers.ts'
import { chance } from './chance.ts'
import { countsAfter, freeAfter, numberOf } from './fork.ts'
import type { House } from './house.ts'
import type { InputOf } from './journal/record.ts'
import type { Duties } from './l1.ts'

/** Nobody can prove a batch now: it would stand open, and keep its pages, for nothing. */
export class NoProver extends Error {}

/**
 * Of the batch behind `open`, or of the first if there is none; null when there is nothing to settle.
 * Throws NoProver.
 */
export async function inputOfBatch(
  house: House,
  open: OpenBatch | null,
  isDue: boolean,
  { isBatchDue, areWithdrawalsHeld, sweep }: Duties,
): Promise<InputOf<'batch'> | null> {
  const shapes = await provableShapes(house)
  // What is on its way is the batch that L1 asks for.
  const due = isBatchDue && open === null ? 'silence' : isDue ? 'clock' : null
  if (due === null && !house.core.hasWork(Date.now())) return null
  return {
    kind: 'batch',
    late: 'all',
    ...(open === null ? {} : { after: numberOf(open) }),
    ...(due === null ? {} : { due }),
    shapes: isDue ? shapes.slice(0, 1) : shapes,
    freeVaults: await freeVaults(house, open),
    ...(areWithdrawalsHeld ? { areWithdrawalsHeld } : {}),
    ...(sweep === undefined ? {} : house.sweepOf(sweep)),
    nonce: chance(40) % FIELD_MODULUS,
    salt: chance(40) % FIELD_MODULUS,
    seed: randomBytes(32),
  }
}

/** The usual one, which must have a prover, and of the others those that have one. */
async function provableShapes({ options }: House): Promise<readonly Shape[]> {
  const { keys, proverMissing = async () => null } = options
  const missing = await Promise.all(keys.map((key) => proverMissing(key)))
  const [usual = null] = missing
  if (usual !== null) throw new NoProver(`no batch is prepared: ${usual}`)
  return keys.flatMap(({ shape }, i) => (missing[i] === null ? [shape] : []))
}

/**
 * What a forced exit may take changes with batches only. L1's head may know the one on its way or not
 * yet; of a head that is further back nothing is said, and forced exits wait for the next batch.
 */
async function freeVaults(
  { core, l1 }: House,
  open: OpenBatch | null,
): Promise<ReadonlyMap<number, bigint>> {
  const { requests, batchNumber } = open === null ? core : countsAfter(core, open)
  const tokens = new Set(requests.flatMap((r) => (r.kind === 'forcedExit' ? [r.token] : [])))
  const found = await Promise.all(
    [...tokens].map(async (token): Promise<readonly (readonly [number, bigint])[]> => {
      const { lots, batch } = await l1.freeVault(token)
      if (batch === batchNumber) return [[token, lots]]
      const isBefore = open !== null && batch === batchNumber - 1n
      return isBefore ? [[token, freeAfter(open, token, lots)]] : []
    }),
  )
  return new Map(found.flat())
}
