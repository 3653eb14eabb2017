/**
 * `cloister journal` as a process: verify, export, replay, snapshot, reseal. Arguments as JSON in CLOISTER_JOURNAL_WORK,
 * one line of JSON as the answer. The journal is read beside whoever writes it, and never changed;
 * only reseal wants it for itself, so that nothing is acknowledged into the old one meanwhile.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { hexWord } from '../../circuits/hex-word.ts'
import { Diverged } from '../core.ts'
import { JournalError, type Entry } from './journal.ts'
import { openJournal, readJournal, type JournalConfiguration, type ReadEnd } from './open.ts'
import { Comparison, snapshotsFound, takeSnapshot } from '../snapshot/command.ts'
import type { SnapshotConfiguration } from '../snapshot/resume.ts'
import { decodeRecord, type JournalRecord } from './record.ts'
import { replay, stateDigest } from './replay.ts'

export type Work = {
  readonly command: 'verify' | 'export' | 'replay' | 'snapshot' | 'reseal'
  readonly configuration: SnapshotConfiguration
  /** Of export and snapshot. */
  readonly out?: string
  readonly secrets?: boolean
  readonly from?: number
  readonly to?: number
  /** Of replay. */
  readonly root?: string
  readonly snapshot?: string
  /** Of reseal: the journal to make. */
  readonly target?: JournalConfiguration
}
export type Answer = {
  readonly ok: boolean
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

/** Keys and what keys are made from; whoever has them reads every leaf of L1. */
const SECRETS = new Set(['viewKey', 'feeAccountViewKey', 'secret', 'seed', 'salt', 'nonce'])

async function verify({ configuration }: Work): Promise<Answer> {
  const kinds: Record<string, number> = {}
  let last: JournalRecord | null = null
  let records = 0
  const entries = readJournal(configuration)
  let next = await entries.next()
  for (; next.done !== true; next = await entries.next()) {
    last = decodeRecord(next.value.payload)
    kinds[last.input.kind] = (kinds[last.input.kind] ?? 0) + 1
    records = next.value.sequence
  }
  const { identity, tornBytes } = next.value
  const time = last === null ? null : new Date(last.at).toISOString()
  const torn =
    tornBytes === 0
      ? ''
      : `\n${tornBytes} bytes at the end are of a write that is on its way or never ended`
  const snapshots = await snapshotsFound(configuration)
  const first = `${records} records, all whole and in their places; the last is of ${time}${torn}`
  return {
    ok: snapshots.ok,
    text: [first, ...snapshots.lines].join('\n'),
    json: { identity, records, kinds, time, tornBytes, snapshots: snapshots.json },
  }
}

/** One line a record. The file is readable by its owner alone: it holds positions in plain text. */
async function exportRecords(work: Work): Promise<Answer> {
  const { configuration, out, secrets = false, from = 1, to = Infinity } = work
  if (out === undefined) throw new Error('export needs a file')
  const file = openSync(out, 'wx', 0o600)
  let records = 0
  try {
    for await (const { sequence, payload } of readJournal(configuration)) {
      if (sequence > to) break
      if (sequence < from) continue
      const { at, input } = decodeRecord(payload)
      writeSync(file, `${lineOf({ sequence, at, ...input }, secrets)}\n`)
      records++
    }
  } finally {
    closeSync(file)
  }
  const kept = secrets ? 'keys and secrets included' : 'keys and secrets left out'
  return {
    ok: true,
    text: `${records} records in ${out} (mode 0600), ${kept}; it holds positions in plain text`,
    json: { records, out, secrets },
  }
}

function lineOf(record: object, secrets: boolean): string {
  return JSON.stringify(record, (key, value: unknown) => {
    if (!secrets && SECRETS.has(key)) return 'left out'
    if (typeof value === 'bigint') return value.toString()
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  })
}

async function replayRecords({ configuration, root, snapshot }: Work): Promise<Answer> {
  // The audit believes none: it says whether one is what its own records come to.
  const comparison = await Comparison.open(configuration, snapshot)
  const roots: { readonly number: bigint; readonly root: bigint }[] = []
  let ended: ReadEnd | null = null
  async function* entries(): AsyncGenerator<Entry> {
    ended = yield* readJournal(configuration)
  }
  const { core, records, failed, seconds } = await replay(entries(), ({ input }, at, core) => {
    const { root } = core.ledger.tree
    if (input.kind === 'accepted') roots.push({ number: input.number, root })
    comparison.look(core, at)
  })
  const last = core.ledger.tree.root.toString()
  const isRoot = root === undefined || BigInt(root).toString() === last
  const digest = stateDigest(core)
  const rate = Math.round(records / Math.max(seconds, 1e-3))
  const lines = [
    ...roots.map(
      (batch) => `batch ${batch.number} ends with root ${hexWord(batch.root)}, as L1 had it`,
    ),
    `${records} records applied in ${seconds.toFixed(1)} s (${rate} a second)`,
    `root ${hexWord(core.ledger.tree.root)}`,
    `state ${digest}`,
    ...(core.open === null ? [] : ['a batch is open: L1 has not spoken about it yet']),
    ...(isRoot ? [] : [`not the root that was expected: ${hexWord(BigInt(root ?? 0))}`]),
    ...comparison.lines,
  ]
  const { tornBytes = 0 } = (ended ?? {}) as Partial<ReadEnd>
  const batches = roots.map((b) => ({ number: b.number.toString(), root: b.root.toString() }))
  const found = { records, failed, seconds, root: last, state: digest, batches, tornBytes }
  const json = { ...found, snapshot: comparison.json }
  return { ok: isRoot && comparison.ok, text: lines.join('\n'), json }
}

/** Every record into a new journal, under its own key: for another key, or from one engine to the other. */
async function reseal({ configuration, target }: Work): Promise<Answer> {
  if (target === undefined) throw new Error('reseal needs a journal to make')
  // Of an empty or absent one nothing may be made in passing: reading refuses it first.
  const first = await readJournal(configuration).next()
  if (first.done === true) throw new JournalError('JournalMustBeWhole', 'the journal has no record')
  const from = await openJournal(configuration)
  try {
    const to = await openJournal(target)
    try {
      if (to.head.sequence > 0)
        throw new JournalError('JournalMustBelong', `the new journal must be empty: it has records`)
      for await (const { payload } of from.entries()) await to.append(payload)
      const { sequence } = to.head
      if (sequence !== from.head.sequence)
        throw new JournalError('JournalMustBeWhole', `${sequence} of ${from.head.sequence} records`)
      const text =
        `${sequence} records sealed anew; the old journal is as it was: ` +
        'start the sequencer on the new one before the old is destroyed'
      return { ok: true, text, json: { records: sequence, identity: to.identity } }
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

const snapshot = ({ configuration, out }: Work): Promise<Answer> => takeSnapshot(configuration, out)

const WORK = { verify, export: exportRecords, replay: replayRecords, snapshot, reseal }

const given = process.env['CLOISTER_JOURNAL_WORK']
delete process.env['CLOISTER_JOURNAL_WORK']
if (given === undefined) throw new Error('CLOISTER_JOURNAL_WORK is not set')
const work = JSON.parse(given) as Work
let answer: Answer
try {
  answer = await WORK[work.command](work)
} catch (error) {
  const isFound = error instanceof JournalError || error instanceof Diverged
  const text = error instanceof Error ? error.message : String(error)
  const rule = error instanceof JournalError ? error.rule : isFound ? 'JournalMustFollowL1' : null
  answer = { ok: false, text, json: { rule } }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
