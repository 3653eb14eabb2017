/**
 * What a signer has seen, in a file of lines, so that a restart inside a settlement window or a
 * funding interval forgets nothing but the seconds of the restart.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { InputError, objectOf, textOf, wholeOf } from './canonical.ts'
import { integerOf } from './report.ts'
import type { NamedSample } from './window.ts'

const lineOf = ({ name, price, time }: NamedSample): string =>
  `${JSON.stringify({ name, price: String(price), time })}\n`

function sampleFrom(line: string): NamedSample {
  const given = objectOf(JSON.parse(line), ['name', 'price', 'time'], 'sample')
  return {
    name: textOf(given['name'], 'name'),
    price: integerOf(given['price'], 'price'),
    time: wholeOf(given['time'], 'time'),
  }
}

/** Samples in the order in which they were seen. A line that a crash cut short is left out. */
export function readSamples(path: string): readonly NamedSample[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // What stands behind the last line break was never whole.
  return lines.slice(0, -1).map((line, i) => {
    try {
      return sampleFrom(line)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new InputError(`${path}, line ${i + 1}: ${why}`)
    }
  })
}

/**
 * The samples of a file that are young enough for any window, and a way to add to it. The file is
 * written anew with these alone, renamed into place: it does not grow for ever.
 */
export function sampleFile(
  path: string,
  keepSeconds: number,
): { readonly samples: readonly NamedSample[]; readonly keepSample: (one: NamedSample) => void } {
  const all = readSamples(path)
  const newest = all.reduce((time, one) => Math.max(time, one.time), 0)
  const samples = all.filter(({ time }) => time >= newest - keepSeconds)
  writeFileSync(`${path}.tmp`, samples.map(lineOf).join(''), { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
  return { samples, keepSample: (one) => appendFileSync(path, lineOf(one)) }
}
