/**
 * The house from L1 with little memory and no haste: segment by segment, taken up where an earlier
 * run stopped, every root held against the contract's own record.
 */
import { challengeOf, domainOf } from './batch-words.ts'
import { eventsOf, type L1Event, type Progress } from './events.ts'
import { EventLog } from './event-log.ts'
import type { Fault, Ledger, Rebuilt } from './ledger.ts'
import { compareWithViews, FaultError } from './rebuild.ts'
import { applyEvent, concluded, emptyLedger } from './replay.ts'
import { ReadError, type L1 } from './rpc.ts'
import { leavesOf, loadCheckpoint, saveCheckpoint, type Checkpoint } from './snapshot.ts'

export type ScanOptions = {
  /** Directory for what was read; without it nothing outlives the process. */
  readonly state?: string
  /** Forget what the state directory holds, and read everything again. */
  readonly isFresh?: boolean
  /** First block to read; by default the one in which the contract appeared is looked for. */
  readonly fromBlock?: number
  readonly onProgress?: Progress
}
export type Scan = {
  readonly rebuilt: Rebuilt
  readonly log: EventLog
  /** Something came from the state directory. */
  readonly isFromState: boolean
  /** Batches that were read or replayed in this run; the others came from the checkpoint. */
  readonly replayedCount: number
  readonly resumedAt: bigint
  /** What was found damaged, reorganised or untrue in the state directory, in words. */
  readonly mended: readonly string[]
  readonly seconds: number
}

const BLOCKS_A_CHUNK = 5_000
/** Written to the disk after so many events or seconds, whichever comes first. */
const EVENTS_A_FLUSH = 1_024
const SECONDS_A_FLUSH = 10
/** On a longer chain than this the contract's first block is looked for instead of read up to. */
const SHORT_CHAIN_BLOCKS = 20_000
const RETENTION = { isKeepingBatches: false, isKeepingTouches: false }

/** What keeps a reader from going on; what the oracle alone has on its conscience does not. */
const barring = (faults: readonly Fault[]): readonly Fault[] =>
  faults.filter(({ isOfOracle }) => isOfOracle !== true)

/**
 * Everything, or an error: ReadError if L1 cannot be read, FaultError if it is not in order. Faults of
 * the oracle are in the result: leaves, and so the way out of most, do not depend on them.
 */
export async function scan(l1: L1, options: ScanOptions = {}): Promise<Scan> {
  const first = await scanOnce(l1, options)
  if ('scan' in first) return first.scan
  if (!first.isFromState) throw new FaultError(first.faults)
  // Either an earlier run wrote down what an untrue node told it, or this node is the untrue one:
  // L1 is asked for everything, and what lies on the disk stays until that holds together.
  const note = `the state directory does not agree with L1 (${new FaultError(first.faults).message})`
  options.onProgress?.(`${note}: reading from the beginning`)
  const { state, ...rest } = options
  const again = await scanOnce(l1, rest)
  if (!('scan' in again)) throw new FaultError(again.faults)
  const log = EventLog.open(state ?? null, l1)
  log.replaceBy(again.scan.log)
  saveCheckpoint(log, again.ledger, again.ledger.batchNumber)
  return { ...again.scan, log, mended: [`${note}: everything was read again`, ...log.mended] }
}

/**
 * Scans and uses. Roots do not show a ciphertext that an untrue node once told of, and that stands in
 * the state directory since: where the words of a batch do not do what they should, L1 is asked for
 * that batch again, and for everything if it says something else now.
 */
export async function scanFor<T>(
  l1: L1,
  options: ScanOptions,
  use: (scan: Scan) => T,
  batchOf: (error: unknown) => bigint | null,
): Promise<{ readonly scan: Scan; readonly value: T }> {
  const first = await scan(l1, options)
  try {
    return { scan: first, value: use(first) }
  } catch (error) {
    const batch = batchOf(error)
    if (!first.isFromState || batch === null || (await isAsRecorded(l1, first, batch))) throw error
    options.onProgress?.(`batch ${batch} is another one on L1 than on record: reading again`)
    const again = await scan(l1, { ...options, isFresh: true })
    return { scan: again, value: use(again) }
  }
}

