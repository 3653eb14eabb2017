/**
 * A claim after a freeze: what an account is worth at the marks, proven from its leaf by its owner.
 *
 *  1. LeafMustBeInTree
 *  2. BalancesMustBeWellFormed
 *  3. MarkMustBeInTable
 *  4. SettledValueMustBeInRegister
 *  5. EquityMustFollowMarks
 */
import {
  CASH_ID,
  ROW_STATUS,
  SETTLEMENT_DEPTH,
  SLOT_COUNT,
  TABLE_DEPTH,
  TABLE_NODE_COUNT,
  TREE_ARITY,
  TREE_DEPTH,
} from './params.ts'
import { leafHash, slotsOf, type Account } from './account.ts'
import { mod } from './field.ts'
import { bitsOf, times } from './lists.ts'
import { hash } from './poseidon.ts'
import type { Row, Table } from './table.ts'
import { Tree } from './tree.ts'
import type { WitnessInput } from './witness.ts'

/** Which accounts a compiled circuit of claims takes. */
export type EscapeShape = {
  readonly name: string
  /** Nodes of eight marks over which the balances may be spread. */
  readonly nodes: number
  /** Settled instruments that the account may still hold. */
  readonly settled: number
}

/** The small one first; the large one takes every account. */
export const ESCAPE_SHAPES: readonly EscapeShape[] = [
  { name: 'escape', nodes: 8, settled: 1 },
  { name: 'escape-settled', nodes: SLOT_COUNT - 1, settled: SLOT_COUNT - 1 },
]

/** Of a table only what a claim reads: marks and statuses, and the roots beside them. */
export type MarkedTable = Pick<Table, 'rows' | 'flags' | 'root'> & {
  readonly worlds: Pick<Tree, 'root'>
}

/** Of the register what a claim reads: entries by place, and how each hashes up to the root. */
export type Register = {
  readonly rows: readonly Row[]
  readonly tree: Pick<Tree, 'root' | 'path'>
}

/** The state that a freeze leaves: the tree of the last batch, the last confirmed table and the register at it. */
export type EscapeState = {
  readonly tree: Tree
  readonly table: MarkedTable
  readonly settlements: Register
}

/** What L1 checks a claim against, in the order of the verifier's inputs. */
export type EscapeStatement = {
  readonly root: bigint
  readonly tableRoot: bigint
  readonly settlementRoot: bigint
  readonly index: bigint
  /** Micro-dollars, not negative. */
  readonly equity: bigint
}

export type EscapeRule = 'LeafMustBeInTree' | 'MarkMustBeInTable' | 'SettledValueMustBeInRegister'
export type EscapeRejection = { readonly rule: EscapeRule; readonly detail: string }

export type EscapeClaim =
  | {
      readonly ok: true
      readonly shape: EscapeShape
      readonly statement: EscapeStatement
      readonly input: WitnessInput
    }
  | { readonly ok: false; readonly rejection: EscapeRejection }

/** The tree whose root a table's posting calls marksRoot. */
export function marksTreeOf(table: Pick<Table, 'rows'>): Tree {
  const leafOf = (row: Row): bigint =>
    hash('MARK', [BigInt(row.id), mod(row.values[0] as bigint), BigInt(ROW_STATUS[row.status])])
  return new Tree(TABLE_DEPTH, table.rows.map(leafOf))
}

type Place = {
  readonly id: number
  readonly value: bigint
  readonly row: Row
  readonly isSettled: boolean
  readonly place: number
}

/** Where the value of an instrument stands; the register wins over a row that a table still has. */
function placeOf(id: number, { table, settlements }: EscapeState): Place | null {
  const settled = settlements.rows.findIndex((row) => row.id === id)
  const place = settled >= 0 ? settled : table.rows.findIndex((row) => row.id === id)
  const row = (settled >= 0 ? settlements : table).rows[place]
  if (row === undefined) return null
  return { id, value: row.values[0] as bigint, row, isSettled: settled >= 0, place }
}

/**
 * Cash plus quantity times mark, in micro-dollars; may be negative. A settled instrument counts at
 * its settlement value. Returns the id of a balance that has neither.
 */
export function worthAtMarks(
  account: Pick<Account, 'cash' | 'balances'>,
  state: EscapeState,
): bigint | { readonly missing: number } {
  let worth = account.cash
  for (const { id, quantity } of account.balances) {
    const place = placeOf(id, state)
    if (place === null) return { missing: id }
    worth += quantity * place.value
  }
  return worth
}

