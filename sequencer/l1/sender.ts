/**
 * Transactions of one account: each job is settled exactly once, whatever L1, its nodes or this
 * process do in between. A job owns one nonce at a time, all its transactions share it, so one of
 * them at most is ever mined. A job ends only at the depth that counts: it is done there, or its
 * nonce is spent there by something else, after which nothing of it can be mined any more.
 */
import type { Chain, Place, Receipt } from './chain.ts'
import { firstFees, isEnough, raisedFees, type Fees, type GasPolicy } from './gas.ts'
import { NoAgreement, type Alarm } from './pool.ts'
import { NoAnswer, RpcError } from './rpc.ts'

/** A signed transaction as it is kept and sent. */
export type Signed = Fees & {
  readonly nonce: number
  readonly hash: string
  readonly raw: string
  readonly to: string
  readonly data: string
}
export type Draft = Fees & {
  readonly nonce: number
  readonly to: string
  readonly data: string
  readonly gasLimit: bigint
}
export type Account = {
  readonly address: string
  readonly sign: (draft: Draft) => Promise<Signed>
}
export type Job = {
  readonly to: string
  readonly data: string
  /** Signed for it before, in the order of signing: an earlier process may have sent them. */
  readonly earlier: readonly Signed[]
  /** Resolves once the transaction is durable; no node hears of it before. */
  readonly record: (signed: Signed) => Promise<void>
  /** Whether L1 has what the job is for, at a block that counts. */
  readonly isDone: (at: Place, receipt: () => Promise<Receipt | null>) => Promise<boolean>
  /** Whether the contract could take it at this block; until then it waits. */
  readonly isReady: (at: Place) => Promise<boolean>
  /** Whether the next block may take what this one refuses: L1's clock is behind ours. */
  readonly isPassing: (data: string) => boolean
  /** Where it cannot be estimated. */
  readonly gasLimit: bigint
}
export type Outcome =
  | { readonly kind: 'done'; readonly receipt: Receipt | null }
  /** Nothing of the job is out any more, or ever was. `data` is the contract's own word. */
  | { readonly kind: 'refused'; readonly data: string | null }

export type SenderOptions = {
  readonly chain: Chain
  readonly account: Account
  readonly policy: GasPolicy
  readonly pollMilliseconds: number
  readonly alarm: (alarm: Alarm) => void
}
/** What a job is at while it runs. */
type Run = {
  readonly job: Job
  /** Those of the nonce that the job owns now. */
  signed: Signed[]
  /** In place of them, on the same nonce: a transfer of nothing to oneself. */
  cancels: Signed[]
  nonce: number | null
  sentAt: number
  refusal: { readonly data: string | null } | null
  /** What stood in the way last, so that it is said once. */
  trouble: string | null
  release: () => void
}

/** Thrown when the process lets go; what is out stays out and is found again. */
export class Closed extends Error {}
const NOTHING_GAS = 21_000n
const GAS = /^0x[0-9a-f]{1,16}$/i

export class Sender {
  private readonly options: SenderOptions
  private turn: Promise<void> = Promise.resolve()
  /** Nonces of jobs under way: nobody else may take them, even if a reorg seems to free them. */
  private readonly taken = new Map<Run, number>()
  private isClosed = false
  private readonly sleepers = new Set<() => void>()

  constructor(options: SenderOptions) {
    this.options = options
  }

  close(): void {
    this.isClosed = true
    for (const wake of this.sleepers) wake()
  }

  /** Resolves at the depth that counts. Waits, with alarms, for as long as L1 does not answer. */
  async run(job: Job): Promise<Outcome> {
    const nonce = job.earlier.at(-1)?.nonce ?? null
    const run: Run = {
      job,
      // A nonce before it was lost to something else, where that counts: what was signed for it is void.
      signed: job.earlier.filter((signed) => signed.nonce === nonce),
      cancels: [],
      nonce,
      sentAt: -Infinity,
      refusal: null,
      trouble: null,
      release: () => {},
    }
    if (run.nonce !== null) this.taken.set(run, run.nonce)
    // One after the other until each is in a block: nonces and contract follow one order.
    const before = this.turn
    this.turn = new Promise((resolve) => (run.release = resolve))
    await before
    try {
      for (;;) {
        if (this.isClosed) throw new Closed('the door to L1 is closed')
        const outcome = await this.step(run).catch((error: unknown) => this.forgive(run, error))
        if (outcome !== null) return outcome
        await this.sleep()
      }
    } finally {
      this.taken.delete(run)
      run.release()
    }
  }

