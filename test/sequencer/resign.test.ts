/** A page that cannot settle holds up nobody: both sides sign their later pages anew without it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sign } from '../../circuits/eddsa.ts'
import { headAfter } from '../../circuits/page.ts'
import { settlementsOf, type Table } from '../../circuits/table.ts'
import { HouseApi } from '../../client/api.ts'
import type { SignedPage } from '../../client/journal.ts'
import type { Member } from '../../client/member.ts'
import { RESIGN_SECONDS } from '../../sequencer/resign.ts'
import { chooseBatch } from '../../sequencer/builder.ts'
import { FEE, Floor, SHAPE, ticketOf, wideRow } from './floor.ts'

const FUTURE = 1024
const OTHER = 1025
let floor: Floor
let a: Member
let b: Member
let c: Member
let d: Member
/** What becomes unprovable, and what comes after it in somebody's journal. */
let bad: string
let later: { readonly ac: string; readonly cd: string; readonly bd: string }

const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]
const stateOf = async (member: Member, id: string): Promise<string> =>
  (await ticketOf(member, id)).state
const headOf = (member: Member): bigint | undefined => floor.house.ledger.headOf(member.account)

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const opened = await Floor.open([200, 10_000, 10_000, 10_000])
  floor = opened.floor
  ;[a, b, c, d] = opened.members as [Member, Member, Member, Member]
  bad = await floor.trade(a, b, lots(FUTURE, 5n, 50_000_000n))
  later = {
    ac: await floor.trade(a, c, lots(OTHER, 3n, 2_000_000n)),
    cd: await floor.trade(c, d, lots(OTHER, 4n, 2_000_000n)),
    bd: await floor.trade(b, d, lots(OTHER, 6n, 2_000_000n)),
  }
  // Half of the mark could be lost at the first table, all of it at this one: 250 dollars of 200.
  floor.l1.post([wideRow(FUTURE, 50_000_000n), ...floor.rows.slice(1)])
})
afterEach(async () => {
  await floor.close()
  vi.useRealTimers()
})

/** Everything but the bad trade has settled, journals and house agree, nothing waits. */
async function expectSettled(...trades: readonly string[]): Promise<void> {
  expect(floor.balance(a, FUTURE)).toBe(0n)
  expect(floor.balance(b, FUTURE)).toBe(0n)
  for (const member of [a, b, c, d]) {
    expect(floor.house.ledger.pendingOf(member.account)).toEqual([])
    expect(floor.house.ledger.unsignedOf(member.account)).toEqual([])
    const states = (await member.api.tickets()).map((t) => t.state)
    expect(states.filter((state) => state !== 'final' && state !== 'refused')).toEqual([])
  }
  for (const trade of trades)
    expect(floor.house.desk.tickets.get(trade)).toMatchObject({ state: 'final' })
  expect(floor.cash).toBe(30_200_000_000n)
}

it('both sides of a trade hold a receipt of the operator for it', () => {
  for (const member of [a, b, c, d]) {
    const { pending, receipts } = member.journal.state
    expect(pending.length).toBeGreaterThan(0)
    expect(pending.map(({ head }) => receipts.has(head))).toEqual(pending.map(() => true))
  }
})

