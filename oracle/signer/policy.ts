/**
 * All of a market but its prices: rates, volatilities, ranges, halts. Whoever runs the signers
 * agrees on it beforehand; a file of it is read again at each look, so that what computes ranges can
 * be another process.
 */
import { InputError, listOf, objectOf, textOf } from './canonical.ts'
import { canonicalDecimal } from './decimal.ts'
import {
  readCurve,
  readHalted,
  readPerpetuals,
  readVolGrid,
  type GivenPerpetual,
  type UnderlyingState,
} from './market-document.ts'
import { readText } from './sources.ts'

export type UnderlyingPolicy = Omit<UnderlyingState, 'id' | 'spot'>
export type Policy = {
  readonly rate: string
  readonly underlyings: readonly UnderlyingPolicy[]
  /** Empty where funding is computed from quotes. */
  readonly perpetuals: readonly GivenPerpetual[]
  /** Ids that are not traded for now; those that are not in the table count nothing. */
  readonly halted: readonly number[]
}
const KEYS = ['name', 'vol', 'scanRange', 'liquidity', 'volGrid', 'carry', 'discount'] as const
const BYTES = 65_536
/** Without curves the one rate holds for all expiries. */
const FLAT = { carry: [], discount: [] }

function withDefaults(value: unknown, defaults: object): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? { ...defaults, ...value } : value
}

export function policyFrom(value: unknown): Policy {
  const given = objectOf(
    withDefaults(value, { halted: [] }),
    ['rate', 'underlyings', 'perpetuals', 'halted'],
    'policy',
  )
  const underlyings = listOf(given['underlyings'], 'underlyings', 256).map((item) => {
    const one = objectOf(withDefaults(item, FLAT), KEYS, 'policy of an underlying')
    return {
      name: textOf(one['name'], 'name'),
      vol: canonicalDecimal(one['vol'], 'vol'),
      scanRange: canonicalDecimal(one['scanRange'], 'scanRange'),
      liquidity: canonicalDecimal(one['liquidity'], 'liquidity'),
      volGrid: readVolGrid(one['volGrid']),
      carry: readCurve(one['carry'], 'carry'),
      discount: readCurve(one['discount'], 'discount'),
    }
  })
  const names = new Set(underlyings.map(({ name }) => name))
  if (names.size !== underlyings.length) throw new InputError('a policy must name each once')
  const perpetuals = readPerpetuals(given['perpetuals'])
  const halted = readHalted(given['halted'])
  return { rate: canonicalDecimal(given['rate'], 'rate'), underlyings, perpetuals, halted }
}

/** A path, or the policy itself. */
export async function currentPolicy(policy: Policy | string): Promise<Policy> {
  if (typeof policy !== 'string') return policy
  return policyFrom(JSON.parse(await readText(policy, BYTES)))
}

export type PricedUnderlying = {
  readonly id: number
  readonly name: string
  readonly spot: string
}

/** The states of the underlyings of a market at these prices. */
export function underlyingsOf(
  policy: Policy,
  prices: readonly PricedUnderlying[],
): readonly UnderlyingState[] {
  return prices.map(({ id, name, spot }) => {
    const found = policy.underlyings.find((one) => one.name === name)
    if (found === undefined) throw new InputError(`the policy must have ${name}`)
    return { id, ...found, spot }
  })
}
