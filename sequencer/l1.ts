/**
 * The sequencer's door to L1: what enough nodes say of the contract, at a depth that counts, becomes
 * plain values here, and batches become transactions that are settled exactly once.
 */
import { proofWords } from '../prover/proof-words.ts'
import { Diverged } from './core.ts'
import { Chain, type Place } from './l1/chain.ts'
import {
  coderOf,
  connectedContract,
  operatorOf,
  signedOf,
  type Coder,
  type Operator,
} from './l1/ethers.ts'
import { dutiesAt, tableAgeAt } from './l1/duties.ts'
import { GAS_POLICY, type GasPolicy } from './l1/gas.ts'
import { newsOf, NO_NEWS } from './l1/news.ts'
import { NoAgreement, Pool, type Alarm } from './l1/pool.ts'
import { nodeAt, RpcError, type Transport } from './l1/rpc.ts'
import { Closed, Sender, type Job, type Outcome } from './l1/sender.ts'
import {
  addressOf,
  BatchRefused,
  type Duties,
  type L1News,
  type Submission,
  type TableAge,
} from './l1/words.ts'
import { contractsOf } from './solidity.ts'

export {
  addressOfKey,
  chainIdOf,
  codeAt,
  readAt,
  contractAt,
  deployContract,
  domainOf,
  requireContract,
  roleNamed,
  senderOf,
  timeOf,
  type DeployedContract,
  type Sender,
  type Sent,
} from './l1/ethers.ts'
export type { Alarm } from './l1/pool.ts'
export type { GasPolicy } from './l1/gas.ts'
export {
  addressOf,
  BatchRefused,
  type Duties,
  type L1Deposit,
  type Fees,
  type L1News,
  type L1Table,
  type QueuedRequest,
  type Submission,
  type TableAge,
} from './l1/words.ts'

