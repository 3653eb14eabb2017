/** Whether everybody was proven solvent, as L1 has it: the last complete sweep, and the one under way. */
import { fields } from './due.ts'
import type { L1 } from '../l1/rpc.ts'
import { timeText } from '../time-text.ts'

export type CompleteSweep = {
  readonly table: bigint
  /** The state after this batch. */
  readonly batch: bigint
  readonly flagged: bigint
  /** Micro-dollars that the flagged accounts lack together. */
  readonly shortfall: bigint
}
export type SweepStanding = {
  readonly last: CompleteSweep | null
  /** Of which table chunks may be posted, from which time on, and how many accounts are proven. */
  readonly underWay: {
    readonly table: bigint
    readonly dueAt: bigint
    readonly proven: bigint
  } | null
  /** Seconds of service until withdrawals wait for a sweep, and until anybody may freeze. */
  readonly untilLate: bigint
  readonly untilFreeze: bigint
}

/** `from`: the block of the contract's deployment, if known. */
export async function sweepsOnL1(l1: L1, from = 0): Promise<SweepStanding> {
  const sweep = (await fields(l1, 'sweep')) as Readonly<Record<string, bigint>>
  const terms = (await fields(l1, 'terms')) as Readonly<Record<string, bigint>>
  const [service] = (await l1.view('serviceTime')) as readonly [bigint]
  const { table = 0n, time = 0n, next = 0n, sweptAt = 0n } = sweep
  const { lateSweepDelay = 0n, sweepDelay = 0n } = terms
  const last = (await l1.logs(from, l1.head.number, 'SweepCompleted')).at(-1)?.args
  const left = (delay: bigint): bigint => {
    const seconds = sweptAt + delay - service
    return seconds > 0n ? seconds : 0n
  }
  return {
    last: last === undefined ? null : (last as unknown as CompleteSweep),
    underWay: table === 0n ? null : { table, dueAt: time, proven: next },
    untilLate: left(lateSweepDelay),
    untilFreeze: left(sweepDelay),
  }
}

const days = (seconds: bigint): string => (Number(seconds) / 86_400).toFixed(1)

export function sweepText({ last, underWay, untilLate, untilFreeze }: SweepStanding): string {
  const done =
    last === null
      ? 'none posted yet'
      : `every account proven solvent at table ${last.table}, in the state after batch ${last.batch}` +
        (last.flagged > 0n ? `, but for ${last.flagged} flagged ones` : '')
  const next =
    underWay === null
      ? ''
      : underWay.proven > 0n
        ? `; of table ${underWay.table} under way`
        : `; of table ${underWay.table} due from ${timeText(underWay.dueAt)} on`
  const late =
    untilLate > 0n
      ? `; withdrawals wait without one in ${days(untilLate)} days`
      : `; LATE: withdrawals wait, and in ${days(untilFreeze)} days anybody may freeze the house`
  return done + next + late
}

export function sweepJson({ last, underWay, untilLate, untilFreeze }: SweepStanding) {
  return {
    last:
      last === null
        ? null
        : {
            table: `${last.table}`,
            batch: `${last.batch}`,
            flagged: `${last.flagged}`,
            shortfallMicroDollars: `${last.shortfall}`,
          },
    underWay:
      underWay === null
        ? null
        : {
            table: `${underWay.table}`,
            dueAt: `${underWay.dueAt}`,
            accountsProven: `${underWay.proven}`,
          },
    secondsUntilWithdrawalsWait: `${untilLate}`,
    secondsUntilFreeze: `${untilFreeze}`,
  }
}
