/** What a day amounts to: recomputed from L1 and from leaves that their owners opened, never from the sequencer's word. */
import type { BatchReport } from '../api.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { FEE_ACCOUNT_INDEX } from '../../circuits/params.ts'
import { footprintOf } from '../l1/footprint.ts'
import { readFundingTables, type FundingTables } from '../l1/oracle-tables.ts'
import { openAccount, rebuild, type Rebuilt } from '../l1/rebuild.ts'
import { connect, type L1 } from '../l1/rpc.ts'
import { sweepsOnL1, sweepText } from '../exit/sweeps.ts'
import type { DayTrade } from './csv.ts'
import type { MemberCheck } from './check.ts'
import { conservationFaults, type OpenedLeaf } from './conservation.ts'
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
  /** The operator opens its own leaf with it, as each member opens its own. */
  readonly feeAccountViewKey: bigint
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
  const l1 = await connect(facts.rpcUrl, facts.contract)
  const rebuilt = await rebuild(facts.rpcUrl, facts.contract, { atBlock: l1.head.number })
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
  for (const { name, expected, received } of facts.claims)
    hold(expected > 0n && received === expected, `the withdrawal of ${name} did not arrive`)
  const quotes = await readFundingTables(facts.rpcUrl, facts.contract)
  const { expiries, intervals } = lifecycleOf(facts, rebuilt, quotes, hold)

  // Leaves of everybody, each opened by its owner; the operator's is the fee account.
  const feeAccount = openAccount(rebuilt, FEE_ACCOUNT_INDEX, facts.feeAccountViewKey)
  const leaves = [{ ...feeAccount, account: FEE_ACCOUNT_INDEX }, ...facts.checks.map(leafOf)]
  const conservation = conservationFaults(rebuilt, leaves, await heldBy(l1, rebuilt))
  failures.push(...conservation)
  const trades = tradesProven(facts, rebuilt, feeAccount.cash, hold)
  const { total } = footprintOf(rebuilt)
  const sweep = sweepText(await sweepsOnL1(l1))
  return {
    facts,
    failures,
    feesCollected: feeAccount.cash,
    expiries,
    intervals,
    sweep,
    outsiderBytes: { commitments: total.commitmentBytes, ciphertext: total.cipherBytes },
    line: {
      batches: rebuilt.batches.length,
      trades,
      refused: [...outcomes.values()].filter((o) => o.state === 'refused').length,
      l1Root,
      clientRoot,
      conserved: conservation.length === 0,
      settled: expiries.length,
      funding: Number(sumOf(intervals.map(paidIn))) / 1e6,
      seconds: Math.round(facts.seconds),
    },
  }
}

const leafOf = ({ account, cash, balances }: MemberCheck): OpenedLeaf => ({
  account,
  cash: BigInt(cash),
  balances: balances.map(({ id, quantity }) => ({ id, quantity: BigInt(quantity) })),
})

/** What each token says that the contract holds, in its smallest unit. */
async function heldBy(l1: L1, { tokens }: Rebuilt): Promise<ReadonlyMap<number, bigint>> {
  const all = [...tokens.values()].map(async ({ id, address }) => {
    return [id, await l1.balanceOf(address, l1.contract)] as const
  })
  return new Map(await Promise.all(all))
}

/**
 * Trades that were proven: every page pays one fee into the fee account, whose leaf says how many were, and
 * of these L1 shows the withdrawals; the rest are the two sides of each trade. Reports must agree.
 */
function tradesProven(
  { batches, trades }: Facts,
  rebuilt: Rebuilt,
  fees: bigint,
  hold: (holds: boolean, what: string) => boolean,
): number {
  const fee = rebuilt.batches.at(-1)?.parts.header.fee ?? 0n
  const reported = batches.reduce((sum, b) => sum + b.pages, 0)
  hold(
    fees === fee * BigInt(reported),
    'the fee account holds another sum than the fees of all pages that were reported',
  )
  const sides = (fee === 0n ? reported : Number(fees / fee)) - rebuilt.withdrawals.size
  const proven = sides / 2
  hold(
    proven === batches.reduce((sum, b) => sum + b.trades, 0),
    'more or fewer trades were reported than the pages that were proven have sides for',
  )
  hold(
    proven === trades.filter((t) => t.expect === 'settle').length,
    'not every accepted trade was proven',
  )
  return proven
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
