/**
 * What was read of L1, in segments that each end at a named block: in memory, or in a directory that
 * a later run takes up again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { wordsOfBytes } from './batch-words.ts'
import { decode, encode, isRecord } from './codec.ts'
import type { L1Event } from './events.ts'
import { sha256Hex, writeWhole } from './files.ts'
import { ReadError } from './rpc.ts'

/** A record of one chain and contract is of no use for another. */
export type Identity = { readonly chainId: bigint; readonly contract: string }
export type SegmentHead = {
  readonly fromBlock: number
  readonly toBlock: number
  /** Of `toBlock`: if the chain has another one there now, the segment was reorganised away. */
  readonly blockHash: string
  readonly eventCount: number
  /** SHA-256 over the digest of the segment before, the head and the events. */
  readonly digest: string
}

const FORMAT = 1
const NAME = /^segment-(\d{8})\.jsonl$/
/** Characters of events without a directory: with more of them the process would end without a word. */
const MEMORY_LIMIT = 1_000_000_000
/** A segment of fewer events is rewritten with what follows, so that their number stays small. */
const FULL_SEGMENT_EVENTS = 256

const nameOf = (i: number): string => `segment-${String(i).padStart(8, '0')}.jsonl`

/** Words are most of an event: as hex they take less room, and no time until they are asked for. */
function lineOf(event: L1Event): string {
  if (event.kind !== 'batch') return encode(event)
  const hex = event.words.map((word) => word.toString(16).padStart(64, '0')).join('')
  return encode({ ...event, words: `0x${hex}` })
}
function eventOf(line: string): L1Event {
  const event = decode(line) as L1Event & { words?: string }
  return event.kind === 'batch' ? { ...event, words: wordsOfBytes(event.words as never) } : event
}

export class EventLog {
  /** Where the segments lie, or null for a log that ends with the process. */
  readonly directory: string | null
  /** What was found damaged or reorganised, in words; empty after a good start. */
  readonly mended: string[] = []
  readonly #identity: Identity
  readonly #heads: SegmentHead[] = []
  /** Lines of each segment, where there is no directory. */
  readonly #lines: (readonly string[])[] = []
  readonly #memoryLimit: number
  #memory = 0

  private constructor(directory: string | null, identity: Identity, memoryLimit: number) {
    this.directory = directory
    this.#identity = identity
    this.#memoryLimit = memoryLimit
  }

