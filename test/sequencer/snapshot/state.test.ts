/** A state that was taken as bytes is the same state, whatever it holds, and goes on in the same way. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { headAfter } from '../../../circuits/page.ts'
import type { Point, Signature } from '../../../circuits/eddsa.ts'
import { isSigned, type SignedPage } from '../../../sequencer/admission.ts'
import { Core } from '../../../sequencer/core.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import {
  decodeRecord,
  type InputOf,
  type JournalRecord,
} from '../../../sequencer/journal/record.ts'
import { applyEntry, placeAt, stateText } from '../../../sequencer/journal/replay.ts'
import { differenceOf } from '../../../sequencer/snapshot/same.ts'
import { dumpState, loadState } from '../../../sequencer/snapshot/state.ts'
import { fullDay, type Day } from '../journal/day.ts'

const journal = new MemoryJournal()
let full: Day & { readonly end: () => Promise<void> }
/** The last record before L1 speaks of the two batches. */
let middle: number
const CLASSES = [
  'Asked',
  'Core',
  'Desk',
  'EventLog',
  'Feed',
  'Ledger',
  'Recent',
  'Resigning',
  'Shown',
  'ShownOpenings',
  'ShownViewKeys',
  'StateHistory',
  'Tables',
  'TicketBook',
  'Tree',
]

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  full = await fullDay(journal, 3, 40)
  middle = journal.payloads.length
  await full.end()
  await full.floor.shut()
})
afterAll(async () => {
  await full.floor.close()
  vi.useRealTimers()
})

/** What the record is answered with, errors too. */
function apply(core: Core, sequence: number): unknown {
  try {
    return applyEntry(core, sequence, decodeRecord(journal.payloads[sequence - 1] as Uint8Array))
  } catch (error) {
    return String(error)
  }
}
function coreAt(sequence: number): Core {
  const core = new Core(full.floor.house.core.genesis)
  for (let i = 1; i <= sequence; i++) apply(core, i)
  return core
}
function again(core: Core, sequence: number): Core {
  const loaded = loadState(dumpState(core))
  placeAt(loaded, sequence)
  return loaded
}

describe('the history of this test', () => {
  it('has something of everything that a state may hold, so that nothing is left out unseen', () => {
    const core = coreAt(middle)
    expect([core.open, core.next].map((batch) => batch?.isProven)).toEqual([true, true])
    const lists = core.rest()
    expect(lists.deposits.size).toBeGreaterThan(0)
    expect(lists.openings.waiting.size).toBeGreaterThan(0)
    expect(lists.shownViewKeys.missed.size).toBeGreaterThan(0)
    expect(lists.nextFee).not.toBeNull()
    expect(lists.requests.length).toBeGreaterThan(0)
    expect(core.isTableOld).toBe(true)
    expect(core.ledger.pending.size).toBeGreaterThan(0)
    const tickets = [...core.desk.tickets.values()]
    for (const state of ['stamped', 'accepted', 'proven', 'final', 'refused'])
      expect(tickets.map((ticket) => ticket.state)).toContain(state)
    // One side of a trade has signed, and a proposal was taken back.
    expect(tickets.some(({ sides }) => [...sides.values()].some((side) => side !== null))).toBe(
      true,
    )
    expect(tickets.some(({ refusal }) => refusal?.detail.includes('withdrew') === true)).toBe(true)
  })
})

