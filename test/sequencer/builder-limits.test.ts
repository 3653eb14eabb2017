/** What the builder leaves for the next batch: rescues, forced exits and unwindings beyond a shape's slots. */
import { describe, expect, test } from 'vitest'
import { CASH_ID, STATUS } from '../../circuits/params.ts'
import type { Account } from '../../circuits/account.ts'
import type { Credit, L1Request } from '../../circuits/batch.ts'
import { statusOf } from '../../circuits/exit.ts'
import { headAfter } from '../../circuits/page.ts'
import { chooseBatch, type Choice, type Chosen } from '../../sequencer/builder.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { House, type Member } from '../law/house.ts'
import { FUNDS, MINI, settle } from '../law/scenes.ts'

const SHAPE = {
  ...MINI,
  members: 4,
  pages: 12,
  deposits: 4,
  requests: 4,
  rescues: 2,
  forcedExits: 1,
  reductions: 2,
}

/** Four members with cash, the first three long of five futures bought from the last. */
function longs(): { house: House; members: Member[] } {
  const house = new House()
  const joined = Array.from({ length: 4 }, () => house.join())
  settle(
    house,
    house.plan({
      requests: joined.map((j) => j.request),
      credits: joined.map((j) => house.credit(j.member, 1, FUNDS)),
    }),
  )
  const members = joined.map((j) => j.member)
  const seller = members[3] as Member
  for (const buyer of members.slice(0, 3))
    house.trade(buyer, seller, [{ instrument: 1024, quantity: 5n, price: 50_000_000n }])
  settle(house, house.plan())
  return { house, members }
}
/** The future loses more than the longs have. */
function crash(house: House): void {
  house.rows = house.rows.map((row) =>
    row.id === 1024 ? { ...row, values: row.values.map((v) => v - 2_500_000_000n) } : row,
  )
}
/** The sequencer's view of a house, its pending pages admitted. */
function ledgerOf(house: House): Ledger {
  const ledger = new Ledger(house.accounts.get(0) as Account, house.viewKeys.get(0) as bigint)
  for (const [index, account] of house.accounts) ledger.accounts.set(index, account)
  for (const [index, key] of house.viewKeys) ledger.viewKeys.set(index, key)
  for (const member of house.members) {
    ledger.ownerKeys.set(member.index, member.key.publicKey)
    let head = house.accounts.get(member.index)?.head ?? 0n
    const pages = [...member.pending]
    pages.forEach((page, i) => {
      head = headAfter(head, page)
      member.pending = pages.slice(0, i + 1)
      ledger.append(member.index, {
        page,
        head,
        signature: house.run(member).signature,
        trade: `${page.payload}`,
      })
    })
  }
  return ledger
}
function choose(
  house: House,
  requests: readonly L1Request[],
  credits: readonly Credit[],
  shape = SHAPE,
): Chosen & Pick<Choice, 'setAside'> {
  const { chosen, setAside } = chooseBatch(
    ledgerOf(house),
    { requests, credits },
    shape,
    house.plan({ journals: new Map() }).context,
    () => 0,
  )
  if (chosen === null) throw new Error('nothing to do')
  return { ...chosen, setAside }
}
/** Each trade in a second of its own, so that stamps follow the order of the calls. */
function trade(
  house: House,
  one: Member,
  other: Member,
  quantity: bigint,
  instrument = 1024,
): void {
  house.time += 1n
  house.trade(one, other, [{ instrument, quantity, price: 50_000_000n }])
}
const accountsOf = (list: readonly { readonly account: number }[]): number[] =>
  list.map((x) => x.account)

