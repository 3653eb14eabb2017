/** Averages by time over a settlement window, from samples that a signer kept. */
import { Refusal } from './observe.ts'
import { mulDivDown } from './decimal.ts'
import type { Sample } from './sources.ts'

/**
 * The average over [start, end) of the step function that each sample begins, in micros, rounded
 * down (less than one micro, the same for both sides of every trade). It refuses unless a sample
 * is known from at most maxGap before the start, and at least every maxGap until the end: a window
 * with a hole is an average of something else.
 */
export function timeWeighted(
  samples: readonly Sample[],
  start: number,
  end: number,
  maxGap: number,
): bigint {
  if (!(end > start)) throw new RangeError('window: the end must come after the start')
  const sorted = [...samples].sort((a, b) => a.time - b.time).filter(({ time }) => time < end)
  const first = sorted.findLastIndex(({ time }) => time <= start)
  const opening = sorted[first]
  if (opening === undefined || start - opening.time > maxGap) {
    throw new Refusal('WindowMustBeCovered', `no sample within ${maxGap} s before ${start}`)
  }
  let sum = 0n
  let at = start
  let last = opening
  for (const sample of [...sorted.slice(first + 1), { price: 0n, time: end }]) {
    if (sample.time - last.time > maxGap) {
      throw new Refusal('WindowMustBeCovered', `no sample from ${last.time} to ${sample.time}`)
    }
    // 63 bits of price and 38 of time: a bigint has no width to pass.
    sum += last.price * BigInt(Math.max(sample.time - at, 0))
    at = Math.max(sample.time, at)
    last = sample
  }
  return mulDivDown(sum, 1n, BigInt(end - start))
}

/** Of an underlying or of the premium of a perpetual, by name. */
export type NamedSample = Sample & { readonly name: string }

/** Keeps what one underlying was worth, and forgets what no window can need any more. */
export class SampleLog {
  private readonly samples = new Map<string, Sample[]>()
  private readonly keepSeconds: number
  private keep: (sample: NamedSample) => void = () => {}

  /**
   * @param saved What was known before, in any order of names, ascending in time for each.
   * @param keep Called with every sample that is new.
   */
  constructor(
    keepSeconds: number,
    saved: readonly NamedSample[] = [],
    keep: (sample: NamedSample) => void = () => {},
  ) {
    this.keepSeconds = keepSeconds
    for (const { name, price, time } of saved) this.add(name, { price, time })
    this.keep = keep
  }

  add(name: string, sample: Sample): void {
    const list = this.samples.get(name) ?? []
    const last = list.at(-1)
    // The first word on a second stands: what is known later must not change an average.
    if (last !== undefined && sample.time <= last.time) return
    const kept = list.filter(({ time }) => time >= sample.time - this.keepSeconds)
    this.samples.set(name, [...kept, sample])
    this.keep({ name, ...sample })
  }

  of(name: string): readonly Sample[] {
    return this.samples.get(name) ?? []
  }
}
