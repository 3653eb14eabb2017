/** What the contract's terms ask of the next batch, as it stands in one block. */
import type { Block } from './chain.ts'
import { ageOf, PROOF_SECONDS, type Duties, type TableAge } from './words.ts'

/** A view of the contract at that block. */
type View = (name: string, ...args: readonly unknown[]) => Promise<unknown>
type Clock = Pick<Block, 'time'>

export async function dutiesAt(at: Clock, view: View): Promise<Duties> {
  const number = await view('batchNumber')
  const [isFrozen, isPaused, service, sweep, terms, { time }] = (await Promise.all([
    view('isFrozen'),
    view('isPaused'),
    view('serviceTime'),
    view('sweep'),
    view('terms'),
    view('batches', number),
  ])) as [
    boolean,
    boolean,
    bigint,
    { sweptAt: bigint; table: bigint; time: bigint; isFixed: boolean },
    { lateSweepDelay: bigint; batchDelay: bigint },
    { time: bigint },
  ]
  const now = BigInt(at.time)
  // Once it is due the next batch fixes the state before itself, and harms nobody.
  const isOpen = sweep.table !== 0n && !sweep.isFixed && now < sweep.time
  const posted = isOpen ? await view('tables', sweep.table) : null
  const root = posted === null ? 0n : (posted as readonly [bigint])[0]
  return {
    ...(isOpen ? { sweep: { number: sweep.table, root } } : {}),
    isFrozen,
    isPaused,
    // What passes between choice and acceptance must not spoil the batch.
    areWithdrawalsHeld: service + PROOF_SECONDS - sweep.sweptAt > terms.lateSweepDelay,
    // Half of the delay is left for proofs that fail and an L1 that is full.
    isBatchDue: now - time > terms.batchDelay / 2n,
  }
}

/**
 * At an old table L1 takes nothing but what reduces risk, in a batch of that mode, and pays nothing out
 * (contracts/Batches.sol).
 */
export async function tableAgeAt(at: Clock, view: View, number: bigint): Promise<TableAge> {
  const [posted, terms] = (await Promise.all([view('tables', number), view('terms')])) as [
    { time: bigint },
    { tableLife: bigint },
  ]
  return ageOf(BigInt(at.time) - posted.time, terms.tableLife)
}
