/** A worker as a process: its configuration, and where its secrets come from. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  circuitOfShape,
  developmentKeyOf,
  hashOfVerificationKey,
  shapeNamed,
  type Progress,
} from '../artifacts.ts'
import type { BackendName } from '../backends.ts'
import { exportVerificationKey } from '../groth16.ts'
import { createProverPool } from '../pool.ts'
import type { ProveJob } from '../prove-process.ts'
import { openPostgresJobs } from './postgres-jobs.ts'
import { createJobSeal, KEY_BYTES } from './seal.ts'
import { work } from './work.ts'

export type WorkerConfiguration = {
  readonly jobsUrl: string
  readonly proverKey: Uint8Array
  readonly shapes: readonly string[]
  /** A directory with NAME.zkey of a ceremony; without it, DEVELOPMENT keys. */
  readonly keys?: string
  readonly backend?: BackendName
  readonly concurrency: number
  readonly leaseSeconds: number
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}

/** 64 hexadecimal digits; throws ProverKeyMustHave32Bytes. */
export function parseProverKey(text: string): Uint8Array {
  const digits = text.trim()
  if (!/^[0-9a-fA-F]{64}$/.test(digits))
    throw new Error(`ProverKeyMustHave32Bytes: ${2 * KEY_BYTES} hexadecimal digits`)
  return Buffer.from(digits, 'hex')
}

/** Works until the signal comes. Throws if a key is missing or the jobs cannot be reached. */
export async function runWorker(configuration: WorkerConfiguration): Promise<void> {
  const { shapes, keys, backend, concurrency, log, signal, leaseSeconds } = configuration
  const circuits = new Map<string, ProveJob>()
  for (const name of shapes) {
    const { keyHash, ...job } = await jobOfShape(name, keys, log)
    // With one proof at a time it may have all cores; with several each has one.
    const options = { singleThread: concurrency > 1, ...(backend === undefined ? {} : { backend }) }
    circuits.set(keyHash, { ...job, ...options })
    log(`shape ${name}: key ${keyHash.slice(0, 12)}`)
  }
  const store = await openPostgresJobs({ url: configuration.jobsUrl })
  const pool = createProverPool(concurrency, { idleMs: 3_600_000, log })
  const [usual] = circuits.values()
  if (usual !== undefined) pool.warm(usual)
  const name = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`
  log(`worker ${name} waits for jobs`)
  try {
    await work({
      store,
      seal: createJobSeal(configuration.proverKey),
      circuits,
      prove: (job) => pool.prove(job),
      name,
      concurrency,
      leaseMs: leaseSeconds * 1000,
      log,
      signal,
    })
  } finally {
    pool.close()
    await store.close()
  }
}

async function jobOfShape(
  name: string,
  keys: string | undefined,
  progress: Progress,
): Promise<ProveJob & { readonly keyHash: string }> {
  const shape = shapeNamed(name)
  if (keys === undefined) {
    const { zkeyPath, wasmPath, verificationKeyPath, keyHash } = await developmentKeyOf(
      shape,
      progress,
    )
    return { zkeyPath, wasmPath, verificationKeyPath, keyHash }
  }
  const zkeyPath = join(keys, `${name}.zkey`)
  if (!existsSync(zkeyPath)) throw new Error(`there is no key at ${zkeyPath}`)
  const { wasmPath } = await circuitOfShape(shape, progress)
  const keyHash = hashOfVerificationKey(await exportVerificationKey(zkeyPath))
  return { zkeyPath, wasmPath, keyHash }
}

/** From a file, or a variable of the environment; null where neither is given. */
export function secretFrom(file: string | undefined, variable: string): string | null {
  if (file !== undefined) return readFileSync(file, 'utf8').trim()
  const value = process.env[variable]
  delete process.env[variable]
  return value === undefined || value === '' ? null : value
}
