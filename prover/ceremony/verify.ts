/**
 * Verification of a ceremony, believing nobody: circuit and initial key are made again from the
 * sources of this checkout, the chain of contributions is followed, and a proof is forged.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../artifacts.ts'
import { disagreements, givenSteps, short } from './agreement.ts'
import { checkForgery, type VerifierHashes } from './attempt.ts'
import { DERIVE, type CeremonyCircuit, type Derive } from './circuit.ts'
import { CeremonyFailure, type CeremonyRule, type Checks } from './failure.ts'
import { checkPhaseOne, type PhaseOne } from './phase1.ts'
import { complaintOf } from './phase2.ts'
import {
  announcementHash,
  readTranscript,
  sealProblem,
  transcriptPathOf,
  type Transcript,
} from './transcript.ts'
import { readKeyFile, type KeyFile } from './zkey-file.ts'

export type VerifyOptions = {
  /** The circuit that the key is asked for: by its name, or a .circom file. */
  readonly circuit: string
  readonly zkeyPath: string
  readonly phase1Path: string
  readonly acceptedPhase1Hash?: string
  readonly transcriptPath?: string
  /** The announcement's hash as it was published before the first contribution. */
  readonly announcement?: string
  /** Contribution hashes that parties published; each must be in the key. */
  readonly published?: readonly string[]
  /** The value that the announced source gave, as the verifier looked it up. */
  readonly beaconValue?: string
  readonly onProgress?: (what: string) => void
  /** The default makes everything anew, never from a cache. */
  readonly derive?: Derive
}
export type CeremonyCheck = {
  readonly must: CeremonyRule
  readonly verdict: 'held' | 'failed' | 'unchecked'
  readonly detail: string
}
export type CeremonyReport = {
  readonly checks: readonly CeremonyCheck[]
  readonly verdict: 'held' | 'failed' | 'unchecked'
  readonly contributions: KeyFile['contributions']
  readonly announcement: string | null
  /** What was not given to compare with: of these things there is the transcript's word alone. */
  readonly notCompared: readonly string[]
} & VerifierHashes

/** Never throws for what is wrong with the ceremony; the report says it. */
export async function verifyCeremony(options: VerifyOptions): Promise<CeremonyReport> {
  const list: CeremonyCheck[] = []
  const add = (must: CeremonyRule, verdict: CeremonyCheck['verdict'], detail: string): void =>
    void list.push({ must, verdict, detail })
  const checks: Checks = {
    held: (must, detail) => add(must, 'held', detail),
    failed: (must, detail) => add(must, 'failed', detail),
    unchecked: (must, detail) => add(must, 'unchecked', detail),
    attempt: async (must, work) => {
      try {
        return await work()
      } catch (error) {
        if (error instanceof CeremonyFailure) add(error.rule, 'failed', error.detail)
        else add(must, 'unchecked', error instanceof Error ? error.message : String(error))
        return null
      }
    },
  }
  const key = await checks.attempt('KeyFileMustBeWhole', () => readKeyFile(options.zkeyPath))
  let announcement: string | null = null
  let made: VerifierHashes = NOTHING_MADE
  if (key !== null) {
    checks.held('KeyFileMustBeWhole', `${key.contributions.length} contributions, ${key.path}`)
    const transcript = await checks.attempt('TranscriptMustBeWellFormed', async () =>
      readTranscript(options.transcriptPath ?? transcriptPathOf(options.zkeyPath)),
    )
    announcement = transcript === null ? null : announcementHash(transcript)
    checkHistory(options, key, transcript, checks)
    made = await checkOrigin(options, key, transcript, checks)
    // Last, where nothing else says what was changed.
    const broken = transcript === null ? null : sealProblem(transcript)
    if (broken !== null && list.every(({ verdict }) => verdict !== 'failed'))
      checks.failed(broken.rule, broken.detail)
  }
  const has = (verdict: CeremonyCheck['verdict']): boolean =>
    list.some((check) => check.verdict === verdict)
  return {
    checks: list,
    verdict: has('failed') ? 'failed' : has('unchecked') ? 'unchecked' : 'held',
    contributions: key?.contributions ?? [],
    announcement,
    notCompared: notCompared(options),
    ...made,
  }
}

function notCompared({ announcement, published = [], beaconValue }: VerifyOptions): string[] {
  return [
    ...(announcement === undefined
      ? ['the announcement: that parties and beacon are those announced before the first step']
      : []),
    ...(published.length === 0
      ? ['hashes that parties published: that a contribution is of the party it is named for']
      : []),
    ...(beaconValue === undefined ? ['the beacon: that its source gave this value'] : []),
  ]
}

