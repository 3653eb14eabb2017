/**
 * circomspect and `circom --inspect` over the law. Every finding is a fault or stands in
 * allowed.json with the reason why it is none; a line there that nothing finds any more fails, too.
 * UPDATE_STATIC=1 writes the list anew with an empty reason for what is new, which then fails.
 * A template takes a record whole: unused-fields.json says which of its fields it does not use, and
 * every field that the batch itself takes must come to a constraint somewhere.
 */
import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'

type Allowed = { readonly tool: Tool; readonly finding: string; readonly why: string }
type Tool = 'circomspect' | 'inspect'
type Sarif = {
  readonly runs: readonly {
    readonly results: readonly {
      readonly ruleId: string
      readonly message: { readonly text: string }
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string }
          readonly region: { readonly startLine: number; readonly endLine: number }
        }
      }[]
    }[]
  }[]
}

const FILE = join(import.meta.dirname, 'allowed.json')
const FIELDS = join(import.meta.dirname, 'unused-fields.json')
const isUpdate = process.env['UPDATE_STATIC'] === '1'
const run = promisify(execFile)
const require = createRequire(import.meta.url)
const allowed = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Allowed[]
const found: Record<Tool, readonly string[]> = { circomspect: [], inspect: [] }
let dir: string
let inspected: Inspection | null = null

beforeAll(() => {
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-static-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/**
 * The law as circomspect, which knows no buses, can read it: a record is a signal there, and the
 * declarations of the records are left out, line by line, so that the others keep their numbers.
 */
function withoutBuses(): string {
  const copy = join(dir, 'circuits')
  cpSync(join(PROJECT_ROOT, 'circuits'), copy, { recursive: true })
  for (const name of readdirSync(copy, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.circom')) continue
    const path = join(copy, name)
    const plain = readFileSync(path, 'utf8')
      .replace(/^bus \w+\([^)]*\) \{\n[^}]*\}/gm, (bus) => bus.replace(/.*/g, ''))
      .replace(
        /^( +)(?:(input|output) )?[A-Z]\w+\([^)]*\) (\w[^;=]*;)$/gm,
        (_, indent, way, rest) => `${indent}signal ${way === undefined ? '' : `${way} `}${rest}`,
      )
      .replaceAll('../../node_modules/', '../../../../node_modules/')
    writeFileSync(path, plain)
  }
  return copy.slice(PROJECT_ROOT.length + 1)
}

/** Findings of circomspect without line numbers, so that an edit elsewhere does not move them. */
async function circomspect(folder: string): Promise<readonly string[]> {
  const sarif = join(dir, 'findings.sarif')
  const cli = require.resolve('circomspect/cli.js')
  // It answers 1 if it finds anything; the file tells a finding from a failure.
  await run(process.execPath, [cli, folder, '-s', sarif], { cwd: PROJECT_ROOT, ...ROOM }).catch(
    () => undefined,
  )
  const { runs } = JSON.parse(readFileSync(sarif, 'utf8')) as Sarif
  const findings = runs.flatMap(({ results }) =>
    results.flatMap(({ ruleId, message, locations: [first] }) => {
      // One line for a variable, however often something is added to it.
      const unused = /The value assigned to `(\w+)` is not used/.exec(message.text)?.[1]
      if (first === undefined || unused !== undefined)
        return [`${ruleId} ${unused === undefined ? message.text : `var ${unused}`}`]
      const { artifactLocation, region } = first.physicalLocation
      const file = artifactLocation.uri.replace('file://', '')
      const lines = readFileSync(join(PROJECT_ROOT, file), 'utf8').split('\n')
      const statement = lines.slice(region.startLine - 1, region.endLine).join(' ')
      const clean = statement.replace(/\s+/g, ' ').trim()
      const isFixed = ruleId === 'CS0005' && isQuotientFixed(clean, lines.slice(region.endLine))
      return isFixed ? [] : [`${ruleId} ${clean}`]
    }),
  )
  return [...new Set(findings)].sort()
}
const ROOM = { maxBuffer: 1 << 26 }

/**
 * Whether the line under `X <-- N / D;` is `X * D === N;` or `D * X === N;`: then the constraint
 * fixes what the arrow did not, and no reason by hand is needed.
 */
