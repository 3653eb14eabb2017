/** Random histories of a small house: fair steps and wrong ones, each judged by TypeScript and by the circuit. */
import { createHash } from 'node:crypto'
import {
  CALL_SECONDS,
  CASH_ID,
  PAGE_LIFE_SECONDS_BITS,
  STATUS,
  WORLD_COUNT,
} from '../../circuits/params.ts'
import { excessOf } from '../../circuits/batch-size.ts'
import type { BatchPlan, BatchTrace } from '../../circuits/batch.ts'
import { eighthOf, sign, signingKey, type SigningKey } from '../../circuits/eddsa.ts'
import { statusOf } from '../../circuits/exit.ts'
import { counterPage, stampOf, type Page } from '../../circuits/page.ts'
import type { RuleName } from '../../circuits/rules.ts'
import { rowLookup, settledRow, worthOf } from '../../circuits/table.ts'
import { dueFlags, type DueFlag } from '../../sequencer/flagging.ts'
import { forge, type Forgery } from './forge.ts'
import { finish, House, row, type Member } from './house.ts'
import { inputOf, draftOf } from './reseal.ts'
import type { Circuit } from './circuit.ts'
import { MINI } from './scenes.ts'

/** A stream of numbers from a seed: a history can be run again. */
export function randomOf(seed: string): (below: number) => number {
  let count = 0
  return (below) =>
    createHash('sha256').update(`${seed}/${count++}`).digest().readUInt32LE(0) % below
}
/** Per lot: more than anybody has. */
const FALL = 10n ** 11n
type Random = (below: number) => number

export type Tally = {
  batches: number
  wrong: number
  forged: number
  steps: Map<string, number>
  rules: Map<string, number>
}

type Wrong = {
  readonly rules: readonly RuleName[]
  readonly plan: BatchPlan
  readonly forgery?: Forgery
  readonly circuitRules?: readonly string[]
}

function fits(trace: BatchTrace): boolean {
  return excessOf(trace, MINI) === null
}

const UNEQUAL: readonly RuleName[] = [
  'TradeMustMatch',
  'AccountMustBeSolvent',
  'ReduceOnlyMustReduce',
]

export class History {
  readonly house: House
  readonly tally: Tally = { batches: 0, wrong: 0, forged: 0, steps: new Map(), rules: new Map() }
  private readonly random: Random
  private readonly circuit: Circuit
  private settledWindow = 2000
  /** The rows before a crash. */
  private calm: House['rows'] | null = null
  private readonly deposited = new Map<number, bigint>()
  private readonly withdrawn = new Map<number, bigint>()

  constructor(seed: string, circuit: Circuit) {
    this.random = randomOf(seed)
    this.house = new House(seed)
    this.circuit = circuit
  }

  private count(map: Map<string, number>, name: string): void {
    map.set(name, (map.get(name) ?? 0) + 1)
  }
  private pick<T>(list: readonly T[]): T {
    return list[this.random(list.length)] as T
  }
  private two(): [Member, Member] {
    const members = this.trading()
    const i = this.random(members.length)
    const j = (i + 1 + this.random(members.length - 1)) % members.length
    return [members[i] as Member, members[j] as Member]
  }
  private active(): Member[] {
    return this.house.members.filter((m) => this.house.accounts.has(m.index))
  }
  private statusOf(m: Member): number {
    return statusOf(this.house.accounts.get(m.index)?.meta ?? 0n)
  }
  private isExiting(m: Member): boolean {
    return this.statusOf(m) === STATUS.exiting
  }
  private isBound(m: Member): boolean {
    return this.statusOf(m) !== STATUS.active
  }
  private trading(): Member[] {
    return this.active().filter((m) => !this.isBound(m))
  }
  private clear(): void {
    for (const m of this.house.members) {
      m.pending = []
      delete m.rotation
    }
  }
  private future(): number {
    return this.pick(this.house.rows.filter((r) => r.id >= 1024).map((r) => r.id))
  }

