/** The contracts' own errors in what a node answers, by the names that contracts/ gives them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Interface } from './ethers.ts'

const CONTRACTS = join(import.meta.dirname, '..', '..', 'contracts')
const SOURCES = ['ICloister.sol', 'ICloisterTypes.sol', 'ITableOracle.sol', 'ChangeLock.sol']
/** Of OpenZeppelin's AccessControl and TimelockController. */
const LIBRARY_ERRORS = [
  'error AccessControlUnauthorizedAccount(address account, bytes32 neededRole)',
  'error TimelockInsufficientDelay(uint256 delay, uint256 minDelay)',
  'error TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)',
  'error TimelockUnexecutedPredecessor(bytes32 predecessorId)',
]

export type ContractError = {
  readonly name: string
  /** Arguments by name, in order. */
  readonly values: readonly (readonly [name: string, value: unknown])[]
}

/** Null for what is no contract's refusal, or one that no contract of ours has. */
export function contractErrorIn(error: unknown): ContractError | null {
  const data = dataOf(error)
  if (data === null) return null
  const found = contractErrors().parseError(data)
  if (found === null) return null
  const values = found.fragment.inputs.map(
    ({ name }, i) => [name, found.args[i] as unknown] as const,
  )
  return { name: found.name, values }
}

function dataOf(error: unknown): string | null {
  for (let at = error, depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { data, error: inner, info } = at as { data?: unknown; error?: unknown; info?: unknown }
    if (typeof data === 'string' && /^0x[0-9a-f]{8,}$/i.test(data)) return data
    at = data ?? inner ?? info
  }
  return null
}

function contractErrors(): Interface {
  const sources = SOURCES.map((file) => readFileSync(join(CONTRACTS, file), 'utf8'))
  const lines = sources.join('\n').match(/^\s*error \w+\([^)]*\);/gm) ?? []
  return new Interface([
    ...new Set(lines.map((line) => line.trim().replace(';', ''))),
    ...LIBRARY_ERRORS,
  ])
}
