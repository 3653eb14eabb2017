/** Wrong steps of a random history: a plan with one thing wrong in it, and the rules that may refuse it. */
import { createHash } from 'node:crypto'
import type { BatchPlan } from '../../circuits/batch.ts'
import { sign, signingKey } from '../../circuits/eddsa.ts'
import { counterPage, stampOf, type Page } from '../../circuits/page.ts'
import { CASH_ID } from '../../circuits/params.ts'
import type { RuleName } from '../../circuits/rules.ts'
import { dueFlags } from '../../sequencer/flagging.ts'
import type { Forgery } from './forge.ts'
import type { RandomHouse } from './history-house.ts'
import type { Member } from './house.ts'

type Step = {
  readonly rules: readonly RuleName[]
  readonly plan: BatchPlan
  /** How a prover would push it through. */
  readonly forgery?: Forgery
  /** Where they are others than `rules`. */
  readonly circuitRules?: readonly string[]
  /** The trade that was drawn is not in it, nor what that may break. */
  readonly isWithoutTrade?: boolean
}
export type Wrong = Step & {
  /** What the trade breaks by itself: after a crash it may lack margin, and then that may be named first. */
  readonly anyhow: readonly RuleName[]
}

/**
 * Another quantity, or one side alone, may take the margin of an account as well, or open what is
 * bound: the circuit names what it meets first.
 */
const UNEQUAL: readonly RuleName[] = [
  'TradeMustMatch',
  'AccountMustBeSolvent',
  'ReduceOnlyMustReduce',
]

/** A fair trade of two members, for a step to spoil. */
class Deal {
  readonly at: RandomHouse
  readonly a: Member
  readonly b: Member
  readonly page: Page

  constructor(at: RandomHouse) {
    this.at = at
    const [pageA, pageB] = at.trade()
    this.page = pageA
    this.a = at.active().find((m) => m.index === pageA.account) as Member
    this.b = at.active().find((m) => m.index === pageB.account) as Member
  }

  /** Another page of b. */
  replace(over: Partial<Page>): BatchPlan {
    this.b.pending = [{ ...counterPage(this.page, this.page.maxFee), ...over }]
    return this.at.house.plan()
  }

  /** Other pages of both, that match. */
  both(over: Partial<Page>): BatchPlan {
    const { a, b, page } = this
    a.pending = [{ ...page, ...over }]
    b.pending = [{ ...counterPage({ ...page, ...over }, over.maxFee ?? page.maxFee) }]
    return this.at.house.plan()
  }
}

const PAGES: readonly ((deal: Deal) => Step)[] = [
  (deal) => ({ rules: ['TradeMustMatch'], plan: deal.replace({ payload: 5n }) }),
  (deal) => ({ rules: ['TradeMustMatch'], plan: deal.replace({ stamp: deal.page.stamp - 1n }) }),
  (deal) => ({
    rules: ['TradeMustMatch'],
    circuitRules: UNEQUAL,
    plan: deal.replace({
      entries: deal.page.entries.map((e) => ({ ...e, quantity: -e.quantity - 1n })),
    }),
  }),
  (deal) => ({
    rules: ['FeeMustBeWithinMaxFee'],
    plan: deal.both({ maxFee: deal.at.house.fee - 1n }),
  }),
  (deal) => ({
    rules: ['StampMustBeLive'],
    plan: deal.both({ stamp: stampOf(deal.at.house.time + 1n, 0n) }),
    forgery: { isLive: () => true },
  }),
]

const JOURNALS: readonly ((deal: Deal) => Step)[] = [
  ({ at: { house }, a }) => ({
    rules: ['TradeMustMatch'],
    circuitRules: UNEQUAL,
    plan: house.plan({ journals: new Map([[a.index, house.run(a)]]) }),
  }),
  ({ at: { house }, a, b }) => {
    const plan = house.plan()
    const thief = signingKey(createHash('sha256').update('thief').digest())
    const run = house.run(a)
    return {
      rules: ['SignatureMustMatch'],
      plan: {
        ...plan,
        journals: new Map([
          [b.index, house.run(b)],
          [a.index, { ...run, signature: sign(thief, 5n) }],
        ]),
      },
    }
  },
  ({ at: { house }, a, b }) => {
    const [first] = house.trade(a, b, [])
    const plan = house.plan()
    const keep = (m: Member) => ({
      ...house.run(m),
      pages: house.run(m).pages.filter((p) => p.stamp === first.stamp || m.pending.length < 2),
    })
    return {
      rules: ['SignatureMustMatch', 'TradeMustMatch'],
      circuitRules: ['SignatureMustMatch', ...UNEQUAL],
      plan: {
        ...plan,
        journals: new Map([
          [a.index, keep(a)],
          [b.index, keep(b)],
        ]),
      },
    }
  },
]

