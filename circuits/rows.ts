/** The rows that a batch opens: where each instrument stands, and how rows share the nodes they are read from. */
import {
  NODE_POSITION_BITS,
  ROW_STATUS,
  ROW_VALUE_COUNT,
  SETTLEMENT_DEPTH,
  TABLE_NODE_COUNT,
  TREE_ARITY,
  WINDOW_COUNT,
  WINDOW_DEPTH,
  type Shape,
} from './params.ts'
import { mod } from './field.ts'
import { bitsOf, times } from './lists.ts'
import type { Row, Settlements, Table } from './table.ts'

/** A row of the table, or an entry of the settlement register: `place` is its leaf there. */
export type RowPlace = { readonly row: Row; readonly isSettled: boolean; readonly place: number }

/** Where each instrument stands; a settled value wins. Instruments that stand nowhere are left out. */
export function placesOf(
  instruments: readonly number[],
  table: Table,
  settlements: Settlements,
): readonly RowPlace[] {
  return instruments.flatMap((id) => {
    const settled = settlements.rows.findIndex((row) => row.id === id)
    const isSettled = settled >= 0
    const place = isSettled ? settled : table.rows.findIndex((row) => row.id === id)
    const row = (isSettled ? settlements : table).rows[place]
    return row === undefined ? [] : [{ row, isSettled, place }]
  })
}

/** Runs of at most `size` neighbours that are read from one node, in the order of their ids. */
export function groupByNode(
  places: readonly RowPlace[],
  size: number,
): readonly (readonly RowPlace[])[] {
  const groups: RowPlace[][] = []
  for (const place of places) {
    const last = groups.at(-1)
    const first = last?.[0]
    const isSameNode =
      first !== undefined && first.isSettled === place.isSettled && nodeOf(first) === nodeOf(place)
    if (last !== undefined && isSameNode && last.length < size) last.push(place)
    else groups.push([place])
  }
  return groups
}

function nodeOf(place: RowPlace): number {
  return Math.floor(place.place / TREE_ARITY)
}

const BLANK: Row = {
  id: 0,
  status: 'live',
  addOn: 0n,
  values: Array<bigint>(ROW_VALUE_COUNT).fill(0n),
}

export type RowInputs = {
  /** One a row slot; the unused are blank. */
  readonly list: readonly Row[]
  readonly signals: {
    rowIsUsed: bigint[]
    nodePosition: bigint[][]
    nodeChild: bigint[][]
    rowPlace: bigint[][]
    rowId: bigint[]
    rowStatus: bigint[]
    rowAddOn: bigint[]
    rowValue: bigint[][]
    tableNode: bigint[]
    settledNode: bigint[][]
    windowBit: bigint[][]
    windowChild: bigint[][][]
  }
}

/** Row slots of the circuit: the rows of the instruments, unused slots where a node is not read in full. */
export function rowInputs(
  shape: Pick<Shape, 'name' | 'rows' | 'rowsPerNode'>,
  instruments: readonly number[],
  table: Table,
  settlements: Settlements,
): RowInputs {
  const places = placesOf(instruments, table, settlements)
  const nodeCount = shape.rows / shape.rowsPerNode
  const groups = groupByNode(places, shape.rowsPerNode)
  if (places.length < instruments.length || groups.length > nodeCount)
    throw new Error(`witness: ${instruments.length} instruments do not fit shape ${shape.name}`)
  const windowSize = TREE_ARITY ** WINDOW_DEPTH
  const used = new Set(
    places.filter((p) => p.isSettled).map((p) => Math.floor(p.place / windowSize)),
  )
  if (used.size > WINDOW_COUNT)
    throw new Error(
      `witness: settled instruments of more than ${WINDOW_COUNT} windows in one batch`,
    )
  const windows = [...used, ...Array<number>(WINDOW_COUNT).fill(0)].slice(0, WINDOW_COUNT)
  const slots = times(shape.rows, (i) => {
    const group = groups[Math.floor(i / shape.rowsPerNode)]
    return group?.[i % shape.rowsPerNode]
  })
  // An unused node slot opens the first node of the table.
  const nodes = times(nodeCount, (n) => groups[n]?.[0])
  return {
    list: slots.map((p) => p?.row ?? BLANK),
    signals: {
      rowIsUsed: slots.map((p) => (p === undefined ? 0n : 1n)),
      nodePosition: nodes.map((p) =>
        p === undefined ? bitsOf(0, NODE_POSITION_BITS) : nodePosition(p, windows),
      ),
      nodeChild: nodes.map((p) =>
        (p?.isSettled ? settlements.tree : table.worlds).children(
          1,
          p === undefined ? 0 : nodeOf(p),
        ),
      ),
      rowPlace: slots.map((p) => bitsOf((p?.place ?? 0) % TREE_ARITY, 3)),
      rowId: slots.map((p) => BigInt(p?.row.id ?? 0)),
      rowStatus: slots.map((p) => (p === undefined ? 0n : BigInt(ROW_STATUS[p.row.status]))),
      rowAddOn: slots.map((p) => p?.row.addOn ?? 0n),
      rowValue: slots.map((p) => (p?.row ?? BLANK).values.map(mod)),
      tableNode: times(TABLE_NODE_COUNT, (i) => table.worlds.node(1, i)),
      settledNode: windows.map((w) => settlements.tree.children(WINDOW_DEPTH, w)),
      windowBit: windows.map((w) => bitsOf(w, 3 * (SETTLEMENT_DEPTH - WINDOW_DEPTH))),
      windowChild: windows.map((w) =>
        times(SETTLEMENT_DEPTH - WINDOW_DEPTH, (l) =>
          settlements.tree.children(WINDOW_DEPTH + l + 1, Math.floor(w / TREE_ARITY ** (l + 1))),
        ),
      ),
    },
  }
}

/** 5 bits of node (in the register: 3 bits and the window), 1 bit for the register. */
function nodePosition(place: RowPlace, windows: readonly number[]): bigint[] {
  const nodesOfWindow = TREE_ARITY ** (WINDOW_DEPTH - 1)
  const node = nodeOf(place)
  const shown = place.isSettled
    ? windows.indexOf(Math.floor(node / nodesOfWindow)) * nodesOfWindow + (node % nodesOfWindow)
    : node
  return [...bitsOf(shown, NODE_POSITION_BITS - 1), place.isSettled ? 1n : 0n]
}
