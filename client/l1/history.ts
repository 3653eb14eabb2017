/** An account's life as its opened leaves and L1's own record tell it, batch by batch. */
import { REQUEST_KIND, STATUS, CASH_ID } from '../../circuits/params.ts'
import type { Account } from '../../circuits/account.ts'
import { addressOfWord } from './batch-words.ts'
import type { Rebuilt } from './ledger.ts'
import { firstHead, type Opened, type OwnDeposit } from './own-account.ts'
import { movedBy, NO_PAGES, pagesBetween, type KnownPages, type SettledPages } from './own-pages.ts'

export type Change = { readonly id: number; readonly lots: bigint }
export type Conversion = {
  readonly id: number
  /** Lots held before, all of which were converted. */
  readonly lots: bigint
  /** Micro-dollars a lot, from the register. */
  readonly value: bigint
  readonly cash: bigint
}
export type Payment = {
  readonly slot: number
  readonly token: number
  readonly amount: bigint
  readonly to: string
}
export type Step = {
  readonly visit: Opened
  readonly status: keyof typeof STATUS | 'unknown'
  readonly event: 'registered' | 'key rotated on L1' | 'keys rotated by page' | null
  /** 0 if the journal stands where it stood; null for some: a head alone does not say how many. */
  readonly pages: number | null
  /** From the member's own journal, if it leads from the head before to this one. */
  readonly settled: SettledPages | null
  /** What `byPages` leaves when the settled pages and their fees are taken off; null if unknown. */
  readonly unexplained: readonly Change[] | null
  /** Difference to the leaf before, cash under id 1; nothing in it is assumed. */
  readonly changes: readonly Change[]
  readonly deposits: readonly OwnDeposit[]
  readonly conversions: readonly Conversion[]
  /** By force, from the request's own words. */
  readonly forced: readonly Omit<Payment, 'slot'>[]
  /** Withdrawals of the batch to this account's L1 owner; another account may have the same one. */
  readonly paidToOwner: readonly Payment[]
  /** Changes less deposits, conversions and forced payments: trades, withdrawals by page, fees. */
  readonly byPages: readonly Change[]
}

export function historyOf(
  rebuilt: Rebuilt,
  visits: readonly Opened[],
  deposits: readonly OwnDeposit[],
  known: KnownPages = NO_PAGES,
): readonly Step[] {
  const owner = rebuilt.l1Owners.get(visits[0]?.touch.index ?? -1)
  return visits.map((visit, i) => {
    const before = visits[i - 1] ?? null
    return withPages(rebuilt, stepOf(rebuilt, visit, before, deposits, owner), before, known)
  })
}

/** Adds what the journal knows of the pages between the two heads. */
function withPages(rebuilt: Rebuilt, step: Step, before: Opened | null, known: KnownPages): Step {
  const { account, touch, fee } = step.visit
  const from = before?.account.head ?? firstHead(rebuilt, touch.index, account)
  const settled = pagesBetween(known, from, account.head, touch.time)
  if (settled === null) return step
  const { live, skipped } = settled
  const moved = movedBy(live).map(({ id, lots }) => ({ id, lots: -lots }))
  const left = summed([...step.byPages, ...moved])
  // An account that is let do what makes nothing worse pays no fee.
  const paid = BigInt(live.length) * fee
  const withFees = summed([...left, { id: CASH_ID, lots: paid }])
  const unexplained = left.length === 0 || withFees.length === 0 ? [] : withFees
  return { ...step, pages: live.length + skipped.length, settled, unexplained }
}

function stepOf(
  rebuilt: Rebuilt,
  visit: Opened,
  before: Opened | null,
  deposits: readonly OwnDeposit[],
  l1Owner: string | undefined,
): Step {
  const { account, touch } = visit
  const changes = changesBetween(before?.account ?? null, account)
  const credited = deposits.filter(({ batch }) => batch === touch.batchNumber)
  const conversions = before === null ? [] : conversionsOf(before.account, visit)
  const forced = visit.requests
    .filter(({ kind, data3 }) => kind === REQUEST_KIND.forcedExit && data3 > 0n)
    .map(({ x, y, data3 }) => ({ token: Number(x), amount: data3, to: addressOfWord(y) }))
  const headBefore = before?.account.head ?? firstHead(rebuilt, touch.index, account)
  return {
    visit,
    status: statusOf(account),
    event: eventOf(visit, before),
    pages: headBefore === account.head ? 0 : null,
    settled: null,
    unexplained: null,
    changes,
    deposits: credited,
    conversions,
    forced,
    paidToOwner: visit.withdrawals.filter(
      ({ to }) => l1Owner !== undefined && BigInt(to) === BigInt(l1Owner),
    ),
    byPages: summed([
      ...changes,
      ...credited.map(({ token, amount }) => ({ id: token, lots: -amount })),
      ...conversions.flatMap(({ id, lots, cash }) => [
        { id, lots },
        { id: CASH_ID, lots: -cash },
      ]),
      ...forced.map(({ token, amount }) => ({ id: token, lots: amount })),
    ]),
  }
}

function eventOf(visit: Opened, before: Opened | null): Step['event'] {
  const kinds = visit.requests.map(({ kind }) => kind)
  if (kinds.includes(REQUEST_KIND.register)) return 'registered'
  if (kinds.includes(REQUEST_KIND.rotate)) return 'key rotated on L1'
  const isRotated =
    before !== null &&
    (before.account.viewKeyHash !== visit.account.viewKeyHash ||
      before.account.ownerKeyHash !== visit.account.ownerKeyHash)
  return isRotated ? 'keys rotated by page' : null
}

export function statusOf({ meta }: Account): Step['status'] {
  const code = Number(meta & 7n)
  const names = Object.keys(STATUS) as (keyof typeof STATUS)[]
  return names.find((name) => STATUS[name] === code) ?? 'unknown'
}

/** Holdings with cash as id 1, zero quantities left out. */
export function holdingsOf(account: Account): readonly Change[] {
  const all = [{ id: CASH_ID, quantity: account.cash }, ...account.balances]
  return all.filter(({ quantity }) => quantity !== 0n).map((b) => ({ id: b.id, lots: b.quantity }))
}

export function changesBetween(before: Account | null, after: Account): readonly Change[] {
  const held =
    before === null ? [] : holdingsOf(before).map(({ id, lots }) => ({ id, lots: -lots }))
  return summed([...holdingsOf(after), ...held])
}

/** What was held and has a final value is turned into cash, all of it, in the next batch. */
function conversionsOf(before: Account, { settled }: Opened): readonly Conversion[] {
  return before.balances.flatMap(({ id, quantity }) => {
    const value = settled.get(id)
    return value === undefined ? [] : [{ id, lots: quantity, value, cash: quantity * value }]
  })
}

function summed(list: readonly Change[]): readonly Change[] {
  const sums = new Map<number, bigint>()
  for (const { id, lots } of list) sums.set(id, (sums.get(id) ?? 0n) + lots)
  return [...sums]
    .filter(([, lots]) => lots !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([id, lots]) => ({ id, lots }))
}
