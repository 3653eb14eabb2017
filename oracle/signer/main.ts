/** The signer as a process: `tsx oracle/signer/main.ts --help`. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { INSTRUMENTS, RECORDED_INDEX } from '../day-2020-03-12.ts'
import { recordedPerpetuals } from '../day-replay.ts'
import { JsonRpcProvider } from '../ethers.ts'
import { objectOf, textOf } from './canonical.ts'
import { configFrom, readConfig, readKey, readSecret, type SignerConfig } from './config.ts'
import { SECONDS, wholeOption } from '../options.ts'
import { STANDARD_SET } from '../worlds.ts'
import { instrumentsBytes, worldsBytes } from './engine.ts'
import { viewOfL1 } from './l1-view.ts'
import { KEEP_SECONDS } from './look.ts'
import type { Policy } from './policy.ts'
import { integerOf } from './report.ts'
import { sampleFile } from './sample-file.ts'
import { serveSigner } from './server.ts'
import { checkUrl } from './sources.ts'
import { Signer, type Documents, type Memory } from './signer.ts'

const KEY_VARIABLE = 'CLOISTER_SIGNER_KEY'
const TOKEN_VARIABLE = 'CLOISTER_SIGNER_TOKEN'
const HELP = `Usage: node --import tsx oracle/signer/main.ts [options]

Watches its sources, computes tables and signs them over HTTP. Options:
  --config FILE        sources, policy, contract (JSON; see docs/oracle.md)
  --recorded ADDRESS   instead of --config: replay the recorded days that ship with the project,
                       for the oracle contract at ADDRESS on a local chain
  --chain ID           with --recorded: the chain (default 31337)
  --start SECONDS      with --recorded: the unix second of L1 at which 12 March 2020 04:00 begins;
                       all signers of one replay need the same (default: now)
  --key-file FILE      the signing key, readable by its owner alone; else it comes in the
                       environment as ${KEY_VARIABLE}. Never on the command line.
  --documents DIR      worlds.json and instruments.json, as published on L1
                       (default: the standard worlds and the instruments of the recorded day)
  --memory FILE        remembers the last report it signed, so that a restart does not contradict it
  --samples FILE       keeps what it has seen, so that a restart inside a settlement window or a
                       funding interval forgets nothing
  --rpc URL            L1 node. With it the signer looks at what a new listing is bound to before
                       it signs over it, and can fall back to a table of L1 in a settlement; needed
                       where the configuration has perpetuals with quotes, whose funding goes on
                       from the last confirmed table
  --port N             (default 9200; 0: any free one)
  --host ADDRESS       (default 127.0.0.1; any other needs a token)
  --token-file FILE    what collectors must show; else ${TOKEN_VARIABLE} in the environment
  --watch SECONDS      how often to look without being asked, for settlement averages (default 60)
  --help

It prints one line of JSON when it listens: {"signer":"0x..","url":"http://.."}
`
const HERE = dirname(fileURLToPath(import.meta.url))
export const RECORDING = join(HERE, 'recorded-2020-03.json')

/** Of a replay: a minute of L1 is four hours of the market, which is one recorded close. */
const SPEED = 240

/** The embedded default: one recorded source, which no deployment of value would be content with. */
export function recordedConfig(chainId: number, contract: string, startedAt: number): unknown {
  const from = Date.UTC(2020, 2, 12, 4) / 1000
  const sources = (series: string) => [{ kind: 'recorded', path: RECORDING, series }]
  const policy = (name: string, liquidity: string) => ({
    name,
    vol: '1.2',
    scanRange: '0.375',
    liquidity,
    volGrid: [],
  })
  return {
    chainId,
    contract,
    policy: {
      rate: '0.05',
      underlyings: [policy('BTC', '0.0005'), policy('ETH', '0.001')],
      perpetuals: [],
    },
    maxAge: 4 * 3600,
    maxSpread: 100,
    minSources: 1,
    tolerance: 50,
    clockSlack: 60,
    confirmAfter: 60,
    // Two looks of a minute: one may fail. On the clock of the market that is two recorded closes.
    maxGap: 120 * SPEED,
    timeoutMs: 5000,
    replay: { startedAt, from, speed: SPEED },
    perpetuals: null,
    underlyings: [
      { id: 1, name: 'BTC', index: RECORDED_INDEX, sources: sources('BTC') },
      { id: 2, name: 'ETH', index: RECORDED_INDEX, sources: sources('ETH') },
    ],
  }
}

