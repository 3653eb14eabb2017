/** What the collector does about expiries: proposes what a quorum can say of them, and makes it final. */
import { oracleAt, referenceTableIn, type History } from '../verify/chain.ts'
import { expiryOf, underlyingOf, type InstrumentSpec } from '../signer/engine.ts'
import type { SettlementReport } from '../signer/report.ts'
import {
  FALLBACK_SECONDS,
  fallbackOf,
  termsOfSettlement,
  type FallbackDocument,
  type SettlementDocument,
} from '../signer/settlement.ts'
import { keptIn, windowsBegun } from '../signer/settling.ts'
import { pinsIn } from '../verify/settling.ts'
import { gatherSettlement, groupsOf, NoQuorum } from './gather.ts'
import { sendTo } from './send.ts'
import { authorised, latestInstruments, readState, type CollectorOptions } from './rounds.ts'

export type Tended =
  | { readonly did: 'nothing' }
  | { readonly did: 'waited'; readonly dueAt: number }
  /** The register takes no more until the house has converted what it has. */
  | { readonly did: 'held'; readonly count: number }
  | { readonly did: 'proposed' | 'finalised'; readonly report: SettlementReport }

/**
 * One step of the settlement that is due, if any: proposes the earliest expiry that is listed and
 * that a quorum has seen, or makes the pending one final when its delay is over.
 */
export async function tendSettlement(
  options: CollectorOptions,
  windowSeconds: number,
): Promise<Tended> {
  const { domain, quorum, time, history, room } = await readState(options)
  const oracle = oracleAt(options.contract, options.provider)
  const [serial, dueAt, isPending] = (await oracle.getFunction(
    'pendingSettlement',
  )()) as unknown as readonly [bigint, bigint, boolean]
  if (isPending) {
    if (BigInt(time) < dueAt) return { did: 'waited', dueAt: Number(dueAt) }
    const report = history.proposals.find((one) => one.report.serial === serial)?.report
    if (report === undefined) throw new Error(`settlement ${serial} is not among the events`)
    await sendTo(options, 'finaliseSettlement', report)
    return { did: 'finalised', report }
  }
  const expired = history.listed.flatMap((id) => {
    const expiry = Number(history.expiries.get(id) ?? 0n)
    return expiry > 0 && expiry <= time ? [{ id, expiry }] : []
  })
  if (expired.length === 0) return { did: 'nothing' }
  if (room === 0) return { did: 'held', count: expired.length }
  const ends = [...new Set(expired.map(({ expiry }) => expiry))].sort((a, b) => a - b)
  const peers = await authorised(options)
  const { limits } = options
  const specs = latestInstruments(history)
  let refusal: unknown
  for (const end of ends) {
    const ids = expired.filter(({ expiry }) => expiry === end).map(({ id }) => id)
    const window = [end - windowSeconds, end] as const
    const request = { domain, quorum, serial: serial + 1n, settled: history.settled, window }
    for (const { fallback, members } of attemptsAt(history, specs, ids, window, time)) {
      try {
        const { report, signatures } = await gatherSettlement(peers, {
          ...request,
          // What there is no room for waits until the house has converted what was settled before.
          idsAt: (document) =>
            members
              .filter((one) => settlesAt(one, document))
              .map(({ id }) => id)
              .slice(0, room),
          ...(fallback === null ? { kept: keptOf(history, members) } : { fallback }),
          ...(limits && { limits }),
        })
        await sendTo(options, 'settle', report, signatures)
        return { did: 'proposed', report }
      } catch (error) {
        // What too few have seen must hold up neither later expiries nor a fallback.
        if (!(error instanceof NoQuorum)) throw error
        refusal ??= error
      }
    }
  }
  throw refusal
}

type Attempt = {
  readonly fallback: FallbackDocument | null
  readonly members: readonly InstrumentSpec[]
}

/**
 * What may be tried for an expiry, in order: averages of what was listed with one window and source (one
 * that names others would spoil the report of all); then, when the time for averages is over, what the
 * last confirmed table says of each underlying.
 */
function attemptsAt(
  history: History,
  specs: readonly InstrumentSpec[],
  ids: readonly number[],
  window: readonly [number, number],
  time: number,
): readonly Attempt[] {
  const length = window[1] - window[0]
  const expired = specs.filter(({ id }) => ids.includes(id))
  const termsOf = (spec: InstrumentSpec): string => {
    const terms = termsOfSettlement(spec)
    return `${expiryOf(spec)} ${terms?.windowSeconds ?? length} ${terms?.source ?? ''}`
  }
  const averages = groupsOf(expired, termsOf)
    .filter(([first]) => (termsOfSettlement(first)?.windowSeconds ?? length) === length)
    .map((members): Attempt => ({ fallback: null, members }))
  const table = referenceTableIn(history, window[1])
  if (time < window[1] + FALLBACK_SECONDS || table === null) return averages
  const known = [...history.underlyings]
    .map(([id, name]) => ({ id, name }))
    .filter(({ id }) => table.references.some(({ underlying }) => underlying === id))
  const fallbacks = groupsOf(expired, (spec) => `${underlyingOf(spec)} ${termsOf(spec)}`).flatMap(
    (members): Attempt[] => {
      const [first] = members
      const named = known.filter(({ name }) => name === underlyingOf(first))
      // The market's clock, which differs in a replay alone, is that of the specification.
      const end = expiryOf(first as InstrumentSpec)
      const fallback = fallbackOf(table, [end - length, end], named)
      return named.length === 0 ? [] : [{ fallback, members }]
    },
  )
  return [...averages, ...fallbacks]
}

/** Averages that L1 has of what was listed with this window and source, by id of the underlying. */
function keptOf(history: History, members: readonly InstrumentSpec[]): ReadonlyMap<number, string> {
  const idOf = (name: string) => [...history.underlyings].find(([, one]) => one === name)?.[0]
  const windows = windowsBegun(members, idOf, Infinity)
  const kept = keptIn(windows, Infinity, pinsIn(history))
  return new Map(kept.map(({ underlying, price }) => [underlying, price]))
}

function settlesAt(spec: InstrumentSpec, document: SettlementDocument): boolean {
  const isPriced = document.underlyings.some(({ name }) => name === underlyingOf(spec))
  return isPriced && expiryOf(spec) === document.windowEnd
}
