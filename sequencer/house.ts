/**
 * The clearing house: takes what comes from outside into the journal, lets the core make of it what
 * the law says, and does what that asks for: proofs, and transactions on L1.
 */
import { depositCommitment, viewKeyHash } from '../circuits/account.ts'
import type { Point } from '../circuits/eddsa.ts'
import type { Table } from '../circuits/table.ts'
import type { WitnessInput } from '../circuits/witness.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import type { Answers } from './answers.ts'
import { chance, stampChance } from './chance.ts'
import { Core, Diverged } from './core.ts'
import type { Deployment } from './deploy.ts'
import type { Desk } from './desk.ts'
import { JournalError, MemoryJournal, type Journal } from './journal/journal.ts'
import { encodeRecord, type InputOf, type Kind, type TablePosted } from './journal/record.ts'
import { appliedOf, applyEntry, checkGenesis, genesisOf, replayInto } from './journal/replay.ts'
import { LostViewKeys } from './journal/shown-keys.ts'
import type { L1News, L1Table, SequencerL1 } from './l1.ts'
import type { Ledger } from './ledger.ts'
import { Pipeline, type BatchReport, type BatchWish } from './pipeline.ts'
import type { RandomBelow } from './room.ts'
import { KEPT, type Mode } from './tables.ts'

/** What the house asks of L1. */
export type HouseL1 = Pick<
  SequencerL1,
  'operator' | 'news' | 'rootOf' | 'freeVault' | 'countersign' | 'signReceipt' | 'submit' | 'close'
> &
  Partial<Pick<SequencerL1, 'resumeAt' | 'follow' | 'rootAtHead' | 'duties' | 'tableAge'>>
export { NoProver } from './batch-input.ts'
export { BatchGivenUp, HousePaused, type BatchReport } from './pipeline.ts'
export type HouseOptions = {
  readonly rpcUrl: string
  readonly deployment: Deployment
  readonly domain: bigint
  readonly l1: HouseL1
  /** The public signals of the proof must be the given ones: commitment, x, y. */
  readonly prove: (
    key: ShapeKey,
    input: WitnessInput,
    publicSignals: readonly string[],
    /** The proof is not wanted any more. */
    signal?: AbortSignal,
  ) => Promise<Groth16Proof>
  /** Why no proof can be made with a key now, or null; no batch is prepared that no prover can take. */
  readonly proverMissing?: (key: ShapeKey) => Promise<string | null>
  readonly feeAccountViewKey: bigint
  /** The usual shape first. */
  readonly keys: readonly ShapeKey[]
  readonly fee: bigint
  /** The oracle's table by its root: where a deployment serves them; the house checks the root. */
  readonly tableByRoot: (root: bigint) => Table | undefined
  readonly log: (line: string) => void
  /** Without one, everything is forgotten when the process ends. */
  readonly journal?: Journal
  /** After each record was applied, with the answer to it: for who counts. */
  readonly onAnswer?: (kind: Kind, answer: unknown) => void
  /** Nothing can be recorded any more, or journal and L1 contradict each other: the process must end. */
  readonly onFatal?: (error: Error) => void
  /** Of a standby that has followed the journal so far. */
  readonly core?: Core
  /** Draws cover accounts, in place of what the recorded seeds give. */
  readonly randomBelow?: RandomBelow
}

export class House {
  readonly core: Core
  readonly journal: Journal
  readonly l1: HouseL1
  /** Of this run, the latest. */
  readonly reports: BatchReport[] = []
  readonly domain: bigint
  readonly options: HouseOptions
  private readonly pipeline = new Pipeline(this)
  private watching: Promise<void> = Promise.resolve()
  /** A look that has not begun. */
  private nextLook: Promise<void> | null = null
  private opening: Promise<void> | null = null
  private readonly viewKeys = new LostViewKeys()

  constructor(options: HouseOptions) {
    this.options = options
    this.domain = options.domain
    this.l1 = options.l1
    this.journal = options.journal ?? new MemoryJournal()
    const { randomBelow } = options
    const draws = randomBelow === undefined ? undefined : () => randomBelow
    this.core = options.core ?? new Core(genesisOf(options), draws)
  }