  /** Whatever of the directory is whole, in order and about this contract; the rest is removed. */
  static open(state: string | null, identity: Identity, memoryLimit = MEMORY_LIMIT): EventLog {
    const { chainId, contract } = identity
    const directory = state === null ? null : join(state, `${chainId}-${contract.toLowerCase()}`)
    const log = new EventLog(directory, identity, memoryLimit)
    if (directory === null) return log
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
      throw new ReadError(`the state directory ${directory} cannot be made: ${code}`)
    }
    log.#takeUp(directory)
    return log
  }

  get heads(): readonly SegmentHead[] {
    return this.#heads
  }
  get last(): SegmentHead | null {
    return this.#heads.at(-1) ?? null
  }
  get eventCount(): number {
    return this.#heads.reduce((sum, head) => sum + head.eventCount, 0)
  }

  #takeUp(directory: string): void {
    const files = readdirSync(directory)
    const count = files.filter((name) => NAME.test(name)).length
    for (const name of files.filter((file) => file.endsWith('.part')))
      rmSync(join(directory, name), { force: true })
    for (let i = 0; existsSync(join(directory, nameOf(i))); i++) {
      const found = this.#check(i, readFileSync(join(directory, nameOf(i)), 'utf8'))
      if (typeof found === 'string') {
        this.mended.push(`${nameOf(i)} ${found}: it and what follows is read again`)
        break
      }
      this.#heads.push(found)
    }
    if (this.mended.length === 0 && count > this.#heads.length)
      this.mended.push(`${nameOf(this.#heads.length)} is missing: what follows is read again`)
    this.#removeFrom(this.#heads.length)
  }

  /** The head of a segment's text, or what is wrong with it. */
  #check(i: number, text: string): SegmentHead | string {
    const end = text.indexOf('\n')
    let head: unknown
    try {
      head = JSON.parse(text.slice(0, end))
    } catch {
      return 'cannot be read'
    }
    if (!isRecord(head) || head['format'] !== FORMAT) return 'is of another format'
    const { chainId, contract } = this.#identity
    const { fromBlock, toBlock, blockHash, eventCount, digest } = head as unknown as SegmentHead
    if (head['chainId'] !== `${chainId}` || head['contract'] !== contract)
      return 'is about another contract'
    if (
      digest !== this.#digest(i, { fromBlock, toBlock, blockHash, eventCount }, text.slice(end + 1))
    )
      return 'is damaged or cut short'
    if (i > 0 && fromBlock !== (this.#heads[i - 1]?.toBlock ?? 0) + 1)
      return 'does not follow the one before'
    return { fromBlock, toBlock, blockHash, eventCount, digest }
  }

  #digest(i: number, head: Omit<SegmentHead, 'digest'>, body: string): string {
    const { chainId, contract } = this.#identity
    const before = i === 0 ? '' : (this.#heads[i - 1]?.digest ?? '')
    const { fromBlock, toBlock, blockHash, eventCount } = head
    const fields = [before, chainId, contract, fromBlock, toBlock, blockHash, eventCount]
    return sha256Hex(`${fields.join(' ')}\n${body}`)
  }

  /** Adds what the blocks up to `toBlock` hold; on the disk before it returns. */
  append(
    range: Pick<SegmentHead, 'fromBlock' | 'toBlock' | 'blockHash'>,
    events: readonly L1Event[],
  ): void {
    const { last } = this
    const added = events.map(lineOf)
    if (this.directory === null) {
      this.#memory += added.reduce((sum, line) => sum + line.length, 0)
      if (this.#memory > this.#memoryLimit)
        throw new ReadError(
          `the log of this house is larger than memory should hold, up to block ${range.toBlock} alone: ` +
            'name a directory for it with --state DIR',
        )
    }
    const isJoined = last !== null && last.eventCount + events.length <= FULL_SEGMENT_EVENTS
    const i = isJoined ? this.#heads.length - 1 : this.#heads.length
    const lines = [...(isJoined ? this.#linesOf(i) : []), ...added]
    const body = lines.map((line) => `${line}\n`).join('')
    const head = {
      fromBlock: isJoined ? last.fromBlock : range.fromBlock,
      toBlock: range.toBlock,
      blockHash: range.blockHash,
      eventCount: lines.length,
    }
    const digest = this.#digest(i, head, body)
    const { chainId, contract } = this.#identity
    if (this.directory === null) this.#lines[i] = lines
    else {
      const first = { format: FORMAT, chainId: `${chainId}`, contract, ...head, digest }
      writeWhole(join(this.directory, nameOf(i)), `${JSON.stringify(first)}\n${body}`)
    }
    this.#heads[i] = { ...head, digest }
  }

  /** Takes over another log, segment by segment. */
  replaceBy(other: EventLog): void {
    this.cut(0)
    other.heads.forEach((head, i) => this.append(head, [...other.events(i, i + 1)]))
  }

  /** Forgets segment `i` and all after it; nothing if `i` is negative. */
  cut(i: number): void {
    if (i < 0) return
    this.#heads.length = Math.min(this.#heads.length, i)
    this.#lines.length = Math.min(this.#lines.length, i)
    this.#removeFrom(i)
  }

  #removeFrom(first: number): void {
    if (this.directory === null) return
    // The last goes first: interrupted, what remains is still without a gap.
    for (const name of readdirSync(this.directory).sort().reverse()) {
      const number = NAME.exec(name)?.[1]
      if (number !== undefined && Number(number) >= first)
        rmSync(join(this.directory, name), { force: true })
    }
  }

  #linesOf(i: number): readonly string[] {
    if (this.directory === null) return this.#lines[i] ?? []
    const text = readFileSync(join(this.directory, nameOf(i)), 'utf8')
    const found = this.#check(i, text)
    if (typeof found === 'string')
      throw new ReadError(`${nameOf(i)} ${found} while it was in use: run the command again`)
    return text.split('\n').slice(1, -1)
  }

  /** All events from segment `first` on, in the order of the chain, a segment in memory at a time. */
  *events(first = 0, end = this.#heads.length): Generator<L1Event> {
    for (let i = first; i < end; i++) {
      for (const line of this.#linesOf(i)) yield eventOf(line)
    }
  }
}