async function isAsRecorded(l1: L1, { rebuilt, log }: Scan, batch: bigint): Promise<boolean> {
  const block = rebuilt.summaries.find(({ number }) => number === batch)?.place.block
  if (block === undefined) return true
  const wordsIn = (events: Iterable<L1Event>): string[] =>
    [...events].flatMap((e) => (e.kind === 'batch' && e.block === block ? [e.words.join()] : []))
  const now = wordsIn(await eventsOf(l1, await l1.logs(block, block)))
  return now.join() === wordsIn(log.events()).join()
}

type Outcome =
  | { readonly scan: Scan; readonly ledger: Ledger }
  | { readonly faults: readonly Fault[]; readonly isFromState: boolean }

async function scanOnce(l1: L1, options: ScanOptions): Promise<Outcome> {
  const started = Date.now()
  const progress = options.onProgress ?? (() => {})
  const log = EventLog.open(options.state ?? null, l1)
  if (options.isFresh === true) log.cut(0)
  await dropReorganised(l1, log)
  const isFromState = log.heads.length > 0
  const earlier = [...log.heads]
  const ledger = emptyLedger(domainOf(l1.chainId, l1.contract), RETENTION)
  const checkpoint = loadCheckpoint(log, ledger)
  for (const note of log.mended) progress(`state: ${note}`)
  const resumedAt = ledger.batchNumber
  replayLog(l1, log, ledger, checkpoint, progress)
  const run = new Reading(l1, log, ledger, checkpoint?.comparedTo ?? 0n, progress)
  if (barring(ledger.faults).length === 0) await run.readOn(options.fromBlock)
  if (run.eventCount === 0)
    throw new ReadError(
      `${l1.contract} has emitted nothing on chain ${l1.chainId} up to block ${l1.head.number}: ` +
        'is it a Cloister contract, and on this chain?',
    )
  concluded(ledger)
  const found = barring(ledger.faults)
  const faults = found.length > 0 ? found : await run.compare()
  if (faults.length > 0) {
    // What this run wrote goes; what it found stays, for it may have been this node that lied.
    log.cut(log.heads.findIndex((head, i) => head.digest !== earlier[i]?.digest))
    return { faults, isFromState }
  }
  return {
    ledger,
    scan: {
      rebuilt: ledger,
      log,
      isFromState,
      replayedCount: Number(ledger.batchNumber - resumedAt),
      resumedAt,
      mended: log.mended,
      seconds: (Date.now() - started) / 1000,
    },
  }
}

/** Goes back to the last segment that the chain still has. */
async function dropReorganised(l1: L1, log: EventLog): Promise<void> {
  let kept = log.heads.length
  while (kept > 0) {
    const head = log.heads[kept - 1]
    if (head === undefined) break
    const isOnChain =
      head.toBlock <= l1.head.number && (await l1.blockHash(head.toBlock)) === head.blockHash
    if (isOnChain) break
    kept--
    log.mended.push(
      `block ${head.toBlock} is another one now (reorganised, or a node that is behind): blocks ` +
        `${head.fromBlock} to ${head.toBlock} are read again`,
    )
  }
  if (kept < log.heads.length) log.cut(kept)
}

function replayLog(
  l1: L1,
  log: EventLog,
  ledger: Ledger,
  checkpoint: Checkpoint | null,
  progress: Progress,
): void {
  let isFirst = checkpoint === null
  for (const event of log.events(checkpoint?.segmentCount ?? 0)) {
    take(l1, ledger, event, isFirst)
    isFirst = false
    if (event.kind === 'batch' && event.number % 500n === 0n)
      progress(`replayed ${event.number} batches of the state directory`)
  }
}

/**
 * Applies an event. The challenge binds every word of a batch, ciphertexts and nonce included, so a
 * node cannot alter one of them alone; that it was proven at all is the audit's to check.
 */
function take(l1: L1, ledger: Ledger, event: L1Event, isFirst: boolean): void {
  applyEvent(ledger, event, isFirst)
  if (event.kind !== 'batch') return
  const keyHash = ledger.shapes.get(event.shapeId)?.keyHash
  if (keyHash === undefined) return
  const { chainId, contract } = l1
  const { x } = challengeOf(
    { chainId, contract, keyHash, commitment: event.commitment },
    event.words,
  )
  if (x === event.x) return
  ledger.faults.push({
    must: 'WordsMustMatchChallenge',
    detail: `batch ${event.number}: the words give challenge ${x}, the event says ${event.x}`,
    block: event.block,
  })
}

