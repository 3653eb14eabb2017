/** Compiles Solidity with solc from npm; results are cached by the hash of the sources. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PROJECT_ROOT } from './artifacts.ts'

export type CompiledContract = { readonly abi: readonly unknown[]; readonly bytecode: string }
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
        readonly evm: { readonly bytecode: { readonly object: string } }
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
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
  }
  const input = JSON.stringify({
    language: 'Solidity',
    settings,
    sources: Object.fromEntries(
      Object.entries(sources).map(([path, content]) => [path, { content }]),
    ),
  })
  const { version } = require('solc/package.json') as { version: string }
  const hash = createHash('sha256').update(version).update(input).digest('hex')
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
      contracts[name] = { abi, bytecode: `0x${evm.bytecode.object}` }
  }
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(cached, JSON.stringify(contracts))
  return contracts
}
