/** Claims after a freeze: TypeScript and circuit agree, and each rule refuses the forgery made for it. */
import { expect, test } from 'vitest'
import type { Account, Balance } from '../../circuits/account.ts'
import {
  ESCAPE_SHAPES,
  escapeClaim,
  escapeInput,
  worthAtMarks,
  type EscapeStatement,
} from '../../circuits/escape.ts'
import { FIELD_MODULUS, QUANTITY_OFFSET, ROW_STATUS } from '../../circuits/params.ts'
import { hash } from '../../circuits/poseidon.ts'
import { settledRow, type Row } from '../../circuits/table.ts'
import type { WitnessInput, WitnessValue } from '../../circuits/witness.ts'
import { row } from './house.ts'
import { accountOf, compiledCircuit, stateOf } from './states.ts'

const small = await compiledCircuit('escape')
const INDEX = 4_711
const rows: readonly Row[] = [
  row(2, 1_000_000n),
  row(1024, 50_000_000n),
  row(1025, 2_000_000n),
  row(1026, -500_000n),
  { ...row(1027, 3_000_000n), status: 'expired' },
]
const settled = [settledRow(5_000, 123_456n), settledRow(5_001, -7n)]

/** The claim of an account that stands at INDEX, with everything that goes into it. */
function claimOf(account: Account, table: readonly Row[] = rows) {
  const state = stateOf({ 0: accountOf(5n), [INDEX]: account }, table, settled)
  const claim = escapeClaim(INDEX, account, state)
  if (!claim.ok) throw new Error(`${claim.rejection.rule}: ${claim.rejection.detail}`)
  return { ...claim, state, account }
}

const cases: readonly [string, Account, bigint][] = [
  ['an account untouched since its registration', accountOf(0n), 0n],
  ['cash only', accountOf(123_456_789n), 123_456_789n],
  [
    'open positions',
    accountOf(-900_000n, [
      { id: 1024, quantity: 3n },
      { id: 1025, quantity: -7n },
    ]),
    -900_000n + 150_000_000n - 14_000_000n,
  ],
  [
    'negative cash, covered by a token',
    accountOf(-5_000_000n, [{ id: 2, quantity: 6n }]),
    1_000_000n,
  ],
  [
    'an expired instrument that has no settlement value yet',
    accountOf(1n, [{ id: 1027, quantity: 2n }]),
    6_000_001n,
  ],
  [
    'a settled instrument, not converted',
    accountOf(10n, [
      { id: 1024, quantity: 1n },
      { id: 5_000, quantity: -3n },
    ]),
    10n + 50_000_000n - 370_368n,
  ],
  ['an insolvent account', accountOf(-1n), 0n],
  ['an account deep in debt', accountOf(5n, [{ id: 1024, quantity: -1_000_000n }]), 0n],
  ['worth exactly nothing', accountOf(-50_000_000n, [{ id: 1024, quantity: 1n }]), 0n],
  ['one micro-dollar', accountOf(-49_999_999n, [{ id: 1024, quantity: 1n }]), 1n],
  ['all the cash that a balance holds', accountOf(QUANTITY_OFFSET - 1n), QUANTITY_OFFSET - 1n],
  ['all the debt that a balance holds', accountOf(-QUANTITY_OFFSET), 0n],
]

test.each(cases)('%s', (_, account, equity) => {
  const { statement, input, shape } = claimOf(account)
  expect(statement.equity).toBe(equity)
  expect(shape.name).toBe('escape')
  expect(small.failedRule(input)).toBeNull()
})

test('the largest worth that marks and balances allow, and the lowest', () => {
  const high = (1n << 48n) - 1n
  const wide = Array.from({ length: 17 }, (_, i) => row(2000 + i, high))
  const hold = (quantity: bigint): Balance[] => wide.map(({ id }) => ({ id, quantity }))
  const rich = claimOf(accountOf(QUANTITY_OFFSET - 1n, hold(QUANTITY_OFFSET - 1n)), wide)
  expect(rich.statement.equity).toBe((QUANTITY_OFFSET - 1n) * (17n * high + 1n))
  expect(small.failedRule(rich.input)).toBeNull()
  const poor = claimOf(accountOf(-QUANTITY_OFFSET, hold(-QUANTITY_OFFSET)), wide)
  expect(poor.statement.equity).toBe(0n)
  expect(small.failedRule(poor.input)).toBeNull()
})

