/**
 * Each constraint of the law taken away in turn: what would get in? docs/tampering.md has the method.
 * A line stands for the constraints that one line of a template makes, without their indices.
 *
 * A line is needed if, for one of its constraints, deleting it provably lets something in:
 * - in its template: at a real witness its gradient is no combination of those of the template;
 * - in the whole circuit: likewise, among all constraints;
 * All other lines stand in survivors.json: with an attack that breaks them, and how many lines more
 * it breaks (none: the line is needed), or with the reason why they are kept. CLOISTER_LONG=1 asks
 * all attacks again. UPDATE_SURVIVORS=1 CLOISTER_LONG=1 writes the list anew; new lines come without a reason.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Shape } from '../../circuits/params.ts'
import { circuitOfShape, shapeNamed, type CircuitFiles } from '../../prover/artifacts.ts'
import { accounts } from './attacks/accounts.ts'
import type { Attack } from './attacks/attack.ts'
import { balances } from './attacks/balances.ts'
import { edges } from './attacks/edges.ts'
import { payments, services } from './attacks/exits.ts'
import { flags } from './attacks/flags.ts'
import { journals } from './attacks/journals.ts'
import { pages } from './attacks/pages.ts'
import { rows } from './attacks/rows.ts'
import { unwindings } from './attacks/unwinding.ts'
import { bound, header, words } from './attacks/words.ts'
import { Circuit } from './circuit.ts'
import { CROWDS } from './deletion/crowd.ts'
import { dependentAt } from './deletion/dependence.ts'
import { anatomyOf, type Anatomy } from './deletion/lines.ts'
import { looseCalculator } from './deletion/loose.ts'
import { brokenBy, readSystem, type System } from './r1cs.ts'
import { inputOf } from './reseal.ts'

const isLong = process.env['CLOISTER_LONG'] === '1'
const isUpdate = process.env['UPDATE_SURVIVORS'] === '1'
const FILE = join(import.meta.dirname, 'deletion', 'survivors.json')
const known = existsSync(FILE)
  ? (JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>)
  : {}
/** Insides of circomlib's strict decomposition: not ours to examine. */
const CIRCOMLIB = /compConstant|hashBits/

/** In the order in which they are asked. */
const ATTACKS: readonly Attack[] = [
  ...pages,
  ...journals,
  ...accounts,
  ...edges,
  ...header,
  ...rows,
  ...balances,
  ...words,
  ...payments,
  ...services,
  ...unwindings,
  ...flags,
  ...bound,
]

class Examination {
  readonly system: System
  readonly anatomy: Anatomy
  readonly needed = new Set<string>()
  readonly lines: ReadonlySet<string>
  private readonly files: CircuitFiles
  private readonly shape: Shape
  private readonly circuit: Circuit
  private readonly witnesses = new Map<string, readonly bigint[]>()

  constructor(files: CircuitFiles, shape: Shape) {
    this.files = files
    this.shape = shape
    this.system = readSystem(files)
    this.anatomy = anatomyOf(files, this.system)
    this.circuit = new Circuit(files)
    const all = this.system.constraints.map((_, k) => this.anatomy.lineOf(k))
    this.lines = new Set(all.filter((line) => !CIRCOMLIB.test(line)))
  }

  get left(): readonly string[] {
    return [...this.lines].filter((line) => !this.needed.has(line)).sort()
  }

  witness(name: string): readonly bigint[] {
    const made = this.witnesses.get(name)
    if (made !== undefined) return made
    const [, make] = CROWDS.find(([crowd]) => crowd === name)!
    const found = this.circuit.tryWitness(inputOf(make(this.shape)))
    if (!Array.isArray(found)) throw found
    this.witnesses.set(name, found)
    return found
  }

  /** Marks what is needed among these constraints at a witness. */
  look(constraints: readonly number[], witness: readonly bigint[]): void {
    const part = {
      ...this.system,
      constraints: constraints.map((k) => this.system.constraints[k]!),
    }
    const dependent = new Set(dependentAt(part, witness))
    constraints.forEach((k, i) => {
      if (!dependent.has(i)) this.needed.add(this.anatomy.lineOf(k))
    })
  }

