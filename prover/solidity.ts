/** Compiles Solidity with solc from npm; results are cached by the hash of the sources. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PROJECT_ROOT } from './artifacts.ts'
import { writeWholeFile } from './whole-file.ts'

export type CompiledContract = {
  readonly abi: readonly unknown[]
  readonly bytecode: string
  /** What a chain keeps of it. */
  readonly runtime?: Runtime
}
/** Code as it is deployed, and where in it immutables stand, which the constructor writes. */
export type Runtime = {
  readonly code: string
  /** By the number of its declaration: where it stands, in bytes, and its length. */
  readonly immutables: Readonly<Record<string, readonly (readonly [number, number])[]>>
}
type Solc = {
  compile: (input: string, callbacks: { import: (path: string) => { contents: string } }) => string
  version: () => string
}
type SolcOutput = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[]
  readonly contracts: Record<
    string,
    Record<
      string,
      {
        readonly abi: readonly unknown[]
        readonly evm: {
          readonly bytecode: { readonly object: string }
          readonly deployedBytecode: {
            readonly object: string
            readonly immutableReferences: Readonly<
              Record<string, readonly { readonly start: number; readonly length: number }[]>
            >
          }
        }
      }
    >
  >
}

const CACHE = join(PROJECT_ROOT, '.cache', 'contracts')
const require = createRequire(import.meta.url)

/** Compiles and returns every contract by name; throws the compiler's own words on an error. */
export function compileSolidity(sources: Record<string, string>): Record<string, CompiledContract> {
  const settings = {
    optimizer: { enabled: true, runs: 1000 },
    evmVersion: 'cancun',
    outputSelection: {
      '*': {
        '*': [
          'abi',
          'evm.bytecode.object',
          'evm.deployedBytecode.object',
          'evm.deployedBytecode.immutableReferences',
        ],
      },
    },
  }
  const input = JSON.stringify({
    language: 'Solidity',
    settings,
    sources: Object.fromEntries(
      Object.entries(sources).map(([path, content]) => [path, { content }]),
    ),
  })
  const { version } = require('solc/package.json') as { version: string }
  // The form that is cached has a number: another is not to be read as this one.
  const hash = createHash('sha256').update(`2 ${version}`).update(input).digest('hex')
  const cached = join(CACHE, `${hash.slice(0, 24)}.json`)
  if (existsSync(cached))
    return JSON.parse(readFileSync(cached, 'utf8')) as Record<string, CompiledContract>
  const solc = require('solc') as Solc
  const read = (path: string): { contents: string } => ({
    contents: readFileSync(join(PROJECT_ROOT, 'node_modules', path), 'utf8'),
  })
  const output = JSON.parse(solc.compile(input, { import: read })) as SolcOutput
  const errors = (output.errors ?? []).filter((e) => e.severity === 'error')
  if (errors.length > 0)
    throw new Error(`solc: ${errors.map((e) => e.formattedMessage).join('\n')}`)
  const contracts: Record<string, CompiledContract> = {}
  for (const file of Object.values(output.contracts)) {
    for (const [name, { abi, evm }] of Object.entries(file))
      contracts[name] = {
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        runtime: {
          code: `0x${evm.deployedBytecode.object}`,
          immutables: Object.fromEntries(
            Object.entries(evm.deployedBytecode.immutableReferences ?? {}).map(([id, places]) => [
              id,
              places.map(({ start, length }) => [start, length] as const),
            ]),
          ),
        },
      }
  }
  mkdirSync(CACHE, { recursive: true })
  // Another process that finds it there reads it at once.
  writeWholeFile(cached, JSON.stringify(contracts))
  return contracts
}

/** The project's own contracts by path, tests excluded. */
export function projectSources(): Record<string, string> {
  const folder = join(PROJECT_ROOT, 'contracts')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sol'))
    .sort()
  return Object.fromEntries(
    files.map((file) => [`contracts/${file}`, readFileSync(join(folder, file), 'utf8')]),
  )
}

/**
 * Whether code on a chain is this contract's: the same instructions, byte for byte. Left out are the
 * values of immutables, which the constructor wrote, and the metadata at the end, which nothing
 * executes and which hashes names of files. One immutable has one value wherever it stands: a
 * constructor of one's own could show one address and call another.
 */
export function isSameCode(deployed: string, { code, immutables }: Runtime): boolean {
  const [found, expected] = [bytesOf(deployed), bytesOf(code)]
  if (found.length !== expected.length || expected.length === 0) return false
  for (const places of Object.values(immutables)) {
    if (new Set(places.map((place) => valueAt(found, place))).size > 1) return false
    for (const [start, length] of places)
      for (const each of [found, expected]) each.fill(0, start, start + length)
  }
  const end = expected.length - metadataLength(expected)
  return found.subarray(0, end).equals(expected.subarray(0, end))
}

/**
 * What a transaction that makes a contract hands to its constructor, in hex without 0x: what stands
 * behind this creation code. Null if it does not begin with it. Hashes of metadata, of this contract
 * and of those that it makes, are left out.
 */
export function argumentsBehind(input: string, bytecode: string): string | null {
  const [found, expected] = [input.slice(2).toLowerCase(), bytecode.slice(2).toLowerCase()]
  if (expected === '') return null
  const head = Buffer.from(found.slice(0, expected.length), 'hex')
  const own = Buffer.from(expected, 'hex')
  if (head.length !== own.length) return null
  for (const { index } of expected.matchAll(METADATA)) {
    if (index % 2 !== 0) continue
    const start = index / 2 + METADATA_HEAD
    for (const each of [head, own]) each.fill(0, start, start + METADATA_HASH)
  }
  return head.equals(own) ? found.slice(expected.length) : null
}

/** CBOR of { ipfs: hash, solc: version }, and its length. */
const METADATA = /a2646970667358221220[0-9a-f]{64}64736f6c6343[0-9a-f]{6}0033/g
const METADATA_HEAD = 10
const METADATA_HASH = 32

const bytesOf = (text: string): Buffer => Buffer.from(text.slice(2), 'hex')
const valueAt = (code: Buffer, [start, length]: readonly [number, number]): string =>
  code.subarray(start, start + length).toString('hex')

/** solc appends CBOR, and behind it its length in two bytes. */
function metadataLength(code: Buffer): number {
  const length = code.length < 2 ? 0 : code.readUInt16BE(code.length - 2) + 2
  return length <= code.length ? length : 0
}
