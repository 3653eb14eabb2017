/**
 * A whole ceremony on a small circuit, and everything that can be wrong with one. Phase 1 is of a
 * tau that the test knows, admitted by its hash.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isDevelopmentKey, PROJECT_ROOT } from '../../prover/artifacts.ts'
import { DERIVE, type CeremonyCircuit, type Derive } from '../../prover/ceremony/circuit.ts'
import { deployVerifier } from '../../prover/ceremony/evm.ts'
import type { CeremonyRule } from '../../prover/ceremony/failure.ts'
import { forge, forgeableOf, isRatioOf, publicGuesses } from '../../prover/ceremony/forge.ts'
import { blake2bOf, checkPhaseOne } from '../../prover/ceremony/phase1.ts'
import { applyBeacon, contributeTo, writeInitialKey } from '../../prover/ceremony/phase2.ts'
import { beacon, contribute, exportKey, initCeremony } from '../../prover/ceremony/steps.ts'
import {
  announcementHash,
  readTranscript,
  sealOf,
  transcriptPathOf,
  type SealedTranscript,
  type Transcript,
} from '../../prover/ceremony/transcript.ts'
import {
  verifyCeremony,
  type CeremonyReport,
  type VerifyOptions,
} from '../../prover/ceremony/verify.ts'
import { readKeyFile, sha256Of } from '../../prover/ceremony/zkey-file.ts'
import { ceremonyKeyOfCircuit } from '../../prover/ceremony-key.ts'
import { circuitVerifierSource } from '../../prover/circuit-key.ts'
import { deriveToxicWaste, writeDevelopmentKey } from '../../prover/dev-key.ts'
import { exportSolidityVerifier, exportVerificationKey, shutdown } from '../../prover/groth16.ts'
import { writeKnownPtau } from './known-ptau.ts'

const CIRCUITS = join(PROJECT_ROOT, 'test', 'prover', 'circuits')
const CIRCUIT = join(CIRCUITS, 'opening.circom')
const BEACON_VALUE = 'ab'.repeat(32)
const BEACON = { source: 'the hash of block 20000000', iterationsLog2: 10 }

/** Each circuit compiled once, by the compiler that verification uses by itself. */
const circuits = new Map<string, CeremonyCircuit>()
async function compile(file: string): Promise<CeremonyCircuit> {
  const known = circuits.get(file) ?? (await DERIVE.compile(file))
  circuits.set(file, known)
  return { ...known, remove: () => {} }
}

/** Each initial key once, too. */
const initialKeys = new Map<string, string>()
const derive: Derive = {
  compile,
  initialKey: async (r1csPath, phase1, zkeyPath) => {
    const made = `${r1csPath} ${await blake2bOf(phase1)}`
    const known = initialKeys.get(made)
    if (known !== undefined) return copyFileSync(known, zkeyPath)
    const kept = at(`kept-${initialKeys.size}.zkey`)
    await DERIVE.initialKey(r1csPath, phase1, kept)
    initialKeys.set(made, kept)
    copyFileSync(kept, zkeyPath)
  },
}

let dir: string
let phase1Path: string
let phase1Hash: string
const at = (file: string): string => join(dir, file)

beforeAll(async () => {
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-ceremony-'))
  phase1Path = at('known.ptau')
  writeKnownPtau(phase1Path, 9, deriveToxicWaste('ceremony test', Buffer.alloc(32)))
  phase1Hash = await blake2bOf(phase1Path)
  await initCeremony({
    circuit: CIRCUIT,
    phase1Path,
    acceptedPhase1Hash: phase1Hash,
    zkeyPath: at('0.zkey'),
    parties: ['Ann', 'Ben', 'Cyd'],
    beacon: BEACON,
  })
  await contribute({ from: at('0.zkey'), to: at('1.zkey'), name: 'Ann' })
  await contribute({ from: at('1.zkey'), to: at('2.zkey'), name: 'Ben', typed: 'dice: 4 1 6' })
  await contribute({ from: at('2.zkey'), to: at('3.zkey'), name: 'Cyd' })
  await beacon({ from: at('3.zkey'), to: at('4.zkey'), value: BEACON_VALUE })
})