  private mark(id: number): bigint {
    return this.house.rows.find((r) => r.id === id)?.values[0] ?? 0n
  }

  private trade(legs = 1): [Page, Page] {
    const [a, b] = this.two()
    const ids = [...new Set(Array.from({ length: legs }, () => this.future()))]
    return this.house.trade(
      a,
      b,
      ids.map((instrument) => ({
        instrument,
        quantity: BigInt(1 + this.random(5)) * (this.random(2) === 0 ? 1n : -1n),
        price: this.mark(instrument) + BigInt(this.random(1000)),
      })),
    )
  }

  /** A fair plan; its name is counted. */
  private fair(): [string, BatchPlan] {
    const { house } = this
    const plan = (parts: Partial<BatchPlan> = {}): BatchPlan => house.plan(parts)
    const active = this.active()
    const isCrashed = this.calm !== null && this.random(3) > 0
    const kind = active.length < 3 ? 0 : isCrashed ? 13 : this.random(14)
    if (kind === 0 && active.length < 9) {
      const { member, request } = house.join()
      return [
        'registration',
        plan({ requests: [request], credits: [house.credit(member, 1, 20_000_000_000n)] }),
      ]
    }
    if (kind === 1)
      return [
        'token deposit',
        plan({ credits: [house.credit(this.pick(active), 2, BigInt(1 + this.random(500)))] }),
      ]
    if (kind === 2) {
      house.withdraw(
        this.pick(active),
        1,
        BigInt(1 + this.random(1_000_000)),
        BigInt(1 + this.random(1 << 30)),
      )
      return ['withdrawal', plan()]
    }
    if (kind === 3) {
      house.rotate(this.pick(active))
      return ['rotation', plan()]
    }
    if (kind === 4) {
      const member = this.pick(active)
      const key = signingKey(
        createHash('sha256')
          .update(`${this.random(2 ** 31)}`)
          .digest(),
      )
      const request = {
        kind: 'rotate' as const,
        serial: house.serial++,
        account: member.index,
        key: eighthOf(key),
        viewKeyHash: 0n,
      }
      this.keyBefore = member.key
      member.key = key
      return ['L1 rotation', plan({ requests: [request] })]
    }
    if (kind === 5) {
      this.trade()
      const old = house.time
      house.time += (1n << BigInt(PAGE_LIFE_SECONDS_BITS)) + BigInt(this.random(100))
      const [a, b] = this.active().filter((m) => m.pending.length > 0) as [Member, Member]
      house.trade(a, b, [{ instrument: this.future(), quantity: 1n, price: this.mark(1024) / 10n }])
      return [old < house.time ? 'expiry, then a trade' : '', plan()]
    }
    if (kind === 6) {
      house.rows = house.rows.map((r) =>
        r.id === 2
          ? r
          : row(
              r.id,
              (r.values[0] as bigint) +
                ((r.values[0] as bigint) * BigInt(this.random(41) - 20)) / 1000n,
            ),
      )
      const members = new Set([this.pick(active).index, this.pick(active).index])
      return ['price move and cover', plan({ cover: [...members] })]
    }
    if (kind === 7) return this.settlement()
    if (kind === 11) return this.exits()
    if (kind === 12) return this.unwinding()
    if (kind === 13) return this.flags()
    if (kind === 8) {
      const [a] = this.trade()
      const [x, y] = [a.account, a.counterparty].map(
        (i) => active.find((m) => m.index === i) as Member,
      ) as [Member, Member]
      house.trade(y, x, [{ instrument: this.future(), quantity: 1n, price: 5n }])
      return ['two trades', plan()]
    }
    this.trade(1 + this.random(3))
    return [kind === 9 ? 'trade' : 'package', plan()]
  }

