// One witness and one proof in a process of its own, which measures itself: paths on argv, the
// circuit's input as JSON on stdin, seconds and peak memory as JSON on stdout.
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import {
  calculateWitness, proveWitness, shutdown, verify, type CircuitInput, type VerificationKeyJson,
} from '../../prover/groth16.ts'

export type ChildPaths = {
  readonly wasmPath: string
  readonly zkeyPath: string
  readonly verificationKeyPath: string
}
export type ChildFigures = {
  readonly witnessSeconds: number
  readonly proveSeconds: number
  readonly verifySeconds: number
  readonly peakBytes: number
}

const { wasmPath, zkeyPath, verificationKeyPath } =
  JSON.parse(process.argv[2] as string) as ChildPaths
const input = JSON.parse(await text(process.stdin)) as CircuitInput
const key = JSON.parse(await readFile(verificationKeyPath, 'utf8')) as VerificationKeyJson

const seconds = (from: number): number => (performance.now() - from) / 1000
let started = performance.now()
const witness = await calculateWitness(wasmPath, input)
const witnessSeconds = seconds(started)
started = performance.now()
const { proof, publicSignals } = await proveWitness(zkeyPath, witness)
const proveSeconds = seconds(started)
started = performance.now()
if (!await verify(key, publicSignals, proof)) {
  throw new Error(`${zkeyPath}: a proof does not verify`)
}
const verifySeconds = seconds(started)
await shutdown()
const figures: ChildFigures = {
  witnessSeconds, proveSeconds, verifySeconds,
  // In kilobytes, threads included.
  peakBytes: process.resourceUsage().maxRSS * 1024,
}
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
