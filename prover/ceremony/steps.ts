/** The steps of a ceremony. Each reads one key file and its transcript and writes the next. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hashOfVerificationKey } from '../artifacts.ts'
import { exportSolidityVerifier, exportVerificationKey } from '../groth16.ts'
import { readAgreed } from './agreement.ts'
import { DERIVE, type Derive } from './circuit.ts'
import { CeremonyFailure } from './failure.ts'
import { checkPhaseOne, powerFor } from './phase1.ts'
import { applyBeacon, contributeTo } from './phase2.ts'
import {
  assertBeaconValue,
  assertIterations,
  assertName,
  FORMAT,
  transcriptPathOf,
  writeTranscript,
  type AnnouncedBeacon,
  type Step,
  type Transcript,
} from './transcript.ts'
import { readKeyFile, type KeyFile } from './zkey-file.ts'

type OnProgress = (what: string) => void
export type Made = { readonly key: KeyFile; readonly transcript: Transcript }

export type InitOptions = {
  /** A circuit of batches, claims or sweeps by its name, or a .circom file with a main component. */
  readonly circuit: string
  readonly phase1Path: string
  /** BLAKE2b-512 of a phase-1 file that is not one of the public ones. */
  readonly acceptedPhase1Hash?: string
  readonly zkeyPath: string
  readonly parties: readonly string[]
  readonly beacon: AnnouncedBeacon | null
  readonly onProgress?: OnProgress
  readonly derive?: Derive
}

/** The initial key, which everybody can make again, and the announcement. */
export async function initCeremony(options: InitOptions): Promise<Made> {
  const { zkeyPath, parties, beacon, onProgress = () => {}, derive = DERIVE } = options
  assertNew(zkeyPath)
  for (const party of parties) assertName(party)
  if (new Set(parties).size !== parties.length) throw new Error('a party is announced twice')
  if (beacon !== null) {
    assertIterations(beacon.iterationsLog2)
    if (beacon.source.trim() === '') throw new Error('a beacon must be announced with its source')
  }
  onProgress('hashing the phase-1 file')
  const phase1 = await checkPhaseOne(options.phase1Path, options.acceptedPhase1Hash)
  const circuit = await derive.compile(options.circuit, onProgress)
  try {
    const { constraints, publicSignals } = circuit.identity
    const needed = powerFor({ nConstraints: constraints, nPublic: publicSignals })
    if (needed > phase1.power)
      throw new CeremonyFailure(
        'PhaseOneMustBeWhole',
        `${options.phase1Path} has 2^${phase1.power}, the circuit needs 2^${needed}`,
      )
    onProgress(`writing the initial key of ${constraints} constraints`)
    mkdirSync(dirname(zkeyPath), { recursive: true })
    await derive.initialKey(circuit.r1csPath, phase1.path, zkeyPath)
    const key = await readKeyFile(zkeyPath)
    const { power, blake2b, isPublic } = phase1
    const transcript: Transcript = {
      format: FORMAT,
      circuit: circuit.identity,
      phase1: { power, blake2b, isPublic },
      announced: { parties, beacon },
      steps: [{ kind: 'init', circuitHash: key.circuitHash, zkeySha256: key.sha256 }],
    }
    writeTranscript(zkeyPath, transcript)
    return { key, transcript }
  } finally {
    circuit.remove()
  }
}

export type ContributeOptions = {
  readonly from: string
  readonly to: string
  readonly name: string
  /** What the party typed; mixed with 128 bytes from the operating system, never used alone. */
  readonly typed?: string
}

/** One party's contribution. Its secret lives in this process only and is written nowhere. */
export async function contribute(options: ContributeOptions): Promise<Made> {
  const { from, to, name, typed = '' } = options
  assertName(name)
  assertNew(to)
  const before = await openCeremony(from)
  const { parties } = before.transcript.announced
  if (parties.length > 0 && !parties.includes(name))
    throw new Error(`"${name}" must be one of the announced parties: ${parties.join(', ')}`)
  await contributeTo(from, to, name, typed)
  return record(before, to, ({ hash, zkeySha256 }) => ({
    kind: 'contribution',
    name,
    contributionHash: hash,
    zkeySha256,
  }))
}

