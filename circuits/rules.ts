/** The names of the rules. The same word is the rejection, the heading in Circom and the error on L1. */

export const RULES = {
  PageMustBeWellFormed:
    'a page keeps its widths: kind, indices, stamp, maxFee, at most three entries',
  PaddingMustBeEmpty: 'an unused page slot is all zeros',
  StampMustBeLive: 'batch time lies within the 65,536 seconds from the stamp',
  SkippedPageMustBeExpired: 'only an expired page may be skipped',
  FeeMustBeWithinMaxFee: 'a page never pays more than its maxFee',
  CounterpartyMustDiffer: 'nobody trades with itself',
  CounterpartyMustBeMember: 'a house account is counterparty of withdrawals only',
  RotationMustMoveNothing: 'a rotation has no entries',
  RotationMustEndItsJournal: 'a rotation is the last page of its account in a batch',
  HeadMustChangeByRule: 'a journal head moves by registration or by signed pages',
  JournalMustContinue: 'each page continues the journal head before it, none is left out',
  SignatureMustMatch: 'the last head carries a signature under the owner key of the old leaf',
  TradeMustMatch: 'both sides of a trade settle with one document and one stamp, or neither',
  BalanceMustFollowPages:
    'entries + deposits - fees + conversions - forced payments = change of every balance',
  BalancesMustBeWellFormed: 'ids ascend, -2^55 <= quantity < 2^55, at most SLOT_COUNT - 1 holdings',
  AccountMustBeSolvent: 'in every world worth at least zero, or no less than before',
  WithdrawalMustLeaveSolvent: 'after a withdrawal every world is worth at least zero',
  TokenMustNotBeNegative: 'a token other than cash is never owed',
  InstrumentMustBeListed: 'every balance stands in the table or in the settlement register',
  WithdrawalMustMatchPage: 'a withdrawal answers one signed page: token, amount, address',
  DepositMustOpen: 'a deposit is credited to the account that its commitment opens to',
  RequestMustBeServed: 'L1 requests are served in order with their own data',
  ForcedExitMustBeExact:
    'a forced exit pays the least of balance, free vault and what leaves every world at least zero',
  ForcedExitMustStandAlone:
    'an account with a served forced exit has no page, deposit or other request in that batch',
  MetaMustChangeByRule: 'status changes by registration, forced exit, or a proven flag step',
  CallMustBeProven:
    'called is whose maintenance is broken in a world of a confirmed table; liquidated is who was called for long',
  ReleaseMustBeProven:
    'ACTIVE again is who is worth at least zero in every world, and after EXITING holds no derivative',
  ReduceOnlyMustReduce:
    'in a reduce-only account balances besides cash move towards zero and keep their sign',
  LeafMustBeEmptyBeforeRegistration: 'registration fills an empty leaf',
  LeafMustBeInTree: 'old leaves stand in the old root',
  KeyMustBeInSubgroup:
    'an installed key is on the curve, in the prime-order subgroup, not the identity',
  OwnerKeyMustChangeByRule: 'an owner key changes by registration or rotation, one at most',
  ViewKeyMustBeHeld: 'the operator opens the view key of every new leaf',
  CipherMustMatchLeaf: 'the ciphertext on L1 is of the new leaf',
  AccountsMustAscend: 'touched accounts ascend strictly, the fee account first',
  RowMustBeInTable: 'values come from the posted table or the settlement register',
  RowsMustAscend: 'an instrument stands in one row only',
  SettledBalanceMustBeConverted: 'a settled instrument leaves an account when touched',
  ConversionMustBeExact: 'cash for a settled balance is the old balance times its value',
  WorthMustFollowTable: 'worth per world is balances times values, less add-ons',
  PagesMustBeCounted: 'each account pays for the pages it has live',
  CountMustFollowRegistrations: 'accountCount grows by the registrations served',
  ModeMustBeKnown: 'mode is normal or reduce-only, reserved words are zero',
  CommitmentMustMatch: 'C fixes everything that a challenge ranges over',
  WordsMustMatchChallenge: 'y is the polynomial of the public words at x',
  MarkMustBeInTable: 'a mark comes from the marks of the last confirmed table',
  SettledValueMustBeInRegister:
    'a settlement value comes from the register as it was with that table',
  EquityMustFollowMarks: 'a claim is cash plus quantities times marks, or zero if that is negative',
  MaintenanceMustHold:
    'at maintenance every world is worth at least zero, or the account is flagged',
  FlagMustNotBeOverdue: 'a flag is that of the leaf, and a call counts for a limited time',
} as const

export type RuleName = keyof typeof RULES
export type Rejection = {
  readonly rule: RuleName
  readonly detail: string
  readonly account?: number
}

/** Thrown where a step breaks a rule; the door of the room turns it into a rejection. */
export class Broken extends Error {
  readonly rejection: Rejection
  constructor(rule: RuleName, detail: string, account?: number) {
    super(`${rule}: ${detail}`)
    this.rejection = account === undefined ? { rule, detail } : { rule, detail, account }
  }
}
