/**
 * The configuration of the sequencer. One table below says everything about each setting; the file,
 * the environment, the flags, the error texts and the list in docs/operations.md follow from it.
 */
import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  ADDRESS,
  FLAG,
  HTTP,
  HTTP_LIST,
  MICRO_DOLLARS,
  oneOf,
  orNone,
  EXIT_LIST,
  SHAPE_LIST,
  TEXT,
  Unfit,
  whole,
  type Reader,
} from './config-readers.ts'
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from './log.ts'

/** A wrong configuration: every fault that was found, one a line. */
export class ConfigurationError extends Error {
  constructor(faults: readonly string[]) {
    super(`the configuration must be put right:\n${faults.map((f) => `  ${f}`).join('\n')}`)
  }
}

export type Configuration = {
  readonly rpcUrl: string
  readonly otherRpcUrls: readonly string[]
  readonly confirmations: number
  readonly gasCapGwei: number
  readonly port: number
  readonly proxies: number
  readonly signatureHelpers: number
  readonly operatorPort: number
  readonly operatorHost: string
  readonly tables: string
  readonly shapes: readonly string[]
  readonly keys: string | null
  readonly oracle: string | null
  readonly token: string | null
  readonly tokenDecimals: number
  readonly fee: bigint
  readonly journal: string | null
  readonly journalKeyFile: string | null
  readonly journalUnsealed: boolean
  readonly snapshots: string | null
  readonly standby: boolean
  readonly jobs: string | null
  readonly exits: readonly string[]
  readonly sweepsWhenAsked: boolean
  readonly cadenceSeconds: number
  readonly coverWhenIdle: boolean
  readonly stopSeconds: number
  readonly oracleAgeSeconds: number
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}
export type Key = keyof Configuration

type Setting<T> = Reader<T> & {
  readonly about: string
  /** As text; null: none. Without it the setting must be given. */
  readonly fallback?: string | null
  /** May hold a password: not by a flag, and only in a file that its owner alone can read. */
  readonly isSecret?: (value: T) => boolean
}

/** A URL that holds one. */
const PASSWORD = /\/\/[^/@]*:[^/@]*@/

