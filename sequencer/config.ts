/**
 * The configuration of the sequencer. One table below says everything about each setting; the file,
 * the environment, the flags, the error texts and the list in docs/operations.md follow from it.
 */
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
  whole,
  type Reader,
} from './config-readers.ts'
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from './log.ts'

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

export type Setting<T> = Reader<T> & {
  readonly about: string
  /** As text; null: none. Without it the setting must be given. */
  readonly fallback?: string | null
  /** May hold a password: not by a flag, and only in a file that its owner alone can read. */
  readonly isSecret?: (value: T) => boolean
}

/** A URL that holds one. */
export const PASSWORD = /\/\/[^/@]*:[^/@]*@/

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

/** The table of docs/operations.md. */
export function settingsTable(): string {
  const rows = KEYS.map((key) => {
    const { must, about, fallback } = SETTINGS[key]
    const otherwise = fallback === undefined ? 'required' : `\`${fallback ?? 'null'}\``
    return `| \`${key}\` | \`${variableOf(key)}\` | \`--${flagOf(key)}\` | ${otherwise} | ${about}; ${must} |`
  })
  return ['| key | variable | flag | default | what |', '|---|---|---|---|---|', ...rows].join('\n')
}
