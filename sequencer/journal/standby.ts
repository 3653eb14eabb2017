/** A standby: it applies what another records, and goes on when that one ends. */
import type { Core } from '../core.ts'
import { PostgresFollower, type PostgresJournal } from './postgres-journal.ts'
import { appliedOf, replayInto } from './replay.ts'

export type StandbyOptions = {
  /** Milliseconds between two looks. */
  readonly every?: number
  readonly signal?: AbortSignal
  /** After each look: how far this one is. */
  readonly onLook?: (sequence: number) => void
}

/**
 * Brings the core up to date again and again until this process leads; then returns the journal.
 * Pass both to a House: it applies the rest and goes on. Throws when the signal is aborted.
 */
export async function standBy(
  core: Core,
  follower: PostgresFollower,
  { every = 200, signal, onLook = () => {} }: StandbyOptions = {},
): Promise<PostgresJournal> {
  let sequence = appliedOf(core)
  for (;;) {
    signal?.throwIfAborted()
    await replayInto(core, follower, (_record, at) => (sequence = at))
    onLook(sequence)
    const journal = await follower.lead()
    if (journal !== null) return journal
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
