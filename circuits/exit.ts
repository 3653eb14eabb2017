/**
 * Forced exits and what follows from them: how much is paid, and how an account unwinds.
 *
 * 1. ForcedExitMustBeExact
 * 2. ReduceOnlyMustReduce
 */
import { CASH_ID, STATUS, STATUS_BITS, WORLD_COUNT } from './params.ts'
import type { Account, Balance } from './account.ts'
import { isStressWorld, valueInWorld, worthOf, type RowOf } from './table.ts'

/** A request of the L1 owner to be paid one token, whatever the operator wants. */
export type ExitRequest = {
  readonly kind: 'forcedExit'
  readonly serial: bigint
  readonly account: number
  readonly token: number
  /** L1 address, below 2^160. */
  readonly to: bigint
  /** Lots of the token that L1 can pay out when the batch is submitted; L1 fills it in. */
  readonly freeVault: bigint
}

/** What keeps a forced payment from being larger. */
export const CAPS = ['balance', 'vault', 'world', 'loss'] as const
export type Cap = (typeof CAPS)[number]
export type ForcedPayment = {
  readonly token: number
  readonly amount: bigint
  readonly cap: Cap
  /** The world that one more lot would break, or that was below zero before; else null. */
  readonly world: number | null
}

type Holdings = Pick<Account, 'cash' | 'balances'>

/** Micro-dollars by which one lot less of a token lowers the worth in a world. May be negative. */
function lotWorth(token: number, world: number, rowOf: RowOf): bigint | null {
  if (token === CASH_ID) return 1n
  const row = rowOf(token)
  if (row === undefined) return null
  return valueInWorld(row, world) - (isStressWorld(world) ? row.addOn : 0n)
}

/**
 * 1. ForcedExitMustBeExact: min(balance, free vault, the most that leaves every world at least zero),
 * in whole lots; nothing if a world is below zero before. `held` is the account after conversions.
 * Returns the id of a holding that stands in no row instead, if there is one.
 */
export function forcedPayment(
  held: Holdings,
  request: ExitRequest,
  rowOf: RowOf,
): ForcedPayment | number {
  const { token, freeVault } = request
  const worth = worthOf(held, rowOf)
  if (typeof worth === 'number') return worth
  const below = worth.findIndex((w) => w < 0n)
  if (below >= 0) return { token, amount: 0n, cap: 'loss', world: below }
  const quantity =
    token === CASH_ID ? held.cash : (held.balances.find((b) => b.id === token)?.quantity ?? 0n)
  let best: ForcedPayment =
    quantity <= freeVault
      ? { token, amount: quantity < 0n ? 0n : quantity, cap: 'balance', world: null }
      : { token, amount: freeVault, cap: 'vault', world: null }
  for (let world = 0; world < WORLD_COUNT && best.amount > 0n; world++) {
    const lot = lotWorth(token, world, rowOf)
    if (lot === null) return token
    if (lot <= 0n) continue
    // Both are positive, so this rounds down: the most whole lots that leave at least zero.
    const most = (worth[world] as bigint) / lot
    if (most < best.amount) best = { token, amount: most, cap: 'world', world }
  }
  return best
}

export function statusOf(meta: bigint): number {
  return Number(meta & ((1n << BigInt(STATUS_BITS)) - 1n))
}

/**
 * EXITING since `time` if the account was ACTIVE, or if it was flagged and is paid: no payment leaves a
 * world below zero, so that it is cured. Any other status stays, and its clock runs on.
 */
export function exitingMeta(meta: bigint, time: bigint, isPaid: boolean): bigint {
  const status = statusOf(meta)
  const isCured = isPaid && (status === STATUS.called || status === STATUS.liquidating)
  return status === STATUS.active || isCured ? BigInt(STATUS.exiting) + time * 8n : meta
}

/** A balance of a reduce-only account that changes: `kept` + `closed` lots, of the sign it had. */
export type Reduction = {
  readonly account: number
  readonly id: number
  readonly kept: bigint
  readonly closed: bigint
  readonly isShort: boolean
}

const quantityOf = (balances: readonly Balance[], id: number): bigint =>
  balances.find((b) => b.id === id)?.quantity ?? 0n
const sizeOf = (quantity: bigint): bigint => (quantity < 0n ? -quantity : quantity)

/**
 * Each balance besides cash that changes, deposits apart. `before` is the account after conversions.
 * A reduction with a negative part breaks 2. ReduceOnlyMustReduce: the balance grew or changed sign.
 */
export function reductionsOf(
  account: number,
  before: readonly Balance[],
  after: readonly Balance[],
  credits: readonly Balance[],
): readonly Reduction[] {
  const ids = [...new Set([...before, ...after].map((b) => b.id))].sort((a, b) => a - b)
  return ids.flatMap((id) => {
    const old = quantityOf(before, id)
    const credited = credits.reduce((sum, c) => (c.id === id ? sum + c.quantity : sum), 0n)
    const next = quantityOf(after, id) - credited
    if (next === old) return []
    const isShort = old < 0n
    const kept = isShort ? -next : next
    return [{ account, id, kept, closed: sizeOf(old) - kept, isShort }]
  })
}

export function isReduction({ kept, closed }: Reduction): boolean {
  return kept >= 0n && closed >= 0n
}
