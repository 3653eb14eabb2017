/** The sweep: an operator that spares one insolvent account cannot post it, and each forgery has its rule. */
import { expect, test } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import { FIELD_MODULUS, STATUS, TIME_BITS } from '../../circuits/params.ts'
import { sweepInput } from '../../circuits/records.ts'
import { statementOf } from '../../circuits/statement.ts'
import {
  MARGIN_COUNT,
  MARGIN_FACTOR,
  SWEEP_SHAPES,
  SWEEP_WORDS,
  accountsOf,
  lackOf,
  marginsOf,
  metaOf,
  sweepChunk,
  type SweepOutcome,
  type SweepShape,
  type SweepState,
  type SweepTrace,
} from '../../circuits/sweep.ts'
import { buildSweep } from '../../circuits/sweep-witness.ts'
import { rowLookup, settledRow, type Row } from '../../circuits/table.ts'
import { evaluateWords } from '../../circuits/words.ts'
import type { WitnessInput } from '../../circuits/witness.ts'
import { row } from './house.ts'
import { TIME, accountOf, compiledCircuit, stateOf, type HandMade } from './states.ts'

const mini = SWEEP_SHAPES.find(({ name }) => name === 'sweep-mini') as SweepShape
const circuit = await compiledCircuit('sweep-mini')
const CALL_DELAY = 86_400n
const SCOPE = { chainId: 31337n, contract: 77n, keyHash: 88n }
const rows: readonly Row[] = [
  row(2, 1_000_000n),
  row(1024, 50_000_000n),
  row(1025, 2_000_000n),
  row(1026, 500_000n),
]
const settled = [settledRow(5_000, 1_000n)]

const meta = (status: number, since: bigint, step = 0n): bigint =>
  BigInt(status) + 8n * since + (step << BigInt(3 + TIME_BITS))
const solvent = accountOf(100_000_000n, [{ id: 1024, quantity: 1n }])
/** Long 3 of 1024, worth 150: in the world of -66 % it is worth 51, in fifths of the way 70.8. */
const thin = (cash: bigint, over: Partial<Account> = {}) =>
  accountOf(cash, [{ id: 1024, quantity: 3n }], over)

const fromHand = (state: HandMade): SweepState => ({ ...state, time: TIME, callDelay: CALL_DELAY })
const state = (accounts: Readonly<Record<number, Account>>) =>
  fromHand(stateOf(accounts, rows, settled))

function traceOf(outcome: SweepOutcome): SweepTrace {
  if (!outcome.ok) throw new Error(`${outcome.rule}: ${outcome.detail}`)
  return outcome.trace
}
function inputOf(trace: SweepTrace): WitnessInput {
  const built = buildSweep(trace, 99n)
  const { x, y } = statementOf(SCOPE, built.commitment, built.words)
  return built.signals(x, y)
}
const failedAt = (signals: WitnessInput): string | null => circuit.failedRule(sweepInput(signals))
const failed = (trace: SweepTrace): string | null => failedAt(inputOf(trace))

/** The trace of a prover that obeys no rule: margins as they are, and the flags that it claims. */
function lieOf(
  sweepState: SweepState,
  over: Partial<SweepTrace> = {},
  shape = mini,
  first = 0,
): SweepTrace {
  const rowOf = rowLookup(sweepState.table, sweepState.settlements)
  const swept = [...sweepState.accounts]
    .filter(([index]) => index >= first && index < first + accountsOf(shape))
    .map(([index, account]) => ({
      index,
      account,
      margins: marginsOf(account, rowOf) as readonly bigint[],
    }))
  const held = new Set(swept.flatMap(({ account }) => account.balances.map(({ id }) => id)))
  return {
    shape,
    first,
    state: sweepState,
    swept,
    flags: [],
    instruments: [...held].sort((a, b) => a - b),
    ...over,
  }
}

test('maintenance is four fifths of the way from the mark to each world', () => {
  const margins = marginsOf(
    thin(-70_000_000n),
    rowLookup(stateOf({}, rows).table, stateOf({}, rows).settlements),
  ) as readonly bigint[]
  expect(margins).toHaveLength(MARGIN_COUNT)
  // -66 % is world 13: mark 80, world -19 less an add-on of 6 lots: 80 - 4/5 * (99.000006).
  expect(margins[13]).toBe(80_000_000n + 4n * (-70_000_000n + 51_000_000n - 6n))
  // The variation world: everything but tokens at its mark, not scaled.
  expect(margins[14]).toBe(5n * 80_000_000n)
  expect(lackOf([1n, -1n])).toBe(1n)
  expect(lackOf([0n, 5n])).toBe(0n)
  expect(lackOf([-5n])).toBe(1n)
  expect(lackOf([-6n])).toBe(2n)
})

