/**
 * The sequencer as a service: journal, house, members' port, operator's port, batches by the clock;
 * started in the order in which they need each other, and stopped the other way round.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { FIELD_MODULUS } from '../circuits/params.ts'
import { tableOf, type Row, type Table } from '../circuits/table.ts'
import { developmentKeyOf, shapeNamed, type ShapeKey } from '../prover/artifacts.ts'
import { serve } from './api.ts'
import { Batches } from './batches.ts'
import type { Configuration, Secrets } from './config.ts'
import { Core } from './core.ts'
import { compileVerifiers, deploy, FORGE_FLAG, type CompiledVerifier } from './deploy.ts'
import { ceremonyKeyOf } from '../prover/ceremony-key.ts'
import { MINT_FLAG } from './deploy-token.ts'
import { compileExits, type CompiledExit } from './deploy-exits.ts'
import { sweepingOf } from './house-sweep.ts'
import { House, type HouseL1, type HouseOptions } from './house.ts'
import { MemoryJournal, type Chain, type Journal } from './journal/journal.ts'
import { openJournal, sealerOfConfiguration } from './journal/open.ts'
import { PostgresFollower } from './journal/postgres-journal.ts'
import { deploymentOf, readGenesis } from './journal/replay.ts'
import { standBy } from './journal/standby.ts'
import {
  addressOfKey,
  domainOf,
  requireContract,
  senderOf,
  SequencerL1,
  untilAnswering,
} from './l1.ts'
import type { Log } from './log.ts'
import { Metrics, over } from './metrics.ts'
import { serveOperator } from './operator.ts'
import { BatchProver, JobsProver, type HouseProver } from './proving.ts'
import { contractsOf } from './solidity.ts'
import { Helpers } from './helpers/helpers.ts'
import { resume, storeOf } from './snapshot/resume.ts'
import { convertingOf, reasonsOf, watchL1, watchProvers } from './watching.ts'

const REQUESTS_MILLISECONDS = 5_000

/** What a test puts in place of minutes of work; a service that is started as a process has none. */
export type Parts = {
  readonly keys: readonly ShapeKey[]
  readonly verifiers: readonly CompiledVerifier[]
  readonly prove: HouseOptions['prove']
}
export type ServiceOptions = {
  readonly configuration: Configuration
  readonly secrets: Secrets
  readonly log: Log
  /** Nothing can be trusted any more: the process must end. */
  readonly onFatal: (error: Error) => void
  readonly parts?: Parts
  /** Ends a standby that has not become the leader. */
  readonly signal?: AbortSignal
}
export type Service = {
  readonly house: House
  readonly batches: Batches
  /** Begins the sweeps that wait to be asked; false where there is nothing to sweep with. */
  readonly sweep: () => boolean
  readonly url: string
  readonly operatorUrl: string
  /** No new pages, the batch in flight finished or left to the next start, the journal closed. */
  readonly stop: () => Promise<void>
}

