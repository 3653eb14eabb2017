/** `cloister trade`: proposals, affirmations, signatures. Nothing is signed that was not agreed. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { documentHash } from '../../circuits/document.ts'
import { stampSeconds } from '../../circuits/page.ts'
import type { Refused, TicketView } from '../api.ts'
import { isRefused } from '../member.ts'
import type { FundingRule } from '../perpetual.ts'
import { until, type Common, type Result } from './day.ts'
import { RefusedByRule, Undone } from './failures.ts'
import { asMember, lookingAs, type Session } from './session.ts'
import type { Terms } from './store.ts'
import { fromHere } from './root.ts'
import { legsInWords, parseAccount, parseLegs } from './terms.ts'
import { documentOf, fundingInWords, lessFunding, rewritten } from './trade-document.ts'
import type { Waiting } from './cash.ts'

/** A member does not sign stamps that are older; client/journal.ts has its bound a bit later. */
const STAMP_LIFE_SECONDS = 115n

export type Outcome = {
  readonly id: string
  readonly clientId: string
  readonly state: 'accepted' | 'refused' | 'stale' | 'not agreed'
  readonly rule: TicketView['refused'] | FundingRule
}

const termsOf = ({ counterparty, payload, entries }: TicketView): Terms => ({
  counterparty,
  payload,
  entries: entries
    .filter((entry) => entry.quantity !== '0')
    .map(({ instrument, quantity, price }) => ({ instrument, quantity, price })),
})
const keyOf = (ticket: TicketView): string =>
  ticket.role === 'proposer' ? `proposed ${ticket.clientId}` : `affirmed ${ticket.id}`
const isSame = (a: Terms | undefined, b: Terms): boolean => JSON.stringify(a) === JSON.stringify(b)

function inWords(ticket: TicketView): string {
  return `${legsInWords(ticket.entries)}, with account ${ticket.counterparty}`
}

function ticketOf(answer: TicketView | Refused): TicketView {
  if (isRefused(answer)) throw new RefusedByRule(answer.refused, answer.detail)
  if (answer.state === 'refused' && answer.refused !== null)
    throw new RefusedByRule(answer.refused, isTakenBack(answer) ? TAKEN_BACK : '')
  return answer
}

const TAKEN_BACK = 'one side rejected the proposal or took it back'

/** The house has one word for it and for a document that does not match; only the first has no stamp. */
export function isTakenBack({ refused, stamp }: Pick<TicketView, 'refused' | 'stamp'>): boolean {
  return refused === 'TradeMustMatch' && stamp === '0'
}

function agree({ store }: Session, key: string, terms: Terms): void {
  store.save({ agreed: { ...store.stored.agreed, [key]: terms } })
}

export async function propose(
  name: string,
  counterpartyText: string,
  legs: readonly string[],
  options: Waiting & { readonly clientId?: string },
): Promise<Result> {
  const counterparty = parseAccount(counterpartyText)
  const quoted = parseLegs(legs)
  const clientId = options.clientId ?? `${name}-${randomBytes(6).toString('hex')}`
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(clientId))
    throw new Undone('--client-id has 1 to 64 letters, digits, dots, hyphens or underscores')
  let funding = ''
  const ticket = await asMember(name, options, async (session) => {
    const proposer = session.mustBeFreeToSign().member.account
    const known = session.store.document(clientId)
    const { entries, terms } = lessFunding(quoted, await session.fundingTables(), known)
    const agreement = { trade: clientId, proposer, counterparty, entries }
    const document = documentOf(agreement, terms)
    session.store.keepDocument(clientId, document)
    agree(session, `proposed ${clientId}`, {
      counterparty,
      payload: documentHash(document).toString(),
      entries: entries.map(({ instrument, quantity, price }) => ({
        instrument,
        quantity: `${quantity}`,
        price: `${price}`,
      })),
    })
    funding = fundingInWords(document)
    return ticketOf(await session.member.propose(clientId, counterparty, entries, document))
  })
  const said = `${name} proposes trade ${ticket.id}: ${inWords(ticket)}${funding}`
  if (!options.wait)
    return {
      text:
        `${said}\nNext: account ${counterparty} affirms it, then cloister trade sign ${name} ` +
        'within two minutes',
      json: { name, id: ticket.id, clientId, state: ticket.state },
    }
  options.note(`${said}\nwaiting for account ${counterparty} to affirm ${ticket.id}`)
  await untilAffirmed(name, ticket.id, options)
  return signed(name, ticket.id, options)
}

