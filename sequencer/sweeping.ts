/**
 * Sweeps without being asked. Looks again and again where L1 says the sweep stands, and has what is due
 * proven; whatever fails is tried again, later each time. Nothing here can stop or delay a batch: it
 * has an account of its own on L1, and nobody waits for it.
 */
import type { SweepReport } from './sweep.ts'

export type SweepingOptions = {
  readonly run: (time: bigint) => Promise<SweepReport>
  /** Seconds of L1's latest block. */
  readonly time: () => Promise<bigint>
  readonly log: (line: string) => void
  /** Milliseconds from one look to the next while all is well. */
  readonly lookEvery?: number
}

const LOOK_EVERY_MS = 5_000
const FIRST_PAUSE_MS = 2_000
/** A quarter of an hour: many tries fit the two weeks after which withdrawals wait. */
const LONGEST_PAUSE_MS = 900_000
const TEXT_LENGTH = 200

export class Sweeping {
  private readonly options: SweepingOptions
  private failures = 0
  /** The sweep of which it was said that no proof exists. */
  private told: bigint | null = null
  private timer: NodeJS.Timeout | null = null
  private isRunning = false

  constructor(options: SweepingOptions) {
    this.options = options
  }

  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    void this.go()
  }

  /** What is under way may go on; nothing new begins. */
  stop(): void {
    this.isRunning = false
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private async go(): Promise<void> {
    const pause = await this.look()
    if (!this.isRunning) return
    this.timer = setTimeout(() => void this.go(), pause)
    this.timer.unref()
  }

  /** One look. Returns the milliseconds until the next; never throws. */
  async look(): Promise<number> {
    const { run, time, lookEvery = LOOK_EVERY_MS } = this.options
    try {
      this.tell(await run(await time()))
      this.failures = 0
      return lookEvery
    } catch (error) {
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++)
      this.options.log(`${textOf(error)}; the sweep is tried again in ${pause / 1000} s`)
      return pause
    }
  }

  private tell(report: SweepReport): void {
    const { log } = this.options
    if (report.state === 'complete')
      log(`sweep: every account is proven solvent, or flagged in time, at table ${report.table}`)
    if (report.state !== 'unprovable' || this.told === report.table) return
    this.told = report.table
    const accounts = report.accounts.map(({ account, rule }) => `${account} (${rule})`).join(', ')
    log(
      `sweep: no proof exists at table ${report.table}, for accounts ${accounts}; without any sweep ` +
        'withdrawals wait at last, and then anybody may freeze the house',
    )
  }
}

/** Its first line, and not all of that: errors of L1 carry whole transactions. */
function textOf(error: unknown): string {
  const { shortMessage } = error as { readonly shortMessage?: string }
  const message = shortMessage ?? (error instanceof Error ? error.message : String(error))
  return (message.split('\n')[0] ?? '').slice(0, TEXT_LENGTH)
}
