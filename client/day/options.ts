/** What `npm start` can be told. */
import { parseArgs } from 'node:util'

export const DAY_HELP = `cloister day - a day at a clearing house on an embedded L1

  npm start                 runs the day and prints what happened
  npm start -- --json       prints one last line of JSON (progress goes to stderr)
  npm start -- --stay       keeps the house running afterwards, for the cloister command; it then also
                            proves every account solvent (the sweep), which takes a minute
  npm start -- --port N     the house's port (any free one unless given)
  npm start -- --shape NAME small (default), mini, standard, sparse or large

The proving keys are DEVELOPMENT keys with known toxic waste: anyone can forge proofs. Local use only.
Exit codes: 0 all held, 1 something did not, 2 an option is wrong, 130 ended before it was over.`

export type DayOptions = {
  readonly json: boolean
  readonly stay: boolean
  readonly help: boolean
  readonly shape: string
  /** 0: any free one. */
  readonly port: number
}
const SHAPES = ['small', 'mini', 'standard', 'sparse', 'large']

/** Ends the process with code 2 and one line where an option is wrong. */
export function dayOptions(argv: readonly string[]): DayOptions {
  try {
    return parseDayOptions(argv)
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n')
    process.stderr.write(`npm start: ${line} (--help names the options)\n`)
    process.exit(2)
  }
}

/** Throws with a sentence. */
export function parseDayOptions(argv: readonly string[]): DayOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: 'boolean', default: false },
      stay: { type: 'boolean', default: false },
      shape: { type: 'string', default: 'small' },
      port: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const { shape, port } = values
  if (!SHAPES.includes(shape)) throw new Error(`--shape must be one of ${SHAPES.join(', ')}`)
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new Error('--port must be a number from 0 to 65535')
  return { ...values, port: Number(port) }
}