test('an account of another tree, or of an instrument without a value, has no claim', () => {
  const account = accountOf(5n, [{ id: 1024, quantity: 1n }])
  const state = stateOf({ [INDEX]: account }, rows, settled)
  expect(escapeClaim(INDEX + 1, account, state)).toMatchObject({
    ok: false,
    rejection: { rule: 'LeafMustBeInTree' },
  })
  expect(escapeClaim(INDEX, { ...account, cash: 6n }, state)).toMatchObject({
    ok: false,
    rejection: { rule: 'LeafMustBeInTree' },
  })
  const unknown = accountOf(5n, [{ id: 9_999, quantity: 1n }])
  const other = stateOf({ [INDEX]: unknown }, rows, settled)
  expect(worthAtMarks(unknown, other)).toEqual({ missing: 9_999 })
  expect(escapeClaim(INDEX, unknown, other)).toMatchObject({
    ok: false,
    rejection: { rule: 'MarkMustBeInTable' },
  })
})

/** No batch could touch it; L1 lets it come to that only where the operator says what is not true. */
test('what settled in seven windows of the register is claimed from each', async () => {
  const large = await compiledCircuit('escape-settled')
  const places = [0, 64, 128, 192, 256, 320, 399]
  const register = Array.from({ length: 400 }, (_, i) => settledRow(7_000 + i, BigInt(1 + i)))
  const account = accountOf(
    -50n,
    places.map((place) => ({ id: 7_000 + place, quantity: 3n })),
  )
  const claim = escapeClaim(INDEX, account, stateOf({ [INDEX]: account }, rows, register))
  if (!claim.ok) throw new Error(claim.rejection.detail)
  const values = places.reduce((sum, place) => sum + BigInt(1 + place), 0n)
  expect(claim.statement.equity).toBe(3n * values - 50n)
  expect(large.failedRule(claim.input)).toBeNull()
})

test('holdings over seventeen nodes, all but one settled, take the large shape', async () => {
  const large = await compiledCircuit('escape-settled')
  const spread = Array.from({ length: 130 }, (_, i) => row(2_000 + i, BigInt(1 + i)))
  const scattered = Array.from({ length: 17 }, (_, i) => ({ id: 2_000 + 8 * i, quantity: 1n }))
  const first = claimOf(accountOf(9n, scattered), spread)
  expect(first.shape.name).toBe('escape-settled')
  expect(first.statement.equity).toBe(
    9n + scattered.reduce((sum, { id }) => sum + BigInt(id - 2_000 + 1), 0n),
  )
  expect(large.failedRule(first.input)).toBeNull()

  const register = Array.from({ length: 70 }, (_, i) => settledRow(7_000 + i, BigInt(i)))
  const held = [
    ...Array.from({ length: 16 }, (_, i) => ({ id: 7_000 + 4 * i, quantity: 2n })),
    { id: 7_069, quantity: -1n },
  ]
  const account = accountOf(1n, held)
  const state = stateOf({ [INDEX]: account }, rows, register)
  const claim = escapeClaim(INDEX, account, state)
  if (!claim.ok) throw new Error(claim.rejection.detail)
  expect(claim.statement.equity).toBe(1n + 2n * 4n * 120n - 69n)
  expect(large.failedRule(claim.input)).toBeNull()
  const settledValue = (claim.input['settledValue'] as bigint[]).with(3, 1_000n)
  const value = (claim.input['value'] as bigint[]).with(3, 1_000n)
  const gain = 2n * (1_000n - 12n)
  expect(
    large.failedRule({
      ...claim.input,
      settledValue,
      value,
      equity: claim.statement.equity + gain,
    }),
  ).toBe('SettledValueMustBeInRegister')
})

const normal = claimOf(
  accountOf(10n, [
    { id: 1024, quantity: 1n },
    { id: 1025, quantity: -2n },
    { id: 5_000, quantity: 3n },
  ]),
)
const at = (name: string, i: number): bigint => (normal.input[name] as bigint[])[i] as bigint
const change = (over: Record<string, WitnessValue>): WitnessInput => ({ ...normal.input, ...over })
const put = (name: string, i: number, value: WitnessValue) => ({
  [name]: (normal.input[name] as WitnessValue[]).with(i, value),
})
const { equity } = normal.statement

test('a leaf of another account, of another state or with other balances', () => {
  const refused = (over: Record<string, WitnessValue>) =>
    expect(small.failedRule(change(over))).toBe('LeafMustBeInTree')
  refused({ index: BigInt(INDEX + 1) })
  refused({ root: normal.state.tree.root + 1n })
  refused({ ...put('quantity', 0, 11n), equity: equity + 1n })
  refused({ ...put('quantity', 1, 2n), equity: equity + 50_000_000n })
  refused({ meta: normal.account.meta + 1n })
  refused({ index: BigInt(1 << 18) })
})

