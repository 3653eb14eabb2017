/** Pages of one account that wait: so many, said at the edge, and what was taken once is never held up. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { isRefused } from '../../client/member.ts'
import { HOUSE_WORDS } from '../../client/house-views.ts'
import { LIMITS } from '../../sequencer/api/limits.ts'
import { WaitingPages } from '../../sequencer/api/waiting.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { until } from '../until.ts'
import { Caller, json } from './caller.ts'
import { Floor } from './floor.ts'

const FUTURE = 1024
const lots = (quantity = 1n) => [{ instrument: FUTURE, quantity, price: 50_000_000n }]
const PAGES = 3
let floor: Floor
let journal: MemoryJournal
let a: Member, b: Member, c: Member

beforeEach(async () => {
  journal = new MemoryJournal()
  const opened = await Floor.open([1000, 1000, 1000], null, journal, {
    limits: { pages: PAGES, singles: 1 },
  })
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
})
afterEach(() => floor.close())

const waiting = ({ account }: Member): number =>
  floor.house.ledger.pendingOf(account).length + floor.house.ledger.unsignedOf(account).length
async function fill(): Promise<readonly string[]> {
  const ids: string[] = []
  for (let i = 0; i < PAGES; i++) ids.push(await floor.trade(a, b, lots()))
  return ids
}
/** Agreed as long as there was room, and not signed. */
const agreed = (other: Member) => floor.agree(a, other, lots())
const signedBy = async (member: Member, id: string) => (await floor.sign(id, member))[0]

