/** Batches one behind the other: the next is made while the last is on its way to L1. By the clock, or when asked. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startCadence, type Cadence } from './cadence.ts'
import { BatchGivenUp, type BatchReport, type House } from './house.ts'
import { BatchRefused } from './l1.ts'
import { reasonOf, type Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { BatchWish } from './pipeline.ts'

export class Batches {
  private readonly house: House
  private readonly metrics: Metrics
  private readonly log: Log
  /** Until the last one that was asked for needs nothing but L1's word. */
  private turn: Promise<unknown> = Promise.resolve()
  private readonly underWay = new Set<Promise<unknown>>()
  private cadence: Cadence | null = null
  private isStopped = false

  constructor(house: House, metrics: Metrics, log: Log) {
    this.house = house
    this.metrics = metrics
    this.log = log
  }

  /**
   * The next batch once those before it are on their way to L1; resolves when L1 has accepted it, or with
   * null when there is nothing to settle. `onHanded`: it is on its way itself, or has ended.
   */
  next({ isDue = false, onHanded = () => {} }: BatchWish = {}): Promise<BatchReport | null> {
    let hand = (): void => {}
    const handed = new Promise<void>((resolve) => (hand = resolve))
    const made = this.turn.then(() => this.make({ isDue, onHanded: hand }))
    const ended = made.then(
      () => {},
      () => {},
    )
    this.turn = Promise.race([handed, ended])
    void this.turn.then(onHanded)
    this.underWay.add(ended)
    void ended.then(() => this.underWay.delete(ended))
    return made
  }

  private async make(wish: BatchWish): Promise<BatchReport | null> {
    if (this.isStopped) return null
    const report = await this.house.runBatch(wish).catch((error: unknown) => {
      // What became of the batch before it was counted there.
      if (!(error instanceof BatchGivenUp))
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
   * At each whole period; one that finds a batch still being made is missed, and said. With `cover` a
   * batch comes even where nothing waits.
   */
  every(seconds: number, cover: boolean): void {
    this.cadence = startCadence({
      run: (onHanded) => this.next({ isDue: cover, onHanded }),
      periodMs: seconds * 1000,
      epochStart: 0,
      onAlarm: (alarm) => {
        if (alarm.kind === 'missed') {
          const { count } = alarm
          this.metrics.missedTicks(count)
          const said = { cadenceSeconds: seconds, count }
          this.log.warn('a batch was due while another is being made', said)
          return
        }
        const why = reasonOf(alarm.error)
        this.log.error('a batch did not come about: it is tried again', { why })
      },
    })
  }

  /** No further batch; true if those under way have ended within the time. */
  async stop(seconds: number): Promise<boolean> {
    this.isStopped = true
    void this.cadence?.stop()
    const late = new AbortController()
    const ended = Promise.all(this.underWay).then(() => true)
    const isEnded = await Promise.race([
      ended,
      sleep(seconds * 1000, false, { signal: late.signal }).catch(() => false),
    ])
    late.abort()
    return isEnded
  }
}
