/** What a table says of an account, looked up once however often it is asked. */
import type { Account } from '../circuits/account.ts'
import type { BatchContext } from '../circuits/batch.ts'
import { brokenWorld } from '../circuits/flag.ts'
import { lackOf, marginsOfWorth } from '../circuits/sweep.ts'
import { rowLookup, worthOf, type RowOf, type Settlements, type Table } from '../circuits/table.ts'

/** What no clock changes; of most: not broken, not negative. */
export type Standing = {
  /** Maintenance breaks in some world. */
  readonly isBroken: boolean
  /** Worth less than zero in some world. */
  readonly isNegative: boolean
  readonly lack: bigint
}
const SOUND: Standing = { isBroken: false, isNegative: false, lack: 0n }
/** It holds what stands in no row: that is listed by the next table, or settled. */
type Unlisted = 'unlisted'

/**
 * Standings by table, register and account. All three are values that nobody changes in place, so an
 * account that a batch has replaced is another one, and what is not looked at any more is forgotten.
 */
const known = new WeakMap<
  Table,
  { readonly settlements: Settlements; readonly of: WeakMap<Account, Standing | Unlisted> }
>()

/** Of one account after the other: each is valued once at a table and register. */
export function standingsAt({
  table,
  settlements,
}: Pick<BatchContext, 'table' | 'settlements'>): (account: Account) => Standing | Unlisted {
  const found = known.get(table)
  const at =
    found?.settlements === settlements
      ? found
      : { settlements, of: new WeakMap<Account, Standing | Unlisted>() }
  if (at !== found) known.set(table, at)
  let rowOf: RowOf | null = null
  return (account) => {
    const there = at.of.get(account)
    if (there !== undefined) return there
    rowOf ??= rowLookup(table, settlements)
    const made = standingOf(account, rowOf)
    at.of.set(account, made)
    return made
  }
}

function standingOf(account: Account, rowOf: RowOf): Standing | Unlisted {
  const worth = worthOf(account, rowOf)
  if (typeof worth === 'number') return 'unlisted'
  const isBroken = brokenWorld(worth) !== null
  const isNegative = worth.some((w) => w < 0n)
  if (!isBroken && !isNegative) return SOUND
  return { isBroken, isNegative, lack: lackOf(marginsOfWorth(worth)) }
}