  get ledger(): Ledger {
    return this.core.ledger
  }
  get desk(): Desk {
    return this.core.desk
  }
  get batchNumber(): bigint {
    return this.core.batchNumber
  }
  get table(): Table | null {
    return this.core.table
  }
  get tableNumber(): bigint {
    return this.core.tableNumber
  }
  get mode(): Mode {
    return this.core.mode
  }

  /**
   * Rebuilds the state from the journal; the first run of a house writes what it is. Throws
   * JournalMustBelong if the journal is another house's. Must have ended before anything else.
   */
  open(): Promise<void> {
    this.opening ??= this.start()
    return this.opening
  }

  private async start(): Promise<void> {
    checkGenesis(this.core, genesisOf(this.options))
    if (this.journal.head.sequence === 0) {
      const genesis = this.core.genesis
      await this.journal.append(
        encodeRecord({ at: Date.now(), input: { kind: 'genesis', genesis } }),
      )
    }
    const { records, seconds } = await replayInto(this.core, this.journal)
    const [applied, { sequence }] = [appliedOf(this.core), this.journal.head]
    if (applied !== sequence)
      throw new Diverged(`the state is that of record ${applied}; the journal ends at ${sequence}`)
    this.journal.onLost?.((error) => this.options.onFatal?.(error))
    this.l1.resumeAt?.(this.core.nextBlock, this.core.blockHash)
    if (records > 1) {
      const time = seconds.toFixed(1)
      this.options.log(
        `journal: ${records} records applied in ${time} s; batch ${this.batchNumber}`,
      )
    }
  }

  /**
   * Throws Diverged unless L1 has the last accepted batch as the journal has it: an L1 that was put
   * back, or another one at the same address, must not be built upon.
   */
  async meetL1(): Promise<void> {
    await this.open()
    const number = this.batchNumber
    if (number === 0n) return
    const { l1 } = this
    const found = l1.rootAtHead?.(number) ?? l1.rootOf(number)
    const [root, own] = [await found, this.ledger.tree.root]
    if (root === own) return
    const said = root === null ? 'does not have it' : `has root ${root}`
    throw new Diverged(`the journal makes root ${own} of batch ${number}; L1 ${said}`)
  }

  /**
   * Records what came from outside, and applies it once it is durable. Whoever is answered with the
   * result may rely on it. Rejects with a JournalError if it could not be recorded; then nothing changed.
   */
  async submit<K extends Kind>(input: InputOf<K>): Promise<Answers[K]> {
    await this.open()
    const record = { at: Date.now(), input }
    try {
      const sequence = await this.journal.append(encodeRecord(record))
      const answer = applyEntry(this.core, sequence, record) as Answers[K]
      this.options.onAnswer?.(input.kind, answer)
      return answer
    } catch (error) {
      const isFatal = error instanceof Diverged || (error instanceof JournalError && error.isFatal)
      if (isFatal) this.options.onFatal?.(error)
      throw error
    }
  }

  /** As `submit`, for what makes no sense before there is a table: that is not worth a record. */
  async ask<K extends Kind>(input: InputOf<K>): Promise<Answers[K]> {
    this.conditions()
    return this.submit(input)
  }
  propose(account: number, proposal: Omit<InputOf<'proposal'>, 'kind' | 'account' | 'chance'>) {
    return this.ask({ kind: 'proposal', account, ...proposal, chance: chance(8) })
  }
  affirm(account: number, ticket: string) {
    const drawn = { chance: stampChance(), isOfNow: true } as const
    return this.ask({ kind: 'affirmation', account, ticket, ...drawn })
  }

  conditions() {
    return this.core.conditions(Date.now())
  }

  /**
   * Takes what L1 has to say since the last time; looks one after the other, nothing twice. Whoever asks
   * while one is under way shares the one after it: an L1 that is silent for hours leaves none behind.
   */
  watch(): Promise<void> {
    if (this.nextLook !== null) return this.nextLook
    const next = this.watching.then(() => {
      this.nextLook = null
      return this.takeNews()
    })
    this.nextLook = next
    this.watching = next.catch(() => {})
    return next
  }