afterAll(async () => {
  await shutdown()
  for (const { remove } of circuits.values()) remove()
  rmSync(dir, { recursive: true, force: true })
})

function verify(zkeyPath: string, more: Partial<VerifyOptions> = {}): Promise<CeremonyReport> {
  return verifyCeremony({
    circuit: CIRCUIT,
    zkeyPath,
    phase1Path,
    acceptedPhase1Hash: phase1Hash,
    derive,
    ...more,
  })
}

const failedIn = (report: CeremonyReport): CeremonyRule[] =>
  report.checks.filter(({ verdict }) => verdict === 'failed').map(({ must }) => must)
const detailOf = (report: CeremonyReport, rule: CeremonyRule): string =>
  [...report.checks]
    .sort((a, b) => Number(b.verdict === 'failed') - Number(a.verdict === 'failed'))
    .find(({ must }) => must === rule)?.detail ?? ''

/** A copy of a key with a transcript that was changed on the way. */
function altered(from: string, name: string, change: (told: SealedTranscript) => unknown): string {
  const to = at(`${name}.zkey`)
  copyFileSync(from, to)
  const told = JSON.parse(readFileSync(transcriptPathOf(from), 'utf8')) as SealedTranscript
  writeFileSync(transcriptPathOf(to), JSON.stringify(change(told)))
  return to
}

const sealedAnew = (told: Transcript) => ({ ...told, seal: sealOf(told) })
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
const editStep = (told: Transcript, index: number, edit: object): Transcript => ({
  ...told,
  steps: told.steps.map((step, i) => (i === index ? { ...step, ...edit } : step)) as Mutable<
    Transcript['steps']
  >,
})

describe('a ceremony of three parties and a beacon', () => {
  it('holds in every check', async () => {
    const published = readTranscript(at('4.transcript.json')).steps.flatMap((step) =>
      step.kind === 'contribution' ? [step.contributionHash] : [],
    )
    const announcement = announcementHash(readTranscript(at('0.transcript.json')))
    const report = await verify(at('4.zkey'), {
      published,
      announcement,
      beaconValue: BEACON_VALUE,
      derive: DERIVE,
    })
    expect(report.checks.filter(({ verdict }) => verdict !== 'held')).toEqual([])
    expect(report.checks.map(({ must }) => must).sort()).toEqual([
      'AnnouncementMustMatch',
      'BeaconMustBeAsAnnounced',
      'CircuitMustMatch',
      'ContributionsMustChain',
      'DeltaMustNotBeGamma',
      'ForgeryMustFail',
      'KeyFileMustBeWhole',
      'KeyMustBeContributedTo',
      'KeyMustStartFromCircuit',
      'PartyMustHaveContributed',
      'PhaseOneMustBePinned',
      'PublishedContributionMustBeInKey',
      'TranscriptMustMatchKey',
    ])
    expect(report.verdict).toBe('held')
    expect(report.contributions.map(({ name }) => name)).toEqual(['Ann', 'Ben', 'Cyd', 'beacon'])
  })

  it('gives contribution hashes that snarkjs prints itself', async () => {
    const { zKey } = await import('snarkjs')
    const hash = await zKey.contribute(at('0.zkey'), at('direct.zkey'), 'Dot', 'text')
    const [contribution] = (await readKeyFile(at('direct.zkey'))).contributions
    expect(contribution?.hash).toBe(Buffer.from(hash).toString('hex'))
    const log: string[] = []
    const logger = {
      error: () => {},
      warn: () => {},
      debug: () => {},
      info: (s: string) => void log.push(s),
    }
    expect(await zKey.verifyFromInit(at('0.zkey'), phase1Path, at('4.zkey'), logger)).toBe(true)
    const words = log.join('\n').replaceAll(/\s/g, '')
    const { contributions } = await readKeyFile(at('4.zkey'))
    expect(contributions).toHaveLength(4)
    for (const { hash: ours } of contributions) expect(words).toContain(ours)
  })

  it('makes the same initial key again, and never the same contribution', async () => {
    const circuit = await compile(CIRCUIT)
    await writeInitialKey(circuit.r1csPath, phase1Path, at('again.zkey'))
    expect(await sha256Of(at('again.zkey'))).toBe(await sha256Of(at('0.zkey')))
    await contribute({ from: at('0.zkey'), to: at('1b.zkey'), name: 'Ann' })
    const hashes = await Promise.all(['1.zkey', '1b.zkey'].map((file) => readKeyFile(at(file))))
    expect(hashes[0]?.contributions[0]?.hash).not.toBe(hashes[1]?.contributions[0]?.hash)
  })

  it('exports the verification key and a verifier for Solidity', async () => {
    const exported = await exportKey(at('4.zkey'), at('out'))
    const report = await verify(at('4.zkey'))
    expect(exported.contractName).toBe('VerifierOpening')
    expect(report.keyHash).toBe(exported.keyHash)
    expect(JSON.parse(readFileSync(exported.verificationKeyPath, 'utf8'))).toEqual(
      await exportVerificationKey(at('4.zkey')),
    )
    const source = readFileSync(exported.verifierPath, 'utf8')
    expect(source).toContain('contract VerifierOpening {')
    expect(source).not.toContain('DEVELOPMENT')
  })
})

