/** The sequencer's configuration: which source counts, and what is refused in which words. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigurationError, readConfiguration } from '../../sequencer/config-reading.ts'
import {
  flagOf,
  KEYS,
  SECRETS,
  SETTINGS,
  settingsTable,
  variableOf,
} from '../../sequencer/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const NEEDED = { rpcUrl: 'http://127.0.0.1:8545', tables: '/var/tables' }
const HEX = (byte: string): string => `0x${byte.repeat(32)}`

let files = 0
function file(values: object | string, mode = 0o600): string {
  const path = join(folder, `${++files}.json`)
  writeFileSync(path, typeof values === 'string' ? values : JSON.stringify(values))
  chmodSync(path, mode)
  return path
}
const read = (values: object | string, args: readonly string[] = [], env = {}, mode = 0o600) =>
  readConfiguration(['--config', file(values, mode), ...args], { ...env }).configuration
/** The faults that are named. */
function faults(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
  throw new Error('it was taken')
}

describe('sources', () => {
  it('go by precedence: flag, environment, file, default', () => {
    const given = { ...NEEDED, port: 1000 }
    expect(read(NEEDED).port).toBe(8080)
    expect(read(given).port).toBe(1000)
    expect(read(given, [], { CLOISTER_PORT: '2000' }).port).toBe(2000)
    expect(read(given, ['--port', '3000'], { CLOISTER_PORT: '2000' }).port).toBe(3000)
  })

  it('each give every setting: a variable and a flag of its own', () => {
    const named: Record<string, string> = {
      rpcUrl: 'https://l1.example',
      otherRpcUrls: 'https://l1.other, http://l1.third',
      confirmations: '12',
      gasCapGwei: '50',
      jobs: '/jobs',
      port: '1',
      operatorPort: '2',
      operatorHost: '::1',
      tables: 't',
      shapes: 'sparse, entry',
      oracle: `0x${'ab'.repeat(20)}`,
      keys: '/keys',
      token: `0x${'cd'.repeat(20)}`,
      tokenDecimals: '18',
      fee: '7',
      journal: '/j',
      journalKeyFile: '/k',
      journalUnsealed: 'true',
      snapshots: '/s',
      standby: 'false',
      exits: 'escape, sweep-small',
      sweepsWhenAsked: 'true',
      cadenceSeconds: '3',
      coverWhenIdle: 'false',
      stopSeconds: '4',
      oracleAgeSeconds: '5',
      logLevel: 'debug',
      logFormat: 'text',
      proxies: '2',
      signatureHelpers: '2',
    }
    expect(Object.keys(named).sort()).toEqual([...KEYS].sort())
    const env = Object.fromEntries(KEYS.map((key) => [variableOf(key), named[key]]))
    const args = KEYS.flatMap((key) => [`--${flagOf(key)}`, named[key] as string])
    const byEnv = readConfiguration([], env).configuration
    expect(readConfiguration(args, {}).configuration).toEqual(byEnv)
    expect(byEnv).toMatchObject({ shapes: ['sparse', 'entry'], fee: 7n, journalUnsealed: true })
    for (const key of KEYS) expect(String(byEnv[key]).replace(',', ', ')).toBe(named[key])
  })

  it('may be the content that a parent process hands over', () => {
    const env = { CLOISTER_SEQUENCER: JSON.stringify({ ...NEEDED, port: 5 }) }
    expect(readConfiguration([], env).configuration.port).toBe(5)
    expect(env.CLOISTER_SEQUENCER).toBeUndefined()
  })
})

