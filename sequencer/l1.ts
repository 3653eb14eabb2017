/**
 * The sequencer's door to L1: what enough nodes say of the contract, at a depth that counts, becomes
 * plain values here, and batches become transactions that are settled exactly once.
 */
import { proofWords } from '../prover/proof-words.ts'
import { Calls, type BatchJob, type Receipted } from './l1/calls.ts'
import { Chain, type Place } from './l1/chain.ts'
import { countersignature, type Registration } from './l1/countersign.ts'
import { dutiesAt, tableAgeAt } from './l1/duties.ts'
import {
  coderOf,
  connectedContract,
  operatorOf,
  signedOf,
  type Coder,
  type Operator,
} from './l1/ethers.ts'
import { Follower } from './l1/follower.ts'
import type { GasPolicy } from './l1/gas.ts'
import { NoAgreement, Pool, type Alarm } from './l1/pool.ts'
import { nodeAt, RpcError, type Transport } from './l1/rpc.ts'
import { Closed } from './l1/sender.ts'
import { addressOf, type Duties, type L1News, type Submission, type TableAge } from './l1/words.ts'
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
export type { BatchJob, Receipted } from './l1/calls.ts'
export type { Alarm } from './l1/pool.ts'
export type { GasPolicy } from './l1/gas.ts'
export { untilAnswering } from './l1/rpc.ts'
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
  /** Bytes of a record that one look takes at most. */
  readonly lookBytes?: number
  readonly alarm?: (alarm: Alarm) => void
  /** In place of HTTP. */
  readonly transport?: Transport
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
/** Made once: the ABI is the same for every connection. */
let words: Coder | null = null

export class SequencerL1 {
  readonly chain: Chain
  private readonly address: string
  private readonly key: string
  private readonly self: Operator
  private readonly alarm: (alarm: Alarm) => void
  private readonly pollMilliseconds: number
  private readonly follower: Follower
  private readonly calls: Calls
  private connected: ReturnType<typeof connectedContract> | null = null
  private isClosed = false

  constructor(
    rpcUrl: string | readonly string[],
    contract: string,
    operatorKey: string,
    options: L1Options = {},
  ) {
    const { confirmations = 1, quorum, alarm = () => {} } = options
    const { timeoutMilliseconds, pollMilliseconds, transport } = options
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
    this.pollMilliseconds = pollMilliseconds ?? (this.chain.confirmations > 1 ? 2_000 : 100)
    const of = { chain: this.chain, address: contract, coder: () => this.coder, alarm }
    this.follower = new Follower({
      ...of,
      firstBlock: options.firstBlock ?? 0,
      ...(options.lookBytes === undefined ? {} : { lookBytes: options.lookBytes }),
    })
    this.calls = new Calls({
      ...of,
      operator: this.self,
      chainId: () => this.chainId(),
      latestAt: (at) => this.latestAt(at),
      pollMilliseconds: this.pollMilliseconds,
      ...(options.gas === undefined ? {} : { gas: options.gas }),
    })
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
      (to, data) => this.calls.call(to, data),
    )
    return this.connected
  }

  /** Goes on from the first block that an earlier run has not looked at; the hash is of the one before. */
  resumeAt(block: number, hash?: string): void {
    this.follower.resumeAt(block, hash)
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
        if (at === null || number > (await this.latestAt(at))) return null
        return (await this.view(at, 'roots', number)) as bigint
      } catch (error) {
        if (!(error instanceof NoAgreement) && !(error instanceof RpcError)) throw error
        this.alarm({ what: 'l1Silent', detail: error.message })
        await new Promise((resolve) => setTimeout(resolve, this.pollMilliseconds))
      }
    }
  }

  /**
   * What is new in the blocks that count, or the part of it that a record holds (`isPart`). Throws Diverged
   * when a block that the journal stands on has vanished, NoAgreement while the nodes are silent or
   * contradict each other.
   */
  news(): Promise<L1News> {
    return this.follower.news()
  }

  private async view(at: Place, name: string, ...args: readonly unknown[]): Promise<unknown> {
    const data = this.coder.encode(name, ...args)
    return this.coder.decode(name, await this.chain.call({ to: this.address, data }, at))
  }

  private async latestAt(at: Place): Promise<bigint> {
    return (await this.view(at, 'batchNumber')) as bigint
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
  async countersign(registration: Registration): Promise<string> {
    const at = await this.chain.head()
    const nonce = (await this.view(at, 'registrationNonce', registration.l1Owner)) as bigint
    const house = { chainId: await this.chainId(), contract: this.address }
    return countersignature(this.self, house, registration, nonce)
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
    const number = head === null ? (job as BatchJob).number : (await this.latestAt(head)) + 1n
    return this.calls.settle(data, { earlier: [], record: async () => {}, ...job, number })
  }

  /** A batch that an earlier run has signed already: the same one, to its end. */
  follow(job: BatchJob): Promise<Receipted> {
    const last = job.earlier.at(-1)
    if (last === undefined) throw new Error(`batch ${job.number} was never signed`)
    return this.calls.settle(signedOf(last).data, job)
  }

  /** How many entries of the settlement register L1 was told are converted. */
  async convertedOnL1(): Promise<number> {
    return Number(await this.view(await this.chain.head(), 'convertedCount'))
  }

  /** The operator's word that nobody holds anything of the first entries of the register. */
  confirmConverted(count: number): Promise<Receipted> {
    return this.calls.call(this.address, this.coder.encode('confirmConverted', count))
  }

  private async chainId(): Promise<bigint> {
    return BigInt(await this.chain.pool.agreed('eth_chainId', [], (id) => String(id)))
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
    this.calls.close()
    this.connected?.provider.destroy()
  }
}
