/**
 * The journal: everything that came from outside, in one order, append-only. It is the only
 * authority; all else is rebuilt from it. Two engines keep it: a directory, and PostgreSQL.
 */

/** What an operator can act on: the rule that is broken, in the "must" form, and where. */
export type JournalRule =
  | 'JournalMustBeWhole'
  | 'JournalMustBeFree'
  | 'JournalMustHaveRoom'
  | 'JournalMustBeWritable'
  | 'JournalMustBeOwn'
  | 'JournalKeyMustMatch'
  | 'JournalMustBeKnown'
  | 'JournalMustBelong'
  | 'RecordMustFit'
  | 'SnapshotMustBeSealed'
  | 'SnapshotMustBeWritten'

export class JournalError extends Error {
  readonly rule: JournalRule
  constructor(rule: JournalRule, detail: string, cause?: unknown) {
    super(`${rule}: ${detail}`, cause === undefined ? {} : { cause })
    this.name = 'JournalError'
    this.rule = rule
  }
  /** After it nothing can be appended any more: the process must end and start again. */
  get isFatal(): boolean {
    return this.rule !== 'JournalMustHaveRoom' && this.rule !== 'RecordMustFit'
  }
}

export type Entry = {
  /** 1, 2, 3, ... without a gap. */
  readonly sequence: number
  readonly payload: Uint8Array
}
/** The last record: its number (0 of an empty journal) and the hash that covers all up to it. */
export type Head = { readonly sequence: number; readonly hash: Uint8Array }

/** A journal as who only reads it sees it. */
export type Chain = {
  /** 16 bytes in hex, drawn when the journal was made. */
  readonly identity: string
  /** The hash that covers all up to a record; null if the journal has no such record. */
  hashAt(sequence: number): Promise<Uint8Array | null>
  /** What is durable, in order, from the record after `after` on. */
  entries(after?: number): AsyncIterable<Entry>
}

export type Journal = Omit<Chain, 'hashAt'> & {
  readonly head: Head
  /**
   * Resolves with the sequence number once the record is durable, in the order of the calls. Rejects
   * with a JournalError; then the record is not there and never will be, unless the error is fatal:
   * then nobody knows until the journal is opened again.
   */
  append(payload: Uint8Array): Promise<number>
  /** Calls once nothing can be appended any more, though nobody has closed it and nobody may append. */
  onLost?(tell: (error: JournalError) => void): void
  /** Waits for what was appended, then lets go. */
  close(): Promise<void>
}

/** A table of 256 rows takes 100 kB; nothing that comes from outside is larger than some of these. */
export const RECORD_BYTES_UPPER_BOUND = 1 << 24

type Waiting = {
  readonly payload: Uint8Array
  readonly resolve: (sequence: number) => void
  readonly reject: (error: unknown) => void
}
/** Makes the payloads durable together; returns the sequence number of the first. */
export type WriteGroup = (payloads: readonly Uint8Array[]) => Promise<number>

/**
 * One write and one sync for all who wait. While a group is on its way the next one gathers, so
 * that the disk sets the pace and nobody waits for a timer.
 */
export class GroupCommit {
  private readonly write: WriteGroup
  private readonly groupBytes: number
  private waiting: Waiting[] = []
  private running: Promise<void> | null = null
  private ended: JournalError | null = null

  constructor(write: WriteGroup, groupBytes = 1 << 22) {
    this.write = write
    this.groupBytes = groupBytes
  }

  append(payload: Uint8Array): Promise<number> {
    if (this.ended !== null) return Promise.reject(this.ended)
    if (payload.length === 0 || payload.length >= RECORD_BYTES_UPPER_BOUND) {
      const detail = `a record has 1 to ${RECORD_BYTES_UPPER_BOUND - 1} bytes, not ${payload.length}`
      return Promise.reject(new JournalError('RecordMustFit', detail))
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ payload, resolve, reject })
      this.running ??= this.run()
    })
  }

  /** From now on every append is refused with the error; those that wait are, too. */
  end(error: JournalError): void {
    this.ended ??= error
    for (const { reject } of this.waiting.splice(0)) reject(this.ended)
  }

  /** Nothing new is taken; what waits is written. */
  async close(): Promise<void> {
    this.ended ??= new JournalError('JournalMustBeWritable', 'the journal is closed')
    await this.running
  }

  private async run(): Promise<void> {
    // A turn of the event loop, so that all who come in this one share the first group.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      const group = this.take()
      try {
        const first = await this.write(group.map(({ payload }) => payload))
        group.forEach(({ resolve }, i) => resolve(first + i))
      } catch (error) {
        if (!(error instanceof JournalError) || error.isFatal) {
          this.end(
            error instanceof JournalError
              ? error
              : new JournalError('JournalMustBeWritable', String(error), error),
          )
        }
        group.forEach(({ reject }) => reject(error))
      }
    }
    this.running = null
  }

  private take(): readonly Waiting[] {
    let bytes = 0
    const count = this.waiting.findIndex(({ payload }, i) => {
      bytes += payload.length
      return i > 0 && bytes > this.groupBytes
    })
    return this.waiting.splice(0, count < 0 ? this.waiting.length : count)
  }
}

/** For try-outs and tests: durable until the process ends. */
export class MemoryJournal implements Journal {
  readonly identity = '00'.repeat(16)
  readonly payloads: Uint8Array[] = []
  private readonly commit = new GroupCommit(async (payloads) => {
    const first = this.payloads.length + 1
    this.payloads.push(...payloads)
    return first
  })

  get head(): Head {
    return { sequence: this.payloads.length, hash: new Uint8Array(32) }
  }
  append(payload: Uint8Array): Promise<number> {
    return this.commit.append(payload)
  }
  async *entries(after = 0): AsyncIterable<Entry> {
    for (let i = after; i < this.payloads.length; i++)
      yield { sequence: i + 1, payload: this.payloads[i] as Uint8Array }
  }
  close(): Promise<void> {
    return this.commit.close()
  }
}