const NOTHING_MADE = { keyHash: null, verifierSha256: null }

/** What the key and the transcript say, without any cryptography. */
function checkHistory(
  { announcement, published = [], beaconValue }: VerifyOptions,
  key: KeyFile,
  transcript: Transcript | null,
  checks: Checks,
): void {
  const { contributions } = key
  const parties = contributions.filter(({ kind }) => kind === 'contribution')
  if (parties.length > 0) checks.held('KeyMustBeContributedTo', `by ${namesOf(parties)}`)
  else
    checks.failed(
      'KeyMustBeContributedTo',
      contributions.length === 0
        ? 'nobody contributed: delta equals gamma and anybody can forge'
        : 'only a beacon contributed: its secret is public and anybody can forge',
    )
  const unseen = published.filter((hash) =>
    contributions.every((contribution) => contribution.hash !== hash.toLowerCase()),
  )
  for (const hash of unseen)
    checks.failed('PublishedContributionMustBeInKey', `${hash} was published, it is not in the key`)
  if (published.length > 0 && unseen.length === 0)
    checks.held('PublishedContributionMustBeInKey', `all ${published.length} are`)
  if (transcript === null) return
  if (announcement !== undefined) {
    const found = announcementHash(transcript)
    if (found === announcement.toLowerCase()) checks.held('AnnouncementMustMatch', found)
    else checks.failed('AnnouncementMustMatch', `the transcript's is ${found}, not ${announcement}`)
  }
  const differences = disagreements(transcript, key)
  for (const { rule, detail } of differences) checks.failed(rule, detail)
  if (differences.length === 0)
    checks.held('TranscriptMustMatchKey', `in all ${givenSteps(transcript).length} steps`)
  const absent = transcript.announced.parties.filter((name) =>
    parties.every((contribution) => contribution.name !== name),
  )
  if (absent.length > 0)
    checks.failed('PartyMustHaveContributed', `${absent.join(', ')} announced, not in the key`)
  else if (transcript.announced.parties.length > 0)
    checks.held('PartyMustHaveContributed', `all ${transcript.announced.parties.length} have`)
  const problem = beaconProblem(contributions, transcript, beaconValue)
  if (problem !== null) checks.failed('BeaconMustBeAsAnnounced', problem)
  else checks.held('BeaconMustBeAsAnnounced', beaconWords(contributions, transcript))
}

function namesOf(contributions: KeyFile['contributions']): string {
  return contributions.map(({ name }) => `"${name}"`).join(', ')
}

function beaconProblem(
  contributions: KeyFile['contributions'],
  { announced }: Transcript,
  value: string | undefined,
): string | null {
  const beacons = contributions.filter(({ kind }) => kind === 'beacon')
  const last = contributions.at(-1)?.beacon ?? null
  if (announced.beacon === null)
    return beacons.length > 0 || value !== undefined ? 'no beacon was announced' : null
  if (last === null && beacons.length > 0) return 'something follows the beacon'
  if (last === null) return `a beacon of ${announced.beacon.source} was announced, none was applied`
  if (beacons.length > 1) return `${beacons.length} beacons were applied`
  const { iterationsLog2 } = announced.beacon
  if (last.iterationsLog2 !== iterationsLog2)
    return `2^${iterationsLog2} iterations were announced, 2^${last.iterationsLog2} applied`
  if (value !== undefined && value.toLowerCase() !== last.value)
    return `${announced.beacon.source} gave ${value}, the key has ${last.value}`
  return null
}

function beaconWords(contributions: KeyFile['contributions'], { announced }: Transcript): string {
  const last = contributions.at(-1)?.beacon ?? null
  if (announced.beacon === null || last === null) return 'none was announced, none applied'
  return `look up that ${announced.beacon.source} gave ${last.value}`
}

/** The cryptography: circuit, initial key, chain, forgery. */
async function checkOrigin(
  options: VerifyOptions,
  key: KeyFile,
  transcript: Transcript | null,
  checks: Checks,
): Promise<VerifierHashes> {
  const { onProgress = () => {}, derive = DERIVE } = options
  onProgress('hashing the phase-1 file')
  const phase1 = await checks.attempt('PhaseOneMustBePinned', () =>
    checkPhaseOne(options.phase1Path, options.acceptedPhase1Hash),
  )
  if (phase1 !== null) checkPhaseOneWords(phase1, transcript, checks)
  const circuit = await checks.attempt('CircuitMustMatch', () =>
    derive.compile(options.circuit, onProgress),
  )
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  const work = mkdtempSync(join(PROJECT_ROOT, '.cache', 'verify-'))
  try {
    if (circuit !== null) checkCircuit(circuit, key, transcript, checks)
    const initPath = join(work, 'init.zkey')
    const isDerived =
      phase1 !== null &&
      circuit !== null &&
      (await checkChain(options, initPath, circuit, phase1, key, transcript, checks))
    onProgress('forging a proof')
    const identity = circuit?.identity ?? transcript?.circuit ?? { name: 'key', r1csSha256: '' }
    return (
      (await checks.attempt('ForgeryMustFail', () =>
        checkForgery(options.zkeyPath, isDerived ? initPath : null, key, identity, checks),
      )) ?? NOTHING_MADE
    )
  } finally {
    circuit?.remove()
    rmSync(work, { recursive: true, force: true })
  }
}

