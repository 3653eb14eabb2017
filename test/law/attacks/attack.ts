/** What lists of attacks are written with: a name, the rule that must refuse it, and how its witness is made. */
import type { Account } from '../../../circuits/account.ts'
import { mod } from '../../../circuits/field.ts'
import type { RuleName } from '../../../circuits/rules.ts'
import { reseal, type Draft } from '../reseal.ts'
import { slotOf } from '../scenes.ts'

export type Attack = readonly [rule: RuleName, name: string, make: () => Draft]
/** By name, what stands at the very edge and must be accepted. */
export type Fair = Readonly<Record<string, () => Draft>>

/** Attacks by name that this rule must refuse. */
export function against(rule: RuleName, makes: Fair): readonly Attack[] {
  return Object.entries(makes).map(([name, make]) => [rule, name, make])
}

/** A change after which all that follows from it is derived anew, so that one rule alone is broken. */
export function changed(draft: Draft, change: (draft: Draft) => void): Draft {
  change(draft)
  return reseal(draft)
}

/** A change after C was fixed. */
export function late(draft: Draft, change: (draft: Draft) => void): Draft {
  change(draft)
  return draft
}

export function set(list: bigint[] | undefined, i: number, value: bigint): void {
  ;(list as bigint[])[i] = mod(value)
}

/** The slot of account 16, the first that joins. */
export const a0 = (draft: Draft): number => slotOf(draft, 16)

/** A change of the account at this index alone. */
export const only =
  (index: number, change: (account: Account) => Account) =>
  (account: Account, at: number): Account =>
    at === index ? change(account) : account
