/**
 * The state of a core as bytes, and back. Nobody lists its fields: the whole graph of objects is taken as
 * it is, who is the same object included, so that a field that is added later is carried by itself. What
 * the graph must not hold (a function, a class that is not known here) is an error when it is written.
 */
import { deserialize, serialize } from 'node:v8'
import { Tree } from '../../circuits/tree.ts'
import type { Signature } from '../../circuits/eddsa.ts'
import { keepVerified, verifiedOf, type Verified } from '../admission.ts'
import { Asked, Recent } from '../asked.ts'
import { Core } from '../core.ts'
import type { Desk } from '../desk.ts'
import { EventLog } from '../feed.ts'
import { StateHistory } from '../history.ts'
import type { Genesis } from '../journal/record.ts'
import { Ledger } from '../ledger.ts'
import { Resigning } from '../resign.ts'
import type { RandomBelow } from '../room.ts'
import { Shown, ShownOpenings, ShownViewKeys } from '../shown.ts'
import { Tables } from '../tables.ts'
import { TicketBook } from '../ticket-book.ts'

/** What the house is told by its configuration, who listens, and what is made again of the rest. */
const LEFT_OUT = {
  core: ['desk', 'feed', 'believesVerified', 'randomBelow', 'rowOf'],
  desk: ['conditions'],
  feed: ['listeners'],
} as const

/** Their instances stand in the bytes as plain objects, and are listed beside them by these names. */
const CLASSES = {
  Asked,
  EventLog,
  Ledger,
  Recent,
  Resigning,
  Shown,
  ShownOpenings,
  ShownViewKeys,
  StateHistory,
  Tables,
  TicketBook,
  Tree,
} as const
type ClassName = keyof typeof CLASSES
const NAMES = new Map<object, ClassName>(
  (Object.keys(CLASSES) as ClassName[]).map((name) => [CLASSES[name].prototype, name]),
)

type Fields = Readonly<Record<string, unknown>>
type State = {
  readonly core: Fields
  readonly desk: Fields
  readonly feed: Fields
  readonly instances: ReadonlyMap<ClassName, readonly object[]>
  /** Of signatures that may be asked for again: what a record said is believed as long as it was. */
  readonly verified: readonly (readonly [Signature, Verified])[]
}

function without(whole: object, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(whole).filter(([name]) => !names.includes(name)))
}

/** Nothing may change meanwhile: it is done in one turn. Throws if a part of the state has no such form. */
export function dumpState(core: Core): Buffer {
  const parts = {
    core: without(core, LEFT_OUT.core),
    desk: without(core.desk, LEFT_OUT.desk),
    feed: without(core.feed, LEFT_OUT.feed),
  }
  const instances = instancesIn(parts)
  const verified = verifiedIn(core.desk)
  return serialize({ ...parts, instances, verified } satisfies State)
}

/** Only of bytes that `dumpState` of this very program made: whoever calls it has seen that they are. */
export function loadState(
  bytes: Uint8Array,
  randomBelow?: (seed: Uint8Array) => RandomBelow,
): Core {
  const state = deserialize(bytes) as State
  for (const [name, instances] of state.instances)
    for (const instance of instances) Object.setPrototypeOf(instance, CLASSES[name].prototype)
  const core = new Core(state.core['genesis'] as Genesis, randomBelow)
  Object.assign(core, state.core)
  Object.assign(core.desk, state.desk)
  Object.assign(core.feed, state.feed)
  core.lookUpRows()
  for (const [signature, verified] of state.verified) keepVerified(signature, verified)
  return core
}

/** Pages that wait for their other side are looked at once more when it comes. */
function verifiedIn({ tickets }: Pick<Desk, 'tickets'>): State['verified'] {
  return [...tickets.values()].flatMap(({ sides }) =>
    [...sides.values()].flatMap((side) => {
      const known = side === null ? undefined : verifiedOf(side.signature)
      return side === null || known === undefined ? [] : [[side.signature, known] as const]
    }),
  )
}

/** All objects of a class that can be reached; throws on what would not come back as it was. */
function instancesIn(parts: object): Map<ClassName, object[]> {
  const found = new Map<ClassName, object[]>()
  const seen = new Set<object>([parts])
  const waiting: object[] = [parts]
  const visit = (value: unknown, owner: object, key: unknown): void => {
    if (typeof value === 'function' || typeof value === 'symbol')
      throw new Error(`a snapshot cannot hold a ${typeof value}: ${nameOf(owner)}.${String(key)}`)
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    waiting.push(value)
  }
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const owner = value
    if (owner instanceof Uint8Array) continue
    if (Array.isArray(owner)) owner.forEach((item, i) => visit(item, owner, i))
    else if (owner instanceof Map)
      for (const [key, item] of owner) {
        visit(key, owner, 'key')
        visit(item, owner, key)
      }
    else if (owner instanceof Set) for (const item of owner) visit(item, owner, 'item')
    else {
      note(owner, found)
      for (const key of Object.keys(owner)) visit((owner as Fields)[key], owner, key)
    }
  }
  return found
}

function note(owner: object, found: Map<ClassName, object[]>): void {
  const prototype: unknown = Object.getPrototypeOf(owner)
  if (prototype === Object.prototype) return
  const name = NAMES.get(prototype as object)
  if (name === undefined) throw new Error(`a snapshot cannot hold a ${nameOf(owner)}`)
  const instances = found.get(name)
  if (instances === undefined) found.set(name, [owner])
  else instances.push(owner)
}

function nameOf(owner: object): string {
  return owner.constructor?.name ?? 'object without a class'
}
