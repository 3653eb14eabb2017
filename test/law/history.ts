/** Random histories of a small house: fair steps and wrong ones, each judged by TypeScript and by the circuit. */
import { excessOf } from '../../circuits/batch-size.ts'
import type { BatchPlan, BatchTrace } from '../../circuits/batch.ts'
import type { SigningKey } from '../../circuits/eddsa.ts'
import { CASH_ID, WORLD_COUNT } from '../../circuits/params.ts'
import type { RuleName } from '../../circuits/rules.ts'
import { rowLookup, worthOf } from '../../circuits/table.ts'
import type { Circuit } from './circuit.ts'
import { forge } from './forge.ts'
import { fair } from './history-fair.ts'
import { RandomHouse } from './history-house.ts'
import { wrong } from './history-wrong.ts'
import { finish, signalsOf, type House, type Member } from './house.ts'
import { inputOf, draftOf } from './reseal.ts'
import { MINI } from './scenes.ts'

export type Tally = {
  batches: number
  wrong: number
  forged: number
  steps: Map<string, number>
  rules: Map<string, number>
}

function fits(trace: BatchTrace): boolean {
  return excessOf(trace, MINI) === null
}

export class History {
  readonly tally: Tally = { batches: 0, wrong: 0, forged: 0, steps: new Map(), rules: new Map() }
  private readonly at: RandomHouse
  private readonly circuit: Circuit
  private readonly deposited = new Map<number, bigint>()
  private readonly withdrawn = new Map<number, bigint>()

  constructor(seed: string, circuit: Circuit) {
    this.at = new RandomHouse(seed)
    this.circuit = circuit
  }

  private get house(): House {
    return this.at.house
  }
  private count(map: Map<string, number>, name: string): void {
    map.set(name, (map.get(name) ?? 0) + 1)
  }

  /** One fair batch by witness; before every second one a wrong step that both must refuse. */
  step(): void {
    if (this.at.active().length >= 3) this.tryWrong()
    this.at.clear()
    this.house.time += BigInt(this.at.random(600))
    this.tryFair()
    this.at.clear()
  }

  private tryWrong(): void {
    const { rules, plan, forgery, circuitRules, anyhow } = wrong(this.at)
    const outcome = this.house.execute(plan)
    if (outcome.ok || ![...rules, ...anyhow].includes(outcome.rejection.rule)) {
      throw new Error(
        `TypeScript says ${outcome.ok ? 'fair' : `${outcome.rejection.rule} (${outcome.rejection.detail})`}, not ${rules.join(' or ')}`,
      )
    }
    this.tally.wrong++
    this.count(this.tally.rules, outcome.rejection.rule)
    if (this.at.random(2) === 0) return
    const trace = forge(this.house, plan, forgery)
    if (!fits(trace)) return
    const refused = this.circuit.failedRule(
      inputOf(draftOf(signalsOf(this.house.build(MINI, trace)))),
    )
    this.tally.forged++
    const expected = [...(circuitRules ?? rules), ...anyhow]
    if (refused === null || !refused.split('/').some((rule) => expected.includes(rule))) {
      throw new Error(`the circuit says ${refused ?? 'fair'}, not ${expected.join(' or ')}`)
    }
  }

  private tryFair(): void {
    const [name, plan] = fair(this.at)
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
        (this.house.members[place] as Member).key = this.at.keyBefore as SigningKey
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