test('solvent accounts pass, also empty ones, house accounts and a full chunk', () => {
  const full = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [
      i,
      accountOf(BigInt(1_000_000_000 + i), [
        { id: 2, quantity: 5n },
        { id: 1024, quantity: BigInt(i - 4) || 1n },
        { id: 1026, quantity: 7n },
      ]),
    ]),
  )
  for (const accounts of [{}, { 0: accountOf(3n) }, { 3: solvent, 7: accountOf(0n) }, full]) {
    const trace = traceOf(sweepChunk(mini, 0, state(accounts)))
    expect(trace.flags).toEqual([])
    expect(failed(trace)).toBeNull()
  }
  const later = traceOf(
    sweepChunk(mini, 1_000, state({ 1_001: solvent, 999: thin(-1_000_000_000n) })),
  )
  expect(failed(later)).toBeNull()
})

test('an unconverted settled instrument counts at its settlement value', () => {
  const held = accountOf(-4_000n, [{ id: 5_000, quantity: 4n }])
  expect(failed(traceOf(sweepChunk(mini, 0, state({ 2: held }))))).toBeNull()
  const short = state({ 2: accountOf(-4_001n, [{ id: 5_000, quantity: 4n }]) })
  expect(sweepChunk(mini, 0, short)).toMatchObject({ ok: false, rule: 'MaintenanceMustHold' })
  expect(failed(lieOf(short))).toBe('MaintenanceMustHold')
})

/** Cash with which the lowest margin of `thin` is exactly zero, in whole micro-dollars above. */
function edgeCash(): bigint {
  let [low, high] = [-200_000_000n, 0n]
  const empty = stateOf({}, rows)
  const rowOf = rowLookup(empty.table, empty.settlements)
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (lackOf(marginsOf(thin(middle), rowOf) as readonly bigint[]) === 0n) high = middle
    else low = middle
  }
  return high
}

test('an operator that spares one insolvent account cannot post the sweep', () => {
  const edge = edgeCash()
  expect(failed(traceOf(sweepChunk(mini, 0, state({ 1: solvent, 5: thin(edge) }))))).toBeNull()
  const friend = state({ 1: solvent, 5: thin(edge - 1n), 6: solvent })
  expect(sweepChunk(mini, 0, friend)).toMatchObject({
    ok: false,
    rule: 'MaintenanceMustHold',
    account: 5,
  })
  // Its margins as they are.
  expect(failed(lieOf(friend))).toBe('MaintenanceMustHold')
  const truth = lieOf(friend)
  const swept = (i: number, over: object) =>
    truth.swept.map((each, k) => (k === i ? { ...each, ...over } : each))
  // Its margins as they should be.
  const kind = truth.swept[1]!.margins.map((margin) => (margin < 0n ? 0n : margin))
  expect(failed({ ...truth, swept: swept(1, { margins: kind }) })).toBe('WorthMustFollowTable')
  // Somebody else's surplus.
  const shifted = truth.swept.map(({ margins }, i) => ({
    ...truth.swept[i]!,
    margins: margins.map((m) => (i === 1 ? m + 5n : i === 0 ? m - 5n : m)),
  }))
  expect(failed({ ...truth, swept: shifted })).toBe('WorthMustFollowTable')
  // Left out: as an empty leaf, or with the books of a friend of the friend.
  expect(failed({ ...truth, swept: truth.swept.filter((_, i) => i !== 1) })).toBe(
    'LeafMustBeInTree',
  )
  expect(
    failed({ ...truth, swept: swept(1, { account: solvent, margins: truth.swept[0]!.margins }) }),
  ).toBe('LeafMustBeInTree')
  // Flagged in the proof alone: the leaf says ACTIVE.
  const lack = 1n
  const flags = [{ index: 5, lack, meta: metaOf(meta(STATUS.called, TIME)) }]
  const lifted = swept(1, { margins: truth.swept[1]!.margins.map((m) => m + MARGIN_FACTOR * lack) })
  expect(failed({ ...truth, swept: lifted, flags })).toBe('FlagMustNotBeOverdue')
})