describe('what is wrong', () => {
  it('is named with what it must be and where it came from, all of it at once', () => {
    const said = faults(() =>
      read({ tables: '', port: 65_536, speed: 1 }, ['--fee=-1'], { CLOISTER_STANDBY: 'yes' }),
    )
    expect(said).toContain('rpcUrl must be given: the http or https address of an L1 node')
    expect(said).toMatch(/tables must be text that is not empty \(.*json\)/)
    expect(said).toContain('port must be a whole number from 0 to 65535')
    expect(said).toMatch(/speed must be a known key \(.*json\): rpcUrl, /)
    expect(said).toContain('standby must be true or false (CLOISTER_STANDBY)')
    expect(said).toContain('fee must be micro-dollars as a whole number below 2^40 (--fee)')
  })

  const cases: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
    ['rpcUrl', ['http://a', 'https://a/b'], ['ws://a', 'a', 7, null]],
    ['otherRpcUrls', [[], '', 'http://a,https://b'], ['ws://a', ['http://a', 'http://a'], 7, null]],
    ['confirmations', [0, 256], [-1, 257]],
    ['gasCapGwei', [1, 1_000_000], [0, 1_000_001]],
    ['proxies', [0, 8, '1'], [-1, 9, true]],
    ['signatureHelpers', [0, 32, '1'], [-1, 33, true]],
    ['jobs', [null, 'postgres://h/d'], ['']],
    ['port', [0, 65_535, '8080'], [-1, 65_536, 1.5, '08', '1e3', null, [], '0x10']],
    ['fee', [0, '0', (1n << 40n) - 1n], [1n << 40n, -1, '1.0', '']],
    ['shapes', [['small'], ['entry', 'small']], [[], ['tiny'], ['small', 'small'], 'tiny', {}]],
    ['oracle', [null, `0x${'aB'.repeat(20)}`], ['0x', `0x${'a'.repeat(39)}`, 0]],
    ['keys', [null, '/keys'], ['']],
    ['token', [null, `0x${'aB'.repeat(20)}`], ['0x', `0x${'a'.repeat(39)}`, 0]],
    ['tokenDecimals', [6, 34, '18'], [5, 35, '6.0', null]],
    ['exits', [[], '', ['escape'], ['sweep', 'sweep-small']], [['small'], ['escape', 'escape'], 7]],
    ['sweepsWhenAsked', [true, 'false'], ['yes', 1]],
    ['coverWhenIdle', [true, 'false'], ['yes', 0]],
    ['cadenceSeconds', [0, 86_400], [86_401, '1s']],
    ['oracleAgeSeconds', [1, 604_800], [0, 604_801]],
    ['stopSeconds', [0, 3_600], [3_601]],
    ['logLevel', ['debug', 'error'], ['loud', '']],
    ['logFormat', ['json', 'text'], ['xml']],
    ['snapshots', [null, '/s'], ['']],
    ['standby', [false], ['yes', 1, 0]],
    ['journalUnsealed', [true, false, 'true'], ['TRUE', 1]],
    ['operatorHost', ['0.0.0.0'], ['', 'a\nb']],
    ['tables', ['x'], ['', null]],
    ['journal', [null, 'd'], ['']],
    ['journalKeyFile', [null, 'd'], ['']],
    ['operatorPort', [0, 65_535], [65_536]],
  ]
  it('is tried for every key', () => {
    expect(cases.map(([key]) => key).sort()).toEqual([...KEYS].sort())
  })
  it.each(cases)('%s takes its bounds and nothing beyond them', (key, good, bad) => {
    const with_ = (value: unknown): object => ({
      ...NEEDED,
      [key]: typeof value === 'bigint' ? value.toString() : value,
    })
    for (const value of good) expect(() => read(with_(value))).not.toThrow()
    for (const value of bad)
      expect(faults(() => read(with_(value)))).toContain(
        `${key} must be ${SETTINGS[key as 'port'].must}`,
      )
  })

  it('is a file that is no object, or none at all; its text is not repeated', () => {
    for (const text of ['', '[]', '7', '{"journal":"postgres://u:hush-hush-hush@h/d"'])
      expect(faults(() => read(text))).toContain('must be one JSON object')
    expect(faults(() => read('{"journal":"postgres://u:hush-hush-hush@h/d"'))).not.toContain(
      'hush-hush-hush',
    )
    expect(faults(() => readConfiguration(['--config', '/no/such'], {}))).toContain(
      '/no/such must be a file that can be read',
    )
  })

  it('is a flag that nobody knows', () => {
    expect(faults(() => read(NEEDED, ['--speed', '1']))).toContain(
      '--speed must be one of --config',
    )
    expect(faults(() => read(NEEDED, ['--port']))).toContain(
      '--port must have a value: --port=VALUE',
    )
  })

  it('is a standby without PostgreSQL', () => {
    expect(faults(() => read({ ...NEEDED, standby: true, journal: '/j' }))).toContain(
      'standby must have a journal in PostgreSQL',
    )
    expect(read({ ...NEEDED, standby: true, journal: 'postgres://h/d' }).standby).toBe(true)
  })

  it('is a password where members see it', () => {
    const said = faults(() => read({ ...NEEDED, rpcUrl: 'https://u:hush-hush-hush@l1.example' }))
    expect(said).toContain('rpcUrl must hold no password')
    expect(said).not.toContain('hush-hush-hush')
  })
})

