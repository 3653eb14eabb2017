/**
 * The table that claims are proven at, from what L1 carries of it: rows of marks, and behind them the
 * root of the worlds and the flags. Nothing is believed: marks, worlds and flags must hash to the root.
 */
import type { Account } from '../../circuits/account.ts'
import { marksTreeOf, type MarkedTable, type Register } from '../../circuits/escape.ts'
import { hash } from '../../circuits/poseidon.ts'
import { settledRow, settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import type { EventLog } from '../l1/event-log.ts'
import type { TableEvent } from '../l1/events.ts'

/** The posting does not lead to the table's root: a claim cannot be proven from it. */
export class PostingError extends Error {}

const WORD = 32
const HEAD_WORDS = 2
const ROW_WORDS = 3
const STATUSES = { 1: 'live', 2: 'expired' } as const

export type Posting = {
  readonly rows: readonly Row[]
  /** Null where the posting ends with the rows. */
  readonly worldsRoot: bigint | null
  readonly flags: bigint
}

/** abi.encode of (uint32 id, uint8 status, int64 mark)[], then worlds root and flags as two words. */
export function postingOf(marks: string): Posting {
  const bytes = Buffer.from(marks.slice(2), 'hex')
  const word = (i: number): bigint => {
    if (WORD * (i + 1) > bytes.length) throw new PostingError('the marks on L1 are cut short')
    return BigInt(`0x${bytes.subarray(WORD * i, WORD * (i + 1)).toString('hex')}`)
  }
  if (bytes.length === 0 || word(0) !== BigInt(WORD))
    throw new PostingError('the marks on L1 are not rows of id, status and mark')
  const count = Number(word(1))
  // Before room is made for them: a count may be any number.
  if (WORD * (HEAD_WORDS + ROW_WORDS * count) > bytes.length)
    throw new PostingError('the marks on L1 are cut short')
  const rows = Array.from({ length: count }, (_, i): Row => {
    const at = HEAD_WORDS + ROW_WORDS * i
    const id = Number(word(at))
    const status = STATUSES[Number(word(at + 1)) as 1 | 2]
    if (status === undefined) throw new PostingError(`the mark of instrument ${id} has no status`)
    const mark = BigInt.asIntN(256, word(at + 2))
    return { ...settledRow(id, mark), status }
  })
  const end = HEAD_WORDS + ROW_WORDS * count
  const isWhole = bytes.length >= WORD * (end + 2)
  return { rows, worldsRoot: isWhole ? word(end) : null, flags: isWhole ? word(end + 1) : 0n }
}

/**
 * `rows` are the oracle's own, where a member has kept them: needed only for a posting without the
 * worlds root. Throws PostingError.
 */
export function markedTableOf(posted: TableEvent, rows: readonly Row[] | null = null): MarkedTable {
  if (rows !== null) {
    const table = tableOf(rows)
    if (table.root === posted.root) return table
    throw new PostingError(
      `the rows given have root ${table.root}, table ${posted.number} on L1 has ${posted.root}`,
    )
  }
  const posting = postingOf(posted.marks)
  if (posting.worldsRoot === null)
    throw new PostingError(
      `table ${posted.number} was posted without the root of its worlds: the oracle's rows are ` +
        'needed (--table FILE, as the oracle publishes them)',
    )
  const marks = marksTreeOf(posting).root
  const root = hash('TABLE', [marks, posting.worldsRoot, posting.flags])
  if (marks !== posted.marksRoot || root !== posted.root)
    throw new PostingError(
      `the marks of table ${posted.number} on L1 do not lead to its root: the oracle has posted ` +
        'something else than it hashed',
    )
  const { rows: marked, flags, worldsRoot } = posting
  return { rows: marked, flags, root, worlds: { root: worldsRoot } }
}

/** `isRead`: the values posted have its root. */
export type RegisterAt = Register & { readonly isRead: boolean }

/**
 * The register as it was when a table was posted: what settled later does not count at it. Of a root
 * that the values posted do not have nothing can be proven: then it is that root and no entries, with
 * which who holds nothing settled claims all the same.
 */
export function registerAt(log: EventLog, table: bigint): RegisterAt {
  const rows: Row[] = []
  let posted: bigint | null = null
  for (const event of log.events()) {
    if (event.kind === 'settlement') {
      rows.push(...event.ids.map((id, i) => settledRow(id, event.values[i] ?? 0n)))
      posted = event.root
    }
    if (event.kind !== 'table' || event.number !== table) continue
    const found = settlementsOf(rows)
    if (posted === null || posted === found.tree.root) return { ...found, isRead: true }
    return { rows: [], tree: { root: posted, path: () => [] }, isRead: false }
  }
  throw new PostingError(`table ${table} was not posted`)
}

/**
 * Throws PostingError where the register cannot be read and the account holds what may stand in it: a
 * node that tells of other values than were posted would have it claim a mark instead of what is final,
 * or nothing. What is live has not settled.
 */
export function requireNotMisled(
  { balances }: Pick<Account, 'balances'>,
  { rows }: Pick<MarkedTable, 'rows'>,
  { isRead }: Pick<RegisterAt, 'isRead'>,
  isAtMarks: boolean,
): void {
  if (isRead) return
  for (const { id } of balances) {
    const row = rows.find((one) => one.id === id)
    if (row?.status === 'live' || (row !== undefined && isAtMarks)) continue
    throw new PostingError(
      'the values of the register, as this RPC node tells of them, do not have the root on L1: what ' +
        `instrument ${id} has settled at cannot be proven. Ask another node` +
        (row === undefined ? '' : '; if it says the same, --at-marks claims it at its last mark'),
    )
  }
}
