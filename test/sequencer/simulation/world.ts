/**
 * One process of the house in a world where everything outside follows from a seed: time, disk, network,
 * L1 and its nodes, the prover. At every step that touches the outside the process may die.
 */
import { vi } from 'vitest'
import { tableOf, type Row, type Table } from '../../../circuits/table.ts'
import type { ShapeKey } from '../../../prover/artifacts.ts'
import type { Chosen, OpenBatch } from '../../../sequencer/answers.ts'
import { Diverged, type Core } from '../../../sequencer/core.ts'
import { House } from '../../../sequencer/house.ts'
import type { Disk } from '../../../sequencer/journal/disk.ts'
import { FileJournal, readEntries } from '../../../sequencer/journal/file-journal.ts'
import { JournalError, type Chain, type Journal } from '../../../sequencer/journal/journal.ts'
import type { Kind } from '../../../sequencer/journal/record.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { hashAt, identityOf } from '../../../sequencer/journal/segments.ts'
import { SequencerL1, type Alarm } from '../../../sequencer/l1.ts'
import { bring } from '../../../sequencer/snapshot/command.ts'
import { resume } from '../../../sequencer/snapshot/resume.ts'
import type { Store } from '../../../sequencer/snapshot/store.ts'
import { createRandom } from '../../contracts/random.ts'
import { row } from '../../law/house.ts'
import { MemoryDisk } from '../journal/memory-disk.ts'
import { ADDRESS, proofOf, SimChain } from '../l1/sim-chain.ts'
import { nodesOf } from '../l1/sim-nodes.ts'
import {
  DOMAIN,
  FEE,
  FEE_VIEW_KEY,
  FUTURE,
  genesisRoot,
  KEY,
  SHAPE,
  simDeployment,
} from './settings.ts'

const DIRECTORY = '/journal'
const CONFIRMATIONS = 3
const shapeKey = {
  shape: SHAPE,
  keyHash: '22'.repeat(32),
  zkeyPath: 'x.development.zkey',
} as ShapeKey
const sealer = sealerOf(new Uint8Array(32).fill(1))

/** What is broken on purpose, to see that the simulation notices. */
export type Mutation = {
  readonly journal?: (journal: Journal) => Journal
  readonly house?: (house: House, random: (bound: number) => number) => void
  readonly confirmations?: number
  /** What a snapshot is held against. */
  readonly chain?: (chain: Chain) => Chain
}
type Process = {
  isAlive: boolean
  house: House | null
  l1: SequencerL1 | null
  behind: OpenBatch | null
}

/** The seed's first broken promise; everything after it is of no interest. */
export class Broken extends Error {}

const operator = new SequencerL1('http://nowhere', ADDRESS, KEY).operator
export class World {
  readonly seed: number
  readonly random: (bound: number) => number
  readonly disk = new MemoryDisk()
  readonly chain: SimChain
  readonly alarms: Alarm[] = []
  readonly counts = {
    crashes: 0,
    reorgs: 0,
    failedProofs: 0,
    fullDisks: 0,
    batches: 0,
    lost: 0,
    doubled: 0,
    /** Batches that were chosen behind one on its way to L1, and what became of them. */
    behind: 0,
    behindAccepted: 0,
    behindWithdrawn: 0,
    refusals: 0,
    /** Snapshots written, starts from one, and those that were found not to fit. */
    snapshots: 0,
    overtaken: 0,
    resumed: 0,
    unfit: 0,
  }
  readonly tables = new Map<bigint, Table>()
  /** No more faults from now on. */
  isCalm = false
  broken: Error | null = null
  private process: Process | null = null
  private readonly mutation: Mutation
  private readonly l1: ReturnType<typeof nodesOf>
  private tableCount = 0n

  constructor(seed: number, mutation: Mutation = {}) {
    this.seed = seed
    this.random = createRandom(seed)
    this.mutation = mutation
    this.chain = new SimChain(operator, genesisRoot, Math.floor(Date.now() / 1000))
    this.l1 = nodesOf(this.chain, 3)
    for (const node of this.l1.nodes)
      node.delay = () => (this.chance(200) ? 7_000 : this.random(40))
    this.post(50_000_000n)
  }

