/** Why a command did not do what it was asked, and the exit code that says so. */
import { contractErrorIn } from '../l1/contract-errors.ts'
import { RULES, type RuleName } from '../../circuits/rules.ts'
import { HOUSE_WORDS } from '../house-views.ts'
import { ChangeRefusal } from '../change/refusal.ts'
import type { Rule } from '../member.ts'
import { FUNDING_RULES } from '../perpetual.ts'

export type ExitCode = 0 | 1 | 2

/** It could not be done: exit code 2. */
export class Undone extends Error {}

/** It could not be done now: whoever waits tries again in a moment. */
export class NotYet extends Undone {}

/** Another command of the member is at work. */
export class Busy extends NotYet {}

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
  if (error instanceof ChangeRefusal) return { code: 1, rule: error.rule, text: error.message }
  // Known by name, so that printing help does not load the reading room or the prover.
  if (error.constructor.name === 'CeremonyFailure')
    return { code: 1, rule: (error as Error & { rule: string }).rule, text: error.message }
  if (error.constructor.name === 'FaultError') return { code: 1, rule: null, text: error.message }
  return { code: 2, rule: null, text: fileTrouble(error) ?? firstLine(error) }
}

const FILE_TROUBLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EEXIST: 'exists already',
  EISDIR: 'is a directory, where a file is needed',
  ENOTDIR: 'is a file, where a directory is needed',
  EACCES: 'is not open to this user',
  EPERM: 'is not open to this user',
  EROFS: 'is on a disk that nobody may write to',
  ENOSPC: 'has no room: the disk is full',
}

/** What the system said of a file, in words that begin with its path; null for any other error. */
export function fileTrouble(error: unknown): string | null {
  const { code, path } = error as { code?: unknown; path?: unknown }
  if (!(error instanceof Error) || typeof code !== 'string' || typeof path !== 'string') return null
  const words = FILE_TROUBLE[code]
  return words === undefined ? null : `${path}: ${words}`
}

const NOT_UNDERSTOOD = 'could not coalesce error'

/** ethers puts the whole transaction behind its reason; the reason is enough. */
function firstLine(error: Error): string {
  const { shortMessage, error: inner } = error as { shortMessage?: unknown; error?: unknown }
  // Where ethers does not understand a node it says so, and keeps what the node said.
  const said = (inner as { message?: unknown } | null | undefined)?.message
  const short = shortMessage === NOT_UNDERSTOOD ? (said ?? shortMessage) : shortMessage
  const [line = ''] = (typeof short === 'string' ? `L1: ${short}` : error.message).split('\n')
  return line
}

/** The contract's own error, by the name that contracts/ gives it. */
function l1Refusal(error: unknown): Failure | null {
  const found = contractErrorIn(error)
  if (found === null) return null
  const { name } = found
  const shown = (argument: string, value: unknown): string =>
    typeof value === 'bigint' && (argument.endsWith('At') || argument === 'until')
      ? `${argument} ${new Date(Number(value) * 1000).toISOString()}`
      : `${argument} ${value}`
  const values = found.values.map(([argument, value]) => shown(argument, value)).join(', ')
  const sentence = name in RULES ? RULES[name as RuleName] : wordsOf(name)
  const text = `refused on L1 by ${name}: ${sentence}${values === '' ? '' : ` (${values})`}`
  return { code: 1, rule: name, text }
}

/** The contract's errors say what they mean: ForcedExitMustNotBePending. */
function wordsOf(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
}
