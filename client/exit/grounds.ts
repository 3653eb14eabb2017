/** Grounds to freeze: which one holds now, and how long until one would. */
import type { L1 } from '../l1/rpc.ts'

export const GROUNDS = ['forcedExit', 'queueFull', 'noBatch', 'noTable', 'noSweep'] as const
export type GroundName = (typeof GROUNDS)[number]

/** What each says, for people. */
export const GROUND_TEXT: Readonly<Record<GroundName, string>> = {
  forcedExit: 'a forced exit was not served in time',
  queueFull: 'the queue of forced exits is full for too long',
  noBatch: 'no batch for too long',
  noTable: 'no confirmed table for too long',
  noSweep: 'no complete sweep for too long',
}

export type GroundState = {
  readonly name: GroundName
  /** As the contract counts them, from 1. */
  readonly code: number
  /** The forced exit that waits longest; 0 for other grounds. */
  readonly serial: bigint
  readonly holds: boolean
  /** Seconds until it would hold if nothing happens; null where nothing is waiting. */
  readonly left: bigint | null
  /** The clock of it stands still while no confirmed table is young. */
  readonly isServiceClock: boolean
}

type Fields = Readonly<Record<string, bigint>>

/** The structs of the contract by the names of their fields. */
export async function readTerms(l1: L1): Promise<Fields> {
  return fieldsOf(await l1.view('terms'))
}
export async function readQueue(l1: L1): Promise<Fields> {
  return fieldsOf(await l1.view('forcedExitQueue'))
}

function fieldsOf(answer: readonly unknown[]): Fields {
  return (answer[0] as { toObject: () => Fields }).toObject()
}

/** At the block at which `l1` reads; the contract itself says whether a ground holds. */
export async function groundsOf(l1: L1): Promise<readonly GroundState[]> {
  const one = async (name: string, ...args: readonly unknown[]) => (await l1.view(name, args))[0]
  const [terms, queue, sweep] = await Promise.all([
    readTerms(l1),
    readQueue(l1),
    l1.view('sweep').then(fieldsOf),
  ])
  const service = (await one('serviceTime')) as bigint
  const [number, confirmed, served, count] = (await Promise.all(
    ['batchNumber', 'confirmedTableNumber', 'served', 'requestCount'].map((name) => one(name)),
  )) as [bigint, bigint, bigint, bigint]
  const batchTime = fieldsOf(await l1.view('batches', [number]))['time'] as bigint
  const genesisTime = fieldsOf(await l1.view('batches', [0n]))['time'] as bigint
  const tableTime =
    confirmed === 0n ? genesisTime : ((await l1.view('tables', [confirmed]))[1] as bigint)
  const oldest = await oldestForcedExit(l1, served, count)
  const { time } = l1.head
  const ends: Readonly<Record<GroundName, bigint | null>> = {
    forcedExit: oldest === null ? null : oldest.requestedAt + at(terms, 'forceDelay') - service,
    queueFull:
      queue['fullSince'] === 0n
        ? null
        : at(queue, 'fullSince') - 1n + at(terms, 'fullDelay') - service,
    noBatch: batchTime + at(terms, 'batchDelay') - time,
    noTable: tableTime + at(terms, 'tableDelay') - time,
    noSweep: at(sweep, 'sweptAt') + at(terms, 'sweepDelay') - service,
  }
  return Promise.all(
    GROUNDS.map(async (name, i) => {
      const code = i + 1
      const serial = name === 'forcedExit' ? (oldest?.serial ?? 0n) : 0n
      const holds = (await one('groundHolds', code, serial)) as boolean
      const end = ends[name]
      // One second more: a ground holds when the delay is over, not when it ends.
      const left = end === null || end < 0n ? null : end + 1n
      const isServiceClock = name !== 'noBatch' && name !== 'noTable'
      return { name, code, serial, holds, left: holds ? 0n : left, isServiceClock }
    }),
  )
}

function at(fields: Fields, name: string): bigint {
  const value = fields[name]
  if (value === undefined) throw new Error(`the contract did not say ${name}`)
  return value
}

const FORCED_EXIT = 3n

async function oldestForcedExit(
  l1: L1,
  served: bigint,
  count: bigint,
): Promise<{ readonly serial: bigint; readonly requestedAt: bigint } | null> {
  for (let serial = served; serial < count; serial++) {
    const request = fieldsOf(await l1.view('request', [serial]))
    if (request['kind'] === FORCED_EXIT) return { serial, requestedAt: at(request, 'requestedAt') }
  }
  return null
}