describe('a page that a new table makes unprovable', () => {
  it('is left out, later pages are signed anew, all else settles', async () => {
    const stale = headOf(a)
    expect(await floor.batch()).toBeNull()
    expect(await stateOf(a, bad)).toBe('refused')
    // Whose margin failed is told to that side alone.
    expect((await ticketOf(a, bad)).refused).toBe('AccountMustBeSolvent')
    expect((await ticketOf(b, bad)).refused).toBe('TradeMustBeAdmissible')
    // Both sides are asked, and for their later pages only.
    expect((await a.api.account()).resign).toHaveLength(1)
    expect((await b.api.account()).resign).toHaveLength(1)
    expect((await c.api.account()).resign).toHaveLength(0)
    const stampsBefore = a.journal.state.pending.map((p) => p.page.stamp)
    for (const member of [a, b]) expect(await member.realign()).toBe(true)
    expect(a.journal.state.pending.map((p) => p.page.stamp)).toEqual(stampsBefore.slice(1))
    expect(a.journal.state.head).toBe(headOf(a))
    expect(a.journal.state.head).not.toBe(stale)
    expect(a.journal.state.receipts.has(a.journal.state.head)).toBe(true)
    expect(await floor.batch()).toMatchObject({ trades: 3, pages: 6 })
    await expectSettled(later.ac, later.cd, later.bd)
    expect(floor.balance(a, OTHER)).toBe(3n)
  })

  it('lets pages before it settle at once', async () => {
    // The table comes back, a small trade goes first, then the wide one is posted again.
    await floor.batch()
    for (const member of [a, b, c, d]) await member.realign()
    const early = await floor.trade(b, c, lots(OTHER, 1n, 2_000_000n))
    floor.l1.post(floor.rows)
    await floor.house.watch()
    const late = await floor.trade(a, b, lots(FUTURE, 5n, 50_000_000n))
    floor.l1.post([wideRow(FUTURE, 50_000_000n), ...floor.rows.slice(1)])
    expect(await floor.batch()).toMatchObject({ trades: 4 })
    expect(await stateOf(b, early)).toBe('final')
    // It was not the first page of its account: the next batch tries it alone.
    expect(await floor.batch()).toBeNull()
    expect(await stateOf(b, late)).toBe('refused')
    await expectSettled(early)
  })

  it('is found by halves, however long the journal behind it is', async () => {
    for (let i = 0; i < 5; i++) await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
    await floor.house.watch()
    const { ledger } = floor.house
    const context = {
      domain: floor.house.domain,
      batchNumber: 2n,
      time: BigInt(Math.floor(Date.now() / 1000)),
      fee: FEE,
      batchNonce: 1n,
      table: floor.house.table as Table,
      settlements: settlementsOf([]),
    }
    const waiting = { requests: [], credits: [] }
    // Seven pages: tried with 7, 6, 3 and 1 of them.
    expect(ledger.pendingOf(a.account)).toHaveLength(7)
    const choice = chooseBatch(ledger, waiting, SHAPE, context, () => 0)
    expect(choice.setAside).toHaveLength(4)
    expect(choice.unprovable.map(({ trade }) => trade)).toEqual([bad])
    expect(choice.unprovable[0]?.rejection).toMatchObject({ account: a.account })
  })

  it('costs whoever does not sign anew its own pages, and nobody else more than a minute', async () => {
    await floor.batch()
    await b.realign()
    expect(await floor.batch()).toBeNull()
    vi.setSystemTime(Date.now() + Number(RESIGN_SECONDS) * 1000 - 1000)
    expect(await floor.batch()).toBeNull()
    expect(await stateOf(c, later.ac)).toBe('accepted')
    vi.setSystemTime(Date.now() + 1000)
    await floor.batch()
    expect(await stateOf(c, later.ac)).toBe('refused')
    expect(await c.realign()).toBe(true)
    expect(await floor.batch()).toMatchObject({ trades: 2 })
    // The silent one comes back, and finds its journal where the house has it.
    expect(await a.realign()).toBe(true)
    expect(a.journal.state.pending).toEqual([])
    const back = await floor.trade(a, d, lots(OTHER, 1n, 2_000_000n))
    await floor.batch()
    await expectSettled(later.cd, later.bd, back)
  })

  it('costs whoever is silent all of its later pages at once, however many there are', async () => {
    const more = [
      await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n)),
      await floor.trade(a, d, lots(OTHER, 1n, 2_000_000n)),
      await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n)),
    ]
    await floor.batch()
    await b.realign()
    vi.setSystemTime(Date.now() + Number(RESIGN_SECONDS) * 1000)
    await floor.house.tick()
    // Each holds up its other side: nobody waits a minute for each of them.
    const states = await Promise.all([later.ac, ...more].map((id) => stateOf(a, id)))
    expect(states).toEqual(['refused', 'refused', 'refused', 'refused'])
    expect(floor.house.ledger.unsignedOf(a.account)).toEqual([])
    for (const member of [c, d]) await member.realign()
    expect(await floor.batch()).toMatchObject({ trades: 2 })
    expect(await a.realign()).toBe(true)
    await expectSettled(later.cd, later.bd)
  })

  it('cost one page a minute in records of before, which mean what they meant', async () => {
    const more = await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
    await floor.batch()
    await b.realign()
    const states = () => Promise.all([later.ac, more].map((id) => stateOf(a, id)))
    for (const expected of [
      ['refused', 'accepted'],
      ['refused', 'refused'],
    ]) {
      vi.setSystemTime(Date.now() + Number(RESIGN_SECONDS) * 1000)
      await floor.house.submit({ kind: 'tick' })
      expect(await states()).toEqual(expected)
    }
  })

  it('goes on by the clock alone, which records nothing before the time is up', async () => {
    await floor.batch()
    await b.realign()
    const records = () => floor.house.journal.head.sequence
    vi.setSystemTime(Date.now() + Number(RESIGN_SECONDS) * 1000 - 1000)
    const before = records()
    await floor.house.tick()
    expect(records()).toBe(before)
    expect(await stateOf(c, later.ac)).toBe('accepted')
    vi.setSystemTime(Date.now() + 1000)
    await floor.house.tick()
    expect(await stateOf(c, later.ac)).toBe('refused')
    expect(records()).toBe(before + 1)
    await floor.house.tick()
    expect(records()).toBe(before + 1)
  })

  it('does not spoil a trade that is being signed meanwhile', async () => {
    const id = await floor.agree(a, d, lots(OTHER, 1n, 2_000_000n))
    const first = ticketOf(a, id).then((ticket) => a.settleTicket(ticket))
    while (!(await ticketOf(a, id)).isSigned);
    // The house cuts the journal under the page that waits for its other side.
    await floor.batch()
    expect((await ticketOf(d, id)).isSigned).toBe(false)
    const [other] = await floor.sign(id, d)
    expect([(await first).state, other?.state]).toEqual(['accepted', 'accepted'])
    await b.realign()
    expect(await floor.batch()).toMatchObject({ trades: 4 })
    await expectSettled(later.ac, later.cd, later.bd, id)
  })
})

