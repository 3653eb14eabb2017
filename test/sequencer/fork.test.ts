/** What the next batch is chosen on is what the ledger will be: one batch further, and not a step beside it. */
import { afterEach, describe, expect, it } from 'vitest'
import { depositCommitment } from '../../circuits/account.ts'
import { memberKeys } from '../../client/keys.ts'
import type { Member } from '../../client/member.ts'
import type { OpenBatch } from '../../sequencer/answers.ts'
import { Desk } from '../../sequencer/desk.ts'
import type { Ground } from '../../sequencer/fork.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { replay, stateText } from '../../sequencer/journal/replay.ts'
import { BatchRefused } from '../../sequencer/l1.ts'
import { Floor, ticketOf, wideRow } from './floor.ts'
import { until } from '../until.ts'
import { Stalled } from './stalled.ts'

const [CASH, FUTURE, OTHER] = [1, 1024, 1025]
const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]
const floors: Floor[] = []
afterEach(async () => {
  for (const floor of floors.splice(0)) await floor.close()
})

function generator(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % bound
  }
}

/** In the order in which it is read, too: the choice of a batch depends on it. */
const plain = ({ book, tree, ...rest }: Ground) => ({
  ...rest,
  accounts: [...book.accounts],
  viewKeys: [...book.viewKeys],
  ownerKeys: [...book.ownerKeys],
  pending: [...book.pending],
  root: tree().root,
})

async function opened(dollars: readonly number[], prepare: (floor: Floor) => void = () => {}) {
  const journal = new MemoryJournal()
  const { floor, members } = await Floor.open(dollars, null, journal)
  floors.push(floor)
  prepare(floor)
  return { floor, members: [...members], journal, l1: new Stalled(floor) }
}

/** Something of everything that a batch may have in it; what is refused is refused. */
async function happen(
  floor: Floor,
  members: Member[],
  random: (bound: number) => number,
): Promise<void> {
  const one = members[random(members.length)] as Member
  const two = members.filter((m) => m !== one)[random(members.length - 1)] as Member
  switch (random(10)) {
    case 0:
      members.push(await floor.join(members.length, 500))
      return
    case 1:
      await one.deposit(CASH, BigInt(1 + random(1000)))
      return
    case 2: {
      // Two deposits under one commitment: the opening of the first is used up with it.
      const secret = BigInt(1 + random(1 << 20))
      for (const amount of [5n, 7n])
        await floor.l1
          .memberDoor('0x')
          .deposit(CASH, amount, depositCommitment(one.account, secret))
      await floor.house.showDeposit(one.account, secret)
      return
    }
    case 3:
      await one.withdraw(CASH, 1_000_000n, 7n).catch(() => {})
      return
    case 4:
      await one
        .rotate(memberKeys(new Uint8Array(32).fill(100 + random(100)), 'next'))
        .catch(() => {})
      return
    case 5:
      floor.l1.forceExit(one.account, CASH)
      return
    default:
      await floor.tradeOrNot(one, two, lots(OTHER, BigInt(1 + random(4)), 2_000_000n))
  }
}

/** What the batches of the histories have had in them. */
const seen = new Set<string>()
function see({ plan, trace }: Pick<OpenBatch, 'plan' | 'trace'>): void {
  for (const { kind } of plan.requests) seen.add(kind)
  if (plan.credits.length > 0) seen.add('credit')
  for (const { page } of trace.pages) seen.add(page.kind)
}