describe('verification names what is wrong', () => {
  it('a key that nobody contributed to: snarkjs calls it good, and it is forged', async () => {
    const { zKey } = await import('snarkjs')
    expect(await zKey.verifyFromInit(at('0.zkey'), phase1Path, at('0.zkey'))).toBe(true)
    const report = await verify(at('0.zkey'))
    expect(failedIn(report).sort()).toEqual([
      'BeaconMustBeAsAnnounced',
      'DeltaMustNotBeGamma',
      'ForgeryMustFail',
      'KeyMustBeContributedTo',
      'PartyMustHaveContributed',
    ])
    expect(detailOf(report, 'ForgeryMustFail')).toContain('accepted a forged proof')
    await expect(exportKey(at('0.zkey'), at('none'))).rejects.toThrow('KeyMustBeContributedTo')
  })

  it('a key that only a beacon contributed to: delta differs from gamma, and it is forged', async () => {
    await initCeremony({
      circuit: CIRCUIT,
      phase1Path,
      acceptedPhase1Hash: phase1Hash,
      zkeyPath: at('lone-0.zkey'),
      parties: [],
      beacon: BEACON,
      derive,
    })
    await beacon({ from: at('lone-0.zkey'), to: at('lone.zkey'), value: BEACON_VALUE })
    const report = await verify(at('lone.zkey'))
    expect(failedIn(report)).toEqual(['KeyMustBeContributedTo', 'ForgeryMustFail'])
    expect(detailOf(report, 'ForgeryMustFail')).toContain('beacon')
    await expect(exportKey(at('lone.zkey'), at('none'))).rejects.toThrow('KeyMustBeContributedTo')
  })

  it('a skipped contribution, by the name of who was skipped', async () => {
    // The coordinator passes Ann's key on to Cyd, past Ben, and keeps Ben in the transcript.
    await contributeTo(at('1.zkey'), at('skipped-raw.zkey'), 'Cyd', '')
    const cyd = (await readKeyFile(at('skipped-raw.zkey'))).contributions[1]
    copyFileSync(at('skipped-raw.zkey'), at('skipped.zkey'))
    const whole = readTranscript(at('2.transcript.json'))
    const step = {
      kind: 'contribution',
      name: 'Cyd',
      contributionHash: cyd?.hash,
      zkeySha256: await sha256Of(at('skipped.zkey')),
    }
    const announced = { ...whole.announced, beacon: null }
    writeFileSync(
      at('skipped.transcript.json'),
      JSON.stringify({ ...whole, announced, steps: [...whole.steps, step] }),
    )
    const report = await verify(at('skipped.zkey'))
    expect(failedIn(report)).toEqual(['ContributionMustNotBeSkipped', 'PartyMustHaveContributed'])
    expect(detailOf(report, 'ContributionMustNotBeSkipped')).toContain('contribution 2 of "Ben"')
    // Without Ben in the transcript, what Ben published and what was announced still tell.
    const benGone = altered(at('skipped.zkey'), 'ben-gone', (told) =>
      sealedAnew({
        ...told,
        announced: { ...told.announced, parties: ['Ann', 'Cyd'] },
        steps: told.steps.filter((_, i) => i !== 2),
      }),
    )
    const alone = await verify(benGone)
    expect(alone.verdict).toBe('held')
    expect(alone.notCompared).toEqual([
      expect.stringContaining('announcement'),
      expect.stringContaining('published'),
      expect.stringContaining('beacon'),
    ])
    const ben = whole.steps[2]
    const told = await verify(benGone, {
      published: [ben?.kind === 'contribution' ? ben.contributionHash : ''],
      announcement: announcementHash(whole),
    })
    expect(failedIn(told)).toEqual(['PublishedContributionMustBeInKey', 'AnnouncementMustMatch'])
  })

  it.each<[string, (told: SealedTranscript) => unknown, CeremonyRule, string]>([
    ['another name', (t) => editStep(t, 1, { name: 'Eve' }), 'TranscriptMustMatchKey', 'Eve'],
    [
      'another hash of a contribution',
      (t) => editStep(t, 2, { contributionHash: '0'.repeat(128) }),
      'ContributionMustNotBeSkipped',
      'contribution 2 of "Ben"',
    ],
    [
      'two contributions changed about',
      (t) => ({ ...t, steps: [0, 2, 1, 3, 4].map((i) => t.steps[i]) }),
      'TranscriptMustMatchKey',
      'contribution 1 of the key',
    ],
    [
      'a contribution left out',
      (t) => ({ ...t, steps: t.steps.filter((_, i) => i !== 4) }),
      'TranscriptMustMatchKey',
      'contribution 4 of the key',
    ],
    [
      'another last file',
      (t) => editStep(t, 4, { zkeySha256: '0'.repeat(64) }),
      'TranscriptMustMatchKey',
      'SHA-256',
    ],
    [
      'another value of the beacon',
      (t) => editStep(t, 4, { value: 'cd'.repeat(32) }),
      'TranscriptMustMatchKey',
      'beacon value',
    ],
    [
      'another initial key',
      (t) => editStep(t, 0, { zkeySha256: '0'.repeat(64) }),
      'KeyMustStartFromCircuit',
      'first file',
    ],
    [
      'another circuit hash',
      (t) => editStep(t, 0, { circuitHash: '0'.repeat(128) }),
      'TranscriptMustMatchKey',
      'circuit hash',
    ],
    [
      'another phase 1',
      (t) => ({ ...t, phase1: { ...t.phase1, blake2b: '0'.repeat(128) } }),
      'PhaseOneMustBePinned',
      'the transcript has',
    ],
    [
      'another r1cs',
      (t) => ({ ...t, circuit: { ...t.circuit, r1csSha256: '0'.repeat(64) } }),
      'CircuitMustMatch',
      'the transcript is of opening',
    ],
    [
      'one party more announced',
      (t) => ({ ...t, announced: { ...t.announced, parties: ['Ann', 'Ben', 'Cyd', 'Dot'] } }),
      'PartyMustHaveContributed',
      'Dot',
    ],
    [
      'the beacon unannounced',
      (t) => ({ ...t, announced: { ...t.announced, beacon: null } }),
      'BeaconMustBeAsAnnounced',
      'no beacon was announced',
    ],
    [
      'other iterations announced',
      (t) => ({ ...t, announced: { ...t.announced, beacon: { ...BEACON, iterationsLog2: 11 } } }),
      'BeaconMustBeAsAnnounced',
      '2^11',
    ],
    [
      'another file between the first and the last',
      (t) => editStep(t, 2, { zkeySha256: '0'.repeat(64) }),
      'TranscriptMustMatchKey',
      'not as its last step left it',
    ],
    [
      'another source of the beacon',
      (t) => ({ ...t, announced: { ...t.announced, beacon: { ...BEACON, source: 'a die' } } }),
      'TranscriptMustMatchKey',
      'not as its last step left it',
    ],
    [
      'a field that nobody knows',
      (t) => ({ ...t, circuit: { ...t.circuit, note: 'trust me' } }),
      'TranscriptMustMatchKey',
      'not as its last step left it',
    ],
    ['no seal', ({ seal: _, ...t }) => t, 'TranscriptMustBeWellFormed', 'seal'],
    [
      'another name of the circuit, sealed anew',
      (t) => sealedAnew({ ...t, circuit: { ...t.circuit, name: 'small' } }),
      'CircuitMustMatch',
      'the transcript is of small',
    ],
    [
      'another number of constraints, sealed anew',
      (t) => sealedAnew({ ...t, circuit: { ...t.circuit, constraints: 9 } }),
      'CircuitMustMatch',
      'with 9 constraints',
    ],
    [
      'another number of public signals, sealed anew',
      (t) => sealedAnew({ ...t, circuit: { ...t.circuit, publicSignals: 9 } }),
      'CircuitMustMatch',
      '9 public signals',
    ],
    [
      'another size of phase 1, sealed anew',
      (t) => sealedAnew({ ...t, phase1: { ...t.phase1, power: 28 } }),
      'PhaseOneMustBePinned',
      'calls it 2^28, not public',
    ],
    [
      'a phase 1 that is called public, sealed anew',
      (t) => sealedAnew({ ...t, phase1: { ...t.phase1, isPublic: true } }),
      'PhaseOneMustBePinned',
      'calls it 2^9, public',
    ],
    ['not a transcript', () => [], 'TranscriptMustBeWellFormed', 'form'],
  ])('a transcript with %s', async (what, change, rule, words) => {
    const key = altered(at('4.zkey'), `told-${what.replaceAll(' ', '-')}`, change)
    const report = await verify(key)
    expect([...new Set(failedIn(report))]).toEqual([rule])
    expect(detailOf(report, rule)).toContain(words)
  })

  it('a beacon of another value than its source gave', async () => {
    const report = await verify(at('4.zkey'), { beaconValue: 'cd'.repeat(32) })
    expect(failedIn(report)).toEqual(['BeaconMustBeAsAnnounced'])
  })

  it('a beacon that nobody applied', async () => {
    expect(failedIn(await verify(at('3.zkey')))).toEqual(['BeaconMustBeAsAnnounced'])
  })

  it.each(['opening-of-three', 'opening-of-another-tag'])(
    'a key of another circuit: %s',
    async (name) => {
      const report = await verify(at('4.zkey'), { circuit: join(CIRCUITS, `${name}.circom`) })
      expect(failedIn(report).sort()).toEqual([
        'CircuitMustMatch',
        'ContributionsMustChain',
        'KeyMustStartFromCircuit',
      ])
      expect(detailOf(report, 'KeyMustStartFromCircuit')).toContain('another circuit')
    },
  )

  it('a key of another circuit whose transcript was made to fit', async () => {
    const other = await compile(join(CIRCUITS, 'opening-of-another-tag.circom'))
    const key = altered(at('4.zkey'), 'fitted', (told) => ({ ...told, circuit: other.identity }))
    const report = await verify(key, { circuit: join(CIRCUITS, 'opening-of-another-tag.circom') })
    expect(failedIn(report)).toEqual(['KeyMustStartFromCircuit', 'ContributionsMustChain'])
  })

  it('a phase-1 file with the wrong hash', async () => {
    const report = await verify(at('4.zkey'), { acceptedPhase1Hash: '0'.repeat(128) })
    expect(failedIn(report)).toEqual(['PhaseOneMustBePinned'])
    expect(detailOf(report, 'PhaseOneMustBePinned')).toContain(phase1Hash)
    // Without phase 1 nothing was derived, and that is not passed over.
    expect(report.checks.find(({ must }) => must === 'ForgeryMustFail')?.verdict).toBe('unchecked')
    const flipped = readFileSync(phase1Path)
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
    writeFileSync(at('flipped.ptau'), flipped)
    await expect(checkPhaseOne(at('flipped.ptau'), phase1Hash)).rejects.toThrow(
      'PhaseOneMustBePinned',
    )
    await expect(checkPhaseOne(phase1Path)).rejects.toThrow('PhaseOneMustBePinned')
  })

  it('another phase 1 of the right form', async () => {
    const path = at('other.ptau')
    writeKnownPtau(path, 9, deriveToxicWaste('another', Buffer.alloc(32)))
    const key = altered(at('4.zkey'), 'phase', (told) => told)
    const report = await verify(key, {
      phase1Path: path,
      acceptedPhase1Hash: await blake2bOf(path),
    })
    expect(failedIn(report).sort()).toEqual([
      'ContributionsMustChain',
      'KeyMustStartFromCircuit',
      'PhaseOneMustBePinned',
    ])
  })

  it.each([12, 4000, -1])('a key file cut at %s bytes', async (bytes) => {
    const whole = readFileSync(at('4.zkey'))
    writeFileSync(at(`cut${bytes}.zkey`), whole.subarray(0, bytes < 0 ? whole.length - 1 : bytes))
    const report = await verify(at(`cut${bytes}.zkey`))
    expect(failedIn(report)).toEqual(['KeyFileMustBeWhole'])
    expect(detailOf(report, 'KeyFileMustBeWhole')).toContain('cut short')
    expect(report.keyHash).toBeNull()
  })

  it('a phase-1 file cut short', async () => {
    writeFileSync(at('cut.ptau'), readFileSync(phase1Path).subarray(0, -1))
    await expect(checkPhaseOne(at('cut.ptau'), phase1Hash)).rejects.toThrow('PhaseOneMustBeWhole')
  })

  it('points of the proving key that were changed, in each of its sections', async () => {
    const whole = readFileSync(at('4.zkey'))
    for (const type of [3, 5, 6, 7, 8, 9]) {
      const bytes = Buffer.from(whole)
      const start = sectionStart(bytes, type)
      // Two points of the section change places: each stays on the curve.
      const size = type === 7 ? 128 : 64
      const found = firstTwoDifferent(bytes, start, size)
      const [one, two] = found.map((i) => Buffer.from(bytes.subarray(i, i + size)))
      two?.copy(bytes, found[0])
      one?.copy(bytes, found[1])
      const path = at(`swapped${type}.zkey`)
      writeFileSync(path, bytes)
      writeFileSync(transcriptPathOf(path), readFileSync(at('4.transcript.json')))
      expect(failedIn(await verify(path)), `section ${type}`).toEqual([
        'TranscriptMustMatchKey',
        'ContributionsMustChain',
      ])
    }
  })
})

