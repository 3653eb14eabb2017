/** What many waiting pages and open trades cost, by what is looked at: counted, not timed. */
import { expect, test, vi } from 'vitest'
import { stampOf, type Page } from '../../circuits/page.ts'
import { chooseBatch } from '../../sequencer/builder.ts'
import { Desk } from '../../sequencer/desk.ts'
import type { House } from '../../sequencer/house.ts'
import type { Ledger, PendingPage } from '../../sequencer/ledger.ts'
import { Metrics } from '../../sequencer/metrics.ts'
import type { TicketBook } from '../../sequencer/ticket-book.ts'
import type { Ticket } from '../../sequencer/ticket.ts'
import { account, context, FUTURE, ledgerOf, NOW } from './one-lot.ts'
import { SHAPE } from './floor.ts'

const OWNER = { x: 1n, y: 2n }
const pageOf = (index: number, i: number, page: Partial<Page> = {}): PendingPage => ({
  page: {
    kind: 'withdrawal',
    account: index,
    counterparty: 0,
    stamp: stampOf(NOW - 100n, BigInt(i)),
    maxFee: 100n,
    payload: 5n,
    entries: [{ instrument: 1, quantity: -(10n ** 9n), price: 0n }],
    ...page,
  },
  head: BigInt(i),
  signature: { r: OWNER, s: 1n },
  trade: `t${index}-${i}`,
})
/** As it is, and how often its stamp was asked for. */
function watched({ page, ...pending }: PendingPage) {
  const count = { reads: 0 }
  const { stamp, ...rest } = page
  const get = (): bigint => {
    count.reads++
    return stamp
  }
  const own = Object.defineProperty(rest, 'stamp', { enumerable: true, get }) as Page
  return { pending: { ...pending, page: own }, count }
}

/** Accounts that ask for more than they have, and a trade of two others that waits for its second side. */
function crashed(broken: number): { readonly ledger: Ledger; readonly reads: () => number } {
  const ledger = ledgerOf(...Array.from({ length: broken + 2 }, () => account(0n)))
  for (let i = 0; i < broken; i++) ledger.append(16 + i, pageOf(16 + i, i))
  for (const index of ledger.accounts.keys()) ledger.ownerKeys.set(index, OWNER)
  const entries = [{ instrument: FUTURE, quantity: 1n, price: 1n }]
  const other = 16 + broken + 1
  const half = pageOf(16 + broken, broken, { kind: 'trade', counterparty: other, entries })
  const { pending, count } = watched(half)
  ledger.append(16 + broken, pending)
  return { ledger, reads: () => count.reads }
}

test('a page that waits is looked at as often, however many others break the batch before it', () => {
  const readsOf = (broken: number): { readonly reads: number; readonly tries: number } => {
    const { ledger, reads } = crashed(broken)
    const waiting = { requests: [], credits: [] }
    const { setAside } = chooseBatch(ledger, waiting, SHAPE, context, () => 0)
    return { reads: reads(), tries: setAside.length }
  }
  const [few, many] = [readsOf(2), readsOf(60)]
  expect(few.tries).toBeGreaterThanOrEqual(2)
  expect(many.tries).toBeGreaterThanOrEqual(60)
  expect(many.reads).toBe(few.reads)
})

test('what is dropped touches the sides of open trades, not each of them for each account', () => {
  const ledger = ledgerOf(...Array.from({ length: 200 }, () => account(10n ** 9n)))
  const desk = new Desk(ledger, () => {
    throw new Error('nothing is judged here')
  })
  const { book } = desk as unknown as { readonly book: TicketBook }
  let deleted = 0
  class Sides extends Map<number, null> {
    override delete(side: number): boolean {
      deleted++
      return super.delete(side)
    }
  }
  const ticketOf = (i: number, side: number): Ticket => ({
    id: `open${i}`,
    clientId: `c${i}`,
    proposer: side,
    counterparty: side + 1,
    entries: [],
    payload: 0n,
    state: 'stamped',
    stamp: 1n,
    refusal: null,
    sides: new Sides([[side, null]]),
    heads: new Map(),
    receipts: new Map(),
    admittedAt: 0n,
    batch: null,
  })
  for (let i = 0; i < 300; i++) book.add(ticketOf(i, 16 + (i % 150)))
  for (let index = 16; index < 116; index++) ledger.append(index, pageOf(index, index))
  const rejection = { rule: 'WithdrawalMustLeaveSolvent', detail: 'too much' } as const
  const all = [...ledger.pending.values()].flatMap((pages) =>
    pages.map(({ trade }) => ({ trade, rejection })),
  )
  desk.drop(all, NOW)
  // Of a hundred accounts, two open trades each.
  expect(deleted).toBe(200)
  const signed = [...desk.tickets.values()].filter(({ sides }) => sides.size > 0)
  expect(signed.map(({ proposer }) => proposer).every((side) => side >= 116)).toBe(true)
  expect(signed).toHaveLength(100)
})

test('the age of the queue is that of the first page of a journal: those behind it are not looked at', async () => {
  const ledger = ledgerOf(account(0n), account(0n))
  const first = [watched(pageOf(16, 7)), watched(pageOf(17, 3))]
  const behind = Array.from({ length: 1_000 }, (_, i) => watched(pageOf(16, 8 + i)))
  ledger.pending.set(
    16,
    [first[0], ...behind].map((one) => (one as (typeof behind)[0])!.pending),
  )
  ledger.pending.set(17, [(first[1] as (typeof first)[0]).pending])
  ledger.pending.set(18, [])
  const metrics = new Metrics()
  metrics.watch({ ledger } as unknown as House)
  const value = async (name: string): Promise<number> => {
    const { values } = (await metrics.registry.getSingleMetric(name)?.get()) ?? { values: [] }
    return Number(values[0]?.value)
  }
  expect(await value('cloister_queue_pages')).toBe(1_002)
  vi.useFakeTimers({ toFake: ['Date'], now: 1000 * Number(NOW) })
  try {
    expect(await value('cloister_queue_age_seconds')).toBe(100)
  } finally {
    vi.useRealTimers()
  }
  expect(first.map(({ count }) => count.reads)).toEqual([1, 1])
  expect(behind.every(({ count }) => count.reads === 0)).toBe(true)
})