  chance(oneIn: number): boolean {
    return this.random(oneIn) === 0
  }
  /** A fault, while there are any. */
  fault(oneIn: number): boolean {
    return !this.isCalm && this.chance(oneIn)
  }
  wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds))
  }
  break(what: string): void {
    this.broken ??= new Broken(what)
  }
  get house(): House | null {
    return this.process?.isAlive === true ? this.process.house : null
  }

  post(mark: bigint): void {
    const rows: Row[] = [row(FUTURE, mark), row(1025, 2_000_000n)]
    const table = tableOf(rows)
    this.tables.set(table.root, table)
    this.chain.post(++this.tableCount, table.root)
  }

  /** One step of a process outside of itself: it may die before it, after it, or in the midst. */
  async step<T>(
    process: Process,
    effect: () => T | Promise<T>,
    delay: number,
    oneIn = 250,
  ): Promise<T> {
    if (delay > 0) await this.wait(delay)
    if (process.isAlive && this.fault(oneIn)) this.crash()
    if (!process.isAlive) return new Promise(() => {})
    let result: T
    try {
      result = await effect()
    } finally {
      if (process.isAlive && this.fault(oneIn)) this.crash()
    }
    return process.isAlive ? result : new Promise(() => {})
  }

  /** The process ends; half of the time the machine does. */
  crash(isPowerLost = this.chance(2)): void {
    const { process } = this
    if (process === null || !process.isAlive) return
    this.counts.crashes++
    process.isAlive = false
    process.l1?.close()
    if (isPowerLost) this.disk.crash((unsynced) => this.random(unsynced + 1))
    else this.disk.kill()
    this.disk.room = Infinity
    setTimeout(() => void this.start(), 500 + this.random(15_000))
  }

  /** From what the disk and L1 have. */
  async start(): Promise<void> {
    const process: Process = { isAlive: true, house: null, l1: null, behind: null }
    this.process = process
    try {
      const file = await FileJournal.open({
        directory: DIRECTORY,
        sealer,
        disk: this.diskOf(process),
        segmentBytes: 20_000,
      })
      const journal = this.mutation.journal?.(file) ?? file
      process.l1 = this.doorOf(process)
      const house = this.houseOf(process, journal, process.l1, await this.coreOf(process, file))
      this.mutation.house?.(house, this.random)
      await house.open()
      await house.meetL1()
      if (!process.isAlive) return
      process.house = house
      void this.every(process, 4_000, async () => {
        await house.watch()
        await house.tick()
      })
      void this.every(process, 20_000, () => this.takeSnapshot(this.diskOf(process)))
      // Twice, so that the next is asked for while one is on its way.
      for (const _ of [1, 2])
        void this.every(process, 9_000, async () => {
          if ((await house.runBatch()) !== null) this.counts.batches++
        })
    } catch (error) {
      this.judge(process, error as Error)
      if (process.isAlive) this.crash()
    }
  }

  private storeOn(disk: Disk): Store {
    return { disk, directory: `${DIRECTORY}.snapshots`, sealer }
  }

  /** Most starts are from a snapshot, where there is one. */
  private async coreOf(process: Process, journal: Chain): Promise<Core | null> {
    if (this.chance(4)) return null
    const count = (line: string): void => void (line.includes('not used') && this.counts.unfit++)
    const chain = this.mutation.chain?.(journal) ?? journal
    const core = await resume(chain, this.storeOn(this.diskOf(process)), {
      info: count,
      warn: count,
    })
    if (core !== null) this.counts.resumed++
    return core
  }

  /** As a process of its own does it beside the house: it reads what is written, durable or not. */
  private async takeSnapshot(to: Disk): Promise<void> {
    const { disk } = this
    const chain: Chain = {
      identity: Buffer.from(await identityOf(disk, DIRECTORY)).toString('hex'),
      hashAt: (sequence) => hashAt(disk, DIRECTORY, sequence),
      entries: (after) => readEntries(disk, DIRECTORY, sealer, after),
    }
    const told = this.mutation.chain?.(chain) ?? chain
    const taken = await bring(told, this.storeOn(to)).catch((error: unknown) => {
      // A journal that cannot be replayed has no snapshots; that it cannot is for the house to see.
      if (error instanceof Diverged) return null
      if (!(error instanceof JournalError)) this.break(`a snapshot cannot be taken: ${error}`)
      throw error
    })
    if (taken?.isNew === true) this.counts.snapshots++
  }

  /** A snapshot of what was written is on the disk before what was written is, and the power goes. */
  private async overtake(): Promise<void> {
    await this.takeSnapshot(this.disk).catch(() => {})
    this.counts.overtaken++
    this.crash(true)
  }

  private judge(process: Process, error: Error): void {
    if (process.isAlive && error instanceof Diverged) this.break(`Diverged: ${error.message}`)
    // A slip of the program, which the house would only try again.
    if (process.isAlive && error instanceof TypeError) this.break(String(error.stack))
  }

  private async every(process: Process, period: number, work: () => Promise<void>): Promise<void> {
    while (process.isAlive) {
      await this.wait(period + this.random(1000))
      if (!process.isAlive) return
      await work().catch((error: unknown) => this.judge(process, error as Error))
    }
  }

  private houseOf(process: Process, journal: Journal, l1: SequencerL1, core: Core | null): House {
    return new House({
      rpcUrl: '',
      deployment: simDeployment(),
      domain: DOMAIN,
      l1,
      prove: (_key, input) =>
        this.step(
          process,
          () => {
            if (this.fault(6)) {
              this.counts.failedProofs++
              throw new Error('the prover died')
            }
            return proofOf(input)
          },
          this.fault(8) ? 60_000 : 500 + this.random(6_000),
          12,
        ),
      feeAccountViewKey: FEE_VIEW_KEY,
      keys: [shapeKey],
      fee: FEE,
      tableByRoot: (root) => this.tables.get(root),
      log: () => {},
      journal,
      ...(core === null ? {} : { core }),
      onAnswer: (kind, answer) => this.follow(process, kind, answer),
      onFatal: (error) => {
        this.judge(process, error)
        if (process.isAlive) this.crash()
      },
    })
  }

  /** What becomes of a batch behind another; one that a crash hides is counted by nobody. */
  private follow(process: Process, kind: Kind, answer: unknown): void {
    const core = process.house?.core
    if (core === undefined) return
    if (kind === 'batch' && core.next !== null && (answer as Chosen).open === core.next) {
      this.counts.behind++
      process.behind = core.next
    }
    const { behind } = process
    if (behind === null) return
    if (kind === 'accepted' && core.open === behind) this.counts.behindAccepted++
    if (kind === 'withdrawn' && !core.holds(behind)) this.counts.behindWithdrawn++
    if (kind === 'accepted' || kind === 'withdrawn') process.behind = null
  }

  private doorOf(process: Process): SequencerL1 {
    const { urls, transport } = this.l1
    const confirmations = this.mutation.confirmations ?? CONFIRMATIONS
    return new SequencerL1(urls, ADDRESS, KEY, {
      confirmations,
      pollMilliseconds: 3_000,
      timeoutMilliseconds: 5_000,
      gas: { bumpAfterMilliseconds: 30_000 },
      alarm: (alarm) => void this.alarms.push(alarm),
      transport: (url, body, signal) =>
        this.step(process, () => transport(url, body, signal), 0, 3000),
    })
  }

  private diskOf(process: Process): Disk {
    const { disk } = this
    const on = <T>(work: () => Promise<T>): Promise<T> => this.step(process, work, this.random(4))
    return {
      makeDirectory: () => disk.makeDirectory(),
      list: (path) => disk.list(path),
      read: (path) => on(() => disk.read(path)),
      rename: (from, to) => on(() => disk.rename(from, to)),
      remove: (path) => on(() => disk.remove(path)),
      syncDirectory: (path) => on(() => disk.syncDirectory(path)),
      lock: () => disk.lock(),
      open: async (path) => {
        const file = await on(() => disk.open(path))
        return {
          write: (bytes, position) =>
            on(async () => {
              this.fill()
              await file.write(bytes, position)
              if (path.startsWith(`${DIRECTORY}/`) && this.fault(250)) await this.overtake()
            }),
          sync: () => on(() => file.sync()),
          truncate: (length) => on(() => file.truncate(length)),
          close: () => file.close(),
        }
      },
    }
  }

  /** Now and then the disk is full for a while. */
  private fill(): void {
    if (!this.fault(120)) return
    this.counts.fullDisks++
    this.disk.room = 1
    setTimeout(() => (this.disk.room = Infinity), 8_000)
  }

  /** Blocks, forks no deeper than the depth allows, nodes that lag, lie and lose. */
  async runL1(): Promise<void> {
    for (;;) {
      await this.wait(3_000 + this.random(3_000))
      const now = Math.floor(Date.now() / 1000)
      if (this.fault(9) && this.chain.head.number > CONFIRMATIONS) {
        this.counts.reorgs++
        const depth = 1 + this.random(CONFIRMATIONS - 1)
        // Requests of an account come in their order; a deposit may never come again.
        this.chain.reorg(depth, (what) => (what === 'transaction' ? !this.chance(3) : true))
        for (let i = 0; i <= depth; i++) this.mine(now)
      } else this.mine(now)
      if (this.fault(25)) this.chain.baseFee = BigInt(1 + this.random(90)) * 1_000_000_000n
      else if (this.isCalm || this.chance(3)) this.chain.baseFee = 1_000_000_000n
      this.trouble()
    }
  }
  private mine(now: number): void {
    const [events, transactions] = [!this.fault(4), !this.fault(4)]
    this.chain.mine(now, (what) => (what === 'event' ? events : transactions))
  }

  /** One of the nodes at most lies; the others may lag or forget. */
  private trouble(): void {
    const [first, ...others] = this.l1.nodes
    if (first === undefined) return
    const isLiar = this.fault(3)
    first.lie = (method, _params, answer) => {
      if (!isLiar) return answer
      if (method === 'eth_getLogs') return []
      if (method === 'eth_getTransactionCount') return '0x63'
      return method === 'eth_call' ? `0x${'00'.repeat(31)}07` : answer
    }
    first.isSilent = this.fault(9)
    // Whatever the contract has against a batch, it says so in the midst of one as well.
    const isRefusing = this.fault(12)
    if (isRefusing) this.counts.refusals++
    this.chain.refusal = isRefusing ? 'PausedMustNotContinue' : null
    for (const node of others) {
      node.lag = this.fault(4) ? this.random(3) : 0
      const isForgetful = this.fault(3)
      node.isForgetful = () => isForgetful
    }
    // Something has to be left of a majority.
    const [second] = others
    if (second !== undefined) second.isSilent = !first.isSilent && !isLiar && this.fault(9)
  }

  /** The journal as the disk has it, for whoever reads it afterwards. */
  async readJournal(): Promise<FileJournal> {
    this.isCalm = true
    if (this.process !== null) this.process.isAlive = false
    this.process?.l1?.close()
    this.disk.kill()
    return FileJournal.open({ directory: DIRECTORY, sealer, disk: this.disk })
  }
}

const setImmediateNow = setImmediate
/** Virtual time goes on, event by event, until `isOver` or the time is up. */
export async function runUntil(end: number, isOver: () => boolean): Promise<void> {
  while (Date.now() < end && !isOver()) {
    await vi.advanceTimersToNextTimerAsync()
    await new Promise<void>((resolve) => setImmediateNow(() => setImmediateNow(resolve)))
  }
}