describe('a state that was taken', () => {
  it('at any record is the same, object for object, and comes to the same with the records behind it', () => {
    const core = new Core(full.floor.house.core.genesis)
    // Beside it those that began at earlier records, with whatever each of them had by then.
    const followers: Core[] = []
    const last = journal.payloads.length
    for (let sequence = 1; sequence <= last; sequence++) {
      const answer = apply(core, sequence)
      for (const follower of followers)
        expect(differenceOf(answer, apply(follower, sequence), false), `${sequence}`).toBeNull()
      const loaded = again(core, sequence)
      expect(differenceOf(core, loaded), `record ${sequence}`).toBeNull()
      if (sequence % 7 === 0 || sequence === middle) followers.push(loaded)
    }
    expect(followers.length).toBeGreaterThan(10)
    const [text, roots] = [stateText(core), full.floor.l1.roots]
    expect(text).toBe(stateText(full.floor.house.core))
    for (const follower of followers) {
      expect(stateText(follower)).toBe(text)
      expect(differenceOf(core, follower, false)).toBeNull()
      expect(follower.batches.map(({ root }) => root)).toEqual(roots)
    }
  })

  it('of a state that was taken, again and again, is the same still', () => {
    let core = new Core(full.floor.house.core.genesis)
    for (let sequence = 1; sequence <= middle; sequence++) {
      apply(core, sequence)
      core = again(core, sequence)
    }
    expect(differenceOf(core, coreAt(middle), false)).toBeNull()
    expect(stateText(core)).toBe(stateText(coreAt(middle)))
  })

  it('tells who listens to the new one, and nobody twice', () => {
    const core = coreAt(middle)
    let calls = 0
    core.feed.listen(null, () => calls++)
    const loaded = loadState(dumpState(core))
    placeAt(loaded, middle)
    const before = loaded.feed.lastOf(null)
    for (let i = middle + 1; i <= journal.payloads.length; i++) apply(loaded, i)
    expect(loaded.feed.lastOf(null)).toBeGreaterThan(before)
    expect(calls).toBe(0)
  })

  it('answers a side that rejects its own rejection again as before', () => {
    const core = coreAt(middle)
    const ticket = [...core.desk.tickets.values()].find(({ clientId }) => clientId === 'taken-back')
    const loaded = again(core, middle)
    const { id, counterparty } = ticket as NonNullable<typeof ticket>
    for (const one of [core, loaded])
      expect(one.desk.reject(counterparty, id)).toMatchObject({ id, state: 'refused' })
  })

  it('believes of a page that waits for its other side what its record said, as a replay does', () => {
    const inputAt = (sequence: number) =>
      decodeRecord(journal.payloads[sequence - 1] as Uint8Array) satisfies JournalRecord
    const waitingIn = (core: Core): readonly SignedPage[] =>
      [...core.desk.tickets.values()].flatMap(({ sides }) =>
        [...sides.values()].flatMap((side) => side ?? []),
      )
    // The record that brought it.
    const numbers = Array.from({ length: middle }, (_, i) => i + 1)
    const at = numbers.findLast((sequence) => inputAt(sequence).input.kind === 'page') as number
    const core = coreAt(at - 1)
    const record = inputAt(at)
    const input = record.input as InputOf<'page'>
    const { signed } = input
    const { account } = signed.page
    const head = headAfter(core.ledger.headOf(account) as bigint, signed.page)
    const owner = core.ledger.ownerKeys.get(account) as Point
    // Its signature is wrong and the record says otherwise: whoever wrote it harms itself alone.
    const wrong = { ...signed.signature, s: signed.signature.s + 1n }
    const lie = { ...input, signed: { ...signed, signature: wrong }, verified: { head, owner } }
    const before = waitingIn(core).length
    applyEntry(core, at, { ...record, input: lie })
    expect(waitingIn(core)).toHaveLength(before + 1)
    const loaded = again(core, at)
    const [one, other] = [core, loaded].map((of) => waitingIn(of).at(-1)?.signature)
    expect(other).not.toBe(one)
    for (const signature of [one, other])
      expect(isSigned(owner, head, signature as Signature)).toBe(true)
    // Nobody else is told so.
    expect(isSigned(owner, head, { ...(other as Signature) })).toBe(false)
  })
})

/** All instances of the classes of the house that can be reached, with the path to each. */
function instancesOf(core: Core): ReadonlyMap<string, object> {
  const found = new Map<string, object>()
  const seen = new Set<object>()
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    const isPlain = [Object, Array, Map, Set, Uint8Array].some((c) => c.prototype === prototype)
    if (!isPlain) found.set(path, value)
    if (value instanceof Map || value instanceof Set)
      [...value].forEach((item, i) => walk(item, `${path}[${i}]`))
    else
      for (const key of Reflect.ownKeys(value))
        walk(Reflect.get(value, key), `${path}.${String(key)}`)
  }
  walk(core, 'core')
  return found
}

describe('a field', () => {
  it('of any class that is lost, other, or stands twice is found by the comparison', () => {
    const core = coreAt(middle)
    const names = new Set<string>()
    for (const [path, instance] of instancesOf(core)) {
      const { name } = instance.constructor
      if (names.has(name)) continue
      names.add(name)
      for (const key of Object.keys(instance)) {
        const loaded = loadState(dumpState(core))
        loaded.believesVerified = core.believesVerified
        const twin = instancesOf(loaded).get(path) as object
        const value: unknown = Reflect.get(twin, key)
        for (const other of [undefined, null, 'other', value instanceof Map ? new Map() : []]) {
          if (
            Object.is(other, value) ||
            (other instanceof Map && (value as Map<unknown, unknown>).size === 0)
          )
            continue
          if (Array.isArray(other) && Array.isArray(value) && value.length === 0) continue
          Reflect.set(twin, key, other)
          expect(differenceOf(core, loaded), `${name}.${key}`).not.toBeNull()
        }
        Reflect.deleteProperty(twin, key)
        expect(differenceOf(core, loaded), `${name}.${key}`).not.toBeNull()
      }
    }
    // Those that a state consists of; a class that is new here is seen to be carried by this test.
    expect([...names].sort()).toEqual(CLASSES)
  })

  it('that nobody can see from outside of its class is in none of them', () => {
    for (const instance of instancesOf(coreAt(middle)).values())
      expect(String(instance.constructor), instance.constructor.name).not.toMatch(/[^'"`\w]#[a-z]/)
  })

  it('is carried when it is new, and an error when it has no form', () => {
    const core = coreAt(middle)
    const grown = core.ledger as unknown as Record<string, unknown>
    const shared = [1n, { deep: new Set(['x']) }]
    grown['later'] = shared
    ;(core.desk as unknown as Record<string, unknown>)['later'] = shared
    const loaded = loadState(dumpState(core))
    expect(differenceOf(core, loaded)).toBeNull()
    expect((loaded.ledger as unknown as Record<string, unknown>)['later']).toEqual(shared)
    for (const [value, what] of [
      [() => 1, 'a function: Ledger.later'],
      [Symbol('x'), 'a symbol: Ledger.later'],
      [new (class Other {})(), 'a snapshot cannot hold a Other'],
      [new Date(), 'a snapshot cannot hold a Date'],
      [new WeakMap(), 'a snapshot cannot hold a WeakMap'],
      [Promise.resolve(), 'a snapshot cannot hold a Promise'],
    ] as const) {
      grown['later'] = value
      expect(() => dumpState(core), what).toThrow(what)
    }
  })
})
