/** The L1 of a floor that keeps a batch waiting until it is told what becomes of it. */
import type { Member } from '../../client/member.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import type { BatchJob, Receipted, Submission } from '../../sequencer/l1.ts'
import { until } from '../until.ts'
import { Floor } from './floor.ts'

export type Waiting = {
  readonly number: bigint
  readonly batch: Submission
  readonly accept: () => Promise<void>
  /** L1 has it, and the door waits on. */
  readonly mine: () => Promise<unknown>
  readonly fail: (error: Error) => void
}

export class Stalled {
  /** In the order in which they came. */
  readonly waiting: Waiting[] = []
  /** What was signed, by the text that the journal has of it. */
  readonly signed: Map<string, Submission>

  /** `signed` by an earlier process, where there was one. */
  constructor({ l1 }: Pick<Floor, 'l1'>, signed = new Map<string, Submission>()) {
    this.signed = signed
    const submit = l1.submit.bind(l1)
    const wait = (batch: Submission, number: bigint): Promise<Receipted> =>
      new Promise((resolve, reject) => {
        const accept = async (): Promise<void> => resolve(await submit(batch))
        this.waiting.push({ number, batch, accept, mine: () => submit(batch), fail: reject })
      })
    Object.assign(l1, {
      submit: async (batch: Submission, job: BatchJob) => {
        const raw = `batch ${job.number} with nonce ${batch.batchNonce}`
        await job.record(raw)
        this.signed.set(raw, batch)
        return wait(batch, job.number)
      },
      follow: (job: BatchJob) =>
        wait(this.signed.get(job.earlier.at(-1) as string) as Submission, job.number),
    })
  }

  /** The next batch that L1 is handed, the first being 0. */
  async handed(place: number): Promise<Waiting> {
    await until(() => this.waiting.length > place)
    return this.waiting[place] as Waiting
  }
}

/** Proofs that come when they are told to. */
export class Proofs {
  readonly asked: { readonly signal: AbortSignal; readonly give: (error?: Error) => void }[] = []
  isWaiting = true
  underWay = 0
  most = 0

  constructor(floor: Floor) {
    floor.prove = (_key, _input, _signals, signal) => {
      this.most = Math.max(this.most, ++this.underWay)
      signal?.addEventListener('abort', () => this.underWay--)
      return new Promise((resolve, reject) => {
        const give = (error?: Error): void => {
          if (signal?.aborted !== true) this.underWay--
          if (error === undefined) resolve({} as never)
          else reject(error)
        }
        this.asked.push({ signal: signal as AbortSignal, give })
        if (!this.isWaiting) give()
      })
    }
  }

  async of(place: number) {
    await until(() => this.asked.length > place)
    return this.asked[place] as (typeof this.asked)[number]
  }
}

/** A floor with three members of 1,000 dollars each, its journal, and its L1 that waits. */
export async function stalledFloor() {
  const journal = new MemoryJournal()
  const { floor, members } = await Floor.open([1000, 1000, 1000], () => 0, journal)
  const three = members as [Member, Member, Member]
  return { journal, floor, members: three, l1: new Stalled(floor) }
}
