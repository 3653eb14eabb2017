// One witness and two proofs in a process of its own, which measures itself: paths on argv, the
// circuit's input as JSON on stdin, seconds and peak memory as JSON on stdout.
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { text } from 'node:stream/consumers'
import { openBackend, type BackendName } from '../../prover/backends.ts'
import {
  calculateWitness,
  shutdown,
  verify,
  type CircuitInput,
  type Proof,
  type VerificationKeyJson,
} from '../../prover/groth16.ts'

export type ChildPaths = {
  readonly wasmPath: string
  readonly zkeyPath: string
  readonly verificationKeyPath: string
  readonly backend: BackendName
}
export type ChildFigures = {
  readonly witnessSeconds: number
  /** With all that is loaded once, and without; each proof is verified within them. */
  readonly firstSeconds: number
  readonly nextSeconds: number
  readonly verifySeconds: number
  readonly peakBytes: number
}

const {
  wasmPath,
  zkeyPath,
  verificationKeyPath,
  backend: name,
} = JSON.parse(process.argv[2] as string) as ChildPaths
const input = JSON.parse(await text(process.stdin)) as CircuitInput
const key = JSON.parse(await readFile(verificationKeyPath, 'utf8')) as VerificationKeyJson

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now()
  const result = await work()
  return [result, (performance.now() - started) / 1000]
}
const [witness, witnessSeconds] = await timed(() => calculateWitness(wasmPath, input))
let fault = ''
const [backend, openSeconds] = await timed(() =>
  openBackend(name, { zkeyPath, verificationKeyPath }, availableParallelism(), (line) => {
    fault = line
  }),
)
const [, proveSeconds] = await timed(() => backend.prove(witness))
const [{ proof, publicSignals }, nextSeconds] = await timed<Proof>(() => backend.prove(witness))
// Another backend's time under this one's name would be a lie.
if (fault !== '') throw new Error(fault)
const [isTrue, verifySeconds] = await timed(() => verify(key, publicSignals, proof))
if (!isTrue) throw new Error(`${zkeyPath}: a proof does not verify`)
await backend.close()
await shutdown()
const figures: ChildFigures = {
  witnessSeconds,
  firstSeconds: openSeconds + proveSeconds,
  nextSeconds,
  verifySeconds,
  // In kilobytes, threads included.
  peakBytes: process.resourceUsage().maxRSS * 1024,
}
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
