/** Batches by the clock: when they come and what is in them says nothing about the load. */
import { afterEach, describe, expect, it } from 'vitest'
import { startCadence, type CadenceAlarm, type Clock } from '../../sequencer/cadence.ts'
import { NoProver } from '../../sequencer/house.ts'
import { Floor, SHAPE } from './floor.ts'

/** Time passes when it is told to. */
class FakeClock implements Clock {
  private time: number
  private calls: { at: number; call: () => void }[] = []
  constructor(time = 0) {
    this.time = time
  }
  now = (): number => this.time
  after = (milliseconds: number, call: () => void): (() => void) => {
    const waiting = { at: this.time + milliseconds, call }
    this.calls.push(waiting)
    return () => (this.calls = this.calls.filter((c) => c !== waiting))
  }
  async pass(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds
    for (;;) {
      const next = this.calls.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.calls = this.calls.filter((c) => c !== next)
      this.time = Math.max(this.time, next.at)
      next.call()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.time = end
  }
  /** As a machine that slept: the timer fires, late, once. */
  async oversleep(milliseconds: number): Promise<void> {
    this.time += milliseconds
    await this.pass(0)
  }
  /** The clock on the wall; what was to come after so many milliseconds comes after as many. */
  putBack(milliseconds: number): void {
    this.time -= milliseconds
    this.calls = this.calls.map(({ at, call }) => ({ at: at - milliseconds, call }))
  }
  get isQuiet(): boolean {
    return this.calls.length === 0
  }
}

function watched(
  clock: Clock,
  run: (onHanded: () => void) => Promise<unknown>,
  epochStart?: number,
) {
  const alarms: CadenceAlarm[] = []
  const cadence = startCadence({
    run,
    periodMs: 1000,
    clock,
    onAlarm: (alarm) => alarms.push(alarm),
    ...(epochStart === undefined ? {} : { epochStart }),
  })
  return { alarms, cadence }
}

describe('the clock', () => {
  it('asks for a batch at every tick, however long the last one took', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const { alarms, cadence } = watched(clock, async () => {
      at.push(clock.now())
      await new Promise<void>((resolve) => void clock.after(at.length * 150, resolve))
    })
    await clock.pass(999)
    expect(at).toEqual([])
    await clock.pass(4001)
    expect(at).toEqual([1000, 2000, 3000, 4000, 5000])
    expect(alarms).toEqual([])
    expect(cadence.state()).toMatchObject({ tick: 5, missed: 0, failed: 0, isRunning: true })
    expect(cadence.state().lastSettled).toBe(4600)
  })

  it('misses the ticks of a batch that is late, with an alarm each, and makes up for none', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const { alarms, cadence } = watched(clock, async () => {
      at.push(clock.now())
      await new Promise<void>((resolve) => void clock.after(at.length === 1 ? 2500 : 1, resolve))
    })
    await clock.pass(5000)
    expect(at).toEqual([1000, 4000, 5000])
    expect(alarms).toEqual([
      { kind: 'missed', tick: 2, count: 1, since: 1 },
      { kind: 'missed', tick: 3, count: 1, since: 1 },
    ])
    expect(cadence.state().missed).toBe(2)
  })

