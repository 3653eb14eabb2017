/**
 * The oracle of an embedded house: five signers that replay the recorded day, each with a key and an
 * HTTP face of its own, and the collector that brings their word to TableOracle. In one process, since
 * the day is about what they say to each other and not about where they run.
 */
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { JsonRpcProvider, NonceManager, SigningKey, Wallet } from './ethers.ts'
import {
  configureOracle,
  DEFAULT_BAND,
  DEFAULT_TIMING,
  type OracleParameters,
} from './collector/configure.ts'
import type { Peer } from './collector/gather.ts'
import { confirmTable, postTable, type CollectorOptions } from './collector/rounds.ts'
import { tendSettlement } from './collector/settle.ts'
import { INSTRUMENTS } from './day-2020-03-12.ts'
import { recordedPolicy, ReplayClock, SETTLEMENT_WINDOW, WATCH_BEFORE } from './day-replay.ts'
import { configFrom } from './signer/config.ts'
import { instrumentsBytes, worldsBytes } from './signer/engine.ts'
import { STANDARD_SET } from './worlds.ts'
import { recordedConfig } from './signer/main.ts'
import { addressOfKey } from './signer/report.ts'
import { serveSigner } from './signer/server.ts'
import { Signer } from './signer/signer.ts'

export const SIGNER_COUNT = 5
export const QUORUM = 3
export const LARGE_QUORUM = 4
const SIGNER_FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'signer')

export type DayOracleOptions = {
  /** Of the embedded L1: its clock is moved. */
  readonly rpcUrl: string
  /** TableOracle, whose admin is `adminKey`; nothing is configured yet. */
  readonly oracle: string
  readonly adminKey: string
  /** Pays for the collector's gas. */
  readonly payerKey: string
  /** Where the rows of posted tables are kept for the house. */
  readonly tables: string
  readonly note: (line: string) => void
}
export type PostedStep = {
  readonly number: number
  /** Of a table whose prices were beyond the band, until the large quorum had looked again. */
  readonly wasIndicative: boolean
  readonly signatures: number
}
export type SettledDay = {
  readonly values: readonly { readonly id: number; readonly value: string }[]
  readonly table: PostedStep
}

export class DayOracle {
  private readonly options: DayOracleOptions
  private readonly provider: JsonRpcProvider
  private readonly collector: CollectorOptions
  private readonly clock: ReplayClock
  private readonly signers: readonly Signer[]
  private readonly apps: readonly FastifyInstance[]
  /** L1's time, which is the signers' clock, too. */
  private now: { time: number }

  private constructor(given: {
    readonly options: DayOracleOptions
    readonly provider: JsonRpcProvider
    readonly collector: CollectorOptions
    readonly clock: ReplayClock
    readonly signers: readonly Signer[]
    readonly apps: readonly FastifyInstance[]
    readonly now: { time: number }
  }) {
    this.options = given.options
    this.provider = given.provider
    this.collector = given.collector
    this.clock = given.clock
    this.signers = given.signers
    this.apps = given.apps
    this.now = given.now
  }

  /** Configures the contract and starts the signers. */
  static async open(options: DayOracleOptions): Promise<DayOracle> {
    const { rpcUrl, oracle, adminKey, payerKey, tables } = options
    const provider = new JsonRpcProvider(rpcUrl, undefined, {
      cacheTimeout: -1,
      pollingInterval: 50,
    })
    const { chainId } = await provider.getNetwork()
    const now = { time: (await provider.getBlock('latest'))?.timestamp ?? 0 }
    const clock = new ReplayClock(now.time)
    const keys = Array.from({ length: SIGNER_COUNT }, () => new SigningKey(randomBytes(32)))
    await configureOracle(
      oracle,
      new NonceManager(new Wallet(adminKey, provider)),
      parametersOf(keys, clock),
    )
    // Over the window the market runs as L1 does: the longest step from one look to the next, and a
    // minute for what the calls between take.
    const maxGap = SETTLEMENT_WINDOW / 3 + WATCH_BEFORE / 2 + 60
    const recordedDay = recordedConfig(Number(chainId), oracle, now.time)
    const config = { ...configFrom(recordedDay, SIGNER_FOLDER), maxGap }
    const documents = {
      worlds: worldsBytes(STANDARD_SET),
      instruments: instrumentsBytes(INSTRUMENTS),
    }
    const recorded = { marketTime: clock.marketTime, policyAt: recordedPolicy }
    const signers = keys.map(
      (key) => new Signer({ config, documents, key, recorded, clock: () => now.time }),
    )
    const apps = await Promise.all(signers.map((signer) => serveSigner(signer, { port: 0 })))
    const peers = signers.map(({ address }, i): Peer => ({
      url: apps[i]?.listeningOrigin ?? '',
      address,
    }))
    // Asked for each time: a nonce that is counted here goes on where L1 has refused a transaction.
    const wallet = new Wallet(payerKey, provider)
    const collector = { provider, wallet, contract: oracle, peers, tables }
    return new DayOracle({ options, provider, collector, clock, signers, apps, now })
  }

