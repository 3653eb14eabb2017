/**
 * The house as a machine: state, and what one record of the journal makes of it. No clock, no chance,
 * no network in here: the same records give the same state, byte for byte.
 */
import type { BatchContext } from '../circuits/batch.ts'
import {
  rowLookup,
  settlementsOf,
  tableOf,
  type Row,
  type RowOf,
  type Settlements,
  type Table,
} from '../circuits/table.ts'
import { keepVerified, type Conditions } from './admission.ts'
import type { Answer, Chosen, OpenBatch, SettledBatch } from './answers.ts'
import type { Unprovable } from './builder.ts'
import { chooseShape, servable } from './choose.ts'
import { Desk } from './desk.ts'
import { drawsFrom } from './draws.ts'
import { Feed } from './feed.ts'
import { countsAfter, forkOf, numberOf, type Ground } from './fork.ts'
import type { Genesis, InputOf, JournalRecord, L1Seen, TablePosted } from './journal/record.ts'
import type { Fees, QueuedRequest } from './l1.ts'
import { Ledger } from './ledger.ts'
import { dueFlags } from './flagging.ts'
import { keepLatest, openBatchOf, plainOf, SETTLED_KEPT, settledOf } from './open-batch.ts'
import { holdersOfSettled, type RandomBelow } from './room.ts'
import { Shown } from './shown.ts'
import { Tables, type Mode } from './tables.ts'

/** The journal and L1 contradict each other: nothing may be built on this state. */
export class Diverged extends Error {}
/** What a record asked for cannot be done yet; nothing was changed. */
export class NotReady extends Error {}

export class Core {
  readonly genesis: Genesis
  readonly ledger: Ledger
  readonly desk: Desk
  /** The latest that L1 has accepted, without gaps. */
  readonly batches: SettledBatch[] = []
  /** What the parties are told of what happens here. */
  readonly feed = new Feed()
  /** Accounts whose leaves the last batch has changed. */
  touched: readonly number[] = []
  batchNumber = 0n
  /** The first block of L1 that was not looked at. */
  nextBlock = 0
  /** Hash of the block before it; undefined before the first look, or where L1 has none. */
  blockHash: string | undefined = undefined
  /** Raw transactions of batches that L1 has not been heard of, in the order of signing. */
  readonly sent = new Map<bigint, readonly string[]>()
  /** The batch on its way to L1. */
  open: OpenBatch | null = null
  /** The one behind it, built on what that one makes of the ledger. */
  next: OpenBatch | null = null
  /** What a record says that its writer has verified; an auditor verifies it again. */
  believesVerified = true
  private readonly randomBelow: (seed: Uint8Array) => RandomBelow
  private now = 0n
  /** Micro-dollars a page, of the next batch on L1. */
  fee: bigint
  /** Of every batch after the next one; null if no change waits. */
  nextFee: bigint | null = null
  lastTime = 0n
  accountCount = 16n
  /** L1 requests that no batch has served, in their order. */
  requests: readonly QueuedRequest[] = []
  private readonly shown = new Shown()
  private readonly tables = new Tables()
  settlements: Settlements = settlementsOf([])
  private rowOf: RowOf | null = null

  constructor(genesis: Genesis, randomBelow: (seed: Uint8Array) => RandomBelow = drawsFrom) {
    this.genesis = genesis
    this.fee = genesis.fee
    this.randomBelow = randomBelow
    this.ledger = new Ledger(genesis.feeAccount, genesis.feeAccountViewKey)
    this.desk = new Desk(this.ledger, () => this.conditions())
  }

  /** What accounts are valued by: the latest table, or the confirmed one before an indicative one. */
  get table(): Table | null {
    return this.tables.working?.table ?? null
  }
  get tableNumber(): bigint {
    return this.tables.working?.number ?? 0n
  }
  get mode(): Mode {
    return this.tables.mode
  }
  /** Whether L1 was seen to find that table too old for more than reductions. */
  get isTableOld(): boolean {
    return this.tables.isOld
  }
  /** Whether L1 takes any batch yet. */
  get hasConfirmedTable(): boolean {
    return this.tables.hasConfirmed
  }
  /** Whether L1 still takes a batch of this table. */
  isCurrent(number: bigint): boolean {
    return this.tables.isCurrent(number)
  }

