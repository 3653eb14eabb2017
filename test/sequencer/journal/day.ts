/** A day on a floor, from a seed. The clock must be a faked one: hours pass in it. */
import { vi } from 'vitest'
import { memberKeys } from '../../../client/keys.ts'
import type { Member } from '../../../client/member.ts'
import type { Journal } from '../../../sequencer/journal/journal.ts'
import { checkAge } from '../../../sequencer/table-age.ts'
import { Floor, wideRow } from '../floor.ts'
import { until } from '../../until.ts'
import { Stalled } from '../stalled.ts'

const FUTURE = 1024
const OTHER = 1025
export type Day = { readonly floor: Floor; readonly members: readonly Member[] }
export const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]

/** A generator with a seed, so that a failing history can be seen again. */
export function generator(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % bound
  }
}

/** Trades that settle and that do not, tables, settlements, expiries, rotations, in random order. */
export async function day(journal: Journal, seed: number, steps: number): Promise<Day> {
  const random = generator(seed)
  const dollars = [2000, 500, 1000, 300, 1000]
  const { floor, members } = await Floor.open(dollars, null, journal)
  const other = (one: Member): Member => {
    const rest = members.filter((m) => m !== one)
    return rest[random(rest.length)] as Member
  }
  for (let step = 0; step < steps; step++) {
    const one = members[random(members.length)] as Member
    const two = other(one)
    vi.setSystemTime(Date.now() + 1000 * random(20))
    switch (random(9)) {
      case 0:
        await floor.batch()
        break
      case 1: {
        const isWide = random(2) === 0
        const rows = isWide ? [wideRow(FUTURE, 50_000_000n), ...floor.rows.slice(1)] : floor.rows
        // Some are indicative for a while: what is traded meanwhile may only reduce.
        const isConfirmed = random(3) > 0
        const number = floor.l1.post(rows, isConfirmed)
        await floor.house.watch()
        if (isConfirmed) break
        await floor.tradeOrNot(one, two, lots(OTHER, 1n, 2_000_000n))
        await floor.batch()
        floor.l1.confirm(number)
        await floor.house.watch()
        break
      }
      case 2:
        for (const member of members) await member.realign()
        break
      case 3:
        vi.setSystemTime(Date.now() + 100_000)
        break
      case 4:
        // Affirmed and never signed.
        await floor.agree(one, two, lots(OTHER, BigInt(random(5)), 2_000_000n)).catch(() => {})
        break
      default: {
        const size = BigInt(1 + random(4))
        const instrument = random(2) === 0 ? FUTURE : OTHER
        await floor.tradeOrNot(one, two, lots(instrument, size, 2_000_000n))
      }
    }
  }
  await floor.batch()
  return { floor, members }
}

/**
 * A day, and behind it whatever else a state may hold: a fee that waits, a table that is too old, a forced
 * exit, keys and deposits that only one side has heard of, a page without its other side, proposals that
 * were taken back, and two batches on their way to L1. `end` lets L1 accept
 * the first.
 */
export async function fullDay(
  journal: Journal,
  seed: number,
  steps: number,
): Promise<Day & { readonly end: () => Promise<void> }> {
  const { floor, members } = await day(journal, seed, steps)
  const [a, b, c, d, e] = members as [Member, Member, Member, Member, Member]
  const { house, l1 } = floor
  for (const member of members) await member.realign()
  await floor.batch()
  await house.showDeposit(a.account, 99n)
  await l1.memberDoor('0x').deposit(1, 5_000_000n, 77n)
  await d.withdraw(1, 1_000_000n, 7n)
  l1.forceExit(c.account, 1)
  l1.setFee(200n)
  l1.post(floor.rows)
  await house.watch()
  const stalled = new Stalled(floor)
  const one = floor.batch()
  const first = await stalled.handed(0)
  await floor.tradeOrNot(a, b, lots(OTHER, 1n, 2_000_000n))
  await e.rotate(memberKeys(new Uint8Array(32).fill(99), 'next'))
  const two = floor.batch()
  two.catch(() => {})
  await until(() => house.core.next?.isProven === true)
  await floor.tradeOrNot(a, b, lots(OTHER, 1n, 2_000_000n))
  const taken = await a.propose('taken-back', b.account, lots(OTHER, 3n, 2_000_000n), 'x')
  if ('id' in taken) await b.api.reject(taken.id)
  const half = await floor.agree(a, b, lots(OTHER, 2n, 2_000_000n))
  void floor.sign(half, a).catch(() => {})
  await until(() => house.desk.tickets.get(half)?.sides.size === 1)
  await l1.memberDoor('0x').register({ x: 1n, y: 2n }, 55n)
  await house.watch()
  for (const age of ['old', 'young', 'old'] as const) {
    l1.age = age
    await checkAge(house)
  }
  const end = async (): Promise<void> => {
    await first.accept()
    await one
    // L1 has gone on: the second is withdrawn, and what it had is chosen again.
    await two.catch(() => {})
    l1.age = 'young'
    await checkAge(house)
    const last = floor.batch()
    await (await stalled.handed(1)).accept()
    await last
  }
  return { floor, members, end }
}

/** The same day to its end: what is left of it is its journal. */
export async function wholeDay(journal: Journal, seed: number, steps: number): Promise<void> {
  const { floor, end } = await fullDay(journal, seed, steps)
  await end()
  await floor.close()
}
