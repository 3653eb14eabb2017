/**
 * Batches by the clock: one every period, of one shape, whether anything waits or not, so that
 * neither their time nor their size says how much is traded. A tick at which the last batch is still
 * being made is missed, never made up for, and an alarm: load must not be seen in when batches come. One
 * that only waits for L1's word keeps nobody waiting.
 */
export type Clock = {
  /** Milliseconds. */
  readonly now: () => number
  /** Calls once after so many milliseconds; returns what takes it back. */
  readonly after: (milliseconds: number, call: () => void) => () => void
}

export type CadenceAlarm =
  /** So many ticks, the last of them this one. */
  | {
      readonly kind: 'missed'
      readonly tick: number
      readonly count: number
      readonly since: number
    }
  | { readonly kind: 'failed'; readonly tick: number; readonly error: Error }

export type CadenceState = {
  /** Of the epoch, from 1; 0 before the first. */
  readonly tick: number
  readonly missed: number
  readonly failed: number
  /** Milliseconds by the clock; null before the first batch. */
  readonly lastSettled: number | null
  readonly isRunning: boolean
}

export type CadenceOptions = {
  /**
   * One batch, even one of cover alone: `(onHanded) => house.runBatch({ isDue: true, onHanded })`. From
   * `onHanded` on, or when it has ended, the next tick has its turn.
   */
  readonly run: (onHanded: () => void) => Promise<unknown>
  readonly periodMs: number
  /** When the epoch began, by the clock: ticks are at whole periods after it, over restarts too. */
  readonly epochStart?: number
  readonly onAlarm: (alarm: CadenceAlarm) => void
  readonly clock?: Clock
}

export type Cadence = {
  readonly state: () => CadenceState
  /** No more ticks; resolves when the batches under way have ended. */
  readonly stop: () => Promise<void>
}

/** Node's timers fire at once for anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Throws unless the period is a whole number of milliseconds that a timer can hold. */
export function startCadence(options: CadenceOptions): Cadence {
  const { run, periodMs, onAlarm, clock = systemClock } = options
  if (!Number.isInteger(periodMs) || periodMs < 1 || periodMs > LONGEST_TIMER_MS)
    throw new Error(`PeriodMustBeHeldByTimer: ${periodMs} ms`)
  const start = options.epochStart ?? clock.now()
  const state = { tick: 0, missed: 0, failed: 0, lastSettled: null as number | null }
  const running = new Set<Promise<void>>()
  /** The tick whose batch is being made; null while none is. */
  let busySince: number | null = null
  let cancel = (): void => {}
  let isStopped = false

  const runOnce = async (tick: number): Promise<void> => {
    busySince = tick
    const free = (): void => {
      if (busySince === tick) busySince = null
    }
    try {
      await run(free)
      state.lastSettled = clock.now()
    } catch (error) {
      state.failed++
      onAlarm({
        kind: 'failed',
        tick,
        error: error instanceof Error ? error : new Error(String(error)),
      })
    } finally {
      free()
    }
  }
  const due = (): number => Math.floor((clock.now() - start) / periodMs)
  const onTick = (): void => {
    const tick = due()
    // The clock was put back: to wait for what it once said could be for days.
    if (tick < state.tick) state.tick = tick
    // A timer may be a little early, and then there is no tick yet.
    if (tick > state.tick) {
      // Ticks that nobody was awake for are missed as well: where the clock was wrong by years they are
      // millions, and one alarm.
      if (tick > state.tick + 1) miss(tick - 1, tick - 1 - state.tick)
      state.tick = tick
      if (busySince === null) {
        const batch = runOnce(tick).finally(() => running.delete(batch))
        running.add(batch)
      } else miss(tick, 1)
    }
    schedule()
  }
  const miss = (tick: number, count: number): void => {
    state.missed += count
    onAlarm({ kind: 'missed', tick, count, since: busySince ?? state.tick })
  }
  const schedule = (): void => {
    if (isStopped) return
    const next = start + (due() + 1) * periodMs
    cancel = clock.after(Math.max(1, next - clock.now()), onTick)
  }
  // After a restart within an epoch the ticks before are not this run's to miss.
  state.tick = Math.max(0, due())
  schedule()
  return {
    state: () => ({ ...state, isRunning: running.size > 0 }),
    stop: async () => {
      isStopped = true
      cancel()
      await Promise.all(running)
    },
  }
}
