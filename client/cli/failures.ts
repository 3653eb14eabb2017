/** Why a command did not do what it was asked, and the exit code that says so. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Interface } from '../l1/ethers.ts'
import { RULES, type RuleName } from '../../circuits/rules.ts'
import { HOUSE_WORDS } from '../house-views.ts'
import type { Rule } from '../member.ts'
import { FUNDING_RULES } from '../perpetual.ts'
import { ROOT } from './root.ts'

export type ExitCode = 0 | 1 | 2

/** It could not be done: exit code 2. */
export class Undone extends Error {}

/** A rule of the house forbids it: exit code 1. */
export class RefusedByRule extends Error {
  readonly rule: Rule
  constructor(rule: Rule, detail = '') {
    super(
      `${rule}: ${{ ...RULES, ...FUNDING_RULES, ...HOUSE_WORDS }[rule]}${detail === '' ? '' : ` (${detail})`}`,
    )
    this.rule = rule
  }
}

export type Failure = { readonly code: 1 | 2; readonly rule: string | null; readonly text: string }

export function failureOf(error: unknown): Failure {
  if (error instanceof RefusedByRule)
    return { code: 1, rule: error.rule, text: `refused by ${error.message}` }
  const onL1 = l1Refusal(error)
  if (onL1 !== null) return onL1
  if (!(error instanceof Error)) return { code: 2, rule: null, text: String(error) }
  // Known by name, so that printing help does not load the reading room or the prover.
  if (error.constructor.name === 'CeremonyFailure')
    return { code: 1, rule: (error as Error & { rule: string }).rule, text: error.message }
  if (error.constructor.name === 'FaultError') return { code: 1, rule: null, text: error.message }
  return { code: 2, rule: null, text: firstLine(error) }
}

/** ethers puts the whole transaction behind its reason; the reason is enough. */
function firstLine(error: Error): string {
  const short = (error as { shortMessage?: unknown }).shortMessage
  const [line = ''] = (typeof short === 'string' ? `L1: ${short}` : error.message).split('\n')
  return line
}

/** The contract's own error, by the name that contracts/ICloister*.sol gives it. */
function l1Refusal(error: unknown): Failure | null {
  const data = dataOf(error)
  if (data === null) return null
  const found = contractErrors().parseError(data)
  if (found === null) return null
  const shown = (name: string, value: unknown): string =>
    typeof value === 'bigint' && name.endsWith('At')
      ? `${name} ${new Date(Number(value) * 1000).toISOString()}`
      : `${name} ${value}`
  const values = found.fragment.inputs.map(({ name }, i) => shown(name, found.args[i])).join(', ')
  const sentence = found.name in RULES ? RULES[found.name as RuleName] : wordsOf(found.name)
  const text = `refused on L1 by ${found.name}: ${sentence}${values === '' ? '' : ` (${values})`}`
  return { code: 1, rule: found.name, text }
}

/** The contract's errors say what they mean: ForcedExitMustNotBePending. */
function wordsOf(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
}

function dataOf(error: unknown): string | null {
  for (let at = error, depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { data, error: inner, info } = at as { data?: unknown; error?: unknown; info?: unknown }
    if (typeof data === 'string' && /^0x[0-9a-f]{8,}$/i.test(data)) return data
    at = data ?? inner ?? info
  }
  return null
}

function contractErrors(): Interface {
  const sources = ['ICloister.sol', 'ICloisterTypes.sol'].map((file) =>
    readFileSync(join(ROOT, 'contracts', file), 'utf8'),
  )
  const lines = sources.join('\n').match(/^\s*error \w+\([^)]*\);/gm) ?? []
  return new Interface(lines.map((line) => line.trim().replace(';', '')))
}