/** The policy of the replay with the funding that had been paid by then. */
function fundedPolicy({ policy }: SignerConfig): (marketTime: number) => Policy {
  if (typeof policy === 'string') throw new Error('the policy of a replay must be given inline')
  return (marketTime) => ({ ...policy, perpetuals: recordedPerpetuals(marketTime) })
}

function documentsIn(folder: string | undefined): Documents {
  if (folder === undefined) {
    return { worlds: worldsBytes(STANDARD_SET), instruments: instrumentsBytes(INSTRUMENTS) }
  }
  const hex = (name: string): string => `0x${readFileSync(join(folder, name)).toString('hex')}`
  return { worlds: hex('worlds.json'), instruments: hex('instruments.json') }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      config: text,
      recorded: text,
      chain: text,
      start: text,
      'key-file': text,
      documents: text,
      memory: text,
      samples: text,
      rpc: text,
      port: text,
      host: text,
      watch: text,
      'token-file': text,
      help: { type: 'boolean' },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const key = readKey(values['key-file'], KEY_VARIABLE)
  const token = readSecret(values['token-file'], TOKEN_VARIABLE)
  const { config: path, recorded } = values
  if ((path === undefined) === (recorded === undefined)) {
    throw new Error('one of --config and --recorded must be given (see --help)')
  }
  const { MAX_SAFE_INTEGER } = Number
  const [port, every] = [
    wholeOption(values.port, 'port', [0, 65_535], 9200),
    wholeOption(values.watch, 'watch', SECONDS, 60),
  ]
  const chain = wholeOption(values.chain, 'chain', [1, MAX_SAFE_INTEGER], 31337)
  const now = Math.floor(Date.now() / 1000)
  const startedAt = wholeOption(values.start, 'start', [1, MAX_SAFE_INTEGER], now)
  const config =
    path !== undefined
      ? readConfig(path)
      : configFrom(recordedConfig(chain, recorded as string, startedAt), HERE)
  const { memory: file, samples, rpc } = values
  const documents = documentsIn(values.documents)
  const signer = new Signer({
    config,
    documents,
    key,
    ...(recorded === undefined ? {} : { recorded: { policyAt: fundedPolicy(config) } }),
    ...(file !== undefined && existsSync(file) ? { memory: memoryIn(file) } : {}),
    ...(file === undefined ? {} : { remember: (memory) => keep(file, memory) }),
    ...(samples === undefined ? {} : sampleFile(samples, KEEP_SECONDS)),
    ...(rpc === undefined ? {} : nodeAt(rpc, config, documents)),
  })
  const host = values.host ?? '127.0.0.1'
  const app = await serveSigner(signer, { port, host, ...(token === undefined ? {} : { token }) })
  const watch = setInterval(() => {
    // Whoever asks is told why; here there is nobody.
    signer.observe(signer.now()).catch(() => {})
  }, every * 1000)
  process.stdout.write(`${JSON.stringify({ signer: signer.address, url: app.listeningOrigin })}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(watch)
      void app.close()
    })
  }
}

function nodeAt(rpc: string, { domain }: SignerConfig, { instruments }: Documents) {
  const provider = new JsonRpcProvider(checkUrl(rpc).href, undefined, { staticNetwork: true })
  return viewOfL1(provider, domain.contract, instruments)
}

/** What it cannot read it must not forget: it would sign a second opinion of a second. */
function memoryIn(file: string): Memory {
  try {
    const given = objectOf(JSON.parse(readFileSync(file, 'utf8')), ['time', 'digest'], 'it')
    return {
      time: String(integerOf(given['time'], 'time')),
      digest: textOf(given['digest'], 'digest'),
    }
  } catch (error) {
    throw new Error(`${file} must be what --memory wrote: ${(error as Error).message}`)
  }
}

/** Renamed into place: a crash leaves the old memory or the new one. */
function keep(file: string, memory: Memory): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(memory), { mode: 0o600 })
  renameSync(`${file}.tmp`, file)
}

if (import.meta.filename === process.argv[1]) {
  await main().catch((error: unknown) => {
    process.stderr.write(`signer: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