export async function startService(options: ServiceOptions): Promise<Service> {
  const { configuration, secrets, log, parts } = options
  const metrics = new Metrics()
  let reasons: () => readonly string[] = () => ['it is starting']
  await requireFree(configuration.port)
  const operator = await serveOperator(metrics, () => reasons(), {
    port: configuration.operatorPort,
    host: configuration.operatorHost,
  })
  // Compiled beside the batches' circuits: the compiler takes one core.
  const compilingExits = compileExits(
    configuration.exits,
    (line) => log.warn(line),
    configuration.keys,
  )
  compilingExits.catch(() => {})
  const keys = parts?.keys ?? (await keysOf(configuration, log))
  const exits = await compilingExits
  const [usual] = keys as [ShapeKey]
  await untilAnswering(configuration.rpcUrl, 60)
  const { journal, core } = await journalOf(options, (sequence) => {
    reasons = () => [`it stands by: it has followed the leader to record ${sequence}`]
  })
  const operatorKey = needed(secrets, 'OPERATOR_KEY')
  const feeAccountViewKey = BigInt(needed(secrets, 'FEE_ACCOUNT_VIEW_KEY')) % FIELD_MODULUS
  const genesis = core?.genesis ?? (await readGenesis(journal))
  const deployment =
    genesis === null
      ? await deployHouse(options, { keys, exits }, operatorKey, feeAccountViewKey)
      : deploymentOf(genesis)
  if (genesis !== null) {
    await requireContract(configuration.rpcUrl, genesis)
    log.info('the house of the journal: nothing is deployed', { contract: genesis.contract })
  }
  const urls = [configuration.rpcUrl, ...configuration.otherRpcUrls]
  const doorTo = (key: string): SequencerL1 =>
    new SequencerL1(urls, deployment.contract, key, {
      confirmations: configuration.confirmations,
      gas: { maxFeeCap: BigInt(configuration.gasCapGwei) * 1_000_000_000n },
      alarm: ({ what, detail }) => {
        metrics.alarmed(what)
        log.warn('alarm of L1', { what, why: detail })
      },
    })
  const l1 = doorTo(operatorKey)
  const prover = await proverOf(options, usual)
  const helpers = new Helpers({
    count: configuration.signatureHelpers,
    operatorKey,
    log: (line) => log.warn(line),
  })
  let isStopping = false
  const house = new House({
    rpcUrl: configuration.rpcUrl,
    deployment,
    domain: domainOf(deployment.chainId, deployment.contract),
    l1: withReceipts(metrics.l1(l1), helpers),
    prove: metrics.prove(
      parts?.prove ?? ((key, input, signals, signal) => prover.prove(key, input, signals, signal)),
    ),
    proverMissing: (key) => prover.missing(key),
    feeAccountViewKey,
    keys,
    // Of the first start; what has changed since, L1 has said and the journal has kept.
    fee: genesis?.fee ?? configuration.fee,
    tableByRoot: (root) => tableFrom(configuration.tables, root),
    // What the house says by itself is of pages that cannot settle and of faults.
    log: (line) => log.warn(line),
    journal: metrics.journal(journal),
    onAnswer: metrics.answered,
    onFatal: (error) => {
      // What a stop has cut off is not a fault: the journal goes on from it.
      if (!isStopping) options.onFatal(error)
    },
    ...(core === null ? {} : { core }),
  })
  await house.open()
  await house.meetL1()
  metrics.watch(house)
  metrics.watchNodes(() => l1.chain.pool.state)
  const sweepKeys = exits.map(({ key }) => key)
  const sweeping = await sweepingOf(house, sweepKeys, secrets.SWEEPER_KEY, doorTo)
  if (!configuration.sweepsWhenAsked) sweeping?.start()
  // The process of the first proof loads its libraries while the members register.
  if (parts === undefined) prover.prepare(keys.at(-1) ?? usual)
  const app = await serve(house, configuration.port, {
    proxies: configuration.proxies,
    helpers,
    watch: metrics.requested,
  })
  const watchingProvers = watchProvers(prover, metrics)
  const watching = watchL1(house, l1, metrics, log)
  const converting = convertingOf(house, l1, log)
  const batches = new Batches(house, metrics, log)
  if (configuration.cadenceSeconds > 0)
    batches.every(configuration.cadenceSeconds, configuration.coverWhenIdle)
  reasons = () => reasonsOf(house, metrics, configuration)
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : configuration.port
  return {
    house,
    batches,
    sweep: () => {
      sweeping?.start()
      return sweeping !== null
    },
    url: `http://127.0.0.1:${port}`,
    operatorUrl: `http://${configuration.operatorHost}:${operator.port}`,
    stop: async () => {
      isStopping = true
      reasons = () => ['it is stopping']
      watching.stop()
      clearInterval(converting)
      clearInterval(watchingProvers)
      sweeping?.close()
      // Requests that are being answered are answered; whoever only holds a connection is cut off.
      const late = setTimeout(() => app.server.closeAllConnections(), REQUESTS_MILLISECONDS)
      await app.close()
      clearTimeout(late)
      if (!(await batches.stop(configuration.stopSeconds)))
        log.warn('the batch in flight is left to the next start: the journal has it')
      await house.close()
      await prover.close()
      await helpers.close()
      await operator.close()
    },
  }
}

/** Receipts by a helper where one can: the same key and text give the same signature. */
function withReceipts<L extends HouseL1>(door: L, helpers: Helpers): HouseL1 {
  return over<HouseL1>(door, {
    signReceipt: async (text) => (await helpers.receipt(text)) ?? door.signReceipt(text),
  })
}

/** This machine, or workers elsewhere. */
async function proverOf(
  { configuration: { jobs }, secrets, log }: ServiceOptions,
  usual: ShapeKey,
): Promise<HouseProver> {
  if (jobs === null) return new BatchProver(usual, (line) => log.warn(line))
  return JobsProver.open({
    url: jobs,
    key: Buffer.from(needed(secrets, 'CLOISTER_PROVER_KEY').slice(2), 'hex'),
    onParked: (name) => log.error('no prover could make a proof: its job is parked', { name }),
  })
}