  it('has the next tick take its turn while a batch only waits for L1, and misses those before that', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const { alarms, cadence } = watched(clock, async (onHanded) => {
      at.push(clock.now())
      // Made for a while, and then three periods long on its way.
      clock.after(at.length === 1 ? 1500 : 200, onHanded)
      await new Promise<void>((resolve) => void clock.after(3500, resolve))
    })
    await clock.pass(5000)
    expect(at).toEqual([1000, 3000, 4000, 5000])
    expect(alarms).toEqual([{ kind: 'missed', tick: 2, count: 1, since: 1 }])
    expect(cadence.state()).toMatchObject({ missed: 1, isRunning: true })
    const stopped = cadence.stop()
    await clock.pass(4000)
    await stopped
    expect(cadence.state()).toMatchObject({ isRunning: false, lastSettled: 8500 })
  })

  it('keeps its ticks after a failure', async () => {
    const clock = new FakeClock()
    let count = 0
    const { alarms, cadence } = watched(clock, async () => {
      if (++count === 1) throw new Error('no proof')
    })
    await clock.pass(2000)
    expect(count).toBe(2)
    expect(alarms).toMatchObject([{ kind: 'failed', tick: 1, error: { message: 'no proof' } }])
    expect(cadence.state()).toMatchObject({ failed: 1, lastSettled: 2000 })
  })

  it('counts ticks that nobody was awake for', async () => {
    const clock = new FakeClock()
    let count = 0
    const { alarms } = watched(clock, async () => void count++)
    await clock.oversleep(3200)
    expect(count).toBe(1)
    expect(alarms).toEqual([{ kind: 'missed', tick: 2, count: 2, since: 0 }])
    await clock.pass(799)
    expect(count).toBe(1)
    await clock.pass(1)
    expect(count).toBe(2)
  })

  it('says once what a clock has missed that was wrong by half a century, and goes on', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const { alarms, cadence } = watched(clock, async () => void at.push(clock.now()))
    await clock.oversleep(1_790_000_000_000)
    expect(alarms).toEqual([
      { kind: 'missed', tick: 1_789_999_999, count: 1_789_999_999, since: 0 },
    ])
    expect(cadence.state().missed).toBe(1_789_999_999)
    await clock.pass(1_000)
    expect(at).toEqual([1_790_000_000_000, 1_790_000_001_000])
  })

  it('goes on from the next tick when it is put back', async () => {
    const clock = new FakeClock(3_600_500)
    const at: number[] = []
    const { alarms } = watched(clock, async () => void at.push(clock.now()), 0)
    await clock.pass(1_000)
    // An hour too far until somebody noticed.
    clock.putBack(3_600_000)
    await clock.pass(5_000)
    expect(at[0]).toBe(3_601_000)
    expect(at.slice(1)).toEqual([3_000, 4_000, 5_000, 6_000])
    expect(alarms).toEqual([])
  })

  it('keeps the ticks of its epoch over a restart', async () => {
    const clock = new FakeClock(7300)
    const at: number[] = []
    const { alarms } = watched(clock, async () => void at.push(clock.now()), 500)
    await clock.pass(2000)
    expect(at).toEqual([7500, 8500])
    expect(alarms).toEqual([])
  })

  it('stops, and waits for the batch under way', async () => {
    const clock = new FakeClock()
    let finish = (): void => {}
    const { cadence } = watched(clock, () => new Promise<void>((resolve) => (finish = resolve)))
    await clock.pass(1000)
    let isStopped = false
    const stopped = cadence.stop().then(() => (isStopped = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isStopped).toBe(false)
    finish()
    await stopped
    expect(clock.isQuiet).toBe(true)
  })

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])('refuses a period of %s ms', (periodMs) => {
    const start = () =>
      startCadence({ run: async () => {}, periodMs, onAlarm: () => {}, clock: new FakeClock() })
    expect(start).toThrow('PeriodMustBeHeldByTimer')
  })
})

describe('a batch that is due', () => {
  let floor: Floor
  afterEach(() => floor.close())
  const open = async () => {
    const opened = await Floor.open([1000, 1000, 1000])
    floor = opened.floor
    return opened
  }

  it('is made of cover where nothing waits, in the usual shape and with as many accounts', async () => {
    const { members } = await open()
    expect(await floor.batch()).toBeNull()
    const before = floor.house.ledger.tree.root
    const empty = await floor.house.runBatch({ isDue: true })
    expect(empty).toMatchObject({ shape: SHAPE.name, trades: 0, pages: 0 })
    expect(floor.house.ledger.tree.root).not.toBe(before)
    const [one, other] = members as [(typeof members)[0], (typeof members)[0]]
    await floor.trade(one, other, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    const full = await floor.house.runBatch({ isDue: true })
    expect(full).toMatchObject({ shape: SHAPE.name, trades: 1 })
    expect(full?.accounts).toBe(empty?.accounts)
    expect(full?.publicBytes).toBe(empty?.publicBytes)
  })

  it('is of the usual shape even where the entry shape would hold it all', async () => {
    await open()
    const late = await floor.join(3, 500)
    expect(late.account).toBeGreaterThan(0)
    expect(await floor.house.runBatch({ isDue: true })).toMatchObject({ shape: SHAPE.name })
  })

  it('is not prepared while no prover can take it, and nothing is recorded', async () => {
    await open()
    const { house } = floor
    let reason: string | null = 'no worker has been heard of for 60 s'
    Object.assign(house.options, { proverMissing: async () => reason })
    const { sequence } = house.journal.head
    await expect(house.runBatch({ isDue: true })).rejects.toThrow(NoProver)
    expect(house.core.open).toBeNull()
    expect(house.journal.head.sequence).toBe(sequence)
    reason = null
    expect(await house.runBatch({ isDue: true })).not.toBeNull()
  })

  it('has a nonce and a salt of its own when it is built again', async () => {
    await open()
    const { house } = floor
    const nonces: bigint[] = []
    const prove = floor.prove
    floor.prove = async () => {
      nonces.push(house.core.open?.plan.context.batchNonce ?? 0n, house.core.open?.salt ?? 0n)
      throw new Error('the prover died')
    }
    const number = house.batchNumber
    await expect(house.runBatch({ isDue: true })).rejects.toThrow('the prover died')
    expect(house.core.open).toBeNull()
    floor.prove = prove
    const report = await house.runBatch({ isDue: true })
    expect(report?.number).toBe(number + 1n)
    const nonce = floor.l1.submitted.at(-1)?.batchNonce
    expect(nonces).toHaveLength(2)
    expect(nonces).not.toContain(nonce)
  })
})