const MONEY: readonly ((deal: Deal) => Step)[] = [
  ({ at, a }) => {
    const { house } = at
    at.clear()
    const cash = house.accounts.get(a.index)?.cash ?? 0n
    house.withdraw(a, 1, (cash < 0n ? -cash : cash) + 10_000_000_000_000n)
    return {
      rules: ['WithdrawalMustLeaveSolvent'],
      plan: house.plan(),
      circuitRules: ['AccountMustBeSolvent', 'WithdrawalMustMatchPage'],
    }
  },
  (deal) => {
    const entries = [{ instrument: 1_999, quantity: 1n, price: 0n }]
    return { rules: ['InstrumentMustBeListed'], plan: deal.both({ entries }) }
  },
  ({ at, a, b }) => {
    const { house } = at
    at.clear()
    const credit = house.credit(a, 1, 1000n)
    return {
      rules: ['DepositMustOpen'],
      plan: house.plan({ credits: [{ ...credit, account: b.index }] }),
    }
  },
  (deal) => {
    const entries = [{ instrument: 2, quantity: 100_000n, price: 0n }]
    return {
      rules: ['TokenMustNotBeNegative'],
      plan: deal.both({ entries }),
      circuitRules: ['TokenMustNotBeNegative', 'AccountMustBeSolvent'],
    }
  },
  ({ at, a }) => {
    const { house } = at
    at.clear()
    const plan = house.plan({
      cover: [a.index],
      viewKeys: new Map([...house.viewKeys, [a.index, 5n]]),
    })
    return { rules: ['ViewKeyMustBeHeld'], plan }
  },
  (deal) => {
    const entries = [{ instrument: deal.at.future(), quantity: 10_000_000n, price: 0n }]
    return { rules: ['AccountMustBeSolvent'], plan: deal.both({ entries }) }
  },
]

const EXITS_AND_FLAGS: readonly ((deal: Deal) => Step)[] = [
  ({ at: { house }, a }) => ({
    rules: ['ForcedExitMustStandAlone'],
    plan: house.plan({ requests: [house.exit(a, CASH_ID)] }),
  }),
  (deal) => {
    const { at, a } = deal
    const { house } = at
    const leaving = at.active().find((m) => at.isBound(m))
    if (leaving === undefined)
      return { rules: ['TradeMustMatch'], plan: deal.replace({ payload: 7n }) }
    at.clear()
    const instrument = at.future()
    const held =
      house.accounts.get(leaving.index)?.balances.find((x) => x.id === instrument)?.quantity ?? 0n
    house.trade(leaving, a, [
      { instrument, quantity: held < 0n ? -1n : 1n, price: at.mark(instrument) },
    ])
    // In a crash the other side may have no margin for a lot.
    const rules: readonly RuleName[] = ['ReduceOnlyMustReduce', 'AccountMustBeSolvent']
    return { rules, plan: house.plan(), isWithoutTrade: true }
  },
  ({ at }) => {
    const { house } = at
    at.clear()
    const step = at.pick(['call', 'liquidate', 'release'] as const)
    const who = at.pick(at.active())
    const plan = house.plan({ flags: new Map([[who.index, step]]) })
    const rules: readonly RuleName[] = ['CallMustBeProven', 'ReleaseMustBeProven']
    const isDue = dueFlags(house.accounts, plan.context).some(
      (d) => d.index === who.index && d.step === step,
    )
    if (!isDue) {
      const circuitRules = [...rules, 'MetaMustChangeByRule']
      return { rules, plan, circuitRules, isWithoutTrade: true }
    }
    const context = { ...plan.context, mode: 'reduceOnly', isTableConfirmed: false } as const
    return { rules, plan: { ...plan, context }, isWithoutTrade: true }
  },
]

const STEPS = [...PAGES, ...JOURNALS, ...MONEY, ...EXITS_AND_FLAGS]

export function wrong(at: RandomHouse): Wrong {
  const { house } = at
  const deal = new Deal(at)
  const fair = house.execute(house.plan())
  const { isWithoutTrade = false, ...step } = at.pick(STEPS)(deal)
  return { ...step, anyhow: fair.ok || isWithoutTrade ? [] : [fair.rejection.rule] }
}