async function keysOf(
  { shapes, keys: directory }: Pick<Configuration, 'shapes' | 'keys'>,
  log: Log,
): Promise<readonly ShapeKey[]> {
  const keys: ShapeKey[] = []
  const progress = (line: string): void => log.warn(line)
  for (const shape of shapes.map(shapeNamed))
    keys.push(
      directory === null
        ? await developmentKeyOf(shape, progress)
        : await ceremonyKeyOf(shape, directory, progress),
    )
  return keys
}

function needed(secrets: Secrets, name: keyof Secrets): string {
  const value = secrets[name]
  if (value === undefined) throw new Error(`${name} must be given, by environment or ${name}_FILE`)
  return value.startsWith('0x') ? value : `0x${value}`
}

/** A standby returns only when it leads, with the core that it has brought up to date meanwhile. */
async function journalOf(
  { configuration, secrets, log, signal }: ServiceOptions,
  onFollowed: (sequence: number) => void,
): Promise<{ readonly journal: Journal; readonly core: Core | null }> {
  const { journal: name, journalKeyFile, journalUnsealed, snapshots, standby } = configuration
  if (name === null) {
    log.info('there is no journal: nothing outlives this process')
    return { journal: new MemoryJournal(), core: null }
  }
  const key = secrets.CLOISTER_JOURNAL_KEY
  const named = {
    journal: name,
    log: (line: string) => log.info(line),
    ...(key === undefined ? {} : { key }),
    ...(journalKeyFile === null ? {} : { keyFile: journalKeyFile }),
    ...(journalUnsealed ? { unsealed: true } : {}),
    ...(snapshots === null ? {} : { snapshots }),
  }
  const opened = async () => {
    const journal = await openJournal(named)
    return { journal, core: await fromSnapshot(journal) }
  }
  const fromSnapshot = async (chain: Chain): Promise<Core | null> => {
    const store = storeOf(named)
    return store === null ? null : resume(chain, store, log)
  }
  if (!standby) return opened()
  const sealer = sealerOfConfiguration(named)
  const follower = await PostgresFollower.open({ url: name, sealer, log: named.log })
  const genesis = await readGenesis(follower)
  if (genesis === null) {
    // Nobody has ever led: this one is the first.
    await follower.close()
    return opened()
  }
  log.info('standing by for the leader of the journal')
  const core = (await fromSnapshot(follower)) ?? new Core(genesis)
  const followed = { onLook: onFollowed, ...(signal === undefined ? {} : { signal }) }
  const journal = await standBy(core, follower, followed)
  log.info('this process leads now', { record: journal.head.sequence })
  return { journal, core }
}

async function deployHouse(
  { configuration, secrets, log, parts }: ServiceOptions,
  { keys, exits }: { readonly keys: readonly ShapeKey[]; readonly exits: readonly CompiledExit[] },
  operatorKey: string,
  feeAccountViewKey: bigint,
) {
  const adminKey = needed(secrets, 'ADMIN_KEY')
  log.info('compiling the contracts (solc)')
  contractsOf()
  const verifiers = parts?.verifiers ?? (await compileVerifiers(keys))
  const admin = senderOf(configuration.rpcUrl, adminKey)
  try {
    return await deploy({
      admin: admin.sender,
      operator: addressOfKey(operatorKey),
      oracle: configuration.oracle,
      verifiers,
      exits,
      feeAccountViewKey,
      fee: configuration.fee,
      refundDelaySeconds: 172_800n,
      token:
        configuration.token === null
          ? null
          : { address: configuration.token, decimals: configuration.tokenDecimals },
      letAnybodyMintDollars: process.env[MINT_FLAG] === '1',
      letAnybodyForgeProofs: process.env[FORGE_FLAG] === '1',
    })
  } finally {
    admin.close()
  }
}

/** Rows that the oracle published under a root, parsed and hashed again: a wrong file is no table. */
function tableFrom(folder: string, root: bigint): Table | undefined {
  const file = join(folder, `${root}.json`)
  if (!existsSync(file)) return undefined
  const rows = (
    JSON.parse(readFileSync(file, 'utf8')) as {
      id: number
      status: Row['status']
      addOn: string
      values: string[]
    }[]
  ).map((row) => ({ ...row, addOn: BigInt(row.addOn), values: row.values.map(BigInt) }))
  return tableOf(rows)
}

/** Before anything is deployed or locked: a port that is taken is found out at once. */
function requireFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} must be free: another process listens there`)
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}
