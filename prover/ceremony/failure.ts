/** What a ceremony's step or its verification asks for, each by a name in the "must" form. */

export const CEREMONY_RULES = {
  PhaseOneMustBePinned: 'the phase-1 file is the public one, by its BLAKE2b-512 hash',
  PhaseOneMustBeWhole: 'the phase-1 file is a prepared one, not cut short, and large enough',
  KeyFileMustBeWhole: 'the key file is a Groth16 key in all its sections, not cut short',
  KeyMustNotBeOfDevelopment: 'a key whose secret is public text takes part in no ceremony',
  TranscriptMustBeWellFormed: 'the transcript has its form, and its steps stand in order',
  TranscriptMustMatchKey: 'the transcript tells of this key file and of what lies in it',
  AnnouncementMustMatch: 'the transcript announces what was announced before the first step',
  ContributionMustNotBeSkipped: 'what the transcript lists as contributed is in the key',
  PublishedContributionMustBeInKey: 'every hash that a party published is in the key',
  PartyMustHaveContributed: 'every party that was announced has contributed',
  CircuitMustMatch: 'the circuits of this checkout are those that the key was made for',
  KeyMustStartFromCircuit: 'the key descends from the initial key of circuit and phase 1',
  ContributionsMustChain: 'each contribution changes the key before it as its proof says',
  KeyMustBeContributedTo: 'at least one party contributed; a beacon is no party',
  BeaconMustBeAsAnnounced: 'the beacon is the one announced, applied last, or none was announced',
  BeaconMustBeLast: 'nothing follows a beacon',
  DeltaMustNotBeGamma: 'delta and gamma of the verification key differ',
  ForgeryMustFail: 'the Solidity verifier refuses proofs made without a witness',
  StepMustNotOverwrite: 'a step writes a new file and replaces none',
} as const
export type CeremonyRule = keyof typeof CEREMONY_RULES

/** A rule of the ceremony that does not hold; the message begins with its name. */
export class CeremonyFailure extends Error {
  readonly rule: CeremonyRule
  readonly detail: string
  constructor(rule: CeremonyRule, detail: string, options?: ErrorOptions) {
    super(`${rule}: ${detail}`, options)
    this.rule = rule
    this.detail = detail
  }
}

/** Where a verification writes what it found. */
export type Checks = {
  readonly held: (must: CeremonyRule, detail: string) => void
  readonly failed: (must: CeremonyRule, detail: string) => void
  readonly unchecked: (must: CeremonyRule, detail: string) => void
  /** Null if the work threw; a CeremonyFailure has then failed its own rule. */
  readonly attempt: <T>(must: CeremonyRule, work: () => Promise<T>) => Promise<T | null>
}
