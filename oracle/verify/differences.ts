/** Where two tables differ: row, world, expected, posted. */
import { ROW_STATUS } from '../../circuits/params.ts'
import type { Row } from '../../circuits/table.ts'
import type { Mark } from '../signer/report.ts'

/** One number of one row; `world` is the world's index, or the name of what is not a world. */
export type Difference = {
  readonly row: number
  readonly name: string
  readonly world: string
  readonly expected: string
  readonly posted: string
}

type Names = ReadonlyMap<number, string>
const difference = (
  names: Names,
  row: number,
  world: string,
  expected: unknown,
  posted: unknown,
): Difference[] =>
  expected === posted
    ? []
    : [
        {
          row,
          name: names.get(row) ?? '',
          world,
          expected: String(expected),
          posted: String(posted),
        },
      ]

export function markDifferences(
  expected: readonly Row[],
  marks: readonly Mark[],
  names: Names,
): readonly Difference[] {
  const posted = new Map(marks.map((mark) => [mark.id, mark]))
  const known = new Set(expected.map(({ id }) => id))
  return [
    ...expected.flatMap((row) => {
      const mark = posted.get(row.id)
      if (mark === undefined) return difference(names, row.id, 'row', 'present', 'absent')
      return [
        ...difference(names, row.id, '0', row.values[0], mark.mark),
        ...difference(names, row.id, 'status', ROW_STATUS[row.status], mark.status),
      ]
    }),
    ...marks.flatMap(({ id }) =>
      known.has(id) ? [] : difference(names, id, 'row', 'absent', 'present'),
    ),
  ]
}

export function rowDifferences(
  expected: readonly Row[],
  rows: readonly Row[],
  names: Names,
): readonly Difference[] {
  const posted = new Map(rows.map((row) => [row.id, row]))
  const known = new Set(expected.map(({ id }) => id))
  return [
    ...expected.flatMap((row) => {
      const other = posted.get(row.id)
      if (other === undefined) return difference(names, row.id, 'row', 'present', 'absent')
      return [
        ...row.values.flatMap((value, s) =>
          difference(names, row.id, String(s), value, other.values[s]),
        ),
        ...difference(names, row.id, 'add-on', row.addOn, other.addOn),
        ...difference(names, row.id, 'status', ROW_STATUS[row.status], ROW_STATUS[other.status]),
      ]
    }),
    ...rows.flatMap(({ id }) =>
      known.has(id) ? [] : difference(names, id, 'row', 'absent', 'present'),
    ),
  ]
}

/** Marks are compared twice where the rows are given as well. */
export function unique(differences: readonly Difference[]): readonly Difference[] {
  const seen = new Map(differences.map((one) => [JSON.stringify(one), one]))
  return [...seen.values()]
}
