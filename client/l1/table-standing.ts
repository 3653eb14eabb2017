/** What L1 allows at a table: a batch at one that is too old, or not confirmed, only reduces risk. */
import { MODE } from '../../circuits/params.ts'
import type { L1 } from './rpc.ts'
import type { Rebuilt } from './ledger.ts'

export type TableStanding = {
  readonly number: bigint
  /** Unix seconds of its posting, and the last second at which it serves. */
  readonly time: bigint
  readonly until: bigint
  /** Of L1's head. */
  readonly now: bigint
  readonly isConfirmed: boolean
  readonly isLatest: boolean
  /** The admin has halted the house. */
  readonly isHalted: boolean
}

/** Of a table of the record; `tableLife` is a term of the contract, in seconds. */
export function standingOf(
  { tables, confirmed, mode }: Pick<Rebuilt, 'tables' | 'confirmed' | 'mode'>,
  number: bigint,
  tableLife: bigint,
  now: bigint,
): TableStanding {
  const time = tables.find((table) => table.number === number)?.time
  if (time === undefined) throw new RangeError(`standing: there is no table ${number}`)
  return {
    number,
    time,
    until: time + tableLife,
    now,
    isConfirmed: confirmed.has(number),
    isLatest: tables.at(-1)?.number === number,
    isHalted: mode === BigInt(MODE.reduceOnly),
  }
}

export async function tableLifeOf(l1: L1): Promise<bigint> {
  const [terms] = await l1.view('terms')
  return (terms as { readonly tableLife: bigint }).tableLife
}

/** Why L1 takes no new risk at this table now, in words; null if it does. */
export function whyReduceOnly(standing: TableStanding): string | null {
  const { number, until, now, isConfirmed, isLatest, isHalted } = standing
  if (!isConfirmed) return `table ${number} is not confirmed yet`
  if (!isLatest) return `table ${number} is not the latest: the one after it is not confirmed yet`
  if (now > until)
    return `table ${number} is too old: L1 has let it serve until ${new Date(Number(until) * 1000).toISOString()}`
  return isHalted ? 'the house is halted' : null
}