type Pages = readonly [SignedPage]

describe('more pages than one request takes', () => {
  it('are signed anew by parts, each only where it begins', async () => {
    const more = [
      await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n)),
      await floor.trade(a, d, lots(OTHER, 1n, 2_000_000n)),
    ]
    await floor.batch()
    await b.realign()
    const pages = a.journal.rebase([bad], a.keys.signing)
    expect(pages).toHaveLength(3)
    const [first, second, third] = pages as [SignedPage, SignedPage, SignedPage]
    const refused = { refused: 'JournalMustContinue' }
    expect(await a.api.resign([second])).toMatchObject(refused)
    expect(await a.api.resign([...pages, third])).toMatchObject(refused)
    const answer = await a.api.resign([first])
    expect(answer).toMatchObject({ head: `${first.head}`, complete: true })
    expect(headOf(a)).toBe(first.head)
    // The answer was lost.
    expect(await a.api.resign([first])).toEqual(answer)
    expect(await a.api.resign([first, second])).toMatchObject(refused)
    expect((await a.api.account()).resign).toHaveLength(2)
    // A part is no reason to wait for the rest any longer.
    expect(floor.house.desk.resigning.overdue(1n << 40n).length).toBe(2)
    expect(await a.api.resign([second, third])).toMatchObject({ head: `${third.head}` })
    expect(floor.house.ledger.unsignedOf(a.account)).toEqual([])
    expect(floor.house.desk.resigning.overdue(1n << 40n)).toEqual([])
    await floor.batch()
    await expectSettled(later.ac, later.cd, later.bd, ...more)
  })

  it('gain no time by it, and in records of before come all at once', async () => {
    await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
    await floor.batch()
    const [first, second] = a.journal.rebase([bad], a.keys.signing) as [SignedPage, SignedPage]
    const { account } = a
    expect(await floor.house.submit({ kind: 'resigned', account, pages: [first] })).toMatchObject({
      rule: 'JournalMustContinue',
    })
    vi.setSystemTime(Date.now() + Number(RESIGN_SECONDS) * 1000 - 1000)
    expect(await a.api.resign([first])).toMatchObject({ complete: true })
    vi.setSystemTime(Date.now() + 1000)
    await floor.house.tick()
    expect(floor.house.ledger.unsignedOf(a.account)).toEqual([])
    expect(headOf(a)).toBe(first.head)
    expect(await a.api.resign([second])).toMatchObject({ refused: 'JournalMustContinue' })
  })

  it('are sent by the library as many at a time as the house takes', async () => {
    const sizes: number[] = []
    const api = new HouseApi(floor.url)
    const ask = (_path: string, { pages }: { pages: readonly unknown[] }) => {
      sizes.push(pages.length)
      return Promise.resolve({ head: '1', complete: true, receipt: null })
    }
    Object.assign(api, { asked: ask })
    const [page] = a.journal.state.pending as unknown as [SignedPage]
    await api.resign(Array.from({ length: 1_100 }, () => page))
    expect(sizes).toEqual([512, 512, 76])
  })
})