  /** The market stands at the close of candle `step` from now on, and its table is posted. */
  async table(step: number): Promise<PostedStep> {
    await this.look()
    if (step > 0) this.clock.stopAt(this.now.time, step)
    return this.post()
  }

  private async post(): Promise<PostedStep> {
    const { report, isConfirmed, answers } = await postTable(this.collector)
    const number = Number(report.number)
    const signatures = answers.filter((answer) => 'digest' in answer).length
    if (isConfirmed) return { number, wasIndicative: false, signatures }
    // What moved by more than the band counts when the large quorum has looked again, later.
    await this.pass(60, `a second look at table ${number}, beyond the band of what was confirmed`)
    await confirmTable(this.collector, report)
    return { number, wasIndicative: true, signatures }
  }

  /**
   * Lets the settlement window pass while the signers watch, proposes the values of what has expired,
   * lets the challenge delay pass, makes them final, and posts the table without those rows.
   */
  async settle(): Promise<SettledDay> {
    const { expiryOnL1 } = this.clock
    await this.look()
    const watched = expiryOnL1 - SETTLEMENT_WINDOW - WATCH_BEFORE / 2
    await this.pass(watched - this.now.time, 'the night until shortly before the settlement window')
    await this.observe()
    for (const third of [1, 2, 3]) {
      const end = expiryOnL1 - SETTLEMENT_WINDOW + (third * SETTLEMENT_WINDOW) / 3
      await this.pass(end - this.now.time, 'a third of the settlement window')
      await this.observe()
    }
    const proposed = await tendSettlement(this.collector, SETTLEMENT_WINDOW)
    if (proposed.did !== 'proposed') throw new Error(`settlement: ${proposed.did}`)
    await this.pass(DEFAULT_TIMING.challengeDelay, 'the challenge delay of the settlement')
    const final = await tendSettlement(this.collector, SETTLEMENT_WINDOW)
    if (final.did !== 'finalised') throw new Error(`settlement: ${final.did}`)
    const { ids, values } = final.report
    return {
      values: ids.map((id, i) => ({ id: Number(id), value: String(values[i]) })),
      table: await this.post(),
    }
  }

  /** A block of now, so that a report of it is neither old nor ahead. */
  private async look(): Promise<void> {
    await this.provider.send('evm_mine', [])
    this.now.time = (await this.provider.getBlock('latest'))?.timestamp ?? this.now.time
  }

  /** On an embedded L1 nobody waits: its clock is set forward. */
  private async pass(seconds: number, why: string): Promise<void> {
    await this.provider.send('evm_increaseTime', [seconds])
    await this.look()
    this.options.note(`L1's clock set forward by ${seconds} s: ${why}`)
  }

  private async observe(): Promise<void> {
    await Promise.all(this.signers.map((signer) => signer.observe(this.now.time)))
  }

  async close(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.close()))
    this.provider.destroy()
  }
}

function parametersOf(keys: readonly SigningKey[], clock: ReplayClock): OracleParameters {
  return {
    signers: keys.map(addressOfKey),
    quorum: QUORUM,
    largeQuorum: LARGE_QUORUM,
    timing: { ...DEFAULT_TIMING, settlementWindow: SETTLEMENT_WINDOW },
    underlyings: [
      { name: 'BTC', band: DEFAULT_BAND },
      { name: 'ETH', band: DEFAULT_BAND },
    ],
    worlds: STANDARD_SET,
    instruments: INSTRUMENTS,
    expiryOnL1: clock.onL1,
  }
}
