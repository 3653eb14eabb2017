/** The clearing house: watches L1, admits pages, builds batches, has them proven and settles them. */
import { randomBytes, randomInt } from 'node:crypto'
import { FIELD_MODULUS } from '../circuits/params.ts'
import { depositCommitment, ownerKeyHash, viewKeyHash } from '../circuits/account.ts'
import type { BatchContext, Credit, L1Request } from '../circuits/batch.ts'
import { timesEight, type Point } from '../circuits/eddsa.ts'
import { statementOf } from '../circuits/statement.ts'
import { rowLookup, settlementsOf, type Row, type Table } from '../circuits/table.ts'
import { buildBatch, type WitnessInput } from '../circuits/witness.ts'
import { wordLayout } from '../circuits/words.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import { chooseBatch, type Choice, type Chosen } from './builder.ts'
import type { Deployment } from './deploy.ts'
import { Desk } from './desk.ts'
import type { L1Deposit, SequencerL1 } from './l1.ts'
import { Ledger } from './ledger.ts'
import type { RandomBelow } from './room.ts'
import { Tables, type Mode } from './tables.ts'

const ENTRY_SHAPE = 'entry'
const WATCH_MILLISECONDS = 250

export type BatchReport = {
  readonly number: bigint
  readonly shape: string
  readonly trades: number
  readonly legs: number
  readonly pages: number
  readonly pageSlots: number
  readonly accounts: number
  readonly proveSeconds: number
  readonly gas: bigint
  readonly publicBytes: number
  readonly root: bigint
}
/** What the house asks of L1. */
export type HouseL1 = Pick<
  SequencerL1,
  'operator' | 'news' | 'countersign' | 'signReceipt' | 'submit' | 'close'
>
export type HouseOptions = {
  readonly rpcUrl: string
  readonly deployment: Deployment
  readonly domain: bigint
  readonly l1: HouseL1
  readonly prove: (key: ShapeKey, input: WitnessInput) => Promise<Groth16Proof>
  readonly feeAccountViewKey: bigint
  /** The usual shape first. */
  readonly keys: readonly ShapeKey[]
  readonly fee: bigint
  /** The oracle's table by its root: where a deployment serves them; the house checks the root. */
  readonly tableByRoot: (root: bigint) => Table | undefined
  readonly log: (line: string) => void
  /** Draws cover accounts; the system's generator unless a run is to be replayed. */
  readonly randomBelow?: RandomBelow
}

export class House {
  readonly ledger: Ledger
  readonly desk: Desk
  readonly l1: HouseL1
  readonly reports: BatchReport[] = []
  readonly domain: bigint
  readonly options: HouseOptions
  batchNumber = 0n
  private readonly tables = new Tables()
  private accountCount = 16n
  private requests: L1Request[] = []
  private readonly deposits = new Map<bigint, L1Deposit>()
  private readonly openings = new Map<bigint, { account: number; secret: bigint }>()
  /** View keys that members showed before they registered, by hash. */
  private readonly shownViewKeys = new Map<bigint, bigint>()
  private settled: Row[] = []
  private lastTime = 0n
  private watching: Promise<void> = Promise.resolve()