describe('an account with as many waiting pages as it may have', () => {
  it('has all of them taken, and none more: nothing is recorded, and the journal goes on', async () => {
    const id = await agreed(c)
    await fill()
    expect([waiting(a), waiting(b)]).toEqual([PAGES, PAGES])
    const { sequence } = journal.head
    const domain = BigInt((await a.house()).domain)
    const caller = await Caller.open(floor.url, a, domain)
    const outcome = await signedBy(a, id)
    expect(outcome).toMatchObject({ state: 'refused', rule: 'PagesMustBeFew' })
    expect(a.journal.state.pending).toHaveLength(PAGES)
    const page = a.journal.state.pending[0]
    expect(page).toBeDefined()
    // By hand: the status, and when to come again.
    const body = json({
      ...{ clientId: 'x', ticket: id, kind: 'trade', counterparty: c.account },
      ...{ stamp: page?.page.stamp, maxFee: 100n, payload: 1n, previousHead: page?.head },
      ...{ entries: lots(), signature: page?.signature },
    })
    const headers = caller.session.headers('POST', '/v1/pages', body)
    const answer = await fetch(`${floor.url}/v1/pages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1'])
    expect(await answer.json()).toEqual({
      error: { code: 'PagesMustBeFew', detail: `${PAGES} pages wait` },
    })
    expect(journal.head.sequence).toBe(sequence)
    expect((await a.api.trade(id)).state).toBe('stamped')
  })

  it('signs the same trade once a batch has made room', async () => {
    const id = await agreed(c)
    await fill()
    expect((await signedBy(a, id))?.rule).toBe('PagesMustBeFew')
    await floor.batch()
    expect(waiting(a)).toBe(0)
    const done = await floor.sign(id, a, c)
    expect(done.map(({ state }) => state)).toEqual(['accepted', 'accepted'])
  })

  it('agrees to no trade, and nobody agrees to its own; of it others are told nothing', async () => {
    const own = await a.propose('own', c.account, lots(), 'own')
    const others = await c.propose('others', a.account, lots(), 'others')
    if (isRefused(own) || isRefused(others)) throw new Error('refused')
    await fill()
    expect(await a.api.affirm(others.id)).toMatchObject({ refused: 'PagesMustBeFew' })
    const told = await c.api.affirm(own.id)
    expect(told).toMatchObject({ refused: 'TradeMustBeAdmissible' })
    expect(json(told)).not.toMatch(/wait|page/i)
    expect((await c.api.trade(own.id)).state).toBe('proposed')
    await floor.batch()
    expect(await c.api.affirm(own.id)).toMatchObject({ state: 'stamped' })
  })

  it('has its withdrawal taken all the same, and of these so many more', async () => {
    await fill()
    expect(await a.withdraw(1, 1_000_000n, 7n)).toMatchObject({ state: 'accepted' })
    expect(waiting(a)).toBe(PAGES + 1)
    expect(await a.withdraw(1, 1_000_000n, 7n)).toMatchObject({ rule: 'PagesMustBeFew' })
    expect(await b.withdraw(1, 1_000_000n, 7n)).toMatchObject({ state: 'accepted' })
    await floor.batch()
    await floor.batch()
    expect([waiting(a), waiting(b)]).toEqual([0, 0])
  })

  it('is served a forced exit by the next batch', async () => {
    await fill()
    floor.l1.forceExit(a.account, 1)
    await floor.house.watch()
    await floor.batch()
    await floor.batch()
    expect(floor.house.core.requests).toEqual([])
    // Positions stay; what can be spared is paid.
    expect(floor.balance(a, 1)).toBeLessThan(900_000_000n)
  })

  it('signs all of them anew after a cut', async () => {
    const [first] = await fill()
    const { desk } = floor.house
    const rejection = { rule: 'StampMustBeLive', detail: 'a test' } as const
    desk.drop([{ trade: first as string, rejection }], floor.house.conditions().time)
    expect(floor.house.ledger.unsignedOf(a.account)).toHaveLength(PAGES - 1)
    expect([await a.realign(), await b.realign()]).toEqual([true, true])
    expect(floor.house.ledger.pendingOf(a.account)).toHaveLength(PAGES - 1)
    // Room for one, not for two.
    await floor.trade(a, b, lots())
    await expect(agreed(b)).rejects.toThrow('PagesMustBeFew')
  })
})

describe('pages that come at once', () => {
  it('are counted while they are recorded', async () => {
    const ids = [
      await agreed(c),
      await agreed(c),
      await agreed(c),
      await agreed(c),
      await agreed(c),
    ]
    const domain = BigInt((await a.house()).domain)
    const caller = await Caller.open(floor.url, a, domain)
    let open = 0
    let most = 0
    // What is being recorded stays so until one is answered, and nothing but a refusal comes before that.
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    const { append } = journal
    journal.append = async (payload) => {
      most = Math.max(most, ++open)
      if (most > PAGES) letGo()
      await held
      return append.call(journal, payload).finally(() => open--)
    }
    const codes = await Promise.all(
      ids.map(async (id, i) => {
        const body = {
          ...{ clientId: `c${i}`, ticket: id, kind: 'trade', counterparty: c.account },
          ...{ stamp: '1', maxFee: '100', payload: '1', previousHead: '1', entries: lots() },
          signature: { r: { x: '0', y: '1' }, s: '0' },
        }
        const { code } = await caller.post('/v1/pages', body)
        await until(() => most >= PAGES)
        letGo()
        return code
      }),
    )
    // Four are served at once; of these the fourth finds no room.
    expect(most).toBe(PAGES)
    expect(codes).toContain('PagesMustBeFew')
  })
})

it('the numbers are those of docs/api.md, and a member is told the word', () => {
  expect([LIMITS.pages, LIMITS.singles]).toEqual([4_096, 64])
  expect(HOUSE_WORDS.PagesMustBeFew).toContain('when a batch has settled')
})

describe('a trade whose first side has signed', () => {
  const ticket = (...sides: readonly number[]) =>
    ({ proposer: 16, counterparty: 17, sides: new Map(sides.map((s) => [s, null])) }) as never
  const counted = (counts: Readonly<Record<number, number>>) => {
    const of = (index: number) => Array.from({ length: counts[index] ?? 0 })
    const ledger = { pendingOf: of, unsignedOf: () => [] }
    return new WaitingPages(() => ledger as never, { pages: 3, singles: 1 })
  }
  const taken = async () => 'taken'

  it('needs room of both when the second side comes, of the own one before', async () => {
    const full = counted({ 16: 3, 17: 2 })
    expect(await full.record(17, ticket(), taken)).toBe('taken')
    const refused = await full.record(17, ticket(16), taken).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'TradeMustBeAdmissible', status: 422 })
    await expect(full.record(16, ticket(), taken)).rejects.toMatchObject({ code: 'PagesMustBeFew' })
    expect(await counted({ 16: 2, 17: 2 }).record(17, ticket(16), taken)).toBe('taken')
  })
  it('holds the place of the other side while it is recorded, and gives it back', async () => {
    const some = counted({ 16: 2, 17: 0 })
    let end: (() => void) | undefined
    const trade = ticket(16)
    const under = some.record(17, trade, () => new Promise<void>((done) => (end = done)))
    // The other page of the very trade has that place.
    expect(await some.record(16, trade, taken)).toBe('taken')
    await expect(some.record(16, ticket(), taken)).rejects.toMatchObject({ code: 'PagesMustBeFew' })
    end?.()
    await under
    expect(await some.record(16, ticket(), taken)).toBe('taken')
    const failed = some.record(16, ticket(), () => Promise.reject(new Error('the disk')))
    await expect(failed).rejects.toThrow('the disk')
    expect(await some.record(16, ticket(), taken)).toBe('taken')
  })
})