function sectionStart(bytes: Buffer, type: number): number {
  for (let at = 12; at < bytes.length;) {
    if (bytes.readUInt32LE(at) === type) return at + 12
    at += 12 + Number(bytes.readBigUInt64LE(at + 4))
  }
  throw new Error(`no section ${type}`)
}

function firstTwoDifferent(bytes: Buffer, start: number, size: number): [number, number] {
  for (let i = start + size; ; i += size) {
    if (!bytes.subarray(start, start + size).equals(bytes.subarray(i, i + size))) return [start, i]
  }
}

describe('the forgery', () => {
  const statement = [31337n]

  it('succeeds for any statement where the ratio is known, and for no other ratio', async () => {
    const circuit = await compile(CIRCUIT)
    const development = at('opening.development.zkey')
    await writeDevelopmentKey({
      r1csPath: circuit.r1csPath,
      zkeyPath: development,
      name: 'opening',
    })
    const key = forgeableOf(await exportVerificationKey(development))
    const verifier = await deployVerifier(
      'Forged',
      await exportSolidityVerifier(development, 'Forged'),
    )
    const guesses = publicGuesses(circuit.identity, [])
    const known = guesses.filter(({ ratio }) => isRatioOf(key, ratio))
    expect(known.map(({ reason }) => reason)).toEqual(['the secret of the development key'])
    for (const { ratio } of guesses) {
      const isKnown = isRatioOf(key, ratio)
      expect(await verifier(forge(key, ratio, statement))).toBe(isKnown)
      expect(await verifier(forge(key, ratio, [0n]))).toBe(isKnown)
    }
    const [{ ratio } = { ratio: 0n }] = known
    expect(await verifier({ ...forge(key, ratio, statement), signals: [31338n] })).toBe(false)
  })

  it('knows the secret of a beacon as snarkjs derives it', async () => {
    await applyBeacon(at('0.zkey'), at('just-beacon.zkey'), 'beacon', BEACON_VALUE, 10)
    const key = await readKeyFile(at('just-beacon.zkey'))
    const guesses = publicGuesses({ name: 'opening', r1csSha256: '00' }, [
      { value: BEACON_VALUE, iterationsLog2: 10 },
    ])
    expect(guesses.map(({ ratio }) => isRatioOf(key, ratio))).toEqual([false, false, true])
    expect(isRatioOf(await readKeyFile(at('4.zkey')), guesses[2]?.ratio ?? 0n)).toBe(false)
  })
})

