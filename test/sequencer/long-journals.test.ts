/** Thousands of pages that wait in one journal are one member's own affair: they slow down nobody else. */
import { afterEach, expect, it } from 'vitest'
import { livenessAt, stampOf, type Page } from '../../circuits/page.ts'
import { feeAccountOf, type Account } from '../../circuits/account.ts'
import type { Member } from '../../client/member.ts'
import { Asked, NAMES_KEPT, singleName } from '../../sequencer/asked.ts'
import { Ledger, withPage, type PendingPage } from '../../sequencer/ledger.ts'
import { DONE_KEPT } from '../../sequencer/ticket-book.ts'
import { Caller } from './caller.ts'
import { FEE, Floor } from './floor.ts'

const MANY = 2_000
const NOBODY = { r: { x: 1n, y: 2n }, s: 3n }
let floor: Floor | null = null
afterEach(async () => {
  await floor?.close()
  floor = null
})

const pageOf = (account: number, stamp: bigint, i: number): Page => ({
  kind: 'trade',
  account,
  counterparty: 99,
  stamp,
  maxFee: FEE,
  payload: BigInt(i),
  entries: [
    { instrument: 1024 + (i % 3), quantity: i % 2 === 0 ? 1n : -1n, price: 2_000_000n },
    { instrument: 1024, quantity: BigInt(i % 5) - 2n, price: 50_000_000n },
  ],
})
const pendingOf = (page: Page, i: number): PendingPage => ({
  page,
  head: BigInt(i),
  signature: { ...NOBODY, s: BigInt(i) },
  trade: `t1-${i}`,
})
/** Milliseconds of the quickest of some runs: what else the machine does is not counted. */
function quickest(work: (run: number) => unknown): number {
  const runs = Array.from({ length: 9 }, (_, run) => {
    const before = performance.now()
    work(run)
    return performance.now() - before
  })
  return Math.min(...runs)
}
async function open(pages: number): Promise<readonly [Floor, readonly Member[]]> {
  const opened = await Floor.open([100_000, 100_000])
  floor = opened.floor
  const [a] = opened.members as [Member]
  // As the house has it: its clock is its records'.
  const now = floor.house.core.conditions().time
  for (let i = 0; i < pages; i++)
    floor.house.ledger.append(
      a.account,
      pendingOf(pageOf(a.account, stampOf(now, BigInt(i)), i), i),
    )
  return [floor, opened.members]
}

it('the account behind its pages is what one page after the other makes of it', () => {
  const settled: Account = { ...feeAccountOf(5n, 0n), balances: [{ id: 1025, quantity: 7n }] }
  const ledger = new Ledger(settled, 5n)
  const plain = (fee: bigint, time: bigint): Account =>
    [...ledger.pendingOf(17), ...ledger.unsignedOf(17)]
      .filter(({ page }) => livenessAt(page.stamp, time) !== 'expired')
      .reduce((sum, { page }) => withPage(sum, page, fee), ledger.accounts.get(17) as Account)
  let seed = 1
  const random = (bound: number): number => (seed = (seed * 48_271) % 2_147_483_647) % bound
  ledger.accounts.set(17, settled)
  let [count, time] = [0, 1_000_000n]
  const done = new Set<string>()
  for (let step = 0; step < 3_000; step++) {
    const pick = random(40)
    if (pick < 25) {
      // Some are of long ago, in any order: they expire one after the other, or have.
      const age = BigInt(random(140_000))
      ledger.append(17, pendingOf(pageOf(17, stampOf(time - age, BigInt(count)), count), ++count))
      done.add('append')
    } else if (pick < 28) time += BigInt(random(9_000))
    else if (pick === 28) time -= BigInt(random(9_000))
    else if (pick === 29) {
      const pages = ledger.pendingOf(17)
      ledger.drop(new Set([pages[random(Math.max(1, pages.length))]?.trade ?? 'none']))
      done.add('drop')
    } else if (pick === 30) ledger.unsigned.delete(17)
    else if (pick === 31) ledger.pending.set(17, ledger.pendingOf(17).slice(3))
    else if (pick === 32)
      ledger.accounts.set(17, { ...(ledger.accounts.get(17) as Account), cash: BigInt(step) })
    const fee = pick === 33 ? 7n : FEE
    expect(ledger.projected(17, fee, time)).toEqual(plain(fee, time))
    expect(ledger.projected(17, fee, time)).toEqual(plain(fee, time))
  }
  expect(done.size).toBe(2)
  expect(ledger.projected(18, FEE, time)).toBeUndefined()
})