export const SETTINGS: { readonly [K in Key]: Setting<Configuration[K]> } = {
  rpcUrl: {
    ...HTTP,
    about:
      'the L1 node that is read and written; told to everybody by /v1/status, so without any key in it',
  },
  otherRpcUrls: {
    ...HTTP_LIST,
    fallback: '',
    isSecret: (urls) => urls.some((url) => PASSWORD.test(url)),
    about: 'more nodes of the same chain: what matters must come alike from more than half of all',
  },
  confirmations: {
    ...whole(0, 256, ' of blocks'),
    fallback: '1',
    about: 'before something on L1 counts; 1, its own block, is for a local chain only',
  },
  gasCapGwei: {
    ...whole(1, 1_000_000, ' of gwei'),
    fallback: '200',
    about: 'a gas at most; dearer, a batch waits, with an alarm',
  },
  port: { ...whole(0, 65_535), fallback: '8080', about: "members' HTTP; 0: any free port" },
  proxies: {
    ...whole(0, 8, ' of proxies'),
    fallback: '0',
    about:
      "in front of the members' port, each adding its caller to `x-forwarded-for`; 0 behind one: all callers count as one",
  },
  signatureHelpers: {
    ...whole(0, 32, ' of processes'),
    fallback: '1',
    about:
      'processes that verify pages before they are recorded, and sign receipts; 0: the house does it itself',
  },
  operatorPort: {
    ...whole(0, 65_535),
    fallback: '9464',
    about: '`/metrics`, `/health`, `/ready`; 0: any free port',
  },
  operatorHost: {
    ...TEXT,
    fallback: '127.0.0.1',
    about: 'where the operator port listens: what is said there is for the operator alone',
  },
  tables: { ...TEXT, about: "the directory of the rows behind the oracle's tables" },
  shapes: {
    ...SHAPE_LIST,
    fallback: 'small,entry',
    about: 'what batches are made of; the usual shape first',
  },
  keys: {
    ...orNone(TEXT),
    fallback: null,
    about:
      "the directory of a ceremony's keys, NAME.zkey and NAME.transcript.json of each shape and exit; null: development keys, for a local chain",
  },
  oracle: {
    ...orNone(ADDRESS),
    fallback: null,
    about: 'who may post tables, at the first start; null: a TableOracle is deployed',
  },
  token: {
    ...orNone(ADDRESS),
    fallback: null,
    about:
      'the ERC-20 that cash is held in, at the first start; null: a TestDollar is deployed, on a local chain',
  },
  tokenDecimals: {
    ...whole(6, 34, ' of decimals'),
    fallback: '6',
    about: 'that `token` must say of itself; a lot of cash is a millionth of a token',
  },
  fee: {
    ...MICRO_DOLLARS,
    fallback: '250000',
    about: 'micro-dollars a page, at the first start; what it is later L1 says',
  },
  journal: {
    ...orNone(TEXT),
    fallback: null,
    isSecret: (url) => url !== null && PASSWORD.test(url),
    about: 'a directory, or `postgres://...`; null: nothing outlives the process',
  },
  journalKeyFile: {
    ...orNone(TEXT),
    fallback: null,
    about: "the journal's key; null: `DIRECTORY.key`; CLOISTER_JOURNAL_KEY goes before it",
  },
  journalUnsealed: {
    ...FLAG,
    fallback: 'false',
    about: 'records in plain text: only where the store is encrypted by other means',
  },
  snapshots: {
    ...orNone(TEXT),
    fallback: null,
    about:
      'the directory of snapshots of the state, which `cloister journal snapshot` writes; null: `DIRECTORY.snapshots`, none with PostgreSQL',
  },
  standby: {
    ...FLAG,
    fallback: 'false',
    about: 'follow the leader of a PostgreSQL journal, and take over when it ends',
  },
  jobs: {
    ...orNone(TEXT),
    fallback: null,
    isSecret: (url) => url !== null && PASSWORD.test(url),
    about: '`postgres://...`: proofs are made by `cloister prover work`; null: by this process',
  },
  exits: {
    ...EXIT_LIST,
    fallback: '',
    about:
      'circuits of claims and sweeps, deployed at the first start; without them a frozen house pays no claims',
  },
  sweepsWhenAsked: {
    ...FLAG,
    fallback: 'false',
    about: 'sweeps wait for the parent process; otherwise they begin at once',
  },
  cadenceSeconds: {
    ...whole(0, 86_400, ' of seconds'),
    fallback: '0',
    about: 'between two batches; 0: only when the parent process asks',
  },
  coverWhenIdle: {
    ...FLAG,
    fallback: 'true',
    about: 'a batch of cover alone where nothing waits: without it silence says that nobody traded',
  },
  stopSeconds: {
    ...whole(0, 3_600, ' of seconds'),
    fallback: '120',
    about: 'how long a stop waits for the batch in flight, which is recoverable anyway',
  },
  oracleAgeSeconds: {
    ...whole(1, 604_800, ' of seconds'),
    fallback: '3600',
    about: 'a table older than this makes `/ready` say no',
  },
  logLevel: { ...oneOf(LOG_LEVELS), fallback: 'info', about: 'the least that is logged' },
  logFormat: { ...oneOf(LOG_FORMATS), fallback: 'json', about: 'lines of JSON, or for people' },
}
export const KEYS = Object.keys(SETTINGS) as readonly Key[]

export function variableOf(key: string): string {
  return `CLOISTER_${key.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase()}`
}
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
}