  /**
   * What a page must allow: while a change waits, both fees, since nobody knows which batch takes it.
   */
  get feeToAllow(): bigint {
    return this.nextFee !== null && this.nextFee > this.fee ? this.nextFee : this.fee
  }

  /** Whether L1 says no more than is known: its first event is the fee that the house began with. */
  hasFees({ fee, next }: Fees): boolean {
    return (fee ?? this.fee) === this.fee && next === this.nextFee
  }

  /** Of the record that is being applied; `at` in milliseconds for a look without one. */
  conditions(at?: number): Conditions {
    if (this.rowOf === null)
      throw new NotReady('no table of values yet: ask again when the oracle has posted one')
    const now = at === undefined ? this.now : BigInt(Math.floor(at / 1000))
    return {
      time: now > this.lastTime ? now : this.lastTime,
      fee: this.feeToAllow,
      mode: this.mode,
      rowOf: this.rowOf,
    }
  }

  /**
   * The only way in which anything changes. An error other than Diverged is the answer to this record
   * alone: the same record gives it again in every replay.
   */
  apply(record: JournalRecord): Answer {
    try {
      return this.applyInput(record)
    } finally {
      this.feed.take(this, record)
    }
  }

  private applyInput({ at, input }: JournalRecord): Answer {
    this.now = BigInt(Math.floor(at / 1000))
    const { desk } = this
    switch (input.kind) {
      case 'genesis':
        throw new Diverged('a second genesis record')
      case 'proposal': {
        const { account, chance, ...proposal } = input
        return desk.propose(account, proposal, chance)
      }
      case 'affirmation':
        return desk.affirm(input.account, input.ticket, input.chance, input.isOfNow)
      case 'rejection':
        return desk.reject(input.account, input.ticket)
      case 'page':
        if (input.verified !== undefined && this.believesVerified)
          keepVerified(input.signed.signature, { ...input.verified, isRight: true })
        return desk.takePage(input.clientId ?? null, input.ticket, input.signed)
      case 'resigned': {
        const accepted = desk.resigning.accept(input.account, input.pages, input.isPart === true)
        if ('rule' in accepted) return accepted
        return { ...accepted, time: desk.keepAdmission(input.account, accepted.head, this.now) }
      }
      case 'told':
        desk.resigning.told(input.account)
        return null
      case 'viewKey':
        for (const account of this.shown.viewKeys.show(input.viewKey))
          this.ledger.viewKeys.set(account, input.viewKey)
        return null
      case 'opening':
        this.shown.showOpening({ account: input.account, secret: input.secret })
        return null
      case 'l1':
        this.takeNews(input.seen)
        return null
      case 'tableAge':
        this.tables.noteAge(input.number, input.isOld)
        return null
      case 'tick':
        // Pages of an open batch must stay where they are until L1 has spoken.
        if (this.open === null) desk.dropOverdue(this.conditions().time, input.late === 'all')
        return null
      case 'batch':
        return this.choose(input)
      case 'proven': {
        const batch = this.batchOf(input.number)
        batch.isProven = true
        batch.proveSeconds = input.seconds
        desk.advance(batch.trades, 'proven', input.number)
        return null
      }
      case 'sent':
        if (this.next !== null && numberOf(this.next) === input.number)
          throw new Diverged(`batch ${input.number} must not be sent before the one before it`)
        this.sent.set(input.number, [...(this.sent.get(input.number) ?? []), input.raw])
        return null
      case 'accepted':
        this.sent.delete(input.number)
        return this.accept(input)
      case 'withdrawn':
        this.withdraw(this.batchOf(input.number))
        return null
    }
  }

  /** What is built on it goes with it: the pages of both wait for the next batch, where they are. */
  private withdraw(batch: OpenBatch): void {
    if (this.next !== null) this.desk.advance(this.next.trades, 'accepted', null)
    this.next = null
    if (batch !== this.open) return
    this.desk.advance(batch.trades, 'accepted', null)
    this.sent.delete(numberOf(batch))
    this.open = null
  }

