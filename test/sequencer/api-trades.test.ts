/** What members ask of the API and are answered: trades, pages, accounts, events, receipts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TREE_ARITY, TREE_DEPTH } from '../../circuits/params.ts'
import { hash } from '../../circuits/poseidon.ts'
import type { Events } from '../../client/house-views.ts'
import { HouseApi, type TicketView } from '../../client/api.ts'
import { isRefused, type Member } from '../../client/member.ts'
import { verifyReceipt } from '../../client/receipt.ts'
import { serve } from '../../sequencer/api.ts'
import { EVENTS_KEPT } from '../../sequencer/feed.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { until } from '../until.ts'
import { ask, Caller } from './caller.ts'
import { Floor, PATIENT } from './floor.ts'

const FUTURE = 1024
let floor: Floor
let journal: MemoryJournal
let a: Member, b: Member, c: Member
let domain: bigint
const lots = (quantity: bigint, price = 50_000_000n) => [{ instrument: FUTURE, quantity, price }]
const proposal = (quantity = '1') => ({
  clientId: 'p-1',
  counterparty: b.account,
  entries: [{ instrument: FUTURE, quantity, price: '50000000' }],
  payload: '7',
})

beforeEach(async () => {
  journal = new MemoryJournal()
  const opened = await Floor.open([1000, 1000, 10], null, journal)
  floor = opened.floor
  ;[a, b, c] = opened.members as [Member, Member, Member]
  domain = BigInt((await a.house()).domain)
})
afterEach(() => floor.close())

/** The same journal under another process: what its API says must be the same. */
async function restarted<T>(look: (url: string) => Promise<T>): Promise<T> {
  const again = new Floor(null, journal, floor.l1)
  await again.house.open()
  const app = await serve(again.house, 0, { limits: PATIENT })
  try {
    return await look(app.listeningOrigin)
  } finally {
    await app.close()
  }
}

describe('a client id', () => {
  it('of a proposal stands for one body, also after a restart, and needs one record', async () => {
    const caller = await Caller.open(floor.url, a, domain)
    const first = await caller.post('/v1/trades', proposal())
    expect(first.status).toBe(200)
    const { sequence } = journal.head
    expect(await caller.post('/v1/trades', proposal())).toEqual(first)
    const other = [
      proposal('2'),
      { ...proposal(), payload: '8' },
      { ...proposal(), counterparty: c.account },
    ]
    for (const body of other)
      expect(await caller.post('/v1/trades', body)).toMatchObject({
        status: 409,
        code: 'ClientIdMustBeNew',
      })
    expect(journal.head.sequence).toBe(sequence)
    // It is the proposer's own: another member may use the same.
    const others = await Caller.open(floor.url, c, domain)
    expect((await others.post('/v1/trades', proposal())).status).toBe(200)
    await restarted(async (url) => {
      const again = await Caller.open(url, a, domain)
      expect(await again.post('/v1/trades', proposal())).toEqual(first)
      expect((await again.post('/v1/trades', proposal('2'))).code).toBe('ClientIdMustBeNew')
    })
  })

  it('of a refused proposal stands for that refusal', async () => {
    const caller = await Caller.open(floor.url, a, domain)
    const self = { ...proposal(), counterparty: a.account }
    const first = await caller.post('/v1/trades', self)
    expect(first).toMatchObject({ status: 422, code: 'CounterpartyMustDiffer' })
    expect(await caller.post('/v1/trades', self)).toEqual(first)
    expect((await caller.post('/v1/trades', proposal())).code).toBe('ClientIdMustBeNew')
  })

  it('of a page stands for one page, taken once, also after a restart', async () => {
    await a.withdraw(1, 5n, 7n)
    const [own] = a.journal.state.pending
    if (own === undefined) throw new Error('no page')
    const { kind, counterparty, stamp, maxFee, payload, entries } = own.page
    const signed = floor.house.ledger.pendingOf(a.account)[0]
    if (signed === undefined) throw new Error('not admitted')
    const genesis = floor.house.ledger.accounts.get(a.account)?.head
    const body = {
      clientId: 'same',
      ...{ kind, counterparty, stamp, maxFee, payload, entries },
      previousHead: genesis,
      signature: signed.signature,
    }
    const caller = await Caller.open(floor.url, a, domain)
    const first = await caller.post('/v1/pages', body)
    expect(first).toMatchObject({ status: 200, value: { complete: true } })
    expect(await caller.post('/v1/pages', body)).toEqual(first)
    expect((await caller.post('/v1/pages', { ...body, maxFee: '101' })).code).toBe(
      'ClientIdMustBeNew',
    )
    expect(floor.house.ledger.pendingOf(a.account)).toHaveLength(1)
    await restarted(async (url) => {
      const again = await Caller.open(url, a, domain)
      expect(await again.post('/v1/pages', body)).toEqual(first)
      expect((await again.get('/v1/pages/same')).value).toMatchObject({
        kind: 'withdrawal',
        state: 'accepted',
        receipt: first.value['receipt'],
      })
    })
  })
})

