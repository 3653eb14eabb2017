/** `cloister risk account`: one's own margin in words, and what a trade would make of it. */
import type { Command } from 'commander'
import { statusOf } from '../../circuits/exit.ts'
import { STATUS } from '../../circuits/params.ts'
import type { RowOf } from '../../circuits/table.ts'
import { greeksPerLot, type Greeks } from '../../oracle/greeks.ts'
import {
  liquidationDistance,
  type LiquidationDistance,
  type Model,
} from '../../oracle/liquidation.ts'
import {
  marginOf,
  whatIf,
  type Holdings,
  type Leg,
  type Margin,
  type WhatIf,
} from '../../oracle/margin.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import { ownLeaf } from '../l1/own-leaf.ts'
import { readFundingTables } from '../l1/oracle-tables.ts'
import { replayFrom } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { standingOf, tableLifeOf, whyReduceOnly, type TableStanding } from '../l1/table-standing.ts'
import { rpcOf, type Common, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { accountOf } from './keys-on-l1.ts'
import { openStore } from './session.ts'
import { rowsUnder, servedTable } from './table-on-l1.ts'
import { dollars, instrumentName, parseLegs } from './terms.ts'
import { lessFunding } from './trade-document.ts'

const HELP = `
Reads the account from L1 with its own keys, and the table from the house, under the root on L1.
Examples:
  cloister risk account ANN
  cloister risk account ANN --trade BTC-27MAR20:-5@48.00 BTC-26JUN20:5@48.60
Where L1 takes no new risk (its table is too old, or not confirmed) that is said, and counts in the
what-if. With --trade nothing is proposed or signed: the margin after the trade is shown, and the numbers
that the circuit would check to be at least zero, one per world.
Greeks and liquidation distances need the market behind the table; they are shown where the table
follows from a market that is known here (the recorded day).`

export function addAccountMargin(
  risk: Command,
  commonOf: (command: Command) => Common,
  run: (work: Promise<Result>) => Promise<void>,
): void {
  risk
    .command('account <name>')
    .description('equity, margin, Greeks, liquidation distance; what a trade would change')
    .option('--trade <leg...>', 'one to three legs, INSTRUMENT:QUANTITY@PRICE')
    .addHelpText('after', HELP)
    .action((name: string, options: { trade?: string[] }, command: Command) =>
      run(accountMargin(name, options.trade ?? [], commonOf(command))),
    )
}

async function accountMargin(
  name: string,
  legTexts: readonly string[],
  options: Common,
): Promise<Result> {
  const quoted = parseLegs(legTexts)
  const store = openStore(name, options)
  const { stored } = store
  const index = accountOf(store)
  const rpc = rpcOf(options, stored)
  const l1 = await connect(rpc, stored.contract)
  const rebuilt = await replayFrom(l1)
  const { account } = ownLeaf(rebuilt, index, store.ring(), store.keys)
  const { view, fee } = await servedTable(options, stored.contract)
  // As trade propose takes them: a perpetual at its quoted price.
  const { entries: legs } =
    quoted.length === 0
      ? { entries: [] }
      : lessFunding(quoted, await readFundingTables(rpc, stored.contract))
  const rows = rowsUnder(rebuilt, view)
  if (typeof rows === 'string') throw new Undone(rows)
  const { dayModelOf } = await import('../../oracle/day-model.ts')
  const known = dayModelOf(rows.table.root)
  const model = known === null ? null : { ...known, settled: rows.settled }
  const standing = standingOf(rebuilt, rows.number, await tableLifeOf(l1), l1.head.time)
  return marginReport(name, account, rows.rowOf, model, legs, fee, standing)
}

function tableInWords({ number, time, now }: TableStanding): string {
  const age = now - time
  const words = age < 7_200n ? `${age} s` : `${age / 3_600n} h`
  return `table ${number} of ${new Date(Number(time) * 1000).toISOString()}, ${words} old on L1`
}

const worldName = (s: number): string => WORLDS[s]?.name ?? 'variation'

/** The house lets an account that is called, or leaves, reduce alone: so must the what-if. */
function whyAccountReduces({ meta }: { readonly meta?: bigint }): string | null {
  if (meta === undefined || statusOf(meta) === STATUS.active) return null
  return 'the account is called, liquidated or leaving'
}

/** The whole answer, from data alone. */
export function marginReport(
  name: string,
  account: Holdings & { readonly meta?: bigint },
  rowOf: RowOf,
  model: Model | null,
  legs: readonly Leg[],
  fee: bigint,
  standing: TableStanding,
): Result {
  const margin = marginOf(account, rowOf)
  const halted = whyReduceOnly(standing) ?? whyAccountReduces(account)
  const mode = halted === null ? 'normal' : 'reduceOnly'
  const changed = legs.length === 0 ? null : whatIf(account, legs, fee, rowOf, mode)
  const exposures = model === null ? [] : exposuresOf(account, model)
  return {
    text: [
      `${name}: margin at ${tableInWords(standing)}`,
      ...(halted === null
        ? []
        : [`  Nothing is opened and nothing paid out now, risk may be reduced: ${halted}.`]),
      ...marginLines(margin),
      ...positionLines(margin),
      ...exposures.flatMap(exposureLines),
      ...(model === null
        ? ['  Greeks not computed: the market of this table is not known here.']
        : []),
      ...(changed === null ? [] : whatIfLines(changed)),
    ].join('\n'),
    json: {
      name,
      unit: 'micro-dollar',
      table: {
        number: `${standing.number}`,
        time: `${standing.time}`,
        until: `${standing.until}`,
        reduceOnly: halted,
      },
      ...marginJson(margin),
      exposures: model === null ? null : exposures,
      ...(changed === null ? {} : { whatIf: whatIfJson(changed) }),
    },
    ...(changed?.refusedBy ? { code: 1 as const } : {}),
  }
}

function marginLines(margin: Margin): readonly string[] {
  const line = (what: string, amount: bigint, why: string): string =>
    `  ${what.padEnd(20)} ${dollars(amount).padStart(18)}  ${why}`
  return [
    line('equity', margin.equity, 'all at the mark'),
    line('initial margin', margin.initial, lostIn(margin)),
    line('maintenance margin', margin.maintenance, 'four fifths of the distance to each world'),
    line('excess', margin.excess, 'equity above initial margin: room for risk and withdrawals'),
    line('cushion', margin.cushion, 'equity above maintenance: below zero it is liquidated'),
  ]
}

function lostIn({ initial, worst }: Margin): string {
  if (initial === 0n) return 'no world is worse than the mark'
  return `lost in the worst world: ${worldName(worst)}`
}

function positionLines({ positions }: Margin): readonly string[] {
  if (positions.length === 0) return []
  return [
    '  position                     lots       value at mark   part of initial margin',
    ...positions.map(
      ({ id, quantity, worth, contribution }) =>
        `  ${instrumentName(id).padEnd(20)} ${String(quantity).padStart(12)} ` +
        `${dollars(worth[0] as bigint).padStart(19)} ${dollars(contribution).padStart(24)}`,
    ),
  ]
}

export type UnderlyingExposure = {
  readonly underlying: string
  readonly greeks: Greeks
  readonly distance: LiquidationDistance
}

/** Greeks summed over the positions of each underlying, and how far it is from liquidation. */
export function exposuresOf(account: Holdings, model: Model): readonly UnderlyingExposure[] {
  const held = account.balances.flatMap(({ id, quantity }) => {
    const spec = model.instruments.find((instrument) => instrument.id === id)
    return spec === undefined || spec.kind === 'cash' ? [] : [{ spec, lots: Number(quantity) }]
  })
  return [...new Set(held.map(({ spec }) => spec.underlying))].sort().map((underlying) => {
    const parts = held
      .filter(({ spec }) => spec.underlying === underlying)
      .map(({ spec, lots }) => ({ lots, greeks: greeksPerLot(spec, model.market) }))
    const total = (greek: keyof Greeks): number =>
      parts.reduce((sum, { lots, greeks }) => sum + lots * greeks[greek], 0)
    return {
      underlying,
      greeks: {
        delta: total('delta'),
        gamma: total('gamma'),
        vega: total('vega'),
        theta: total('theta'),
      },
      distance: liquidationDistance(account, model, underlying),
    }
  })
}

/** Differences of prices that are straight lines leave the last bits of their sums: no gamma. */
const NO_GAMMA = 1e-12
const gammaText = (gamma: number): string =>
  Math.abs(gamma) < NO_GAMMA ? '0' : gamma.toPrecision(4)

function exposureLines({ underlying, greeks, distance }: UnderlyingExposure): readonly string[] {
  const move = (size: number | null, verb: string, none: string): string =>
    size === null ? none : `${verb} ${(100 * Math.abs(size)).toFixed(2)} %`
  const down = move(distance.down, 'if it falls', 'at no fall')
  const up = move(distance.up, 'if it rises', 'at no rise up to tenfold')
  return [
    `  ${underlying}: delta ${greeks.delta.toFixed(4)} ${underlying}, gamma ${gammaText(greeks.gamma)} ` +
      `per dollar, vega $${(greeks.vega / 100).toFixed(2)} a point, theta $${(greeks.theta / 365).toFixed(2)} a day`,
    `  ${underlying}: maintenance breaks ${down}, ${up}`,
  ]
}

function whatIfLines({ refusedBy, isRescue, after, difference }: WhatIf): readonly string[] {
  const verdict =
    refusedBy !== null
      ? `would be refused by ${refusedBy}`
      : isRescue
        ? 'would be accepted without fee: no negative world gets worse'
        : 'would be accepted'
  return [
    // Judged as a rescue it pays no fee, and is shown as it was judged.
    `The trade ${verdict}. After it${isRescue || refusedBy === 'AccountMustBeSolvent' ? ', without a fee' : ' and its fee'}:`,
    ...marginLines(after),
    '  what the circuit checks to be at least zero, in micro-dollars:',
    ...(difference.some((d, s) => d !== after.worth[s])
      ? [
          '  (of a world that is worth less than zero after it, the change: what makes none of them worse is accepted)',
        ]
      : []),
    ...difference.map((d, s) => `  ${worldName(s).padEnd(44)} ${String(d).padStart(24)}`),
  ]
}

function marginJson(margin: Margin): Readonly<Record<string, unknown>> {
  const { equity, initial, maintenance, excess, cushion, worth, worst, positions } = margin
  return {
    equity: `${equity}`,
    initial: `${initial}`,
    maintenance: `${maintenance}`,
    excess: `${excess}`,
    cushion: `${cushion}`,
    worstWorld: worldName(worst),
    worth: worth.map((w, s) => ({ world: worldName(s), microDollars: `${w}` })),
    positions: positions.map(({ id, quantity, worth: values, contribution }) => ({
      id,
      instrument: instrumentName(id),
      lots: `${quantity}`,
      mark: `${values[0]}`,
      contribution: `${contribution}`,
    })),
  }
}

function whatIfJson({ refusedBy, isRescue, after, difference }: WhatIf): object {
  return { refusedBy, isRescue, difference: difference.map(String), after: marginJson(after) }
}
