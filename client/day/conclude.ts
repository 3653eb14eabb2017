/** What a day amounts to: recomputed from L1 and from leaves that their owners opened, never from the sequencer's word. */
import type { BatchReport } from '../api.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { footprintOf } from '../l1/footprint.ts'
import { readFundingTables, type FundingTables } from '../l1/oracle-tables.ts'
import { rebuild, type Rebuilt } from '../l1/rebuild.ts'
import { vaultOf } from '../l1/ledger.ts'
import { connect } from '../l1/rpc.ts'
import { sweepsOnL1, sweepText } from '../exit/sweeps.ts'
import type { DayTrade } from './csv.ts'
import type { MemberCheck } from './check.ts'
import { PERPETUAL } from './instruments.ts'
import {
  fundingIntervals,
  positionsIn,
  sumOf,
  type Expiry,
  type FundingInterval,
} from './lifecycle.ts'

export type RoundResult = {
  readonly trade: string
  readonly outcome: {
    readonly state: string
    readonly rule: string | null
    /** A client refused, whatever the house made of it. */
    readonly isOwnWord?: boolean
  }
}
/** A withdrawal that was claimed on L1, in micro-dollars. */
export type Claim = { readonly name: string; readonly expected: bigint; readonly received: bigint }

export type Facts = {
  readonly rpcUrl: string
  readonly contract: string
  readonly trades: readonly DayTrade[]
  readonly results: readonly RoundResult[]
  readonly batches: readonly BatchReport[]
  readonly checks: readonly MemberCheck[]
  readonly names: readonly string[]
  readonly claims: readonly Claim[]
  /** What expired, as the oracle settled it. */
  readonly settled: readonly { readonly id: number; readonly value: bigint }[]
  /** Who withdrew the proceeds of the option. */
  readonly winner: string
  readonly constraints: number
  readonly seconds: number
}
export type Conclusion = {
  readonly facts: Facts
  readonly failures: readonly string[]
  readonly outsiderBytes: { readonly commitments: number; readonly ciphertext: number }
  readonly feesCollected: bigint
  readonly expiries: readonly Expiry[]
  readonly intervals: readonly FundingInterval[]
  /** What L1 says of the sweeps of everybody's solvency. */
  readonly sweep: string
  readonly line: {
    readonly batches: number
    readonly trades: number
    readonly refused: number
    readonly l1Root: string
    readonly clientRoot: string
    readonly conserved: boolean
    /** Instruments that were settled, and dollars of funding that changed hands. */
    readonly settled: number
    readonly funding: number
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
  const clientRoot = hexWord(rebuilt.tree.root)
  const l1Root = hexWord(rebuilt.batches.at(-1)?.event.newRoot ?? 0n)
  hold(rebuilt.faults.length === 0, 'the events on L1 contradict each other')
  hold(clientRoot === l1Root, 'the tree rebuilt from L1 has another root than L1 keeps')
  for (const check of facts.checks)
    hold(check.root === clientRoot, `account ${check.account} sees another root`)

  // Every bad trade refused for its own rule, every good one accepted.
  const inOrder = [...facts.results].sort((a, b) => wordOf(a) - wordOf(b))
  const outcomes = new Map(inOrder.map((r) => [r.trade, r.outcome]))
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
  for (const { name, expected, received } of facts.claims)
    hold(expected > 0n && received === expected, `the withdrawal of ${name} did not arrive`)
  const quotes = await readFundingTables(facts.rpcUrl, facts.contract)
  const { expiries, intervals } = lifecycleOf(facts, rebuilt, quotes, hold)

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
  const sweep = sweepText(await sweepsOnL1(await connect(facts.rpcUrl, facts.contract)))
  return {
    facts,
    failures,
    feesCollected: fees,
    expiries,
    intervals,
    sweep,
    outsiderBytes: { commitments: total.commitmentBytes, ciphertext: total.cipherBytes },
    line: {
      batches: rebuilt.batches.length,
      trades: proven,
      refused: [...outcomes.values()].filter((o) => o.state === 'refused').length,
      l1Root,
      clientRoot,
      conserved,
      settled: expiries.length,
      funding: Number(sumOf(intervals.map(paidIn))) / 1e6,
      seconds: Math.round(facts.seconds),
    },
  }
}

/** The last word counts: that of a client that would not sign, then that of the side that broke a rule. */
const wordOf = ({ outcome }: RoundResult): number =>
  outcome.isOwnWord === true ? 2 : outcome.rule === 'TradeMustBeAdmissible' ? 0 : 1

/** Micro-dollars that one side paid the other. */
function paidIn({ flows }: FundingInterval): bigint {
  return sumOf([...flows.values()].map((flow) => (flow > 0n ? flow : 0n)))
}

/** Expiry and funding: what was paid out and what changed hands sums to zero over all members. */
function lifecycleOf(
  facts: Facts,
  rebuilt: Rebuilt,
  quotes: FundingTables,
  hold: (holds: boolean, what: string) => boolean,
): Pick<Conclusion, 'expiries' | 'intervals'> {
  const settled = facts.trades.filter((trade) => trade.expect === 'settle')
  const expiries = facts.settled.map(({ id, value }): Expiry => {
    const lots = positionsIn(settled, id)
    hold(rebuilt.settlements.get(id) === value, `the register on L1 has another value of ${id}`)
    hold(
      facts.checks.every(({ balances }) => balances.every((balance) => balance.id !== id)),
      `instrument ${id} is settled and still held`,
    )
    hold(sumOf([...lots.values()].map((q) => q * value)) === 0n, `the expiry of ${id} made money`)
    return { id, value, lots }
  })
  const held = positionsIn(settled, PERPETUAL)
  facts.checks.forEach(({ balances }, i) => {
    const found = BigInt(balances.find(({ id }) => id === PERPETUAL)?.quantity ?? 0)
    const name = facts.names[i] ?? ''
    hold(found === (held.get(name) ?? 0n), `${name} has another position in the perpetual`)
  })
  const intervals = fundingIntervals(settled, quotes)
  hold(intervals.length > 0 && held.size > 0, 'no funding was seen')
  for (const { to, flows } of intervals)
    hold(sumOf(flows.values()) === 0n, `the funding of table ${to} does not sum to zero`)
  return { expiries, intervals }
}