function checkPhaseOneWords(phase1: PhaseOne, transcript: Transcript | null, checks: Checks): void {
  const said = transcript?.phase1
  if (said !== undefined && said.blake2b !== phase1.blake2b)
    checks.failed(
      'PhaseOneMustBePinned',
      `${phase1.path} has ${short(phase1.blake2b)}, the transcript has ${short(said.blake2b)}`,
    )
  else if (said !== undefined && (said.power !== phase1.power || said.isPublic !== phase1.isPublic))
    checks.failed(
      'PhaseOneMustBePinned',
      `the transcript calls it ${sizeWords(said)}, it is ${sizeWords(phase1)}`,
    )
  else if (phase1.isPublic)
    checks.held('PhaseOneMustBePinned', `2^${phase1.power} of the public ceremony`)
  else
    checks.held(
      'PhaseOneMustBePinned',
      `2^${phase1.power} with the hash that was given; NOT of the public ceremony`,
    )
}

function sizeWords({ power, isPublic }: Transcript['phase1']): string {
  return `2^${power}, ${isPublic ? 'public' : 'not public'}`
}

function checkCircuit(
  { identity }: CeremonyCircuit,
  key: KeyFile,
  transcript: Transcript | null,
  checks: Checks,
): void {
  const said = transcript?.circuit
  const words = `${identity.name}, ${identity.constraints} constraints, r1cs ${identity.r1csSha256}`
  if (said !== undefined && said.r1csSha256 !== identity.r1csSha256)
    checks.failed(
      'CircuitMustMatch',
      `the transcript is of ${said.name} with r1cs ${short(said.r1csSha256)}, this checkout ` +
        `compiles ${words}`,
    )
  else if (
    said !== undefined &&
    (said.name !== identity.name ||
      said.constraints !== identity.constraints ||
      said.publicSignals !== identity.publicSignals)
  )
    checks.failed(
      'CircuitMustMatch',
      `the transcript is of ${said.name} with ${said.constraints} constraints and ` +
        `${said.publicSignals} public signals, this checkout compiles ${words}`,
    )
  else if (key.nPublic !== identity.publicSignals)
    checks.failed(
      'CircuitMustMatch',
      `the key has ${key.nPublic} public signals, this checkout compiles ${words}`,
    )
  else checks.held('CircuitMustMatch', words)
}

/** Whether the initial key could be made; it stays at `initPath`. */
async function checkChain(
  { onProgress = () => {}, derive = DERIVE }: VerifyOptions,
  initPath: string,
  circuit: CeremonyCircuit,
  phase1: PhaseOne,
  key: KeyFile,
  transcript: Transcript | null,
  checks: Checks,
): Promise<boolean> {
  onProgress(`making the initial key of ${circuit.identity.constraints} constraints again`)
  const init = await checks.attempt('KeyMustStartFromCircuit', async () => {
    await derive.initialKey(circuit.r1csPath, phase1.path, initPath)
    return readKeyFile(initPath)
  })
  if (init === null) return false
  const said = transcript?.steps[0]?.zkeySha256
  if (init.circuitHash !== key.circuitHash)
    checks.failed(
      'KeyMustStartFromCircuit',
      `the key is of another circuit or phase 1: it starts from ${short(key.circuitHash)}, ` +
        `${circuit.identity.name} of this checkout gives ${short(init.circuitHash)}`,
    )
  else if (said !== undefined && said !== init.sha256)
    checks.failed(
      'KeyMustStartFromCircuit',
      `the transcript's first file has SHA-256 ${short(said)}, the circuit gives ` +
        short(init.sha256),
    )
  else checks.held('KeyMustStartFromCircuit', `circuit hash ${short(init.circuitHash)}`)
  onProgress('following the chain of contributions')
  const complaint = await complaintOf(initPath, phase1.path, key.path)
  if (complaint === null)
    checks.held('ContributionsMustChain', `${key.contributions.length} from the initial key on`)
  else checks.failed('ContributionsMustChain', complaint)
  return true
}