describe('a step refuses', () => {
  it('to follow a beacon', async () => {
    await expect(contribute({ from: at('4.zkey'), to: at('5.zkey'), name: 'Ann' })).rejects.toThrow(
      'BeaconMustBeLast',
    )
    await expect(
      beacon({ from: at('4.zkey'), to: at('5.zkey'), value: BEACON_VALUE }),
    ).rejects.toThrow('BeaconMustBeLast')
  })

  it('a beacon that was not announced', async () => {
    const key = altered(at('3.zkey'), 'unannounced', (told) =>
      sealedAnew({ ...told, announced: { ...told.announced, beacon: null } }),
    )
    await expect(beacon({ from: key, to: at('5.zkey'), value: BEACON_VALUE })).rejects.toThrow(
      'BeaconMustBeAsAnnounced',
    )
  })

  it.each(['', 'xyz', 'AB'.repeat(32), 'ab'.repeat(15), 'ab'.repeat(256)])(
    'the beacon value number %#',
    async (value) => {
      await expect(beacon({ from: at('3.zkey'), to: at('5.zkey'), value })).rejects.toThrow(
        'must be',
      )
    },
  )

  it('a party that was not announced, and a name that is none', async () => {
    const from = at('3.zkey')
    for (const name of ['Eve', '', ' Ann', 'A\nB', 'x'.repeat(65)])
      await expect(contribute({ from, to: at('5.zkey'), name })).rejects.toThrow('must be')
  })

  it('to go on from a transcript that was changed on the way', async () => {
    const from = altered(at('1.zkey'), 'changed', (told) =>
      editStep(told, 0, { zkeySha256: '0'.repeat(64) }),
    )
    await expect(contribute({ from, to: at('5.zkey'), name: 'Ben' })).rejects.toThrow(
      'not as its last step left it',
    )
  })

  it('to write over a file', async () => {
    await expect(contribute({ from: at('0.zkey'), to: at('1.zkey'), name: 'Ann' })).rejects.toThrow(
      'StepMustNotOverwrite',
    )
  })

  it('a key that does not fit its transcript', async () => {
    const key = altered(at('2.zkey'), 'misfit', (told) => editStep(told, 2, { name: 'Eve' }))
    await expect(contribute({ from: key, to: at('5.zkey'), name: 'Cyd' })).rejects.toThrow(
      'TranscriptMustMatchKey',
    )
  })

  it('a development key, under whatever name', async () => {
    const circuit = await compile(CIRCUIT)
    const zkeyPath = at('renamed.development.zkey')
    await writeDevelopmentKey({ r1csPath: circuit.r1csPath, zkeyPath, name: 'opening' })
    copyFileSync(zkeyPath, at('renamed.zkey'))
    for (const path of [zkeyPath, at('renamed.zkey')])
      expect(isDevelopmentKey({ zkeyPath: path })).toBe(true)
    expect(isDevelopmentKey({ zkeyPath: at('4.zkey') })).toBe(false)
    for (const path of [zkeyPath, at('renamed.zkey')])
      await expect(readKeyFile(path)).rejects.toThrow('KeyMustNotBeOfDevelopment')
  })

  it('a phase 1 too small for the circuit', async () => {
    const path = at('small.ptau')
    writeKnownPtau(path, 8, deriveToxicWaste('small', Buffer.alloc(32)))
    await expect(
      initCeremony({
        circuit: join(CIRCUITS, 'opening-of-three.circom'),
        phase1Path: path,
        acceptedPhase1Hash: await blake2bOf(path),
        zkeyPath: at('too-large.zkey'),
        parties: [],
        beacon: null,
        derive,
      }),
    ).rejects.toThrow('PhaseOneMustBeWhole')
  })
})

