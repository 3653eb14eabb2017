/** What L1 says of settlement prices before they are final: the contract's window, and averages that stand. */
import type { AbstractProvider } from '../ethers.ts'
import type { FundingBase } from '../signer/accrual.ts'
import { InputError } from '../signer/canonical.ts'
import { readInstruments, underlyingOf, type InstrumentSpec } from '../signer/engine.ts'
import { settlingIn, settlingKey } from '../signer/market-document.ts'
import { readSettlement, termsOfSettlement } from '../signer/settlement.ts'
import type { SettlingView } from '../signer/settling.ts'
import { fundingBaseIn, oracleAt, readHistory, type History, type Proposal } from './chain.ts'

/**
 * A proposed settlement is what will be paid, and comes first; else the last confirmed table. What that
 * repeats of a settlement which was struck is no average any more.
 */
export function pinsIn(
  history: Pick<History, 'tables' | 'proposals' | 'underlyings'>,
): ReadonlyMap<string, string> {
  const { proposals } = history
  const pins = new Map<string, string>()
  const vetoed = proposals.filter(({ state }) => state === 'vetoed')
  const struck = struckIn(history, vetoed)
  for (const [key, price] of averagesOf(fundingBaseIn(history)))
    if (!struck.get(key)?.has(price)) pins.set(key, price)
  for (const proposal of proposals.filter(({ state }) => state === 'pending'))
    for (const [key, price] of pricesOf(proposal, history)) pins.set(key, price)
  return pins
}

/** Prices, by key, of settlements that were struck. */
export function struckIn(
  history: Pick<History, 'underlyings'>,
  vetoed: readonly Proposal[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const struck = new Map<string, Set<string>>()
  for (const proposal of vetoed)
    for (const [key, price] of pricesOf(proposal, history))
      struck.set(key, (struck.get(key) ?? new Set()).add(price))
  return struck
}

/** Both as L1 has them now; the events by whoever reads them. */
export async function readSettlingView(
  provider: AbstractProvider,
  contract: string,
  read: () => Promise<History> = () => readHistory(provider, contract),
): Promise<SettlingView> {
  const oracle = oracleAt(contract, provider)
  const [, , , windowSeconds] = (await oracle.getFunction(
    'timing',
  )()) as unknown as readonly bigint[]
  const pins = pinsIn(await read())
  return { windowSeconds: Number(windowSeconds), pins }
}

/** Averages of whole windows that a table has, by key. */
export function averagesOf(base: FundingBase | null): ReadonlyMap<string, string> {
  if (base === null) return new Map()
  const { market } = base
  const whole = settlingIn(market).filter(({ expiry }) => expiry <= market.time)
  return new Map(whole.map((one) => [settlingKey(one), one.price]))
}

/** What a proposed settlement says of the windows of its instruments, by key; whatever else, nothing. */
export function pricesOf(
  { report, instruments }: Proposal,
  { underlyings }: Pick<History, 'underlyings'>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  try {
    const document = readSettlement(report.data)
    for (const spec of instruments === null ? [] : readInstruments(instruments)) {
      const terms = termsOfSettlement(spec)
      if (terms === null || !report.ids.includes(BigInt(spec.id)) || !('expiry' in spec)) continue
      const id = idOf(spec, underlyings)
      const price = document.underlyings.find((one) => one.id === id)?.price
      if (id === undefined || price === undefined) continue
      const { windowSeconds, source } = terms
      const { expiry } = spec
      found.set(settlingKey({ underlying: id, expiry, windowSeconds, source }), price)
    }
  } catch (error) {
    // Signed by a quorum and no settlement document: it says nothing, and verify names it.
    if (!(error instanceof InputError)) throw error
  }
  return found
}

function idOf(spec: InstrumentSpec, underlyings: ReadonlyMap<number, string>): number | undefined {
  const name = underlyingOf(spec)
  return [...underlyings].find(([, one]) => one === name)?.[0]
}