  /** A node that does not answer, or knows it otherwise, decides nothing. */
  private forgive(run: Run, error: unknown): null {
    const isL1s =
      error instanceof NoAgreement || error instanceof NoAnswer || error instanceof RpcError
    if (!isL1s) throw error
    this.troubled(run, error.message)
    return null
  }

  /** Said again only when it is something else. */
  private troubled(run: Run, detail: string): void {
    if (run.trouble === detail) return
    run.trouble = detail
    this.options.alarm({ what: 'stuck', detail: `nonce ${run.nonce ?? 'to come'}: ${detail}` })
  }

  private async step(run: Run): Promise<Outcome | null> {
    const { chain, account } = this.options
    const { job } = run
    const deep = await chain.deep()
    if (deep !== null) {
      if (await job.isDone(deep, () => this.receiptOf(run)))
        return { kind: 'done', receipt: await this.receiptOf(run) }
      if (run.nonce !== null && (await chain.count(account.address, deep)) > run.nonce) {
        const refusal = run.refusal ?? (await this.reverted(run))
        if (refusal !== null) return { kind: 'refused', data: refusal.data }
        // Something else of this account took the nonce: what was signed for it is void for good.
        this.letGo(run)
      }
    }
    const head = await chain.head()
    const count = await chain.count(account.address, head)
    if (run.nonce !== null && count > run.nonce) {
      run.release()
      return null
    }
    if (!(await job.isReady(head))) {
      if (run.nonce !== null) await this.again(run)
      return null
    }
    if (run.nonce === null) return this.begin(run, head, count)
    if (Date.now() - run.sentAt < this.options.policy.bumpAfterMilliseconds) return null
    await this.insist(run, head)
    return null
  }

  private letGo(run: Run): void {
    this.taken.delete(run)
    run.nonce = null
    run.signed = []
    run.cancels = []
  }

  private async begin(
    run: Run,
    head: Place & { baseFee: string },
    count: number,
  ): Promise<Outcome | null> {
    const refusal = await this.refusalOf(run.job, head)
    // Nothing of it was ever out, so nothing can come of it.
    if (refusal !== null) return { kind: 'refused', data: refusal.data }
    const others = [...this.taken].filter(([other]) => other !== run).map(([, nonce]) => nonce + 1)
    const nonce = Math.max(count, ...others)
    const fees = firstFees(BigInt(head.baseFee), this.options.policy)
    if (!isEnough(fees, BigInt(head.baseFee))) this.capped(run)
    this.taken.set(run, nonce)
    await this.put(run, fees, nonce)
    return null
  }

  /** In no block for too long: dearer, or cancelled where the contract would not take it now. */
  private async insist(run: Run, head: Place & { baseFee: string }): Promise<void> {
    const { policy, alarm } = this.options
    run.refusal ??= await this.refusalOf(run.job, head)
    const last = [...run.signed, ...run.cancels].reduce((a, b) => (b.maxFee > a.maxFee ? b : a))
    const isFirst = run.sentAt === -Infinity
    // A process that has just started only repeats what may never have been heard.
    const fees =
      isFirst && run.refusal === null ? null : raisedFees(last, BigInt(head.baseFee), policy)
    if (fees === null) {
      if (!isFirst) this.capped(run)
      return this.again(run)
    }
    alarm({
      what: 'stuck',
      detail: `nonce ${run.nonce} waits: replaced at ${fees.maxFee} wei a gas`,
    })
    await this.put(run, fees, run.nonce as number)
  }

  private capped(run: Run): void {
    const { policy, alarm } = this.options
    alarm({
      what: 'gasCap',
      detail: `nonce ${run.nonce ?? 'to come'} waits: gas may cost ${policy.maxFeeCap} wei at most`,
    })
  }