  private async takeNews(): Promise<void> {
    await this.open()
    try {
      // Each part is a record of its own: a restart between two goes on behind the first.
      while (await this.recordNews());
      await this.viewKeys.find(this)
    } catch (error) {
      // It was not recorded, so it is still news.
      this.l1.resumeAt?.(this.core.nextBlock, this.core.blockHash)
      if (error instanceof Diverged) this.options.onFatal?.(error)
      throw error
    }
  }

  /** Whether L1 has more than this look took. */
  private async recordNews(): Promise<boolean> {
    const { isPart = false, latestTable = 0n, ...all } = await this.l1.news()
    await this.recordPart(all, latestTable)
    return isPart
  }

  private async recordPart(
    {
      tables: all,
      nextBlock = 0,
      blockHash,
      fees,
      ...news
    }: Omit<L1News, 'isPart' | 'latestTable'>,
    latestTable: bigint,
  ): Promise<void> {
    const last = all.at(-1)?.number ?? 0n
    const latest = last > latestTable ? last : latestTable
    // Of the others nobody is asked for rows any more.
    const tables = all.filter(({ number }) => number + KEPT > latest).map((t) => this.tableOf(t))
    const lists = [
      news.requests,
      news.deposits,
      news.refundRequests,
      news.settled,
      tables,
      news.confirmed,
    ]
    // Blocks without anything for us are not worth a record: after a restart they are read again.
    const said = fees === undefined || this.core.hasFees(fees) ? {} : { fees }
    const isNothing = news.mode === null && lists.every((list) => list.length === 0)
    if (isNothing && said.fees === undefined) return
    const place = blockHash === undefined ? { nextBlock } : { nextBlock, blockHash }
    await this.submit({ kind: 'l1', seen: { ...news, tables, ...said, ...place } })
  }

  /**
   * By its number where the core knows it, else with its rows: a journal is replayed alone. Without
   * rows batches go on: the sweep may be lost, the house not.
   */
  sweepOf({ number, root }: Pick<L1Table, 'number' | 'root'>): Pick<InputOf<'batch'>, 'sweep'> {
    if (this.core.knowsTable(number)) return { sweep: { number } }
    if (this.options.tableByRoot(root)?.root !== root) return {}
    return { sweep: { number, posted: this.tableOf({ number, root }) } }
  }

  private tableOf(posted: Pick<L1Table, 'number' | 'root'>): TablePosted {
    const table = this.options.tableByRoot(posted.root)
    if (table === undefined || table.root !== posted.root)
      throw new Error(`table ${posted.number} is posted but its rows are not known here`)
    return { number: posted.number, root: table.root, flags: table.flags, rows: table.rows }
  }

  /** What happens by time alone; recorded only where it changes anything. */
  async tick(): Promise<void> {
    if (this.core.open !== null || this.table === null) return
    if (this.desk.resigning.overdue(this.conditions().time).length > 0)
      await this.submit({ kind: 'tick', late: 'all' })
  }

  /** A member shows its view key and gets the countersignature for its registration on L1. */
  async countersign(l1Owner: string, key: Point, viewKey: bigint): Promise<string> {
    const hash = viewKeyHash(viewKey)
    // Anybody may ask, again and again; what is known needs no record.
    if (!this.core.knowsViewKey(hash)) await this.submit({ kind: 'viewKey', viewKey })
    return this.l1.countersign({ l1Owner, ownerX: key.x, ownerY: key.y, viewKeyHash: hash })
  }

  async showDeposit(account: number, secret: bigint): Promise<void> {
    if (this.core.knowsOpening(depositCommitment(account, secret))) return
    await this.submit({ kind: 'opening', account, secret })
  }

  /**
   * One batch, from choice to L1: resolves once L1 has accepted it at the depth that counts, or with null
   * when there is nothing to settle. Asked again meanwhile it makes the next one: chosen, built and proven
   * while this one is on its way to L1, and sent after it. One that `isDue` by the clock is made all the
   * same, of cover, and always in the usual shape. Throws NoProver and HousePaused before anything is
   * recorded, BatchGivenUp when the batch before it was withdrawn.
   */
  runBatch(wish: BatchWish = {}): Promise<BatchReport | null> {
    return this.pipeline.run(wish)
  }

  async close(): Promise<void> {
    this.pipeline.close()
    this.l1.close()
    await this.journal.close()
  }
}
