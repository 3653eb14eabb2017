/**
 * What the law costs, template by template, and the fingerprint of its circuits: a change of either
 * must be meant. `UPDATE_COSTS=1 npx vitest run test/law/costs.test.ts` writes costs.json anew;
 * with CLOISTER_LONG=1 the shapes are counted too that take minutes to compile.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { SHAPES, SLOT_COUNT } from '../../circuits/params.ts'
import { circuitOf, circuitOfShape, shapeNamed } from '../../prover/artifacts.ts'
import { entryOfCircuit, HOUSE_CIRCUITS } from '../../prover/circuit-key.ts'
import { readR1csInfo } from '../../prover/r1cs.ts'
import { WIDE_SLOTS, WIDE_WORLDS, wideCost } from '../bench/wide.ts'

/** Templates alone, at the smallest they come in, and the file whose main component each is. */
const TEMPLATES = {
  Page: 'page',
  PageTerms: 'page-terms',
  Member: 'member',
  MemberTerms: 'member-terms',
  Balances: 'balances',
  Leaf: 'leaf',
  Veil: 'veil',
  Solvency: 'solvency',
  FeeAccount: 'fee-account',
  AssertSignature: 'signature',
  InstalledKey: 'installed-key',
  Row: 'row',
  RowNode: 'row-node',
  RowTerms: 'row-terms',
  'RescueTerms(1)': 'rescue-terms',
  'UpdatePath(1)': 'update-path',
  TableRoot: 'table-root',
  'ForcedExit(1, 1, 1)': 'forced-exit',
  'Reduction(1)': 'reduction',
  'ReductionTerms(1)': 'reduction-terms',
  'Call(1)': 'call',
  'Release(1)': 'release',
  'Deposit(1)': 'deposit',
  'Withdrawal(1)': 'withdrawal',
  WithdrawalTerms: 'withdrawal-terms',
  'Request(1)': 'request',
  'Rotation(1)': 'rotation',
  'HashTagged(1)': 'hash1',
  'HashTagged(3)': 'hash3',
  'HashTagged(16)': 'hash16',
} as const
const ALWAYS: readonly string[] = ['mini', 'small']
/** Sweeps in the shapes of a house. */
const SWEEPS: readonly string[] = ['sweep-small', 'sweep-wide']
const LONG: readonly string[] = [
  ...SHAPES.map(({ name }) => name).filter((n) => !ALWAYS.includes(n)),
  ...SWEEPS,
]

type ShapeCost = { readonly constraints: number; readonly r1csSha256: string }
type Costs = {
  readonly templates: Record<string, number>
  readonly shapes: Record<string, ShapeCost>
  /** Constraints of the mini shape at other numbers. */
  readonly wide: Record<string, number>
}

const FILE = join(import.meta.dirname, 'costs.json')
const isUpdate = process.env['UPDATE_COSTS'] === '1'
const isLong = process.env['CLOISTER_LONG'] === '1'
const REFRESH = 'if this is meant: UPDATE_COSTS=1 npx vitest run test/law/costs.test.ts'
const FIRST: Costs = { templates: {}, shapes: {}, wide: {} }
const known = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Costs) : FIRST
/** Filled as the tests go, and written by the last of them. */
const measured: Costs = { templates: {}, shapes: {}, wide: {} }

async function templateCost(file: string): Promise<number> {
  const entry = join(import.meta.dirname, 'circuits', `${file}.circom`)
  const { r1csPath } = await circuitOf(entry, basename(file))
  return readR1csInfo(r1csPath).nConstraints
}

async function shapeCost(name: string): Promise<ShapeCost> {
  const progress = (what: string): void => console.log(what)
  const { r1csPath } = SWEEPS.includes(name)
    ? await circuitOf(entryOfCircuit(name)!, name, progress)
    : await circuitOfShape(shapeNamed(name), progress)
  const hash = createHash('sha256')
  // By the piece: the largest is gigabytes.
  for await (const piece of createReadStream(r1csPath)) hash.update(piece as Buffer)
  return { constraints: readR1csInfo(r1csPath).nConstraints, r1csSha256: hash.digest('hex') }
}

test('each template has the constraints it is known to have', { timeout: 900_000 }, async () => {
  for (const [template, file] of Object.entries(TEMPLATES)) {
    measured.templates[template] = await templateCost(file)
  }
  if (!isUpdate) expect(measured.templates, REFRESH).toEqual(known.templates)
})

test.each(ALWAYS)(
  'the %s shape has its constraints and its fingerprint',
  { timeout: 900_000 },
  async (name) => {
    measured.shapes[name] = await shapeCost(name)
    if (!isUpdate) expect(measured.shapes[name], REFRESH).toEqual(known.shapes[name])
  },
)

test.runIf(isLong).each(LONG)(
  'the %s shape has its constraints and its fingerprint',
  { timeout: 3_600_000 },
  async (name) => {
    measured.shapes[name] = await shapeCost(name)
    const refresh = `${REFRESH}, with CLOISTER_LONG=1`
    if (!isUpdate) expect(measured.shapes[name], refresh).toEqual(known.shapes[name])
  },
)

/** With twice the worlds, and with twice the balances as well. */
const WIDE = [SLOT_COUNT, WIDE_SLOTS].map((slots) => ({ slots, worlds: WIDE_WORLDS }))
const nameOf = ({ slots, worlds }: { slots: number; worlds: number }) =>
  `${slots} balances, ${worlds} worlds`

test.runIf(isLong).each(WIDE)(
  'the law holds at $slots balances and $worlds worlds, and has its constraints',
  { timeout: 1_800_000 },
  async ({ slots, worlds }) => {
    const wide = await wideCost(slots, worlds)
    expect(wide.refusal).toBeNull()
    measured.wide[nameOf(wide)] = wide.constraints
    const refresh = `${REFRESH}, with CLOISTER_LONG=1`
    if (!isUpdate) expect(wide.constraints, refresh).toBe(known.wide[nameOf(wide)])
  },
)

test.runIf(isUpdate)('costs.json is written', () => {
  // Figures that were not measured now stay only if the law is the one that they were measured on.
  const isSameLaw = ALWAYS.every(
    (name) => known.shapes[name]?.r1csSha256 === measured.shapes[name]?.r1csSha256,
  )
  const all = isSameLaw ? { ...known.shapes, ...measured.shapes } : measured.shapes
  const shapes = Object.fromEntries(
    [...ALWAYS, ...LONG].flatMap((name) => {
      const cost = all[name]
      return cost === undefined ? [] : [[name, cost]]
    }),
  )
  const wide = isSameLaw ? { ...known.wide, ...measured.wide } : measured.wide
  const costs: Costs = { templates: measured.templates, shapes, wide }
  writeFileSync(FILE, `${JSON.stringify(costs, null, 2)}\n`)
})

test('every shape of a house has a committed cost, its sweeps included', () => {
  expect(Object.keys(known.shapes).sort()).toEqual([...ALWAYS, ...LONG].sort())
  expect(HOUSE_CIRCUITS).toEqual(SWEEPS)
  expect(Object.keys(known.wide)).toEqual(WIDE.map(nameOf))
})
