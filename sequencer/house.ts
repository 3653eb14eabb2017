/** The clearing house: watches L1, admits pages, builds batches, has them proven and settles them. */
import { randomBytes } from 'node:crypto'
import { FIELD_MODULUS } from '../circuits/params.ts'
import { depositCommitment, viewKeyHash } from '../circuits/account.ts'
import type { Credit, L1Request } from '../circuits/batch.ts'
import { timesEight, type Point } from '../circuits/eddsa.ts'
import { statementOf } from '../circuits/statement.ts'
import { rowLookup, settlementsOf, type Row, type Table } from '../circuits/table.ts'
import { buildBatch, type WitnessInput } from '../circuits/witness.ts'
import { wordLayout } from '../circuits/words.ts'
import type { Proof } from '../prover/groth16.ts'
import type { ShapeKey } from '../prover/artifacts.ts'
import { prepareProof, type PreparedProof } from '../prover/pool.ts'
import { chooseBatch, type Chosen } from './builder.ts'
import type { Deployment } from './deploy.ts'
import { Desk } from './desk.ts'
import { SequencerL1, type L1Deposit, type L1Table } from './l1.ts'
import { Ledger } from './ledger.ts'

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
export type HouseOptions = {
  readonly rpcUrl: string
  readonly deployment: Deployment
  readonly operatorKey: string
  readonly feeAccountViewKey: bigint
  readonly keys: readonly ShapeKey[]
  readonly fee: bigint
  /** The oracle's table by its root: where a deployment serves them; the house checks the root. */
  readonly tableByRoot: (root: bigint) => Table | undefined
  readonly log: (line: string) => void
}

export class House {
  readonly ledger: Ledger
  readonly desk: Desk
  readonly l1: SequencerL1
  readonly reports: BatchReport[] = []
  readonly domain: bigint
  readonly options: HouseOptions
  batchNumber = 0n
  table: Table | null = null
  tableNumber = 0n
  private accountCount = 16n
  private requests: L1Request[] = []
  private readonly deposits = new Map<bigint, L1Deposit>()
  private readonly openings = new Map<bigint, { account: number; secret: bigint }>()
  /** View keys that members showed before they registered, by hash. */
  private readonly shownViewKeys = new Map<bigint, bigint>()
  private settled: Row[] = []
  private lastTime = 0n
  private readonly prepared = new Map<string, PreparedProof>()

  constructor(options: HouseOptions, domain: bigint) {
    this.options = options
    this.domain = domain
    this.ledger = new Ledger(options.deployment.feeAccount, options.feeAccountViewKey)
    this.l1 = new SequencerL1(options.rpcUrl, options.deployment.contract, options.operatorKey)
    this.desk = new Desk(this.ledger, () => this.conditions())
  }

  conditions() {
    if (this.table === null)
      throw new Error('no table of values yet: ask again when the oracle has posted one')
    const time = BigInt(Math.floor(Date.now() / 1000))
    return {
      time: time > this.lastTime ? time : this.lastTime,
      fee: this.options.fee,
      rowOf: rowLookup(this.table, settlementsOf(this.settled)),
    }
  }

  /** Takes what L1 has to say since the last time. */
  async watch(): Promise<void> {
    const news = await this.l1.news()
    this.requests.push(...news.requests)
    for (const request of news.requests) {
      if (request.kind !== 'register') continue
      const viewKey = this.shownViewKeys.get(request.viewKeyHash)
      if (viewKey !== undefined)
        this.ledger.viewKeys.set(request.account, viewKey)
    }
    for (const deposit of news.deposits) this.deposits.set(deposit.id, deposit)
    for (const id of news.refundRequests) this.deposits.delete(id)
    this.settled.push(...news.settled)
    if (news.latestTable !== null) this.takeTable(news.latestTable)
  }

  private takeTable(posted: L1Table): void {
    const table = this.options.tableByRoot(posted.root)
    if (table === undefined || table.root !== posted.root)
      throw new Error(`table ${posted.number} is posted but its rows are not known here`)
    this.table = table
    this.tableNumber = posted.number
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

  /** One batch of the given shape, from choice to L1. Null when there is nothing to settle. */
  async runBatch(key: ShapeKey): Promise<BatchReport | null> {
    await this.watch()
    if (this.table === null) return null
    // The wall clock, as for stamps: L1's next block carries it, while its last one may be old.
    const context = {
      domain: this.domain,
      batchNumber: this.batchNumber + 1n,
      time: this.conditions().time,
      fee: this.options.fee,
      batchNonce: BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS,
      table: this.table,
      settlements: settlementsOf(this.settled),
    }
    const chosen = chooseBatch(
      this.ledger,
      { requests: this.requests, credits: this.credits() },
      key.shape,
      context,
    )
    if (chosen === null) return null
    return this.settle(key, chosen)
  }

  private async settle(key: ShapeKey, { plan, trace }: Chosen): Promise<BatchReport> {
    const { shape } = key
    const salt = BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS
    const tableNumber = this.tableNumber
    const built = buildBatch(
      shape,
      trace,
      this.ledger.tree,
      {
        tableNumber,
        confirmedTableRoot: plan.context.table.root,
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
    const { proof } = await this.prove(key, built.finish(x, y))
    const proveSeconds = (performance.now() - started) / 1000
    const trades = new Set(
      [...plan.journals.values()]
        .flatMap((run) => run.pages)
        .map(
          (page) => this.ledger.pendingOf(page.account).find((p) => p.page === page)?.trade ?? '',
        ),
    )
    const number = this.batchNumber + 1n
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
      pages: trace.pages.length,
      pageSlots: shape.pages,
      accounts: trace.members.length,
      publicBytes: 32 * built.words.length,
    }
    this.reports.push(report)
    return report
  }

  /** One proof at a time, with all cores; the process of the next one is started as soon as this one ends. */
  private async prove(key: ShapeKey, input: WitnessInput): Promise<Proof> {
    const prepare = (): PreparedProof =>
      prepareProof({
        zkeyPath: key.zkeyPath,
        wasmPath: key.wasmPath,
        verificationKeyPath: key.verificationKeyPath,
        singleThread: false,
      })
    const prepared = this.prepared.get(key.shape.name) ?? prepare()
    this.prepared.delete(key.shape.name)
    try {
      return await prepared.prove(input)
    } finally {
      this.prepared.set(key.shape.name, prepare())
    }
  }

  private take(plan: Chosen['plan'], trace: Chosen['trace']): void {
    this.batchNumber = plan.context.batchNumber
    this.lastTime = plan.context.time
    this.ledger.settle(trace)
    for (const request of plan.requests)
      if (request.kind !== 'forcedExit') this.ledger.ownerKeys.set(request.account, timesEight(request.key))
    for (const [index, run] of plan.journals) {
      if (
        run.rotation !== undefined &&
        trace.members.find((m) => m.index === index)?.after.ownerKeyHash !== undefined
      ) {
        this.ledger.ownerKeys.set(index, timesEight(run.rotation.key))
      }
    }
    this.requests = this.requests.slice(plan.requests.length)
    this.accountCount += BigInt(plan.requests.filter((r) => r.kind === 'register').length)
    for (const credit of plan.credits) {
      this.deposits.delete(credit.id)
      this.openings.delete(credit.commitment)
    }
  }

  close(): void {
    for (const prepared of this.prepared.values()) prepared.discard()
    this.l1.close()
  }
}
