/**
 * A whole house that is kept: an embedded L1, the oracle, the sequencer with its journal, batches at
 * a fixed cadence; all of it in one directory, from which the next start goes on.
 */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dayPath } from '../cli/root.ts'
import { HouseApi } from '../api.ts'
import { Worker } from '../day/processes.ts'
import { addressOf } from '../l1/ethers.ts'
import { httpTransport } from '../l1/transport.ts'
import { Folder, FolderError, requireUnkept } from './folder.ts'

export type UpOptions = {
  readonly data: string
  /** Of the members' HTTP; the next two are L1's and the operator's. */
  readonly port: number
  /** Seconds between two batches. */
  readonly cadence: number
  /** Seconds between two tables. */
  readonly tables: number
  readonly shapes: readonly string[]
  /** Circuits of claims and sweeps. */
  readonly exits: readonly string[]
  readonly note: (line: string) => void
  /** The sequencer's program: a test brings one that proves nothing. */
  readonly sequencer?: string
}
export type Up = {
  readonly url: string
  readonly rpcUrl: string
  readonly operatorUrl: string
  readonly contract: string
  readonly isNew: boolean
  readonly batch: number
  /** Resolves with a sentence when one of its processes has ended by itself. */
  readonly broken: Promise<string>
  /** In good order: the batch in flight is finished, or the next start goes on with it. */
  readonly stop: () => Promise<void>
  /** At once; nothing is lost by it. Resolves when all of them are gone. */
  readonly kill: () => Promise<void>
}

const FEE = '250000'
/** 10,000 ether of a chain where ether is worth nothing. */
const GAS_MONEY = '0x21e19e0c9bab2400000'
const WAIT_SECONDS = 120

/** Throws with a sentence: a port that is taken, a directory that is in use, damaged or of another version. */
export async function up(options: UpOptions): Promise<Up> {
  const { data, port, shapes, note } = options
  // Before the ports: whoever starts a house twice is told that it runs, not to take other ports.
  requireUnkept(data)
  for (const [i, whose] of ["members' port", "L1's port", "operator's port"].entries())
    await requireFree(port + i, `the ${whose}`)
  const folder = Folder.open(data, shapes)
  const started: Worker[] = []
  const logs: number[] = []
  const kill = async (): Promise<void> => {
    for (const worker of started) worker.kill()
    // Whoever starts it again at once finds the ports free, and the journal.
    await Promise.all(started.map(({ ended }) => ended))
    folder.release()
  }
  const begin = (name: string, file: string, env: Record<string, string>): Worker => {
    const log = openSync(folder.file(`logs/${name}.log`), 'a', 0o600)
    logs.push(log)
    const tell = (line: string): void => note(`${name}: ${line}`)
    const worker = new Worker(name, file, [], env, { logFile: log, isApart: true, onNote: tell })
    started.push(worker)
    return worker
  }
  try {
    return await start(options, folder, begin, kill)
  } catch (error) {
    await kill()
    throw error
  } finally {
    // The processes have them; this one does not write to them.
    logs.forEach((log) => closeSync(log))
  }
}

type Begin = (name: string, file: string, env: Record<string, string>) => Worker