test('a word of the leaf read in another way', () => {
  // A lot less is 2^28 more of the id beneath it: the same word, and the same leaf.
  const moved = { ...put('quantity', 2, at('quantity', 2) - 1n) }
  const id = (normal.input['id'] as bigint[]).with(1, at('id', 1) + (1n << 28n))
  expect(small.failedRule(change({ ...moved, id }))).toBe('MarkMustBeInTable')
  const wide = { ...put('quantity', 0, 10n + (1n << 56n)) }
  expect(small.failedRule(change(wide))).toBe('BalancesMustBeWellFormed')
  expect(small.failedRule(change(put('quantity', 1, 1n << 55n)))).toBe('BalancesMustBeWellFormed')
})

test('a better mark, a mark of another instrument, a mark that is left out', () => {
  const refused = (over: Record<string, WitnessValue>) =>
    expect(small.failedRule(change(over))).toBe('MarkMustBeInTable')
  refused({ ...put('value', 0, 50_000_001n), equity: equity + 1n })
  refused({ tableRoot: normal.state.table.root + 1n })
  refused(put('bit', 0, [1n, 0n, 1n]))
  const choice = normal.input['choice'] as bigint[][]
  // Unread, its value is free.
  refused({
    ...put('value', 1, 0n),
    ...put('choice', 1, choice[2] as bigint[]),
    equity: equity + 4_000_000n,
  })
  refused({ ...put('status', 0, BigInt(ROW_STATUS.expired)) })
  // A node that is not of the table, with a leaf made up for it.
  const fake = hash('MARK', [1024n, 60_000_000n, 1n])
  const marks = (normal.input['marks'] as bigint[][]).map((node) => node.with(1, fake))
  refused({ marks, ...put('value', 0, 60_000_000n), equity: equity + 10_000_000n })
})

test('a settlement value that is not in the register, or of another instrument', () => {
  const refused = (over: Record<string, WitnessValue>) =>
    expect(small.failedRule(change(over))).toBe('SettledValueMustBeInRegister')
  refused({ settledValue: [123_457n], ...put('value', 2, 123_457n), equity: equity + 3n })
  refused({ settlementRoot: 5n })
  refused({ settledBit: [Array<bigint>(18).fill(1n)] })
  // A live instrument declared settled, to escape its mark.
  const choice = [1n, ...Array<bigint>(16).fill(0n)]
  refused({ settledChoice: [choice] })
  // A choice that counts once there and once back, so that no entry is used.
  refused({
    settledChoice: [(normal.input['settledChoice'] as bigint[][])[0]!.with(1, FIELD_MODULUS - 1n)],
  })
})

test('an equity that is not the sum, is negative, or hides a sign', () => {
  const refused = (input: WitnessInput) =>
    expect(small.failedRule(input)).toBe('EquityMustFollowMarks')
  refused(change({ equity: equity + 1n }))
  refused(change({ equity: equity - 1n }))
  refused(change({ isNegative: 1n, equity: 0n }))
  const debtor = claimOf(accountOf(-1n))
  refused({ ...debtor.input, isNegative: 0n, equity: FIELD_MODULUS - 1n })
  refused({ ...debtor.input, equity: 1n })
  refused({ ...debtor.input, isNegative: 2n })
  const even = claimOf(accountOf(0n))
  refused({ ...even.input, isNegative: 1n })
})

test('random books: the circuit accepts what TypeScript says, and nothing one unit off', () => {
  const seed = 20_200_312n
  let drawn = seed
  const random = (bound: bigint): bigint => {
    drawn = hash('SALT', [drawn])
    return drawn % bound
  }
  const table = Array.from({ length: 60 }, (_, i) =>
    row(1_100 + 3 * i, random(1n << 40n) - (1n << 39n)),
  )
  for (let round = 0; round < 12; round++) {
    const held = table.filter(() => random(9n) === 0n).slice(0, 8)
    const account = accountOf(
      random(1n << 50n) - (1n << 49n),
      held.map(({ id }) => ({ id, quantity: 2n * random(1n << 30n) - (1n << 30n) + 1n })),
    )
    const { statement, state, shape } = claimOf(account, table)
    expect(shape).toBe(ESCAPE_SHAPES[0])
    const worth = worthAtMarks(account, state) as bigint
    expect(statement.equity, `seed ${seed}`).toBe(worth > 0n ? worth : 0n)
    const input = (over: Partial<EscapeStatement>) =>
      escapeInput(shape, account, state, { ...statement, ...over }, worth < 0n)
    expect(small.failedRule(input({}))).toBeNull()
    expect(small.failedRule(input({ equity: statement.equity + 1n }))).toBe('EquityMustFollowMarks')
  }
})
