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

function registration(at: RandomHouse): FairStep {
  const { house } = at
  if (at.active().length >= 9) return severalLegs(at)
  const { member, request } = house.join()
  const credits = [house.credit(member, 1, 20_000_000_000n)]
  return ['registration', house.plan({ requests: [request], credits })]
}

function tokenDeposit(at: RandomHouse): FairStep {
  const { house } = at
  const credit = house.credit(at.pick(at.active()), 2, BigInt(1 + at.random(500)))
  return ['token deposit', house.plan({ credits: [credit] })]
}

function withdrawal(at: RandomHouse): FairStep {
  const { house } = at
  house.withdraw(
    at.pick(at.active()),
    1,
    BigInt(1 + at.random(1_000_000)),
    BigInt(1 + at.random(1 << 30)),
  )
  return ['withdrawal', house.plan()]
}

function rotation(at: RandomHouse): FairStep {
  at.house.rotate(at.pick(at.active()))
  return ['rotation', at.house.plan()]
}

function l1Rotation(at: RandomHouse): FairStep {
  const { house } = at
  const member = at.pick(at.active())
  const seed = `${at.random(2 ** 31)}`
  const key = signingKey(createHash('sha256').update(seed).digest())
  const request = {
    kind: 'rotate' as const,
    serial: house.serial++,
    account: member.index,
    key: eighthOf(key),
    viewKeyHash: 0n,
  }
  at.keyBefore = member.key
  member.key = key
  return ['L1 rotation', house.plan({ requests: [request] })]
}

function expiry(at: RandomHouse): FairStep {
  const { house } = at
  at.trade()
  house.time += (1n << BigInt(PAGE_LIFE_SECONDS_BITS)) + BigInt(at.random(100))
  const [a, b] = at.active().filter((m) => m.pending.length > 0) as [Member, Member]
  house.trade(a, b, [{ instrument: at.future(), quantity: 1n, price: at.mark(1024) / 10n }])
  return ['expiry, then a trade', house.plan()]
}

function priceMove(at: RandomHouse): FairStep {
  const { house } = at
  house.rows = house.rows.map((r) => {
    const [mark = 0n] = r.values
    return r.id === 2 ? r : row(r.id, mark + (mark * BigInt(at.random(41) - 20)) / 1000n)
  })
  const active = at.active()
  const members = new Set([at.pick(active).index, at.pick(active).index])
  return ['price move and cover', house.plan({ cover: [...members] })]
}

function twoTrades(at: RandomHouse): FairStep {
  const { house } = at
  const [page] = at.trade()
  const [x, y] = [page.account, page.counterparty].map((i) =>
    at.active().find((m) => m.index === i),
  ) as [Member, Member]
  house.trade(y, x, [{ instrument: at.future(), quantity: 1n, price: 5n }])
  return ['two trades', house.plan()]
}

function trade(at: RandomHouse): FairStep {
  at.trade(1 + at.random(3))
  return ['trade', at.house.plan()]
}

function severalLegs(at: RandomHouse): FairStep {
  return ['package', trade(at)[1]]
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

const STEPS: readonly ((at: RandomHouse) => FairStep)[] = [
  registration,
  tokenDeposit,
  withdrawal,
  rotation,
  l1Rotation,
  expiry,
  priceMove,
  settlement,
  twoTrades,
  trade,
  severalLegs,
  exits,
  unwinding,
  flags,
]

/** A fair plan and its name: members first, and after a crash mostly what follows from it. */
export function fair(at: RandomHouse): FairStep {
  if (at.active().length < 3) return registration(at)
  if (at.calm !== null && at.random(3) > 0) return flags(at)
  return at.pick(STEPS)(at)
}
