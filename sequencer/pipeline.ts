/**
 * Batches from choice to L1, two at a time: while one is on its way to L1 the next is built and proven on
 * what that one makes of the ledger, and waits. L1 never sees a batch before it has accepted the one before.
 */
import { statementOf } from '../circuits/statement.ts'
import { batchSteps, type BuiltBatch } from '../circuits/witness.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import type { OpenBatch, SettledBatch } from './answers.ts'
import { Diverged } from './core.ts'
import { inputOfBatch } from './batch-input.ts'
import { numberOf } from './fork.ts'
import { keepLatest } from './open-batch.ts'
import type { House } from './house.ts'
import type { InputOf } from './journal/record.ts'
import { BatchRefused, type BatchJob, type Duties, type Receipted } from './l1.ts'
import { submissionOf } from './submission.ts'
import { isAsChosen } from './as-chosen.ts'
import { checkAge } from './table-age.ts'

const WATCH_MILLISECONDS = 250
const REPORTS_KEPT = 4_096
const NO_DUTIES: Duties = {
  isFrozen: false,
  isPaused: false,
  areWithdrawalsHeld: false,
  isBatchDue: false,
}

export type BatchReport = SettledBatch & { readonly publicBytes: number }
export type BatchWish = {
  /** By the clock: made of cover where nothing waits, and always in the usual shape. */
  readonly isDue?: boolean
  /** Once the batch needs nothing but L1's word, or has ended: the next may be asked for. */
  readonly onHanded?: () => void
}

/** The guardian has paused L1: a proof now would be made in vain, again and again. */
export class HousePaused extends Error {}
/** The batch before it was withdrawn, and this one with it: both are built anew, from the same pages. */
export class BatchGivenUp extends Error {}

/** A batch that is worked on in this process. */
type Flight = {
  /** It is with L1, or has ended; never rejects. */
  readonly handed: Promise<void>
  readonly hand: () => void
  readonly report: Promise<BatchReport>
  readonly ending: AbortController
}
/** With what it proves. */
export type Proven = { readonly built: BuiltBatch; readonly proof: Groth16Proof }

export class Pipeline {
  private readonly house: House
  /** From choice to L1's door: one batch after the other, and one proof at a time. */
  private turn: Promise<unknown> = Promise.resolve()
  /** Of records about batches: none is judged by what another, not yet durable, changes. */
  private recording: Promise<unknown> = Promise.resolve()
  private readonly flights = new Map<OpenBatch, Flight>()
  /** What was proven and could not be sent is not proven again. */
  private readonly proofs = new WeakMap<OpenBatch, Proven>()
  private isClosed = false

  constructor(house: House) {
    this.house = house
  }

  run({ isDue = false, onHanded = () => {} }: BatchWish): Promise<BatchReport | null> {
    const begun = this.turn.then(() => this.begin(isDue))
    this.turn = begun.then((flight) => flight?.handed).catch(() => {})
    void this.turn.then(onHanded)
    return begun.then((flight) => flight?.report ?? null)
  }

  /** Nobody waits on for L1 to go on; what is open is the next start's. */
  close(): void {
    this.isClosed = true
  }

  private async begin(isDue: boolean): Promise<Flight | null> {
    const { house } = this
    const { core } = house
    await house.watch()
    const duties = (await house.l1.duties?.()) ?? NO_DUTIES
    // No proof is made for an L1 that takes none any more.
    if (duties.isFrozen) return null
    for (;;) {
      const idle = [core.open, core.next].find((one) => one !== null && !this.flights.has(one))
      if (idle) return this.fly(idle, (flight) => this.resume(idle, flight))
      if (duties.isPaused) throw new HousePaused('no batch is prepared: the house is paused on L1')
      if (house.table === null || !core.hasConfirmedTable) return null
      // In normal mode it might come too late for this table, reducing only too early.
      if ((await checkAge(house)) === 'ending' && house.mode === 'normal') return null
      const chosen = await this.choose(isDue, duties)
      if (chosen === 'overtaken') continue
      if (chosen === null) return null
      return this.fly(chosen, (flight) => this.settle(chosen, flight))
    }
  }

