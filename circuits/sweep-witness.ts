/** From the trace of a sweep to the inputs of its circuit. No rule is checked here. */
import { FLAG_WORD_BITS, STATUS, TREE_ARITY, TREE_DEPTH } from './params.ts'
import { slotsOf } from './account.ts'
import { challengesOf, CHALLENGE_NAMES } from './challenges.ts'
import { mod } from './field.ts'
import { times } from './lists.ts'
import { hash } from './poseidon.ts'
import { sweepInput } from './records.ts'
import { rowInputs } from './rows.ts'
import { accountsOf, MARGIN_BITS, MARGIN_COUNT, type SweepTrace } from './sweep.ts'
import type { Row } from './table.ts'
import type { WitnessInput } from './witness.ts'

export type BuiltSweep = {
  /** In the order of SWEEP_WORDS. */
  readonly words: readonly bigint[]
  readonly commitment: bigint
  /** All signals by name, once x is known. */
  readonly signals: (x: bigint, y: bigint) => WitnessInput
  /** The same as the circuit takes them. */
  readonly finish: (x: bigint, y: bigint) => WitnessInput
}

const size = (q: bigint): bigint => (q < 0n ? -q : q)
const WEIGHT = CHALLENGE_NAMES.indexOf('ACCOUNT_WEIGHT')

/** `salt` hides what C commits to. */
export function buildSweep(trace: SweepTrace, salt: bigint): BuiltSweep {
  const { state, first, flags } = trace
  const words = [
    state.tree.root,
    state.table.root,
    state.settlements.tree.root,
    BigInt(first),
    state.time,
    state.callDelay,
    BigInt(flags.length),
    flags.reduce((sum, { lack }) => sum + lack, 0n),
  ]
  const accounts = accountSignals(trace)
  const flagged = flagSignals(trace)
  const rows = rowInputs(
    { name: 'sweep', rows: trace.shape.rows, rowsPerNode: 1 },
    trace.instruments,
    state.table,
    state.settlements,
  )
  const { rowIsUsed, nodePosition, rowPlace } = rows.signals
  const bits = [
    ...rowIsUsed.flatMap((used, r) => [
      used,
      ...(nodePosition[r] as bigint[]),
      ...(rowPlace[r] as bigint[]),
    ]),
    ...rows.signals.windowBit.flat(),
    ...flagged.choice.flat(),
  ]
  const privates = [
    ...times(Math.ceil(bits.length / FLAG_WORD_BITS), (w) =>
      bits
        .slice(FLAG_WORD_BITS * w, FLAG_WORD_BITS * (w + 1))
        .reduce((sum, bit, i) => sum + (bit << BigInt(i)), 0n),
    ),
    ...flagged.lack,
    ...accounts.margin.flatMap((margins) =>
      times(Math.ceil(MARGIN_COUNT / 2), (i) =>
        mod((margins[2 * i] as bigint) + ((margins[2 * i + 1] ?? 0n) << BigInt(MARGIN_BITS))),
      ),
    ),
  ]
  const commitment = hash('COMMITMENT', [salt, ...words, ...privates])
  const signals = (x: bigint, y: bigint): WitnessInput => ({
    C: commitment,
    x,
    y,
    commitmentSalt: salt,
    word: words,
    ...accounts,
    margin: accounts.margin.map((margins) => margins.map(mod)),
    ...flagged,
    ...rows.signals,
    ...rowSums(trace, rows.list, x),
    child: pathSignals(trace),
    marksRoot: state.table.marksRoot,
    tableFlags: state.table.flags,
  })
  const finish = (x: bigint, y: bigint): WitnessInput => sweepInput(signals(x, y))
  return { words, commitment, signals, finish }
}

function accountSignals({ shape, first, swept }: SweepTrace) {
  const at = times(accountsOf(shape), (a) => swept.find(({ index }) => index === first + a))
  const empty = slotsOf({ cash: 0n, balances: [] })
  const slots = at.map((each) => (each === undefined ? empty : slotsOf(each.account)))
  return {
    isEmpty: at.map((each) => (each === undefined ? 1n : 0n)),
    ownerKeyHash: at.map((each) => each?.account.ownerKeyHash ?? 0n),
    viewKeyHash: at.map((each) => each?.account.viewKeyHash ?? 0n),
    head: at.map((each) => each?.account.head ?? 0n),
    meta: at.map((each) => each?.account.meta ?? 0n),
    salt: at.map((each) => each?.account.salt ?? 0n),
    id: slots.map((list) => list.slice(1).map(({ id }) => BigInt(id))),
    quantity: slots.map((list) => list.map(({ quantity }) => mod(quantity))),
    margin: at.map((each) => each?.margins ?? Array<bigint>(MARGIN_COUNT).fill(0n)),
  }
}

function flagSignals({ shape, first, flags }: SweepTrace) {
  const at = times(shape.flags, (k) => flags[k])
  return {
    choice: at.map((flag) =>
      times(accountsOf(shape), (a) => (flag?.index === first + a ? 1n : 0n)),
    ),
    lack: at.map((flag) => flag?.lack ?? 0n),
    since: at.map((flag) => flag?.meta.since ?? 0n),
    isCalled: at.map((flag) => (flag?.meta.status === STATUS.called ? 1n : 0n)),
    liquidationStep: at.map((flag) => BigInt(flag?.meta.step ?? 0)),
  }
}

/** The children of every node from the one above the chunk's own nodes up to the root. */
function pathSignals({ shape, first, state }: SweepTrace): bigint[][] {
  return times(TREE_DEPTH - shape.levels, (l) => {
    const level = shape.levels + l + 1
    return state.tree.children(level, Math.floor(first / TREE_ARITY ** level))
  })
}

/** The weighted quantities per row, known once x is. */
function rowSums({ shape, first, swept }: SweepTrace, rows: readonly Row[], x: bigint) {
  const weight = challengesOf(x)[WEIGHT] as bigint
  const sum = (id: number, measure: (q: bigint) => bigint): bigint => {
    let power = 1n
    let total = 0n
    for (let a = 0; a < accountsOf(shape); a++) {
      power = mod(power * weight)
      const { account } = swept.find(({ index }) => index === first + a) ?? {}
      const quantity = account?.balances.find((balance) => balance.id === id)?.quantity ?? 0n
      total = mod(total + power * mod(measure(quantity)))
    }
    return total
  }
  return {
    rowQuantity: rows.map((row) => sum(row.id, (q) => q)),
    rowSize: rows.map((row) => sum(row.id, size)),
  }
}
