/** A claim after a freeze, from L1 and a seed: the state that it is proven against, and the witness. */
import type { Account } from '../../circuits/account.ts'
import {
  ESCAPE_SHAPES,
  escapeClaim,
  type EscapeClaim,
  type EscapeState,
} from '../../circuits/escape.ts'
import type { Row } from '../../circuits/table.ts'
import type { KeyRing } from '../key-ring.ts'
import { accountsOfSeed, openLatest, visitsOf } from '../l1/own-account.ts'
import { OpenError } from '../l1/open.ts'
import type { L1 } from '../l1/rpc.ts'
import type { Scan } from '../l1/scan.ts'
import { claimShapes } from './claim-shapes.ts'
import {
  markedTableOf,
  PostingError,
  registerAt,
  requireNotMisled,
  type RegisterAt,
} from './posted-table.ts'

/** What L1 froze: the last root, the last confirmed table, the register at it. */
export async function frozenState(
  l1: L1,
  { rebuilt, log }: Scan,
  rows: readonly Row[] | null = null,
): Promise<EscapeState & { readonly settlements: RegisterAt }> {
  const [number] = (await l1.view('confirmedTableNumber')) as readonly [bigint]
  const posted = rebuilt.tables.find((table) => table.number === number)
  if (posted === undefined)
    throw new PostingError('no table was ever confirmed: nothing says what an account is worth')
  const table = markedTableOf(posted, rows)
  return { tree: rebuilt.tree, table, settlements: registerAt(log, number) }
}

/** The account as the latest batch left it. Throws OpenError where the seed does not open it. */
export function latestAccount({ rebuilt, log }: Scan, ring: KeyRing, index: number): Account {
  const visits = visitsOf(rebuilt, log, index)
  if (visits.length === 0)
    throw new OpenError(
      `no batch has ever written account ${index}: there is nothing to claim but deposits`,
    )
  const last = openLatest(rebuilt, visits, ring)
  if (last === null) throw new OpenError(`account ${index} does not open with this seed`)
  return last.account
}

/** The same, or null where there is none or the seed does not open it. */
export function latestAccountIfOpen(scan: Scan, ring: KeyRing, index: number): Account | null {
  try {
    return latestAccount(scan, ring, index)
  } catch (error) {
    if (error instanceof OpenError) return null
    throw error
  }
}

/** Throws the OpenError of the first where none of the accounts opens that may be meant. */
export function requireOpen(scan: Scan, ring: KeyRing, named: number | null): void {
  let failure: OpenError | null = null
  for (const index of named === null ? accountsOfSeed(scan.rebuilt, ring) : [named]) {
    try {
      latestAccount(scan, ring, index)
      return
    } catch (error) {
      if (!(error instanceof OpenError)) throw error
      failure ??= error
    }
  }
  if (failure !== null) throw failure
}

/** The account that a seed names, if it is one alone. */
export function onlyAccount(scan: Scan, ring: KeyRing): number {
  const opened = accountsOfSeed(scan.rebuilt, ring).filter(
    (index) =>
      visitsOf(scan.rebuilt, scan.log, index).length === 0 ||
      latestAccountIfOpen(scan, ring, index) !== null,
  )
  const [index] = opened
  if (index !== undefined && opened.length === 1) return index
  throw new OpenError(
    opened.length === 0
      ? `no account on L1 opens with this seed under the label "${ring.label}"`
      : `the seed has ${opened.length} accounts (${opened.join(', ')}): name one with --account`,
  )
}

export async function claimOf(
  l1: L1,
  scan: Scan,
  ring: KeyRing,
  index: number,
  rows: readonly Row[] | null = null,
  isAtMarks = false,
): Promise<EscapeClaim & { readonly account: Account }> {
  const account = latestAccount(scan, ring, index)
  const state = await frozenState(l1, scan, rows)
  requireNotMisled(account, state.table, state.settlements, isAtMarks)
  // A house that has the large verifier alone is left by it.
  const known = await claimShapes(l1, scan.log.heads[0]?.fromBlock ?? 0)
  const shapes = ESCAPE_SHAPES.filter(({ name }) => known.some((shape) => shape.name === name))
  return { ...escapeClaim(index, account, state, shapes), account }
}