async function start(
  options: UpOptions,
  folder: Folder,
  begin: Begin,
  kill: () => Promise<void>,
): Promise<Up> {
  const { port, note, shapes, exits, cadence, tables: everySeconds } = options
  const { keys } = folder
  if (folder.isNew) note(`a new house in ${folder.path}: contracts are deployed once`)
  const l1 = begin('l1', 'client/up/l1-process.ts', {
    CLOISTER_L1: JSON.stringify({ log: folder.file('l1.chain'), port: port + 1 }),
  })
  const {
    url: rpcUrl,
    blocks,
    tornBytes,
  } = (await l1.ready) as {
    readonly url: string
    readonly blocks: number
    readonly tornBytes: number
  }
  const torn = tornBytes > 0 ? `; ${tornBytes} bytes of a write that never ended were cut` : ''
  note(`L1 at ${rpcUrl}, ${blocks} ${blocks === 1 ? 'block' : 'blocks'}${torn}`)
  if (folder.isNew) await fund(rpcUrl, [keys.admin, keys.operator, keys.collector, keys.sweeper])
  const tables = folder.file('tables')
  const sequencer = begin('sequencer', options.sequencer ?? 'sequencer/main.ts', {
    CLOISTER_SEQUENCER: JSON.stringify({
      rpcUrl,
      port,
      operatorPort: port + 2,
      tables,
      shapes,
      exits,
      fee: FEE,
      journal: folder.file('journal'),
      cadenceSeconds: cadence,
      // A house for try-outs does not prove all day that nobody trades.
      coverWhenIdle: false,
      // A table may be late by one without a word.
      oracleAgeSeconds: Math.max(600, 2 * everySeconds),
    }),
    OPERATOR_KEY: keys.operator,
    ADMIN_KEY: keys.admin,
    FEE_ACCOUNT_VIEW_KEY: keys.feeAccountViewKey,
    SWEEPER_KEY: keys.sweeper,
    CLOISTER_PROVER: process.env['CLOISTER_PROVER'] ?? 'engine',
  })
  const house = (await sequencer.ready.catch((error: Error) => {
    throw new FolderError(`${error.message}: ${lastReason(folder.file('logs/sequencer.log'))}`)
  })) as { url: string; operatorUrl: string; contract: string; oracle: string; token: string }
  if (folder.contract !== undefined && folder.contract !== house.contract)
    throw new FolderError(`${folder.path} must be of ${folder.contract}: its journal is of another`)
  note(`house at ${house.url}, contract ${house.contract}`)
  const oracle = begin('oracle', 'oracle/standing-process.ts', {
    CLOISTER_ORACLE: JSON.stringify({
      rpcUrl,
      oracle: house.oracle,
      tables,
      memory: folder.file('signers'),
      everySeconds,
    }),
    ADMIN_KEY: keys.admin,
    COLLECTOR_KEY: keys.collector,
    SIGNER_KEYS: keys.signers.join(','),
  })
  const { number } = (await oracle.ready) as { readonly number: number }
  const batch = await untilSeen(house.url, number)
  folder.finish(house.contract)
  const { url, operatorUrl, contract, token } = house
  const running = { url, rpcUrl, contract, token, oracle: house.oracle, operatorUrl }
  folder.announce({ ...running, pid: process.pid })
  const place = dayPath()
  writeFileSync(place, JSON.stringify(running, null, 1))
  const broken = Promise.race(
    [l1, sequencer, oracle].map(async (worker) => {
      const code = await worker.ended
      return `${worker.name} ended with code ${code}: ${folder.file(`logs/${worker.name}.log`)} says why`
    }),
  )
  return {
    url,
    rpcUrl,
    operatorUrl,
    contract,
    isNew: folder.isNew,
    batch,
    broken,
    kill,
    stop: async () => {
      // L1 last: the batch in flight needs it.
      await sequencer.stop()
      await oracle.stop()
      await l1.stop()
      forget(place, url)
      folder.release()
    },
  }
}

/** Money for gas, made out of nothing: it is this house's own chain. */
async function fund(rpcUrl: string, keys: readonly string[]): Promise<void> {
  const send = httpTransport(rpcUrl)
  for (const key of keys) await send('hardhat_setBalance', [addressOf(key), GAS_MONEY])
}

/** The number of the last batch, once the house has seen the table. */
async function untilSeen(url: string, table: number): Promise<number> {
  const api = new HouseApi(url)
  const end = Date.now() + WAIT_SECONDS * 1000
  for (;;) {
    const { tableNumber, mode, batchNumber } = await api.status()
    if (Number(tableNumber) >= table && mode === 'normal') return Number(batchNumber)
    if (Date.now() > end) throw new Error(`the house must see table ${table} on L1; it does not`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Why the last process that wrote this log ended. */
function lastReason(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  for (const line of lines.slice(-20).reverse()) {
    try {
      const { level, why } = JSON.parse(line) as { level?: string; why?: string }
      if (level === 'error' && why !== undefined) return why
    } catch {
      // Not a line of the service's own.
    }
  }
  return lines.at(-1) ?? ''
}

/** The command line must not look for a house that is gone, unless another has come since. */
function forget(place: string, url: string): void {
  if (existsSync(place) && readFileSync(place, 'utf8').includes(`"${url}"`)) rmSync(place)
}

function requireFree(port: number, whose: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} must be free for ${whose}: use another --port`)
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()))
  })
}
