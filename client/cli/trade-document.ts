/**
 * The document behind a trade: what both sides agree, as one text that each of them writes alike.
 * Its hash is the payload of both pages, so the side that is asked writes the text itself, from what
 * it is shown and from the tables on L1, and compares hashes: nothing need be sent besides.
 */
import { documentHash } from '../../circuits/document.ts'
import type { Entry } from '../../circuits/page.ts'
import type { TicketView } from '../api.ts'
import type { FundingTable, FundingTables } from '../l1/oracle-tables.ts'
import { currentTables, fundingTermsIn, type FundingTerms } from '../perpetual.ts'
import { Undone } from './failures.ts'
import { dollars, instrumentName } from './terms.ts'

export type Agreement = {
  /** The proposer's own name for the trade. */
  readonly trade: string
  readonly proposer: number
  readonly counterparty: number
  /** From the proposer's side, at the prices of the legs. */
  readonly entries: readonly Entry[]
}

export function documentOf(agreement: Agreement, terms: FundingTerms | null): string {
  const { trade, proposer, counterparty, entries } = agreement
  const legs = entries.map((e) => `${instrumentName(e.instrument)}:${e.quantity}@${e.price}`)
  return JSON.stringify({ trade, proposer, counterparty, legs, ...terms })
}

const isPerpetual = ({ instrument }: Entry, { perpetuals }: FundingTables): boolean =>
  perpetuals.has(instrument)

/**
 * Quoted prices less the funding of the newest table, and the terms that say so; null: no perpetual.
 * @param known The document of an earlier attempt: asked twice, a trade stays at its table.
 */
export function lessFunding(
  quoted: readonly Entry[],
  tables: FundingTables,
  known: string | null = null,
): { readonly entries: readonly Entry[]; readonly terms: FundingTerms | null } {
  if (!quoted.some((entry) => isPerpetual(entry, tables))) return { entries: quoted, terms: null }
  const named = known === null ? null : fundingTermsIn(known)
  const earlier = tables.tables.find(({ number }) => number === named?.table)
  const table = earlier ?? currentTables(tables)[0]
  if (table === undefined)
    throw new Undone(
      'a perpetual is traded at the funding of a confirmed table: wait for the next one',
    )
  const entries = quoted.map((entry) =>
    isPerpetual(entry, tables)
      ? { ...entry, price: entry.price - fundingIn(table, entry.instrument) }
      : entry,
  )
  return { entries, terms: termsOf(entries, table, tables) }
}

function fundingIn({ funding, number }: FundingTable, instrument: number): bigint {
  const found = funding.get(instrument)
  if (found === undefined)
    throw new Undone(`table ${number} has no funding of ${instrumentName(instrument)}`)
  return found
}

function termsOf(
  entries: readonly Entry[],
  table: FundingTable,
  tables: FundingTables,
): FundingTerms {
  const legs = entries.filter((entry) => isPerpetual(entry, tables))
  return {
    table: table.number,
    perpetuals: legs.map(({ instrument, price }) => {
      const funding = fundingIn(table, instrument)
      return { instrument, price: `${price + funding}`, funding: `${funding}` }
    }),
  }
}

/**
 * The document of a trade that another command line proposed, written again by the side that is
 * asked; null where no table of now gives the text that the payload is the hash of.
 */
export function rewritten(
  ticket: TicketView,
  account: number,
  tables: FundingTables,
): string | null {
  const isProposer = ticket.role === 'proposer'
  const entries = ticket.entries
    .filter(({ quantity }) => BigInt(quantity) !== 0n)
    .map(({ instrument, quantity, price }) => ({
      instrument,
      quantity: isProposer ? BigInt(quantity) : -BigInt(quantity),
      price: BigInt(price),
    }))
  const agreement = {
    trade: ticket.clientId,
    proposer: isProposer ? account : ticket.counterparty,
    counterparty: isProposer ? ticket.counterparty : account,
    entries,
  }
  const candidates = entries.some((entry) => isPerpetual(entry, tables))
    ? currentTables(tables)
        .filter(({ funding }) =>
          entries.every((e) => !isPerpetual(e, tables) || funding.has(e.instrument)),
        )
        .map((table) => termsOf(entries, table, tables))
    : [null]
  const texts = candidates.map((terms) => documentOf(agreement, terms))
  return texts.find((text) => `${documentHash(text)}` === ticket.payload) ?? null
}

/** "BTC-PERP at $76.70 less funding $0.04 of table 3", for each perpetual of the document. */
export function fundingInWords(document: string | null): string {
  const terms = document === null ? null : fundingTermsIn(document)
  if (terms === null) return ''
  const words = terms.perpetuals.map(
    ({ instrument, price, funding }) =>
      `${instrumentName(instrument)} quoted ${dollars(BigInt(price))} less funding ` +
      `${dollars(BigInt(funding))} of table ${terms.table}`,
  )
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}