  /** One or two L1 owners ask for a token; at least three members go on trading. */
  private exits(): [string, BatchPlan] {
    const { house } = this
    const leaving = this.active().filter((m) => this.isExiting(m))
    const who = new Set([
      this.pick(
        this.trading().length > 3
          ? this.active()
          : leaving.length > 0
            ? leaving
            : this.active().slice(0, 1),
      ),
    ])
    if (leaving.length > 0 && this.random(2) === 0) who.add(this.pick(leaving))
    const vault = this.random(3) === 0 ? BigInt(this.random(1000)) : 1n << 54n
    return [
      'forced exit',
      house.plan({
        requests: [...who].map((m) => house.exit(m, this.pick([CASH_ID, CASH_ID, 2, 77]), vault)),
      }),
    ]
  }

  /** An exiting member closes some of a position with somebody who may trade; else deposits or withdraws. */
  private unwinding(): [string, BatchPlan] {
    const { house } = this
    const leaving = this.active().filter((m) => this.isExiting(m))
    if (leaving.length === 0) return this.exits()
    const member = this.pick(leaving)
    const held = house.accounts
      .get(member.index)
      ?.balances.find((b) => b.id >= 1024 && house.rows.some((r) => r.id === b.id))
    if (held === undefined)
      return [
        'deposit to an exiting account',
        house.plan({ credits: [house.credit(member, 2, BigInt(1 + this.random(50)))] }),
      ]
    const size = held.quantity < 0n ? -held.quantity : held.quantity
    const some = 1n + BigInt(this.random(Number(size)))
    house.trade(member, this.pick(this.trading()), [
      {
        instrument: held.id,
        quantity: held.quantity < 0n ? some : -some,
        price: this.mark(held.id),
      },
    ])
    return [
      'unwinding',
      house.plan({ credits: this.random(2) === 0 ? [] : [house.credit(member, 2, 3n)] }),
    ]
  }

  private due(): readonly DueFlag[] {
    const { accounts } = this.house
    const due = dueFlags(accounts, this.house.plan().context)
    // Enough members must go on trading.
    const spare = Math.max(0, this.trading().length - 3)
    const isCallOfActive = ({ index, step }: DueFlag): boolean =>
      step === 'call' && statusOf(accounts.get(index)?.meta ?? 0n) === STATUS.active
    const [calls, others] = [due.filter(isCallOfActive), due.filter((d) => !isCallOfActive(d))]
    return [...others, ...calls.slice(0, spare)].slice(0, 2)
  }

  /** What is due is done; else a price crashes, comes back, or time passes over the calls. */
  private flags(): [string, BatchPlan] {
    const { house } = this
    if (this.due().length === 0) {
      if (this.calm === null) this.crash()
      else if (this.random(2) === 0) house.time += BigInt(CALL_SECONDS)
      else {
        const { calm } = this
        house.rows = house.rows.map((r) => calm.find(({ id }) => id === r.id) ?? r)
        this.calm = null
      }
    }
    const due = this.due()
    if (due.length === 0)
      return ['a crash', house.plan({ cover: [this.pick(this.active()).index] })]
    const from = ({ index, step }: DueFlag): string =>
      `${step} from ${statusOf(house.accounts.get(index)?.meta ?? 0n)}`
    const credits = this.random(4) === 0 ? [house.credit(this.pick(this.active()), 2, 3n)] : []
    return [
      due.map(from).join(', '),
      house.plan({ credits, flags: new Map(due.map(({ index, step }) => [index, step])) }),
    ]
  }

  /** A holder of a future loses far more than it has. */
  private crash(): void {
    const { house } = this
    const held = this.active()
      .flatMap((m) => house.accounts.get(m.index)?.balances ?? [])
      .filter(({ id }) => house.rows.some((r) => r.id === id && id >= 1024))
    if (held.length === 0) return
    const { id, quantity } = this.pick(held)
    this.calm = house.rows
    const fall = quantity < 0n ? -FALL : FALL
    house.rows = house.rows.map((r) =>
      r.id === id ? { ...r, values: r.values.map((v) => v - fall) } : r,
    )
  }