function isQuotientFixed(statement: string, after: readonly string[]): boolean {
  const parts = /^(?:signal )?(\S+(?: \+ 1\])?) <-- (.+) \/ (.+);$/.exec(statement)
  if (parts === null) return false
  const [signal, numerator, divisor] = parts.slice(1).map(bare) as [string, string, string]
  const next = after
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('//'))
  const constraint = /^(.+) === (.+);$/.exec(next ?? '')
  if (constraint === null) return false
  const [left, right] = constraint.slice(1).map((side) => side.trim()) as [string, string]
  const product = left.startsWith(`${signal} * `)
    ? left.slice(signal.length + 3)
    : left.endsWith(` * ${signal}`)
      ? left.slice(0, -signal.length - 3)
      : null
  return product !== null && bare(product) === divisor && bare(right) === numerator
}

/** Without one pair of brackets around all of it. */
function bare(text: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('(') || !trimmed.endsWith(')')) return trimmed
  let depth = 0
  for (const [i, sign] of [...trimmed].entries()) {
    depth += sign === '(' ? 1 : sign === ')' ? -1 : 0
    if (depth === 0) return i === trimmed.length - 1 ? trimmed.slice(1, -1) : trimmed
  }
  return trimmed
}

type Inspection = {
  readonly findings: readonly string[]
  /** By template and record, the fields that no constraint of the template has. */
  readonly unusedFields: Readonly<Record<string, string>>
  /** Inputs of the main component that no constraint of the circuit has. */
  readonly lostInputs: readonly string[]
}