describe('the fork', () => {
  it.each(process.env['CLOISTER_LONG'] ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 3])(
    'is the ledger after acceptance, whatever was in the batch (seed %i)',
    async (seed) => {
      const random = generator(seed)
      const { floor, members, journal, l1 } = await opened([2000, 1000, 1000, 1000])
      const { core } = floor.house
      let behind = 0
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 3; i++) await happen(floor, members, random)
        const place = l1.waiting.length
        const one = floor.batch()
        await Promise.race([one, until(() => l1.waiting.length > place)])
        if (core.open === null) continue
        for (let i = 0; i < 3; i++) await happen(floor, members, random)
        // Half of the time another is built on it; its proof is made when this one is accepted.
        const isFollowed = random(2) === 0
        const other = isFollowed ? floor.batch() : null
        if (isFollowed) await Promise.race([other, until(() => core.next?.isProven === true)])
        const fork = plain(core.ground())
        const { open, next } = core
        see(open)
        if (next !== null) see(next)
        if (next !== null) behind++
        await l1.waiting[place]!.accept()
        await one
        if (next === null) {
          expect(plain(core.ground())).toEqual(fork)
          continue
        }
        // The ledger as it is; the ground would be a fork again.
        expect(floor.house.ledger.tree.root).toBe(fork.root)
        expect(next.tree.root).toBe(fork.root)
        expect([...floor.house.ledger.accounts]).toEqual(fork.accounts)
        expect([...floor.house.ledger.ownerKeys]).toEqual(fork.ownerKeys)
        // What the next one could not settle is dropped now, and what stood behind it is to be signed anew.
        if (next.unprovable.length === 0)
          expect([...floor.house.ledger.pending]).toEqual(fork.pending)
        else expect([...floor.house.ledger.pending]).not.toEqual(fork.pending)
        expect(next.accountCountBefore).toBe(fork.accountCount)
        await (await l1.handed(place + 1)).accept()
        await other
      }
      expect(behind).toBeGreaterThan(0)
      expect(floor.l1.roots.length).toBeGreaterThan(4)
      const { core: again } = await replay(journal.entries())
      expect(stateText(again)).toBe(stateText(core))
      expect(again.batches.map(({ root }) => root)).toEqual(floor.l1.roots)
    },
  )

  it('was seen with everything that a batch may have in it', () => {
    for (const kind of ['register', 'forcedExit', 'credit', 'trade', 'withdrawal', 'rotation'])
      expect(seen).toContain(kind)
  })

  it('has no deposit whose opening the batch before uses up, as the ledger will have none', async () => {
    const { floor, members, l1 } = await opened([1000])
    const { account } = members[0] as Member
    const { core } = floor.house
    const door = floor.l1.memberDoor('0x')
    const commitment = depositCommitment(account, 5n)
    await door.deposit(CASH, 5n, commitment)
    await floor.house.showDeposit(account, 5n)
    const one = floor.batch()
    const first = await l1.handed(0)
    await door.deposit(CASH, 7n, commitment)
    await floor.house.watch()
    expect(core.ground().credits).toEqual([])
    await first.accept()
    await one
    expect(core.ground().credits).toEqual([])
    // Shown again it is credited, by a batch of its own.
    await floor.house.showDeposit(account, 5n)
    const other = floor.batch()
    await (await l1.handed(1)).accept()
    await other
    expect(floor.balance(members[0] as Member, CASH)).toBe(1_000_000_012n)
  })
})

describe('the vault', () => {
  /** As the contract counts: what it fills in for a forced exit must be what was proven. */
  function counting(floor: Floor): void {
    const amounts = new Map<bigint, bigint>()
    const deposits = floor.l1.memberDoor
    floor.l1.memberDoor = (address) => {
      const door = deposits.call(floor.l1, address)
      return {
        ...door,
        deposit: async (token, amount, commitment) => {
          const id = await door.deposit(token, amount, commitment)
          amounts.set(id, amount)
          return id
        },
      }
    }
    const submit = floor.l1.submit.bind(floor.l1)
    const known = new Map<bigint, Awaited<ReturnType<typeof submit>>>()
    floor.l1.submit = async (batch) => {
      const there = known.get(batch.batchNonce)
      if (there !== undefined) return there
      const receipt = await submit(batch)
      known.set(batch.batchNonce, receipt)
      const forced = (batch.forcedPayments ?? []).reduce((sum, lots) => sum + lots, 0n)
      if (forced > floor.l1.free) throw new Error('L1 would pay more than it has')
      for (const id of batch.depositIds) floor.l1.free += amounts.get(id) ?? 0n
      for (const { amount } of batch.withdrawals) floor.l1.free -= amount
      floor.l1.free -= forced
      return receipt
    }
  }
  const freeVaultsOf = (floor: Floor) =>
    (floor.house.core.next?.plan.requests ?? []).flatMap((r) =>
      r.kind === 'forcedExit' ? [r.freeVault] : [],
    )

  it.each(['not heard of the first', 'heard of it already'])(
    'pays two forced exits of one token, in a batch and the one behind it, no more than it has; L1 has %s',
    async (what) => {
      const { floor, members, l1 } = await opened([1000, 1000, 1000], counting)
      const [a, b, c] = members as [Member, Member, Member]
      floor.l1.free = 1_200_000_000n
      const late = await floor.join(3, 50)
      await c.withdraw(CASH, 10_000_000n, 7n)
      floor.l1.forceExit(a.account, CASH)
      const one = floor.batch()
      const first = await l1.handed(0)
      // What it paid, and credited, before anybody counts it.
      expect(first.batch.forcedPayments).toEqual([1_000_000_000n])
      expect(first.batch.withdrawals.map(({ amount }) => amount)).toEqual([10_000_000n])
      expect(late.account).toBeGreaterThan(0)
      // Mined, and not deep enough to be accepted here.
      if (what.startsWith('heard')) await first.mine()
      floor.l1.forceExit(b.account, CASH)
      const other = floor.batch()
      await until(() => floor.house.core.next?.isProven === true)
      const left = 1_200_000_000n - 1_000_000_000n - 10_000_000n + 50_000_000n
      expect(freeVaultsOf(floor)).toEqual([left])
      await first.accept()
      await one
      const second = await l1.handed(1)
      expect(second.batch.forcedPayments).toEqual([left])
      await second.accept()
      await other
      expect(floor.balance(b, CASH)).toBe(1_000_000_000n - left)
    },
  )

  it('that L1 counts at another batch than either is not guessed: the exit waits', async () => {
    const { floor, members, l1 } = await opened([1000, 1000])
    const [a, b] = members as [Member, Member]
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    void floor.batch().catch(() => {})
    await l1.handed(0)
    floor.l1.forceExit(a.account, CASH)
    await floor.house.watch()
    Object.assign(floor.l1, { freeVault: async () => ({ lots: 5n, batch: 0n }) })
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    void floor.batch().catch(() => {})
    await until(() => floor.house.core.next !== null)
    expect(floor.house.core.next?.plan.requests).toEqual([])
    expect(floor.house.core.requests).toHaveLength(1)
  })
})

