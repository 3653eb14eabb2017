/**
 * What each account is told of what happens, and what everybody is told. Numbered per reader, in
 * journal order: a replay gives the same numbers, and they say nothing about the traffic of others.
 */
import type { RuleName } from '../circuits/rules.ts'
import type { AskedPage } from './asked.ts'
import type { JournalRecord } from './journal/record.ts'
import type { Core } from './core.ts'
import { tell, type HouseWord, type Ticket, type TradeState } from './ticket.ts'

export type MemberEvent =
  | {
      readonly kind: 'trade'
      readonly id: string
      readonly clientId: string
      readonly state: TradeState
      readonly batch: bigint | null
      readonly refused: RuleName | HouseWord | null
    }
  /** A withdrawal or a rotation. */
  | {
      readonly kind: 'page'
      readonly clientId: string
      readonly state: TradeState
      readonly batch: bigint | null
    }
  /** The own leaf on L1 has changed. */
  | { readonly kind: 'leaf'; readonly batch: bigint; readonly head: bigint }
  /** The journal was cut: GET /v1/account names its head and what to sign anew. */
  | { readonly kind: 'resign'; readonly head: bigint }
export type HouseEvent =
  | { readonly kind: 'batch'; readonly number: bigint; readonly root: bigint }
  | { readonly kind: 'table'; readonly number: bigint; readonly root: bigint }
  | { readonly kind: 'mode'; readonly mode: 'normal' | 'reduceOnly' }
/** `at`: milliseconds since 1970 of the record that it follows from. */
export type Told = {
  readonly sequence: number
  readonly at: number
  readonly event: MemberEvent | HouseEvent
}

/** Of each reader; who was away for longer reads its state and goes on from there. */
export const EVENTS_KEPT = 2_000
export const EVENTS_MORE = 250

/** Numbered from 1 without gaps. */
export class EventLog {
  private items: Told[] = []
  last = 0

  push(at: number, event: Told['event']): void {
    this.items.push({ sequence: ++this.last, at, event })
    // In one go now and then: a shift for each event would cost as much as the log is long.
    if (this.items.length >= EVENTS_KEPT + EVENTS_MORE) this.items = this.items.slice(-EVENTS_KEPT)
  }
  get first(): number {
    return this.last - this.items.length + 1
  }
  /** Events behind `sequence`; null if some of them are forgotten, or `sequence` never was. */
  after(sequence: number, limit: number): readonly Told[] | null {
    if (sequence > this.last || sequence < this.first - 1) return null
    const from = sequence - this.first + 1
    return this.items.slice(from, from + limit)
  }
}

/** A reader: an account, or null for what everybody may know. */
export type Reader = number | null

export class Feed {
  private readonly logs = new Map<Reader, EventLog>()
  private readonly listeners = new Map<Reader, Set<() => void>>()
  private batch = 0n
  private table = 0n
  private mode: Core['mode'] | null = null
  /** Accounts that are asked to sign anew, with the head they are asked to go on from. */
  private asked = new Map<number, bigint>()

  private log(reader: Reader): EventLog {
    const known = this.logs.get(reader)
    if (known !== undefined) return known
    const log = new EventLog()
    this.logs.set(reader, log)
    return log
  }

  /** The number of the last event of a reader; 0 if there was none. */
  lastOf(reader: Reader): number {
    return this.logs.get(reader)?.last ?? 0
  }
  firstOf(reader: Reader): number {
    return this.logs.get(reader)?.first ?? 1
  }
  after(reader: Reader, sequence: number, limit: number): readonly Told[] | null {
    return (this.logs.get(reader) ?? new EventLog()).after(sequence, limit)
  }

  /** Calls back after each change; the answer ends that. */
  listen(reader: Reader, onChange: () => void): () => void {
    const listeners = this.listeners.get(reader) ?? new Set()
    this.listeners.set(reader, listeners.add(onChange))
    return () => {
      listeners.delete(onChange)
      if (listeners.size === 0 && this.listeners.get(reader) === listeners)
        this.listeners.delete(reader)
    }
  }

  /** After each record: what it has changed. */
  take(core: Core, { at, input }: JournalRecord): void {
    const touched = new Set<Reader>()
    const push = (reader: Reader, event: Told['event']): void => {
      this.log(reader).push(at, event)
      touched.add(reader)
    }
    for (const changed of core.desk.takeChanged()) tellParties(changed, push)
    if (input.kind !== 'page' && input.kind !== 'proposal' && input.kind !== 'affirmation') {
      this.tellResigning(core, push)
      this.tellHouse(core, push)
    }
    for (const reader of touched)
      for (const onChange of this.listeners.get(reader) ?? []) onChange()
  }

  private tellResigning(core: Core, push: (reader: Reader, event: MemberEvent) => void): void {
    const now = new Map<number, bigint>()
    for (const [account, pages] of core.ledger.unsigned)
      if (pages.length > 0) now.set(account, core.ledger.headOf(account) ?? 0n)
    for (const [account, head] of now)
      if (this.asked.get(account) !== head) push(account, { kind: 'resign', head })
    this.asked = now
  }

  private tellHouse(core: Core, push: (reader: Reader, event: Told['event']) => void): void {
    const settled = core.batches.at(-1)
    if (settled !== undefined && settled.number !== this.batch) {
      const { number, root } = settled
      this.batch = number
      push(null, { kind: 'batch', number, root })
      for (const account of core.touched) {
        const head = core.ledger.accounts.get(account)?.head
        if (head !== undefined) push(account, { kind: 'leaf', batch: number, head })
      }
    }
    if (core.table !== null && core.tableNumber !== this.table) {
      this.table = core.tableNumber
      push(null, { kind: 'table', number: core.tableNumber, root: core.table.root })
    }
    if (core.table !== null && core.mode !== this.mode) {
      this.mode = core.mode
      push(null, { kind: 'mode', mode: core.mode })
    }
  }
}

function tellParties(
  changed: Ticket | AskedPage,
  push: (reader: Reader, event: MemberEvent) => void,
): void {
  const { clientId, state, batch } = changed
  if (!('id' in changed)) return push(changed.account, { kind: 'page', clientId, state, batch })
  const { id, refusal, proposer, counterparty } = changed
  const toldTo = (account: number): MemberEvent => {
    const refused = refusal === null ? null : tell(refusal, account).refused
    return { kind: 'trade', id, clientId, state, batch, refused }
  }
  // Mostly both are told the same, and it is kept for long.
  const one = toldTo(proposer)
  push(proposer, one)
  push(counterparty, refusal === null ? one : toldTo(counterparty))
}
