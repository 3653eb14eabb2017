/** What L1 binds an id to when it lists it, held against what a signer's own documents mean by the id. */
import { specificationHash } from '../registry.ts'
import { expiryOf, type InstrumentSpec } from './engine.ts'
import { Refusal } from './observe.ts'

/** Of L1: what is listed, and, where the signer's document is the proposed one, what it will list. */
export type Bindings = {
  /** The document counts already: no listing under it can be another any more. */
  readonly isFinal: boolean
  /** Seconds of L1's clock by id; 0 for what never expires. */
  readonly expiries: ReadonlyMap<number, bigint>
  readonly specifications: ReadonlyMap<number, string>
}

/**
 * Ids that are bound to another specification, or, where L1's clock is the market's, to another expiry:
 * such an instrument could never be settled.
 */
export function unboundIn(
  { expiries, specifications }: Pick<Bindings, 'expiries' | 'specifications'>,
  specs: readonly InstrumentSpec[],
  isSameClock: boolean,
): readonly number[] {
  return specs.flatMap((spec) => {
    if (spec.kind === 'cash') return []
    const isMeant = specificationHash(spec) === specifications.get(spec.id)
    const isTimed = !isSameClock || expiries.get(spec.id) === BigInt(expiryOf(spec))
    return isMeant && isTimed ? [] : [spec.id]
  })
}

/**
 * Nothing that a quorum signs names the expiry or the specification of a row: the lister says them, and
 * its word is for good once a report adopts it. So each signer looks first.
 */
export function requireBound(
  bindings: Bindings,
  specs: readonly InstrumentSpec[],
  isSameClock: boolean,
): void {
  const changed = unboundIn(bindings, specs, isSameClock)
  if (changed.length > 0)
    throw new Refusal('ListingMustMatchDocument', `L1 binds ${changed.join()} to something else`)
}