  private takeNews(seen: L1Seen): void {
    this.nextBlock = seen.nextBlock
    this.blockHash = seen.blockHash
    // Before any batch is built on these news: L1 has said it in the transaction that takes it.
    if (seen.fees !== undefined) {
      this.fee = seen.fees.fee ?? this.fee
      this.nextFee = seen.fees.next
    }
    this.requests = [...this.requests, ...seen.requests]
    for (const request of seen.requests) {
      if (request.kind !== 'register') continue
      const viewKey = this.shown.viewKeys.register(request.account, request.viewKeyHash)
      if (viewKey !== undefined) this.ledger.viewKeys.set(request.account, viewKey)
    }
    this.shown.take(seen)
    if (seen.settled.length > 0)
      this.settlements = settlementsOf([...this.settlements.rows, ...seen.settled])
    const tables = seen.tables.map((posted) => ({
      number: posted.number,
      table: tableFrom(posted),
    }))
    this.tables.take({ ...seen, tables })
    this.lookUpRows()
  }

  /** Follows from table and settlements. */
  lookUpRows(): void {
    const { table } = this
    if (table !== null) this.rowOf = rowLookup(table, this.settlements)
  }

  knowsViewKey(hash: bigint): boolean {
    return this.shown.viewKeys.knows(hash)
  }
  /** Hashes of keys that registrations wait for: forgotten here, to be found in the journal. */
  get missingViewKeys(): readonly bigint[] {
    return this.shown.viewKeys.missing
  }
  knowsOpening(commitment: bigint): boolean {
    return this.shown.knowsOpening(commitment)
  }

  /** What the next batch is chosen on: a fork while one is on its way. */
  ground(): Ground {
    const { ledger, batchNumber, lastTime, accountCount, requests } = this
    const counts = { batchNumber, lastTime, accountCount, requests }
    const { credits } = this.shown
    const own = { ...counts, book: ledger, tree: () => ledger.tree, credits }
    return this.open === null ? own : forkOf(own, this.open)
  }

  /**
   * Whether the next batch `at` (milliseconds) might settle anything; without it one is not worth a
   * record. Of a quiet house the last record may be old, and a call ripens by the clock alone.
   */
  hasWork(at: number): boolean {
    const ground = this.ground()
    if (ground.requests.length > 0 || ground.credits.length > 0) return true
    const { pending, accounts } = ground.book
    if ([...pending.values()].some((pages) => pages.length > 0)) return true
    if (holdersOfSettled(accounts, this).length > 0) return true
    return this.table !== null && dueFlags(accounts, this.contextOf(0n, ground, at)).length > 0
  }

  private contextOf(
    batchNonce: bigint,
    ground: Ground,
    at?: number,
  ): BatchContext & { readonly mode: Mode } {
    const table = this.table as Table
    const { time } = this.conditions(at)
    return {
      domain: this.genesis.domain,
      batchNumber: ground.batchNumber + 1n,
      time: time > ground.lastTime ? time : ground.lastTime,
      // The batch on its way takes the change with it, unless it was announced behind it.
      fee: this.open === null ? this.fee : (this.nextFee ?? this.fee),
      batchNonce,
      mode: this.mode,
      table,
      isTableConfirmed: this.tables.confirmedRoot(table) === table.root,
      settlements: this.settlements,
    }
  }

  /** One at a time, save behind a batch that needs nothing but L1's word any more. */
  private requireTurn(after: bigint | undefined): void {
    const { open, next } = this
    if (after === undefined && open === null) return
    const isBehind = open !== null && next === null && open.isProven && numberOf(open) === after
    if (!isBehind) throw new NotReady('a batch is on its way already')
  }

  private choose(input: InputOf<'batch'>): Chosen {
    const { shapes, freeVaults, nonce, seed, due } = input
    this.requireTurn(input.after)
    const { open } = this
    const kept = new Set([...(open?.trades ?? []), ...(open?.skipped ?? [])])
    const isAll = input.late === 'all'
    this.desk.dropOverdue(this.conditions().time, isAll, (trade) => kept.has(trade))
    const ground = this.ground()
    const context = this.contextOf(nonce, ground)
    const { number, posted } = input.sweep ?? {}
    const sweepTable =
      number === undefined
        ? undefined
        : this.tables.keepForSweep(number, posted === undefined ? undefined : tableFrom(posted))
    // Of a table that is not confirmed L1 serves no forced exit.
    const vaults = this.tables.isServing ? freeVaults : new Map<number, bigint>()
    const { shape, chosen, unprovable } = chooseShape(
      ground.book,
      {
        requests: servable(ground.requests, vaults),
        credits: ground.credits,
        areWithdrawalsHeld: input.areWithdrawalsHeld === true,
        ...(sweepTable === undefined ? {} : { sweepTable }),
        ...(due === undefined ? {} : { due }),
      },
      shapes,
      context,
      () => this.randomBelow(seed),
    )
    const isBehind = open !== null
    const batch =
      chosen === null
        ? null
        : openBatchOf(chosen, this.ledger, {
            shape,
            salt: input.salt,
            tableNumber: this.tableNumber,
            confirmedTableRoot: this.tables.confirmedRoot(chosen.plan.context.table),
            accountCountBefore: ground.accountCount,
            tree: ground.tree(),
            unprovable: isBehind ? unprovable : [],
          })
    if (batch !== null) this.desk.advance(batch.trades, 'batched', context.batchNumber)
    // On a fork that may never come to be nothing is dropped: what it cannot settle is looked at again.
    if (isBehind) {
      this.next = batch
      return { open: batch, unprovable: [] }
    }
    this.open = batch
    this.drop(unprovable, context.time)
    return { open: batch, unprovable }
  }

