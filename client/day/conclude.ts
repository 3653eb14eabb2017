/** What a day amounts to: recomputed from L1 and from leaves that their owners opened, never from the sequencer's word. */
import type { BatchReport } from '../api.ts'
import { footprintOf } from '../l1/footprint.ts'
import { rebuild } from '../l1/rebuild.ts'
import { vaultOf } from '../l1/ledger.ts'
import type { DayTrade } from './csv.ts'
import type { MemberCheck } from './check.ts'

export type Facts = {
  readonly rpcUrl: string
  readonly contract: string
  readonly trades: readonly DayTrade[]
  readonly results: readonly {
    readonly trade: string
    readonly outcome: { readonly state: string; readonly rule: string | null }
  }[]
  readonly batches: readonly BatchReport[]
  readonly checks: readonly MemberCheck[]
  readonly names: readonly string[]
  readonly received: bigint
  readonly expectedReceived: bigint
  readonly constraints: number
  readonly seconds: number
}
export type Conclusion = {
  readonly facts: Facts
  readonly failures: readonly string[]
  readonly outsiderBytes: { readonly commitments: number; readonly ciphertext: number }
  readonly feesCollected: bigint
  readonly line: {
    readonly batches: number
    readonly trades: number
    readonly refused: number
    readonly l1Root: string
    readonly clientRoot: string
    readonly conserved: boolean
    readonly seconds: number
  }
}

export async function conclude(facts: Facts): Promise<Conclusion> {
  const failures: string[] = []
  const hold = (holds: boolean, what: string): boolean => {
    if (!holds) failures.push(what)
    return holds
  }
  const rebuilt = await rebuild(facts.rpcUrl, facts.contract)
  const clientRoot = `0x${rebuilt.tree.root.toString(16)}`
  const l1Root = `0x${(rebuilt.batches.at(-1)?.event.newRoot ?? 0n).toString(16)}`
  hold(rebuilt.faults.length === 0, 'the events on L1 contradict each other')
  hold(clientRoot === l1Root, 'the tree rebuilt from L1 has another root than L1 keeps')
  for (const check of facts.checks)
    hold(check.root === clientRoot, `account ${check.account} sees another root`)

  // Every bad trade refused for its own rule, every good one accepted.
  const outcomes = new Map(facts.results.map((r) => [r.trade, r.outcome]))
  for (const trade of facts.trades) {
    const outcome = outcomes.get(trade.tradeId)
    const met =
      trade.expect === 'settle'
        ? outcome?.state === 'accepted'
        : outcome?.state === 'refused' && outcome.rule === trade.expect
    hold(
      met,
      `trade ${trade.tradeId} (line ${trade.line}): expected ${trade.expect}, got ${outcome?.rule ?? outcome?.state ?? 'nothing'}`,
    )
  }
  const proven = facts.batches.reduce((sum, b) => sum + b.trades, 0)
  hold(
    proven === facts.trades.filter((t) => t.expect === 'settle').length,
    'not every accepted trade was proven',
  )
  hold(facts.received === facts.expectedReceived, 'the withdrawal did not arrive')

  // Conservation: vault = balances + unconsumed deposits + unclaimed withdrawals, instruments sum to zero.
  const totals = rebuilt.totals.get(1)
  const vault = totals === undefined ? null : vaultOf(totals)
  const cash = facts.checks.reduce((sum, check) => sum + BigInt(check.cash), 0n)
  // The fee account is the operator's to open; what it holds is what members paid.
  const fees = vault === null ? 0n : vault.balances - cash
  const sums = new Map<number, bigint>()
  for (const { balances } of facts.checks)
    for (const { id, quantity } of balances) sums.set(id, (sums.get(id) ?? 0n) + BigInt(quantity))
  const feePerPage = rebuilt.batches.at(-1)?.parts.header.fee ?? 0n
  const pages = facts.batches.reduce((sum, b) => sum + b.pages, 0)
  // Per token the vault of events; marks of derivatives cancel, so cash and fees are all of it.
  const conserved = [
    hold(
      vault !== null && fees === feePerPage * BigInt(pages),
      'vault and balances differ by more than the fees of the proven pages',
    ),
    hold(
      [...sums.values()].every((sum) => sum === 0n),
      'an instrument does not sum to zero over all members',
    ),
  ].every(Boolean)
  const { total } = footprintOf(rebuilt)
  return {
    facts,
    failures,
    feesCollected: fees,
    outsiderBytes: { commitments: total.commitmentBytes, ciphertext: total.cipherBytes },
    line: {
      batches: rebuilt.batches.length,
      trades: proven,
      refused: [...outcomes.values()].filter((o) => o.state === 'refused').length,
      l1Root,
      clientRoot,
      conserved,
      seconds: Math.round(facts.seconds),
    },
  }
}
