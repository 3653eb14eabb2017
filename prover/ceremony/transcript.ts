/**
 * The transcript of a ceremony: a JSON file beside the key that says what was announced and which
 * step made which file. It travels with the key from party to party, each adding its own step.
 *
 * It is a claim, not a proof: verification holds it against the key, the circuit and phase 1.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { CeremonyFailure } from './failure.ts'

export type AnnouncedBeacon = {
  /** Where the value will come from, so that anybody can look it up: chain and block, drand round. */
  readonly source: string
  readonly iterationsLog2: number
}
export type InitStep = {
  readonly kind: 'init'
  readonly circuitHash: string
  readonly zkeySha256: string
}
export type ContributionStep = {
  readonly kind: 'contribution'
  readonly name: string
  readonly contributionHash: string
  readonly zkeySha256: string
}
export type BeaconStep = {
  readonly kind: 'beacon'
  readonly name: string
  readonly value: string
  readonly contributionHash: string
  readonly zkeySha256: string
}
export type Step = InitStep | ContributionStep | BeaconStep
export type Transcript = {
  readonly format: typeof FORMAT
  readonly circuit: {
    readonly name: string
    readonly r1csSha256: string
    readonly constraints: number
    readonly publicSignals: number
  }
  readonly phase1: {
    readonly power: number
    readonly blake2b: string
    readonly isPublic: boolean
  }
  readonly announced: {
    readonly parties: readonly string[]
    readonly beacon: AnnouncedBeacon | null
  }
  readonly steps: readonly Step[]
}
/** As it lies in its file. */
export type SealedTranscript = Transcript & {
  /** SHA-256 over all the rest. Whoever rewrites a transcript can seal it anew; a slip cannot. */
  readonly seal: string
}

export const FORMAT = 'cloister-ceremony-2'
const SHA256 = /^[0-9a-f]{64}$/
const BLAKE2B = /^[0-9a-f]{128}$/
const BEACON_VALUE = /^([0-9a-f]{2}){16,255}$/
/** What snarkjs admits; 2^10 takes no time, 2^40 takes days. */
export const ITERATIONS = { least: 10, most: 63 } as const
const NAME_BYTES = 64

export function transcriptPathOf(zkeyPath: string): string {
  if (!zkeyPath.endsWith('.zkey')) throw new Error(`a key file's name ends with .zkey: ${zkeyPath}`)
  return zkeyPath.replace(/\.zkey$/, '.transcript.json')
}

/** Names stand in the key file, which has 64 bytes for them; control characters have no place. */
export function assertName(name: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > NAME_BYTES || /[\p{C}]/u.test(name) || name.trim() !== name)
    throw new Error(`a name must be 1 to ${NAME_BYTES} bytes of printed characters: "${name}"`)
}

export function assertBeaconValue(value: string): void {
  if (!BEACON_VALUE.test(value))
    throw new Error('a beacon value must be 16 to 255 bytes in lower-case hex, without 0x')
}

export function assertIterations(log2: number): void {
  if (!Number.isInteger(log2) || log2 < ITERATIONS.least || log2 > ITERATIONS.most)
    throw new Error(
      `the iterations of a beacon must be 2^${ITERATIONS.least} to 2^${ITERATIONS.most}`,
    )
}

/**
 * What was said before the first contribution, as one hash. Whoever passes the transcript on could
 * change it, so every party notes the hash and verification is given it.
 */
export function announcementHash({ circuit, phase1, announced, steps }: Transcript): string {
  const init = steps[0]?.kind === 'init' ? steps[0] : null
  const words = [
    FORMAT,
    [circuit.name, circuit.r1csSha256, circuit.constraints, circuit.publicSignals],
    [phase1.power, phase1.blake2b],
    announced.parties,
    announced.beacon === null ? null : [announced.beacon.source, announced.beacon.iterationsLog2],
    [init?.circuitHash, init?.zkeySha256],
  ]
  return createHash('sha256').update(JSON.stringify(words)).digest('hex')
}

