/** Stamps rise strictly, and none is of a second that has not begun, however many there are in one. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stampSeconds } from '../../circuits/page.ts'
import { STAMP_RANDOM_BITS } from '../../circuits/params.ts'
import type { Member } from '../../client/member.ts'
import { stampChance } from '../../sequencer/chance.ts'
import type { Core } from '../../sequencer/core.ts'
import { Floor } from './floor.ts'

/** A second that does not pass. */
const NOW = 1_790_000_000_000
let floor: Floor | null = null
beforeEach(() => vi.useFakeTimers({ now: NOW, toFake: ['Date'] }))
afterEach(async () => {
  vi.useRealTimers()
  await floor?.close()
  floor = null
})

async function stampsOf(count: number, chanceOf: () => bigint): Promise<readonly bigint[]> {
  const opened = await Floor.open([1_000, 1_000])
  floor = opened.floor
  const [one, two] = opened.members as [Member, Member]
  const { core } = floor.house
  const stamps: bigint[] = []
  for (let i = 0; i < count; i++) {
    const body = { clientId: `s${i}`, counterparty: two.account, payload: 7n }
    const entries = [{ instrument: 1024, quantity: 1n, price: 1n }]
    const proposal = { kind: 'proposal' as const, account: one.account, ...body, entries }
    const made = core.apply({ at: NOW, input: { ...proposal, chance: BigInt(i) } })
    const { id: ticket } = made as { id: string }
    const affirmation = { kind: 'affirmation' as const, account: two.account, ticket }
    const answer = core.apply({ at: NOW, input: { ...affirmation, chance: chanceOf() } })
    stamps.push((answer as { stamp: bigint }).stamp)
  }
  return stamps
}
const isRising = (stamps: readonly bigint[]): boolean =>
  stamps.every((stamp, i) => i === 0 || stamp > (stamps[i - 1] as bigint))

it('of a thousand trades in one second, drawn as high as they may be', async () => {
  const highest = (1n << 64n) - 1n - (1n << BigInt(STAMP_RANDOM_BITS - 1))
  const stamps = await stampsOf(1_000, () => highest)
  expect(isRising(stamps)).toBe(true)
  expect(new Set(stamps.map(stampSeconds))).toEqual(new Set([BigInt(NOW / 1000)]))
})

it('would run into the next second without that, and be refused', async () => {
  const stamps = await stampsOf(3, () => (1n << 64n) - 1n)
  expect(isRising(stamps)).toBe(true)
  expect(stampSeconds(stamps.at(-1) as bigint)).toBe(BigInt(NOW / 1000) + 1n)
})

it('are drawn by the house without their top bit', () => {
  const drawn = Array.from({ length: 200 }, stampChance)
  expect(drawn.every((one) => ((one >> BigInt(STAMP_RANDOM_BITS - 1)) & 1n) === 0n)).toBe(true)
  expect(drawn.some((one) => ((one >> BigInt(STAMP_RANDOM_BITS - 2)) & 1n) === 1n)).toBe(true)
  expect(new Set(drawn).size).toBe(200)
})

describe('a clock that was a day ahead, and was put back', () => {
  const DAY = 86_400_000
  const ENTRIES = [{ instrument: 1024, quantity: 1n, price: 1n }]
  /** The stamp of a trade that is agreed to at this time. */
  const affirmedAt = (core: Core, [one, two]: readonly Member[], at: number, input: object) => {
    const body = { clientId: `c${at}`, counterparty: two?.account ?? 0, payload: 7n }
    const proposal = { kind: 'proposal' as const, account: one?.account ?? 0, ...body }
    const made = core.apply({ at, input: { ...proposal, entries: ENTRIES, chance: 1n } })
    const { id: ticket } = made as { id: string }
    const affirmation = { kind: 'affirmation' as const, account: two?.account ?? 0, ticket }
    const answer = core.apply({ at, input: { ...affirmation, chance: stampChance(), ...input } })
    return (answer as { stamp: bigint }).stamp
  }

  it('has stamped one trade, and the next is signed and admitted all the same', async () => {
    const opened = await Floor.open([1_000, 1_000, 1_000])
    floor = opened.floor
    const [one, two, three] = opened.members as [Member, Member, Member]
    const { core } = floor.house
    const ahead = affirmedAt(core, [one, two], NOW + DAY, { isOfNow: true })
    expect(stampSeconds(ahead)).toBe(BigInt((NOW + DAY) / 1000))
    for (const [buyer, seller] of [
      [two, three],
      [one, two],
    ] as const) {
      const id = await floor.trade(buyer, seller, ENTRIES)
      const { stamp } = floor.house.desk.tickets.get(id) as { stamp: bigint }
      expect(stampSeconds(stamp)).toBe(BigInt(NOW / 1000))
    }
    expect(await floor.batch()).toMatchObject({ trades: 2 })
  })

  it('is followed in records before version 5, as it was', async () => {
    const opened = await Floor.open([1_000, 1_000])
    floor = opened.floor
    const { core } = floor.house
    const ahead = affirmedAt(core, opened.members, NOW + DAY, {})
    expect(affirmedAt(core, opened.members, NOW, {})).toBeGreaterThan(ahead)
  })
})