/** Findings of the compiler: template and signal, without sizes and indices. */
async function inspect(entry: string): Promise<Inspection> {
  const cli = require.resolve('circom2/cli.js')
  const out = relative(PROJECT_ROOT, mkdtempSync(join(dir, 'inspect-')))
  const args = [cli, entry, '--inspect', '--O1', '--sym', '-o', out]
  const { stdout, stderr } = await run(
    process.execPath,
    [...args, '-l', 'circuits', '-l', 'node_modules'],
    { cwd: PROJECT_ROOT, ...ROOM },
  )
  const text = `${stdout}${stderr}`.replace(/\u001b\[[0-9;]*m/g, '')
  expect(text).toContain('Everything went okay')
  const all = [...text.matchAll(/warning\[(\w+)\]: In template "(\w+)[^"]*": (.*)/g)].map(
    ([, code, template, words = '']) => {
      const signal = / signals? (\S+)/.exec(words)?.[1]?.replace(/\[\d+\]/g, '[]')
      return `${code} ${template} ${signal ?? words}`
    },
  )
  expect(all).toHaveLength([...text.matchAll(/warning\[/g)].length)
  const unused = new Map<string, Set<string>>()
  const findings: string[] = []
  for (const finding of all) {
    const [, record, field] = /^CA01 (\w+ \S+)\.(\w+)(?:\[\])*$/.exec(finding) ?? []
    if (record === undefined || field === undefined) findings.push(finding)
    else unused.set(record, (unused.get(record) ?? new Set()).add(field))
  }
  const sym = readFileSync(join(PROJECT_ROOT, out, basename(entry, '.circom') + '.sym'), 'utf8')
  const rows = sym.split('\n').map((line) => line.split(','))
  const main = rows.find(([label]) => label === '1')?.[2]
  return {
    findings: [...new Set(findings)].sort(),
    unusedFields: Object.fromEntries(
      [...unused]
        .map(([record, fields]) => [record, [...fields].sort().join(', ')] as const)
        .sort(),
    ),
    lostInputs: rows
      .filter(([, wire, node]) => node === main && wire === '-1')
      .map(([, , , name = '']) => name.replace(/\[\d+\]/g, '[]')),
  }
}

function compare(tool: Tool, findings: readonly string[]): void {
  const known = allowed.filter((entry) => entry.tool === tool)
  const reasons = new Map(known.map(({ finding, why }) => [finding, why]))
  const fresh = findings.filter((finding) => (reasons.get(finding) ?? '') === '')
  const stale = known.filter(({ finding }) => !findings.includes(finding))
  expect(fresh, 'findings without a reason in test/static/allowed.json').toEqual([])
  expect(stale, 'reasons in test/static/allowed.json for what is no longer found').toEqual([])
}

describe('the law', () => {
  it('has no finding of circomspect without a reason', async () => {
    found.circomspect = await circomspect(withoutBuses())
    expect(found.circomspect.length).toBeGreaterThan(0)
    if (!isUpdate) compare('circomspect', found.circomspect)
  })

  it('has no finding of circom --inspect without a reason', async () => {
    const { findings, unusedFields } = (inspected = await inspect('circuits/shapes/mini.circom'))
    found.inspect = findings
    if (isUpdate) writeFileSync(FIELDS, `${JSON.stringify(unusedFields, null, 2)}\n`)
    else {
      compare('inspect', findings)
      expect(unusedFields, 'test/static/unused-fields.json').toEqual(
        JSON.parse(readFileSync(FIELDS, 'utf8')),
      )
    }
  })

  it('has no input, field by field, that no constraint has, besides what must be a constant', () => {
    expect(inspected?.lostInputs).toEqual([
      'main.words.header.reserved0',
      'main.words.header.reserved1',
      'main.words.feeAccount.index',
    ])
  })

  it.runIf(isUpdate)('allowed.json is written', () => {
    const reasons = new Map(allowed.map(({ tool, finding, why }) => [`${tool} ${finding}`, why]))
    const entries = (['circomspect', 'inspect'] as const).flatMap((tool) =>
      found[tool].map((finding) => ({
        tool,
        finding,
        why: reasons.get(`${tool} ${finding}`) ?? '',
      })),
    )
    writeFileSync(FILE, `${JSON.stringify(entries, null, 2)}\n`)
  })
})

describe('the checks find what they are for', () => {
  const faulty = (body: string): string => {
    const text = `pragma circom 2.2.0;\ntemplate Faulty() {\n${body}\n}\ncomponent main = Faulty();\n`
    const folder = mkdtempSync(join(dir, 'faulty-'))
    writeFileSync(join(folder, 'faulty.circom'), text)
    return folder.slice(PROJECT_ROOT.length + 1)
  }

  it('a quotient that nothing fixes', async () => {
    const good = 'signal input a; signal input b; signal output q;\nq <-- a / b;\nq * b === a;'
    expect((await circomspect(faulty(good))).filter((f) => f.startsWith('CS0005'))).toEqual([])
    const bad = 'signal input a; signal input b; signal output q;\nq <-- a / b;\nq * b === b;'
    expect(await circomspect(faulty(bad))).toContain('CS0005 q <-- a / b;')
  })

  it('a signal that no constraint has', async () => {
    const folder = faulty('signal input a; signal input b; signal output c;\nc <== a * a;')
    const { findings, lostInputs } = await inspect(join(folder, 'faulty.circom'))
    expect(findings).toEqual(['CA01 Faulty b'])
    expect(lostInputs).toEqual(['main.b'])
  })

  it('a field of a record that a template does not use, and one that nothing uses', async () => {
    const folder = faulty('input Two() two; signal output c;\nc <== two.a * two.a;')
    const path = join(PROJECT_ROOT, folder, 'faulty.circom')
    const bus = 'bus Two() { signal a; signal b; }\ntemplate'
    writeFileSync(path, readFileSync(path, 'utf8').replace('template', bus))
    const { findings, unusedFields, lostInputs } = await inspect(join(folder, 'faulty.circom'))
    expect(findings).toEqual([])
    expect(unusedFields).toEqual({ 'Faulty two': 'b' })
    expect(lostInputs).toEqual(['main.two.b'])
  })

  it.each([
    ['q <-- a / b;', 'q * b === a;', true],
    ['q <-- a / (b - c);', '(b - c) * q === a;', true],
    ['signal q <-- (a + b) / (c);', 'q * c === a + b;', true],
    ['q <-- a / b;', 'q * b === a + 1;', false],
    ['q <-- a / b;', 'q * c === a;', false],
    ['q <-- a / b;', 'r * b === a;', false],
    ['q <-- a;', 'q * 1 === a;', false],
  ])('takes "%s" with "%s" for fixed: %s', (statement, next, is) => {
    expect(isQuotientFixed(statement, ['', '// why', next])).toBe(is)
  })
})