test('a flag counts for the call delay, to the second; liquidation has no limit yet', () => {
  const called = (since: bigint, status: number = STATUS.called) =>
    state({ 4: thin(-150_000_000n, { meta: meta(status, since, 2n) }) })
  const edge = traceOf(sweepChunk(mini, 0, called(TIME - CALL_DELAY)))
  expect(edge.flags).toHaveLength(1)
  expect(failed(edge)).toBeNull()
  const late = called(TIME - CALL_DELAY - 1n)
  expect(sweepChunk(mini, 0, late)).toMatchObject({ ok: false, rule: 'FlagMustNotBeOverdue' })
  const { flags, swept } = edge
  const [flag] = flags
  const lateFlags = [{ ...flag!, meta: metaOf(meta(STATUS.called, TIME - CALL_DELAY - 1n, 2n)) }]
  const lie = lieOf(late)
  const lifted = lie.swept.map((each) => ({ ...each, margins: swept[0]!.margins }))
  expect(failed({ ...lie, swept: lifted, flags: lateFlags })).toBe('FlagMustNotBeOverdue')
  // The call is passed off as a liquidation, or as younger than it is.
  const disguised = [
    { ...flag!, meta: metaOf(meta(STATUS.liquidating, TIME - CALL_DELAY - 1n, 2n)) },
  ]
  expect(failed({ ...lie, swept: lifted, flags: disguised })).toBe('FlagMustNotBeOverdue')
  expect(failed({ ...lie, swept: lifted, flags })).toBe('FlagMustNotBeOverdue')
  expect(failed(traceOf(sweepChunk(mini, 0, called(5n, STATUS.liquidating))))).toBeNull()
  for (const status of [STATUS.exiting, STATUS.closed, STATUS.active]) {
    expect(sweepChunk(mini, 0, called(TIME, status))).toMatchObject({
      ok: false,
      rule: 'MaintenanceMustHold',
    })
  }
})

test('flags and what they lack are counted, and nothing less than what is lacking will do', () => {
  const two = state({
    1: thin(-150_000_000n, { meta: meta(STATUS.called, TIME) }),
    2: thin(-100_000_000n, { meta: meta(STATUS.liquidating, TIME) }),
  })
  const trace = traceOf(sweepChunk(mini, 0, two))
  expect(trace.flags).toHaveLength(2)
  const { words } = buildSweep(trace, 1n)
  expect(words.slice(6)).toEqual([2n, trace.flags.reduce((sum, { lack }) => sum + lack, 0n)])
  expect(failed(trace)).toBeNull()
  const [a, b] = trace.flags
  const lower = trace.swept.map((each) =>
    each.index !== 1 ? each : { ...each, margins: each.margins.map((m) => m - MARGIN_FACTOR) },
  )
  expect(failed({ ...trace, swept: lower, flags: [{ ...a!, lack: a!.lack - 1n }, b!] })).toBe(
    'MaintenanceMustHold',
  )
  // One lack below zero would hide the other.
  const input = inputOf(trace)
  expect(failedAt({ ...input, lack: [a!.lack + b!.lack, FIELD_MODULUS - 1n] })).toBe(
    'FlagMustNotBeOverdue',
  )
  const wrong = (word: (typeof SWEEP_WORDS)[number], value: bigint) =>
    failedAt({
      ...input,
      word: (input['word'] as bigint[]).with(SWEEP_WORDS.indexOf(word), value),
    })
  expect(wrong('flagged', 1n)).toBe('FlagMustNotBeOverdue')
  expect(wrong('shortfall', 0n)).toBe('FlagMustNotBeOverdue')
  // One account under two flags would count twice.
  const choice = (input['choice'] as bigint[][]).map(() => (input['choice'] as bigint[][])[0]!)
  expect(failedAt({ ...input, choice })).toBe('FlagMustNotBeOverdue')
})

