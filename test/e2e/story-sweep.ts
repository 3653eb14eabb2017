/** Sweeps of a story: one at a time, as the house runs them itself, and as an operator with a friend would. */
import { Wallet } from 'ethers'
import { expect } from 'vitest'
import { leafHash, type Account } from '../../circuits/account.ts'
import { statementOf } from '../../circuits/statement.ts'
import { TREE_DEPTH } from '../../circuits/params.ts'
import { SWEEP_SHAPES, sweepChunk, type SweepShape } from '../../circuits/sweep.ts'
import { buildSweep } from '../../circuits/sweep-witness.ts'
import { settlementsOf } from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import type { CircuitKey } from '../../prover/circuit-key.ts'
import type { CircuitInput } from '../../prover/groth16.ts'
import { proofWords } from '../../prover/proof-words.ts'
import { sweepingOf, type SweptHouse } from '../../sequencer/house-sweep.ts'
import { SequencerL1 } from '../../sequencer/l1.ts'
import { Sweeper, type SweepReport } from '../../sequencer/sweep.ts'
import { randomField } from '../law/house.ts'
import { proofOf, refusal, sent } from './story-l1.ts'
import { CHAIN_ID, type Story } from './story.ts'

export async function sweep(story: Story): Promise<SweepReport> {
  return sweeper(story).run(await story.now())
}

/** As the house's own process does it: by itself, with an L1 key of its own. Returns what it logged. */
export async function sweepItself(story: Story): Promise<readonly string[]> {
  const log: string[] = []
  const { house, history, deployment } = story
  const swept: SweptHouse = {
    core: {
      ledger: { accounts: house.accounts, history },
      rest: () => ({ settled: house.settled }),
    },
    options: {
      rpcUrl: story.url,
      deployment,
      log: (line) => log.push(line),
      tableByRoot: (root) => story.tables.get(root),
    },
  }
  const keys = story.exits.map(({ key }) => key)
  const payer = Wallet.createRandom()
  await story.provider.send('hardhat_setBalance', [payer.address, '0x56bc75e2d63100000'])
  expect(await sweepingOf(swept, keys, undefined)).toBeNull()
  // No node is silent because the machine stood still.
  const patience = { timeoutMilliseconds: 120_000 }
  const doorTo = (key: string): SequencerL1 =>
    new SequencerL1(story.url, deployment.contract, key, patience)
  const others = keys.map((key) => ({ ...key, keyHash: '11'.repeat(32) }))
  expect(await sweepingOf(swept, others, payer.privateKey, doorTo)).toBeNull()
  const sweeping = await sweepingOf(swept, keys, payer.privateKey, doorTo)
  sweeping?.start()
  // L1 has it a moment before the house knows.
  while (!log.some((line) => line.startsWith('sweep: every account is proven')))
    await new Promise((wake) => setTimeout(wake, 100))
  sweeping?.close()
  return log
}

/**
 * Chunk by chunk as an operator would that has one account stand otherwise than it does: what L1
 * says to each. The root that its own tree has is not asked for, or the sweeper would stop itself.
 */
export async function sweepAsIf(
  story: Story,
  index: number,
  account: Account,
): Promise<readonly string[]> {
  const accounts = new Map(story.house.accounts).set(index, account)
  const tree = new Tree(TREE_DEPTH)
  for (const [at, each] of accounts) tree.set(at, leafHash(each))
  const { time } = await story.ask<{ time: bigint }>('sweep')
  const { callDelay } = await story.ask<{ callDelay: bigint }>('terms')
  const said: string[] = []
  const state = {
    accounts,
    table: story.table,
    settlements: settlementsOf(story.house.settled),
    time,
    callDelay,
  }
  const shape = SWEEP_SHAPES.find(({ name }) => name === 'sweep-mini') as SweepShape
  const key = story.exits.find((exit) => exit.key.name === shape.name)?.key as CircuitKey
  const scope = {
    chainId: CHAIN_ID,
    contract: BigInt(story.deployment.contract),
    keyHash: BigInt(`0x${key.keyHash}`),
  }
  for (const first of [0, 8, 16]) {
    // The chunks before are proven in the true state, so that the last differs in the account alone.
    const honest = { ...state, tree: story.house.tree, accounts: story.house.accounts }
    const outcome = sweepChunk(shape, first, first === 16 ? { ...state, tree } : honest)
    if (!outcome.ok) throw new Error(outcome.detail)
    const built = buildSweep(outcome.trace, randomField())
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const proof = await proofOf(key, built.finish(x, y) as CircuitInput)
    const id = story.deployment.exits?.sweep.get(key.name)
    const args = [id, ...built.words.slice(-2), built.commitment, proofWords(proof)]
    said.push(await refusal(sent(story.operator.contract, 'submitSweep', ...args)))
  }
  return said
}

function sweeper(story: Story): Sweeper {
  return new Sweeper({
    l1: story.operator,
    chainId: CHAIN_ID,
    contract: story.deployment.contract,
    keys: story.exits
      .filter(({ key }) => key.name === 'sweep-mini')
      .map(({ key }) => ({ id: story.deployment.exits?.sweep.get(key.name) as bigint, key })),
    accounts: () => story.house.accounts,
    history: story.history,
    tableByRoot: (root) => story.tables.get(root),
    settled: () => story.house.settled,
    prove: proofOf,
    log: () => {},
  })
}
