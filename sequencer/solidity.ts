/** The sources of the contracts, for the compiler. */
import { compileSolidity, projectSources, type CompiledContract } from '../prover/solidity.ts'

/** The project's contracts by name. Cloister carries the ABI of both halves: callers see one house. */
export function contractsOf(): Record<string, CompiledContract> {
  const contracts = compileSolidity(projectSources())
  const { Cloister: core, CloisterExtension: extension } = contracts
  if (core === undefined || extension === undefined) throw new Error('deploy: no contracts')
  return { ...contracts, Cloister: { ...core, abi: mergedAbi(core.abi, extension.abi) } }
}

/** The entries of both, each once; the constructor is the first one's. */
export function mergedAbi(
  core: readonly unknown[],
  extension: readonly unknown[],
): readonly unknown[] {
  const keyOf = (entry: unknown): string => JSON.stringify(entry)
  const seen = new Set(core.map(keyOf))
  const isNew = (entry: unknown): boolean =>
    (entry as { type: string }).type !== 'constructor' && !seen.has(keyOf(entry))
  return [...core, ...extension.filter(isNew)]
}
