/** The sweeps of a house that runs: its accounts, its own key on L1, and the shapes that L1 knows. */
import type { Account } from '../circuits/account.ts'
import type { Row, Table } from '../circuits/table.ts'
import type { CircuitKey } from '../prover/circuit-key.ts'
import { createProverPool } from '../prover/pool.ts'
import type { StateHistory } from './history.ts'
import { SequencerL1 } from './l1.ts'
import { reasonOf } from './log.ts'
import { HOUSE_SWEEP_SHAPES } from './sweep-shapes.ts'
import { Sweeper, type SweepKey } from './sweep.ts'
import { Sweeping } from './sweeping.ts'

export type SweptHouse = {
  readonly core: {
    readonly ledger: {
      readonly accounts: ReadonlyMap<number, Account>
      readonly history: StateHistory
    }
    readonly rest: () => { readonly settled: readonly Row[] }
  }
  readonly options: {
    readonly rpcUrl: string
    readonly deployment: { readonly chainId: bigint; readonly contract: string }
    readonly tableByRoot: (root: bigint) => Table | undefined
    readonly log: (line: string) => void
  }
}

/**
 * `l1Key` pays for the proofs' transactions: any account may send them, and one of its own keeps them
 * from standing in the way of the operator's batches. `keys` are those of the sweep's circuits here;
 * used are those that L1 has under the same hash, once it says which. `doorTo`: L1 under another key, by all its nodes and
 * within the cap of gas. Null, and said so, where there is none.
 */
export async function sweepingOf(
  { core, options }: SweptHouse,
  keys: readonly CircuitKey[],
  l1Key: string | undefined,
  doorTo = (key: string) => new SequencerL1(options.rpcUrl, options.deployment.contract, key),
): Promise<{ readonly start: () => void; readonly close: () => void } | null> {
  const { deployment, log } = options
  if (l1Key === undefined) {
    log('sweep: none is posted, for there is no key to pay for it (SWEEPER_KEY)')
    return null
  }
  const l1 = doorTo(l1Key)
  const none = 'sweep: none is posted, for L1 knows no circuit of it that is here'
  // A house opens without L1's answer: the sweep has days.
  const known = await shapesOnL1(l1, keys).catch((error: unknown) => {
    log(`sweep: L1 does not say which circuits it knows (${reasonOf(error)}); it is asked again`)
    return null
  })
  if (known?.length === 0) {
    log(none)
    l1.close()
    return null
  }
  // A core for itself at most: batches have the others.
  const pool = createProverPool(1)
  const ending = new AbortController()
  const sweeperOf = (shapes: readonly SweepKey[]): Sweeper =>
    new Sweeper({
      l1,
      ...deployment,
      keys: shapes,
      accounts: () => core.ledger.accounts,
      history: core.ledger.history,
      tableByRoot: options.tableByRoot,
      settled: () => core.rest().settled,
      prove: async ({ zkeyPath, wasmPath }, input) => {
        const job = { zkeyPath, wasmPath, input, singleThread: true, signal: ending.signal }
        return (await pool.prove(job)).proof
      },
      log,
    })
  let sweeper = known === null ? null : sweeperOf(known)
  const sweeping = new Sweeping({
    run: async (time) => {
      if (sweeper === null) {
        // What this throws is said, and tried again, later each time.
        const shapes = await shapesOnL1(l1, keys)
        if (shapes.length === 0) {
          log(none)
          sweeping.stop()
          return { state: 'idle', dueAt: null }
        }
        sweeper = sweeperOf(shapes)
      }
      return sweeper.run(time)
    },
    time: async () => BigInt((await l1.provider.getBlock('latest'))?.timestamp ?? 0),
    log,
  })
  return {
    start: () => sweeping.start(),
    close: () => {
      sweeping.stop()
      ending.abort()
      pool.close()
      l1.close()
    },
  }
}

async function shapesOnL1(
  l1: SequencerL1,
  keys: readonly CircuitKey[],
): Promise<readonly SweepKey[]> {
  const found: SweepKey[] = []
  for (const key of keys) {
    const place = HOUSE_SWEEP_SHAPES.findIndex(({ name }) => name === key.name)
    if (place < 0) continue
    const id = BigInt(place + 1)
    const { keyHash } = (await l1.contract.getFunction('sweepShapes')(id)) as { keyHash: string }
    if (BigInt(keyHash) === BigInt(`0x${key.keyHash}`)) found.push({ id, key })
  }
  return found
}