describe('a key from a directory, for a house', () => {
  /** As `ceremonyKeyOfCircuit` looks for it, with the transcript beside. */
  const keep = (name: string, zkey: string, told = transcriptPathOf(zkey)): string => {
    const folder = at(`keys-${name}`)
    mkdirSync(folder, { recursive: true })
    copyFileSync(zkey, join(folder, 'opening.zkey'))
    copyFileSync(told, join(folder, 'opening.transcript.json'))
    return folder
  }
  const read = (folder: string, entry = CIRCUIT) =>
    ceremonyKeyOfCircuit('opening', folder, undefined, entry)

  it('is the one that verification calls good, and none of development', async () => {
    const key = await read(keep('good', at('4.zkey')))
    expect(key.keyHash).toBe((await verify(at('4.zkey'))).keyHash)
    expect(isDevelopmentKey(key)).toBe(false)
    expect((await circuitVerifierSource(key)).name).toBe('VerifierOpening')
  })

  it('must be there, whole, contributed to, of this circuit and of its transcript', async () => {
    await expect(read(at('nowhere'))).rejects.toThrow('there must be a key of opening')
    await expect(read(keep('bare', at('0.zkey')))).rejects.toThrow('KeyMustBeContributedTo')
    await expect(read(keep('lone', at('lone.zkey')))).rejects.toThrow('KeyMustBeContributedTo')
    const told = keep('told', at('4.zkey'), at('3.transcript.json'))
    await expect(read(told)).rejects.toThrow('TranscriptMustMatchKey')
    const other = join(CIRCUITS, 'opening-of-another-tag.circom')
    await expect(read(keep('other', at('4.zkey')), other)).rejects.toThrow('CircuitMustMatch')
    const cut = at('cut-key.zkey')
    writeFileSync(cut, readFileSync(at('4.zkey')).subarray(0, -1))
    const folder = keep('cut', cut, at('4.transcript.json'))
    await expect(read(folder)).rejects.toThrow('KeyFileMustBeWhole')
    const circuit = await compile(CIRCUIT)
    const forged = at('forged.development.zkey')
    await writeDevelopmentKey({ r1csPath: circuit.r1csPath, zkeyPath: forged, name: 'opening' })
    const renamed = keep('renamed', forged, at('4.transcript.json'))
    await expect(read(renamed)).rejects.toThrow('KeyMustNotBeOfDevelopment')
  })
})