/** The claim of an account in the first of the shapes that takes it, or would if it were there. */
export function escapeClaim(
  index: number,
  account: Account,
  state: EscapeState,
  shapes: readonly EscapeShape[] = ESCAPE_SHAPES,
): EscapeClaim {
  const refuse = (rule: EscapeRule, detail: string): EscapeClaim => ({
    ok: false,
    rejection: { rule, detail },
  })
  // 1. LeafMustBeInTree: the leaf stands at the account's index under the root
  if (state.tree.leaf(index) !== leafHash(account))
    return refuse('LeafMustBeInTree', `the leaf of account ${index} is another one`)
  // 3. MarkMustBeInTable: or 4. SettledValueMustBeInRegister
  const worth = worthAtMarks(account, state)
  if (typeof worth !== 'bigint')
    return refuse(
      'MarkMustBeInTable',
      `instrument ${worth.missing} has no mark and has not settled`,
    )
  const places = account.balances.map(({ id }) => placeOf(id, state) as Place)
  const nodeCount = nodesOf(places).length
  const settledCount = places.filter(({ isSettled }) => isSettled).length
  const takes = ({ nodes, settled }: EscapeShape): boolean =>
    nodeCount <= nodes && settledCount <= settled
  const shape = shapes.find(takes) ?? ESCAPE_SHAPES.find(takes)
  if (shape === undefined) throw new Error('escape: no shape takes this account')
  // 5. EquityMustFollowMarks: a negative worth claims nothing
  const statement: EscapeStatement = {
    root: state.tree.root,
    tableRoot: state.table.root,
    settlementRoot: state.settlements.tree.root,
    index: BigInt(index),
    equity: worth < 0n ? 0n : worth,
  }
  return {
    ok: true,
    shape,
    statement,
    input: escapeInput(shape, account, state, statement, worth < 0n),
  }
}

function nodesOf(places: readonly Place[]): readonly number[] {
  return [
    ...new Set(places.filter((p) => !p.isSettled).map((p) => Math.floor(p.place / TREE_ARITY))),
  ]
}

/** The inputs of the circuit. No rule is checked here, so that tests can forge. */
export function escapeInput(
  shape: EscapeShape,
  account: Account,
  state: EscapeState,
  statement: EscapeStatement,
  isNegative: boolean,
): WitnessInput {
  const { tree, table, settlements } = state
  const marks = marksTreeOf(table)
  const slots = slotsOf(account)
  const held = slots.slice(1)
  const places = held.map(({ id }) => (id === 0 || id === CASH_ID ? null : placeOf(id, state)))
  const known = places.filter((place) => place !== null)
  const nodes = nodesOf(known)
  const opened = times(shape.nodes, (v) => nodes[v] ?? 0)
  const settled = known.filter(({ isSettled }) => isSettled)
  const entries = times(shape.settled, (s) => settled[s])
  const isMark = (i: number): boolean => places[i]?.isSettled === false
  return {
    ...statement,
    ownerKeyHash: account.ownerKeyHash,
    viewKeyHash: account.viewKeyHash,
    head: account.head,
    meta: account.meta,
    salt: account.salt,
    id: held.map(({ id }) => BigInt(id)),
    quantity: slots.map(({ quantity }) => mod(quantity)),
    child: tree.path(Number(statement.index), TREE_DEPTH),
    worldsRoot: table.worlds.root,
    tableFlags: table.flags,
    node: times(TABLE_NODE_COUNT, (i) => marks.node(1, i)),
    value: places.map((place) => mod(place?.value ?? 0n)),
    status: places.map((place) => BigInt(place === null ? 0 : ROW_STATUS[place.row.status])),
    bit: places.map((place) => bitsOf((place?.place ?? 0) % TREE_ARITY, 3)),
    choice: places.map((place, i) =>
      opened.map((_, v) =>
        isMark(i) && nodes.indexOf(Math.floor((place?.place ?? 0) / TREE_ARITY)) === v ? 1n : 0n,
      ),
    ),
    marks: opened.map((n) => marks.children(1, n)),
    position: opened.map((n) => bitsOf(n, 5)),
    settledId: entries.map((entry) => BigInt(entry?.id ?? 0)),
    settledValue: entries.map((entry) => mod(entry?.value ?? 0n)),
    settledBit: entries.map((entry) => bitsOf(entry?.place ?? 0, 3 * SETTLEMENT_DEPTH)),
    settledChild: entries.map((entry) =>
      entry === undefined ? blankPath() : settlements.tree.path(entry.place, SETTLEMENT_DEPTH),
    ),
    settledChoice: entries.map((entry) =>
      held.map(({ id }) => (entry !== undefined && entry.id === id ? 1n : 0n)),
    ),
    isNegative: isNegative ? 1n : 0n,
  }
}

/** A path that hashes up from the entry of an unused slot: instrument 0, value 0, at place 0. */
function blankPath(): bigint[][] {
  const tree = new Tree(SETTLEMENT_DEPTH)
  const info = BigInt(ROW_STATUS.settled) << 28n
  tree.set(0, hash('SETTLED', [info, ...Array<bigint>(15).fill(0n)]))
  return tree.path(0, SETTLEMENT_DEPTH)
}
