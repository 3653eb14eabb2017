/**
 * The house as a machine: state, and what one record of the journal makes of it. No clock, no chance,
 * no network in here: the same records give the same state, byte for byte.
 */
import { ownerKeyHash } from '../circuits/account.ts'
import type { BatchContext, BatchTrace, Credit } from '../circuits/batch.ts'
import { timesEight } from '../circuits/eddsa.ts'
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
import { chooseShape, servable } from './choose.ts'
import { Desk } from './desk.ts'
import { drawsFrom } from './draws.ts'
import { Feed } from './feed.ts'
import type { Genesis, InputOf, JournalRecord, L1Seen, TablePosted } from './journal/record.ts'
import type { L1Deposit, QueuedRequest } from './l1.ts'
import { Ledger } from './ledger.ts'
import { dueFlags } from './flagging.ts'
import { holdersOfSettled, type RandomBelow } from './room.ts'
import { ShownOpenings, ShownViewKeys } from './shown.ts'
import { Tables, type Mode } from './tables.ts'

/** The journal and L1 contradict each other: nothing may be built on this state. */
export class Diverged extends Error {}
/** What a record asked for cannot be done yet; nothing was changed. */
export class NotReady extends Error {}

export class Core {
  readonly genesis: Genesis
  readonly ledger: Ledger
  readonly desk: Desk
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
  open: OpenBatch | null = null
  /** What a record says that its writer has verified; an auditor verifies it again. */
  believesVerified = true
  private readonly randomBelow: (seed: Uint8Array) => RandomBelow
  private now = 0n
  private lastTime = 0n
  private accountCount = 16n
  /** L1 requests that no batch has served, in their order. */
  requests: readonly QueuedRequest[] = []
  private readonly deposits = new Map<bigint, L1Deposit>()
  private readonly openings = new ShownOpenings()
  /** View keys that members showed before they registered. */
  private readonly shownViewKeys = new ShownViewKeys()
  private readonly tables = new Tables()
  settlements: Settlements = settlementsOf([])
  private rowOf: RowOf | null = null

