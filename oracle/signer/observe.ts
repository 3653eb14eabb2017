/** From several sources to one price per underlying, or a reason why there is none. */
import { BASIS, isWithin, medianOf, mulDivDown } from './decimal.ts'
import { readSource, type Sample, type SourceConfig, type SourceLimits } from './sources.ts'

export type ObservePolicy = {
  /** Oldest that a sample may be, in seconds of the market's clock. */
  readonly maxAge: number
  /** Samples farther than this from the median, in basis points, are left out. */
  readonly maxSpread: number
  /** Fewer than this many left, and nothing is said. */
  readonly minSources: number
}
export type Observed = {
  /** Micros. */
  readonly price: bigint
  readonly sources: number
  /** Largest distance of a counted source from the price, in basis points, rounded down. */
  readonly spread: number
  /** Why the others do not count. */
  readonly problems: readonly string[]
}

/** What a signer will not say, by the name of its rule. */
export class Refusal extends Error {
  readonly rule: string
  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}

/** Clocks of sources may be ahead by this many seconds. */
const CLOCK_SLACK = 5

/**
 * The median of the fresh samples, taken again of those within maxSpread of it: one broken source
 * neither moves the price far nor silences the signer; sources that disagree at large do.
 */
export function priceFrom(
  samples: readonly (Sample | Error)[],
  now: number,
  policy: ObservePolicy,
  name: string,
): Observed {
  const problems: string[] = []
  const fresh = samples.flatMap((sample, i) => {
    const problem =
      sample instanceof Error
        ? sample.message
        : sample.time > now + CLOCK_SLACK
          ? `its time ${sample.time} is ahead`
          : now - sample.time > policy.maxAge
            ? `its price is ${now - sample.time} s old`
            : null
    if (problem !== null) problems.push(`source ${i + 1}: ${problem}`)
    return problem === null ? [(sample as Sample).price] : []
  })
  requireCount(fresh.length, policy, name, problems)
  const first = medianOf(fresh)
  const bound = BigInt(policy.maxSpread)
  const near = fresh.filter((price) => isWithin(price, first, bound))
  if (near.length < fresh.length) {
    problems.push(`${fresh.length - near.length} more than ${policy.maxSpread} bp from the median`)
  }
  requireCount(near.length, policy, name, problems)
  const price = medianOf(near)
  const distances = near.map((one) => (one > price ? one - price : price - one))
  const largest = distances.reduce((a, b) => (a > b ? a : b), 0n)
  const spread = Number(mulDivDown(largest, BASIS, price))
  return { price, sources: near.length, spread, problems }
}

function requireCount(
  count: number,
  policy: ObservePolicy,
  name: string,
  problems: readonly string[],
): void {
  if (count >= policy.minSources) return
  const why = problems.length === 0 ? '' : ` (${problems.join('; ')})`
  throw new Refusal(
    'SourcesMustSuffice',
    `${name} has ${count} good sources of at least ${policy.minSources}${why}`,
  )
}

export async function observe(
  sources: readonly SourceConfig[],
  now: number,
  policy: ObservePolicy,
  name: string,
  limits?: SourceLimits,
): Promise<Observed> {
  const settled = await Promise.allSettled(sources.map((one) => readSource(one, now, limits)))
  const samples = settled.map((one): Sample | Error => {
    if (one.status === 'fulfilled') return one.value
    return one.reason instanceof Error ? one.reason : new Error(String(one.reason))
  })
  return priceFrom(samples, now, policy, name)
}
