/** One member of the day in a process of its own: its keys are made here and never leave. Driven over IPC. */
import { readFileSync } from 'node:fs'
import { CASH_ID } from '../../circuits/params.ts'
import type { Entry } from '../../circuits/page.ts'
import type { RuleName } from '../../circuits/rules.ts'
import { HouseApi, HouseError, type HouseStatus, type TicketView } from '../api.ts'
import { memberKeys, Seed } from '../keys.ts'
import { isRefused, Member, type Outcome } from '../member.ts'
import { MemberL1 } from '../l1/member-l1.ts'
import { readFundingTables, type FundingTables } from '../l1/oracle-tables.ts'
import { rebuild } from '../l1/rebuild.ts'
import type { FundingTerms } from '../perpetual.ts'
import { badPage, badSigning } from './attacks.ts'
import { parseDayTrades, type DayTrade } from './csv.ts'
import { checkMember } from './check.ts'
import { shownDocument, showDocument } from './documents.ts'

export type MemberCommand =
  | { readonly id: number; readonly command: 'register' }
  | { readonly id: number; readonly command: 'deposit'; readonly amount: string }
  | {
      readonly id: number
      readonly command: 'round'
      readonly round: number
      readonly directory: Record<string, number>
    }
  | { readonly id: number; readonly command: 'withdraw'; readonly amount: string }
  | { readonly id: number; readonly command: 'holding'; readonly instrument: number }
  | { readonly id: number; readonly command: 'claim' | 'check' }
  | { readonly id: number; readonly command: 'stop' }

const [name, houseUrl, csvPath, instrumentsJson, journalPath, documents] = process.argv.slice(
  2,
) as [string, string, string, string, string, string]
const seed = new Seed(Buffer.from(process.env['MEMBER_SEED'] ?? '', 'hex'))
const l1Key = process.env['MEMBER_L1_KEY'] ?? ''
delete process.env['MEMBER_SEED']
delete process.env['MEMBER_L1_KEY']

// Waiting for the house has no end of its own: a parent that ends meanwhile ends this one, too.
process.on('disconnect', () => process.exit(0))
if (process.connected === false) process.exit(0)
const instruments = new Map(Object.entries(JSON.parse(instrumentsJson) as Record<string, number>))
const api = new HouseApi(houseUrl)
const house = await untilOpen()
const l1 = new MemberL1(house.rpcUrl, house.contract, house.token, l1Key)
const member = await new Member({
  api,
  l1,
  keys: memberKeys(seed, name),
  record: { account: null, deposits: 0 },
  journalPath,
  fundingTables: () => readFundingTables(house.rpcUrl, house.contract),
}).connect()
const trades = parseDayTrades(readFileSync(csvPath, 'utf8'))

