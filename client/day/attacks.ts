/** The bad trades of the day: for each rule that a member can break, a way to break that rule alone. */
import { signingKey } from '../../circuits/eddsa.ts'
import type { RuleName } from '../../circuits/rules.ts'
import { memberKeys } from '../keys.ts'
import type { Member, Outcome, PageOverride } from '../member.ts'

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

/** How a proposed trade goes wrong when its buyer signs. Other rules stop the proposal itself. */
export const BAD_SIGNINGS: Partial<Record<RuleName, PageOverride>> = {
  FeeMustBeWithinMaxFee: (page) => ({ page: { ...page, maxFee: 0n } }),
  SignatureMustMatch: () => ({ key: signingKey(seed(7)) }),
  JournalMustContinue: () => ({ previousHead: 1n }),
  TradeMustMatch: (page) => ({
    page: { ...page, entries: page.entries.map((e) => ({ ...e, price: e.price + 1n })) },
  }),
}

const YESTERDAY_SECONDS = 86_400n
const OTHER_KEYS = memberKeys(seed(8), 'other')

/** A page that needs no counterparty; null for rules that are broken otherwise. */
export async function badPage(
  rule: RuleName,
  member: Member,
  instrument: number,
  amount: bigint,
  to: bigint,
): Promise<Outcome | null> {
  switch (rule) {
    case 'StampMustBeLive':
      return member.withdraw(instrument, amount, to, (page) => ({
        page: { ...page, stamp: page.stamp - (YESTERDAY_SECONDS << 20n) },
      }))
    case 'WithdrawalMustLeaveSolvent':
    case 'WithdrawalMustMatchPage':
      return member.withdraw(instrument, amount, to)
    case 'PageMustBeWellFormed':
      return member.withdraw(instrument, amount, to, (page) => ({
        page: { ...page, maxFee: 1n << 40n },
      }))
    case 'RotationMustMoveNothing':
      return member.rotate(OTHER_KEYS, (page) => ({
        page: { ...page, entries: [{ instrument, quantity: -amount, price: 0n }] },
      }))
    case 'RotationMustEndItsJournal':
      return member.rotate(OTHER_KEYS, (page) => ({
        page: { ...page, payload: page.payload + 1n },
      }))
    case 'KeyMustBeInSubgroup':
      return member.rotate(OTHER_KEYS, undefined, {
        key: { x: 0n, y: 1n },
        viewKey: OTHER_KEYS.viewKey,
      })
    case 'ViewKeyMustBeHeld':
      return member.rotate(OTHER_KEYS, undefined, null)
    default:
      return null
  }
}
