/** Why a change is not made: a rule of the lock, found out before anything is sent. */

export type ChangeRule =
  | 'CallMustBeKnown'
  | 'CallMustSucceed'
  | 'TargetMustBeNamed'
  | 'HouseMustBeSealed'
  | 'HouseMustNotBeFrozen'
  | 'SenderMustHaveRole'
  | 'SaltMustBeNew'
  | 'ChangeMustBeAnnounced'
  | 'ChangeMustBeDue'
  | 'ChangeMustNotHaveLapsed'
  | 'ChangeMustNotBeDone'
  | 'PredecessorMustBeDone'

export class ChangeRefusal extends Error {
  readonly rule: ChangeRule
  constructor(rule: ChangeRule, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}
