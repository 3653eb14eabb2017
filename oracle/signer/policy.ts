/**
 * All of a market but its prices: rates, volatilities, ranges, funding. Whoever runs the signers
 * agrees on it beforehand; a file of it is read again at each look, so that what computes ranges or
 * funding can be another process.
 */
import { InputError, listOf, objectOf, textOf } from './canonical.ts'
import { canonicalDecimal } from './decimal.ts'
import {
  readPerpetuals,
  readVolGrid,
  type MarketDocument,
  type PerpetualState,
  type UnderlyingState,
} from './engine.ts'
import { readText } from './sources.ts'

export type UnderlyingPolicy = Omit<UnderlyingState, 'id' | 'spot'>
export type Policy = {
  readonly rate: string
  readonly underlyings: readonly UnderlyingPolicy[]
  readonly perpetuals: readonly PerpetualState[]
}
const KEYS = ['name', 'vol', 'scanRange', 'liquidity', 'volGrid'] as const
const BYTES = 65_536

export function policyFrom(value: unknown): Policy {
  const given = objectOf(value, ['rate', 'underlyings', 'perpetuals'], 'policy')
  const underlyings = listOf(given['underlyings'], 'underlyings', 256).map((item) => {
    const one = objectOf(item, KEYS, 'policy of an underlying')
    return {
      name: textOf(one['name'], 'name'),
      vol: canonicalDecimal(one['vol'], 'vol'),
      scanRange: canonicalDecimal(one['scanRange'], 'scanRange'),
      liquidity: canonicalDecimal(one['liquidity'], 'liquidity'),
      volGrid: readVolGrid(one['volGrid']),
    }
  })
  const names = new Set(underlyings.map(({ name }) => name))
  if (names.size !== underlyings.length) throw new InputError('a policy must name each once')
  const perpetuals = readPerpetuals(given['perpetuals'])
  return { rate: canonicalDecimal(given['rate'], 'rate'), underlyings, perpetuals }
}

/** A path, or the policy itself. */
export async function currentPolicy(policy: Policy | string): Promise<Policy> {
  if (typeof policy !== 'string') return policy
  return policyFrom(JSON.parse(await readText(policy, BYTES)))
}

export function marketOf(
  policy: Policy,
  time: number,
  prices: readonly { readonly id: number; readonly name: string; readonly spot: string }[],
): MarketDocument {
  const underlyings = prices.map(({ id, name, spot }) => {
    const found = policy.underlyings.find((one) => one.name === name)
    if (found === undefined) throw new InputError(`the policy must have ${name}`)
    return { id, ...found, spot }
  })
  return { version: 1, time, rate: policy.rate, underlyings, perpetuals: policy.perpetuals }
}
