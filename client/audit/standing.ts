/** What a reader of an audit must know first: whether the house still runs, and whether everybody was proven solvent. */
import { GROUND_TEXT, GROUNDS } from '../exit/grounds.ts'
import { sweepsOnL1, sweepText, type SweepStanding } from '../exit/sweeps.ts'
import { readChanges, type Change } from '../l1/changes.ts'
import type { Freeze, Rebuilt } from '../l1/ledger.ts'
import { ReadError, type L1, type Transport } from '../l1/rpc.ts'
import { timeText } from '../time-text.ts'
import type { Checks } from './checks.ts'

export type Standing = {
  readonly freeze: Freeze | null
  readonly isPaused: boolean | null
  readonly isReduceOnly: boolean
  /** Announced to the lock and not over: they wait, or can be carried out. */
  readonly changes: readonly Change[]
  /** Null of a frozen house, which is swept no more. */
  readonly sweep: SweepStanding | null
}

export async function standingOf(
  l1: L1,
  { freeze, mode }: Rebuilt,
  checks: Checks,
  { rpcUrl, fromBlock = 0 }: { readonly rpcUrl: string | Transport; readonly fromBlock?: number },
): Promise<Standing> {
  const ask = <T>(name: string, answer: () => Promise<T>) => checks.attempt('record', name, answer)
  const isFrozen = await ask('isFrozen', async () => (await l1.view('isFrozen'))[0])
  if (isFrozen !== null)
    checks.expect(
      'record',
      'freeze',
      isFrozen === (freeze !== null),
      freeze === null
        ? 'the house is not frozen'
        : `the house is frozen, as of block ${freeze.block}`,
      `the contract says ${String(isFrozen)} of being frozen, its events ${String(freeze !== null)}`,
    )
  return {
    freeze,
    isPaused: await ask('isPaused', async () => (await l1.view('isPaused'))[0] === true),
    isReduceOnly: mode !== 0n,
    changes: (await ask('announced changes', () => openChanges(rpcUrl, l1.contract))) ?? [],
    sweep: freeze === null ? await ask('sweep', () => sweepsOnL1(l1, fromBlock)) : null,
  }
}

async function openChanges(rpc: string | Transport, house: string): Promise<readonly Change[]> {
  try {
    const { changes } = await readChanges(rpc, house)
    return changes.filter(({ state }) => state === 'waiting' || state === 'due')
  } catch (error) {
    throw new ReadError(error instanceof Error ? error.message : String(error))
  }
}

export function standingLines({
  freeze,
  isPaused,
  isReduceOnly,
  changes,
  sweep,
}: Standing): string[] {
  const ground = GROUNDS[(freeze?.ground ?? 0) - 1]
  return [
    ...(freeze === null
      ? []
      : [
          `!!! FROZEN !!! in block ${freeze.block}: ${ground === undefined ? 'a ground unknown here' : GROUND_TEXT[ground]}.`,
          `No batch is taken any more. Accounts claim what they are worth until ${timeText(freeze.claimsEndAt)}: cloister exit escape`,
        ]),
    ...(isPaused === true
      ? ['Paused by the guardian: batches, deposits and registrations wait']
      : []),
    ...(isReduceOnly ? ['Reduce-only: no new risk is taken'] : []),
    ...changes.map(
      ({ calls, dueAt }) =>
        `Announced: ${calls.map(({ says }) => says ?? 'a call unknown here').join(', ')}, can be ` +
        `carried out from ${timeText(dueAt ?? 0n)}: cloister changes`,
    ),
    ...(sweep === null ? [] : [`Sweep of solvency: ${sweepText(sweep)}`]),
  ]
}
