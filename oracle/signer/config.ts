/** The configuration of a signer: a JSON file of which every key is known and checked. */
import { dirname, resolve } from 'node:path'
import { statSync, readFileSync } from 'node:fs'
import { getAddress, SigningKey } from '../ethers.ts'
import { InputError, listOf, objectOf, textOf, wholeOf } from './canonical.ts'
import type { ObservePolicy } from './observe.ts'
import { policyFrom, type Policy } from './policy.ts'
import type { Domain } from './report.ts'
import { checkUrl, SOURCE_LIMITS, type SourceConfig, type SourceLimits } from './sources.ts'

export type UnderlyingConfig = {
  readonly id: number
  readonly name: string
  /** What these sources are, as specifications name where a settlement comes from; null: nothing. */
  readonly index: string | null
  readonly sources: readonly SourceConfig[]
}
/** Maps the clock of L1 to that of a recorded market: `from` at `startedAt`, then `speed` times. */
export type Replay = {
  readonly startedAt: number
  readonly from: number
  readonly speed: number
}
export type SignerConfig = {
  readonly domain: Domain
  /** Or the path of its file, which is read at each look. */
  readonly policy: Policy | string
  readonly underlyings: readonly UnderlyingConfig[]
  readonly observe: ObservePolicy
  readonly limits: SourceLimits
  /** How far another's price may be from one's own, in basis points, to be signed. */
  readonly tolerance: number
  /** How far the time of a report may be from one's own clock, in seconds. */
  readonly clockSlack: number
  /** How old a report must be before one looks again to confirm it, in seconds. */
  readonly confirmAfter: number
  /** Largest hole between samples of a settlement window, in seconds of the market's clock. */
  readonly maxGap: number
  readonly replay: Replay | null
  /** Null: the policy says what perpetuals are quoted at and have paid. */
  readonly perpetuals: PerpetualsConfig | null
}
/** Funding from quotes. */
export type PerpetualsConfig = {
  /** How far another's average premium may be from one's own, in basis points of the index. */
  readonly tolerance: number
  /** A quote farther than this from the index counts as this far, in basis points. */
  readonly maxBasis: number
  /** In ascending order of id. */
  readonly markets: readonly { readonly id: number; readonly sources: readonly SourceConfig[] }[]
}

const KEYS = [
  'chainId',
  'contract',
  'policy',
  'underlyings',
  'maxAge',
  'maxSpread',
  'minSources',
  'tolerance',
  'clockSlack',
  'confirmAfter',
  'maxGap',
  'timeoutMs',
  'replay',
  'perpetuals',
] as const
const BASIS = 10_000
const UNDERLYING_KEYS = ['id', 'name', 'sources'] as const
const FIELD_KEYS = ['price', 'time'] as const

/** Paths of files in it are read from the folder of the file. */
export function readConfig(path: string): SignerConfig {
  return configFrom(JSON.parse(readFileSync(path, 'utf8')), dirname(path))
}

export function configFrom(value: unknown, folder: string): SignerConfig {
  const given = objectOf(value, KEYS, 'configuration')
  const whole = (key: (typeof KEYS)[number]): number => wholeOf(given[key], key)
  const positive = (key: (typeof KEYS)[number]): number => {
    const found = whole(key)
    if (found === 0) throw new InputError(`${key} must be at least 1`)
    return found
  }
  let previous = 0
  const underlyings = listOf(given['underlyings'], 'underlyings', 256).map((item) => {
    const hasIndex = Object.hasOwn((item ?? {}) as object, 'index')
    const keys = hasIndex ? [...UNDERLYING_KEYS, 'index'] : UNDERLYING_KEYS
    const one = objectOf(item, keys, 'underlying')
    const id = wholeOf(one['id'], 'id')
    if (id <= previous) throw new InputError('underlyings must ascend by id from 1')
    previous = id
    return {
      id,
      name: textOf(one['name'], 'name'),
      index: hasIndex ? textOf(one['index'], 'index') : null,
      sources: sourcesOf(one['sources'], id, folder),
    }
  })
  const minSources = positive('minSources')
  for (const { name, sources } of underlyings) {
    if (sources.length < minSources) {
      throw new InputError(`${name} must have at least ${minSources} sources`)
    }
  }
  return {
    domain: { chainId: BigInt(whole('chainId')), contract: getAddress(`${given['contract']}`) },
    policy:
      typeof given['policy'] === 'string'
        ? resolve(folder, given['policy'])
        : policyFrom(given['policy']),
    underlyings,
    observe: { maxAge: positive('maxAge'), maxSpread: positive('maxSpread'), minSources },
    limits: { ...SOURCE_LIMITS, timeoutMs: positive('timeoutMs') },
    tolerance: whole('tolerance'),
    clockSlack: whole('clockSlack'),
    confirmAfter: whole('confirmAfter'),
    maxGap: positive('maxGap'),
    replay: given['replay'] === null ? null : replayFrom(given['replay']),
    perpetuals:
      given['perpetuals'] === null ? null : perpetualsFrom(given['perpetuals'], folder, minSources),
  }
}

