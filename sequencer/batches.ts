/** Batches one after the other: the next is built on the root of the last. By the clock, or when asked. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startCadence, type Cadence } from './cadence.ts'
import type { BatchReport, House } from './house.ts'
import { BatchRefused } from './l1.ts'
import { reasonOf, type Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export class Batches {
  private readonly house: House
  private readonly metrics: Metrics
  private readonly log: Log
  private turn: Promise<unknown> = Promise.resolve()
  private cadence: Cadence | null = null
  private isStopped = false

  constructor(house: House, metrics: Metrics, log: Log) {
    this.house = house
    this.metrics = metrics
    this.log = log
  }

  /** The next batch once those before it have ended; null when there is nothing to settle. */
  next({ isDue = false } = {}): Promise<BatchReport | null> {
    const made = this.turn.then(() => this.make(isDue))
    this.turn = made.catch(() => {})
    return made
  }

  private async make(isDue: boolean): Promise<BatchReport | null> {
    if (this.isStopped) return null
    const report = await this.house.runBatch({ isDue }).catch((error: unknown) => {
      this.metrics.failed(error instanceof BatchRefused ? 'l1' : 'other', error)
      throw error
    })
    if (report === null) return null
    this.metrics.settled(report)
    const { number, shape, accounts, proveSeconds, gas } = report
    const seconds = Math.round(proveSeconds * 10) / 10
    this.log.info('batch accepted by L1', {
      batch: Number(number),
      shape,
      accounts,
      proveSeconds: seconds,
      gas: Number(gas),
    })
    return report
  }

  /**
   * At each whole period; one that finds a batch still under way is missed, and said. With `cover` a
   * batch comes even where nothing waits.
   */
  every(seconds: number, cover: boolean): void {
    this.cadence = startCadence({
      run: () => this.next({ isDue: cover }),
      periodMs: seconds * 1000,
      epochStart: 0,
      onAlarm: (alarm) => {
        if (alarm.kind === 'missed') {
          this.metrics.missedTick()
          this.log.warn('a batch was due while another is under way', { cadenceSeconds: seconds })
          return
        }
        const why = reasonOf(alarm.error)
        this.log.error('a batch did not come about: it is tried again', { why })
      },
    })
  }

  /** No further batch; true if the one under way has ended within the time. */
  async stop(seconds: number): Promise<boolean> {
    this.isStopped = true
    void this.cadence?.stop()
    const late = new AbortController()
    const ended = this.turn.then(() => true)
    const isEnded = await Promise.race([
      ended,
      sleep(seconds * 1000, false, { signal: late.signal }).catch(() => false),
    ])
    late.abort()
    return isEnded
  }
}