/** What one look costs behind many pages, in what it costs behind a few. */
async function dearerBehindMany(
  work: (house: Floor['house'], account: number, other: number, run: number) => void,
): Promise<number> {
  const times: number[] = []
  for (const pages of [20, MANY]) {
    const [{ house }, [a, b]] = await open(pages)
    const [account, other] = [(a as Member).account, (b as Member).account]
    times.push(quickest((run) => work(house, account, other, run)))
    await floor?.close()
    floor = null
  }
  const [few, many] = times as [number, number]
  return many / few
}

it('a withdrawal behind thousands of pages is judged about as quickly as behind a few', async () => {
  const ratio = await dearerBehindMany((house, account, _other, run) => {
    const now = house.core.conditions().time
    const page: Page = {
      ...pageOf(account, stampOf(now, 1_000_000n), 1),
      kind: 'withdrawal',
      counterparty: 0,
      entries: [{ instrument: 1, quantity: -1n, price: 0n }],
    }
    // Hashes that somebody has made meanwhile for other heads are none for this one.
    const waiting = house.ledger.pendingOf(account).map((p) => ({ ...p, page: { ...p.page } }))
    house.ledger.pending.set(account, waiting)
    const signed = { page, signature: { ...NOBODY, s: 1_000_000n } }
    const answer = house.desk.takePage(`w${run}`, null, signed)
    if (!('refused' in answer) || answer.refused !== 'SignatureMustMatch')
      throw new Error('the page was not looked at')
  })
  expect(ratio).toBeLessThan(20)
})

it('a trade with a member behind thousands of pages is affirmed as quickly as behind a few', async () => {
  const entries = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]
  const ratio = await dearerBehindMany((house, account, other, run) => {
    const proposal = { clientId: `p${run}`, counterparty: other, entries, payload: 0n }
    const made = house.desk.propose(account, proposal, BigInt(run))
    if ('refused' in made) throw new Error(made.refused)
    const affirmed = house.desk.affirm(other, made.id, BigInt(run))
    if ('refused' in affirmed) throw new Error(affirmed.refused)
  })
  expect(ratio).toBeLessThan(5)
})

it('a page under names without end is remembered by the latest of them', () => {
  const asked = new Asked()
  const page = { ...pageOf(17, 1n, 1), kind: 'withdrawal' as const }
  const answer = { head: 5n, complete: true, time: 1n }
  for (let i = 0; i < 3 * NAMES_KEPT; i++)
    asked.keepPage(`n${i}`, null, null, { page, signature: NOBODY }, 'print', answer)
  const told = asked.advance(singleName(17, 5n), 'final', 9n)
  expect(told).toHaveLength(NAMES_KEPT)
  expect(asked.page(17, `n${3 * NAMES_KEPT - 1}`)).toMatchObject({ state: 'final', batch: 9n })
  expect(asked.page(17, 'n0')).toBeUndefined()
})

it('proposals without end push out nothing that was agreed', async () => {
  const opened = await Floor.open([1_000, 1_000, 1_000])
  floor = opened.floor
  const [a, b, hostile] = opened.members as [Member, Member, Member]
  const entries = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]
  const id = await floor.trade(a, b, entries)
  await floor.batch()
  const caller = await Caller.open(floor.url, a, floor.house.domain)
  const names = floor.house.desk.asked.state.pages as [number, { clientId: string }[]][]
  const name = names.find(([account]) => account === a.account)?.[1][0]?.clientId
  const before = await caller.get(`/v1/pages/${name}`)
  expect(before.value).toMatchObject({ state: 'final', ticket: id })
  const { desk } = floor.house
  for (const victim of [a, b])
    for (let i = 0; i <= DONE_KEPT; i++) {
      const proposal = { clientId: `${victim.account}-${i}`, entries, payload: 0n }
      const made = desk.propose(
        hostile.account,
        { ...proposal, counterparty: victim.account },
        BigInt(100_000 * victim.account + i),
      )
      if ('refused' in made) throw new Error(made.refused)
      desk.reject(hostile.account, made.id)
    }
  expect((await a.api.tickets()).map((ticket) => ticket.id)).toContain(id)
  expect(await caller.get(`/v1/pages/${name}`)).toEqual(before)
})

it('what became of a page is known by its name when its trade is forgotten', async () => {
  const opened = await Floor.open([1_000, 1_000])
  floor = opened.floor
  const [a, b] = opened.members as [Member, Member]
  const id = await floor.trade(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
  await floor.batch()
  const { desk } = floor.house
  const names = desk.asked.state.pages as [number, { clientId: string }[]][]
  const caller = await Caller.open(floor.url, a, floor.house.domain)
  const name = names.find(([account]) => account === a.account)?.[1][0]?.clientId
  const before = await caller.get(`/v1/pages/${name}`)
  ;(desk.tickets as Map<string, unknown>).delete(id)
  expect(await caller.get(`/v1/pages/${name}`)).toEqual(before)
  expect(before.value).toMatchObject({ state: 'final', batch: '2' })
})
