/**
 * The oracle of a house that is kept for try-outs: five signers and a collector, whose keys are given,
 * on a market that stands at the first close of the recorded day. Prices do not move and nothing
 * expires, but every table is fresh: it is observed, signed and posted as any other.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { JsonRpcProvider, NonceManager, SigningKey, Wallet } from './ethers.ts'
import {
  configureOracle,
  DEFAULT_BAND,
  DEFAULT_TIMING,
  publishWorlds,
  type OracleParameters,
} from './collector/configure.ts'
import type { Peer } from './collector/gather.ts'
import { confirmTable, postTable, readState, type CollectorOptions } from './collector/rounds.ts'
import { INSTRUMENTS, marketAt } from './day-2020-03-12.ts'
import { LARGE_QUORUM, QUORUM } from './day-oracle.ts'
import { recordedPolicy } from './day-replay.ts'
import { configFrom } from './signer/config.ts'
import { instrumentsBytes, worldsBytes } from './signer/engine.ts'
import { STANDARD_SET } from './worlds.ts'
import { recordedConfig } from './signer/main.ts'
import { addressOfKey } from './signer/report.ts'
import { serveSigner } from './signer/server.ts'
import { Signer, type Memory } from './signer/signer.ts'

const SIGNER_FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'signer')
const MARKET_TIME = marketAt(0).time
/** Of L1's clock: far enough that no instrument of a market that stands is ever due. */
const NEVER = 100 * 365 * 86_400

export type StandingOracleOptions = {
  readonly rpcUrl: string
  /** TableOracle. */
  readonly oracle: string
  /** Configures the contract, and publishes another world set if that of the project has changed. */
  readonly adminKey: string
  /** Pays for the collector's gas. */
  readonly payerKey: string
  readonly signerKeys: readonly string[]
  /** Where the rows of posted tables are kept for the house. */
  readonly tables: string
  /** What each signer signed last is kept in it, so that a restart does not contradict it. */
  readonly memory: string
}

export class StandingOracle {
  private readonly provider: JsonRpcProvider
  private readonly collector: CollectorOptions
  private readonly apps: readonly FastifyInstance[]
  private readonly now: { time: number }

  private constructor(
    provider: JsonRpcProvider,
    collector: CollectorOptions,
    apps: readonly FastifyInstance[],
    now: { time: number },
  ) {
    this.provider = provider
    this.collector = collector
    this.apps = apps
    this.now = now
  }

  /** Configures the contract if nobody has, and starts the signers. */
  static async open(options: StandingOracleOptions): Promise<StandingOracle> {
    const { rpcUrl, oracle, payerKey, tables } = options
    const provider = new JsonRpcProvider(rpcUrl, undefined, {
      cacheTimeout: -1,
      pollingInterval: 50,
    })
    const { chainId } = await provider.getNetwork()
    const now = { time: (await provider.getBlock('latest'))?.timestamp ?? 0 }
    const keys = options.signerKeys.map((key) => new SigningKey(key))
    // Asked for each time: a nonce that is counted here goes on where L1 has refused a transaction.
    const wallet = new Wallet(payerKey, provider)
    const unmet = { provider, wallet, contract: oracle, peers: [], tables }
    const admin = new NonceManager(new Wallet(options.adminKey, provider))
    if ((await readState(unmet)).quorum === 0)
      await configureOracle(oracle, admin, parametersOf(keys, now.time))
    else await publishWorlds(oracle, admin, STANDARD_SET)
    const given = recordedConfig(Number(chainId), oracle, now.time) as object
    // A second look at a market that stands shows nothing new, so that nobody waits long for it.
    const config = configFrom({ ...given, confirmAfter: 1 }, SIGNER_FOLDER)
    const documents = {
      worlds: worldsBytes(STANDARD_SET),
      instruments: instrumentsBytes(INSTRUMENTS),
    }
    const recorded = { marketTime: () => MARKET_TIME, policyAt: recordedPolicy }
    const signers = keys.map((key, i) => {
      const file = join(options.memory, `signer-${i + 1}.json`)
      return new Signer({
        config,
        documents,
        key,
        recorded,
        clock: () => now.time,
        remember: (memory) => keep(file, memory),
        ...(existsSync(file) ? { memory: JSON.parse(readFileSync(file, 'utf8')) as Memory } : {}),
      })
    })
    const apps = await Promise.all(signers.map((signer) => serveSigner(signer, { port: 0 })))
    const peers = signers.map(({ address }, i): Peer => ({
      url: apps[i]?.listeningOrigin ?? '',
      address,
    }))
    return new StandingOracle(provider, { ...unmet, peers }, apps, now)
  }

  /** A fresh table on L1; its number, and how many of the signers agreed. */
  async table(): Promise<{ readonly number: number; readonly signatures: number }> {
    await this.look()
    const { report, isConfirmed, answers } = await postTable(this.collector)
    if (!isConfirmed) {
      // The very first has nothing to be near to: the large quorum looks again.
      await this.look()
      await confirmTable(this.collector, report)
    }
    const signatures = answers.filter((answer) => 'digest' in answer).length
    return { number: Number(report.number), signatures }
  }

  /** A block of now, so that a report of it is neither old nor ahead. */
  private async look(): Promise<void> {
    await this.provider.send('evm_mine', [])
    this.now.time = (await this.provider.getBlock('latest'))?.timestamp ?? this.now.time
  }

  async close(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.close()))
    this.provider.destroy()
  }
}

function parametersOf(keys: readonly SigningKey[], startedAt: number): OracleParameters {
  return {
    signers: keys.map(addressOfKey),
    quorum: QUORUM,
    largeQuorum: LARGE_QUORUM,
    timing: DEFAULT_TIMING,
    underlyings: [
      { name: 'BTC', band: DEFAULT_BAND },
      { name: 'ETH', band: DEFAULT_BAND },
    ],
    worlds: STANDARD_SET,
    instruments: INSTRUMENTS,
    expiryOnL1: (expiry) => startedAt + NEVER + (expiry - MARKET_TIME),
  }
}

/** Renamed into place: a crash leaves the old memory or the new one. */
function keep(file: string, memory: Memory): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(memory), { mode: 0o600 })
  renameSync(`${file}.tmp`, file)
}