  constructor(options: HouseOptions) {
    this.options = options
    this.domain = options.domain
    this.ledger = new Ledger(options.deployment.feeAccount, options.feeAccountViewKey)
    this.l1 = options.l1
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

  conditions() {
    const { table, mode } = this
    if (table === null)
      throw new Error('no table of values yet: ask again when the oracle has posted one')
    const time = BigInt(Math.floor(Date.now() / 1000))
    return {
      time: time > this.lastTime ? time : this.lastTime,
      fee: this.options.fee,
      mode,
      rowOf: rowLookup(table, settlementsOf(this.settled)),
    }
  }

  /** Takes what L1 has to say since the last time; looks one after the other, nothing twice. */
  watch(): Promise<void> {
    const next = this.watching.then(() => this.takeNews())
    this.watching = next.catch(() => {})
    return next
  }

  private async takeNews(): Promise<void> {
    const news = await this.l1.news()
    this.requests.push(...news.requests)
    for (const request of news.requests) {
      const viewKey = this.shownViewKeys.get(request.viewKeyHash)
      if (request.kind === 'register' && viewKey !== undefined)
        this.ledger.viewKeys.set(request.account, viewKey)
    }
    for (const deposit of news.deposits) this.deposits.set(deposit.id, deposit)
    for (const id of news.refundRequests) this.deposits.delete(id)
    this.settled.push(...news.settled)
    this.tables.take(news, this.options.tableByRoot)
  }

  /** A member shows its view key and gets the countersignature for its registration on L1. */
  async countersign(l1Owner: string, key: Point, viewKey: bigint): Promise<string> {
    const hash = viewKeyHash(viewKey)
    this.shownViewKeys.set(hash, viewKey)
    return this.l1.countersign({ l1Owner, ownerX: key.x, ownerY: key.y, viewKeyHash: hash })
  }

  showDeposit(account: number, secret: bigint): void {
    this.openings.set(depositCommitment(account, secret), { account, secret })
  }

  private credits(): readonly Credit[] {
    return [...this.deposits.values()].flatMap((d) => {
      const opening = this.openings.get(d.commitment)
      return opening === undefined
        ? []
        : [{ id: d.id, commitment: d.commitment, token: d.token, amount: d.amount, ...opening }]
    })
  }

  /** One batch, from choice to L1. Null when there is nothing to settle. */
  async runBatch(): Promise<BatchReport | null> {
    await this.watch()
    if (this.table === null) return null
    // The wall clock, as for stamps: L1's next block carries it, while its last one may be old.
    const context = {
      domain: this.domain,
      batchNumber: this.batchNumber + 1n,
      time: this.conditions().time,
      fee: this.options.fee,
      batchNonce: BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS,
      mode: this.mode,
      table: this.table,
      settlements: settlementsOf(this.settled),
    }
    const tableNumber = this.tableNumber
    this.desk.dropOverdue(context.time)
    const { key, chosen, unprovable } = this.choose(context)
    // Before the proof: while it is made, the members sign anew. Pages of this batch stand before.
    for (const { trade, rejection } of unprovable) {
      this.options.log(`a page cannot settle (${rejection.rule}): its sides sign anew without it`)
      this.desk.drop(trade, rejection, context.time)
    }
    if (chosen === null) return null
    return this.settle(key, chosen, { tableNumber, mode: context.mode })
  }

  /**
   * In the first shape; in the entry shape, which is proven sooner, if that holds all of it. The
   * shape of a batch tells an outsider that no page was in it: only where registrations, which are
   * public, are what it is about.
   */
  private choose(
    context: BatchContext & { readonly mode: Mode },
  ): Choice & { readonly key: ShapeKey } {
    const waiting = { requests: this.requests, credits: this.credits() }
    const random = this.options.randomBelow ?? ((bound: number) => randomInt(bound))
    const choose = (key: ShapeKey) => ({
      key,
      ...chooseBatch(this.ledger, waiting, key.shape, context, random),
    })
    const [key, ...others] = this.options.keys
    if (key === undefined) throw new Error('house: no shape is configured')
    const usual = choose(key)
    const entry = others.find(({ shape }) => shape.name === ENTRY_SHAPE)
    const { plan } = usual.chosen ?? {}
    if (entry === undefined || plan === undefined || plan.requests.length === 0) return usual
    if ([...this.ledger.pending.values()].some((pages) => pages.length > 0)) return usual
    const quick = choose(entry)
    const isAll =
      quick.chosen?.plan.requests.length === plan.requests.length &&
      quick.chosen.plan.credits.length === plan.credits.length
    return isAll ? quick : usual
  }

  private async settle(
    key: ShapeKey,
    { plan, trace }: Chosen,
    { tableNumber, mode }: { readonly tableNumber: bigint; readonly mode: Mode },
  ): Promise<BatchReport> {
    const { shape } = key
    const salt = BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS
    const built = buildBatch(
      shape,
      trace,
      this.ledger.tree,
      {
        tableNumber,
        confirmedTableRoot: this.tables.confirmedRoot(plan.context.table),
        accountCountBefore: this.accountCount,
      },
      salt,
    )
    const { deployment } = this.options
    const scope = {
      chainId: deployment.chainId,
      contract: BigInt(deployment.contract),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const started = performance.now()
    const proof = await this.options.prove(key, built.finish(x, y))
    const proveSeconds = (performance.now() - started) / 1000
    const trades = this.tradesOf(trace, true)
    const skipped = this.tradesOf(trace, false)
    const number = this.batchNumber + 1n
    await this.untilTaken(tableNumber, mode)
    this.desk.advance(trades, 'proven', number)
    const accountsPart = wordLayout(shape).find((part) => part.name === 'accounts')
    const { gasUsed } = await this.l1.submit({
      shapeId: deployment.shapeIds.get(shape.name) as bigint,
      time: plan.context.time,
      newRoot: built.newRoot,
      tableNumber,
      batchNonce: plan.context.batchNonce,
      requestCount: plan.requests.length,
      depositIds: plan.credits.map((c) => c.id),
      withdrawals: trace.payouts,
      accountWords: built.words.slice(accountsPart?.first),
      commitment: built.commitment,
      proof,
    })
    this.take(plan, trace)
    this.desk.advance(trades, 'final', number)
    this.desk.expire(skipped)
    const live = trace.pages.filter((u) => u.isLive && u.page.kind === 'trade')
    const report: BatchReport = {
      number,
      shape: shape.name,
      trades: live.length / 2,
      proveSeconds,
      gas: gasUsed,
      root: built.newRoot,
      legs:
        live.reduce((sum, u) => sum + u.page.entries.filter((e) => e.quantity !== 0n).length, 0) /
        2,
      pages: trace.pages.filter((u) => u.isLive).length,
      pageSlots: shape.pages,
      accounts: trace.members.length,
      publicBytes: 32 * built.words.length,
    }
    this.reports.push(report)
    return report
  }

  /**
   * L1 sets the mode of a batch. One that was proven in normal mode waits while the latest table is
   * indicative; one that cannot be taken any more is built again from the same pages.
   */
  private async untilTaken(tableNumber: bigint, mode: Mode): Promise<void> {
    for (;;) {
      await this.watch()
      if (this.mode === mode) return
      if (mode !== 'normal' || !this.tables.isCurrent(tableNumber))
        throw new Error(`the batch of table ${tableNumber} must be built again: L1 went on`)
      await new Promise((resolve) => setTimeout(resolve, WATCH_MILLISECONDS))
    }
  }

  /** Names of what the pages of a batch belong to: of the live ones, or of the skipped. */
  private tradesOf(trace: Chosen['trace'], isLive: boolean): ReadonlySet<string> {
    const pages = trace.pages.filter((use) => use.isLive === isLive).map(({ page }) => page)
    return new Set(
      pages.flatMap((page) =>
        this.ledger.pendingOf(page.account).flatMap((p) => (p.page === page ? [p.trade] : [])),
      ),
    )
  }

  private take(plan: Chosen['plan'], trace: Chosen['trace']): void {
    this.batchNumber = plan.context.batchNumber
    this.lastTime = plan.context.time
    this.ledger.settle(trace)
    for (const request of plan.requests)
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
      this.openings.delete(credit.commitment)
    }
  }

  close(): void {
    this.l1.close()
  }
}