test('what L1 fixes is in the proof: root, table, register, place, time', () => {
  const trace = traceOf(sweepChunk(mini, 8, state({ 9: solvent })))
  const refused = (over: Partial<SweepState>, rule: string) => {
    const input = inputOf(trace)
    const other = inputOf({ ...trace, state: { ...trace.state, ...over } })
    // The words of the other statement over the witness of this one.
    expect(failedAt({ ...input, word: other['word']! })).toBe(rule)
  }
  refused({ tree: state({ 9: accountOf(1n) }).tree }, 'LeafMustBeInTree')
  refused({ table: stateOf({}, rows.slice(1)).table }, 'RowMustBeInTable')
  refused(
    { settlements: stateOf({}, rows, [settledRow(5_000, 2n)]).settlements },
    'RowMustBeInTable',
  )
  refused({ time: TIME + 1n }, 'CommitmentMustMatch')
  refused({ callDelay: CALL_DELAY + 1n }, 'CommitmentMustMatch')
  const input = inputOf(trace)
  const moved = (input['word'] as bigint[]).with(3, 16n)
  expect(failedAt({ ...input, word: moved })).toBe('LeafMustBeInTree')
  expect(failedAt({ ...input, word: moved.with(3, 9n) })).toBe('LeafMustBeInTree')
  expect(failedAt({ ...input, y: (input['y'] as bigint) + 1n })).toBe('WordsMustMatchChallenge')
  expect(failedAt({ ...input, commitmentSalt: 1n })).toBe('CommitmentMustMatch')
})

test('a balance cannot be moved to another instrument, read otherwise, or left out of the rows', () => {
  const trace = traceOf(
    sweepChunk(
      mini,
      0,
      state({
        2: accountOf(10n ** 9n, [
          { id: 1024, quantity: -2n },
          { id: 1025, quantity: 30n },
        ]),
      }),
    ),
  )
  const without = { ...trace, instruments: [1024] }
  expect(failed(without)).toBe('InstrumentMustBeListed')
  const input = inputOf(trace)
  const id = (input['id'] as bigint[][]).map((list, a) => (a === 2 ? list.with(0, 1025n) : list))
  expect(failedAt({ ...input, id })).toBe('LeafMustBeInTree')
  const alias = (input['id'] as bigint[][]).map((list, a) =>
    a !== 2 ? list : list.with(0, (list[0] as bigint) + (1n << 28n)),
  )
  const quantity = (input['quantity'] as bigint[][]).map((list, a) =>
    a !== 2 ? list : list.with(1, (list[1] as bigint) - 1n),
  )
  expect(failedAt({ ...input, id: alias, quantity })).toBe('BalancesMustBeWellFormed')
  // An empty leaf with free balances, which could settle the sums of others.
  const ghost = (input['quantity'] as bigint[][]).map((list, a) =>
    a === 0 ? list.with(1, 5n) : list,
  )
  expect(failedAt({ ...input, quantity: ghost })).toBe('BalancesMustBeWellFormed')
  const value = (input['rowValue'] as bigint[][]).map((list, r) =>
    r === 0 ? list.with(3, 0n) : list,
  )
  expect(failedAt({ ...input, rowValue: value })).toBe('RowMustBeInTable')
})

test('parts of a node: sixteen accounts at an odd sixteenth', async () => {
  const pair = SWEEP_SHAPES.find(({ name }) => name === 'sweep-pair') as SweepShape
  const compiled = await compiledCircuit('sweep-pair')
  const accounts = Object.fromEntries(
    [48, 50, 55, 56, 63].map((i) => [
      i,
      accountOf(BigInt(i) * 10n ** 8n, [{ id: 1025, quantity: BigInt(i) }]),
    ]),
  )
  const all = state({ ...accounts, 47: thin(-1_000_000_000n), 64: thin(-1_000_000_000n) })
  const trace = traceOf(sweepChunk(pair, 48, all))
  expect(compiled.failedRule(sweepInput(inputOf(trace)))).toBeNull()
  expect(() => sweepChunk(pair, 56, all)).toThrow('multiple of 16')
  const input = inputOf(trace)
  const swapped = (input['salt'] as bigint[]).with(2, 7n)
  expect(compiled.failedRule(sweepInput({ ...input, salt: swapped }))).toBe('LeafMustBeInTree')
  const built = buildSweep(trace, 3n)
  expect(evaluateWords(built.words, 1n)).toBe(
    built.words.reduce((a, b) => a + b, 0n) % FIELD_MODULUS,
  )
})