describe('a page that the fork shows to be unprovable', () => {
  /** Two trades of an account that had margin for both when they were admitted. */
  async function scene() {
    const { floor, members, l1 } = await opened([200, 10_000, 10_000])
    const [a, b, c] = members as [Member, Member, Member]
    const fine = await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    const one = floor.batch()
    const first = await l1.handed(0)
    const bad = await floor.trade(a, b, lots(FUTURE, 5n, 50_000_000n))
    const behind = await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
    const good = await floor.trade(b, c, lots(OTHER, 3n, 2_000_000n))
    // Half of the mark could be lost when they were admitted, all of it at this table.
    floor.l1.post([wideRow(FUTURE, 50_000_000n), ...floor.rows.slice(1)])
    // Something that the next batch can be about: pages behind the bad one wait.
    await c.deposit(CASH, 1n)
    const other = floor.batch()
    for (const batch of [one, other]) batch.catch(() => {})
    await until(() => floor.house.core.next !== null)
    return { floor, l1, a, b, c, fine, bad, behind, good, one, other, first }
  }

  it('is dropped when L1 has accepted the batch before, and not earlier', async () => {
    const { floor, l1, a, bad, behind, one, other, first } = await scene()
    expect((await ticketOf(a, bad)).state).toBe('accepted')
    expect(floor.house.ledger.unsignedOf(a.account)).toEqual([])
    await first.accept()
    await one
    expect((await ticketOf(a, bad)).state).toBe('refused')
    expect(floor.house.ledger.unsignedOf(a.account).map(({ trade }) => trade)).toEqual([behind])
    await (await l1.handed(1)).accept()
    await other
    expect(floor.balance(a, FUTURE)).toBe(0n)
  })

  it('stays where it is when that batch is withdrawn: nothing of the fork came true', async () => {
    const { floor, a, fine, bad, one, other, first } = await scene()
    const before = floor.house.ledger.pendingOf(a.account).map(({ trade }) => trade)
    expect(before.slice(0, 2)).toEqual([fine, bad])
    first.fail(new BatchRefused('L1 refused the batch: PausedMustNotContinue()'))
    await expect(one).rejects.toThrow('PausedMustNotContinue')
    await expect(other).rejects.toThrow('is built again')
    expect(floor.house.ledger.pendingOf(a.account).map(({ trade }) => trade)).toEqual(before)
    expect((await ticketOf(a, bad)).state).toBe('accepted')
  })
})

it('what nobody signed anew in time is dropped, save where a batch on its way has a side of it', () => {
  const dropped: string[] = []
  const late = [
    { trade: 'in flight', account: 16 },
    { trade: 'late', account: 17 },
  ]
  const desk = new Desk({} as never, () => ({}) as never)
  Object.assign(desk.resigning, {
    overdue: () => late.filter(({ trade }) => !dropped.includes(trade)),
  })
  desk.drop = (all) => void dropped.push(...all.map(({ trade }) => trade))
  desk.dropOverdue(0n, true, (trade) => trade === 'in flight')
  expect(dropped).toEqual(['late'])
  desk.dropOverdue(0n, true)
  expect(dropped).toEqual(['late', 'in flight'])
})
