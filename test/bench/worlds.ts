/**
 * What sixteen worlds miss that thirty-two or a dense grid see, on random books; and how long a table
 * takes. Usage: tsx test/bench/worlds.ts [books]
 */
import { hrtime } from 'node:process'
import { gapsOf, valuesOf } from '../../oracle/published/our-worlds.ts'
import { rowsOf } from '../../oracle/liquidation.ts'
import { tableOf } from '../../circuits/table.ts'
import type { InstrumentSpec } from '../../oracle/instruments.ts'
import { WORLDS, worldSet, type World, type WorldSet } from '../../oracle/worlds.ts'
import { MARKET, randomBook, TIME, type Style } from './random-books.ts'
import { tableText } from './table.ts'

type Grid = 'price x vol' | 'and skew, twist' | 'prices apart'

const TOGETHER = Array.from({ length: 25 }, (_, i) => (i - 12) / 4)
const THIRDS = [-3, -2, -1, 0, 1, 2, 3]
const APART = THIRDS.flatMap((others) => THIRDS.map((ETH) => ({ '*': others, ETH })))

/**
 * 25 prices, three volatilities, the worlds of standard-32; on demand five skews and twists of each, or
 * seven prices of either underlying beside each of the other.
 */
function denseSet(grid: Grid): WorldSet {
  const base = worldSet('standard-32')
  const turns: readonly (readonly [number, number])[] =
    grid !== 'and skew, twist'
      ? [[0, 0]]
      : [
          [0, 0],
          [-0.15, 0],
          [0.15, 0],
          [0, 0.2],
          [0, -0.2],
        ]
  const more: World[] = []
  for (const scan of grid === 'prices apart' ? APART : TOGETHER)
    for (const vol of [-0.5, 0, 0.5])
      for (const [skew, twist] of turns)
        more.push({
          kind: 'scan',
          name: `dense ${more.length}`,
          scan,
          move: 0,
          vol,
          skew,
          twist,
          rate: 0,
          weight: 1,
        })
  const kept = base.worlds.filter(
    (world) =>
      grid === 'and skew, twist' ||
      world.kind === 'mark' ||
      (world.skew === 0 && world.twist === 0),
  )
  return { ...base, name: grid, worlds: [...kept, ...more] }
}

const loss = (values: readonly number[]): number => (values[0] as number) - Math.min(...values)
const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] as number).toFixed(3)

function compare(style: Style, grid: Grid, count: number): readonly (readonly string[])[] {
  const sets = [worldSet('standard-16'), worldSet('standard-32')]
  const dense = denseSet(grid)
  const ratios = sets.map(() => [] as number[])
  const charged = sets.map(() => [] as number[])
  for (let seed = 1; seed <= count; seed++) {
    const book = randomBook(seed, style)
    const full = loss(valuesOf(book, dense))
    // A book that loses next to nothing anywhere has no ratio to speak of.
    if (full < 1) continue
    sets.forEach((set, i) => {
      const bare = loss(valuesOf(book, set))
      ratios[i]?.push(bare / full)
      charged[i]?.push((bare + gapsOf(book, set)) / full)
    })
  }
  return sets.map((set, i) => {
    const figures = [ratios[i], charged[i]].flatMap((values = []) => {
      const sorted = [...values].sort((a, b) => a - b)
      const below = sorted.filter((ratio) => ratio < 0.9).length / sorted.length
      return [at(sorted, 0), at(sorted, 0.01), at(sorted, 0.5), `${(100 * below).toFixed(1)} %`]
    })
    return [style, grid, set.name, ...figures]
  })
}

export function timeOfTable(instrumentCount: number): { rows: number; hash: number } {
  const instruments = Array.from({ length: instrumentCount }, (_, i): InstrumentSpec => ({
    kind: i % 2 === 0 ? 'call' : 'put',
    id: 1024 + i,
    name: `I${i}`,
    underlying: i % 3 ? 'BTC' : 'ETH',
    lot: '0.01',
    strike: BigInt(1000 + 37 * i) * 1_000_000n,
    expiry: TIME + (1 + (i % 12)) * 15 * 86_400,
  }))
  const time = (work: () => void): number => {
    const start = hrtime.bigint()
    work()
    return Number(hrtime.bigint() - start) / 1e6
  }
  rowsOf(MARKET, instruments.slice(0, 20), WORLDS)
  const rows = time(() => rowsOf(MARKET, instruments, WORLDS))
  const built = rowsOf(MARKET, instruments, WORLDS)
  return { rows, hash: time(() => tableOf(built)) }
}

export function worldsReport(count: number): string {
  const lines = [
    ...(['options', 'spreads', 'mixed'] as const).flatMap((style) =>
      (['price x vol', 'and skew, twist'] as const).flatMap((grid) => compare(style, grid, count)),
    ),
    ...compare('mixed', 'prices apart', count),
  ]
  const columns = ['lowest', '1 %', 'median', 'below 0.9']
  const head = ['books', 'grid', 'set', ...columns, ...columns.map((name) => `${name} +`)]
  return `Worst loss of a world set over that of a dense grid (1 is all of it);\n+ with the charge for gaps\n\n${tableText(head, lines)}`
}

export function tableReport(): string {
  const { rows, hash } = timeOfTable(200)
  return (
    'A table of 200 options in 16 worlds, one core: ' +
    `${rows.toFixed(0)} ms for its values, ${hash.toFixed(0)} ms for its roots`
  )
}

if (import.meta.filename === process.argv[1]) {
  console.log(worldsReport(Number(process.argv[2] ?? '1000')))
  console.log(`\n${tableReport()}`)
}
