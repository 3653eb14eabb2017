/** The operator's calls of the contract: batches, each settled once, and whatever else it sends. */
import type { Chain, Place } from './chain.ts'
import { signedOf, type Coder, type Operator } from './ethers.ts'
import { GAS_POLICY, type GasPolicy } from './gas.ts'
import type { Alarm } from './pool.ts'
import { RpcError } from './rpc.ts'
import { Closed, Sender, type Job, type Outcome } from './sender.ts'
import { BatchRefused } from './words.ts'

/** What the journal knows of the transactions of a batch, and where the next one is recorded. */
export type BatchJob = {
  readonly number: bigint
  /** Raw, in the order of signing. */
  readonly earlier: readonly string[]
  /** Resolves once it is durable; only then any node hears of it. */
  readonly record: (raw: string) => Promise<void>
}
export type Receipted = { readonly gasUsed: bigint; readonly hash: string }
export type CallsOptions = {
  readonly chain: Chain
  readonly address: string
  readonly coder: () => Coder
  readonly operator: Operator
  readonly chainId: () => Promise<bigint>
  /** The number of the contract's latest batch in that block. */
  readonly latestAt: (at: Place) => Promise<bigint>
  readonly gas?: Partial<GasPolicy>
  readonly pollMilliseconds: number
  readonly alarm: (alarm: Alarm) => void
}

/** Of a transaction whose gas cannot be estimated yet; what is not used is not paid. */
const GAS_LIMIT = 3_000_000n
/** The one refusal that the next block may lift: its clock goes on. */
const PASSING = /^TimeMustNotBeAhead\(/

export class Calls {
  private readonly options: CallsOptions
  private sending: Promise<Sender> | null = null
  private isClosed = false

  constructor(options: CallsOptions) {
    this.options = options
  }

  /** A batch to its end. Throws BatchRefused once nothing of it is out any more. */
  async settle(data: string, { number, earlier, record }: BatchJob): Promise<Receipted> {
    const { latestAt } = this.options
    const outcome = await this.run({
      to: this.options.address,
      data,
      earlier: earlier.map(signedOf),
      record: ({ raw }) => record(raw),
      isDone: async (at) => (await latestAt(at)) >= number,
      // The contract gives the number: before the batch before it, this one would be another.
      isReady: async (at) => (await latestAt(at)) === number - 1n,
    })
    return this.receiptOf(outcome, (reason) => {
      throw new BatchRefused(`L1 refused the batch: ${reason}`)
    })
  }

  /** Any other call. Throws RpcError with the contract's own word. */
  async call(to: string, data: string): Promise<Receipted> {
    const outcome = await this.run({
      to,
      data,
      earlier: [],
      record: async () => {},
      isDone: async (at, receipt) => {
        const found = await receipt()
        return found !== null && found.isGood && found.block <= at.number
      },
      isReady: async () => true,
    })
    return this.receiptOf(outcome, (reason, words) => {
      throw new RpcError(3, `L1 refused the call: ${reason}`, words)
    })
  }

  close(): void {
    this.isClosed = true
    this.sending?.then((sender) => sender.close()).catch(() => {})
  }

  private async run(job: Omit<Job, 'isPassing' | 'gasLimit'>): Promise<Outcome> {
    // Before the first call there is no sender that could have been told.
    if (this.isClosed) throw new Closed('the door to L1 is closed')
    const coder = this.options.coder()
    const isPassing = (data: string): boolean => PASSING.test(coder.error(data) ?? '')
    return (await this.sender()).run({ ...job, isPassing, gasLimit: GAS_LIMIT })
  }

  private sender(): Promise<Sender> {
    const { chain, operator, chainId, gas, pollMilliseconds, alarm } = this.options
    this.sending ??= chainId().then(
      (id) =>
        new Sender({
          chain,
          account: operator.accountOn(id),
          policy: { ...GAS_POLICY, ...gas },
          pollMilliseconds,
          alarm,
        }),
    )
    // Asked again as long as nobody says which chain this is.
    this.sending.catch(() => (this.sending = null))
    return this.sending
  }

  private receiptOf(
    outcome: Outcome,
    refuse: (reason: string, words: string | null) => never,
  ): Receipted {
    if (outcome.kind === 'refused') {
      const { data } = outcome
      const reason = data === null ? null : this.options.coder().error(data)
      return refuse(reason ?? data ?? 'it reverted', data)
    }
    const { receipt } = outcome
    return { gasUsed: BigInt(receipt?.gasUsed ?? 0), hash: receipt?.hash ?? '' }
  }
}
