/** Where a transcript and a key file tell different stories. */
import { CeremonyFailure } from './failure.ts'
import {
  readTranscript,
  sealProblem,
  transcriptPathOf,
  type BeaconStep,
  type ContributionStep,
  type Transcript,
} from './transcript.ts'
import { readKeyFile, type KeyContribution, type KeyFile } from './zkey-file.ts'

type GivenStep = ContributionStep | BeaconStep

export function givenSteps(transcript: Transcript): readonly GivenStep[] {
  return transcript.steps.filter((step): step is GivenStep => step.kind !== 'init')
}

/** A key file and the transcript beside it. Throws CeremonyFailure where they disagree, or its seal is broken. */
export async function readAgreed(
  zkeyPath: string,
): Promise<{ readonly key: KeyFile; readonly transcript: Transcript }> {
  const key = await readKeyFile(zkeyPath)
  const transcript = readTranscript(transcriptPathOf(zkeyPath))
  const problem = disagreements(transcript, key)[0] ?? sealProblem(transcript)
  if (problem !== null) throw problem
  return { key, transcript }
}

/** Empty if they agree; a skipped contribution comes first, since the rest follows from it. */
export function disagreements(transcript: Transcript, key: KeyFile): readonly CeremonyFailure[] {
  const listed = givenSteps(transcript)
  const skipped = listed.flatMap((step, i) =>
    key.contributions.some(({ hash }) => hash === step.contributionHash)
      ? []
      : [
          new CeremonyFailure(
            'ContributionMustNotBeSkipped',
            `${step.kind} ${i + 1} of "${step.name}" (${short(step.contributionHash)}) is in the ` +
              'transcript and not in the key',
          ),
        ],
  )
  if (skipped.length > 0) return skipped
  const differ = (detail: string): CeremonyFailure =>
    new CeremonyFailure('TranscriptMustMatchKey', detail)
  const [init] = transcript.steps
  if (init?.kind === 'init' && init.circuitHash !== key.circuitHash)
    return [
      differ(
        `the initial key has the circuit hash ${short(key.circuitHash)} in the key and ` +
          `${short(init.circuitHash)} in the transcript`,
      ),
    ]
  const found = key.contributions.flatMap((contribution, i) => {
    const why = differenceOf(contribution, listed[i])
    return why === null ? [] : [differ(`contribution ${i + 1} of the key ${why}`)]
  })
  if (found.length > 0) return found
  const last = transcript.steps.at(-1)
  return last === undefined || last.zkeySha256 === key.sha256
    ? []
    : [
        differ(
          `the last step made a file with SHA-256 ${short(last.zkeySha256)}, ${key.path} has ` +
            short(key.sha256),
        ),
      ]
}

function differenceOf(contribution: KeyContribution, step: GivenStep | undefined): string | null {
  const whose = `is a ${contribution.kind} of "${contribution.name}" (${short(contribution.hash)})`
  if (step === undefined) return `${whose} and is not in the transcript`
  if (step.contributionHash !== contribution.hash)
    return `${whose}; the transcript has ${short(step.contributionHash)} in its place`
  if (step.kind !== contribution.kind || step.name !== contribution.name)
    return `${whose}; the transcript calls it a ${step.kind} of "${step.name}"`
  if (step.kind === 'beacon' && step.value !== contribution.beacon?.value)
    return `has the beacon value ${contribution.beacon?.value}; the transcript has ${step.value}`
  return null
}

/** Enough of a hash for people to find it by; comparisons are of the whole. */
export function short(hash: string): string {
  return `${hash.slice(0, 16)}...`
}
