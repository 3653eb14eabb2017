/** Proposals open towards one account: so many, whoever makes them, and no few can take the place of all. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Member } from '../../client/member.ts'
import { LIMITS } from '../../sequencer/api/limits.ts'
import { ProposalsTowards } from '../../sequencer/api/towards.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { OPEN_TRADES } from '../../sequencer/ticket-book.ts'
import { Caller, type Answer } from './caller.ts'
import { Floor } from './floor.ts'

const MOST = 6
const FULL = {
  error: {
    code: 'CounterpartyMustHaveRoom',
    detail: 'this account takes no more proposals now: try again later',
  },
}
let floor: Floor
let journal: MemoryJournal
let victim: Member
let callers: readonly Caller[]
let members: readonly Member[]

beforeEach(async () => {
  journal = new MemoryJournal()
  const limits = { proposals: MOST }
  const opened = await Floor.open([1000, 1000, 1000, 1000, 1000], null, journal, { limits })
  floor = opened.floor
  ;[victim, ...members] = opened.members as [Member, ...Member[]]
  const { domain } = floor.house
  callers = await Promise.all(members.map((member) => Caller.open(floor.url, member, domain)))
})
afterEach(() => floor.close())

let names = 0
const body = (to: Member, clientId = `p${++names}`) => ({
  ...{ clientId, counterparty: to.account, entries: [], payload: '1' },
})
const propose = (by: number, to = victim): Promise<Answer> =>
  callers[by]!.post('/v1/trades', body(to))
/** How many of so many are taken. */
async function taken(by: number, tries: number): Promise<number> {
  let count = 0
  for (let i = 0; i < tries; i++) count += (await propose(by)).status === 200 ? 1 : 0
  return count
}
const idOf = ({ value }: Answer): string => String(value['id'])

describe('proposals towards one account', () => {
  it('of one proposer leave as much to the others as it has, of these again, to the last place', async () => {
    expect(await taken(0, 4)).toBe(3)
    expect(await taken(1, 3)).toBe(2)
    expect(await taken(2, 2)).toBe(1)
    expect(await taken(3, 1)).toBe(0)
    expect(floor.house.desk.ticketsOf(victim.account)).toHaveLength(MOST)
  })

  it('beyond that are refused by name: nothing is recorded, and nothing told of anybody', async () => {
    await taken(0, 3)
    await taken(1, 2)
    const { sequence } = journal.head
    const early = await propose(0)
    expect(journal.head.sequence).toBe(sequence)
    await taken(2, 1)
    const late = await propose(3)
    // Who has three there, and who has none: the same words, without a number.
    for (const { status, value } of [early, late]) expect([status, value]).toEqual([429, FULL])
  })

  it('that were refused keep nobody from others, nor the account from its own', async () => {
    await taken(0, 4)
    expect((await propose(0, members[1])).status).toBe(200)
    const own = await Caller.open(floor.url, victim, floor.house.domain)
    expect((await own.post('/v1/trades', body(members[0]!))).status).toBe(200)
  })

  it('that were taken have their answer, asked again while there is no room', async () => {
    const first = body(victim)
    const { value } = await callers[0]!.post('/v1/trades', first)
    await taken(0, 3)
    const again = await callers[0]!.post('/v1/trades', first)
    expect([again.status, again.value['id']]).toEqual([200, value['id']])
  })

  it('make room when they end: turned down, taken back, or agreed and never signed', async () => {
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push(idOf(await propose(0)))
    const [down, back] = ids as [string, string]
    expect((await propose(0)).code).toBe('CounterpartyMustHaveRoom')
    await victim.api.reject(down)
    const next = idOf(await propose(0))
    expect((await propose(0)).code).toBe('CounterpartyMustHaveRoom')
    await callers[0]!.post(`/v1/trades/${back}/reject`, {})
    expect((await propose(0)).status).toBe(200)
    // Agreed it is still open.
    expect(await victim.api.affirm(next)).toMatchObject({ state: 'stamped' })
    expect((await propose(0)).code).toBe('CounterpartyMustHaveRoom')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 65_537_000 })
    try {
      const late = await Caller.open(floor.url, members[0]!, floor.house.domain)
      expect((await late.post('/v1/trades', body(victim))).status).toBe(200)
      expect((await late.post('/v1/trades', body(victim))).code).toBe('CounterpartyMustHaveRoom')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('proposals that come at once', () => {
  const house = { desk: { openTowards: () => new Set<never>() }, conditions: () => ({ time: 0n }) }
  it('are counted while they are recorded, and no longer', async () => {
    const towards = new ProposalsTowards(() => house, { proposals: 2 })
    let end: (() => void) | undefined
    const under = towards.record(16, 20, () => new Promise<void>((done) => (end = done)))
    expect(() => towards.require(16, 20)).toThrow('takes no more proposals now')
    expect(() => towards.require(17, 20)).not.toThrow()
    expect(() => towards.require(16, 21)).not.toThrow()
    await towards.record(17, 20, async () => {
      expect(() => towards.require(18, 20)).toThrow('takes no more proposals now')
    })
    expect(() => towards.require(18, 20)).not.toThrow()
    end?.()
    await under
    const failed = towards.record(16, 20, () => Promise.reject(new Error('the disk')))
    await expect(failed).rejects.toThrow('the disk')
    expect(() => towards.require(16, 20)).not.toThrow()
  })
})

it('the number is that of docs/api.md, and no proposer reaches it alone', () => {
  expect(LIMITS.proposals).toBe(16_000)
  expect(2 * OPEN_TRADES).toBeLessThan(LIMITS.proposals)
})