  /** One instrument settles at its mark; holders convert when touched, and another is listed. */
  private settlement(): [string, BatchPlan] {
    const { house } = this
    const id = this.future()
    const value = this.mark(id)
    const holders = this.active().filter((m) =>
      house.accounts.get(m.index)?.balances.some((b) => b.id === id),
    )
    if (house.settled.length < 200) {
      house.settled = [...house.settled, settledRow(id, value)]
      house.rows = [
        ...house.rows.filter((r) => r.id !== id),
        row(this.settledWindow++, value === 0n ? 1_000_000n : value),
      ]
    }
    const cover = holders.slice(0, 2).map((m) => m.index)
    return [
      'settlement',
      house.plan({ cover: cover.length > 0 ? cover : [this.pick(this.active()).index] }),
    ]
  }

  private brokenAnyhow: RuleName | null = null
  /** Of the member that rotates on L1. */
  private keyBefore: SigningKey | null = null

  /** A plan with one thing wrong in it, the rules that may refuse it, and how a prover would push it through. */
  private wrong(): Wrong {
    const { house } = this
    const [pageA, pageB] = this.trade()
    const a = this.active().find((m) => m.index === pageA.account) as Member
    const b = this.active().find((m) => m.index === pageB.account) as Member
    // After a crash the trade alone may lack margin: then that may be named first.
    const fair = house.execute(house.plan())
    this.brokenAnyhow = fair.ok ? null : fair.rejection.rule
    const replace = (over: Partial<Page>): BatchPlan => {
      b.pending = [{ ...counterPage(pageA, pageA.maxFee), ...over }]
      return house.plan()
    }
    const both = (over: Partial<Page>): BatchPlan => {
      a.pending = [{ ...pageA, ...over }]
      b.pending = [{ ...counterPage({ ...pageA, ...over }, over.maxFee ?? pageA.maxFee) }]
      return house.plan()
    }
    switch (this.random(17)) {
      case 14:
        return {
          rules: ['ForcedExitMustStandAlone'],
          plan: house.plan({ requests: [house.exit(a, CASH_ID)] }),
        }
      case 15: {
        const leaving = this.active().find((m) => this.isBound(m))
        if (leaving === undefined)
          return { rules: ['TradeMustMatch'], plan: replace({ payload: 7n }) }
        this.clear()
        this.brokenAnyhow = null
        const instrument = this.future()
        const held =
          house.accounts.get(leaving.index)?.balances.find((x) => x.id === instrument)?.quantity ??
          0n
        house.trade(leaving, a, [
          { instrument, quantity: held < 0n ? -1n : 1n, price: this.mark(instrument) },
        ])
        // In a crash the other side may have no margin for a lot.
        return { rules: ['ReduceOnlyMustReduce', 'AccountMustBeSolvent'], plan: house.plan() }
      }
      case 16: {
        this.clear()
        this.brokenAnyhow = null
        const step = this.pick(['call', 'liquidate', 'release'] as const)
        const who = this.pick(this.active())
        const plan = house.plan({ flags: new Map([[who.index, step]]) })
        const rules: readonly RuleName[] = ['CallMustBeProven', 'ReleaseMustBeProven']
        if (
          !dueFlags(house.accounts, plan.context).some(
            (d) => d.index === who.index && d.step === step,
          )
        )
          return { rules, plan, circuitRules: [...rules, 'MetaMustChangeByRule'] }
        const context = { ...plan.context, mode: 'reduceOnly', isTableConfirmed: false } as const
        return { rules, plan: { ...plan, context } }
      }
      case 0:
        return { rules: ['TradeMustMatch'], plan: replace({ payload: 5n }) }
      case 1:
        return { rules: ['TradeMustMatch'], plan: replace({ stamp: pageA.stamp - 1n }) }
      // Another quantity, or one side alone, may take the margin of an account as well, or open what is bound:
      // the circuit names what it meets first.
      case 2:
        return {
          rules: ['TradeMustMatch'],
          circuitRules: UNEQUAL,
          plan: replace({
            entries: pageA.entries.map((e) => ({ ...e, quantity: -e.quantity - 1n })),
          }),
        }
      case 3:
        return { rules: ['FeeMustBeWithinMaxFee'], plan: both({ maxFee: house.fee - 1n }) }
      case 4:
        return {
          rules: ['StampMustBeLive'],
          plan: both({ stamp: stampOf(house.time + 1n, 0n) }),
          forgery: { isLive: () => true },
        }
      case 5: {
        const journals = new Map([[a.index, house.run(a)]])
        return { rules: ['TradeMustMatch'], circuitRules: UNEQUAL, plan: house.plan({ journals }) }
      }
      case 6: {
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
      }
      case 7: {
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
      }
      case 8: {
        this.clear()
        const cash = house.accounts.get(a.index)?.cash ?? 0n
        house.withdraw(a, 1, (cash < 0n ? -cash : cash) + 10_000_000_000_000n)
        return {
          rules: ['WithdrawalMustLeaveSolvent'],
          plan: house.plan(),
          circuitRules: ['AccountMustBeSolvent', 'WithdrawalMustMatchPage'],
        }
      }
      case 9: {
        const entries = [{ instrument: 1_999, quantity: 1n, price: 0n }]
        return { rules: ['InstrumentMustBeListed'], plan: both({ entries }) }
      }
      case 10: {
        this.clear()
        const credit = house.credit(a, 1, 1000n)
        return {
          rules: ['DepositMustOpen'],
          plan: house.plan({ credits: [{ ...credit, account: b.index }] }),
        }
      }
      case 11: {
        const entries = [{ instrument: 2, quantity: 100_000n, price: 0n }]
        return {
          rules: ['TokenMustNotBeNegative'],
          plan: both({ entries }),
          circuitRules: ['TokenMustNotBeNegative', 'AccountMustBeSolvent'],
        }
      }
      case 12: {
        this.clear()
        const plan = house.plan({
          cover: [a.index],
          viewKeys: new Map([...house.viewKeys, [a.index, 5n]]),
        })
        return { rules: ['ViewKeyMustBeHeld'], plan }
      }
      default: {
        const entries = [{ instrument: this.future(), quantity: 10_000_000n, price: 0n }]
        return { rules: ['AccountMustBeSolvent'], plan: both({ entries }) }
      }
    }
  }

