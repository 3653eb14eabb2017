/** What expiry and funding did to whom, from L1 and from what the members held. */
import type { FundingTables } from '../l1/oracle-tables.ts'
import type { DayTrade } from './csv.ts'
import { INSTRUMENT_NAMES, PERPETUAL, ROUND_TABLES } from './instruments.ts'

/** One interval between two tables; amounts in micro-dollars. */
export type FundingInterval = {
  readonly from: number
  readonly to: number
  /** By how much the funding of a lot rose. */
  readonly funding: bigint
  /** Lots of those who are long. */
  readonly open: bigint
  /** What each member's worth changed by through funding: the opposite of lots times funding. */
  readonly flows: ReadonlyMap<string, bigint>
}
export type Expiry = {
  readonly id: number
  /** Micro-dollars a lot. */
  readonly value: bigint
  /** Lots by member, as they were when it expired. */
  readonly lots: ReadonlyMap<string, bigint>
}

const idOf = (instrument: string): number => INSTRUMENT_NAMES[instrument] ?? 0

/** Lots of an instrument by member after all of these trades. */
export function positionsIn(
  trades: readonly DayTrade[],
  instrument: number,
): ReadonlyMap<string, bigint> {
  const lots = new Map<string, bigint>()
  for (const { buyer, seller, legs } of trades) {
    for (const leg of legs.filter(({ instrument: name }) => idOf(name) === instrument)) {
      lots.set(buyer, (lots.get(buyer) ?? 0n) + leg.quantity)
      lots.set(seller, (lots.get(seller) ?? 0n) - leg.quantity)
    }
  }
  return lots
}

/** Which table, counted from 1, a round of trading was done at. */
const tableOfRound = (round: number): number => Math.min(round, ROUND_TABLES.length)

/** Between each two tables, whom the rise of cumulative funding cost and whom it paid. */
export function fundingIntervals(
  settled: readonly DayTrade[],
  { tables }: FundingTables,
): readonly FundingInterval[] {
  return tables.slice(1).map((table, i) => {
    const before = tables[i] as (typeof tables)[number]
    const funding = (table.funding.get(PERPETUAL) ?? 0n) - (before.funding.get(PERPETUAL) ?? 0n)
    const held = positionsIn(
      settled.filter(({ round }) => tableOfRound(round) <= before.number),
      PERPETUAL,
    )
    return {
      from: before.number,
      to: table.number,
      funding,
      open: [...held.values()].reduce((sum, lots) => (lots > 0n ? sum + lots : sum), 0n),
      flows: new Map([...held].map(([name, lots]) => [name, -lots * funding])),
    }
  })
}

export const sumOf = (values: Iterable<bigint>): bigint =>
  [...values].reduce((sum, value) => sum + value, 0n)