describe('a trade', () => {
  it('goes from proposed to final, and every step is an event of both sides and of nobody else', async () => {
    const id = await floor.agree(a, b, lots(2n))
    await floor.sign(id, a, b)
    floor.whileProving = async () => {
      expect((await a.api.trade(id)).state).toBe('batched')
    }
    await floor.batch()
    for (const member of [a, b]) {
      const { events, last } = await member.api.events(0)
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
      expect(last).toBe(events.length)
      const states = events.flatMap(({ event }) => (event['id'] === id ? [event['state']] : []))
      expect(states).toEqual(['proposed', 'stamped', 'accepted', 'batched', 'proven', 'final'])
      expect(events.filter(({ event }) => event.kind === 'leaf')).toHaveLength(2)
    }
    const { events } = await c.api.events(0)
    expect(JSON.stringify(events)).not.toContain(id)
    expect(await a.api.trade(id)).toMatchObject({ state: 'final', batch: '2', refused: null })
  })

  it('refused for the margin of one side tells the other nothing of it', async () => {
    // c has ten dollars; the trade would need more in the worst world.
    for (const [buyer, seller] of [
      [a, c],
      [c, a],
    ] as const) {
      const made = await buyer.propose(`big-${buyer.account}`, seller.account, lots(9n), 'x')
      if (isRefused(made)) throw new Error(made.detail)
      const answer = await seller.api.affirm(made.id)
      const views = new Map<Member, TicketView>()
      for (const member of [a, c]) views.set(member, await member.api.trade(made.id))
      expect(views.get(c)?.refused).toBe('AccountMustBeSolvent')
      expect(views.get(a)?.refused).toBe('TradeMustBeAdmissible')
      if (!isRefused(answer)) throw new Error('it was not refused')
      expect(answer.refused).toBe(seller === c ? 'AccountMustBeSolvent' : 'TradeMustBeAdmissible')
      // The same text whoever is asked for whatever reason of the other side.
      if (seller === a) expect(answer.detail).toBe('the trade cannot be admitted')
      const told = JSON.stringify([(await a.api.events(0)).events, views.get(a)])
      expect(told).not.toMatch(/Solvent|world|margin/i)
    }
  })

  it('refused for a wrong page of one side says so to that side alone', async () => {
    const id = await floor.agree(a, b, lots(1n))
    const view = await a.api.trade(id)
    const caller = await Caller.open(floor.url, a, domain)
    const bad = {
      clientId: 'bad',
      ticket: id,
      kind: 'trade',
      counterparty: b.account,
      stamp: view.stamp,
      maxFee: '100',
      payload: view.payload,
      entries: view.entries,
      previousHead: `${a.journal.state.head}`,
      signature: { r: { x: '0', y: '1' }, s: '1' },
    }
    expect(await caller.post('/v1/pages', bad)).toMatchObject({
      status: 422,
      code: 'SignatureMustMatch',
    })
    expect((await a.api.trade(id)).refused).toBe('SignatureMustMatch')
    expect((await b.api.trade(id)).refused).toBe('TradeMustBeAdmissible')
  })

  it('is rejected by either side, once or twice, while nobody has affirmed it', async () => {
    const made = await a.propose('r', b.account, lots(1n), 'x')
    if (isRefused(made)) throw new Error(made.detail)
    for (const side of [b, b, a])
      expect(await side.api.reject(made.id)).toMatchObject({ state: 'refused' })
    const caller = await Caller.open(floor.url, b, domain)
    expect(await caller.post(`/v1/trades/${made.id}/affirm`, {})).toMatchObject({ status: 422 })
    const stamped = await floor.agree(a, b, lots(1n))
    expect(await b.api.reject(stamped)).toMatchObject({ refused: 'TradeMustMatch' })
    expect((await b.api.trade(stamped)).state).toBe('stamped')
    expect((await a.api.tickets(true)).map(({ id }) => id)).toEqual([stamped])
  })
})

