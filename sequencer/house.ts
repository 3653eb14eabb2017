/**
 * The clearing house: takes what comes from outside into the journal, lets the core make of it what
 * the law says, and does what that asks for: proofs, and transactions on L1.
 */
import { randomBytes } from 'node:crypto'
import { depositCommitment, viewKeyHash } from '../circuits/account.ts'
import type { Point } from '../circuits/eddsa.ts'
import { FIELD_MODULUS, type Shape } from '../circuits/params.ts'
import { statementOf } from '../circuits/statement.ts'
import type { Table } from '../circuits/table.ts'
import { batchSteps, type BuiltBatch, type WitnessInput } from '../circuits/witness.ts'
import { wordLayout } from '../circuits/words.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import type { Answers, OpenBatch, SettledBatch } from './answers.ts'
import { chance, stampChance } from './chance.ts'
import { Core, Diverged } from './core.ts'
import type { Deployment } from './deploy.ts'
import type { Desk } from './desk.ts'
import { JournalError, MemoryJournal, type Journal } from './journal/journal.ts'
import { encodeRecord, type InputOf, type Kind, type TablePosted } from './journal/record.ts'
import { applyEntry, checkGenesis, genesisOf, replayInto } from './journal/replay.ts'
import { LostViewKeys } from './journal/shown-keys.ts'
import {
  BatchRefused,
  type BatchJob,
  type Duties,
  type L1Table,
  type Receipted,
  type SequencerL1,
  type Submission,
} from './l1.ts'
import type { Ledger } from './ledger.ts'
import type { RandomBelow } from './room.ts'
import { KEPT, type Mode } from './tables.ts'

const WATCH_MILLISECONDS = 250
const NO_DUTIES: Duties = {
  isFrozen: false,
  isPaused: false,
  areWithdrawalsHeld: false,
  isBatchDue: false,
}

export type BatchReport = SettledBatch & { readonly publicBytes: number }
/** What the house asks of L1. */
export type HouseL1 = Pick<
  SequencerL1,
  'operator' | 'news' | 'rootOf' | 'freeVault' | 'countersign' | 'signReceipt' | 'submit' | 'close'
> &
  Partial<Pick<SequencerL1, 'resumeAt' | 'follow' | 'rootAtHead' | 'duties'>>
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

/** The guardian has paused L1: a proof now would be made in vain, again and again. */
export class HousePaused extends Error {}

/** Nobody can prove a batch now: it would stand open, and keep its pages, for nothing. */
export class NoProver extends Error {}