/** Resolves when the node answers; throws after `seconds`. */
export async function untilAnswering(rpcUrl: string, seconds: number): Promise<void> {
  const end = Date.now() + 1000 * seconds
  const node = nodeAt(rpcUrl)
  for (;;) {
    if ((await node.ask('eth_chainId', []).catch(() => null)) !== null) return
    if (Date.now() > end) throw new Error(`L1: no answer within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export type L1Options = {
  /** Blocks from an event on, its own included, before it counts; 0 and 1: at once. */
  readonly confirmations?: number
  /** Nodes that must say the same; more than half by default. */
  readonly quorum?: number
  readonly timeoutMilliseconds?: number
  readonly pollMilliseconds?: number
  readonly gas?: Partial<GasPolicy>
  /** Where the contract was deployed: nothing before it is looked at. */
  readonly firstBlock?: number
  readonly alarm?: (alarm: Alarm) => void
  /** In place of HTTP. */
  readonly transport?: Transport
}
/** What the journal knows of the transactions of a batch, and where the next one is recorded. */
export type BatchJob = {
  readonly number: bigint
  /** Raw, in the order of signing. */
  readonly earlier: readonly string[]
  /** Resolves once it is durable; only then any node hears of it. */
  readonly record: (raw: string) => Promise<void>
}
/** `balance` of the operator in wei; `sweepAge` in seconds of the contract's service clock. */
export type Vitals = {
  readonly head: number
  readonly balance: bigint
  readonly sweepAge: number
  /** L1's second of the latest table; null before the first. */
  readonly tableTime: number | null
}
export type FreeVault = { readonly lots: bigint; readonly batch: bigint }
export type Receipted = { readonly gasUsed: bigint; readonly hash: string }

/** Of a transaction whose gas cannot be estimated yet; what is not used is not paid. */
const GAS_LIMIT = 3_000_000n
/** The one refusal that the next block may lift: its clock goes on. */
const PASSING = /^TimeMustNotBeAhead\(/

/** Made once: the ABI is the same for every connection. */
let words: Coder | null = null

export class SequencerL1 {
  readonly chain: Chain
  private readonly address: string
  private readonly key: string
  private readonly self: Operator
  private readonly alarm: (alarm: Alarm) => void
  private readonly options: L1Options
  private sending: Promise<Sender> | null = null
  private connected: ReturnType<typeof connectedContract> | null = null
  private nextBlock: number
  /** The last block that was looked at, and the last one that the journal stands on. */
  private looked: Place | null = null
  private recorded: Place | null = null
  private isClosed = false

  constructor(
    rpcUrl: string | readonly string[],
    contract: string,
    operatorKey: string,
    options: L1Options = {},
  ) {
    const { confirmations = 1, quorum, alarm = () => {}, timeoutMilliseconds, transport } = options
    const urls = typeof rpcUrl === 'string' ? [rpcUrl] : rpcUrl
    const nodes = urls.map((url) =>
      nodeAt(url, {
        ...(timeoutMilliseconds === undefined ? {} : { timeoutMilliseconds }),
        ...(transport === undefined ? {} : { transport }),
      }),
    )
    const pool = new Pool({ nodes, alarm, ...(quorum === undefined ? {} : { quorum }) })
    this.chain = new Chain(pool, confirmations)
    this.address = contract
    this.key = operatorKey
    this.self = operatorOf(operatorKey)
    this.alarm = alarm
    this.options = options
    this.nextBlock = options.firstBlock ?? 0
  }

  /** The operator's address. */
  get operator(): string {
    return this.self.address
  }
  /** The contract and the operator as ethers knows them; every answer is agreed on, too. */
  get contract() {
    return this.connection.contract
  }
  get wallet() {
    return this.connection.wallet
  }
  get provider() {
    return this.connection.provider
  }

  private get coder(): Coder {
    words ??= coderOf(contractsOf()['Cloister'] ?? { abi: [] })
    return words
  }
  private get connection() {
    this.connected ??= connectedContract(
      this.chain.pool,
      this.key,
      this.address,
      contractsOf()['Cloister'] ?? { abi: [] },
      (to, data) => this.runCall(to, data),
    )
    return this.connected
  }

  /** Goes on from the first block that an earlier run has not looked at; the hash is of the one before. */
  resumeAt(block: number, hash?: string): void {
    this.nextBlock = Math.max(block, this.options.firstBlock ?? 0)
    this.looked = this.recorded = hash === undefined ? null : { number: block - 1, hash }
  }

  /** The root after a batch that L1 has accepted for good, or null. Waits until L1 answers. */
  rootOf(number: bigint): Promise<bigint | null> {
    return this.rootAt(number, () => this.chain.deep())
  }

  /**
   * The same at the head: of a batch that counted once. Nodes may be some blocks behind those that were
   * asked then, and what is deep enough for one of them is not for another.
   */
  rootAtHead(number: bigint): Promise<bigint | null> {
    return this.rootAt(number, () => this.chain.head())
  }

  private async rootAt(number: bigint, place: () => Promise<Place | null>): Promise<bigint | null> {
    for (;;) {
      if (this.isClosed) throw new Closed('the door to L1 is closed')
      try {
        const at = await place()
        if (at === null || number > ((await this.view(at, 'batchNumber')) as bigint)) return null
        return (await this.view(at, 'roots', number)) as bigint
      } catch (error) {
        if (!(error instanceof NoAgreement) && !(error instanceof RpcError)) throw error
        this.alarm({ what: 'l1Silent', detail: error.message })
        await new Promise((resolve) => setTimeout(resolve, this.pollMilliseconds))
      }
    }
  }

  /**
   * What is new in the blocks that count. Throws Diverged when a block that the journal stands on has
   * vanished, NoAgreement while the nodes are silent or contradict each other.
   */
  async news(): Promise<L1News> {
    const at = await this.chain.deep()
    if (at === null) return NO_NEWS
    await this.checkAnchor(at)
    if (at.number < this.nextBlock) return NO_NEWS
    const logs = await this.chain.logs(this.address, this.nextBlock, at)
    const events = logs.flatMap((log) => this.coder.event(log) ?? [])
    const news = newsOf(events)
    this.nextBlock = at.number + 1
    this.looked = at
    // What brings news is recorded with this block; if it is not, resumeAt takes it back.
    if (events.length > 0) this.recorded = at
    return { ...news, nextBlock: this.nextBlock, blockHash: at.hash }
  }

  private async checkAnchor(at: Place): Promise<void> {
    const isThere = async ({ number, hash }: Place): Promise<boolean> =>
      number > at.number ? false : (await this.chain.block(number)).hash === hash
    const { looked, recorded } = this
    // A head that went back a little says nothing yet: the blocks may come again.
    if (looked === null || looked.number > at.number || (await isThere(looked))) return
    const detail = `block ${looked.number} is another one than before, deeper than ${this.chain.confirmations} confirmations`
    this.alarm({ what: 'l1Reorg', detail })
    if (recorded !== null && !(await isThere(recorded)))
      throw new Diverged(
        `L1 was reorganised below block ${recorded.number} (${recorded.hash}), on which the journal ` +
          `stands: deeper than ${this.chain.confirmations} confirmations`,
      )
    // Nothing was recorded from the blocks that vanished: they are read again.
    this.nextBlock = recorded === null ? (this.options.firstBlock ?? 0) : recorded.number + 1
    this.looked = recorded
  }

  private async view(at: Place, name: string, ...args: readonly unknown[]): Promise<unknown> {
    const data = this.coder.encode(name, ...args)
    return this.coder.decode(name, await this.chain.call({ to: this.address, data }, at))
  }

  /**
   * Lots of a token that the next batch may pay out, which L1 fills in for a forced exit; `batch` is the
   * last one that the same block knows.
   */
  async freeVault(token: number): Promise<FreeVault> {
    const at = await this.chain.head()
    const [batch, vault, owed, unconsumed] = (await Promise.all([
      this.view(at, 'batchNumber'),
      ...['vault', 'owed', 'unconsumedDeposits'].map((name) => this.view(at, name, token)),
    ])) as [bigint, bigint, bigint, bigint]
    return { lots: vault - owed - unconsumed, batch }
  }

  /** What the terms of the house ask of its next batch. */
  async duties(): Promise<Duties> {
    const at = await this.chain.head()
    return dutiesAt(at, (name, ...args) => this.view(at, name, ...args))
  }

  /** How a table stands with what L1 allows. */
  async tableAge(number: bigint): Promise<TableAge> {
    const at = await this.chain.head()
    return tableAgeAt(at, (name, ...args) => this.view(at, name, ...args), number)
  }

  /** The operator's word that it holds the view key: without it the contract takes no registration. */
  async countersign(registration: {
    l1Owner: string
    ownerX: bigint
    ownerY: bigint
    viewKeyHash: bigint
  }): Promise<string> {
    const at = await this.chain.head()
    const nonce = (await this.view(at, 'registrationNonce', registration.l1Owner)) as bigint
    const domain = {
      name: 'Cloister',
      version: '1',
      chainId: await this.chainId(),
      verifyingContract: this.address,
    }
    const uint = (name: string): { name: string; type: string } => ({ name, type: 'uint256' })
    const types = {
      Registration: [
        { name: 'l1Owner', type: 'address' },
        uint('ownerX'),
        uint('ownerY'),
        uint('viewKeyHash'),
        uint('nonce'),
      ],
    }
    return this.self.wallet.signTypedData(domain, types, { ...registration, nonce })
  }

  /** Signed on acceptance of a page; anyone can check it offline against the operator's address. */
  signReceipt(text: string): Promise<string> {
    return this.self.signMessage(text)
  }

  /**
   * Sends a batch and waits until it counts. Throws BatchRefused with the contract's own error by name
   * once nothing of it is out any more: then, and only then, may another batch take its number.
   */
  async submit(s: Submission, job?: BatchJob): Promise<Receipted> {
    const header = [s.shapeId, s.time, s.newRoot, s.tableNumber, s.batchNonce, s.requestCount]
    const withdrawals = s.withdrawals.map((w) => [w.token, w.amount, addressOf(w.to)])
    const data = this.coder.encode(
      'submitBatch',
      header,
      s.depositIds,
      withdrawals,
      s.forcedPayments ?? [],
      s.accountWords,
      s.commitment,
      proofWords(s.proof),
    )
    const head = job === undefined ? await this.chain.head() : null
    const number =
      head === null
        ? (job as BatchJob).number
        : ((await this.view(head, 'batchNumber')) as bigint) + 1n
    return this.settle(data, { earlier: [], record: async () => {}, ...job, number })
  }

  /** A batch that an earlier run has signed already: the same one, to its end. */
  follow(job: BatchJob): Promise<Receipted> {
    const last = job.earlier.at(-1)
    if (last === undefined) throw new Error(`batch ${job.number} was never signed`)
    return this.settle(signedOf(last).data, job)
  }

  private async settle(data: string, { number, earlier, record }: BatchJob): Promise<Receipted> {
    const lastAt = async (at: Place): Promise<bigint> =>
      (await this.view(at, 'batchNumber')) as bigint
    const outcome = await (
      await this.sender()
    ).run({
      to: this.address,
      data,
      earlier: earlier.map(signedOf),
      record: ({ raw }) => record(raw),
      isDone: async (at) => (await lastAt(at)) >= number,
      // The contract gives the number: before the batch before it, this one would be another.
      isReady: async (at) => (await lastAt(at)) === number - 1n,
      ...this.limits,
    })
    return receiptOf(
      outcome,
      (reason) => {
        throw new BatchRefused(`L1 refused the batch: ${reason}`)
      },
      this.coder,
    )
  }

  /** How many entries of the settlement register L1 was told are converted. */
  async convertedOnL1(): Promise<number> {
    return Number(await this.view(await this.chain.head(), 'convertedCount'))
  }

  /** The operator's word that nobody holds anything of the first entries of the register. */
  confirmConverted(count: number): Promise<Receipted> {
    return this.runCall(this.address, this.coder.encode('confirmConverted', count))
  }

  /** Any other call of the operator. Throws RpcError with the contract's own word. */
  private async runCall(to: string, data: string): Promise<Receipted> {
    const outcome = await (
      await this.sender()
    ).run({
      to,
      data,
      earlier: [],
      record: async () => {},
      isDone: async (at, receipt) => {
        const found = await receipt()
        return found !== null && found.isGood && found.block <= at.number
      },
      isReady: async () => true,
      ...this.limits,
    })
    return receiptOf(
      outcome,
      (reason, words) => {
        throw new RpcError(3, `L1 refused the call: ${reason}`, words)
      },
      this.coder,
    )
  }

  private get limits(): Pick<Job, 'isPassing' | 'gasLimit'> {
    const isPassing = (data: string): boolean => PASSING.test(this.coder.error(data) ?? '')
    return { isPassing, gasLimit: GAS_LIMIT }
  }
  private get pollMilliseconds(): number {
    return this.options.pollMilliseconds ?? (this.chain.confirmations > 1 ? 2_000 : 100)
  }

  private async chainId(): Promise<bigint> {
    return BigInt(await this.chain.pool.agreed('eth_chainId', [], (id) => String(id)))
  }
  private sender(): Promise<Sender> {
    this.sending ??= this.chainId().then(
      (chainId) =>
        new Sender({
          chain: this.chain,
          account: this.self.accountOn(chainId),
          policy: { ...GAS_POLICY, ...this.options.gas },
          pollMilliseconds: this.pollMilliseconds,
          alarm: this.alarm,
        }),
    )
    // Asked again as long as nobody says which chain this is.
    this.sending.catch(() => (this.sending = null))
    return this.sending
  }

  /** What an operator watches of L1 besides the news: of the head, not of what counts. */
  async vitals(): Promise<Vitals> {
    const view = <T>(name: string, ...args: readonly unknown[]): Promise<T> =>
      this.contract.getFunction(name)(...args) as Promise<T>
    const [head, balance, serviceTime, { sweptAt }, number] = await Promise.all([
      this.provider.getBlockNumber(),
      this.provider.getBalance(this.operator),
      view<bigint>('serviceTime'),
      view<{ sweptAt: bigint }>('sweep'),
      view<bigint>('tableNumber'),
    ])
    const { time } = await view<{ time: bigint }>('tables', number)
    const tableTime = number === 0n ? null : Number(time)
    return { head, balance, sweepAge: Number(serviceTime - sweptAt), tableTime }
  }

  close(): void {
    this.isClosed = true
    this.sending?.then((sender) => sender.close()).catch(() => {})
    this.connected?.provider.destroy()
  }
}

function receiptOf(
  outcome: Outcome,
  refuse: (reason: string, words: string | null) => never,
  coder: Coder,
): Receipted {
  if (outcome.kind === 'refused') {
    const { data } = outcome
    return refuse((data === null ? null : coder.error(data)) ?? data ?? 'it reverted', data)
  }
  const { receipt } = outcome
  return { gasUsed: BigInt(receipt?.gasUsed ?? 0), hash: receipt?.hash ?? '' }
}