describe('an account', () => {
  it('sees what settled, what its pages will leave, and what a trade would do', async () => {
    await floor.trade(a, b, lots(2n))
    const view = await a.api.account()
    expect(view.settled).toEqual({ cash: '1000000000', balances: [] })
    expect(view.projected).toEqual({
      cash: `${1_000_000_000n - 100_000_000n - 100n}`,
      balances: [{ id: FUTURE, quantity: '2' }],
    })
    const { sequence } = journal.head
    const nothing = await a.api.margin([])
    expect(nothing).toMatchObject({ admissible: true, refused: null })
    expect(nothing.before).toEqual(nothing.after)
    expect(nothing.before).toHaveLength(16)
    const more = await a.api.margin(lots(1n))
    // In the world of today a lot is worth what it costs; the fee is paid.
    expect(BigInt(more.before?.[0] ?? 0) - BigInt(more.after?.[0] ?? 0)).toBe(100n)
    expect(await a.api.margin(lots(1000n))).toMatchObject({
      admissible: false,
      refused: 'AccountMustBeSolvent',
    })
    expect(await a.api.margin([{ instrument: 9999, quantity: 1n, price: 1n }])).toMatchObject({
      admissible: false,
      refused: 'InstrumentMustBeListed',
      after: null,
    })
    expect(journal.head.sequence).toBe(sequence)
  })

  it('has a proof of its leaf against the root that L1 has', async () => {
    await floor.trade(a, b, lots(2n))
    await floor.batch()
    const proof = await a.api.proof()
    expect(proof.path).toHaveLength(TREE_DEPTH)
    let [node, at] = [BigInt(proof.leaf), a.account]
    for (const children of proof.path) {
      expect(BigInt(children[at % TREE_ARITY] ?? -1)).toBe(node)
      node = hash('NODE', children.map(BigInt))
      at = Math.floor(at / TREE_ARITY)
    }
    expect(`${node}`).toBe(proof.root)
    expect(node).toBe(floor.l1.roots[Number(proof.batch) - 1])
  })

  it('has receipts for what was admitted, checked without the house, the same after a restart', async () => {
    await floor.trade(a, b, lots(1n))
    const { head } = a.journal.state
    const file = await a.api.receipt(head)
    const { operator } = await a.house()
    const receipt = { ...file, head: BigInt(file.head), time: BigInt(file.time) }
    expect(verifyReceipt(BigInt(file.domain), receipt, operator)).toBe(true)
    expect(verifyReceipt(BigInt(file.domain), { ...receipt, head: head + 1n }, operator)).toBe(
      false,
    )
    await restarted(async (url) => {
      const api = new HouseApi(url)
      api.authenticate(a.account, a.keys.signing, domain)
      expect(await api.receipt(head)).toEqual(file)
    })
    const unsigned = await a.api.receipt(1n).catch((error: { code: string }) => error.code)
    expect(unsigned).toBe('HeadMustBeAdmitted')
  })
})

describe('events', () => {
  it('are the same after a restart, under the same numbers', async () => {
    await floor.trade(a, b, lots(1n))
    await floor.batch()
    const before = await a.api.events(0)
    expect(before.events.length).toBeGreaterThan(5)
    await restarted(async (url) => {
      const caller = await Caller.open(url, a, domain)
      expect((await caller.get('/v1/events?after=0')).value).toEqual(before)
    })
  })

  it('go on behind a number; one that never was is refused', async () => {
    await floor.trade(a, b, lots(1n))
    const { events, last } = await a.api.events(0)
    expect((await a.api.events(2)).events).toEqual(events.slice(2))
    expect((await a.api.events(last)).events).toEqual([])
    const caller = await Caller.open(floor.url, a, domain)
    expect(await caller.get(`/v1/events?after=${last + 1}`)).toMatchObject({
      status: 409,
      code: 'SequenceMustExist',
    })
  })

  it('are waited for, and told as soon as they are there', async () => {
    const { last } = await b.api.events(0)
    const waiting = b.api.events(last, 30)
    const made = await a.propose('soon', b.account, lots(1n), 'x')
    const { events } = await waiting
    expect(events.map(({ event }) => event)).toMatchObject([
      { kind: 'trade', state: 'proposed', clientId: 'soon' },
    ])
    expect(isRefused(made)).toBe(false)
    const since = performance.now()
    expect((await b.api.events(last + 1, 1)).events).toEqual([])
    expect(performance.now() - since).toBeGreaterThan(900)
  })

  it('are streamed from a number on, in order, without gaps', async () => {
    await floor.trade(a, b, lots(1n))
    const { events: before } = await a.api.events(0)
    const got: Events['events'][number][] = []
    const socket = await a.api.stream(2, ({ events }) => got.push(...events))
    const id = await floor.trade(a, b, lots(1n))
    await floor.batch()
    const isThere = (): boolean =>
      got.some(({ event }) => event['id'] === id && event['state'] === 'final')
    await until(isThere)
    expect(got.map(({ sequence }) => sequence)).toEqual(got.map((_, i) => i + 3))
    expect(got.slice(0, before.length - 2)).toEqual(before.slice(2))
    socket.close()
  })

  it('that are forgotten are refused by name, and the state says where to go on', async () => {
    const { feed } = floor.house.core
    for (let i = 0; i < 2 * EVENTS_KEPT; i++)
      feed.take(
        {
          ...floor.house.core,
          batches: [],
          ledger: { unsigned: new Map() },
          table: null,
          desk: {
            takeChanged: () => [
              { account: a.account, clientId: `${i}`, state: 'accepted', batch: null } as never,
            ],
          },
        } as never,
        { at: 0, input: { kind: 'tick' } },
      )
    const caller = await Caller.open(floor.url, a, domain)
    expect(await caller.get('/v1/events?after=1')).toMatchObject({
      status: 410,
      code: 'EventsMustBeKept',
    })
    const { events } = await a.api.account()
    expect((await a.api.events(events - EVENTS_KEPT + 1)).events.length).toBeGreaterThan(0)
    expect((await ask(floor.url, 'GET', '/v1/public-events')).status).toBe(200)
  })
})