/** Secrets, and what they must be. Each comes in its variable, or in a file named by NAME_FILE. */
export const SECRETS = {
  OPERATOR_KEY: { about: "the operator's L1 key: sends batches and signs receipts" },
  ADMIN_KEY: { about: 'deploys the contracts; needed at the very first start only' },
  FEE_ACCOUNT_VIEW_KEY: { about: 'opens the fee account; the same at every start' },
  SWEEPER_KEY: { about: 'pays on L1 for the sweep; without it none is posted' },
  CLOISTER_PROVER_KEY: {
    about: 'seals what provers are given, the same as theirs; with `jobs` only',
  },
  CLOISTER_JOURNAL_KEY: { about: "the journal's key, 64 hexadecimal digits; or journalKeyFile" },
} as const
export type SecretName = keyof typeof SECRETS
export type Secrets = { readonly [N in SecretName]?: string }

type Given = { readonly value: unknown; readonly from: string; readonly isFlag?: boolean }
type Env = Record<string, string | undefined>

/**
 * Flags go before the environment, that before the file, that before the defaults. The file is the
 * JSON of `--config FILE` or CLOISTER_CONFIG; a parent process may give its content in
 * CLOISTER_SEQUENCER. Secrets, and settings that may hold one, are deleted from `env` as they are read.
 * Throws a ConfigurationError that names every key that is wrong and what it must be.
 */
export function readConfiguration(
  args: readonly string[],
  env: Env,
): { readonly configuration: Configuration; readonly secrets: Secrets } {
  const faults: string[] = []
  const flags = flagsOf(args, faults)
  const file = fileOf(flags['config'] ?? env['CLOISTER_CONFIG'], env, faults)
  const found: Partial<Record<Key, unknown>> = {}
  for (const key of KEYS) {
    const given = givenOf(key, flags, env, file)
    if (given === null) faults.push(`${key} must be given: ${SETTINGS[key].must}`)
    else found[key] = valueOf(key, given, file.isPrivate, faults)
  }
  // They may hold passwords, and the processes that this one starts need none of them.
  for (const key of KEYS) if (SETTINGS[key].isSecret !== undefined) delete env[variableOf(key)]
  const secrets = secretsOf(env, faults)
  if (faults.length === 0) requireSense(found as Configuration, faults)
  if (faults.length > 0) throw new ConfigurationError(faults)
  return { configuration: found as Configuration, secrets }
}

function flagsOf(args: readonly string[], faults: string[]): Record<string, string> {
  const options = Object.fromEntries(
    ['config', ...KEYS.map(flagOf)].map((name) => [name, { type: 'string' as const }]),
  )
  const secret = args.find((arg) =>
    /^--(operator|admin|fee-account-view|sweeper|prover|journal)-key(=|$)/.test(arg),
  )
  if (secret !== undefined) {
    // Its value is already in the list of processes; at least it does not go to a log as well.
    faults.push(`${secret.split('=')[0]} must not be a flag: give it by environment or by file`)
    return {}
  }
  try {
    return parseArgs({ args: [...args], options }).values as Record<string, string>
  } catch (error) {
    const [flag] = (error instanceof Error ? error.message : '').match(/--[a-z-]+/) ?? ['a flag']
    const names = Object.keys(options).map((name) => `--${name}`)
    if (names.includes(flag)) faults.push(`${flag} must have a value: ${flag}=VALUE`)
    else faults.push(`${flag} must be one of ${names.join(', ')}`)
    return {}
  }
}

type ConfigurationFile = {
  readonly name: string
  readonly values: Readonly<Record<string, unknown>>
  readonly isPrivate: boolean
}

function fileOf(path: string | undefined, env: Env, faults: string[]): ConfigurationFile {
  const inline = env['CLOISTER_SEQUENCER']
  delete env['CLOISTER_SEQUENCER']
  const none = { name: '', values: {}, isPrivate: true }
  if (path === undefined && inline === undefined) return none
  const name = path ?? 'CLOISTER_SEQUENCER'
  try {
    const isPrivate = path === undefined || (statSync(path).mode & 0o077) === 0
    const text = path === undefined ? (inline as string) : readFileSync(path, 'utf8')
    const values = JSON.parse(text) as unknown
    if (typeof values !== 'object' || values === null || Array.isArray(values))
      throw new SyntaxError('no object')
    for (const key of Object.keys(values))
      if (!KEYS.includes(key as Key))
        faults.push(`${key} must be a known key (${name}): ${KEYS.join(', ')}`)
    return { name, values: values as Record<string, unknown>, isPrivate }
  } catch (error) {
    // A parser's own words quote the text, which may hold a password.
    const why = error instanceof SyntaxError ? 'one JSON object' : 'a file that can be read'
    faults.push(`${name} must be ${why}`)
    return none
  }
}

