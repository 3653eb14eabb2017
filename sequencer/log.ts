/**
 * The sequencer's log: one line of JSON an event on the error stream, or one for people. What is
 * logged are names of rules, numbers of batches and blocks, times: never terms, balances or keys.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const LOG_FORMATS = ['json', 'text'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = (typeof LOG_FORMATS)[number]
/** Amounts have no type here: whoever wants to log one has to think about it. */
export type Fields = Readonly<Record<string, string | number | boolean | null>>
export type Log = { readonly [L in LogLevel]: (event: string, fields?: Fields) => void }

export type LogOptions = {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Calls `lost`, now or later, if the line cannot be written. */
  readonly write?: (line: string, lost: () => void) => void
  readonly now?: () => Date
}

/** Longer texts are cut: nothing that is worth a log line needs more. */
const TEXT_LENGTH = 1_000
/** A password inside a URL, as an error of a driver may show it. */
const CREDENTIALS = /\/\/[^\s/@]*@/g

export function logOf({
  level,
  format,
  write = toStderr,
  now = () => new Date(),
}: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level)
  let lost = 0
  const lineOf = (of: LogLevel, text: string, given: Fields): string =>
    format === 'json'
      ? JSON.stringify({ time: now().toISOString(), level: of, event: text, ...given })
      : [text, ...Object.entries(given).map(([k, v]) => `${k} ${v}`)].join('  ')
  /** Whoever reads the log must not take what is missing for silence. */
  const tellLost = (): void => {
    const lines = lost
    if (lines === 0) return
    lost = 0
    const told = lineOf(level === 'error' ? 'error' : 'warn', 'lines of the log are lost', {
      lines,
    })
    write(told, () => (lost += lines))
  }
  const say =
    (of: LogLevel) =>
    (event: string, fields: Fields = {}): void => {
      if (LOG_LEVELS.indexOf(of) < least) return
      const given = Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, clean(v)]))
      tellLost()
      write(lineOf(of, clean(event), given), () => lost++)
    }
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

function clean<T>(value: T): T | string {
  if (typeof value !== 'string') return value
  return value.replace(CREDENTIALS, '//').slice(0, TEXT_LENGTH)
}

/** Characters that wait for a reader who takes none for a while: no more are kept for it. */
const WAITING_LENGTH = 1 << 20
let isStderrHeard = false
/** Of the last line a part may have been written, as far as there was room. */
let isCut = false

/** A log on a full disk, or that nobody reads any more, loses lines: the house does not end for it. */
function toStderr(line: string, lost: () => void): void {
  if (!isStderrHeard) process.stderr.on('error', () => {})
  isStderrHeard = true
  if (process.stderr.writableLength > WAITING_LENGTH) return lost()
  const text = isCut ? `\n${line}\n` : `${line}\n`
  isCut = false
  process.stderr.write(text, (error) => {
    if (!error) return
    isCut = true
    lost()
  })
}

/** Of ethers, of an answer that is none of the errors that it knows: a node whose disk is full. */
const NOT_UNDERSTOOD = 'could not coalesce error'

/** The first line of what was thrown: further ones are of libraries and may hold their arguments. */
export function reasonOf(error: unknown): string {
  const { shortMessage, error: inner } = (error ?? {}) as {
    shortMessage?: unknown
    error?: unknown
  }
  // Where ethers does not understand a node it says so, and keeps what the node said.
  const said = (inner as { message?: unknown } | null | undefined)?.message
  const short = shortMessage === NOT_UNDERSTOOD ? (said ?? shortMessage) : shortMessage
  const text = error instanceof Error ? error.message : String(error)
  return ((typeof short === 'string' ? short : text).split('\n')[0] ?? '').slice(0, TEXT_LENGTH)
}
