/** What can prove on this machine, and how fast: every backend on one small circuit, twice. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { BACKENDS, openBackend, type BackendName } from './backends.ts'
import { compileCircuit } from './compile.ts'
import { DEVELOPMENT_SUFFIX, writeDevelopmentKey } from './dev-key.ts'
import { calculateWitness } from './groth16.ts'
import { PROJECT_ROOT } from './artifacts.ts'
import { privateRoot } from './private-files.ts'
import { findRapidsnark, rapidsnarkFromEnvironment } from './rapidsnark.ts'

/** Field elements without structure, as the law's circuits have for the most part. */
const CONSTRAINTS = 20_000
const CIRCUIT = `pragma circom 2.2.0;
template Chain(N) {
  signal input start;
  signal output end;
  signal link[N + 1];
  link[0] <== start;
  for (var i = 0; i < N; i++) link[i + 1] <== link[i] * (link[i] + i);
  end <== link[N];
}
component main = Chain(${CONSTRAINTS});
`

export type BackendReport = {
  readonly name: BackendName
  /** Where it comes from: a version or a path. */
  readonly source: string | null
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null
  /** Of the first proof, with all that it loads, and of the next one. */
  readonly firstSeconds: number | null
  readonly nextSeconds: number | null
}

export type DoctorReport = {
  readonly node: string
  readonly processor: string
  readonly threads: number
  readonly memoryBytes: number
  readonly freeBytes: number
  /** Where a backend that needs files has them, and whether that is memory. */
  readonly privateFiles: string
  readonly constraints: number
  readonly backends: readonly BackendReport[]
  /** Of this process, after all of it. */
  readonly peakBytes: number
}

export async function examine(progress: (line: string) => void): Promise<DoctorReport> {
  const circuit = await prepareChain(progress)
  const witness = await calculateWitness(circuit.wasmPath, { start: 3n })
  const backends: BackendReport[] = []
  for (const name of BACKENDS) {
    progress(`proving ${CONSTRAINTS} constraints twice with ${name}`)
    backends.push(await measure(name, circuit.zkeyPath, witness))
  }
  return {
    node: process.version,
    processor: cpus()[0]?.model ?? 'unknown',
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    freeBytes: freemem(),
    privateFiles: privateRoot(),
    constraints: CONSTRAINTS,
    backends,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }
}

async function measure(
  name: BackendName,
  zkeyPath: string,
  witness: Uint8Array,
): Promise<BackendReport> {
  const none = { firstSeconds: null, nextSeconds: null }
  let source: string | null = null
  try {
    source = sourceOf(name)
    if (source === null) return { name, source, missing: 'not installed', ...none }
    const notes: string[] = []
    const started = performance.now()
    const backend = await openBackend(name, { zkeyPath }, availableParallelism(), (line) =>
      notes.push(line),
    )
    await backend.prove(witness)
    const first = performance.now()
    await backend.prove(witness)
    const next = performance.now()
    await backend.close()
    // Proven, but by snarkjs in its place.
    if (notes.length > 0) return { name, source, missing: notes[0] as string, ...none }
    return {
      name,
      source,
      missing: null,
      firstSeconds: (first - started) / 1000,
      nextSeconds: (next - first) / 1000,
    }
  } catch (error) {
    return {
      name,
      source,
      missing: error instanceof Error ? error.message : String(error),
      ...none,
    }
  }
}

function sourceOf(name: BackendName): string | null {
  if (name === 'rapidsnark') return findRapidsnark(rapidsnarkFromEnvironment())
  if (name === 'snarkjs') return `snarkjs ${versionOf('snarkjs')}`
  return `this checkout, over the curve of ffjavascript ${versionOf('ffjavascript')}`
}

function versionOf(library: string): string {
  const require = createRequire(createRequire(import.meta.url).resolve('snarkjs'))
  const [before] = require.resolve(library).split(`node_modules/${library}/`)
  const file = `${before}node_modules/${library}/package.json`
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Compiled once, with a DEVELOPMENT key: it guards nothing. */
export async function prepareChain(progress: (line: string) => void) {
  const cache = join(PROJECT_ROOT, '.cache', 'circuits')
  const hash = createHash('sha256').update(CIRCUIT).digest('hex').slice(0, 16)
  const dir = join(cache, `doctor-${hash}`)
  if (!existsSync(dir)) {
    progress('compiling a small circuit, and writing a DEVELOPMENT key for it')
    mkdirSync(cache, { recursive: true })
    const fresh = mkdtempSync(join(cache, '.doctor-'))
    const entry = join(fresh, 'chain.circom')
    writeFileSync(entry, CIRCUIT)
    const { r1csPath } = await compileCircuit({ entry, outDir: fresh, includeDirs: [] })
    const zkeyPath = join(fresh, `chain${DEVELOPMENT_SUFFIX}`)
    await writeDevelopmentKey({ r1csPath, zkeyPath, name: 'doctor' })
    // It appears whole or not at all; another that was quicker wins.
    try {
      renameSync(fresh, dir)
    } catch {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  return {
    zkeyPath: join(dir, `chain${DEVELOPMENT_SUFFIX}`),
    wasmPath: join(dir, 'chain_js', 'chain.wasm'),
  }
}
