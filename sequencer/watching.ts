/** What a service looks at beside its batches: L1, provers, settled instruments, and what keeps it from serving. */
import type { Configuration } from './config.ts'
import { Converting, holdersOf } from './converting.ts'
import type { House } from './house.ts'
import type { SequencerL1 } from './l1.ts'
import { reasonOf, type Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { HouseProver } from './proving.ts'
import { checkAge } from './table-age.ts'

/** What L1 says counts for admission, too: tables, their confirmation, the mode, settlements. */
const WATCH_MILLISECONDS = 500
const VITALS_MILLISECONDS = 5_000
const SILENT_SECONDS = 15

/** Tells L1 what is converted, beside the batches. */
export function convertingOf(house: House, l1: SequencerL1, log: Log): NodeJS.Timeout {
  const converting = new Converting({
    state: () => ({
      holders: () => holdersOf(house.core),
      settlements: house.core.settlements,
    }),
    confirmed: () => l1.convertedOnL1(),
    confirm: (count) => l1.confirmConverted(count),
    log: (line) => log.warn(line),
  })
  return setInterval(() => void converting.look(), VITALS_MILLISECONDS).unref()
}

export function watchL1(house: House, l1: SequencerL1, metrics: Metrics, log: Log) {
  let isFailing = false
  const failed = (error: unknown): void => {
    metrics.l1Failed()
    // Twice a second the same is no news.
    if (!isFailing) log.warn('L1 could not be read', { why: reasonOf(error) })
    isFailing = true
  }
  const look = setInterval(() => {
    house
      .watch()
      .then(() => (isFailing = false))
      .then(() => house.tick())
      .catch(failed)
  }, WATCH_MILLISECONDS)
  const measure = (): void => {
    l1.vitals().then(
      (vitals) => metrics.vitals(vitals),
      () => metrics.l1Failed(),
    )
    // Admission must know before the next batch does.
    checkAge(house).catch(failed)
  }
  measure()
  const vitals = setInterval(measure, VITALS_MILLISECONDS)
  for (const timer of [look, vitals]) timer.unref()
  return { stop: () => [look, vitals].forEach(clearInterval) }
}

export function watchProvers(prover: HouseProver, metrics: Metrics): NodeJS.Timeout {
  const look = (): void => {
    prover.vitals().then(
      (vitals) => metrics.proversAre(vitals),
      () => metrics.proversUnknown(),
    )
  }
  look()
  return setInterval(look, VITALS_MILLISECONDS).unref()
}

/** A sentence for each thing without which members are not served as they should be. */
export function reasonsOf(
  house: House,
  metrics: Metrics,
  { oracleAgeSeconds }: Configuration,
): readonly string[] {
  const now = Date.now() / 1000
  const { tableTime, lookedAt, isJournalFailing } = metrics
  const silent = now - (lookedAt ?? 0)
  return [
    ...(silent > SILENT_SECONDS ? [`L1 has not been read for ${Math.floor(silent)} s`] : []),
    ...(house.table === null ? ['the oracle has posted no table yet'] : []),
    ...(tableTime !== null && now - tableTime > oracleAgeSeconds
      ? [`the latest table is older than ${oracleAgeSeconds} s`]
      : []),
    ...(isJournalFailing ? ['the journal took no record the last time'] : []),
  ]
}