export class House {
  readonly core: Core
  readonly journal: Journal
  readonly l1: HouseL1
  readonly reports: BatchReport[] = []
  readonly domain: bigint
  readonly options: HouseOptions
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
    return this.ask({ kind: 'affirmation', account, ticket, chance: stampChance() })
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
      await this.recordNews()
      await this.viewKeys.find(this)
    } catch (error) {
      // It was not recorded, so it is still news.
      this.l1.resumeAt?.(this.core.nextBlock, this.core.blockHash)
      if (error instanceof Diverged) this.options.onFatal?.(error)
      throw error
    }
  }

  private async recordNews(): Promise<void> {
    const { tables: all, nextBlock = 0, blockHash, ...news } = await this.l1.news()
    const latest = all.at(-1)?.number ?? 0n
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
    if (news.mode === null && lists.every((list) => list.length === 0)) return
    const place = blockHash === undefined ? { nextBlock } : { nextBlock, blockHash }
    await this.submit({ kind: 'l1', seen: { ...news, tables, ...place } })
  }

  /**
   * By its number where the core knows it, else with its rows: a journal is replayed alone. Without
   * rows batches go on: the sweep may be lost, the house not.
   */
  private sweepOf({
    number,
    root,
  }: {
    number: bigint
    root: bigint
  }): Pick<InputOf<'batch'>, 'sweep'> {
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
      await this.submit({ kind: 'tick' })
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
   * One batch, from choice to L1. Null when there is nothing to settle. One that `isDue` by the clock
   * is made all the same, of cover, and always in the usual shape. Throws NoProver and
   * HousePaused before anything is recorded.
   */
  async runBatch({ isDue = false } = {}): Promise<BatchReport | null> {
    await this.watch()
    const duties = (await this.l1.duties?.()) ?? NO_DUTIES
    const { isFrozen, isPaused, areWithdrawalsHeld, isBatchDue, sweep } = duties
    // No proof is made for an L1 that takes none any more.
    if (isFrozen) return null
    if (this.core.open !== null) return this.resume(this.core.open)
    if (isPaused) throw new HousePaused('no batch is prepared: the house is paused on L1')
    if (this.table === null || !this.core.hasConfirmedTable) return null
    const shapes = await this.provableShapes()
    const due = isBatchDue ? 'silence' : isDue ? 'clock' : null
    if (due === null && !this.core.hasWork(Date.now())) return null
    const { open, unprovable } = await this.submit({
      kind: 'batch',
      ...(due === null ? {} : { due }),
      shapes: isDue ? shapes.slice(0, 1) : shapes,
      freeVaults: await this.freeVaults(),
      ...(areWithdrawalsHeld ? { areWithdrawalsHeld } : {}),
      ...(sweep === undefined ? {} : this.sweepOf(sweep)),
      nonce: chance(40) % FIELD_MODULUS,
      salt: chance(40) % FIELD_MODULUS,
      seed: randomBytes(32),
    })
    for (const { rejection } of unprovable)
      this.options.log(`a page cannot settle (${rejection.rule}): its sides sign anew without it`)
    return open === null ? null : this.settle(open)
  }

  /** The usual one, which must have a prover, and of the others those that have one. */
  private async provableShapes(): Promise<readonly Shape[]> {
    const { keys, proverMissing = async () => null } = this.options
    const missing = await Promise.all(keys.map((key) => proverMissing(key)))
    const [usual = null] = missing
    if (usual !== null) throw new NoProver(`no batch is prepared: ${usual}`)
    return keys.flatMap(({ shape }, i) => (missing[i] === null ? [shape] : []))
  }

  /** What a forced exit may take changes with batches only: of those there is one at a time. */
  private async freeVaults(): Promise<ReadonlyMap<number, bigint>> {
    const tokens = new Set(
      this.core.requests.flatMap((r) => (r.kind === 'forcedExit' ? [r.token] : [])),
    )
    return new Map(
      await Promise.all(
        [...tokens].map(async (token) => [token, await this.l1.freeVault(token)] as const),
      ),
    )
  }

  /** After a restart, or an answer of L1 that never came: the same batch, or what became of it. */
  private async resume(open: OpenBatch): Promise<BatchReport> {
    const number = open.plan.context.batchNumber
    const root = await this.l1.rootOf(number)
    const isSigned = (this.core.sent.get(number)?.length ?? 0) > 0
    if (root === null && !isSigned) return this.settle(open)
    const { newRoot, words } = await this.build(open)
    // What was signed may be out: it goes its way to the end, and no other takes its place.
    if (root === null)
      return this.deliver(open, newRoot, words.length, (job) => {
        if (this.l1.follow === undefined) throw new Error('this L1 cannot follow a transaction')
        return this.l1.follow(job)
      })
    if (root === newRoot) return this.accepted(open, root, 0n, words.length)
    throw this.diverged(number, root, newRoot)
  }

  /** Not worth a record: the journal must stay one that can be replayed. */
  private diverged(number: bigint, root: bigint, own: bigint): Diverged {
    const error = new Diverged(
      `L1 has root ${root} for batch ${number}; the journal makes it ${own}`,
    )
    this.options.onFatal?.(error)
    return error
  }

  /** Members are answered in between. */
  private async build(open: OpenBatch): Promise<BuiltBatch> {
    const { shape, trace, salt, tableNumber, confirmedTableRoot, accountCountBefore } = open
    const view = { tableNumber, confirmedTableRoot, accountCountBefore }
    for (const steps = batchSteps(shape, trace, this.ledger.tree, view, salt); ;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  private async settle(open: OpenBatch): Promise<BatchReport> {
    const { plan, trace, shape } = open
    const number = plan.context.batchNumber
    const key = this.options.keys.find((k) => k.shape.name === shape.name)
    if (key === undefined) throw new Error(`batch ${number} needs shape ${shape.name}`)
    const built = await this.build(open)
    const { deployment } = this.options
    const scope = {
      chainId: deployment.chainId,
      contract: BigInt(deployment.contract),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const started = performance.now()
    const proof = await this.options
      .prove(key, built.finish(x, y), [built.commitment, x, y].map(String))
      .catch(async (error: unknown) => {
        // It was never sent, so another batch may take its number, with a nonce of its own.
        await this.submit({ kind: 'withdrawn', number, reason: 'no proof' })
        throw error
      })
    await this.submit({ kind: 'proven', number, seconds: (performance.now() - started) / 1000 })
    await this.untilTaken(open)
    const accountsPart = wordLayout(shape).find((part) => part.name === 'accounts')
    const submission: Submission = {
      shapeId: deployment.shapeIds.get(shape.name) as bigint,
      time: plan.context.time,
      newRoot: built.newRoot,
      tableNumber: open.tableNumber,
      batchNonce: plan.context.batchNonce,
      requestCount: plan.requests.length,
      depositIds: plan.credits.map((c) => c.id),
      withdrawals: trace.payouts,
      forcedPayments: plan.requests.flatMap(({ kind, account }) =>
        kind === 'forcedExit'
          ? [trace.members.find((m) => m.index === account)?.forced?.amount ?? 0n]
          : [],
      ),
      accountWords: built.words.slice(accountsPart?.first),
      commitment: built.commitment,
      proof,
    }
    return this.deliver(open, built.newRoot, built.words.length, (job) =>
      this.l1.submit(submission, job),
    )
  }

  /** To L1, and into the journal what became of it there. */
  private async deliver(
    open: OpenBatch,
    newRoot: bigint,
    words: number,
    send: (job: BatchJob) => Promise<Receipted>,
  ): Promise<BatchReport> {
    const number = open.plan.context.batchNumber
    try {
      const { gasUsed } = await send({
        number,
        earlier: this.core.sent.get(number) ?? [],
        record: async (raw) => void (await this.submit({ kind: 'sent', number, raw })),
      })
      const root = await this.l1.rootOf(number)
      if (root !== null && root !== newRoot) throw this.diverged(number, root, newRoot)
      return await this.accepted(open, newRoot, gasUsed, words)
    } catch (error) {
      // Only the contract's own word ends a batch: any other error may hide that it was accepted.
      if (error instanceof BatchRefused && (await this.l1.rootOf(number)) === null)
        await this.submit({ kind: 'withdrawn', number, reason: error.message })
      throw error
    }
  }

  /**
   * L1 sets the mode of a batch. One that was proven in normal mode waits while the latest table is
   * indicative; one that cannot be taken any more is built again from the same pages.
   */
  private async untilTaken({ plan, tableNumber }: OpenBatch): Promise<void> {
    const { batchNumber: number, mode = 'normal' } = plan.context
    for (;;) {
      await this.watch()
      if (this.mode === mode) return
      if (mode !== 'normal' || !this.core.isCurrent(tableNumber)) {
        const reason = `the batch of table ${tableNumber} must be built again: L1 went on`
        await this.submit({ kind: 'withdrawn', number, reason })
        throw new Error(reason)
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_MILLISECONDS))
    }
  }

  private async accepted(
    open: OpenBatch,
    root: bigint,
    gas: bigint,
    words: number,
  ): Promise<BatchReport> {
    const number = open.plan.context.batchNumber
    const batch = await this.submit({ kind: 'accepted', number, root, gas })
    const report = { ...batch, publicBytes: 32 * words }
    this.reports.push(report)
    return report
  }

  async close(): Promise<void> {
    this.l1.close()
    await this.journal.close()
  }
}
