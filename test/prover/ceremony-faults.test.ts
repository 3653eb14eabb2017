/** Everything that can be wrong with a ceremony, each fault told by its rule. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { CeremonyRule } from '../../prover/ceremony/failure.ts'
import { blake2bOf, checkPhaseOne } from '../../prover/ceremony/phase1.ts'
import { contributeTo } from '../../prover/ceremony/phase2.ts'
import { exportKey } from '../../prover/ceremony/steps.ts'
import {
  announcementHash,
  readTranscript,
  transcriptPathOf,
  type SealedTranscript,
} from '../../prover/ceremony/transcript.ts'
import { readKeyFile, sha256Of } from '../../prover/ceremony/zkey-file.ts'
import { deriveToxicWaste } from '../../prover/dev-key.ts'
import {
  altered,
  at,
  BEACON,
  CIRCUITS,
  compile,
  detailOf,
  editStep,
  failedIn,
  makeLoneKey,
  phase1Hash,
  phase1Path,
  sealedAnew,
  useCeremony,
  verify,
} from './ceremony-keys.ts'
import { writeKnownPtau } from './known-ptau.ts'

useCeremony()

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
    const lone = await makeLoneKey()
    const report = await verify(lone)
    expect(failedIn(report)).toEqual(['KeyMustBeContributedTo', 'ForgeryMustFail'])
    expect(detailOf(report, 'ForgeryMustFail')).toContain('beacon')
    await expect(exportKey(lone, at('none'))).rejects.toThrow('KeyMustBeContributedTo')
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
