/** What the house keeps of trades that ended, and how many may be open: bounds that one account reaches alone. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Member } from '../../client/member.ts'
import { NAMES_KEPT, Recent } from '../../sequencer/asked.ts'
import { DONE_KEPT, OPEN_TRADES } from '../../sequencer/ticket-book.ts'
import { Caller } from './caller.ts'
import { Floor } from './floor.ts'

let floor: Floor
let a: Member, b: Member, c: Member

beforeEach(async () => {
  const opened = await Floor.open([1000, 1000, 10], null)
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
})
afterEach(() => floor.close())

describe('what is remembered', () => {
  it('of an account are so many ended trades, those of others untouched', async () => {
    const { desk } = floor.house
    const ended: string[] = []
    const propose = (i: number, from: Member, to: Member): string => {
      const proposal = { clientId: `m${i}`, counterparty: to.account, entries: [], payload: 1n }
      const made = desk.propose(from.account, proposal, BigInt(i))
      if ('refused' in made) throw new Error(made.refused)
      return made.id
    }
    const open = propose(-1, a, b)
    const alone = propose(0, b, c)
    desk.reject(c.account, alone)
    for (let i = 1; i <= DONE_KEPT + 1; i++) {
      ended.push(propose(i, a, b))
      desk.reject(b.account, ended.at(-1) as string)
    }
    const ids = desk.ticketsOf(a.account).map(({ id }) => id)
    // What is open stays, however old.
    expect(ids).toEqual([open, ...ended.slice(1)])
    expect(desk.tickets.has(ended[0] as string)).toBe(false)
    // One side has forgotten it, the other has not.
    expect(desk.ticketsOf(b.account).map(({ id }) => id)).not.toContain(alone)
    expect(desk.ticketsOf(c.account).map(({ id }) => id)).toEqual([alone])
    expect(desk.tickets.has(alone)).toBe(true)
  })

  it('open proposals are few: refused by name until one ends, or cannot be signed any more', async () => {
    const { desk } = floor.house
    const propose = (i: number) =>
      desk.propose(
        a.account,
        { clientId: `m${i}`, counterparty: b.account, entries: [], payload: 1n },
        BigInt(i),
      )
    const ids = Array.from({ length: OPEN_TRADES }, (_, i) => {
      const made = propose(i)
      if ('refused' in made) throw new Error(made.refused)
      return made.id
    })
    const caller = await Caller.open(floor.url, a, floor.house.domain)
    const more = { clientId: 'more', counterparty: b.account, entries: [], payload: '1' }
    expect(await caller.post('/v1/trades', more)).toMatchObject({
      status: 429,
      code: 'OpenTradesMustBeFew',
    })
    // It says nothing of what others may propose, to this account or from it.
    const others = await Caller.open(floor.url, b, floor.house.domain)
    const back = { ...more, counterparty: a.account }
    expect((await others.post('/v1/trades', back)).status).toBe(200)
    desk.reject(b.account, ids[0] as string)
    expect((await caller.post('/v1/trades', more)).status).toBe(200)
    expect((await caller.post('/v1/trades', { ...more, clientId: 'one' })).status).toBe(429)
    // Stamped and never signed: when its time is over it makes room.
    await b.api.affirm(ids[1] as string)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 65_537_000 })
    try {
      const late = await Caller.open(floor.url, a, floor.house.domain)
      expect((await late.post('/v1/trades', { ...more, clientId: 'two' })).status).toBe(200)
      expect((await a.api.trade(ids[1] as string)).refused).toBe('StampMustBeLive')
    } finally {
      vi.useRealTimers()
    }
  })

  it('by name are the latest of each account', () => {
    const recent = new Recent<string, number>()
    recent.set(1, 'other', 1)
    for (let i = 0; i <= NAMES_KEPT; i++) recent.set(2, `${i}`, i)
    expect(recent.get(2, '0')).toBeUndefined()
    expect(recent.get(2, '1')).toBe(1)
    expect(recent.get(1, 'other')).toBe(1)
  })
})