describe('accounts below zero', () => {
  test('two at a time, the third deposit in the next batch', () => {
    const { house, members } = longs()
    crash(house)
    const credits = members.slice(0, 3).map((m) => house.credit(m, 1, 5n))
    const first = choose(house, [], credits)
    expect(accountsOf(first.plan.credits)).toEqual([16, 17])
    expect(first.trace.members.filter((m) => m.isRescue)).toHaveLength(2)
    house.accept(first.trace)
    expect(accountsOf(choose(house, [], credits.slice(2)).plan.credits)).toEqual([18])
  })

  test('trades wait before deposits do', () => {
    const { house, members } = longs()
    crash(house)
    const [a, b, c] = members as [Member, Member, Member, Member]
    house.trade(a, members[3] as Member, [
      { instrument: 1024, quantity: -1n, price: -2_000_000_000n },
    ])
    const credits = [house.credit(b, 1, 5n), house.credit(c, 1, 5n)]
    const chosen = choose(house, [], credits)
    expect(accountsOf(chosen.plan.credits)).toEqual([17, 18])
    expect(chosen.plan.journals.size).toBe(0)
    expect(chosen.setAside.map((r) => r.rule)).toEqual(['AccountMustBeSolvent'])
  })

  test('forced exits of more than fit beside a call end the prefix', () => {
    const { house, members } = longs()
    crash(house)
    const requests = members.slice(0, 3).map((m, i) => house.exit(m, CASH_ID + i))
    const { plan } = choose(house, requests, [], { ...SHAPE, forcedExits: 4 })
    // Half of the rescue slots are for calls: who asks next is called meanwhile.
    expect([accountsOf(plan.requests), [...(plan.flags ?? [])]]).toEqual([[16], [[17, 'call']]])
    const wide = choose(house, requests, [], { ...SHAPE, forcedExits: 4, rescues: 3 })
    expect(accountsOf(wide.plan.requests)).toEqual([16, 17, 18])
  })
})

describe('forced exits', () => {
  test('as many as there are slots, in the order of the queue', () => {
    const { house, members } = longs()
    const [a, b] = members as [Member, Member]
    expect(
      accountsOf(choose(house, [house.exit(a, 1), house.exit(b, 1)], []).plan.requests),
    ).toEqual([16])
  })

  test('a second request of an account waits, and so do its deposits and pages', () => {
    const { house, members } = longs()
    const [a, b, c] = members as [Member, Member, Member]
    trade(house, a, b, -1n)
    trade(house, b, c, -1n)
    const shape = { ...SHAPE, forcedExits: 4 }
    const { plan, trace } = choose(
      house,
      [house.exit(a, 1), house.exit(a, 2), house.exit(c, 3)],
      [house.credit(a, 1, 5n), house.credit(b, 1, 5n)],
      shape,
    )
    expect(accountsOf(plan.requests)).toEqual([16])
    expect(accountsOf(plan.credits)).toEqual([17])
    // The later trade continues a page of b that waits.
    expect([...plan.journals.keys()]).toEqual([])
    expect(statusOf(trace.members[0]?.after.meta ?? 0n)).toBe(STATUS.exiting)
  })

  test('an account that does not exist yet ends the prefix', () => {
    const { house, members } = longs()
    const stranger = { ...house.exit(members[0] as Member, 1), account: 99 }
    const requests = [
      house.exit(members[1] as Member, 1),
      stranger,
      house.exit(members[2] as Member, 1),
    ]
    expect(
      accountsOf(choose(house, requests, [], { ...SHAPE, forcedExits: 4 }).plan.requests),
    ).toEqual([17])
  })
})

describe('unwinding', () => {
  test('no more balances than there are slots; an opening trade is set aside by name', () => {
    const { house, members } = longs()
    const [a, b, c, d] = members as [Member, Member, Member, Member]
    for (const member of [a, b, c])
      settle(house, house.plan({ requests: [house.exit(member, 77)] }))
    for (const member of [a, b, c]) trade(house, member, d, -2n)
    const first = choose(house, [], [])
    expect([...first.plan.journals.keys()].sort()).toEqual([16, 17, 19])
    expect(first.setAside.map((r) => r.rule)).toEqual(['ReduceOnlyMustReduce'])
    for (const member of house.members) member.pending = []
    trade(house, b, d, -1n)
    trade(house, a, d, 1n, 1025)
    const second = choose(house, [], [])
    expect([...second.plan.journals.keys()].sort()).toEqual([17, 19])
    expect(second.setAside.map((r) => [r.rule, r.account])).toEqual([['ReduceOnlyMustReduce', 16]])
  })
})
