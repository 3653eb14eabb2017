/** The collector as a process: `tsx oracle/collector/main.ts --help`. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { getAddress, JsonRpcProvider, Wallet } from '../ethers.ts'
import { InputError, listOf, objectOf, textOf } from '../signer/canonical.ts'
import { SECONDS, wholeOption } from '../options.ts'
import { readKey, requirePrivate } from '../signer/config.ts'
import { stringify } from '../signer/report.ts'
import { checkUrl } from '../signer/sources.ts'
import { goesBare, LIMITS, NoQuorum, type Limits, type Peer } from './gather.ts'
import {
  confirmTable,
  openReport,
  postTable,
  TableMustWait,
  type CollectorOptions,
} from './rounds.ts'
import { tendSettlement } from './settle.ts'

const KEY_VARIABLE = 'CLOISTER_COLLECTOR_KEY'
const HELP = `Usage: node --import tsx oracle/collector/main.ts [options]

Gathers signed tables from M of N signers and posts them to L1. Options:
  --rpc URL          L1 node
  --contract ADDRESS the oracle contract (TableOracle)
  --signers FILE     JSON list of {"url":"http://..","address":"0x..","token":null or text}; with
                     tokens in it the file must be readable by its owner alone
  --key-file FILE    pays for gas and is worth nothing else; readable by its owner alone; else it
                     comes in the environment as ${KEY_VARIABLE}. Never on the command line.
  --every SECONDS    time between tables (default 60)
  --patience SECONDS how long each signer is waited for (default ${LIMITS.timeoutMs / 1000})
  --once             one table, then end: exit code 0 confirmed, 3 indicative, 1 none
  --tables DIR       keep the whole rows of each posted table there, for who needs every world
  --window SECONDS   settle what expires, at averages over this window (must be the contract's)
  --help

It prints one line of JSON per event. A round that fails is said and tried again.
`

const say = (event: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${stringify(event)}\n`)
}
const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const short = (error as { shortMessage?: unknown }).shortMessage
  return typeof short === 'string' ? short : error.message
}

export function peersFrom(value: unknown): readonly Peer[] {
  const peers = listOf(value, 'signers', 64).map((item): Peer => {
    const one = objectOf(item, ['url', 'address', 'token'], 'signer')
    const url = checkUrl(textOf(one['url'], 'url')).href
    const address = getAddress(textOf(one['address'], 'address'))
    return one['token'] === null
      ? { url, address }
      : { url, address, token: textOf(one['token'], 'token') }
  })
  // Asked twice it signs twice, and L1 takes no call in which one signer stands twice.
  const twice = peers.find(({ address }, i) => peers.findIndex((p) => p.address === address) < i)
  if (twice !== undefined)
    throw new InputError(`signer ${twice.address} must stand in the list once`)
  return peers
}

/** No signer that answers later than this is waited for by anybody. */
const LONGEST_PATIENCE = 999

function limitsOf(patience: string | undefined): Limits {
  const byDefault = LIMITS.timeoutMs / 1000
  const seconds = wholeOption(patience, 'patience', [1, LONGEST_PATIENCE], byDefault)
  return { ...LIMITS, timeoutMs: 1000 * seconds }
}

function readPeers(path: string): readonly Peer[] {
  const peers = peersFrom(JSON.parse(readFileSync(path, 'utf8')))
  if (peers.some(({ token }) => token !== undefined)) requirePrivate(path)
  return peers
}

/** What is open stands on L1, not in this process: a restart, or another collector, goes on with it. */
async function confirmOpen(options: CollectorOptions): Promise<void> {
  let number: bigint | null = null
  try {
    const open = await openReport(options)
    if (open === null) return
    number = open.number
    await confirmTable(options, open)
    say({ event: 'confirmed', number, by: 'large quorum' })
  } catch (error) {
    say({ event: 'unconfirmed', number, why: messageOf(error) })
  }
}

/** One table, and whether it is confirmed; an indicative one before it is offered for a second look first. */
async function round(options: CollectorOptions): Promise<boolean> {
  await confirmOpen(options)
  const { report, isConfirmed, gas, answers } = await postTable(options)
  const said = answers.map((one) => ('digest' in one ? 'signed' : one.problem))
  say({
    event: 'posted',
    number: report.number,
    isConfirmed,
    gas,
    time: report.time,
    answers: said,
  })
  return isConfirmed
}

/** A settlement that cannot be had must never stop the tables: it is said, and tried again. */
async function settle(options: CollectorOptions, window: number): Promise<void> {
  try {
    const tended = await tendSettlement(options, window)
    if (tended.did !== 'nothing') say({ event: 'settlement', ...tended })
  } catch (error) {
    say({ event: 'unsettled', why: messageOf(error) })
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    options: {
      rpc: text,
      contract: text,
      signers: text,
      'key-file': text,
      every: text,
      patience: text,
      window: text,
      tables: text,
      once: flag,
      help: flag,
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const { rpc, contract, signers, once } = values
  if (rpc === undefined || contract === undefined || signers === undefined) {
    throw new Error('--rpc, --contract and --signers must be given (see --help)')
  }
  const every = wholeOption(values.every, 'every', SECONDS, 60)
  const window = wholeOption(values.window, 'window', SECONDS, 0)
  const limits = limitsOf(values.patience)
  const key = readKey(values['key-file'], KEY_VARIABLE)
  const provider = new JsonRpcProvider(rpc, undefined, { pollingInterval: 500 })
  const options: CollectorOptions = {
    provider,
    wallet: new Wallet(key, provider),
    contract: getAddress(contract),
    peers: readPeers(signers),
    isPatient: true,
    limits,
    ...(values.tables === undefined ? {} : { tables: values.tables }),
  }
  let isStopped = false
  let isBare = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => (isStopped = true))
  do {
    if (window !== 0) await settle(options, window)
    try {
      process.exitCode = (await round({ ...options, isBare })) ? 0 : 3
      isBare = false
    } catch (error) {
      isBare = goesBare(error, isBare)
      const isHeld = error instanceof TableMustWait
      process.exitCode = isHeld ? 3 : 1
      const answers = error instanceof NoQuorum ? error.answers.length : undefined
      say({ event: isHeld ? 'held' : 'failed', why: messageOf(error), answers })
    }
    for (let s = every; s > 0 && !once && !isStopped; s--) await sleep(1000)
  } while (!once && !isStopped)
  provider.destroy()
}

if (import.meta.filename === process.argv[1]) {
  await main().catch((error: unknown) => {
    process.stderr.write(`collector: ${messageOf(error)}\n`)
    process.exitCode = 2
  })
}