/** Without the lock: meanwhile other commands may sign for this member. */
async function untilAffirmed(name: string, id: string, options: Common): Promise<void> {
  await lookingAs(name, options, ({ house }) =>
    until(
      `affirming trade ${id} (once it is: cloister trade sign ${name})`,
      options.timeout,
      async () => {
        const ticket = (await house.api.tickets()).find((t) => t.id === id)
        if (ticket !== undefined) ticketOf(ticket)
        return ticket === undefined || ticket.state === 'proposed' ? null : ticket
      },
    ),
  )
}

/** A file of its own text, for trades that another program proposed. */
function readDocument(path: string): string {
  try {
    return readFileSync(fromHere(path), 'utf8')
  } catch (error) {
    throw new Undone(
      `${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
    )
  }
}

/** Where the document of a ticket is kept: its own name for a trade is the proposer's alone. */
const documentName = (ticket: TicketView): string =>
  ticket.role === 'proposer' ? ticket.clientId : `affirmed-${BigInt(ticket.payload)}`

export async function affirm(
  name: string,
  id: string,
  options: Waiting & { readonly document?: string },
): Promise<Result> {
  const given = options.document === undefined ? null : readDocument(options.document)
  let funding = ''
  const ticket = await asMember(name, options, async (session) => {
    session.mustBeFreeToSign()
    const offered = (await session.house.api.tickets()).find((t) => t.id === id)
    if (offered === undefined || offered.role !== 'counterparty')
      throw new Undone(`there is no proposal ${id} to ${name}: cloister trade list ${name}`)
    const terms = termsOf(ticketOf(offered))
    const { account } = session.member
    const document = given ?? rewritten(offered, account, await session.fundingTables())
    // What would not be signed is not affirmed either.
    const wrong = await session.member.checkTerms(offered, document)
    if (wrong !== null) throw new RefusedByRule(wrong.refused, wrong.detail)
    if (document !== null) session.store.keepDocument(documentName(offered), document)
    funding = fundingInWords(document)
    if (offered.state === 'proposed') agree(session, keyOf(offered), terms)
    const affirmed = ticketOf(await session.house.api.affirm(id))
    if (!isSame(termsOf(affirmed), terms))
      throw new Undone(`the house changed the terms of ${id} while they were affirmed: not signed`)
    return affirmed
  })
  const said = `${name} affirms trade ${id}: ${inWords(ticket)}${funding}`
  if (options.wait) {
    options.note(said)
    return signed(name, id, options)
  }
  return {
    text: `${said}\nNext, within two minutes: cloister trade sign ${name}`,
    json: { name, id, clientId: ticket.clientId, state: ticket.state },
  }
}

export async function reject(name: string, id: string, options: Common): Promise<Result> {
  return asMember(name, options, async ({ house, store }) => {
    if (!(await house.api.tickets()).some((ticket) => ticket.id === id))
      throw new Undone(`there is no trade ${id} of ${name}: cloister trade list ${name}`)
    const answer = await house.api.reject(id)
    if (isRefused(answer)) throw new RefusedByRule(answer.refused, answer.detail)
    const { [keyOf(answer)]: _dropped, ...agreed } = store.stored.agreed
    store.save({ agreed })
    return { text: `${name} rejected trade ${id}`, json: { name, id, state: answer.state } }
  })
}

export async function list(name: string, options: Common): Promise<Result> {
  return lookingAs(name, options, async (session) => {
    const { house, member } = session
    const tickets = await house.api.tickets()
    // What stands in the list does not hang on the oracle.
    const tables = await session.fundingTables().catch(() => null)
    const funding = (ticket: TicketView): string =>
      tables === null ? '' : fundingInWords(rewritten(ticket, member.account, tables))
    const lines = tickets.map((ticket) =>
      [
        `${ticket.id}  ${ticket.state.padEnd(8)} ${ticket.role.padEnd(12)} ${inWords(ticket)}${funding(ticket)}`,
        ...(ticket.batch === null ? [] : [`in batch ${ticket.batch}`]),
        ...(isTakenBack(ticket)
          ? [TAKEN_BACK]
          : ticket.refused === null
            ? []
            : [`refused by ${ticket.refused}`]),
        ...(ticket.isSigned && ticket.state === 'stamped' ? ['signed here'] : []),
        ...(ticket.state === 'stamped' && ageOf(ticket) > STAMP_LIFE_SECONDS
          ? ['not signed by both in its two minutes: propose it again']
          : []),
      ].join(', '),
    )
    return {
      text: lines.length === 0 ? `${name} has no trades` : lines.join('\n'),
      json: { name, account: member.account, trades: tickets },
    }
  })
}

export function sign(name: string, options: Common): Promise<Result> {
  return signed(name, null, options)
}

/** Seconds since the stamp. */
const ageOf = ({ stamp }: TicketView): bigint =>
  BigInt(Math.floor(Date.now() / 1000)) - stampSeconds(BigInt(stamp))

/** Signs what is stamped and agreed, in stamp order; answers for one trade or for all. */
async function signed(name: string, only: string | null, options: Common): Promise<Result> {
  return asMember(name, options, async (session) => {
    const outcomes = await signStamped(session, only)
    const shown = only === null ? outcomes : outcomes.filter((outcome) => outcome.id === only)
    const first = shown.find((outcome) => outcome.state === 'refused')
    if (first !== undefined && first.rule !== null && shown.length === 1)
      throw new RefusedByRule(first.rule, `trade ${first.id}`)
    const isUndone = shown.some((o) => o.state === 'stale' || o.state === 'not agreed')
    return {
      text:
        shown.length === 0
          ? `${name} has no stamped trade to sign`
          : shown
              .map(
                (outcome) =>
                  `trade ${outcome.id}: ${IN_WORDS[outcome.state]}` +
                  (outcome.rule === null ? '' : ` ${outcome.rule}`),
              )
              .join('\n'),
      json: { name, trades: shown },
      code: first !== undefined ? 1 : isUndone ? 2 : 0,
    }
  })
}

const IN_WORDS = {
  accepted: 'signed by both sides and accepted; the next batch settles it',
  refused: 'refused by',
  stale: 'its stamp is too old to sign; propose it again',
  'not agreed': 'not signed: these terms were not proposed or affirmed here',
} as const

async function signStamped(session: Session, only: string | null): Promise<readonly Outcome[]> {
  const { house, member, options, store } = session
  const outcomes = new Map<string, Outcome>()
  const end = Date.now() + options.timeout * 1000
  const settle = (ticket: TicketView) =>
    member.settleTicket(ticket, store.document(documentName(ticket)))
  const finish = ({ id, clientId }: TicketView, state: Outcome['state'], rule: Outcome['rule']) =>
    outcomes.set(id, { id, clientId, state, rule })
  for (;;) {
    const tickets = await house.api.tickets()
    const wanted = tickets.find((ticket) => ticket.id === only)
    if (
      wanted !== undefined &&
      !['proposed', 'stamped'].includes(wanted.state) &&
      !outcomes.has(wanted.id)
    )
      finish(wanted, wanted.state === 'refused' ? 'refused' : 'accepted', wanted.refused)
    const ticket = tickets
      .filter((t) => t.state === 'stamped' && !outcomes.has(t.id))
      .sort((a, b) => (BigInt(a.stamp) < BigInt(b.stamp) ? -1 : 1))[0]
    if (ticket === undefined) return [...outcomes.values()]
    const age = ageOf(ticket)
    if (!isSame(store.stored.agreed[keyOf(ticket)], termsOf(ticket)))
      finish(ticket, 'not agreed', null)
    else if (age > STAMP_LIFE_SECONDS) finish(ticket, 'stale', null)
    else {
      session.mustBeFreeToSign()
      options.note(`trade ${ticket.id}: signing, and waiting for the other side`)
      const patience = Math.min(end, Date.now() + Number(STAMP_LIFE_SECONDS - age) * 1000)
      const outcome = await within(patience, ticket.id, settle(ticket))
      const { [keyOf(ticket)]: _signed, ...agreed } = store.stored.agreed
      // What had no room is still agreed, and signed by the next command.
      if (outcome.rule !== 'PagesMustBeFew') store.save({ agreed })
      finish(ticket, outcome.state, outcome.rule)
    }
  }
}

/** The other side may never sign; what was signed here stays written down. */
async function within<T>(end: number, id: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Undone(`trade ${id} is signed here, the other side has not signed in time`)),
      end - Date.now(),
    )
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
