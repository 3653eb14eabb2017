/** One seed: faults for a while, then calm, then the judgement. */
import { vi } from 'vitest'
import { check, isSettled } from './check.ts'
import { Memory, SimMember } from './members.ts'
import { runUntil, World, type Mutation } from './world.ts'

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
const FAULTS = 3 * MINUTE
const CALM = 15 * MINUTE
/** Longer than any page lives. */
const LIFE = 19 * 60 * MINUTE
const MEMBERS = 4

export type Report = World['counts'] & {
  readonly acknowledged: number
  readonly final: number
  /** Admitted, and refused by name afterwards. */
  readonly dropped: number
}

/** Throws with the first promise that was broken. */
export async function runSeed(seed: number, mutation: Mutation = {}): Promise<Report> {
  vi.setSystemTime(START)
  const world = new World(seed, mutation)
  const memory = new Memory()
  const members = Array.from({ length: MEMBERS }, (_, i) => new SimMember(world, memory, i))
  try {
    void world.start()
    void world.runL1()
    for (const member of members) void member.live(() => members)
    const isBroken = (): boolean => world.broken !== null
    await runUntil(START + FAULTS, () => {
      if (world.chance(300) && Date.now() > START + MINUTE)
        world.post(BigInt(5 + world.random(90)) * 1_000_000n)
      return isBroken()
    })
    world.isCalm = true
    const isOver = (): boolean => isBroken() || isSettled(world, memory)
    // Whoever has proposed something or is in the midst of it comes to an end first.
    await runUntil(Date.now() + MINUTE / 2, isBroken)
    await runUntil(Date.now() + CALM, isOver)
    if (!isOver()) {
      vi.setSystemTime(Date.now() + LIFE)
      await runUntil(Date.now() + CALM, isOver)
    }
    if (world.broken !== null) throw world.broken
    const tickets = [...(world.house?.desk.tickets.values() ?? [])]
    await check(world, memory)
    const final = tickets.filter(({ state }) => state === 'final').length
    const isDropped = ({ id, state }: (typeof tickets)[number]): boolean =>
      state === 'refused' && memory.acknowledged.has(id)
    const dropped = tickets.filter(isDropped).length
    return { ...world.counts, acknowledged: memory.acknowledged.size, final, dropped }
  } finally {
    world.isCalm = true
    world.crash()
    vi.clearAllTimers()
  }
}
