/** What a transaction may cost (EIP-1559), and how far each replacement goes. All in wei a gas. */

export type GasPolicy = {
  /** Never more than this, whatever L1 asks: then the transaction waits, with an alarm. */
  readonly maxFeeCap: bigint
  readonly priorityFee: bigint
  /** A transaction that no block has taken for so long is replaced by a dearer one. */
  readonly bumpAfterMilliseconds: number
}
export const GAS_POLICY: GasPolicy = {
  maxFeeCap: 200_000_000_000n,
  priorityFee: 1_000_000_000n,
  bumpAfterMilliseconds: 45_000,
}
export type Fees = { readonly maxFee: bigint; readonly priorityFee: bigint }

/** Nodes take a replacement if both fees are a tenth higher. */
const RISE_NUMERATOR = 1125n
const RISE_DENOMINATOR = 1000n

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const raised = (fee: bigint): bigint => (fee * RISE_NUMERATOR) / RISE_DENOMINATOR + 1n

/** For a first try: room for the base fee to double. */
export function firstFees(baseFee: bigint, policy: GasPolicy): Fees {
  const maxFee = least(2n * baseFee + policy.priorityFee, policy.maxFeeCap)
  return { maxFee, priorityFee: least(policy.priorityFee, maxFee) }
}

/** For one that replaces another; null if the cap does not leave enough of a rise. */
export function raisedFees(old: Fees, baseFee: bigint, policy: GasPolicy): Fees | null {
  const wanted = firstFees(baseFee, policy)
  const maxFee = most(raised(old.maxFee), wanted.maxFee)
  const priorityFee = most(raised(old.priorityFee), wanted.priorityFee)
  return maxFee > policy.maxFeeCap ? null : { maxFee, priorityFee: least(priorityFee, maxFee) }
}

/** Whether the next block would take it at all. */
export function isEnough(fees: Fees, baseFee: bigint): boolean {
  return fees.maxFee >= baseFee
}
