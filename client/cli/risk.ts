/** `cloister risk`: books of others under their rules and under ours. Reads files, no house, no L1. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import * as help from './help.ts'
import { Undone } from './failures.ts'

/** Answers on stdout; every command of the group prints JSON or a table of its own. */
export type Print = (text: string) => void

/**
 * The group with all its commands. Each one prints its answer itself, with and without --json: an
 * array stays an array. A failure is thrown, and becomes the message and the exit code.
 */
export function riskCommand(program: Command, print: Print): Command {
  const risk = program
    .command('risk')
    .description('margin of books in files: published scenarios, our worlds')
    .addHelpText('after', help.RISK)
  risk
    .command('scenarios <file>')
    .description('profit and loss of each book in each scenario of its own rule, as JSON')
    .action(async (file: string) => {
      const { scenariosOf } = await import('../../oracle/published/books.ts')
      print(`${JSON.stringify(scenariosOf(readInput(file)))}\n`)
    })
  risk
    .command('margin <file>')
    .description('mark, value in each of our worlds, initial and maintenance margin, as JSON')
    .option('--worlds <set>', 'standard-16 or standard-32', 'standard-16')
    .option('--scan-range <fraction>', 'largest price move of the scan worlds', '0.18')
    .action(async (file: string, options: { worlds: string; scanRange: string }) => {
      const range = scanRangeFrom(options.scanRange)
      const { marginsOf } = await import('../../oracle/published/our-worlds.ts')
      const { worldSet } = await import('../../oracle/worlds.ts')
      const set = worldSet(worldSetName(options.worlds))
      print(`${JSON.stringify(marginsOf(readInput(file), set, range))}\n`)
    })
  return risk
}

function worldSetName(text: string): 'standard-16' | 'standard-32' {
  if (text === 'standard-16' || text === 'standard-32') return text
  throw new Undone(`--worlds must be standard-16 or standard-32, not "${text}"`)
}

function scanRangeFrom(text: string): number {
  const range = /^0?\.\d{1,9}$/.test(text) ? Number(text) : 0
  if (range > 0) return range
  throw new Undone(`--scan-range must be a fraction between 0 and 1, like 0.18, not "${text}"`)
}

/** The longest file that is read: the published books are 45 kB. */
const SIZE_UPPER_BOUND = 64 * 1024 * 1024

/** A file's text, or that of stdin for "-". */
export function readInput(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file === '-' ? 0 : file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? 'it cannot be read')
    throw new Undone(`${file}: ${why}`)
  }
  if (bytes.length >= SIZE_UPPER_BOUND) throw new Undone(`${file}: files must be below 64 MiB`)
  return bytes.toString('utf8')
}
