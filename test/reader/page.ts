/** The constants of the format, read from docs/encodings.md itself: what it lacks, nobody has. */
import { readFileSync } from 'node:fs'

export type Part = { readonly name: string; readonly first: number; readonly count: number }
export type Page = {
  readonly tags: ReadonlyMap<string, bigint>
  readonly numbers: ReadonlyMap<string, bigint>
  /** Names of the words of a row, by part. */
  readonly rows: ReadonlyMap<string, readonly string[]>
  readonly shapes: ReadonlyMap<string, readonly Part[]>
  readonly modulus: bigint
  readonly events: readonly string[]
}

export function readPage(path = 'docs/encodings.md'): Page {
  const text = readFileSync(path, 'utf8')
  const cells = (block: string): string[][] =>
    block
      .split('\n')
      .filter((line) => line.startsWith('|') && !line.startsWith('|--'))
      .slice(1)
      .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
      .map((row) => row.map((cell) => cell.trim()))
  const section = (title: string): string =>
    text.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const whole = text.split(/^## /m)[0] ?? ''
  const shapes = section('Public words').split(/^### /m).slice(1)
  const modulus = /\b(\d{77})\b/.exec(section('Poseidon'))?.[1]
  if (modulus === undefined) throw new Error('the page does not name the modulus')
  return {
    tags: new Map(cells(whole).map(([name = '', tag = '']) => [name, BigInt(tag)])),
    numbers: new Map(cells(section('Numbers')).map(([n = '', value = '']) => [n, BigInt(value)])),
    rows: new Map(cells(section('Words of a row')).map(([n = '', w = '']) => [n, w.split(', ')])),
    shapes: new Map(
      shapes.map((block) => [
        block.slice(0, block.indexOf('\n')),
        cells(block).map(([first, name = '', count]) => ({
          name,
          first: Number(first),
          count: Number(count),
        })),
      ]),
    ),
    modulus: BigInt(modulus),
    events: (/```\n([^`]*)```/.exec(section('Reading L1'))?.[1] ?? '').trim().split('\n'),
  }
}