  constructor(genesis: Genesis, randomBelow: (seed: Uint8Array) => RandomBelow = drawsFrom) {
    this.genesis = genesis
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
  /** Whether L1 takes any batch yet. */
  get hasConfirmedTable(): boolean {
    return this.tables.hasConfirmed
  }
  /** Whether L1 still takes a batch of this table. */
  isCurrent(number: bigint): boolean {
    return this.tables.isCurrent(number)
  }

  /** Of the record that is being applied; `at` in milliseconds for a look without one. */
  conditions(at?: number): Conditions {
    if (this.rowOf === null)
      throw new NotReady('no table of values yet: ask again when the oracle has posted one')
    const now = at === undefined ? this.now : BigInt(Math.floor(at / 1000))
    return {
      time: now > this.lastTime ? now : this.lastTime,
      fee: this.genesis.fee,
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
        return desk.affirm(input.account, input.ticket, input.chance)
      case 'rejection':
        return desk.reject(input.account, input.ticket)
      case 'page':
        if (input.verified !== undefined && this.believesVerified)
          keepVerified(input.signed.signature, { ...input.verified, isRight: true })
        return desk.takePage(input.clientId ?? null, input.ticket, input.signed)
      case 'resigned': {
        const accepted = desk.resigning.accept(input.account, input.pages)
        if ('rule' in accepted) return accepted
        return { ...accepted, time: desk.keepAdmission(input.account, accepted.head, this.now) }
      }
      case 'told':
        desk.resigning.told(input.account)
        return null
      case 'viewKey':
        for (const account of this.shownViewKeys.show(input.viewKey))
          this.ledger.viewKeys.set(account, input.viewKey)
        return null
      case 'opening': {
        const { account, secret } = input
        this.openings.show({ account, secret }, (commitment) =>
          [...this.deposits.values()].some((deposit) => deposit.commitment === commitment),
        )
        return null
      }
      case 'l1':
        this.takeNews(input.seen)
        return null
      case 'tick':
        // Pages of an open batch must stay where they are until L1 has spoken.
        if (this.open === null) desk.dropOverdue(this.conditions().time)
        return null
      case 'batch':
        return this.choose(input)
      case 'proven': {
        const open = this.openBatch(input.number)
        open.proveSeconds = input.seconds
        desk.advance(open.trades, 'proven', input.number)
        return null
      }
      case 'sent':
        this.sent.set(input.number, [...(this.sent.get(input.number) ?? []), input.raw])
        return null
      case 'accepted':
        this.sent.delete(input.number)
        return this.accept(input)
      case 'withdrawn': {
        const { trades } = this.openBatch(input.number)
        desk.advance(trades, 'accepted', null)
        this.sent.delete(input.number)
        this.open = null
        return null
      }
    }
  }

  private takeNews(seen: L1Seen): void {
    this.nextBlock = seen.nextBlock
    this.blockHash = seen.blockHash
    this.requests = [...this.requests, ...seen.requests]
    for (const request of seen.requests) {
      if (request.kind !== 'register') continue
      const viewKey = this.shownViewKeys.register(request.account, request.viewKeyHash)
      if (viewKey !== undefined) this.ledger.viewKeys.set(request.account, viewKey)
    }
    for (const deposit of seen.deposits) {
      this.deposits.set(deposit.id, deposit)
      this.openings.deposited(deposit.commitment)
    }
    for (const id of seen.refundRequests) {
      const deposit = this.deposits.get(id)
      this.deposits.delete(id)
      if (deposit !== undefined) this.openings.forget(deposit.commitment)
    }
    if (seen.settled.length > 0)
      this.settlements = settlementsOf([...this.settlements.rows, ...seen.settled])
    const tables = seen.tables.map((posted) => ({
      number: posted.number,
      table: tableFrom(posted),
    }))
    this.tables.take({ ...seen, tables })
    const { table } = this
    if (table !== null) this.rowOf = rowLookup(table, this.settlements)
  }

  knowsViewKey(hash: bigint): boolean {
    return this.shownViewKeys.knows(hash)
  }
  /** Hashes of keys that registrations wait for: forgotten here, to be found in the journal. */
  get missingViewKeys(): readonly bigint[] {
    return this.shownViewKeys.missing
  }
  knowsOpening(commitment: bigint): boolean {
    return this.openings.get(commitment) !== undefined
  }

  private credits(): readonly Credit[] {
    return [...this.deposits.values()].flatMap((d) => {
      const opening = this.openings.get(d.commitment)
      return opening === undefined
        ? []
        : [{ id: d.id, commitment: d.commitment, token: d.token, amount: d.amount, ...opening }]
    })
  }

  /**
   * Whether a batch `at` (milliseconds) might settle anything; without it one is not worth a record. Of
   * a quiet house the last record may be old, and a call ripens by the clock alone.
   */
  hasWork(at: number): boolean {
    if (this.open !== null || this.requests.length > 0 || this.credits().length > 0) return true
    const { pending, accounts } = this.ledger
    if ([...pending.values()].some((pages) => pages.length > 0)) return true
    if (holdersOfSettled(accounts, this).length > 0) return true
    return this.table !== null && dueFlags(accounts, this.contextOf(0n, at)).length > 0
  }

  private contextOf(batchNonce: bigint, at?: number): BatchContext & { readonly mode: Mode } {
    const table = this.table as Table
    return {
      domain: this.genesis.domain,
      batchNumber: this.batchNumber + 1n,
      time: this.conditions(at).time,
      fee: this.genesis.fee,
      batchNonce,
      mode: this.mode,
      table,
      isTableConfirmed: this.tables.confirmedRoot(table) === table.root,
      settlements: this.settlements,
    }
  }

  private choose(input: InputOf<'batch'>): Chosen {
    const { shapes, freeVaults, nonce, salt, seed, due } = input
    if (this.open !== null) throw new NotReady('a batch is on its way already')
    const context = this.contextOf(nonce)
    const { table, time } = context
    this.desk.dropOverdue(time)
    const { number, posted } = input.sweep ?? {}
    const sweepTable =
      number === undefined
        ? undefined
        : this.tables.keepForSweep(number, posted === undefined ? undefined : tableFrom(posted))
    // Of a table that is not confirmed L1 serves no forced exit.
    const vaults = this.tables.isServing ? freeVaults : new Map<number, bigint>()
    const { shape, chosen, unprovable } = chooseShape(
      this.ledger,
      {
        requests: servable(this.requests, vaults),
        credits: this.credits(),
        areWithdrawalsHeld: input.areWithdrawalsHeld === true,
        ...(sweepTable === undefined ? {} : { sweepTable }),
        ...(due === undefined ? {} : { due }),
      },
      shapes,
      context,
      () => this.randomBelow(seed),
    )
    if (chosen !== null) {
      this.open = {
        ...chosen,
        shape,
        salt,
        tableNumber: this.tableNumber,
        confirmedTableRoot: this.tables.confirmedRoot(chosen.plan.context.table),
        accountCountBefore: this.accountCount,
        trades: this.tradesOf(chosen.trace, true),
        skipped: this.tradesOf(chosen.trace, false),
        proveSeconds: 0,
      }
      this.desk.advance(this.open.trades, 'batched', context.batchNumber)
    }
    // Before the proof: while it is made, the members sign anew. Pages of this batch stand before.
    for (const { trade, rejection } of unprovable) this.desk.drop(trade, rejection, time)
    return { open: this.open, unprovable }
  }

  knowsTable(number: bigint): boolean {
    return this.tables.knows(number)
  }

  private openBatch(number: bigint): OpenBatch {
    if (this.open === null || this.open.plan.context.batchNumber !== number)
      throw new Diverged(`batch ${number} is not the one that is open`)
    return this.open
  }

  /** Names of what the pages of a batch belong to: of the live ones, or of the skipped. */
  private tradesOf(trace: BatchTrace, isLive: boolean): ReadonlySet<string> {
    const pages = trace.pages.filter((use) => use.isLive === isLive).map(({ page }) => page)
    return new Set(
      pages.flatMap((page) =>
        this.ledger.pendingOf(page.account).flatMap((p) => (p.page === page ? [p.trade] : [])),
      ),
    )
  }

  private accept({ number, root, gas }: InputOf<'accepted'>): SettledBatch {
    const open = this.openBatch(number)
    const { plan, trace, shape } = open
    this.batchNumber = number
    this.lastTime = plan.context.time
    this.ledger.settle(trace)
    if (this.ledger.tree.root !== root) {
      throw new Diverged(
        `L1 has root ${root} after batch ${number}; the journal makes it ${this.ledger.tree.root}`,
      )
    }
    for (const request of plan.requests)
      if (request.kind !== 'forcedExit')
        this.ledger.ownerKeys.set(request.account, timesEight(request.key))
    for (const { index, run, after } of trace.members) {
      if (run?.rotation === undefined) continue
      // The page may have been skipped: the leaf says which key counts.
      const key = timesEight(run.rotation.key)
      if (ownerKeyHash(key) === after.ownerKeyHash) this.ledger.ownerKeys.set(index, key)
    }
    this.requests = this.requests.slice(plan.requests.length)
    this.accountCount += BigInt(plan.requests.filter((r) => r.kind === 'register').length)
    for (const credit of plan.credits) {
      this.deposits.delete(credit.id)
      this.openings.forget(credit.commitment)
    }
    this.open = null
    this.desk.advance(open.trades, 'final', number)
    this.desk.expire(open.skipped)
    const live = trace.pages.filter((u) => u.isLive && u.page.kind === 'trade')
    const filled = live.flatMap((u) => u.page.entries.filter((e) => e.quantity !== 0n))
    const batch: SettledBatch = {
      number,
      shape: shape.name,
      trades: live.length / 2,
      legs: filled.length / 2,
      pages: trace.pages.filter((u) => u.isLive).length,
      pageSlots: shape.pages,
      accounts: trace.members.length,
      proveSeconds: open.proveSeconds,
      gas,
      root,
    }
    this.batches.push(batch)
    this.touched = trace.members.map(({ index }) => index)
    return batch
  }

  /** What is not in ledger and desk: for comparing one replay with another. */
  rest() {
    return {
      batchNumber: this.batchNumber,
      tables: this.tables.state,
      nextBlock: this.nextBlock,
      blockHash: this.blockHash ?? null,
      sent: this.sent,
      open: this.open === null ? null : { ...this.open, plan: null, trace: null },
      now: this.now,
      lastTime: this.lastTime,
      accountCount: this.accountCount,
      requests: this.requests,
      deposits: this.deposits,
      openings: this.openings.state,
      shownViewKeys: this.shownViewKeys.state,
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
