/**
 * The bad trades of the day: for each rule that a member can break, a way to break that rule alone.
 * They are signed past the journal, which would not sign most of them.
 */
import { eighthOf, sign, signingKey, type SigningKey } from '../../circuits/eddsa.ts'
import { headAfter, stampOf, type Page } from '../../circuits/page.ts'
import type { RuleName } from '../../circuits/rules.ts'
import type { RotationKeys, TicketView } from '../api.ts'
import { memberKeys } from '../keys.ts'
import { isRefused, type Member, type Outcome } from '../member.ts'
import { pageOf } from '../pages.ts'

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

/** A page and what is false about it. */
type Forgery = { readonly page: Page; readonly key?: SigningKey; readonly previousHead?: bigint }
type Forge = (page: Page) => Forgery

/** How a proposed trade goes wrong when its buyer signs. Other rules stop the proposal itself. */
const BAD_SIGNINGS: Partial<Record<RuleName, Forge>> = {
  FeeMustBeWithinMaxFee: (page) => ({ page: { ...page, maxFee: 0n } }),
  SignatureMustMatch: (page) => ({ page, key: signingKey(seed(7)) }),
  JournalMustContinue: (page) => ({ page, previousHead: 1n }),
  TradeMustMatch: (page) => ({
    page: { ...page, entries: page.entries.map((e) => ({ ...e, price: e.price + 1n })) },
  }),
}

const YESTERDAY_SECONDS = 86_400n
const OTHER_KEYS = memberKeys(seed(8), 'other')

async function send(
  member: Member,
  trade: string,
  { page, key = member.keys.signing, previousHead = member.journal.state.head }: Forgery,
  extra: { ticket?: string; rotation?: RotationKeys } = {},
): Promise<Outcome> {
  const signature = sign(key, headAfter(previousHead, page))
  const answer = await member.api.page({ page, previousHead, signature }, extra)
  return isRefused(answer)
    ? { trade, state: 'refused', rule: answer.refused }
    : { trade, state: 'accepted', rule: null }
}

/** Null for rules that are not broken by a signature. */
export async function badSigning(
  rule: RuleName,
  member: Member,
  ticket: TicketView,
): Promise<Outcome | null> {
  const forge = BAD_SIGNINGS[rule]
  if (forge === undefined) return null
  const page = pageOf(member.account, ticket, BigInt((await member.house()).fee))
  return send(member, ticket.clientId, forge(page), { ticket: ticket.id })
}

/** A page that needs no counterparty; null for rules that are broken otherwise. */
export async function badPage(
  rule: RuleName,
  member: Member,
  instrument: number,
  amount: bigint,
  to: bigint,
): Promise<Outcome | null> {
  const rotation = await member.rotationPage(OTHER_KEYS)
  const shown = { key: eighthOf(OTHER_KEYS.signing), viewKey: OTHER_KEYS.viewKey }
  const now = stampOf(BigInt(Math.floor(Date.now() / 1000)), 0n)
  const entries = [{ instrument, quantity: -amount, price: 0n }]
  const withdrawal: Page = { ...rotation, kind: 'withdrawal', payload: to, entries }
  switch (rule) {
    case 'StampMustBeLive':
      return send(member, rule, {
        page: { ...withdrawal, stamp: now - (YESTERDAY_SECONDS << 20n) },
      })
    case 'WithdrawalMustLeaveSolvent':
    case 'WithdrawalMustMatchPage':
      return send(member, rule, { page: withdrawal })
    case 'PageMustBeWellFormed':
      return send(member, rule, { page: { ...withdrawal, maxFee: 1n << 40n } })
    case 'RotationMustMoveNothing':
      return send(member, rule, { page: { ...rotation, entries } }, { rotation: shown })
    case 'RotationMustEndItsJournal':
      return send(
        member,
        rule,
        { page: { ...rotation, payload: rotation.payload + 1n } },
        { rotation: shown },
      )
    case 'KeyMustBeInSubgroup':
      return send(
        member,
        rule,
        { page: rotation },
        { rotation: { ...shown, key: { x: 0n, y: 1n } } },
      )
    case 'ViewKeyMustBeHeld':
      return send(member, rule, { page: rotation })
    default:
      return null
  }
}