  /** One fair batch by witness; before every second one a wrong step that both must refuse. */
  step(): void {
    if (this.active().length >= 3) this.tryWrong()
    this.clear()
    this.house.time += BigInt(this.random(600))
    this.tryFair()
    this.clear()
  }

  private tryWrong(): void {
    const { rules, plan, forgery, circuitRules } = this.wrong()
    const outcome = this.house.execute(plan)
    const anyhow: readonly RuleName[] = this.brokenAnyhow === null ? [] : [this.brokenAnyhow]
    if (outcome.ok || ![...rules, ...anyhow].includes(outcome.rejection.rule)) {
      throw new Error(
        `TypeScript says ${outcome.ok ? 'fair' : `${outcome.rejection.rule} (${outcome.rejection.detail})`}, not ${rules.join(' or ')}`,
      )
    }
    this.tally.wrong++
    this.count(this.tally.rules, outcome.rejection.rule)
    if (this.random(2) === 0) return
    const trace = forge(this.house, plan, forgery)
    if (!fits(trace)) return
    const refused = this.circuit.failedRule(inputOf(draftOf(finish(this.house.build(MINI, trace)))))
    this.tally.forged++
    const expected = [...(circuitRules ?? rules), ...anyhow]
    if (refused === null || !refused.split('/').some((rule) => expected.includes(rule))) {
      throw new Error(`the circuit says ${refused ?? 'fair'}, not ${expected.join(' or ')}`)
    }
  }