  /** Null when there is nothing to settle; overtaken when L1 spoke of the batch before in between. */
  private async choose(isDue: boolean, duties: Duties): Promise<OpenBatch | null | 'overtaken'> {
    const { house } = this
    const { core } = house
    const { open } = core
    const input = await inputOfBatch(house, open, isDue, duties)
    if (input === null) return null
    const answer = await this.ordered(() =>
      core.open === open && core.next === null ? house.submit(input) : null,
    )
    if (answer === null) return 'overtaken'
    this.tellUnprovable(answer.unprovable)
    return answer.open
  }

  private tellUnprovable(unprovable: OpenBatch['unprovable']): void {
    for (const { rejection } of unprovable)
      this.house.options.log(
        `a page cannot settle (${rejection.rule}): its sides sign anew without it`,
      )
  }

  private fly(batch: OpenBatch, work: (flight: Flight) => Promise<BatchReport>): Flight {
    let hand = (): void => {}
    const handed = new Promise<void>((resolve) => (hand = resolve))
    const ending = new AbortController()
    const begin = async (): Promise<BatchReport> => {
      // Only when it is known that the batch is worked on.
      await Promise.resolve()
      try {
        return await work(flight)
      } finally {
        this.flights.delete(batch)
        hand()
      }
    }
    const flight: Flight = { handed, hand, ending, report: begin() }
    flight.report.catch(() => {})
    this.flights.set(batch, flight)
    return flight
  }

  /** After a restart, or an answer of L1 that never came: the same batch, or what became of it. */
  private async resume(batch: OpenBatch, flight: Flight): Promise<BatchReport> {
    const { core, l1 } = this.house
    if (batch !== core.open) return this.settle(batch, flight)
    const number = numberOf(batch)
    const root = await l1.rootOf(number)
    const isSigned = (core.sent.get(number)?.length ?? 0) > 0
    if (root === null && !isSigned) return this.settle(batch, flight)
    const built = await this.build(batch, flight)
    // What was signed may be out: it goes its way to the end, and no other takes its place.
    if (root === null)
      return this.deliver(batch, flight, built, (job) => {
        if (l1.follow === undefined) throw new Error('this L1 cannot follow a transaction')
        return l1.follow(job)
      })
    if (root === built.newRoot) return this.accepted(batch, built, 0n)
    throw this.diverged(number, root, built.newRoot)
  }

  /** Not worth a record: the journal must stay one that can be replayed. */
  private diverged(number: bigint, root: bigint, own: bigint): Diverged {
    const error = new Diverged(
      `L1 has root ${root} for batch ${number}; the journal makes it ${own}`,
    )
    this.house.options.onFatal?.(error)
    return error
  }

  private async settle(batch: OpenBatch, flight: Flight): Promise<BatchReport> {
    const proven = this.proofs.get(batch) ?? (await this.prove(batch, flight))
    await this.untilFirst(batch)
    await this.untilTaken(batch)
    const submission = submissionOf(batch, proven, this.house.options.deployment)
    return this.deliver(batch, flight, proven.built, (job) => this.house.l1.submit(submission, job))
  }

  /** Members are answered in between. */
  private async build(batch: OpenBatch, { ending }: Flight): Promise<BuiltBatch> {
    const { shape, trace, tree, salt, tableNumber, confirmedTableRoot, accountCountBefore } = batch
    const view = { tableNumber, confirmedTableRoot, accountCountBefore }
    for (const steps = batchSteps(shape, trace, tree, view, salt); ;) {
      const step = steps.next()
      if (step.done === true) return step.value
      await new Promise((resolve) => setImmediate(resolve))
      if (ending.signal.aborted) throw givenUp(batch)
    }
  }