describe('secrets', () => {
  const secrets = (env: Record<string, string | undefined>) =>
    readConfiguration(['--config', file(NEEDED)], env).secrets

  it('come by environment and are gone from it afterwards', () => {
    const names = Object.keys(SECRETS)
    const env: Record<string, string | undefined> = Object.fromEntries(
      names.map((name) => [name, HEX('0a')]),
    )
    expect(secrets(env)).toEqual(Object.fromEntries(names.map((name) => [name, HEX('0a')])))
    expect(Object.keys(env)).toEqual([])
  })

  it('are gone even when the configuration is refused', () => {
    const env = {
      OPERATOR_KEY: HEX('0a'),
      CLOISTER_PORT: 'x',
      CLOISTER_JOURNAL: 'postgres://u:p@h/d',
      CLOISTER_JOBS: 'postgres://u:p@h/d',
      CLOISTER_OTHER_RPC_URLS: 'https://u:p@h',
    }
    faults(() => secrets(env))
    expect(env).toEqual({ CLOISTER_PORT: 'x' })
  })

  it('come by a file that its owner alone can read', () => {
    expect(secrets({ OPERATOR_KEY_FILE: file(`${HEX('0b')}\n`) }).OPERATOR_KEY).toBe(HEX('0b'))
    expect(faults(() => secrets({ OPERATOR_KEY_FILE: file(HEX('0b'), 0o640) }))).toContain(
      'OPERATOR_KEY_FILE must be readable by its owner alone: chmod 600',
    )
    expect(faults(() => secrets({ ADMIN_KEY_FILE: '/no/such' }))).toContain(
      'ADMIN_KEY_FILE must name',
    )
    expect(
      faults(() => secrets({ ADMIN_KEY: HEX('0b'), ADMIN_KEY_FILE: file(HEX('0b')) })),
    ).toContain('must not both be given')
  })

  it('are never repeated, whatever is wrong with them', () => {
    const said = faults(() => secrets({ OPERATOR_KEY: 'correct horse battery' }))
    expect(said).toContain('OPERATOR_KEY must be hexadecimal digits of 31 or 32 bytes')
    expect(said).not.toContain('horse battery')
  })

  const flags = ['operator', 'admin', 'fee-account-view', 'sweeper', 'prover', 'journal']
  it.each(flags)('are no flag: --%s-key', (name) => {
    for (const args of [[`--${name}-key`, HEX('0c')], [`--${name}-key=${HEX('0c')}`]]) {
      const said = faults(() => read(NEEDED, args))
      expect(said).toContain(`--${name}-key must not be a flag`)
      expect(said).not.toContain('0c'.repeat(8))
    }
  })

  it('inside the URL of a journal are taken from the environment or a private file only', () => {
    const journal = 'postgres://cloister:hush-hush-hush@db.example/house'
    expect(read({ ...NEEDED, journal }).journal).toBe(journal)
    expect(read(NEEDED, [], { CLOISTER_JOURNAL: journal }).journal).toBe(journal)
    const open = faults(() => read({ ...NEEDED, journal }, [], {}, 0o644))
    expect(open).toContain('must be readable by its owner alone')
    const flag = faults(() => read(NEEDED, ['--journal', journal]))
    expect(flag).toContain('journal with a password must not be a flag: use CLOISTER_JOURNAL')
    expect(open + flag).not.toContain('hush-hush-hush')
    // Without a password it is nothing to hide.
    expect(read(NEEDED, ['--journal', 'postgres://db.example/house']).standby).toBe(false)
  })
})

it('--help names every setting with its flag, its variable and what it must be, and every secret', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'sequencer/main.ts', '--help', '--port', 'nonsense'],
    { encoding: 'utf8', cwd: join(import.meta.dirname, '../..') },
  )
  expect([status, stderr]).toEqual([0, ''])
  const text = stdout.replace(/\s+/g, ' ')
  for (const key of KEYS) {
    expect(text).toContain(`--${flagOf(key)}, ${variableOf(key)} [${key}]`)
    expect(text).toContain(SETTINGS[key].must)
  }
  for (const name of Object.keys(SECRETS)) expect(text).toContain(name)
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
})

it('docs/operations.md has this very table, and every secret', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  expect(docs).toContain(settingsTable())
  for (const name of Object.keys(SECRETS)) expect(docs).toContain(`\`${name}\``)
})
