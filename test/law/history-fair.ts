/** Fair steps of a random history: trades, L1 requests, prices, settlements, exits and flags. */
import { createHash } from 'node:crypto'
import type { BatchPlan } from '../../circuits/batch.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { statusOf } from '../../circuits/exit.ts'
import { CALL_SECONDS, CASH_ID, PAGE_LIFE_SECONDS_BITS, STATUS } from '../../circuits/params.ts'
import { settledRow } from '../../circuits/table.ts'
import { dueFlags, type DueFlag } from '../../sequencer/flagging.ts'
import type { RandomHouse } from './history-house.ts'
import { row, type Member } from './house.ts'

/** Per lot: more than anybody has. */
const FALL = 10n ** 11n

type FairStep = readonly [name: string, plan: BatchPlan]

/** A fair plan and its name. */
export function fair(at: RandomHouse): FairStep {
  const { house } = at
  const plan = (parts: Partial<BatchPlan> = {}): BatchPlan => house.plan(parts)
  const active = at.active()
  const isCrashed = at.calm !== null && at.random(3) > 0
  const kind = active.length < 3 ? 0 : isCrashed ? 13 : at.random(14)
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
      plan({ credits: [house.credit(at.pick(active), 2, BigInt(1 + at.random(500)))] }),
    ]
  if (kind === 2) {
    house.withdraw(
      at.pick(active),
      1,
      BigInt(1 + at.random(1_000_000)),
      BigInt(1 + at.random(1 << 30)),
    )
    return ['withdrawal', plan()]
  }
  if (kind === 3) {
    house.rotate(at.pick(active))
    return ['rotation', plan()]
  }
  if (kind === 4) {
    const member = at.pick(active)
    const key = signingKey(
      createHash('sha256')
        .update(`${at.random(2 ** 31)}`)
        .digest(),
    )
    const request = {
      kind: 'rotate' as const,
      serial: house.serial++,
      account: member.index,
      key: eighthOf(key),
      viewKeyHash: 0n,
    }
    at.keyBefore = member.key
    member.key = key
    return ['L1 rotation', plan({ requests: [request] })]
  }
  if (kind === 5) {
    at.trade()
    const old = house.time
    house.time += (1n << BigInt(PAGE_LIFE_SECONDS_BITS)) + BigInt(at.random(100))
    const [a, b] = at.active().filter((m) => m.pending.length > 0) as [Member, Member]
    house.trade(a, b, [{ instrument: at.future(), quantity: 1n, price: at.mark(1024) / 10n }])
    return [old < house.time ? 'expiry, then a trade' : '', plan()]
  }
  if (kind === 6) {
    house.rows = house.rows.map((r) =>
      r.id === 2
        ? r
        : row(
            r.id,
            (r.values[0] as bigint) +
              ((r.values[0] as bigint) * BigInt(at.random(41) - 20)) / 1000n,
          ),
    )
    const members = new Set([at.pick(active).index, at.pick(active).index])
    return ['price move and cover', plan({ cover: [...members] })]
  }
  if (kind === 7) return settlement(at)
  if (kind === 11) return exits(at)
  if (kind === 12) return unwinding(at)
  if (kind === 13) return flags(at)
  if (kind === 8) {
    const [a] = at.trade()
    const [x, y] = [a.account, a.counterparty].map(
      (i) => active.find((m) => m.index === i) as Member,
    ) as [Member, Member]
    house.trade(y, x, [{ instrument: at.future(), quantity: 1n, price: 5n }])
    return ['two trades', plan()]
  }
  at.trade(1 + at.random(3))
  return [kind === 9 ? 'trade' : 'package', plan()]
}

/** One or two L1 owners ask for a token; at least three members go on trading. */
function exits(at: RandomHouse): FairStep {
  const { house } = at
  const leaving = at.active().filter((m) => at.isExiting(m))
  const who = new Set([
    at.pick(
      at.trading().length > 3
        ? at.active()
        : leaving.length > 0
          ? leaving
          : at.active().slice(0, 1),
    ),
  ])
  if (leaving.length > 0 && at.random(2) === 0) who.add(at.pick(leaving))
  const vault = at.random(3) === 0 ? BigInt(at.random(1000)) : 1n << 54n
  return [
    'forced exit',
    house.plan({
      requests: [...who].map((m) => house.exit(m, at.pick([CASH_ID, CASH_ID, 2, 77]), vault)),
    }),
  ]
}

