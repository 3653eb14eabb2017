/** `cloister risk`: the commands that judge risk, by the house's own rules. They need no house. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { addAccountMargin } from './risk-account.ts'
import { addBacktest } from './risk-backtest.ts'
import { addBooks } from './risk-books.ts'

export type CommonOf = (command: Command) => Common
export type Run = (work: Promise<Result>) => Promise<void>

/** Adds the group `risk` to the program. */
export function riskCommand(program: Command, commonOf: CommonOf, run: Run): Command {
  const risk = program
    .command('risk')
    .description(
      'judge risk: margin of books and accounts, worlds, scan ranges held against the past',
    )
  addBooks(risk, run)
  addAccountMargin(risk, commonOf, run)
  addBacktest(risk, commonOf, run)
  return risk
}