  private async put(run: Run, fees: Fees, nonce: number): Promise<void> {
    const { account } = this.options
    const { job } = run
    if (run.refusal !== null) {
      const nothing = { to: account.address, data: '0x', gasLimit: NOTHING_GAS }
      run.cancels.push(await account.sign({ ...fees, ...nothing, nonce }))
    } else {
      const gasLimit = await this.gasOf(job)
      const signed = await account.sign({ ...fees, to: job.to, data: job.data, gasLimit, nonce })
      await job.record(signed)
      run.signed.push(signed)
      // Owned from here on: before, nothing of it was out.
      run.nonce = nonce
    }
    await this.again(run)
  }

  /** The dearest, to every node; an answer is worth nothing here, the next look at L1 is. */
  private async again(run: Run): Promise<void> {
    const all = run.refusal === null ? run.signed : [...run.signed, ...run.cancels]
    const last = all.reduce((a, b) => (b.maxFee >= a.maxFee ? b : a))
    run.sentAt = Date.now()
    const said = await this.options.chain.pool.tell('eth_sendRawTransaction', [last.raw])
    // One that has it already refuses it, too: only what all say is told, and it decides nothing.
    const [first] = said
    if (said.every(({ error }) => error instanceof RpcError) && !said.some(isKnown))
      this.troubled(run, `no node takes it: ${(first?.error as Error).message}`)
  }

  private async gasOf({ to, data, gasLimit, isPassing }: Job): Promise<bigint> {
    const request = { from: this.options.account.address, to, data }
    try {
      const said = await this.mostGas(request)
      // The state may be another one when a block takes it; a node that lies high is bounded.
      const wanted = (said * 5n) / 4n
      return wanted > gasLimit ? gasLimit : wanted
    } catch (error) {
      if (error instanceof RpcError && error.data !== null && isPassing(error.data)) return gasLimit
      throw error
    }
  }

  /**
   * What the node says that says most: with too little the transaction fails in its block, and the batch
   * with it, as often as one node says so.
   */
  private async mostGas(request: object): Promise<bigint> {
    const all = await this.options.chain.pool.tell('eth_estimateGas', [request])
    const said = all.flatMap(({ value }) =>
      typeof value === 'string' && GAS.test(value) ? [BigInt(value)] : [],
    )
    if (said.length > 0) return said.reduce((most, gas) => (gas > most ? gas : most))
    const errors = all.map(({ error }) => error)
    const refusal = errors.find((error) => error instanceof RpcError && error.data !== null)
    throw refusal ?? errors.find((error) => error !== null) ?? new NoAnswer('no amount of gas')
  }

  /** The contract's word on the job at this block; null if it would take it. */
  private async refusalOf(
    { to, data, isPassing }: Job,
    at: Place,
  ): Promise<{ readonly data: string | null } | null> {
    const { chain, account } = this.options
    try {
      await chain.call({ from: account.address, to, data }, at)
      return null
    } catch (error) {
      if (!(error instanceof RpcError) || error.data === null) throw error
      return isPassing(error.data) ? null : { data: error.data }
    }
  }

  private async receiptOf({ signed }: Run): Promise<Receipt | null> {
    for (const { hash } of [...signed].reverse()) {
      const receipt = await this.options.chain.receipt(hash)
      if (receipt !== null) return receipt
    }
    return null
  }

  /** Whether it was one of ours that spent the nonce, and what the contract had against it. */
  private async reverted(run: Run): Promise<{ readonly data: string | null } | null> {
    const receipt = await this.receiptOf(run)
    if (receipt === null || receipt.isGood) return null
    return this.refusalOf(run.job, await this.options.chain.block(receipt.block)).then(
      (refusal) => refusal ?? { data: null },
    )
  }

  private sleep(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.sleepers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, this.options.pollMilliseconds)
      this.sleepers.add(wake)
    })
  }
}

function isKnown({ error }: { readonly error: unknown }): boolean {
  return /already|known|nonce/i.test((error as Error).message)
}