/** An exiting member closes some of a position with somebody who may trade; else deposits or withdraws. */
function unwinding(at: RandomHouse): FairStep {
  const { house } = at
  const leaving = at.active().filter((m) => at.isExiting(m))
  if (leaving.length === 0) return exits(at)
  const member = at.pick(leaving)
  const held = house.accounts
    .get(member.index)
    ?.balances.find((b) => b.id >= 1024 && house.rows.some((r) => r.id === b.id))
  if (held === undefined)
    return [
      'deposit to an exiting account',
      house.plan({ credits: [house.credit(member, 2, BigInt(1 + at.random(50)))] }),
    ]
  const size = held.quantity < 0n ? -held.quantity : held.quantity
  const some = 1n + BigInt(at.random(Number(size)))
  house.trade(member, at.pick(at.trading()), [
    {
      instrument: held.id,
      quantity: held.quantity < 0n ? some : -some,
      price: at.mark(held.id),
    },
  ])
  return [
    'unwinding',
    house.plan({ credits: at.random(2) === 0 ? [] : [house.credit(member, 2, 3n)] }),
  ]
}

function dueSteps(at: RandomHouse): readonly DueFlag[] {
  const { accounts } = at.house
  const due = dueFlags(accounts, at.house.plan().context)
  // Enough members must go on trading.
  const spare = Math.max(0, at.trading().length - 3)
  const isCallOfActive = ({ index, step }: DueFlag): boolean =>
    step === 'call' && statusOf(accounts.get(index)?.meta ?? 0n) === STATUS.active
  const [calls, others] = [due.filter(isCallOfActive), due.filter((d) => !isCallOfActive(d))]
  return [...others, ...calls.slice(0, spare)].slice(0, 2)
}

/** What is due is done; else a price crashes, comes back, or time passes over the calls. */
function flags(at: RandomHouse): FairStep {
  const { house } = at
  if (dueSteps(at).length === 0) {
    if (at.calm === null) crash(at)
    else if (at.random(2) === 0) house.time += BigInt(CALL_SECONDS)
    else {
      const { calm } = at
      house.rows = house.rows.map((r) => calm.find(({ id }) => id === r.id) ?? r)
      at.calm = null
    }
  }
  const due = dueSteps(at)
  if (due.length === 0) return ['a crash', house.plan({ cover: [at.pick(at.active()).index] })]
  const from = ({ index, step }: DueFlag): string =>
    `${step} from ${statusOf(house.accounts.get(index)?.meta ?? 0n)}`
  const credits = at.random(4) === 0 ? [house.credit(at.pick(at.active()), 2, 3n)] : []
  return [
    due.map(from).join(', '),
    house.plan({ credits, flags: new Map(due.map(({ index, step }) => [index, step])) }),
  ]
}

/** A holder of a future loses far more than it has. */
function crash(at: RandomHouse): void {
  const { house } = at
  const held = at
    .active()
    .flatMap((m) => house.accounts.get(m.index)?.balances ?? [])
    .filter(({ id }) => house.rows.some((r) => r.id === id && id >= 1024))
  if (held.length === 0) return
  const { id, quantity } = at.pick(held)
  at.calm = house.rows
  const fall = quantity < 0n ? -FALL : FALL
  house.rows = house.rows.map((r) =>
    r.id === id ? { ...r, values: r.values.map((v) => v - fall) } : r,
  )
}

/** One instrument settles at its mark; holders convert when touched, and another is listed. */
function settlement(at: RandomHouse): FairStep {
  const { house } = at
  const id = at.future()
  const value = at.mark(id)
  const holders = at
    .active()
    .filter((m) => house.accounts.get(m.index)?.balances.some((b) => b.id === id))
  if (house.settled.length < 200) {
    house.settled = [...house.settled, settledRow(id, value)]
    house.rows = [
      ...house.rows.filter((r) => r.id !== id),
      row(at.settledWindow++, value === 0n ? 1_000_000n : value),
    ]
  }
  const cover = holders.slice(0, 2).map((m) => m.index)
  return [
    'settlement',
    house.plan({ cover: cover.length > 0 ? cover : [at.pick(at.active()).index] }),
  ]
}