/** One run over the blocks that the log does not hold yet. */
class Reading {
  eventCount: number
  readonly #l1: L1
  readonly #log: EventLog
  readonly #ledger: Ledger
  readonly #progress: Progress
  #comparedTo: bigint
  #pending: L1Event[] = []
  #pendingFrom = 0
  #flushedAt = Date.now()

  constructor(l1: L1, log: EventLog, ledger: Ledger, comparedTo: bigint, progress: Progress) {
    this.#l1 = l1
    this.#log = log
    this.#ledger = ledger
    this.#comparedTo = comparedTo
    this.#progress = progress
    this.eventCount = log.eventCount
  }

  /** Stops at the first fault: nothing that does not hold together is written down. */
  async readOn(fromBlock?: number): Promise<void> {
    const l1 = this.#l1
    const { last } = this.#log
    let first = last === null ? (fromBlock ?? (await firstBlockOf(l1))) : last.toBlock + 1
    this.#pendingFrom = first
    while (first <= l1.head.number) {
      const until = Math.min(first + BLOCKS_A_CHUNK - 1, l1.head.number)
      const hash = await this.#readChunk(first, until)
      if (barring(this.#ledger.faults).length > 0) return
      const { eventCount } = this
      this.#progress(
        `read blocks ${first} to ${until} of ${l1.head.number}: ${eventCount} events, ` +
          `${this.#ledger.batchNumber} batches`,
      )
      const isDue =
        this.#pending.length >= EVENTS_A_FLUSH ||
        Date.now() - this.#flushedAt > 1000 * SECONDS_A_FLUSH ||
        until === l1.head.number
      if (isDue) this.#flush(until, hash)
      first = until + 1
    }
  }

  /** The hash of the last block, which was the same before and after its logs were read. */
  async #readChunk(first: number, until: number): Promise<string> {
    const l1 = this.#l1
    const hash = await l1.blockHash(until)
    const events = await eventsOf(l1, await l1.logs(first, until))
    for (const event of events) {
      take(l1, this.#ledger, event, this.eventCount === 0)
      this.#pending.push(event)
      this.eventCount++
    }
    if (hash === null || (await l1.blockHash(until)) !== hash)
      throw new ReadError(`block ${until} was replaced while it was read; run the command again`)
    return hash
  }

  #flush(toBlock: number, blockHash: string): void {
    if (this.eventCount > 0) {
      this.#log.append({ fromBlock: this.#pendingFrom, toBlock, blockHash }, this.#pending)
      saveCheckpoint(this.#log, this.#ledger, this.#comparedTo)
    }
    this.#pending = []
    this.#pendingFrom = toBlock + 1
    this.#flushedAt = Date.now()
  }

  async compare(): Promise<readonly Fault[]> {
    const l1 = this.#l1
    const faults = await compareWithViews(l1, this.#ledger, this.#progress, this.#comparedTo)
    if (!(await l1.isHeadStillCanonical()))
      throw new ReadError(
        `block ${l1.head.number} was replaced while it was read; run the command again`,
      )
    if (faults.length === 0) saveCheckpoint(this.#log, this.#ledger, this.#ledger.batchNumber)
    return faults
  }
}

/**
 * The block in which the contract got its code, or 0 where the node does not keep old states: then
 * reading takes longer and gives the same.
 */
async function firstBlockOf(l1: L1): Promise<number> {
  if (l1.head.number < SHORT_CHAIN_BLOCKS) return 0
  const hasCode = async (block: number): Promise<boolean> =>
    (await l1.code(l1.contract, block)) !== '0x'
  if (!(await hasCode(l1.head.number))) return l1.head.number
  let [without, withCode] = [0, l1.head.number]
  try {
    while (withCode - without > 1) {
      const middle = Math.floor((without + withCode) / 2)
      if (await hasCode(middle)) withCode = middle
      else without = middle
    }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error
    return 0
  }
  // A node may answer "no code" for states that it has dropped: Genesis is in the very first block.
  const isFirst = (await l1.logs(withCode, withCode)).some(({ name }) => name === 'Genesis')
  return isFirst ? withCode : 0
}

/** The used leaves, by index, and how many there are at most. */
export function leafList(rebuilt: Rebuilt): readonly (readonly [number, bigint])[] {
  return [...leavesOf(rebuilt)]
}
