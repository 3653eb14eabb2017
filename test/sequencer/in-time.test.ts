/** Both sides sign soon, or not at all: who has signed first gives nobody hours to see where prices go. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SIGNING_SECONDS, stampSeconds } from '../../circuits/page.ts'
import type { Member } from '../../client/member.ts'
import { pageOf } from '../../client/pages.ts'
import type { TicketView } from '../../client/api.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { FEE, Floor } from './floor.ts'

const NOW = 1_790_000_000_000
const DAY_SECONDS = 86_400n
let floor: Floor
let journal: MemoryJournal
let a: Member, b: Member
let id: string

beforeEach(async () => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
  journal = new MemoryJournal()
  const opened = await Floor.open([1000, 1000], null, journal)
  floor = opened.floor
  ;[a, b] = opened.members as [Member, Member]
  id = await floor.agree(a, b, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
  // One side signs at once.
  expect(await signAnyTime(a)).toMatchObject({ complete: false })
})
afterEach(async () => {
  vi.useRealTimers()
  await floor.close()
})

const ticketOf = (member: Member): Promise<TicketView> => member.api.trade(id)
/** So many seconds after the stamp. */
async function secondsLater(seconds: bigint): Promise<void> {
  const { stamp } = await ticketOf(a)
  vi.setSystemTime(Number(stampSeconds(BigInt(stamp)) + seconds) * 1000)
}
/** As a client of another make: it signs whatever the clock says. */
async function signAnyTime(member: Member) {
  const page = pageOf(member.account, await ticketOf(member), FEE)
  const now = BigInt(Math.floor(Date.now() / 1000))
  const { signing } = member.keys
  const terms = { key: signing, clientId: id, now, stampBoundSeconds: DAY_SECONDS }
  return member.api.page(member.journal.signPage(page, terms), { ticket: id })
}
const pendingOf = ({ account }: Member): number => floor.house.ledger.pendingOf(account).length

describe('a trade that one side has signed', () => {
  it('is taken from the other in its last second', async () => {
    await secondsLater(SIGNING_SECONDS)
    expect(await signAnyTime(b)).toMatchObject({ complete: true })
    expect([pendingOf(a), pendingOf(b)]).toEqual([1, 1])
  })

  it('is not taken a second later, nor by the hour: nothing is recorded, and nothing settles', async () => {
    const { sequence } = journal.head
    for (const later of [SIGNING_SECONDS + 1n, 3_600n]) {
      await secondsLater(later)
      expect(await signAnyTime(b)).toMatchObject({ refused: 'StampMustBeLive' })
    }
    expect(journal.head.sequence).toBe(sequence)
    expect([pendingOf(a), pendingOf(b)]).toEqual([0, 0])
  })

  it('is given up by its first side then, whose journal goes on from the head before it', async () => {
    const { settledHead, head } = a.journal.state
    expect(head).not.toBe(settledHead)
    await secondsLater(SIGNING_SECONDS + 1n)
    expect(await a.settleTicket(await ticketOf(a))).toMatchObject({
      state: 'refused',
      rule: 'StampMustBeLive',
    })
    expect(a.journal.state).toMatchObject({ head: settledHead, pending: [] })
    expect(await a.withdraw(1, 1_000n, 7n)).toMatchObject({ state: 'accepted' })
  })

  it('that both have signed is asked about at any time', async () => {
    expect(await signAnyTime(b)).toMatchObject({ complete: true })
    await secondsLater(3_600n)
    expect(await signAnyTime(a)).toMatchObject({ complete: true })
  })
})
