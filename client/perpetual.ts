/**
 * Trades in perpetuals: what the two sides agree besides the legs, and the check before a page is
 * signed. A perpetual is quoted at a price, and traded at that price less the cumulative funding of a
 * table that both name; if they did not mean the same table, one would pay the other's past funding.
 * Price, funding and table stand in the trade document, whose hash is the payload of both pages.
 */
import { documentHash } from '../circuits/document.ts'
import type { Entry } from '../circuits/page.ts'
import type { FundingTable, FundingTables } from './l1/oracle-tables.ts'

/** Rules of this client: the law sees a price only and cannot know how it came about. */
export const FUNDING_RULES = {
  DocumentMustMatchPayload: 'the document that is shown is the one that the page commits to',
  FundingMustBeNamed: 'a trade in a perpetual names table, price and funding of each such leg',
  TableMustBeCurrent:
    'the named table is confirmed, the latest or the one before, and funding has not moved since',
  FundingMustMatchTable: 'the named funding is that of the named table on L1',
  InstrumentMustNotBeHalted: 'the last confirmed table does not say that it is halted',
  PriceMustBeLessFunding: 'the price of the leg is the named price less the named funding',
} as const
export type FundingRule = keyof typeof FUNDING_RULES
export type FundingRefusal = { readonly refused: FundingRule; readonly detail: string }

/** Amounts in micro-dollars a lot, as decimal digits. */
export type NamedFunding = {
  readonly instrument: number
  readonly price: string
  readonly funding: string
}
/** The part of a trade document that a trade in perpetuals must have. */
export type FundingTerms = {
  readonly table: number
  readonly perpetuals: readonly NamedFunding[]
}

const refuse = (refused: FundingRule, detail: string): FundingRefusal => ({ refused, detail })
const INTEGER = /^-?\d{1,20}$/

/** The terms of a document, or null if it has none in form. */
export function fundingTermsIn(document: string): FundingTerms | null {
  let value: unknown
  try {
    value = JSON.parse(document)
  } catch {
    return null
  }
  const { table, perpetuals } = (value ?? {}) as Record<string, unknown>
  if (!Number.isSafeInteger(table) || !Array.isArray(perpetuals)) return null
  const isInForm = perpetuals.every((item: unknown) => {
    const { instrument, price, funding } = (item ?? {}) as Record<string, unknown>
    const texts = [price, funding]
    return (
      Number.isSafeInteger(instrument) &&
      texts.every((text) => typeof text === 'string' && INTEGER.test(text))
    )
  })
  return isInForm ? { table: table as number, perpetuals: perpetuals as NamedFunding[] } : null
}

/** The tables that a trade may name, the newest first. */
export function currentTables({ tables }: FundingTables): readonly FundingTable[] {
  const latest = tables.at(-1)?.number ?? 0
  return tables.filter(({ number, isConfirmed }) => isConfirmed && latest - number <= 1).reverse()
}

/** What is wrong with signing `entries` while the oracle has halted instruments, or null. */
export function checkHalts(
  entries: readonly Entry[],
  { tables }: Pick<FundingTables, 'tables'>,
): FundingRefusal | null {
  const halted = tables.findLast(({ isConfirmed }) => isConfirmed)?.halted
  const found = entries.find((e) => e.quantity !== 0n && halted?.has(e.instrument) === true)
  return found === undefined
    ? null
    : refuse('InstrumentMustNotBeHalted', `the oracle has halted instrument ${found.instrument}`)
}

/** What is wrong with signing `entries` under `payload`, or null. Trades without perpetuals pass. */
export function checkFunding(
  entries: readonly Entry[],
  payload: bigint,
  document: string | null,
  { perpetuals, tables }: FundingTables,
): FundingRefusal | null {
  const legs = entries.filter((e) => e.quantity !== 0n && perpetuals.has(e.instrument))
  if (document !== null && documentHash(document) !== payload)
    return refuse('DocumentMustMatchPayload', 'the document has another hash than the payload')
  if (legs.length === 0) return null
  const terms = document === null ? null : fundingTermsIn(document)
  if (terms === null)
    return refuse('FundingMustBeNamed', 'the document names no table and no funding')
  const current = currentTables({ perpetuals, tables })
  const table = current.find(({ number }) => number === terms.table)
  if (table === undefined)
    return refuse('TableMustBeCurrent', `table ${terms.table} is not one to trade on now`)
  for (const { instrument, price } of legs) {
    const named = terms.perpetuals.filter((one) => one.instrument === instrument)
    const [one] = named
    if (one === undefined || named.length > 1)
      return refuse('FundingMustBeNamed', `funding of instrument ${instrument} must be named once`)
    const onL1 = table.funding.get(instrument)
    if (onL1 === undefined || BigInt(one.funding) !== onL1)
      return refuse(
        'FundingMustMatchTable',
        `funding of ${instrument} is ${onL1 ?? 'missing'} in table ${table.number}, not ${one.funding}`,
      )
    // A table in between is no reason to refuse; an interval that has ended in between is: at the
    // table before it the seller would be paid the buyer's funding of time that has passed.
    const now = current[0]?.funding.get(instrument)
    if (onL1 !== now)
      return refuse(
        'TableMustBeCurrent',
        `funding of ${instrument} is ${now ?? 'missing'} since table ${current[0]?.number}`,
      )
    if (price !== BigInt(one.price) - BigInt(one.funding))
      return refuse(
        'PriceMustBeLessFunding',
        `a leg at ${price}, where ${one.price} less ${one.funding} was agreed`,
      )
  }
  return null
}
