/** A state that was taken as bytes is the same state, whatever it holds, and goes on in the same way. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Core } from '../../../sequencer/core.ts'
import { MemoryJournal } from '../../../sequencer/journal/journal.ts'
import { decodeRecord } from '../../../sequencer/journal/record.ts'
import { applyEntry, stateText } from '../../../sequencer/journal/replay.ts'
import { differenceOf } from '../../../sequencer/snapshot/same.ts'
import { dumpState, loadState } from '../../../sequencer/snapshot/state.ts'
import { fullDay, type Day } from '../journal/day.ts'

const journal = new MemoryJournal()
let full: Day & { readonly end: () => Promise<void> }
/** What the house holds before L1 speaks of its two batches. */
let middle: number

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  full = await fullDay(journal, 3, 40)
  middle = journal.payloads.length
  await full.end()
}, 60_000)
afterAll(async () => {
  await full.floor.close()
  vi.useRealTimers()
})

const apply = (core: Core, sequence: number): unknown => {
  try {
    return applyEntry(core, sequence, decodeRecord(journal.payloads[sequence - 1] as Uint8Array))
  } catch (error) {
    return String(error)
  }
}

it('is the same at every record, object for object', () => {
  const core = new Core(full.floor.house.core.genesis)
  const at = performance.now()
  let bytes = 0
  for (let sequence = 1; sequence <= journal.payloads.length; sequence++) {
    apply(core, sequence)
    const dump = dumpState(core)
    bytes = dump.length
    const loaded = loadState(dump)
    expect(differenceOf(core, loaded)).toBeNull()
  }
  console.log(journal.payloads.length, performance.now() - at, bytes)
  expect(stateText(core)).toBe(stateText(full.floor.house.core))
})
