/** Whether a signer agrees with what another proposes: prices near its own, all else the same. */
import { givenOf, requirePerpetualsNear, withoutQuotes, type FundingBase } from './accrual.ts'
import { InputError } from './canonical.ts'
import type { SignerConfig } from './config.ts'
import { isWithin, microOf } from './decimal.ts'
import type { InstrumentSpec } from './engine.ts'
import { marketBytes, withSettling, type MarketDocument } from './market-document.ts'
import { Refusal } from './observe.ts'

/** Refuses a market that is not what a signer could have said of the same moment. */
export function requireAgreement(
  market: MarketDocument,
  own: { readonly market: MarketDocument; readonly base: FundingBase | null },
  config: Pick<SignerConfig, 'tolerance' | 'perpetuals'>,
  instruments: readonly InstrumentSpec[],
): void {
  if (agreed(market) !== agreed(own.market)) {
    throw new Refusal('PolicyMustMatch', 'rates, vols, ranges, halts and names are not ours')
  }
  const prices = ({ underlyings }: MarketDocument): readonly Price[] =>
    underlyings.map(({ id, spot }) => [id, spot])
  const { tolerance, perpetuals } = config
  requirePricesNear(prices(market), prices(own.market), tolerance)
  if (perpetuals === null) return
  const given = givenOf(market, own.base, instruments)
  const tolerances = { basis: tolerance, premium: perpetuals.tolerance }
  requirePerpetualsNear(market, own.market.perpetuals, given, tolerances)
}

/** All but prices, averages and time is agreed beforehand: it must be the same to the byte. */
export function agreed(market: MarketDocument): string {
  return marketBytes({
    ...withSettling(market, []),
    time: 0,
    underlyings: market.underlyings.map((one) => ({ ...one, spot: '1' })),
    perpetuals: withoutQuotes(market.perpetuals),
  })
}

/** The id of an underlying, and a decimal. */
type Price = readonly [number, string]

export function requirePricesNear(
  given: readonly Price[],
  own: readonly Price[],
  tolerance: number,
): void {
  if (given.length !== own.length) throw new InputError('every underlying must have a price')
  own.forEach(([id, price], i) => {
    const [otherId, other] = given[i] as Price
    const isNear =
      id === otherId &&
      isWithin(microOf(other, 'price'), microOf(price, 'price'), BigInt(tolerance))
    if (!isNear) {
      throw new Refusal('ProposalMustBeNear', `${other} of underlying ${otherId}, not ${price}`)
    }
  })
}