  /** Each template by itself, in the instances that this circuit has, until all its lines are needed. */
  lookIntoTemplates(): void {
    for (const [home, own] of this.anatomy.byHome) {
      const isOpen = (): boolean =>
        own.some((k) => {
          const line = this.anatomy.lineOf(k)
          return this.lines.has(line) && !this.needed.has(line)
        })
      for (const [name] of CROWDS) {
        if (home === 'main' || !isOpen()) break
        this.look(this.anatomy.components.get(home)!, this.witness(name))
      }
    }
  }

  /** The whole circuit in one crowd after another, until `isEnough`. */
  lookAtAll(isEnough: () => boolean): void {
    const all = this.system.constraints.map((_, k) => k)
    for (const [name] of CROWDS) {
      if (isEnough()) return
      this.look(all, this.witness(name))
    }
  }

  /** For each line that an attack breaks, the attack that breaks fewest others with it. */
  attacked(): ReadonlyMap<string, string> {
    const fill = looseCalculator(this.shape.name, this.files, this.system)
    const found = new Map<string, { readonly others: number; readonly text: string }>()
    for (const [rule, name, make] of ATTACKS) {
      const witness = fill(inputOf(make()))
      if (witness === null) continue
      const lines = new Set(brokenBy(this.system, witness).map(this.anatomy.lineOf))
      const others = lines.size - 1
      const text = `broken by ${rule}, ${name}${others === 0 ? '' : `, with ${others} more`}`
      for (const line of lines) {
        if (others < (found.get(line)?.others ?? Infinity)) found.set(line, { others, text })
      }
    }
    return new Map([...found].map(([line, { text }]) => [line, text]))
  }
}

async function examine(name: string): Promise<Examination> {
  const shape = shapeNamed(name)
  return new Examination(await circuitOfShape(shape), shape)
}

describe('the mini shape', () => {
  let mini: Examination
  beforeAll(async () => {
    mini = await examine('mini')
  })

  test('every line is needed, or kept for a reason that is given', { timeout: 3_600_000 }, () => {
    mini.lookIntoTemplates()
    mini.lookAtAll(() => !isLong && mini.left.every((line) => line in known))
    if (isUpdate) return
    expect(mini.left.filter((line) => !(line in known))).toEqual([])
    expect(Object.entries(known).filter(([, reason]) => reason === '')).toEqual([])
  })

  test.runIf(isLong)('no line is listed that is gone or needed', { timeout: 3_600_000 }, () => {
    const attacked = mini.attacked()
    const reasons = Object.fromEntries(
      mini.left.map((line) => [line, attacked.get(line) ?? known[line] ?? '']),
    )
    if (isUpdate) writeFileSync(FILE, `${JSON.stringify(reasons, null, 2)}\n`)
    else expect(known).toEqual(reasons)
  })
})

/**
 * A request is for a key or forced if it is used, and for a key by its kind's bits: two sums, of which the
 * compiler substitutes one. Whichever stays is what ties isKey to the bits.
 */
const USED = 'edges.isForced[] + edges.request[].isKey + edges.request[].isUsed'
const KIND = 'edges.isForced[] + edges.request[].isKey + edges.request[].kindBits.out[]'

/**
 * With one slot for forced exits, "forced" and "chosen for the slot" are one wire, and it has the latter's
 * name, which is one of the batch: so a line of it has all its names in full, and is compared that way.
 */
function inFull(line: string): string {
  const [, home = '', a = '', b = '', c = ''] =
    /^main\.?(.*): \((.*)\) \* \((.*)\) = (.*)$/.exec(line) ?? []
  const sum = (text: string): string =>
    text
      .split(' + ')
      .map((name) => (/^[01]$/.test(name) || home === '' ? name : `${home}.${name}`))
      .map((name) => name.replace('forcedExit[].choice[]', 'edges.isForced[]'))
      .sort()
      .join(' + ')
  const [p, q] = [sum(a), sum(b)].sort()
  return `(${p}) * (${q}) = ${sum(c).replace(USED, KIND)}`
}

test.runIf(isLong)('the small shape has no other survivors', { timeout: 7_200_000 }, async () => {
  const small = await examine('small')
  const knownInFull = new Set(Object.keys(known).map(inFull))
  const others = (): readonly string[] =>
    small.left.filter((line) => !(line in known) && !knownInFull.has(inFull(line)))
  small.lookIntoTemplates()
  small.lookAtAll(() => others().length === 0)
  expect(others()).toEqual([])
})
