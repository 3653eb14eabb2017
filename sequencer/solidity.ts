/** The sources of the contracts, for the compiler. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../prover/artifacts.ts'
import { compileSolidity, type CompiledContract } from '../prover/solidity.ts'

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

/** The project's own contracts by name. */
export function contractsOf(): Record<string, CompiledContract> {
  return compileSolidity(projectSources())
}