describe('what is handed in as signed anew', () => {
  const again = async (change: (pages: Pages) => readonly SignedPage[]) => {
    await floor.batch()
    const pages = a.journal.rebase([bad], a.keys.signing)
    return (await a.api.resign(change(pages as Pages))) as { refused?: string }
  }
  it.each([
    ['less than was asked for', () => [], 'JournalMustContinue'],
    [
      'another page',
      ([p]: Pages) => [{ ...p, page: { ...p.page, payload: 1n } }],
      'JournalMustContinue',
    ],
    ['a page twice', ([p]: Pages) => [p, p], 'JournalMustContinue'],
    ['a page on another head', ([p]: Pages) => [{ ...p, previousHead: 1n }], 'JournalMustContinue'],
    [
      'a signature of another head',
      ([p]: Pages) => [{ ...p, signature: sign(a.keys.signing, headAfter(1n, p.page)) }],
      'SignatureMustMatch',
    ],
    [
      'a signature of another member',
      ([p]: Pages) => [{ ...p, signature: sign(b.keys.signing, p.head) }],
      'SignatureMustMatch',
    ],
  ] as const)('%s is refused, and changes nothing', async (_what, change, rule) => {
    expect((await again(change)).refused).toBe(rule)
    expect(floor.house.ledger.unsignedOf(a.account)).toHaveLength(1)
    await a.realign()
    await b.realign()
    await floor.batch()
    await expectSettled(later.ac, later.cd, later.bd)
  })
})

it('what was signed anew and sent again, its answer lost, is answered the same', async () => {
  await floor.batch()
  const pages = a.journal.rebase([bad], a.keys.signing)
  const first = await a.api.resign(pages)
  expect(first).toMatchObject({ complete: true })
  expect(await a.api.resign(pages)).toEqual(first)
  const changed = pages.map((p) => ({
    ...p,
    signature: sign(a.keys.signing, headAfter(1n, p.page)),
  }))
  expect(await a.api.resign(changed)).toMatchObject({ refused: 'JournalMustContinue' })
  // Both sides hear that there is something to sign anew, with the head to go on from.
  const { events } = await b.api.events(0)
  expect(events.filter(({ event }) => event.kind === 'resign')).toHaveLength(1)
})
