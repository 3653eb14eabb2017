/** The sequencer's door on an L1 in memory, with time that a test moves. */
import { vi } from 'vitest'
import {
  SequencerL1,
  type Alarm,
  type BatchJob,
  type L1Options,
  type Submission,
} from '../../../sequencer/l1.ts'
import { ADDRESS, plainProof, SimChain } from './sim-chain.ts'
import { nodesOf } from './sim-nodes.ts'

export const KEY = `0x${'42'.repeat(32)}`
const BLOCK_SECONDS = 12

export type World = ReturnType<typeof worldOf>
export function worldOf(options: L1Options & { readonly count?: number } = {}) {
  const { count = 1, ...rest } = options
  const operator = new SequencerL1('http://nowhere', ADDRESS, KEY).operator
  const chain = new SimChain(operator, 1000n, Math.floor(Date.now() / 1000))
  const { nodes, urls, transport } = nodesOf(chain, count)
  const alarms: Alarm[] = []
  const open = (): SequencerL1 =>
    new SequencerL1(urls, ADDRESS, KEY, {
      transport,
      alarm: (alarm) => void alarms.push(alarm),
      pollMilliseconds: 1_000,
      gas: { bumpAfterMilliseconds: 30_000, maxFeeCap: 20_000_000_000n },
      confirmations: 3,
      ...rest,
    })
  const mine = (blocks = 1): void => {
    for (let i = 0; i < blocks; i++) chain.mine(Math.floor(Date.now() / 1000))
  }
  /** Seconds pass; a block every twelve. */
  const pass = async (seconds: number, isMining = true): Promise<void> => {
    for (let i = 1; i <= seconds; i++) {
      await vi.advanceTimersByTimeAsync(1000)
      if (isMining && ((Date.now() / 1000) | 0) % BLOCK_SECONDS === 0) mine()
    }
    await vi.advanceTimersByTimeAsync(0)
  }
  return { chain, nodes, alarms, open, l1: open(), mine, pass }
}

/** A batch that the modelled contract takes after `old`. */
export function batch(number: bigint, old: bigint, next: bigint, commitment = 7n): Submission {
  return {
    shapeId: 1n,
    time: 0n,
    newRoot: next,
    tableNumber: 1n,
    batchNonce: 5n,
    requestCount: 0,
    depositIds: [],
    withdrawals: [],
    accountWords: [1n],
    commitment,
    proof: plainProof(number, old, next),
  }
}

/** A journal of what was signed. */
export function jobOf(number: bigint, earlier: readonly string[] = []) {
  const recorded: string[] = [...earlier]
  const job: BatchJob = { number, earlier, record: async (raw) => void recorded.push(raw) }
  return { job, recorded }
}

/** What became of a promise so far. */
export function watched<T>(promise: Promise<T>) {
  const seen: { state: 'open' | 'done' | 'failed'; value?: T; error?: Error } = { state: 'open' }
  promise.then(
    (value) => Object.assign(seen, { state: 'done', value }),
    (error: unknown) => Object.assign(seen, { state: 'failed', error }),
  )
  return seen
}
