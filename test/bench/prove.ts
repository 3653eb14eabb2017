/** Seconds and memory of a full batch's witness and proofs, by backend, each in a fresh process on all cores. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Shape } from '../../circuits/params.ts'
import { developmentKeyOf, type Progress } from '../../prover/artifacts.ts'
import { BACKENDS, type BackendName } from '../../prover/backends.ts'
import { findRapidsnark, rapidsnarkFromEnvironment } from '../../prover/rapidsnark.ts'
import { fullBatch, tradesOf } from './load.ts'
import type { ChildFigures, ChildPaths } from './prove-child.ts'

export type ProofCost = ChildFigures & {
  readonly name: string
  readonly backend: BackendName
  readonly trades: number
  /** Witness and proof, the key loaded already. */
  readonly tradesPerSecondPerCore: number
}

async function runChild(paths: ChildPaths, input: unknown): Promise<ChildFigures> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const script = fileURLToPath(new URL('./prove-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', tsx, script, JSON.stringify(paths)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  // A child that dies early closes its stdin; its exit code says more than the broken pipe.
  child.stdin.on('error', () => {})
  child.stdin.end(
    JSON.stringify(input, (_, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    ),
  )
  const [answer, code] = await Promise.all([text(child.stdout), ended])
  if (code !== 0) throw new Error(`the proof with ${paths.zkeyPath} ended with code ${code}`)
  return JSON.parse(answer) as ChildFigures
}

/** One line for each backend that is installed here. */
export async function proofCostsOf(
  shape: Shape,
  progress: Progress,
): Promise<readonly ProofCost[]> {
  const { wasmPath, zkeyPath, verificationKeyPath } = await developmentKeyOf(shape, progress)
  const input = fullBatch(shape)
  const trades = tradesOf(shape)
  const costs: ProofCost[] = []
  for (const backend of BACKENDS) {
    if (backend === 'rapidsnark' && findRapidsnark(rapidsnarkFromEnvironment()) === null) continue
    progress(`proving a full batch of ${shape.name} twice with ${backend}`)
    const figures = await runChild({ wasmPath, zkeyPath, verificationKeyPath, backend }, input)
    const seconds = figures.witnessSeconds + figures.nextSeconds
    costs.push({
      name: shape.name,
      backend,
      trades,
      ...figures,
      tradesPerSecondPerCore: trades / seconds / availableParallelism(),
    })
  }
  return costs
}