/** The house opens once its circuits are compiled and its contracts deployed. */
async function untilOpen(): Promise<HouseStatus> {
  for (;;) {
    try {
      return await api.status()
    } catch (error) {
      if (!(error instanceof HouseError)) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

const idOf = (instrument: string): number =>
  instruments.get(instrument) ?? Number(instrument.replace(/^ID-/, ''))
/** Funding of each instrument by the latest table on L1, micro-dollars a lot. */
const fundingOf = ({ perpetuals, tables }: FundingTables, instrument: number): bigint =>
  perpetuals.has(instrument) ? (tables.at(-1)?.funding.get(instrument) ?? 0n) : 0n
/** A perpetual is quoted at a price and traded at that less its funding. */
const entriesOf = (trade: DayTrade, quotes: FundingTables): readonly Entry[] =>
  trade.legs.map((leg) => ({
    instrument: idOf(leg.instrument),
    quantity: leg.quantity,
    price: leg.price - fundingOf(quotes, idOf(leg.instrument)),
  }))

const FALSE_FUNDING = 'FundingMustMatchTable'
/** What both sides sign by its hash: of perpetuals also table, price and funding. */
function documentOf(trade: DayTrade, quotes: FundingTables): string {
  const legs = trade.legs.filter((leg) => quotes.perpetuals.has(idOf(leg.instrument)))
  // The bad trade of the file names another funding, and a price that fits it.
  const falsity = trade.expect === FALSE_FUNDING ? 1_000_000n : 0n
  const terms: FundingTerms = {
    table: quotes.tables.at(-1)?.number ?? 0,
    perpetuals: legs.map((leg) => {
      const instrument = idOf(leg.instrument)
      const funding = fundingOf(quotes, instrument) + falsity
      return { instrument, price: `${leg.price + falsity}`, funding: `${funding}` }
    }),
  }
  const { tradeId, buyer, seller } = trade
  const words = trade.legs.map((l) => `${l.instrument}:${l.quantity}@${l.price}`)
  const all = { trade: tradeId, buyer, seller, legs: words }
  return JSON.stringify(legs.length === 0 ? all : { ...all, ...terms })
}

/** `isOwnWord`: this client refused, not the house. */
type OwnOutcome = Outcome & { readonly isOwnWord?: boolean }
type Done = { readonly trade: string; readonly outcome: OwnOutcome }

/** Proposes what this member buys, affirms what it sells as the file has it, signs in stamp order. */
async function playRound(
  round: number,
  directory: Record<string, number>,
): Promise<readonly Done[]> {
  const mine = trades.filter((t) => t.round === round)
  // A round trades on one table, which was posted before it.
  const quotes = await readFundingTables(house.rpcUrl, house.contract)
  const outcomes = new Map<string, Done>()
  const finish = (trade: DayTrade, outcome: OwnOutcome): void => {
    outcomes.set(trade.tradeId, { trade: trade.tradeId, outcome })
  }
  const buying = mine.filter((t) => t.buyer === name)
  for (const trade of buying) {
    const [leg] = entriesOf(trade, quotes)
    if (trade.expect !== 'settle' && trade.seller === 'HOUSE' && leg !== undefined) {
      const outcome = await badPage(
        trade.expect as RuleName,
        member,
        leg.instrument,
        -leg.quantity,
        BigInt(l1.address),
      )
      if (outcome !== null) {
        finish(trade, outcome)
        continue
      }
    }
    const counterparty = trade.seller === 'HOUSE' ? 0 : directory[trade.seller]
    const document = documentOf(trade, quotes)
    showDocument(documents, document)
    const made = await member.propose(
      trade.tradeId,
      counterparty ?? 0,
      entriesOf(trade, quotes),
      document,
    )
    if (isRefused(made))
      finish(trade, { trade: trade.tradeId, state: 'refused', rule: made.refused })
  }
  const selling = mine.filter((t) => t.seller === name && t.buyer !== name)
  const expected = new Map([...buying, ...selling].map((t) => [t.tradeId, t]))
  const wanted = (): boolean =>
    buying.some((t) => !outcomes.has(t.tradeId)) ||
    selling.some((t) => t.expect === 'settle' && !outcomes.has(t.tradeId)) ||
    selling.some((t) => !outcomes.has(t.tradeId))
  while (wanted()) {
    const tickets = (await api.tickets()).filter(
      (t) => expected.has(t.clientId) && !outcomes.has(t.clientId),
    )
    for (const ticket of tickets) {
      const trade = expected.get(ticket.clientId) as DayTrade
      if (ticket.state === 'refused')
        finish(trade, { trade: trade.tradeId, state: 'refused', rule: ticket.refused })
      else if (ticket.state === 'proposed' && ticket.role === 'counterparty') {
        const refused = await affirm(trade, ticket, quotes)
        if (refused !== null) finish(trade, refused)
      }
    }
    const next = tickets
      .filter((t) => t.state === 'stamped')
      .sort((a, b) => (BigInt(a.stamp) < BigInt(b.stamp) ? -1 : 1))[0]
    if (next === undefined) await new Promise((resolve) => setTimeout(resolve, 40))
    else {
      const trade = expected.get(next.clientId) as DayTrade
      const bad =
        trade.buyer === name && trade.expect !== 'settle'
          ? await badSigning(trade.expect as RuleName, member, next)
          : null
      finish(
        trade,
        bad ?? (await member.settleTicket(next, shownDocument(documents, next.payload))),
      )
    }
  }
  // Of a refused trade only the side that broke a rule is told which one: so both sides tell.
  return [...outcomes.values()]
}

/**
 * Affirms only what the file says: the same instruments, quantities and prices, seen from this side.
 * Returns what this member itself would not sign.
 */
async function affirm(
  trade: DayTrade,
  ticket: TicketView,
  quotes: FundingTables,
): Promise<OwnOutcome | null> {
  const document = shownDocument(documents, ticket.payload)
  const wrong = await member.checkTerms(ticket, document)
  const mine = entriesOf(trade, quotes).map((e) => `${e.instrument}:${-e.quantity}@${e.price}`)
  const theirs = ticket.entries.map((e) => `${e.instrument}:${e.quantity}@${e.price}`)
  const isAgreed = wrong === null && document !== null && mine.join() === theirs.join()
  if (isAgreed) await api.affirm(ticket.id)
  else await api.reject(ticket.id)
  if (wrong === null) return null
  return { trade: trade.tradeId, state: 'refused', rule: wrong.refused, isOwnWord: true }
}

/** Takes what the last batch with a withdrawal to this member's address has for it. */
async function claim(): Promise<{ readonly received: string }> {
  const { withdrawals } = await rebuild(house.rpcUrl, house.contract)
  const all = [...withdrawals.values()]
  const own = all.findLast((w) => BigInt(w.to) === BigInt(l1.address) && !w.isClaimed)
  if (own === undefined) throw new Error('no withdrawal on L1 waits for this member')
  const before = await l1.tokenBalance()
  const ofBatch = all.filter((w) => w.batch === own.batch).sort((a, b) => a.slot - b.slot)
  await l1.claim(ofBatch, own.slot)
  return { received: ((await l1.tokenBalance()) - before).toString() }
}

/** Lots of an instrument, by the leaf on L1 that this member opens itself. */
async function holding(instrument: number): Promise<{ readonly lots: string }> {
  const account = member.sync(await rebuild(house.rpcUrl, house.contract))
  const found = account.balances.find(({ id }) => id === instrument)
  return { lots: (found?.quantity ?? 0n).toString() }
}

async function run(message: MemberCommand): Promise<unknown> {
  switch (message.command) {
    case 'register':
      return { account: await member.register() }
    case 'deposit':
      await l1.mint(BigInt(message.amount))
      return { deposit: (await member.deposit(CASH_ID, BigInt(message.amount))).toString() }
    case 'round':
      return playRound(message.round, message.directory)
    case 'withdraw':
      return member.withdraw(CASH_ID, BigInt(message.amount), BigInt(l1.address))
    case 'holding':
      return holding(message.instrument)
    case 'claim':
      return claim()
    case 'check':
      return checkMember(member, house)
    case 'stop':
      l1.close()
      setImmediate(() => process.exit(0))
      return { stopped: true }
  }
}

const stringify = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  )
/** One thing at a time: what looks at the journal must not see a page half on its way. */
let turn: Promise<unknown> = Promise.resolve()
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = turn.then(work)
  turn = next.catch(() => {})
  return next
}

/** Looks whether pages are to be signed anew: others wait for it. */
const RESIGN_CHECK_MS = 5000
setInterval(() => {
  if (member.record.account === null) return
  // Before a batch has registered the account, and after the house has gone, there is nothing to do.
  inTurn(() => member.realign()).catch(() => {})
}, RESIGN_CHECK_MS).unref()

process.on('message', (message: MemberCommand) => {
  inTurn(() => run(message)).then(
    (result) => process.send?.(stringify({ id: message.id, result })),
    (error: unknown) =>
      process.send?.(
        stringify({
          id: message.id,
          error: error instanceof Error ? error.message : String(error),
        }),
      ),
  )
})
process.send?.(stringify({ ready: true }))