  private tryFair(): void {
    const [name, plan] = this.fair()
    const outcome = this.house.execute(plan)
    // A random plan may be refused honestly: somebody has no margin, or too many instruments meet.
    if (!outcome.ok) {
      const honest: readonly RuleName[] = [
        'AccountMustBeSolvent',
        'WithdrawalMustLeaveSolvent',
        'SettledBalanceMustBeConverted',
        'TokenMustNotBeNegative',
      ]
      if (!honest.includes(outcome.rejection.rule))
        throw new Error(`${name}: ${outcome.rejection.rule} (${outcome.rejection.detail})`)
      this.undo(plan)
      this.count(this.tally.steps, `refused: ${outcome.rejection.rule}`)
      return
    }
    if (!fits(outcome.trace)) {
      this.undo(plan)
      this.count(this.tally.steps, 'does not fit the shape')
      return
    }
    const built = this.house.build(MINI, outcome.trace)
    const refused = this.circuit.failedRule(finish(built))
    if (refused !== null)
      throw new Error(`${name}: the circuit refuses what TypeScript accepts: ${refused}`)
    this.house.accept(outcome.trace)
    if (this.house.tree.root !== built.newRoot) throw new Error(`${name}: the roots differ`)
    this.count(this.tally.steps, name)
    this.tally.batches++
    this.assertConserved(outcome.trace)
    this.assertSolvent(outcome.trace)
  }

  /** A refused plan takes its registrations and keys back. */
  private undo(plan: BatchPlan): void {
    for (const request of plan.requests) {
      const place = this.house.members.findIndex((m) => m.index === request.account)
      if (request.kind === 'register') this.house.members.splice(place, 1)
      // After a crash there may be more below zero than the shape has room for.
      if (request.kind === 'rotate')
        (this.house.members[place] as Member).key = this.keyBefore as SigningKey
    }
  }

  private assertConserved(trace: BatchTrace): void {
    const add = (map: Map<number, bigint>, id: number, amount: bigint): void => {
      map.set(id, (map.get(id) ?? 0n) + amount)
    }
    for (const c of trace.plan.credits) add(this.deposited, c.token, c.amount)
    for (const p of trace.payouts) add(this.withdrawn, p.token, p.amount)
    for (const { forced } of trace.members)
      if (forced !== null) add(this.withdrawn, forced.token, forced.amount)
    const held = new Map<number, bigint>([[CASH_ID, 0n]])
    for (const account of this.house.accounts.values()) {
      add(held, CASH_ID, account.cash)
      for (const { id, quantity } of account.balances) add(held, id, quantity)
    }
    // Settled lots that nobody has touched yet are cash to come; they sum to zero over all holders.
    const unpaid = this.house.settled.reduce(
      (sum, r) => sum + (held.get(r.id) ?? 0n) * (r.values[0] as bigint),
      0n,
    )
    for (const [id, amount] of held) {
      const settled = this.house.settled.some((r) => r.id === id)
      const expected = (this.deposited.get(id) ?? 0n) - (this.withdrawn.get(id) ?? 0n)
      if (!settled && amount + (id === CASH_ID ? unpaid : 0n) !== expected)
        throw new Error(`instrument ${id}: ${amount} held, ${expected} expected`)
    }
  }

  private assertSolvent(trace: BatchTrace): void {
    const rowOf = rowLookup(trace.plan.context.table, trace.plan.context.settlements)
    for (const { before, after } of trace.members) {
      const now = worthOf(after, rowOf)
      const then = before === null ? Array<bigint>(WORLD_COUNT).fill(0n) : worthOf(before, rowOf)
      if (typeof now === 'number' || typeof then === 'number')
        throw new Error('an instrument without a value')
      now.forEach((worth, s) => {
        if (worth < 0n && worth < (then[s] as bigint))
          throw new Error(`world ${s} got worse: ${then[s]} to ${worth}`)
      })
    }
  }
}
