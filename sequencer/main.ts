/**
 * The sequencer as a process. Configuration comes as JSON in CLOISTER_SEQUENCER, secrets by
 * environment; its parent asks for batches over IPC: {"command":"batch"}.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FIELD_MODULUS } from '../circuits/params.ts'
import { tableOf, type Row, type Table } from '../circuits/table.ts'
import { developmentKeyOf, shapeNamed, type ShapeKey } from '../prover/artifacts.ts'
import { readR1csInfo } from '../prover/groth16.ts'
import { serve } from './api.ts'
import { compileVerifiers, deploy, FORGE_FLAG, type Deployment } from './deploy.ts'
import { compileExits } from './deploy-exits.ts'
import { sweepingOf } from './house-sweep.ts'
import { House } from './house.ts'
import { MemoryJournal } from './journal/journal.ts'
import { openJournal } from './journal/open.ts'
import { deploymentOf, readGenesis } from './journal/replay.ts'
import {
  addressOfKey,
  domainOf,
  requireContract,
  senderOf,
  SequencerL1,
  untilAnswering,
} from './l1.ts'
import { BatchProver } from './proving.ts'
import { contractsOf } from './solidity.ts'
import { stringify } from './wire.ts'

type Configuration = {
  readonly rpcUrl: string
  readonly port: number
  readonly tables: string
  readonly shapes: readonly string[]
  /** Who posts tables; null: a TableOracle of its own. */
  readonly oracle: string | null
  /** Micro-dollars per page. */
  readonly fee: string
  /** A directory or the URL of a PostgreSQL; without it nothing outlives the process. */
  readonly journal?: string
  readonly journalKeyFile?: string
  /** Circuits of claims and sweeps whose verifiers are deployed; without them nobody could leave by claims. */
  readonly exits?: readonly string[]
  /** Sweeps wait for the command; by default they begin at once. */
  readonly sweepsWhenAsked?: boolean
}
export type Command = { readonly id: number; readonly command: 'batch' | 'sweep' | 'stop' }

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

function secret(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  delete process.env[name]
  return value
}

const log = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
const say = (message: unknown): void => {
  process.send?.(stringify(message))
}

const configuration = JSON.parse(secret('CLOISTER_SEQUENCER')) as Configuration
const operatorKey = secret('OPERATOR_KEY')
const adminKey = secret('ADMIN_KEY')
const feeAccountViewKey = BigInt(secret('FEE_ACCOUNT_VIEW_KEY')) % FIELD_MODULUS

const journalKey = process.env['CLOISTER_JOURNAL_KEY']
delete process.env['CLOISTER_JOURNAL_KEY']
const sweeperKey = process.env['SWEEPER_KEY']
delete process.env['SWEEPER_KEY']

// Compiled beside the batches' circuits: the compiler takes one core.
const compilingExits = compileExits(configuration.exits ?? [], log)
compilingExits.catch(() => {})
const keys: ShapeKey[] = []
for (const name of configuration.shapes) keys.push(await developmentKeyOf(shapeNamed(name), log))
const exits = await compilingExits
await untilAnswering(configuration.rpcUrl, 60)
const journal =
  configuration.journal === undefined
    ? new MemoryJournal()
    : await openJournal({
        journal: configuration.journal,
        log,
        ...(journalKey === undefined ? {} : { key: journalKey }),
        ...(configuration.journalKeyFile === undefined
          ? {}
          : { keyFile: configuration.journalKeyFile }),
      })
const genesis = await readGenesis(journal)
const deployment = genesis === null ? await deployHouse() : deploymentOf(genesis)
if (genesis !== null) {
  await requireContract(configuration.rpcUrl, genesis)
  log(`the house of the journal, at ${genesis.contract}: nothing is deployed`)
}
const [usual] = keys
if (usual === undefined) throw new Error('no shape is configured')
const prover = new BatchProver(usual, log)
const house = new House({
  rpcUrl: configuration.rpcUrl,
  deployment,
  domain: domainOf(deployment.chainId, deployment.contract),
  l1: new SequencerL1(configuration.rpcUrl, deployment.contract, operatorKey),
  prove: (key, input, publicSignals) => prover.prove(key, input, publicSignals),
  proverMissing: () => prover.missing(),
  feeAccountViewKey,
  keys,
  fee: BigInt(configuration.fee),
  tableByRoot: (root) => tableFrom(configuration.tables, root),
  log,
  journal,
  onFatal: (error) => {
    // What is in memory may be used no more; whoever starts this process starts it again.
    log(`the house stops: ${error.message}`)
    process.exit(70)
  },
})
await house.open()
await house.meetL1()
const sweepKeys = exits.map(({ key }) => key)
const sweeping = await sweepingOf(house, sweepKeys, sweeperKey)
if (configuration.sweepsWhenAsked !== true) sweeping?.start()
// The process of the first proof loads its libraries while the members register.
prover.prepare(keys.at(-1) ?? usual)
const app = await serve(house, configuration.port)
const address = app.server.address()
const port = typeof address === 'object' && address !== null ? address.port : configuration.port
say({
  ready: true,
  url: `http://127.0.0.1:${port}`,
  contract: deployment.contract,
  oracle: deployment.oracle,
  token: deployment.token,
  shapes: keys.map((k) => ({
    name: k.shape.name,
    constraints: readR1csInfo(k.r1csPath).nConstraints,
  })),
})

/** What L1 says counts for admission, too: tables, their confirmation, the mode, settlements. */
const WATCH_MILLISECONDS = 500
setInterval(() => {
  house
    .watch()
    .then(() => house.tick())
    .catch((error: unknown) => {
      log(`L1 could not be read: ${error instanceof Error ? error.message : String(error)}`)
    })
}, WATCH_MILLISECONDS).unref()

async function deployHouse(): Promise<Deployment> {
  log('compiling the contracts (solc)')
  contractsOf()
  const verifiers = await compileVerifiers(keys)
  const admin = senderOf(configuration.rpcUrl, adminKey)
  const deployed = await deploy({
    admin: admin.sender,
    operator: addressOfKey(operatorKey),
    oracle: configuration.oracle,
    verifiers,
    exits,
    feeAccountViewKey,
    fee: BigInt(configuration.fee),
    refundDelaySeconds: 172_800n,
    letAnybodyForgeProofs: process.env[FORGE_FLAG] === '1',
  })
  admin.close()
  return deployed
}

/** Batches one after the other: the next is built on the root of the last. */
let turn: Promise<unknown> = Promise.resolve()
process.on('message', (message: Command) => {
  turn = turn.then(async () => {
    if (message.command === 'sweep') {
      sweeping?.start()
      say({ id: message.id, sweeping: sweeping !== null })
      return
    }
    if (message.command === 'stop') {
      sweeping?.close()
      await app.close()
      await house.close()
      await prover.close()
      process.exit(0)
    }
    try {
      say({ id: message.id, report: await house.runBatch(), refused: house.desk.refusedCount })
    } catch (error) {
      say({ id: message.id, error: error instanceof Error ? error.message : String(error) })
    }
  })
})
process.on('disconnect', () => {
  sweeping?.close()
  process.exit(0)
})
