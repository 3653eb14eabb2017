/** Flags, environment, file and defaults, made one configuration, or a list of everything that is wrong with them. */
import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Unfit } from './config-readers.ts'
import {
  flagOf,
  KEYS,
  PASSWORD,
  SECRETS,
  SETTINGS,
  variableOf,
  type Configuration,
  type Key,
  type SecretName,
  type Secrets,
  type Setting,
} from './config.ts'

/** A wrong configuration: every fault that was found, one a line. */
export class ConfigurationError extends Error {
  constructor(faults: readonly string[]) {
    super(`the configuration must be put right:\n${faults.map((f) => `  ${f}`).join('\n')}`)
  }
}

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
