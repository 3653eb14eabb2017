/** `cloister risk scenarios` and `margin`: books of others under their rules, and under our worlds. */
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import type { WorldSetName } from '../../oracle/worlds.ts'
import type { Result } from './day.ts'
import { Undone } from './failures.ts'

const SCENARIOS_HELP = `
FILE is a list of books in the published format: {"id", "rule", "inputs": {"spot", "perps",
"perp_price", "options", "forwards", "parameters"}, "expected"}; "-" reads stdin. Examples:
  cloister risk scenarios books.json
  cat books.json | cloister risk scenarios -
Prints [{"id":"..","scenarios":[..]}]: profit and loss in dollars, in the order of "reg", then "tail".
A book that needs an input which is not published has "scenarios": null and the "reason".
Exit codes: 0 done, 2 the file cannot be read, or is not in the format (the field is named).`

const MARGIN_HELP = `
Takes the same files as risk scenarios. Examples:
  cloister risk margin books.json
  cloister risk margin books.json --worlds standard-32 --scan-range 0.25
Prints [{"id","mark","addOn","worlds":[{"name","value"}],"worst","initial","maintenance"}] in dollars.
The files say nothing of history and depth: the scan range is the one given, and the add-on is that
for the gaps between the worlds alone, without the cost of closing out.
Exit codes: 0 done, 2 the file cannot be read, or is not in the format (the field is named).`

export function addBooks(risk: Command, run: (work: Promise<Result>) => Promise<void>): void {
  risk
    .command('scenarios <file>')
    .description('profit and loss of each book in each scenario of its own rule, as JSON')
    .addHelpText('after', SCENARIOS_HELP)
    .action((file: string) => run(scenarios(file)))
  risk
    .command('margin <file>')
    .description('mark, value in each of our worlds, initial and maintenance margin, as JSON')
    .option('--worlds <set>', 'standard-16 or standard-32', 'standard-16')
    .option('--scan-range <fraction>', 'largest price move of the scan worlds', '0.18')
    .addHelpText('after', MARGIN_HELP)
    .action((file: string, options: MarginOptions) => run(margin(file, options)))
}

type MarginOptions = { readonly worlds: string; readonly scanRange: string }

async function scenarios(file: string): Promise<Result> {
  const { scenariosOf } = await import('../../oracle/published/books.ts')
  return answer(scenariosOf(await readInput(file)))
}

async function margin(file: string, options: MarginOptions): Promise<Result> {
  const name = worldSetName(options.worlds)
  const range = scanRangeFrom(options.scanRange)
  const { marginsOf } = await import('../../oracle/published/our-worlds.ts')
  const { worldSet } = await import('../../oracle/worlds.ts')
  return answer(marginsOf(await readInput(file), worldSet(name), range))
}

/** The array itself, with and without --json. */
function answer(books: readonly object[]): Result {
  return { text: JSON.stringify(books), json: {}, isJsonText: true }
}

function worldSetName(text: string): WorldSetName {
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

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'it must not be read',
}

/** A file's text, or that of stdin for "-"; no more of it than may be, so that no pipe is endless. */
async function readInput(file: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    const source = file === '-' ? process.stdin : createReadStream(file)
    for await (const chunk of source) {
      size += (chunk as Buffer).length
      if (size >= SIZE_UPPER_BOUND) throw new Undone(`${file}: files must be below 64 MiB`)
      chunks.push(Buffer.from(chunk as Uint8Array))
    }
  } catch (error) {
    if (error instanceof Undone) throw error
    const { code } = error as NodeJS.ErrnoException
    const why = (code && WHY[code]) ?? code ?? 'it cannot be read'
    throw new Undone(`${file}: ${why}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