function sourcesOf(value: unknown, id: number, folder: string): readonly SourceConfig[] {
  const sources = listOf(value, 'sources', 64).map((one) => sourceFrom(one, folder))
  const texts = new Set(sources.map((source) => JSON.stringify(source)))
  if (texts.size !== sources.length) throw new InputError(`sources of ${id} must be distinct`)
  return sources
}

function perpetualsFrom(value: unknown, folder: string, minSources: number): PerpetualsConfig {
  const given = objectOf(value, ['tolerance', 'maxBasis', 'markets'], 'perpetuals')
  const maxBasis = wholeOf(given['maxBasis'], 'maxBasis')
  if (maxBasis === 0 || maxBasis >= BASIS)
    throw new InputError(`maxBasis must be above zero and below ${BASIS}`)
  let previous = 0
  const markets = listOf(given['markets'], 'markets', 256).map((item) => {
    const one = objectOf(item, ['id', 'sources'], 'perpetual')
    const id = wholeOf(one['id'], 'id')
    if (id <= previous) throw new InputError('perpetuals must ascend by id from 1')
    previous = id
    const sources = sourcesOf(one['sources'], id, folder)
    if (sources.length < minSources)
      throw new InputError(`perpetual ${id} must have at least ${minSources} sources`)
    return { id, sources }
  })
  return { tolerance: wholeOf(given['tolerance'], 'tolerance'), maxBasis, markets }
}

function replayFrom(value: unknown): Replay {
  const given = objectOf(value, ['startedAt', 'from', 'speed'], 'replay')
  return {
    startedAt: wholeOf(given['startedAt'], 'startedAt'),
    from: wholeOf(given['from'], 'from'),
    speed: wholeOf(given['speed'], 'speed'),
  }
}

function sourceFrom(value: unknown, folder: string): SourceConfig {
  const kind = (value as { kind?: unknown } | null)?.kind
  if (kind === 'recorded') {
    const given = objectOf(value, ['kind', 'path', 'series'], 'source')
    const path = resolve(folder, textOf(given['path'], 'path'))
    return { kind, path, series: textOf(given['series'], 'series') }
  }
  if (kind !== 'file' && kind !== 'http') {
    throw new InputError('the kind of a source must be file, http or recorded')
  }
  const where = kind === 'file' ? 'path' : 'url'
  const hasUnit = Object.hasOwn(value as object, 'timeUnit')
  const keys = ['kind', where, ...FIELD_KEYS, ...(hasUnit ? ['timeUnit'] : [])]
  const given = objectOf(value, keys, 'source')
  const time = given['time'] === null ? null : textOf(given['time'], 'time')
  const unit = given['timeUnit'] ?? 'seconds'
  if (unit !== 'seconds' && unit !== 'milliseconds' && unit !== 'iso') {
    throw new InputError('timeUnit must be seconds, milliseconds or iso')
  }
  const field = { price: textOf(given['price'], 'price'), time, timeUnit: unit } as const
  if (kind === 'file')
    return { kind, path: resolve(folder, textOf(given['path'], 'path')), ...field }
  return { kind, url: checkUrl(textOf(given['url'], 'url')).href, ...field }
}

/** A replay has a clock of its own; else the market's clock is the wall's. */
export function marketTime(replay: Replay | null, time: number): number {
  return replay === null ? time : replay.from + (time - replay.startedAt) * replay.speed
}

/**
 * A secret, from a file that its owner alone can read, or from the environment, where it is then
 * deleted. Never from the command line, which every process of the machine can read.
 */
export function readSecret(path: string | undefined, variable: string): string | undefined {
  const fromEnvironment = process.env[variable]
  delete process.env[variable]
  if (path === undefined) return fromEnvironment
  requirePrivate(path)
  return readFileSync(path, 'utf8').trim()
}

export function requirePrivate(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new InputError(`the file ${path} must be readable by its owner alone (chmod 600)`)
  }
}

export function readKey(path: string | undefined, variable: string): SigningKey {
  const text = readSecret(path, variable)
  if (text === undefined) throw new InputError(`a key must come by --key-file or ${variable}`)
  // The text itself never enters a message.
  if (!/^0x[0-9a-fA-F]{64}$/.test(text))
    throw new InputError('the key must be 0x and 64 hex digits')
  return new SigningKey(text)
}