  private async prove(batch: OpenBatch, flight: Flight): Promise<Proven> {
    const { keys, deployment, prove } = this.house.options
    const { signal } = flight.ending
    const number = numberOf(batch)
    const key = keys.find((k) => k.shape.name === batch.shape.name)
    if (key === undefined) throw new Error(`batch ${number} needs shape ${batch.shape.name}`)
    const built = await this.build(batch, flight)
    const scope = {
      chainId: deployment.chainId,
      contract: BigInt(deployment.contract),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const started = performance.now()
    const made = prove(key, built.finish(x, y), [built.commitment, x, y].map(String), signal)
    const proof = await unlessAborted(signal, made, () => givenUp(batch)).catch(
      async (error: unknown) => {
        // It was never sent, so another batch may take its number, with a nonce of its own.
        await this.withdraw(batch, 'no proof')
        throw error
      },
    )
    const seconds = (performance.now() - started) / 1000
    await this.record(batch, { kind: 'proven', number, seconds })
    this.proofs.set(batch, { built, proof })
    return { built, proof }
  }

  /** Until L1 has accepted the batch that this one is built on. */
  private async untilFirst(batch: OpenBatch): Promise<void> {
    const { core } = this.house
    while (core.open !== batch) {
      if (core.open === null || core.next !== batch) throw givenUp(batch)
      const first = this.flights.get(core.open)
      if (first === undefined)
        throw new Error(`batch ${numberOf(batch)} waits: L1 has not spoken about the one before it`)
      await first.report.catch(() => {})
    }
  }

  /**
   * L1 sets the mode of a batch. One that was proven in normal mode waits while the latest table is
   * indicative; one that cannot be taken any more is built again from the same pages.
   */
  private async untilTaken(batch: OpenBatch): Promise<void> {
    const { house } = this
    const { mode = 'normal' } = batch.plan.context
    for (;;) {
      if (this.isClosed) throw new Error(`batch ${numberOf(batch)} waits: the house is closed`)
      await house.watch()
      await checkAge(house)
      const isPossible = await isAsChosen(house, batch)
      if (house.mode === mode && isPossible) return
      if (mode !== 'normal' || !isPossible || house.core.isTableOld) {
        const reason = `the batch of table ${batch.tableNumber} must be built again: L1 went on`
        await this.withdraw(batch, reason)
        throw new Error(reason)
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_MILLISECONDS))
    }
  }

  /** To L1, and into the journal what became of it there. */
  private async deliver(
    batch: OpenBatch,
    { hand }: Flight,
    built: BuiltBatch,
    send: (job: BatchJob) => Promise<Receipted>,
  ): Promise<BatchReport> {
    const { core, l1 } = this.house
    const number = numberOf(batch)
    hand()
    try {
      const { gasUsed } = await send({
        number,
        earlier: core.sent.get(number) ?? [],
        record: async (raw) => void (await this.record(batch, { kind: 'sent', number, raw })),
      })
      const root = await l1.rootOf(number)
      if (root !== null && root !== built.newRoot) throw this.diverged(number, root, built.newRoot)
      return await this.accepted(batch, built, gasUsed)
    } catch (error) {
      // Only the contract's own word ends a batch: any other error may hide that it was accepted.
      if (error instanceof BatchRefused && (await l1.rootOf(number)) === null)
        await this.withdraw(batch, error.message)
      throw error
    }
  }

  private async accepted(
    batch: OpenBatch,
    { newRoot: root, words }: BuiltBatch,
    gas: bigint,
  ): Promise<BatchReport> {
    const { house } = this
    const input = { kind: 'accepted', number: numberOf(batch), root, gas } as const
    const settled = await this.ordered(() => house.submit(input))
    const report = { ...settled, publicBytes: 32 * words.length }
    house.reports.push(report)
    keepLatest(house.reports, REPORTS_KEPT)
    // What the batch behind this one could not settle on its fork, which has come true.
    const { open } = house.core
    if (open !== null && house.core.isFeeSure(open)) this.tellUnprovable(open.unprovable)
    return report
  }

  /** What was built on it goes with it: no proof of that is waited for. */
  private async withdraw(batch: OpenBatch, reason: string): Promise<void> {
    await this.record(batch, { kind: 'withdrawn', number: numberOf(batch), reason })
    for (const [other, { ending }] of this.flights)
      if (!this.house.core.holds(other)) ending.abort()
  }

  /** Throws BatchGivenUp where the batch is no more: its number may be another's by now. */
  private record<K extends 'proven' | 'sent' | 'withdrawn'>(
    batch: OpenBatch,
    input: InputOf<K>,
  ): Promise<unknown> {
    return this.ordered(() => {
      if (!this.house.core.holds(batch)) throw givenUp(batch)
      return this.house.submit(input)
    })
  }

  private ordered<T>(work: () => Promise<T> | T): Promise<T> {
    const done = this.recording.then(work)
    this.recording = done.catch(() => {})
    return done
  }
}

function givenUp(batch: OpenBatch): BatchGivenUp {
  const number = numberOf(batch)
  return new BatchGivenUp(`batch ${number} is built again: the one before it was withdrawn`)
}

/** What is given up may still come to an end: nobody hears of it. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>, error: () => Error): Promise<T> {
  work.catch(() => {})
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(error())
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