function givenOf(key: Key, flags: Env, env: Env, file: ConfigurationFile): Given | null {
  const { fallback } = SETTINGS[key]
  const [flag, variable] = [flagOf(key), variableOf(key)]
  if (flags[flag] !== undefined)
    return { value: textIn(flags[flag]), from: `--${flag}`, isFlag: true }
  if (env[variable] !== undefined) return { value: textIn(env[variable]), from: variable }
  if (Object.hasOwn(file.values, key)) return { value: file.values[key], from: file.name }
  return fallback === undefined ? null : { value: fallback, from: 'the default' }
}

/** Flags and variables know text only. */
function textIn(text: string | undefined): string | null {
  return text === undefined || text === 'null' ? null : text
}

function valueOf(key: Key, given: Given, isPrivate: boolean, faults: string[]): unknown {
  const { read, must, isSecret } = SETTINGS[key] as Setting<unknown>
  const { value, from, isFlag = false } = given
  try {
    const made = read(value)
    if (isSecret?.(made) === true) {
      if (isFlag) faults.push(`${key} with a password must not be a flag: use ${variableOf(key)}`)
      else if (!isPrivate)
        faults.push(`${from} holds a password: it must be readable by its owner alone (chmod 600)`)
    }
    return made
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    faults.push(`${key} must be ${must} (${from})`)
    return undefined
  }
}

/** What each setting alone cannot say. */
function requireSense({ standby, journal, rpcUrl }: Configuration, faults: string[]): void {
  if (standby && (journal === null || !/^postgres(ql)?:/.test(journal)))
    faults.push('standby must have a journal in PostgreSQL: of a directory there is one process')
  if (PASSWORD.test(rpcUrl)) faults.push('rpcUrl must hold no password: it is told to members')
}

function secretsOf(env: Env, faults: string[]): Secrets {
  const secrets: { [N in SecretName]?: string } = {}
  for (const name of Object.keys(SECRETS) as SecretName[]) {
    // Of the journal's key the file is a setting of its own: it may be made at the first start.
    const path = name === 'CLOISTER_JOURNAL_KEY' ? undefined : env[`${name}_FILE`]
    const value = env[name]
    delete env[name]
    if (value !== undefined && path !== undefined)
      faults.push(`${name} and ${name}_FILE must not both be given`)
    const text = value ?? (path === undefined ? undefined : secretFile(name, path, faults))
    if (text === undefined) continue
    if (/^(0x)?[0-9a-fA-F]{62,64}$/.test(text.trim())) secrets[name] = text.trim()
    else faults.push(`${name} must be hexadecimal digits of 31 or 32 bytes`)
  }
  return secrets
}

function secretFile(name: string, path: string, faults: string[]): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) === 0) return readFileSync(path, 'utf8')
    faults.push(`${name}_FILE must be readable by its owner alone: chmod 600 ${path}`)
  } catch {
    faults.push(`${name}_FILE must name a file that can be read: ${path}`)
  }
  return undefined
}

/** The table of docs/operations.md. */
export function settingsTable(): string {
  const rows = KEYS.map((key) => {
    const { must, about, fallback } = SETTINGS[key]
    const otherwise = fallback === undefined ? 'required' : `\`${fallback ?? 'null'}\``
    return `| \`${key}\` | \`${variableOf(key)}\` | \`--${flagOf(key)}\` | ${otherwise} | ${about}; ${must} |`
  })
  return ['| key | variable | flag | default | what |', '|---|---|---|---|---|', ...rows].join('\n')
}