export function writeTranscript(zkeyPath: string, transcript: Transcript): void {
  const path = transcriptPathOf(zkeyPath)
  const temporary = `${path}.partial`
  const sealed: SealedTranscript = { ...transcript, seal: sealOf(transcript) }
  writeFileSync(temporary, `${JSON.stringify(sealed, null, 2)}\n`)
  renameSync(temporary, path)
}

/** What the seal of a transcript must be; a seal that it has already does not count. */
export function sealOf(transcript: Transcript): string {
  const { seal: _seal, ...rest } = transcript as SealedTranscript
  return createHash('sha256')
    .update(JSON.stringify(inOrder(rest)))
    .digest('hex')
}

/** Keys in one order: who formats the file anew changes nothing. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (!isParts(value)) return value
  return Object.keys(value)
    .sort()
    .map((key) => [key, inOrder(value[key])])
}

/** Of files between the first and the last nothing else tells: nobody has them any more. */
export function sealProblem(transcript: SealedTranscript): CeremonyFailure | null {
  if (sealOf(transcript) === transcript.seal) return null
  return new CeremonyFailure(
    'TranscriptMustMatchKey',
    'the transcript is not as its last step left it: something was changed in it since',
  )
}

/** Throws CeremonyFailure with TranscriptMustBeWellFormed. */
export function readTranscript(path: string): SealedTranscript {
  if (!existsSync(path))
    throw new CeremonyFailure('TranscriptMustBeWellFormed', `there is no transcript at ${path}`)
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new CeremonyFailure('TranscriptMustBeWellFormed', `${path} is not JSON`)
  }
  const problem = problemOf(parsed)
  if (problem !== null)
    throw new CeremonyFailure('TranscriptMustBeWellFormed', `${path}: ${problem}`)
  return parsed as SealedTranscript
}

type Parts = Readonly<Record<string, unknown>>
const isParts = (value: unknown): value is Parts =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown, form: RegExp): boolean =>
  typeof value === 'string' && form.test(value)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

function problemOf(value: unknown): string | null {
  if (!isParts(value) || value['format'] !== FORMAT) return `it is not of the form ${FORMAT}`
  const { circuit, phase1, announced, steps, seal } = value
  if (!isText(seal, SHA256)) return 'it has no seal'
  if (
    !isParts(circuit) ||
    !isText(circuit['name'], /./) ||
    !isText(circuit['r1csSha256'], SHA256) ||
    !isCount(circuit['constraints']) ||
    !isCount(circuit['publicSignals'])
  )
    return 'its circuit is not described'
  if (
    !isParts(phase1) ||
    !isText(phase1['blake2b'], BLAKE2B) ||
    !isCount(phase1['power']) ||
    typeof phase1['isPublic'] !== 'boolean'
  )
    return 'its phase 1 is not described'
  if (!isParts(announced) || !Array.isArray(announced['parties'])) return 'it announces nothing'
  if (!announced['parties'].every((party) => isText(party, /./)))
    return 'its announced parties are not names'
  const { beacon } = announced
  if (
    beacon !== null &&
    (!isParts(beacon) || !isText(beacon['source'], /./) || !isCount(beacon['iterationsLog2']))
  )
    return 'its announced beacon is not described'
  if (!Array.isArray(steps) || steps.length === 0) return 'it has no steps'
  for (const [i, step] of steps.entries()) {
    const problem = problemOfStep(step, i)
    if (problem !== null) return `step ${i}: ${problem}`
  }
  return null
}

function problemOfStep(step: unknown, index: number): string | null {
  if (!isParts(step) || !isText(step['zkeySha256'], SHA256)) return 'it names no key file'
  const { kind } = step
  if ((kind === 'init') !== (index === 0)) return 'the first step, and no other, is the init'
  if (kind === 'init') return isText(step['circuitHash'], BLAKE2B) ? null : 'it has no circuit hash'
  if (kind !== 'contribution' && kind !== 'beacon') return `its kind is ${String(kind)}`
  if (!isText(step['name'], /./)) return 'it has no name'
  if (!isText(step['contributionHash'], BLAKE2B)) return 'it has no contribution hash'
  if (kind === 'beacon' && !isText(step['value'], BEACON_VALUE)) return 'it has no beacon value'
  return null
}