export type BeaconOptions = { readonly from: string; readonly to: string; readonly value: string }

/** Applies the beacon that was announced: the last step, which anybody can repeat. */
export async function beacon({ from, to, value }: BeaconOptions): Promise<Made> {
  assertBeaconValue(value)
  assertNew(to)
  const before = await openCeremony(from)
  const announced = before.transcript.announced.beacon
  if (announced === null)
    throw new CeremonyFailure(
      'BeaconMustBeAsAnnounced',
      'no beacon was announced at the init; a value that is chosen afterwards binds nobody',
    )
  assertIterations(announced.iterationsLog2)
  const name = 'beacon'
  await applyBeacon(from, to, name, value, announced.iterationsLog2)
  return record(before, to, ({ hash, zkeySha256 }) => ({
    kind: 'beacon',
    name,
    value,
    contributionHash: hash,
    zkeySha256,
  }))
}

export type Exported = {
  readonly verificationKeyPath: string
  readonly verifierPath: string
  readonly contractName: string
  /** SHA-256 of the verification key as the contract and the audit have it. */
  readonly keyHash: string
}

/** Writes what a deployment needs; refuses a key that anybody can forge proofs for. */
export async function exportKey(zkeyPath: string, outDir: string): Promise<Exported> {
  const { key, transcript } = await readAgreed(zkeyPath)
  if (!key.contributions.some(({ kind }) => kind === 'contribution'))
    throw new CeremonyFailure(
      'KeyMustBeContributedTo',
      `nobody contributed to ${zkeyPath}: anybody can forge proofs for it`,
    )
  const { name } = transcript.circuit
  const contractName = contractNameOf(name)
  const verificationKey = await exportVerificationKey(zkeyPath)
  const source = await exportSolidityVerifier(zkeyPath, contractName)
  mkdirSync(outDir, { recursive: true })
  const verificationKeyPath = join(outDir, `${name}.vkey.json`)
  const verifierPath = join(outDir, `${contractName}.sol`)
  writeFileSync(verificationKeyPath, `${JSON.stringify(verificationKey, null, 1)}\n`)
  writeFileSync(verifierPath, source)
  const keyHash = hashOfVerificationKey(verificationKey)
  return { verificationKeyPath, verifierPath, contractName, keyHash }
}

/** `VerifierSmall` of `small`: a name that a contract may have. */
export function contractNameOf(circuit: string): string {
  const words = circuit.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return `Verifier${words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join('')}`
}

/** A key with its transcript, if they agree and something may follow. */
async function openCeremony(zkeyPath: string): Promise<Made> {
  const { key, transcript } = await readAgreed(zkeyPath)
  if (key.contributions.at(-1)?.kind === 'beacon')
    throw new CeremonyFailure('BeaconMustBeLast', `${zkeyPath} already ends with its beacon`)
  return { key, transcript }
}

async function record(
  before: Made,
  to: string,
  stepOf: (made: { hash: string; zkeySha256: string }) => Step,
): Promise<Made> {
  const key = await readKeyFile(to)
  const added = key.contributions.at(-1)
  const kept = before.key.contributions.every(({ hash }, i) => hash === key.contributions[i]?.hash)
  if (
    added === undefined ||
    !kept ||
    key.contributions.length !== before.key.contributions.length + 1
  )
    throw new Error(`${to} does not have one contribution more than the key before it`)
  const step = stepOf({ hash: added.hash, zkeySha256: key.sha256 })
  const transcript = { ...before.transcript, steps: [...before.transcript.steps, step] }
  writeTranscript(to, transcript)
  return { key, transcript }
}

function assertNew(zkeyPath: string): void {
  const transcript = transcriptPathOf(zkeyPath)
  for (const path of [zkeyPath, transcript]) {
    if (!existsSync(path)) continue
    const left =
      path === zkeyPath && !existsSync(transcript)
        ? '; it has no transcript, as a step leaves it that was interrupted: remove it and begin again'
        : ''
    throw new CeremonyFailure('StepMustNotOverwrite', `${path} exists already${left}`)
  }
}