  /** Before a proof: while it is made, the members sign anew. Pages of that batch stand before these. */
  private drop(unprovable: readonly Unprovable[], time: bigint): void {
    this.desk.drop(unprovable, time)
  }

  knowsTable(number: bigint): boolean {
    return this.tables.knows(number)
  }

  private batchOf(number: bigint): OpenBatch {
    const batch = [this.open, this.next].find((one) => one !== null && numberOf(one) === number)
    if (batch === undefined || batch === null)
      throw new Diverged(`batch ${number} is not the one that is open`)
    return batch
  }
  /** Whether a batch is still on its way: one that was withdrawn is not, whatever has its number now. */
  holds(batch: OpenBatch): boolean {
    return this.open === batch || this.next === batch
  }

  private accept(input: InputOf<'accepted'>): SettledBatch {
    const { number, root } = input
    const { open } = this
    if (open === null || numberOf(open) !== number)
      throw new Diverged(`batch ${number} is not the one that is open`)
    this.ledger.settle(open.trace)
    if (this.ledger.tree.root !== root) {
      throw new Diverged(
        `L1 has root ${root} after batch ${number}; the journal makes it ${this.ledger.tree.root}`,
      )
    }
    const after = countsAfter(this, open)
    this.batchNumber = after.batchNumber
    this.lastTime = after.lastTime
    this.accountCount = after.accountCount
    this.requests = after.requests
    this.shown.credited(open.plan.credits)
    this.open = this.next
    this.next = null
    this.desk.advance(open.trades, 'final', number)
    this.desk.expire(open.skipped)
    if (this.open !== null && this.isFeeSure(this.open))
      this.drop(this.open.unprovable, this.conditions().time)
    const batch = settledOf(open, input)
    this.batches.push(batch)
    keepLatest(this.batches, SETTLED_KEPT)
    this.touched = open.trace.members.map(({ index }) => index)
    return batch
  }

  /** Where a batch of this number is among those that are kept, or would be: the first, or behind the last. */
  placeOf(number: bigint): number {
    const [first] = this.batches
    const place = first === undefined ? 0 : Number(number - first.number)
    return Math.min(Math.max(0, place), this.batches.length)
  }

  /**
   * Whether it is sure which fee L1 wants of a batch. While a change waits that depends on what L1 took
   * first, and a page that fails by a fee that was guessed must not be dropped for it.
   */
  isFeeSure({ plan }: OpenBatch): boolean {
    return this.nextFee === null && plan.context.fee === this.fee
  }

  /** What is not in ledger and desk: for comparing one replay with another. */
  rest() {
    return {
      batchNumber: this.batchNumber,
      fee: this.fee,
      nextFee: this.nextFee,
      tables: this.tables.state,
      nextBlock: this.nextBlock,
      blockHash: this.blockHash ?? null,
      sent: this.sent,
      open: plainOf(this.open),
      next: plainOf(this.next),
      now: this.now,
      lastTime: this.lastTime,
      accountCount: this.accountCount,
      requests: this.requests,
      ...this.shown.state,
      settled: this.settlements.rows satisfies readonly Row[],
      settlementRoot: this.settlements.tree.root,
      batches: this.batches,
    }
  }
}

function tableFrom({ number, root, rows, flags }: TablePosted): Table {
  const table = tableOf(rows, flags)
  if (table.root !== root) throw new Diverged(`the rows of table ${number} have another root`)
  return table
}
