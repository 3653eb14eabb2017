/**
 * Whether anything was created or lost: leaves that their owners opened against what the token itself says
 * that the contract holds. Nobody's word counts, neither the sequencer's nor that of the contract's totals.
 */
import {
  CASH_ID,
  FEE_ACCOUNT_INDEX,
  FIRST_MEMBER_INDEX,
  TOKEN_UPPER_BOUND,
} from '../../circuits/params.ts'
import { vaultOf, type Rebuilt } from '../l1/ledger.ts'

/** An account as its owner reads it. Cash in micro-dollars, the rest in lots. */
export type OpenedLeaf = {
  readonly account: number
  readonly cash: bigint
  readonly balances: readonly { readonly id: number; readonly quantity: bigint }[]
}

/**
 * What does not hold, in sentences; none where all is conserved. `held`: of each token, in its smallest
 * unit, what it says that the contract has. Per token that is balances, deposits that no batch has
 * taken and withdrawals that nobody has claimed; all positions in an instrument sum to zero.
 */
export function conservationFaults(
  rebuilt: Rebuilt,
  leaves: readonly OpenedLeaf[],
  held: ReadonlyMap<number, bigint>,
): readonly string[] {
  const faults: string[] = []
  const seen = new Set<number>()
  for (const { account } of leaves) {
    if (seen.has(account)) faults.push(`account ${account} was counted twice`)
    seen.add(account)
  }
  for (const index of accountsOf(rebuilt))
    if (!seen.has(index)) faults.push(`nobody opened account ${index}`)
  const sums = new Map<number, bigint>()
  const add = (id: number, quantity: bigint): void => {
    sums.set(id, (sums.get(id) ?? 0n) + quantity)
  }
  for (const { cash, balances } of leaves) {
    add(CASH_ID, cash)
    for (const { id, quantity } of balances) add(id, quantity)
  }
  for (const { id, unit } of rebuilt.tokens.values()) {
    const { unconsumed, owed } = vaultOf(rebuilt.totalsOf(id))
    const owedInAll = ((sums.get(id) ?? 0n) + unconsumed + owed) * unit
    const vault = held.get(id)
    if (vault !== owedInAll)
      faults.push(
        `the vault holds ${vault ?? 'nothing'} of token ${id}, and balances, open deposits and unclaimed withdrawals are ${owedInAll}`,
      )
  }
  for (const [id, sum] of sums) {
    if (id >= TOKEN_UPPER_BOUND && sum !== 0n)
      faults.push(`all positions in instrument ${id} sum to ${sum}, not to zero`)
    if (id < TOKEN_UPPER_BOUND && !rebuilt.tokens.has(id))
      faults.push(`accounts hold token ${id}, which L1 does not know`)
  }
  return faults
}

/** All that have a leaf: the fee account, and every member that a batch has registered. */
function accountsOf({ accountCount }: Rebuilt): readonly number[] {
  const members = Number(accountCount) - FIRST_MEMBER_INDEX
  return [FEE_ACCOUNT_INDEX, ...Array.from({ length: members }, (_, i) => FIRST_MEMBER_INDEX + i)]
}
