/**
 * What was done to the embedded L1, in order, each durable before it happens: the chain is a function
 * of this file. A line is a check and a step; the check covers all before it.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'

/** A block's time in seconds of Unix; null where no block is made. */
export type Step = {
  readonly time: number | null
  readonly method: string
  readonly params: readonly unknown[]
}
const FORMAT = 1

/** The file cannot be followed: what it says stands in the message. */
export class ChainLogError extends Error {}

export class ChainLog {
  /** ISO time of the first block. */
  readonly start: string
  readonly steps: readonly Step[]
  /** Bytes at the end of a write that never ended; they are gone. */
  readonly tornBytes: number
  private readonly file: number
  private check: string

  private constructor(file: number, read: Read) {
    this.file = file
    this.start = read.start
    this.steps = read.steps
    this.check = read.check
    this.tornBytes = read.tornBytes
  }

  /** Made if it is not there. Throws ChainLogError for a file that was damaged or is of another version. */
  static open(path: string, now: Date): ChainLog {
    if (!existsSync(path)) {
      const file = openSync(path, 'ax', 0o600)
      const header = JSON.stringify({ format: FORMAT, start: now.toISOString() })
      write(file, line('', header))
      return new ChainLog(file, read(path, Buffer.from(line('', header))))
    }
    const bytes = readFileSync(path)
    const found = read(path, bytes)
    const file = openSync(path, 'r+')
    if (found.tornBytes > 0) ftruncateSync(file, bytes.length - found.tornBytes)
    closeSync(file)
    return new ChainLog(openSync(path, 'a'), found)
  }

  /** Durable when it returns. */
  append(step: Step): void {
    const made = line(this.check, JSON.stringify(step))
    const { size } = fstatSync(this.file)
    try {
      write(this.file, made)
    } catch (error) {
      // A full disk leaves part of a line, and nothing may follow it.
      ftruncateSync(this.file, size)
      throw error
    }
    this.check = made.slice(0, CHECK_LENGTH)
  }

  close(): void {
    closeSync(this.file)
  }
}

const CHECK_LENGTH = 16

type Read = {
  readonly start: string
  readonly steps: readonly Step[]
  readonly check: string
  readonly tornBytes: number
}

function line(before: string, text: string): string {
  const hash = createHash('sha256').update(`${before} ${text}`).digest('hex')
  return `${hash.slice(0, CHECK_LENGTH)} ${text}\n`
}

function write(file: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
  fdatasyncSync(file)
}

function read(path: string, bytes: Buffer): Read {
  const end = bytes.lastIndexOf(0x0a) + 1
  const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1)
  let check = ''
  const texts = lines.map((whole, i) => {
    const text = whole.slice(CHECK_LENGTH + 1)
    if (`${whole}\n` !== line(check, text))
      throw new ChainLogError(
        `${path} is damaged at line ${i + 1} of ${lines.length}: put a copy of the whole directory ` +
          'in its place, or begin with another directory',
      )
    check = whole.slice(0, CHECK_LENGTH)
    return text
  })
  const [header, ...steps] = texts.map((text) => JSON.parse(text) as Record<string, unknown>)
  if (header === undefined)
    throw new ChainLogError(`${path} is empty: begin with another directory`)
  if (header['format'] !== FORMAT)
    throw new ChainLogError(
      `${path} must be of format ${FORMAT}; it is of format ${String(header['format'])}, which ` +
        'another version of cloister wrote',
    )
  return {
    start: String(header['start']),
    steps: steps as unknown as Step[],
    check,
    tornBytes: bytes.length - end,
  }
}
