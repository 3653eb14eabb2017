/**
 * The ledger after a segment of the event log, so that a later run need not hash every batch again.
 * It saves time and decides nothing: roots and totals are held against L1 at the end of every run,
 * and a snapshot that leads elsewhere is thrown away.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { TREE_DEPTH } from '../../circuits/params.ts'
import { rowHash, settledRow } from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import { decode, encode } from './codec.ts'
import type { EventLog } from './event-log.ts'
import { sha256Hex, writeWhole } from './files.ts'
import type { Freeze, Ledger } from './ledger.ts'

const FORMAT = 'cloister.checkpoint.v2'
const FILE = 'checkpoint.json'

/** What a ledger holds besides its trees, which follow from it. */
const PARTS = [
  'genesis',
  'summaries',
  'keyRequests',
  'l1Owners',
  'deposits',
  'withdrawals',
  'tokens',
  'totals',
  'shapes',
  'tables',
  'settlements',
  'faults',
] as const
const SCALARS = ['fee', 'served', 'accountCount', 'domain', 'mode', 'postedRegister'] as const

export type Checkpoint = {
  /** Segments of the log that the ledger has taken in. */
  readonly segmentCount: number
  /** Batches up to this one were held against the contract's record at a block of the log. */
  readonly comparedTo: bigint
}
type Stored = Checkpoint & {
  readonly digest: string
  readonly parts: Readonly<Record<(typeof PARTS)[number], unknown>>
  readonly scalars: Readonly<Record<(typeof SCALARS)[number], bigint | null>>
  readonly confirmed: readonly bigint[]
  readonly freeze: Freeze | null
  readonly leaves: readonly (readonly [number, bigint])[]
}

export function saveCheckpoint(log: EventLog, ledger: Ledger, comparedTo: bigint): void {
  if (log.directory === null || log.last === null) return
  const stored: Stored = {
    segmentCount: log.heads.length,
    comparedTo,
    digest: log.last.digest,
    parts: Object.fromEntries(PARTS.map((name) => [name, ledger[name]])) as Stored['parts'],
    scalars: Object.fromEntries(SCALARS.map((name) => [name, ledger[name]])) as Stored['scalars'],
    confirmed: [...ledger.confirmed],
    freeze: ledger.freeze,
    leaves: [...leavesOf(ledger)],
  }
  const body = encode(stored)
  writeWhole(join(log.directory, FILE), `${FORMAT} ${sha256Hex(body)}\n${body}\n`)
}

/** The used leaves of the tree, by index. */
export function* leavesOf(
  ledger: Pick<Ledger, 'tree' | 'accountCount'>,
): Generator<readonly [number, bigint]> {
  for (let index = 0; index < Number(ledger.accountCount); index++) {
    const leaf = ledger.tree.leaf(index)
    if (leaf !== 0n) yield [index, leaf]
  }
}

/** Fills an empty ledger; null, and nothing filled, if there is no checkpoint of this very log. */
export function loadCheckpoint(log: EventLog, ledger: Ledger): Checkpoint | null {
  if (log.directory === null) return null
  const path = join(log.directory, FILE)
  if (!existsSync(path)) return null
  const text = readFileSync(path, 'utf8')
  const end = text.indexOf('\n')
  const body = text.slice(end + 1, -1)
  if (text.slice(0, end) !== `${FORMAT} ${sha256Hex(body)}` || !text.endsWith('\n')) {
    log.mended.push(`${FILE} is damaged or cut short: batches are replayed from the log`)
    rmSync(path, { force: true })
    return null
  }
  const stored = decode(body) as Stored
  const { segmentCount, comparedTo } = stored
  // Made before a reorganisation, or the tail it was made after has grown since.
  if (log.heads[segmentCount - 1]?.digest !== stored.digest) {
    rmSync(path, { force: true })
    return null
  }
  fill(ledger, stored)
  return { segmentCount, comparedTo }
}

function fill(ledger: Ledger, stored: Stored): void {
  const { parts, scalars, leaves, confirmed, freeze } = stored
  for (const name of PARTS) {
    const value = parts[name]
    if (name === 'genesis') ledger.genesis = value as Ledger['genesis']
    else if (value instanceof Map)
      value.forEach((item, key) => (ledger[name] as Map<unknown, unknown>).set(key, item))
    else for (const item of value as unknown[]) (ledger[name] as unknown[]).push(item)
  }
  ledger.fee = scalars.fee
  ledger.served = scalars.served ?? 0n
  ledger.accountCount = scalars.accountCount ?? 0n
  ledger.domain = scalars.domain
  ledger.mode = scalars.mode ?? 0n
  ledger.postedRegister = scalars.postedRegister
  ledger.freeze = freeze
  for (const number of confirmed) ledger.confirmed.add(number)
  const dense: bigint[] = []
  for (const [index, leaf] of leaves) dense[index] = leaf
  ledger.tree = new Tree(TREE_DEPTH, dense)
  let place = 0
  for (const [id, value] of ledger.settlements)
    ledger.settlementTree.set(place++, rowHash(settledRow(id, value)))
}
